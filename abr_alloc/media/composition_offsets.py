"""Negative composition offsets taken out of movie fragments, for a reader that is not exact about them.

libav adds the largest of them that it has seen so far to all times (`dts_shift` of its demuxer): pictures come a frame
or two late, and by how much depends on where in a stream it began to read.
"""

from __future__ import annotations

import io
import struct

from abr_alloc.media.boxes import Box, box_heads, parse_boxes, write_boxes

__all__ = ["without_negative_offsets"]

_DATA_OFFSET, _FIRST_FLAGS, _OFFSETS = 0x01, 0x04, 0x800  # ISO/IEC 14496-12, 8.8.8
_FIELDS = (0x100, 0x200, 0x400, _OFFSETS)


def without_negative_offsets(data: bytes) -> tuple[bytes, int]:
    """A segment all of whose frames are shown later by as many ticks as its most negative offset has, and how many.

    The same bytes, and 0, where no offset is negative or the segment is no fragmented MP4 from end to end.
    """
    try:
        heads = [(at, size) for kind, at, size in box_heads(io.BytesIO(data)) if kind == b"moof"]
        moofs = [(at, Box(kind=b"moof", boxes=parse_boxes(data[at : at + size]))) for at, size in heads]
        tracks = [traf for _, moof in moofs for traf in moof.boxes if traf.kind == b"traf"]
        late = -min((offset for traf in tracks for run in _runs(traf) for offset in _offsets(run)), default=0)
        if late <= 0:
            return data, 0
        for traf in tracks:
            _delay(traf, late)
    except (ValueError, struct.error, IndexError):
        return data, 0
    moved = bytearray(data)
    for at, moof in moofs:
        written = write_boxes([moof])
        moved[at - 8 : at - 8 + len(written)] = written
    return bytes(moved), late


def _runs(traf: Box) -> list[Box]:
    return [box for box in traf.boxes if box.kind == b"trun"]


def _delay(traf: Box, ticks: int) -> None:
    """Show the frames of a track's fragment later: by their offsets, or where they have none, by its clock."""
    if all(_places(run) for run in _runs(traf)):
        for run in _runs(traf):
            _add(run, ">i", _places(run), ticks)
    else:
        clock = traf.find(b"tfdt")
        _add(clock, ">Q" if clock.data[0] == 1 else ">I", range(4, 5), ticks)


def _add(box: Box, form: str, places: range, number: int) -> None:
    data = bytearray(box.data)
    for at in places:
        struct.pack_into(form, data, at, struct.unpack_from(form, data, at)[0] + number)
    box.data = bytes(data)


def _places(run: Box) -> range:
    """Where in a run its composition offsets stand."""
    flags, count = int.from_bytes(run.data[1:4], "big"), int.from_bytes(run.data[4:8], "big")
    first = 8 + sum(4 for bit in (_DATA_OFFSET, _FIRST_FLAGS) if flags & bit)
    step = sum(4 for bit in _FIELDS if flags & bit)
    if not flags & _OFFSETS:
        return range(0)
    return range(first + step - 4, first + step * count, step)


def _offsets(run: Box) -> list[int]:
    return [struct.unpack_from(">i", run.data, at)[0] for at in _places(run)] if run.data[0] else []
