"""From what a playlist or manifest names to files of this machine, and to nothing else.

A package is often a stranger's: what it names is opened only below one folder, links followed, and nothing is fetched.
"""

from __future__ import annotations

import os
import posixpath
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from abr_alloc.errors import PackageError
from abr_alloc.packages.extents import Extent

__all__ = ["MOST_TEXT_BYTES", "LocalFiles", "shortened"]

MOST_TEXT_BYTES = 16 << 20
"""The largest playlist or manifest that is read."""

_MOST_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFiles:
    """The files of one package."""

    within: Path
    """The folder that nothing leads out of, resolved."""
    sizes: dict[Path, int] = field(default_factory=dict)
    """Of files that were looked at, bytes."""

    def resolve(self, uri: str, base: Path, where: str) -> Path:
        """The file that a URI names.

        Args:
            uri: as written.
            base: the folder that it is relative to.
            where: who names it, for the error.

        Raises:
            PackageError: it is a URL, no path that can be read, or leads out of the folder.
        """
        try:
            parts = urlsplit(uri)
            scheme, path = parts.scheme or ("//" if parts.netloc else ""), unquote(parts.path)
        except ValueError:
            scheme, path = "", ""
        if scheme:
            raise PackageError(
                f"{where}: {shortened(uri)} is a URL, and only files are read; download the package, and give it with "
                "relative paths",
                path=where,
            )
        if not path or path.startswith("/") or "\\" in path or "\0" in path:
            raise PackageError(
                f"{where}: {shortened(uri)} is no path relative to it; write relative paths into the package",
                path=where,
            )
        return self.checked(base / posixpath.normpath(path), uri, where)

    def checked(self, path: Path, uri: str, where: str) -> Path:
        """A path in its shortest form, links kept, that stays in the folder when they are followed.

        Raises:
            PackageError: it does not.
        """
        path = Path(os.path.normpath(path))
        try:
            inside = path.resolve().is_relative_to(self.within)
        except (OSError, RuntimeError, ValueError):  # a link to itself; a name that no file can have
            inside = False
        if not inside:
            raise PackageError(
                f"{where}: {shortened(uri)} leads out of the folder {self.within}; "
                "allow a folder above it with `within`",
                path=where,
            )
        return path

    def size(self, path: Path, where: str) -> int:
        """The size of a regular file, bytes.

        Raises:
            PackageError: it is not there, no regular file, or empty.
        """
        if path not in self.sizes:
            try:
                about = path.stat()
            except FileNotFoundError:
                raise PackageError(f"{where}: {path} does not exist; is the package whole?", path=where) from None
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                raise PackageError(f"{where}: {path} cannot be read: {reason}", path=where) from error
            if not stat.S_ISREG(about.st_mode):  # a pipe or a device might never end
                raise PackageError(f"{where}: {path} is no regular file; give a package of files", path=where)
            if not about.st_size:
                raise PackageError(f"{where}: {path} is empty; package it again", path=where)
            self.sizes[path] = about.st_size
        return self.sizes[path]

    def extent(self, path: Path, where: str, part: tuple[int, int] | None = None) -> Extent:
        """A file, or the part of it from an offset on, bytes.

        Raises:
            PackageError: it is not there, or not as long.
        """
        size = self.size(path, where)
        offset, length = part or (0, size)
        if length < 1 or offset + length > size:
            raise PackageError(
                f"{where}: {path} has {size} bytes, and {length} from byte {offset} on are asked for; is it whole?",
                path=where,
            )
        return Extent(path=path, offset_bytes=offset, size_bytes=length)

    def text(self, path: Path, where: str) -> bytes:
        """The bytes of a playlist or manifest.

        Raises:
            PackageError: it cannot be read, or is too large to be one.
        """
        if self.size(path, where) > MOST_TEXT_BYTES:
            raise PackageError(
                f"{path} is larger than {MOST_TEXT_BYTES >> 20} MiB; give a playlist or a manifest", path=str(path)
            )
        return self.extent(path, where).read()


def shortened(text: str) -> str:
    """What a package says, as messages show it."""
    return repr(text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…")
