"""Tags of languages."""

from __future__ import annotations

import langcodes

__all__ = ["standard_language"]


def standard_language(text: str) -> str | None:
    """A language's tag in RFC 5646's shortest form (eng becomes en), or None where it is none."""
    try:
        tag = langcodes.standardize_tag(text)
        return tag if langcodes.tag_is_valid(tag) else None
    except ValueError:
        return None
