"""Planned levels, against figures of the standards and against what encoders write."""

from fractions import Fraction

import pytest

from abr_alloc.errors import ExportError
from abr_alloc.exporting.codec_strings import STANDARDS, video_codec_string, video_level
from abr_alloc.media.bitstream import read_fragment

FPS = Fraction(30)


@pytest.mark.parametrize(
    ("size", "fps", "peak_kbps", "level"),
    [
        # Table A-1 with its customary uses: 1080p30 is 4, 1080p60 is 4.2, 720p30 is 3.1, 4K60 is 5.2.
        ((640, 360), 30, 1000, "3"),
        ((1280, 720), 30, 4500, "3.1"),
        ((1280, 720), 60, 4500, "3.2"),
        ((1920, 1080), 30, 8000, "4"),
        ((1920, 1080), 60, 8000, "4.2"),
        ((3840, 2160), 60, 30000, "5.2"),
        # The rate counts too: High profile takes 1.25 times MaxBR.
        ((1920, 1080), 30, 25000, "4"),
        ((1920, 1080), 30, 25001, "4.1"),
        ((1280, 720), 30, 17500, "3.1"),
        ((1280, 720), 30, 17501, "3.2"),
    ],
)
def test_h264_takes_the_smallest_level_that_holds_the_encode(size, fps, peak_kbps, level):
    assert video_level("h264", *size, Fraction(fps), peak_kbps).name == level


@pytest.mark.parametrize(
    ("codec", "size", "fps", "peak_kbps", "level"),
    [
        ("hevc", (1280, 720), 30, 5000, "3.1"),
        ("hevc", (1920, 1080), 30, 9000, "4"),
        ("hevc", (1920, 1080), 60, 12000, "4.1"),
        ("hevc", (3840, 2160), 60, 25000, "5.1"),
        ("av1", (640, 360), 30, 1500, "2.1"),
        ("av1", (1280, 720), 30, 5000, "3.1"),
        ("av1", (1920, 1080), 30, 9000, "4.0"),
        ("av1", (3840, 2160), 60, 25000, "5.1"),
    ],
)
def test_hevc_and_av1_take_the_smallest_level_that_holds_the_encode(codec, size, fps, peak_kbps, level):
    assert video_level(codec, *size, Fraction(fps), peak_kbps).name == level


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_more_of_anything_never_needs_a_lower_level(codec):
    def rank(side, fps, kbps):
        return video_level(codec, 16 * side, 9 * side, Fraction(fps), kbps).max_rate

    for side in (10, 20, 40, 80, 120):
        for fps in (10, 24, 60):
            for kbps in (100, 1000, 10000):
                here = rank(side, fps, kbps)
                assert here <= rank(2 * side, fps, kbps)
                assert here <= rank(side, 2 * fps, kbps)
                assert here <= rank(side, fps, 2 * kbps)


def test_a_buffer_alone_can_need_a_higher_level():
    assert video_level("h264", 320, 180, FPS, 900, 2000).name == "1.3"
    assert video_level("h264", 320, 180, FPS, 900, 3000).name == "2.1"


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_what_no_level_holds_is_refused_with_its_figures(codec):
    with pytest.raises(ExportError, match=rf"no level of {codec} holds 40000x20000 at 30 frames/s and 100 kbps"):
        video_level(codec, 40000, 20000, FPS, 100)


@pytest.mark.parametrize(
    ("codec", "size", "text"),
    [
        ("h264", (1280, 720), "avc1.64001f"),
        ("hevc", (1280, 720), "hvc1.1.6.L93.90"),
        ("av1", (1280, 720), "av01.0.05M.08"),
    ],
)
def test_codec_strings_are_those_that_players_know(codec, size, text):
    assert video_codec_string(codec, video_level(codec, *size, FPS, 4000)) == text


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("h264", ("-c:v", "libx264", "-preset", "fast", "-profile:v", "high")),
        ("hevc", ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-tag:v", "hvc1")),
        ("av1", ("-c:v", "libsvtav1", "-preset", "12")),
    ],
)
def test_an_encoder_left_alone_writes_the_planned_string(codec, options, make_media):
    """The level that x264, x265 and SVT-AV1 find by themselves is the planned one."""
    rate = ("-b:v", "400k") if codec == "av1" else ("-b:v", "400k", "-maxrate", "600k", "-bufsize", "800k")
    source = ("lavfi:testsrc2=size=640x360:rate=30:duration=0.5",)
    path = make_media(f"{codec}.mp4", *source, *options, *rate, "-pix_fmt", "yuv420p")
    level = video_level(codec, 640, 360, FPS, 600, 800)
    assert read_fragment(path.read_bytes()).codecs == video_codec_string(codec, level)


@pytest.mark.parametrize(
    ("codec", "name", "sdr", "pq", "hlg"),
    [
        ("hevc", "4", "hvc1.1.6.L120.90", "hvc1.2.4.L120.90", "hvc1.2.4.L120.90"),
        ("av1", "4.0", "av01.0.08M.08", "av01.0.08M.10.0.110.09.16.09.0", "av01.0.08M.10.0.110.09.18.09.0"),
        ("vp9", "4.0", "vp09.00.40.08", "vp09.02.40.10.01.09.16.09.00", "vp09.02.40.10.01.09.18.09.00"),
    ],
)
def test_hdr_has_10_bits_and_states_its_colour(codec, name, sdr, pq, hlg):
    level = next(level for level in STANDARDS[codec].levels if level.name == name)
    assert [video_codec_string(codec, level, of) for of in ("SDR", "PQ", "HLG")] == [sdr, pq, hlg]
