"""From segments to one file that decodes to the same frames.

Segments of one run are joined byte for byte: fragmented MP4 as its initialisation segment and movie fragments,
transport streams and WebM clusters as they are, bare audio frames without the ID3 tag that tells each segment's time.
Where parts meet (discontinuities, Periods) the clock may go on, and the same holds, even if pictures are of another
size from there on, as long as segments say so themselves; or it starts anew, and then `media.remux` joins parts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import IO

from abr_alloc.disk import disk_errors, scratch_folder
from abr_alloc.errors import PackageError, UnsupportedMediaError
from abr_alloc.media.boxes import parse_boxes
from abr_alloc.media.remux import PartClock, join_parts, read_clock
from abr_alloc.media.sample_entries import entry_of
from abr_alloc.packages.extents import Extent, Segment, copied

__all__ = ["write_stream"]

_IN_BAND = (b"avc3", b"hev1", b"av01", b"vp09")

_MOST_HEAD_BYTES = 16 << 20  # of a movie fragment


def write_stream(where: str, container: str, segments: Sequence[Segment], whole: Extent | None, path: Path) -> None:
    """Write a stream as one file; see `PackagedStream.write`.

    Raises:
        PackageError: a file is not there any more, or parts cannot be joined exactly.
        OutputError: the disk takes no more.
    """
    parts = _parts(segments)
    with disk_errors(path.parent):
        if whole is not None:
            with path.open("wb") as output:
                output.writelines(copied(whole))
        elif len(parts) == 1:
            _concatenate(where, container, segments, path)
        else:
            _join(where, container, parts, path)


def _join(where: str, container: str, parts: Sequence[Sequence[Segment]], path: Path) -> None:
    """Write parts that a discontinuity or a Period tells apart.

    Raises:
        PackageError: they cannot be joined exactly.
    """
    with scratch_folder() as folder:
        files = [folder / f"{number}.part" for number in range(len(parts))]
        for part, file in zip(parts, files, strict=True):
            _concatenate(where, container, part, file)
        try:
            clocks = [read_clock(file) for file in files]
            one_init = len({part[0].init for part in parts}) == 1
            in_band = container == "mp4" and all(_in_band(part[0].init) for part in parts)
            if (one_init or in_band) and all(
                _goes_on(before, after, in_band=in_band) for before, after in itertools.pairwise(clocks)
            ):
                _concatenate(where, container, [segment for part in parts for segment in part], path)
            else:
                join_parts(files, _shifts(where, container, clocks), container, path)
        except UnsupportedMediaError as error:
            raise PackageError(f"{where}: its parts cannot be joined: {error}", path=where) from error


def _parts(segments: Sequence[Segment]) -> list[list[Segment]]:
    parts: list[list[Segment]] = []
    for segment in segments:
        if not parts or segment.begins_part:
            parts.append([])
        parts[-1].append(segment)
    return parts


def _goes_on(before: tuple[PartClock, ...], after: tuple[PartClock, ...], *, in_band: bool) -> bool:
    """Whether the clock of every stream runs through a seam, to within half a frame, with nothing but what is told
    in-band set up anew."""
    if in_band:
        alike = [clock.codec for clock in before] == [clock.codec for clock in after]
    else:
        alike = [clock.setup for clock in before] == [clock.setup for clock in after]
    return alike and all(
        abs(b.start_s - a.end_s) < a.frame_s / 2 or abs(b.decodes_from_s - a.decodes_to_s) < a.frame_s / 2
        for a, b in zip(before, after, strict=True)
    )


def _in_band(init: Extent | None) -> bool:
    """Whether segments hold the parameter sets that an initialisation segment of video tells, by its sample entry
    (ISO/IEC 14496-15, 5.3.4 and 8.3.3; key frames of AV1 and VP9 always do)."""
    try:
        heads = [] if init is None else [box for box in parse_boxes(init.read()) if box.kind == b"moov"]
        return bool(heads) and entry_of(heads[0]).kind in _IN_BAND
    except ValueError:
        return False


def _shifts(where: str, container: str, clocks: Sequence[tuple[PartClock, ...]]) -> list[Fraction]:
    """What to add to the times of every part, seconds.

    Raises:
        PackageError: they cannot be joined exactly.
    """
    reason = ""
    if any(len(found) != 1 for found in clocks):
        reason = "its clock starts anew there, and where video and audio are muxed a gap or an overlap would remain"
    elif len({found[0].setup for found in clocks}) > 1:
        reason = "the codec's configuration, the size or the clock's rate changes there"
    elif any(found[0].has_lead_in for found in clocks[1:]):
        reason = "a part of audio begins there with samples that only prepare its decoder"
    elif container == "packed":
        reason = "its frames carry no times"
    if reason:
        raise PackageError(
            f"{where}: cannot be joined exactly at a discontinuity or Period: {reason}; give the parts one by one",
            path=where,
        )
    shifts = [Fraction(0)]
    for (before,), (after,) in itertools.pairwise(clocks):
        shifts.append(shifts[-1] + before.end_s - after.start_s)
    return shifts


def _concatenate(where: str, container: str, segments: Sequence[Segment], path: Path) -> None:
    with path.open("wb") as output:
        init = segments[0].init
        if init is not None:
            output.writelines(copied(init))
        for segment in segments:
            if container == "mp4":
                _copy_fragments(where, segment.media, output)
            else:
                output.writelines(_without_id3(segment.media) if container == "packed" else copied(segment.media))


def _without_id3(extent: Extent) -> Iterator[bytes]:
    """Bare audio frames; an ID3 tag before them tells the segment's time (RFC 8216, 3.4)."""
    head = extent.read(10)
    if head[:3] != b"ID3":
        return copied(extent)
    size = 10 + sum((byte & 0x7F) << 7 * (3 - at) for at, byte in enumerate(head[6:10]))  # ID3v2: 7 bits a byte
    if size >= extent.size_bytes:
        return iter(())
    return copied(replace(extent, offset_bytes=extent.offset_bytes + size, size_bytes=extent.size_bytes - size))


