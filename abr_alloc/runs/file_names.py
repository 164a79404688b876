"""Names of files for titles."""

from __future__ import annotations

import itertools
import re

__all__ = ["FileNames"]


class FileNames:
    """A name per title, without what a file system may not take; numbered where two would be equal."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, title: str) -> str:
        """The name of the next title."""
        stem = re.sub(r"[^\w.-]+", "-", title).strip(".") or "title"
        choices = itertools.chain([f"{stem}.json"], (f"{stem}-{i}.json" for i in itertools.count(2)))
        name = next(name for name in choices if name.casefold() not in self._taken)
        self._taken.add(name.casefold())
        return name
