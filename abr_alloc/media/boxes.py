"""Boxes of ISO base media files (ISO/IEC 14496-12, 4.2): a head taken apart, changed and put together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

__all__ = ["Box", "box_heads", "parse_boxes", "write_boxes"]

# What stands before the boxes within: a full box's version, flags and count; a visual sample entry's fields (8.5.2).
_BEFORE = {
    **dict.fromkeys((b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl", b"mvex", b"moof", b"traf"), 0),
    b"stsd": 8,
    **dict.fromkeys((b"avc1", b"avc3", b"hvc1", b"hev1", b"vvc1", b"vvi1", b"av01", b"vp09"), 78),
}


@dataclass(slots=True, kw_only=True)
class Box:
    """A box of the head of a file; to be changed in place."""

    kind: bytes
    """Its four characters."""
    data: bytes = b""
    """What it holds before the boxes within, or all that it holds."""
    boxes: list[Box] = field(default_factory=list)
    """Boxes within."""

    def find(self, *kinds: bytes) -> Box:
        """The first box along a path of kinds.

        Raises:
            ValueError: there is none.
        """
        found = self
        for kind in kinds:
            within = next((box for box in found.boxes if box.kind == kind), None)
            if within is None:
                raise ValueError(f"no box {kind.decode('latin-1')} in {found.kind.decode('latin-1')}")
            found = within
        return found


def parse_boxes(data: bytes) -> list[Box]:
    """Take bytes apart that are boxes from end to end.

    Raises:
        ValueError: they are not.
    """
    boxes, at = [], 0
    while at < len(data):
        size, kind, head = _head(data[at : at + 16])
        if size < head or at + size > len(data):
            raise ValueError(f"a box {kind.decode('latin-1')} of {size} bytes, of which {len(data) - at} are there")
        held, before = data[at + head : at + size], _BEFORE.get(kind)
        if before is None:
            boxes.append(Box(kind=kind, data=held))
        else:
            boxes.append(Box(kind=kind, data=held[:before], boxes=parse_boxes(held[before:])))
        at += size
    return boxes


def write_boxes(boxes: Sequence[Box]) -> bytes:
    """The bytes of boxes; none may reach 4 GiB."""
    written = []
    for box in boxes:
        held = box.data + write_boxes(box.boxes)
        written.append((8 + len(held)).to_bytes(4, "big") + box.kind + held)
    return b"".join(written)


def box_heads(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Kind, place of the content and its bytes, of every box of a file.

    Raises:
        ValueError: the file ends within a box.
    """
    end, at = file.seek(0, 2), 0
    while at < end:
        file.seek(at)
        size, kind, head = _head(file.read(16))
        if size < head or at + size > end:
            raise ValueError(f"it ends within a box {kind.decode('latin-1')}")
        yield kind, at + head, size - head
        at += size


def _head(data: bytes) -> tuple[int, bytes, int]:
    """Size, kind and bytes of the head of a box; of size 0 where there are too few bytes to tell."""
    size, kind = int.from_bytes(data[:4], "big"), data[4:8]
    if size == 1:
        return int.from_bytes(data[8:16], "big"), kind, 16
    return (size if len(kind) == 4 else 0), kind, 8