def _copy_fragments(where: str, extent: Extent, output: IO[bytes]) -> None:
    """The movie fragments of a segment (ISO/IEC 14496-12, 4.2 and 8.8)."""
    at, left, found = extent.offset_bytes, extent.size_bytes, False
    while left:
        head = replace(extent, offset_bytes=at, size_bytes=left).read(16)
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        size = int.from_bytes(head[8:16], "big") if size == 1 else size or left
        if len(head) < 8 or not 8 <= size <= left or (kind == b"moof" and size > _MOST_HEAD_BYTES):
            raise PackageError(
                f"{where}: {extent.path} holds no whole box of MP4 at byte {at}; is the package whole?", path=where
            )
        box = replace(extent, offset_bytes=at, size_bytes=size)
        if kind == b"moof":
            output.write(_moved(box.read(), output.tell() - at))
            found = True
        elif kind == b"mdat":  # other boxes tell of the segment's place in its stream
            output.writelines(copied(box))
        at, left = at + size, left - size
    if not found:
        raise PackageError(
            f"{where}: {extent.path} holds no movie fragment; package it again as fragmented MP4", path=where
        )


def _moved(moof: bytes, by: int) -> bytes:
    """A movie fragment's head, for another place in a file: some tell their data's place from the file's beginning."""
    moved, at = bytearray(moof), 8
    while at + 8 <= len(moof):
        size, kind = int.from_bytes(moof[at : at + 4], "big"), moof[at + 4 : at + 8]
        if size < 8:
            break
        if kind == b"traf":
            at += 8  # step into it
            continue
        if kind == b"tfhd" and moof[at + 11] & 1 and at + 24 <= len(moof):  # base-data-offset-present
            offset = int.from_bytes(moof[at + 16 : at + 24], "big") + by
            moved[at + 16 : at + 24] = (offset % (1 << 64)).to_bytes(8, "big")
        at += size
    return bytes(moved)
