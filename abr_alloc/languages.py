"""Tags and names of languages."""

from __future__ import annotations

import langcodes

__all__ = ["UNKNOWN", "language_name", "standard_language", "three_letters"]

UNKNOWN = "und"
"""RFC 5646's tag of a language that nobody tells."""


def standard_language(text: str) -> str | None:
    """A language's tag in RFC 5646's shortest form (eng becomes en), or None where it is none."""
    try:
        tag = langcodes.standardize_tag(text)
        return tag if langcodes.tag_is_valid(tag) else None
    except ValueError:
        return None


def language_name(tag: str) -> str:
    """What a language is called by who speaks it, as a menu shows it: Deutsch, Français, Português (Brasil).

    Empty where there is no name: und, and tags of private use.
    """
    language = langcodes.Language.get(tag)
    if not language.language or not language.has_name_data():
        return ""
    name = language.autonym()
    return name[:1].upper() + name[1:]


def three_letters(tag: str) -> str:
    """A language by ISO 639-2's three letters for terminology: deu."""
    try:
        return langcodes.Language.get(tag).to_alpha3()
    except LookupError:
        return UNKNOWN
