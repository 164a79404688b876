"""Where the bytes of a stream lie: stretches of files, in the order in which a player fetches them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from abr_alloc.errors import PackageError

__all__ = ["Extent", "Segment", "copied"]

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """A stretch of a file, which is there: a whole file is one too."""

    path: Path
    """The file."""
    offset_bytes: int
    """First byte."""
    size_bytes: int
    """Bytes, at least 1."""

    def read(self, most_bytes: int | None = None) -> bytes:
        """Its bytes, or the first of them.

        Raises:
            PackageError: the file cannot be read any more, or has become shorter.
        """
        return b"".join(copied(self, most_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A media segment."""

    media: Extent
    """Its bytes."""
    init: Extent | None
    """Its initialisation segment; None where it needs none."""
    duration_s: float
    """Length as the playlist or manifest says, seconds."""
    begins_part: bool = False
    """Whether a discontinuity or a Period stands before it: its times, its initialisation segment and its codec
    settings need not go on from the segment before."""


def copied(extent: Extent, most_bytes: int | None = None) -> Iterator[bytes]:
    """The bytes of an extent, in pieces.

    Raises:
        PackageError: the file cannot be read any more, or has become shorter.
    """
    left = extent.size_bytes if most_bytes is None else min(extent.size_bytes, most_bytes)
    try:
        file = extent.path.open("rb")
    except OSError as error:
        raise _gone(extent, error.strerror or str(error)) from error
    with file:
        file.seek(extent.offset_bytes)
        while left:
            try:
                piece = file.read(min(left, _CHUNK_BYTES))
            except OSError as error:
                raise _gone(extent, error.strerror or str(error)) from error
            if not piece:
                raise _gone(extent, "it has become shorter")
            left -= len(piece)
            yield piece


def _gone(extent: Extent, reason: str) -> PackageError:
    return PackageError(
        f"{extent.path} cannot be read any more: {reason}; is it still being written?", path=str(extent.path)
    )
