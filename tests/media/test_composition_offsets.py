"""Times of frames that are decoded later than they are shown, exact where libav's are not."""

from __future__ import annotations

import struct
from fractions import Fraction

import pytest

from abr_alloc.media.bitstream import read_fragment
from abr_alloc.media.boxes import Box, write_boxes
from abr_alloc.media.cmaf import package, read_segments
from abr_alloc.media.composition_offsets import without_negative_offsets


def fragment(*offsets: int | None, tfdt: int = 1000) -> bytes:
    """A movie fragment of frames of these composition offsets; one of None alone has none."""
    given = offsets != (None,)
    table = b"".join(struct.pack(">Ii" if given else ">I", 1, *([offset] if given else [])) for offset in offsets)
    flags = 0x201 | (0x800 if given else 0)
    run = Box(kind=b"trun", data=struct.pack(">III", 0x0100_0000 | flags, len(offsets), 0) + table)
    clock = Box(kind=b"tfdt", data=struct.pack(">IQ", 0x0100_0000, tfdt))
    track = Box(kind=b"traf", boxes=[Box(kind=b"tfhd", data=struct.pack(">II", 0, 1)), clock, run])
    return write_boxes([Box(kind=b"moof", boxes=[track]), Box(kind=b"mdat", data=bytes(len(offsets)))])


def test_all_frames_come_as_much_later_as_the_earliest_came_early():
    data, late = without_negative_offsets(fragment(0, 512, -256) + fragment(256, -512))
    assert (data, late) == (fragment(512, 1024, 256) + fragment(768, 0), 512)


def test_where_frames_have_no_offsets_their_clock_moves():
    data, late = without_negative_offsets(fragment(0, -512) + fragment(None))
    assert (data, late) == (fragment(512, 0) + fragment(None, tfdt=1512), 512)


@pytest.mark.parametrize("data", [fragment(0, 512), fragment(None), b"", b"no boxes at all", fragment(-1)[:40]])
def test_what_has_none_stays_as_it_is(data):
    assert without_negative_offsets(data) == (data, 0)


def test_a_segment_with_an_edit_list_or_with_negative_offsets_has_the_same_times(ffmpeg, make_media, tmp_path):
    """The same frames, once shown early by an edit list and once by offsets of which the edit list's part is taken."""
    encode = make_media(
        "frames.mp4",
        "lavfi:testsrc2=size=64x48:rate=24:duration=2",
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "24", "-pix_fmt", "yuv420p"),
    )
    package(ffmpeg, encode, Fraction(1), tmp_path)
    init = (tmp_path / "init.mp4").read_bytes()
    at = init.index(b"elst") + 16
    (delay,) = struct.unpack_from(">i", init, at)
    assert delay > 0
    plain = init[:at] + bytes(4) + init[at + 4 :]
    for path, shown in zip(sorted(tmp_path.glob("*.m4s")), read_segments(tmp_path), strict=True):
        data = bytearray(path.read_bytes())
        run = data.index(b"trun") + 4
        flags, count, _ = struct.unpack_from(">III", data, run)
        step = 4 * sum(bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800))
        first = run + 12 + (4 if flags & 4 else 0)
        data[run] = 1
        for place in range(first + step - 4, first + step * count, step):
            struct.pack_into(">i", data, place, struct.unpack_from(">i", data, place)[0] - delay)
        found = read_fragment(bytes(data), plain)
        assert (found.start, found.end, found.idr) == (shown.start, shown.end, shown.idr)
