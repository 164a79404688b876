"""Movie fragments and boxes: what is written is read again, on clocks of 64 bits, and damage is told."""

from __future__ import annotations

import io
import struct
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.media.boxes import Box, box_heads, parse_boxes, write_boxes
from abr_alloc.media.movie_fragments import fragment_bytes, head_bytes, read_gop, read_track
from abr_alloc.media.sample_entries import cut_notes, in_band_entry, level_of, same_samples, with_parameter_sets

FPS, TICKS = Fraction(24000, 1001), 1001
AVCC = bytes([1, 0x64, 0, 30, 0xFF, 0xE1, 0, 3]) + b"\x67SP" + bytes([1, 0, 2]) + b"\x68P"
ENTRY = Box(
    kind=b"avc1",
    data=bytes(24) + struct.pack(">HH", 96, 64) + bytes(50),
    boxes=[Box(kind=b"avcC", data=AVCC), Box(kind=b"pasp", data=struct.pack(">II", 1, 1))],
)


def moov() -> Box:
    table = Box(kind=b"stbl", boxes=[Box(kind=b"stsd", data=struct.pack(">II", 0, 1), boxes=[])])
    clock = Box(kind=b"mdhd", data=struct.pack(">IIIIII", 0, 0, 0, 24000, 0, 0))
    media = Box(kind=b"mdia", boxes=[clock, Box(kind=b"minf", boxes=[table])])
    return Box(kind=b"moov", boxes=[Box(kind=b"trak", boxes=[Box(kind=b"tkhd", data=bytes(84)), media])])


@settings(deadline=None, max_examples=40)
@given(
    gops=st.lists(st.integers(1, 6).flatmap(lambda n: st.permutations(range(n))), min_size=1, max_size=4),
    signed=st.booleans(),
)
def test_what_is_written_is_read_again(tmp_path_factory, gops, signed):
    path = tmp_path_factory.mktemp("fragments") / "track.mp4"
    delay = max(index - place for gop in gops for index, place in enumerate(gop))
    head = head_bytes(moov(), ENTRY, None if signed else delay * TICKS)
    frames = [[bytes([place]) * (place + 1) for place in gop] for gop in gops]
    parts, at = [head], 0
    for number, (gop, coded) in enumerate(zip(gops, frames, strict=True), start=1):
        how = {"number": number, "first_frame": at, "frame_ticks": TICKS, "delay_frames": 0 if signed else delay}
        parts.append(fragment_bytes(coded, gop, **how))
        at += len(gop)
    path.write_bytes(b"".join(parts))
    track = read_track(path, FPS)
    assert [gop.shown for gop in track.gops] == [tuple(gop) for gop in gops]
    assert (track.num_frames, track.delay_frames, track.frame_ticks) == (at, delay, TICKS)
    with path.open("rb") as file:
        assert [read_gop(file, gop) for gop in track.gops] == frames


def test_a_clock_of_weeks_takes_more_than_32_bits(tmp_path):
    first = 2**40
    written = fragment_bytes([b"key"], [0], number=7, first_frame=first, frame_ticks=TICKS, delay_frames=0)
    moof = parse_boxes(written)[0]
    assert moof.find(b"traf", b"tfdt").data == b"\1\0\0\0" + (first * TICKS).to_bytes(8, "big")
    assert moof.find(b"mfhd").data == struct.pack(">II", 0, 7)
    run = moof.find(b"traf", b"trun").data
    assert struct.unpack(">III", run[4:16])[1] == written.index(b"key")


@pytest.mark.parametrize(
    ("shown", "first_frame", "why"),
    [
        ([0, 2], 0, r"the frames of a GOP are shown at \[0, 2\]... and not at 0, 1, 2... of it"),
        ([0, 0], 0, r"the frames of a GOP are shown at \[0, 0\]"),
        ([0, 1], 1, r"the frames of a GOP are shown at \[1, 2\]"),
    ],
)
def test_frames_that_do_not_follow_one_another_are_refused(tmp_path, shown, first_frame, why):
    path = tmp_path / "track.mp4"
    part = fragment_bytes([b"a", b"b"], shown, number=1, first_frame=first_frame, frame_ticks=TICKS, delay_frames=0)
    path.write_bytes(head_bytes(moov(), ENTRY, None) + part)
    with pytest.raises(ValueError, match=why):
        read_track(path, FPS)


