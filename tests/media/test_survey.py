"""What changes on the way is told before anything is encoded, with when it happens."""

from __future__ import annotations

import re

import numpy as np
import pytest

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.probe import probe
from abr_alloc.media.scenes import scan_source

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
MPEG2 = ("-c:v", "mpeg2video", "-q:v", "3")
TONE = "lavfi:sine=r=48000:d=3"


def picture(size: str = "192x144", rate: int = 25) -> str:
    return f"lavfi:testsrc2=size={size}:rate={rate}:duration=3"


# Name -> two parts of three seconds, and what is said.
CHANGES = {
    "size": ((picture(), *X264), (picture("96x72"), *X264), r"the size from 192x144 to 96x72 at (2\.9\d|3\.\d+) s"),
    "aspect-h264": (
        (picture(), *X264, "-vf", "setsar=1"),
        (picture(), *X264, "-vf", "setsar=4/3"),
        r"the shape of its pixels from 1:1 to 4:3 at (2\.9\d|3\.\d+) s",
    ),
    "aspect-mpeg2": (
        (picture(), *MPEG2, "-vf", "setdar=4/3"),
        (picture(), *MPEG2, "-vf", "setdar=16/9"),
        r"the shape of its pixels from 1:1 to 4:3 at (2\.9|3\.)\d+ s",
    ),
    "format": (
        (picture(), *X264),
        (picture(), *X264[:-1], "yuv422p"),
        r"samples from yuv420p .*to yuv422p .*at (2\.9\d|3\.\d+) s",
    ),
    "range": (
        (picture(), *X264, "-vf", "scale=out_range=tv,setparams=range=tv"),
        (picture(), *X264[:-2], "-vf", "scale=out_range=pc,format=yuv420p,setparams=range=pc"),
        r"samples from yuv420p.* to yuvj?420p.* at (2\.9\d|3\.\d+) s",
    ),
}


@pytest.fixture
def joined(make_media):
    """Two parts as one transport stream whose times go on, or restart."""

    def make(name, first, then, *, restart=False):
        parts = [
            make_media(f"{name}-{n}.ts", part[0], TONE, *part[1:], "-c:a", "mp2", "-output_ts_offset", offset)
            for n, (part, offset) in enumerate(((first, "0"), (then, "0" if restart else "3")))
        ]
        path = parts[0].with_name(f"{name}.ts")
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
        return path

    return make


@pytest.mark.parametrize("name", CHANGES)
def test_a_picture_that_changes_its_form_is_refused_with_what_and_when(ffmpeg, joined, tmp_path, name) -> None:
    first, then, told = CHANGES[name]
    info = probe(joined(name, first, then), ffmpeg)
    with pytest.raises(UnsupportedMediaError, match=told):
        scan_source(ffmpeg, info, tmp_path)


def test_a_clock_that_restarts_is_refused_with_when(ffmpeg, joined) -> None:
    path = joined("restart", (picture(), *X264), (picture(), *X264), restart=True)
    with pytest.raises(
        UnsupportedMediaError, match=r"at 2\.9\d s the clock of the (video|audio) goes back to 0\.\d\d s"
    ):
        probe(path, ffmpeg)


def test_interlaced_frames_are_seen_wherever_they_come_and_no_frame_is_lost(ffmpeg, joined, tmp_path) -> None:
    fields = (picture(rate=50), *MPEG2, "-vf", "interlace", "-flags", "+ilme+ildct")
    info = probe(joined("fields", (picture(), *MPEG2), fields), ffmpeg)
    assert not info.interlaced
    scan = scan_source(ffmpeg, info, tmp_path)
    assert scan.num_frames == pytest.approx(150, abs=1)  # the two parts overlap by a frame
    assert re.search(r"interlaced video is deinterlaced \(75 of 1(49|50) frames\)", "".join(scan.notes))


def test_damage_is_counted_and_much_of_it_refused(ffmpeg, joined, make_media, tmp_path) -> None:
    path = make_media("whole.ts", picture(), TONE, *X264, "-c:a", "mp2")
    data = bytearray(path.read_bytes())
    num, noise = len(data) // 188, np.random.default_rng(0)

    def damage(name: str, first: int, last: int):
        broken = bytearray(data)
        for packet in range(first, last):
            broken[packet * 188 + 20 : packet * 188 + 180] = noise.bytes(160)
        copy = path.with_name(name)
        copy.write_bytes(broken)
        return copy

    scan = scan_source(ffmpeg, probe(damage("some.ts", num // 2, num // 2 + 20), ffmpeg), tmp_path)
    assert "decoding errors" in "".join(scan.notes)
    with pytest.raises(UnsupportedMediaError, match=r"decoding errors in|can be decoded"):
        scan_source(ffmpeg, probe(damage("most.ts", num // 2, num), ffmpeg), tmp_path)
    assert scan_source(ffmpeg, probe(path, ffmpeg), tmp_path).notes == ()
