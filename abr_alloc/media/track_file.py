"""A stream that is one file: its initialisation segment, an index of its segments, and their movie fragments.

The index (sidx: ISO/IEC 14496-12, 8.16.3) has one entry per segment, so that playlists and manifests can name a segment
by the bytes that it takes. `stored_stream` reads a folder of either kind, of one file or of many.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.boxes import box_heads
from abr_alloc.media.segments import INIT_NAME, TRACK_NAME, is_track_file, segment_paths

__all__ = ["StoredPart", "StoredStream", "stored_stream", "write_track_file"]

_SIDX_HEAD, _SIDX_ENTRY = 32, 12  # bytes of a version 0 box before its entries, and of each
_SAP = 0x90 << 24  # begins with a stream access point, of type 1: what follows it in decoding order follows it in time
_MOST = (1 << 31) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A stretch of a file."""

    path: Path
    """The file."""
    offset_bytes: int
    """Where it begins."""
    size_bytes: int
    """Its length."""

    def read(self) -> bytes:
        """Its bytes."""
        with self.path.open("rb") as file:
            file.seek(self.offset_bytes)
            return file.read(self.size_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStream:
    """Where a stream lies."""

    init: StoredPart
    """Its first initialisation segment."""
    segments: tuple[StoredPart, ...]
    """Media segments in order."""
    index_bytes: int
    """Size of the index; 0 where every segment is a file."""


def stored_stream(folder: Path) -> StoredStream:
    """The parts of a stream, whichever way it lies in its folder.

    Raises:
        UnsupportedMediaError: there is none, a part is missing, or the index does not fit the file.
    """
    if not is_track_file(folder):
        segments = tuple(_whole(path) for path in segment_paths(folder))
        return StoredStream(init=_whole(folder / INIT_NAME), segments=segments, index_bytes=0)
    path = folder / TRACK_NAME
    try:
        return _indexed(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnsupportedMediaError(
            f"{path} is not whole ({reason}); encode the ladder again", path=str(path)
        ) from error


def _whole(path: Path) -> StoredPart:
    return StoredPart(path=path, offset_bytes=0, size_bytes=path.stat().st_size)


def _indexed(path: Path) -> StoredStream:
    """The parts of a track file by its index, which must tell all bytes after it."""
    with path.open("rb") as file:
        found = next(((at, size) for kind, at, size in box_heads(file) if kind == b"sidx"), None)
        if found is None:
            raise ValueError("it has no index")
        at, size = found
        file.seek(at)
        held = file.read(size)
    count = int.from_bytes(held[22:24], "big")
    if len(held) != _SIDX_HEAD - 8 + _SIDX_ENTRY * count or not count:
        raise ValueError("its index is damaged")
    sizes = [int.from_bytes(held[24 + 12 * n : 28 + 12 * n], "big") for n in range(count)]
    starts = list(itertools.accumulate(sizes, initial=at + size))
    if starts[-1] != path.stat().st_size or max(sizes) > _MOST:
        raise ValueError(f"it has {path.stat().st_size} bytes, and its index tells {starts[-1]}")
    return StoredStream(
        init=StoredPart(path=path, offset_bytes=0, size_bytes=at - 8),
        segments=tuple(
            StoredPart(path=path, offset_bytes=start, size_bytes=part)
            for start, part in zip(starts, sizes, strict=False)
        ),
        index_bytes=size + 8,
    )


def write_track_file(folder: Path, durations: Sequence[int], timescale: int) -> None:
    """Make one file of a stream's segments, in their place; nothing where it is one already.

    Args:
        folder: the stream's.
        durations: length of every segment from presentation time 0, ticks: a decoder's lead-in is no time.
        timescale: ticks per second, the track's own.

    Raises:
        UnsupportedMediaError: a segment is missing, or its boxes cannot be read.
        OSError: the folder cannot be written.
    """
    parts = segment_paths(folder) if not is_track_file(folder) else []
    if parts:
        heads = [_type_bytes(path) for path in parts]
        sizes = [path.stat().st_size - head for path, head in zip(parts, heads, strict=True)]
        half = folder / f".{TRACK_NAME}.part"
        with half.open("wb") as file:
            file.write((folder / INIT_NAME).read_bytes())
            file.write(_index(sizes, durations, timescale))
            for path, head in zip(parts, heads, strict=True):
                with path.open("rb") as segment:
                    segment.seek(head)
                    shutil.copyfileobj(segment, file)
            file.flush()
            os.fsync(file.fileno())
        half.replace(folder / TRACK_NAME)
    # Also after an interruption right here.
    for path in (folder / INIT_NAME, *folder.glob("[0-9]*.m4s")):
        path.unlink(missing_ok=True)


def _type_bytes(path: Path) -> int:
    """Size of the segment type box at the head of a segment, which is for files of their own (styp: 8.16.2)."""
    with path.open("rb") as file:
        head = file.read(8)
    return int.from_bytes(head[:4], "big") if head[4:] == b"styp" else 0


def _index(sizes: Sequence[int], durations: Sequence[int], timescale: int) -> bytes:
    if max(sizes) > _MOST or len(sizes) > 0xFFFF:
        raise UnsupportedMediaError("a segment of 2 GiB, or 65536 of them, is more than one file's index can tell")
    entries = b"".join(
        size.to_bytes(4, "big") + duration.to_bytes(4, "big") + _SAP.to_bytes(4, "big")
        for size, duration in zip(sizes, durations, strict=True)
    )
    # Version and flags; the track's number (one track); ticks per second; earliest time and first offset, both 0.
    head = bytes(4) + (1).to_bytes(4, "big") + timescale.to_bytes(4, "big") + bytes(8)
    held = head + bytes(2) + len(sizes).to_bytes(2, "big") + entries
    return (8 + len(held)).to_bytes(4, "big") + b"sidx" + held