def test_another_frame_rate_is_refused(tmp_path):
    path = tmp_path / "track.mp4"
    part = fragment_bytes([b"a", b"b"], [0, 1], number=1, first_frame=0, frame_ticks=TICKS, delay_frames=0)
    path.write_bytes(head_bytes(moov(), ENTRY, None) + part)
    with pytest.raises(ValueError, match=r"a frame is shown 1\.001 frames into its GOP"):
        read_track(path, Fraction(24))
    with pytest.raises(ValueError, match="its clock of 24000 Hz does not count frames of 637 frames/s"):
        read_track(path, Fraction(637))


def test_boxes_of_64_bit_sizes_are_read_and_damage_is_told():
    large = struct.pack(">I4sQ", 1, b"free", 20) + b"abcd"
    assert parse_boxes(large + write_boxes([ENTRY])) == [Box(kind=b"free", data=b"abcd"), ENTRY]
    assert list(box_heads(io.BytesIO(large))) == [(b"free", 16, 4)]
    for damaged in (large[:-1], b"\0\0\0\7free", b"\0\0\0", b"\0\0\0\0mdat"):
        with pytest.raises(ValueError, match=r"a box|within a box"):
            parse_boxes(damaged)
        with pytest.raises(ValueError, match="within a box"):
            list(box_heads(io.BytesIO(damaged)))


def nal(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def test_parameter_sets_go_behind_the_delimiter_and_before_the_picture():
    picture, delimiter = b"\x65picture", b"\x09\xf0"
    sets = (b"\x67SP", b"\x68P")
    assert with_parameter_sets(nal(picture), ENTRY) == nal(*sets, picture)
    assert with_parameter_sets(nal(delimiter, picture), ENTRY) == nal(delimiter, *sets, picture)
    own, others = b"\x06\x05\x10note", b"\x06\x89mastering display"
    assert cut_notes(nal(own, others, picture), ENTRY) == nal(others, picture)
    assert cut_notes(nal(others, picture), ENTRY) == nal(others, picture)


def test_entries_change_size_and_sets_but_no_samples_and_hvcc_says_that_others_come():
    hevc = bytearray(23)
    hevc[:23] = bytes([1, 1]) + bytes(10) + bytes([93]) + bytes(8) + bytes([0x0F, 2])
    arrays = bytes([0xA0, 0, 1, 0, 1]) + b"v" + bytes([0xA1, 0, 1, 0, 1]) + b"s"
    entry = Box(kind=b"hvc1", data=ENTRY.data, boxes=[Box(kind=b"hvcC", data=bytes(hevc) + arrays)])
    changed = in_band_entry(entry, serves_all=False)
    assert (changed.kind, level_of(entry)) == (b"hev1", 93)
    assert changed.find(b"hvcC").data == bytes(hevc) + bytes([0x20]) + arrays[1:6] + bytes([0x21]) + arrays[7:]
    deep = bytearray(hevc)
    deep[17] = 2  # 10 bits
    other = Box(kind=b"hvc1", data=bytes(78), boxes=[Box(kind=b"hvcC", data=bytes(deep) + arrays)])
    smaller = Box(kind=b"hvc1", data=bytes(78), boxes=entry.boxes)
    assert same_samples(entry, smaller) and not same_samples(entry, other) and not same_samples(entry, ENTRY)
    unknown = Box(kind=b"vvc1", data=bytes(78), boxes=[Box(kind=b"vvcC", data=bytes(9))])
    with pytest.raises(ValueError, match="vvc1 cannot change its parameter sets on the way"):
        in_band_entry(unknown, serves_all=False)
