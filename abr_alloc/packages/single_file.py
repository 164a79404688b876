"""The segments of a stream that is one MP4 file, by its own index (sidx: ISO/IEC 14496-12, 8.16.3)."""

from __future__ import annotations

from dataclasses import replace

from abr_alloc.packages.extents import Extent, Segment

__all__ = ["indexed_segments"]

_MOST_INDEX_BYTES = 1 << 20
_MOST_BOXES = 64  # before the index


def indexed_segments(whole: Extent, index: tuple[int, int] | None) -> tuple[Segment, ...]:
    """The segments that the index of a file tells; empty where it has none, or one that does not fit the file.

    Args:
        whole: the file.
        index: offset and length of the index, bytes; where nothing says, it is looked for.
    """
    offset, size = index or _search(whole)
    if not 32 <= size <= _MOST_INDEX_BYTES or offset + size > whole.size_bytes:
        return ()
    box = replace(whole, offset_bytes=offset, size_bytes=size).read()
    wide = box[8:9] != b"\0"  # version 1 has times and offsets of 64 bits
    timescale = int.from_bytes(box[16:20], "big")
    at = int.from_bytes(box[28:36] if wide else box[24:28], "big") + offset + size
    references = box[40 if wide else 32 :]
    count = int.from_bytes(box[38:40] if wide else box[30:32], "big")
    if box[4:8] != b"sidx" or not timescale or not count or len(references) < 12 * count:
        return ()
    segments = []
    for number in range(count):
        kind_size, duration = references[12 * number :][:4], references[12 * number + 4 :][:4]
        length = int.from_bytes(kind_size, "big")
        if length >> 31 or not length or at + length > whole.size_bytes:  # an index of indexes; a file cut off
            return ()
        media = replace(whole, offset_bytes=at, size_bytes=length)
        segments.append(Segment(media=media, init=None, duration_s=int.from_bytes(duration, "big") / timescale))
        at += length
    return tuple(segments)


def _search(whole: Extent) -> tuple[int, int]:
    """Offset and length of the first index in a file; 0 and 0 where none goes before its media."""
    at = 0
    for _ in range(_MOST_BOXES):
        if at + 8 > whole.size_bytes:
            break
        head = replace(whole, offset_bytes=at, size_bytes=8).read()
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind == b"sidx":
            return at, size
        if size < 8 or kind in (b"moof", b"mdat"):
            break
        at += size
    return 0, 0
