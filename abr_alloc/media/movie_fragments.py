"""Movie fragments of a video track: read as coded frames with their places, and written for another timeline.

A GOP is a movie fragment. Its frames are told by their order alone, the one in which they are decoded and the one in
which they are shown: at a constant rate, all times follow from that.
"""

from __future__ import annotations

import copy
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from abr_alloc.media.boxes import Box, box_heads, parse_boxes, write_boxes

__all__ = ["FragmentedTrack", "Gop", "fragment_bytes", "head_bytes", "read_gop", "read_track"]

# ISO/IEC 14496-12, 8.8.7, 8.8.8 and 8.8.3.1.
_BASE_OFFSET, _DESCRIPTION, _DURATION, _SIZE, _FLAGS, _BASE_IS_MOOF = 0x01, 0x02, 0x08, 0x10, 0x20, 0x20000
_DATA_OFFSET, _FIRST_FLAGS, _DURATIONS, _SIZES, _ALL_FLAGS, _OFFSETS = 0x01, 0x04, 0x100, 0x200, 0x400, 0x800
_KEY, _NO_KEY = 0x0200_0000, 0x0101_0000
"""Sample flags: depends on no other; depends on others, and is no sync sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gop:
    """Coded frames of a movie fragment. N frames, in decoding order."""

    shown: tuple[int, ...]
    """For each its place in the order in which they are shown, from 0 (N,)."""
    sizes: tuple[int, ...]
    """Bytes of each (N,)."""
    at: int
    """Where they lie in their file, one behind the other."""

    @property
    def num_frames(self) -> int:
        return len(self.sizes)

    @property
    def delay_frames(self) -> int:
        """How many frames decoding has to be ahead of showing."""
        return max(decoded - shown for decoded, shown in enumerate(self.shown))


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentedTrack:
    """A video track in an MP4 file of its own."""

    path: Path
    """The file."""
    moov: Box
    """The head of its movie."""
    timescale: int
    """Ticks per second."""
    frame_ticks: int
    """Ticks of a frame."""
    gops: tuple[Gop, ...]
    """Its movie fragments; shown one behind the other from time 0 on."""

    @property
    def num_frames(self) -> int:
        return sum(gop.num_frames for gop in self.gops)

    @property
    def delay_frames(self) -> int:
        """How many frames decoding has to be ahead of showing."""
        return max(gop.delay_frames for gop in self.gops)


def read_track(path: Path, fps: Fraction) -> FragmentedTrack:
    """Read heads of the movie fragments of a file, whose frames come at a constant rate from time 0 on.

    Raises:
        ValueError: it is no such file: a fragment's frames are not shown right behind those before it, or not at the
            rate; says what is wrong.
    """
    with path.open("rb") as file:
        moov = Box(kind=b"file")
        fragments: list[tuple[Box, int]] = []  # with the place of its frames
        for kind, at, size in box_heads(file):
            if kind == b"mdat" and len(fragments) and fragments[-1][1] < 0:
                fragments[-1] = fragments[-1][0], at
            elif kind == b"moof":
                fragments.append((Box(kind=kind, boxes=parse_boxes(_read(file, at, size))), -1))
            elif kind == b"moov":
                moov = Box(kind=kind, boxes=parse_boxes(_read(file, at, size)))
    track = moov.find(b"trak")
    media_header = track.find(b"mdia", b"mdhd").data
    timescale = int.from_bytes(media_header[20:24] if media_header[0] == 1 else media_header[12:16], "big")
    ticks = timescale / fps
    if ticks.denominator != 1:
        raise ValueError(f"its clock of {timescale} Hz does not count frames of {fps} frames/s")
    start, gops, num_frames = _edit_start(track), [], 0
    for box, at in fragments:
        gop = _gop(box.find(b"traf"), at, start + num_frames * ticks.numerator, ticks.numerator)
        gops.append(gop)
        num_frames += gop.num_frames
    if not gops:
        raise ValueError("it has no movie fragment")
    return FragmentedTrack(path=path, moov=moov, timescale=timescale, frame_ticks=ticks.numerator, gops=tuple(gops))


def read_gop(file: BinaryIO, gop: Gop) -> list[bytes]:
    """Its coded frames, in decoding order, from the file of its track."""
    file.seek(gop.at)
    return [file.read(size) for size in gop.sizes]


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)


def _edit_start(track: Box) -> int:
    """Where the track's media begins to be shown, ticks: its edit list's."""
    edits = next((box.find(b"elst").data for box in track.boxes if box.kind == b"edts"), b"")
    if not edits:
        return 0
    version, count = edits[0], int.from_bytes(edits[4:8], "big")
    size, at = (20, 16) if version == 1 else (12, 12)
    if count != 1:
        raise ValueError(f"its edit list has {count} entries, not 1")
    return int.from_bytes(edits[at : at + size // 2 - 2], "big", signed=True)


def _gop(traf: Box, at: int, start: int, ticks: int) -> Gop:
    """A fragment's frames; `start` is when its first may be shown, in ticks of the media's timeline."""
    header, clock, runs = traf.find(b"tfhd").data, traf.find(b"tfdt").data, [b for b in traf.boxes if b.kind == b"trun"]
    flags = int.from_bytes(header[1:4], "big")
    defaults = list(struct.unpack(f">{(len(header) - 8) // 4}I", header[8:]))
    if flags & _BASE_OFFSET:
        del defaults[:2]
    if flags & _DESCRIPTION:
        del defaults[0]
    duration = defaults.pop(0) if flags & _DURATION else ticks
    default_size = defaults.pop(0) if flags & _SIZE else 0
    if len(runs) != 1 or at < 0:
        raise ValueError(f"a movie fragment has {len(runs)} runs of frames, not 1 with its media data")
    decoded = int.from_bytes(clock[4:12] if clock[0] == 1 else clock[4:8], "big")
    sizes, shown = [], []
    for sample_duration, size, offset in _samples(runs[0].data, duration, default_size):
        sizes.append(size)
        place = Fraction(decoded + offset - start, ticks)
        if place.denominator != 1:
            raise ValueError(f"a frame is shown {float(place):.3f} frames into its GOP, at no constant rate")
        shown.append(place.numerator)
        decoded += sample_duration
    if sorted(shown) != list(range(len(shown))):
        raise ValueError(f"the frames of a GOP are shown at {sorted(shown)[:3]}... and not at 0, 1, 2... of it")
    return Gop(shown=tuple(shown), sizes=tuple(sizes), at=at)


def _samples(run: bytes, duration: int, default_size: int) -> list[tuple[int, int, int]]:
    """Duration in ticks, bytes and composition offset in ticks, of every frame of a `trun` box."""
    flags, count = int.from_bytes(run[1:4], "big"), int.from_bytes(run[4:8], "big")
    at = 8 + sum(4 for bit in (_DATA_OFFSET, _FIRST_FLAGS) if flags & bit)
    fields = [bit for bit in (_DURATIONS, _SIZES, _ALL_FLAGS, _OFFSETS) if flags & bit]
    form = struct.Struct(">" + "".join("i" if bit == _OFFSETS and run[0] else "I" for bit in fields))
    samples = []
    for index in range(count):
        values = dict(zip(fields, form.unpack_from(run, at + index * form.size), strict=True))
        size = values.get(_SIZES, default_size)
        samples.append((values.get(_DURATIONS, duration), size, values.get(_OFFSETS, 0)))
    return samples


def head_bytes(moov: Box, entry: Box, delay_ticks: int | None) -> bytes:
    """An initialisation segment.

    Args:
        moov: the head of a movie with one track, from which everything else is taken.
        entry: the track's sample entry.
        delay_ticks: what decoding is ahead of showing, for the track's edit list; None for no edit list.
    """
    moov = copy.deepcopy(moov)
    moov.boxes = [box for box in moov.boxes if box.kind != b"udta"]  # who wrote it
    track = moov.find(b"trak")
    track.find(b"mdia", b"minf", b"stbl", b"stsd").boxes = [entry]
    track.boxes = [box for box in track.boxes if box.kind != b"edts"]
    if delay_ticks is not None:
        edit = struct.pack(">IIIiI", 0, 1, 0, delay_ticks, 0x0001_0000)  # to the end, at the usual speed
        track.boxes.insert(1, Box(kind=b"edts", boxes=[Box(kind=b"elst", data=edit)]))
    brands = b"iso5iso6mp41cmfc" + (b"cmf2" if delay_ticks is None else b"")  # ISO/IEC 23000-19, 7.3.2.3
    brands += b"av01" if entry.kind == b"av01" else b""
    return write_boxes([Box(kind=b"ftyp", data=b"iso5\0\0\2\0" + brands), moov])


def fragment_bytes(
    frames: Sequence[bytes], shown: Sequence[int], *, number: int, first_frame: int, frame_ticks: int, delay_frames: int
) -> bytes:
    """A movie fragment of one GOP.

    Args:
        frames: coded frames in decoding order, the first of them a key frame (N,).
        shown: for each its place in the order in which they are shown (N,).
        number: of the fragment in its stream, from 1.
        first_frame: frames of the stream before it.
        frame_ticks: ticks of a frame.
        delay_frames: by how many frames the stream's edit list puts its pictures earlier; offsets of the frames are
            below 0 where it is less than decoding is ahead of showing.
    """
    offsets = [(delay_frames + place - index) * frame_ticks for index, place in enumerate(shown)]
    version = 1 if min(offsets) < 0 else 0
    flags = _DATA_OFFSET | _FIRST_FLAGS | _SIZES | (_OFFSETS if any(offsets) else 0)
    table = b"".join(
        struct.pack(">Ii" if any(offsets) else ">I", len(frame), *([offset] if any(offsets) else []))
        for frame, offset in zip(frames, offsets, strict=True)
    )
    run = Box(kind=b"trun", data=bytes(16) + table)
    # Of track 1, described by its sample entry 1.
    header = struct.pack(">IIIII", _BASE_IS_MOOF | _DESCRIPTION | _DURATION | _FLAGS, 1, 1, frame_ticks, _NO_KEY)
    clock = struct.pack(">IQ", 0x0100_0000, first_frame * frame_ticks)
    track = [Box(kind=b"tfhd", data=header), Box(kind=b"tfdt", data=clock), run]
    counted = Box(kind=b"mfhd", data=struct.pack(">II", 0, number))
    moof = Box(kind=b"moof", boxes=[counted, Box(kind=b"traf", boxes=track)])
    data_offset = len(write_boxes([moof])) + 8
    run.data = struct.pack(">IIII", version << 24 | flags, len(frames), data_offset, _KEY) + table
    return write_boxes([moof, Box(kind=b"mdat", data=b"".join(frames))])
