"""What is read of a segment is what other readers find in it, and what is no segment is refused."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.bitstream import read_fragment
from abr_alloc.media.cmaf import package, read_segments
from abr_alloc.media.codecs_parameters import most_demanding, without_level
from abr_alloc.media.programs import find_program
from abr_alloc.media.segments import INIT_NAME

PICTURE = "lavfi:testsrc2=size=96x64:rate=25:duration=3"
TONE = "lavfi:sine=f=500:r=48000:d=3"
STEREO = ("-ac", "2")
X265 = ("-preset", "ultrafast", "-x265-params", "keyint=50:min-keyint=50:open-gop=0:log-level=error", "-tag:v", "hvc1")
ENCODES = {
    "h264 high": (PICTURE, "-c:v", "libx264", "-profile:v", "high", "-g", "50", "-pix_fmt", "yuv420p"),
    "h264 baseline": (PICTURE, "-c:v", "libx264", "-profile:v", "baseline", "-g", "50", "-pix_fmt", "yuv420p"),
    "hevc": (PICTURE, "-c:v", "libx265", *X265, "-pix_fmt", "yuv420p"),
    "hevc 10": (PICTURE, "-c:v", "libx265", *X265, "-pix_fmt", "yuv420p10le"),
    "av1": (PICTURE, "-c:v", "libsvtav1", "-preset", "12", "-g", "50", "-pix_fmt", "yuv420p"),
    "av1 10": (PICTURE, "-c:v", "libsvtav1", "-preset", "12", "-g", "50", "-pix_fmt", "yuv420p10le"),
    "aac": (TONE, *STEREO, "-c:a", "aac", "-b:a", "64k"),
    "opus": (TONE, *STEREO, "-c:a", "libopus", "-b:a", "64k"),
    "ac3": (TONE, *STEREO, "-c:a", "ac3", "-b:a", "96k"),
    "eac3": (TONE, *STEREO, "-c:a", "eac3", "-b:a", "96k"),
    "flac": (TONE, *STEREO, "-c:a", "flac"),
}


@pytest.fixture(scope="module")
def cut(ffmpeg, make_media, tmp_path_factory):
    """The segments of an encode: `cut(name)`."""

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp("cut")
        package(ffmpeg, make_media(f"{name.replace(' ', '-')}.mp4", *ENCODES[name]), Fraction(2), folder)
        return folder

    return make


@pytest.mark.parametrize("name", [name for name in ENCODES if "hevc" not in name])  # of HEVC it says nothing
def test_codecs_are_what_ffmpegs_own_manifest_says(name, cut, ffmpeg, make_media, tmp_path):
    encode = make_media(f"{name.replace(' ', '-')}.mp4", *ENCODES[name])
    ffmpeg.run(["-i", encode, "-c", "copy", "-f", "dash", "manifest.mpd"], cwd=tmp_path)
    (expected,) = re.findall(r'codecs="([^"]+)"', (tmp_path / "manifest.mpd").read_text())
    if name == "flac":  # of which it writes its own name, and not that of the sample entry (FLAC in ISOBMFF, 3.3.2)
        expected = "fLaC"
    assert {fragment.codecs for fragment in read_segments(cut(name))} == {expected}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("h264 high", r"avc1\.6400[0-9a-f]{2}"),
        ("h264 baseline", r"avc1\.42c0[0-9a-f]{2}"),
        ("hevc", r"hvc1\.1\.6\.L30\.90"),
        ("hevc 10", r"hvc1\.2\.4\.L30\.90"),
        ("av1", r"av01\.0\.00M\.08"),
        ("av1 10", r"av01\.0\.00M\.10"),
        ("aac", r"mp4a\.40\.2"),
        ("opus", "opus"),
        ("ac3", "ac-3"),
        ("eac3", "ec-3"),
        ("flac", "fLaC"),
    ],
)
def test_codecs_are_those_of_the_standards(name, expected, cut):
    assert re.fullmatch(expected, read_segments(cut(name))[0].codecs)


@pytest.mark.parametrize(("profile", "expected"), [("5", "mp4a.40.5"), ("29", "mp4a.40.29")])
def test_he_aac_is_told_from_plain_aac(profile, expected, ffmpeg, make_media, tmp_path):
    fdkaac = find_program("fdkaac")
    if fdkaac is None:
        pytest.skip("HE-AAC needs the fdkaac program")
    from abr_alloc.media.programs import run_program

    encode = tmp_path / "he.m4a"
    wave = make_media("tone.wav", TONE, *STEREO)
    run_program([fdkaac, "-S", "-p", profile, "-b", "32000", "-o", encode, wave])
    (folder := tmp_path / "cut").mkdir()
    package(ffmpeg, encode, Fraction(2), folder)
    first = read_segments(folder)[0]
    assert (first.codecs, first.channels, first.sample_rate_hz) == (expected, 2, 48000)


@pytest.mark.parametrize("name", ["h264 high", "hevc", "av1", "aac", "opus", "ac3", "flac"])
def test_a_segment_is_what_the_whole_encode_is(name, cut, make_media):
    fragments = read_segments(cut(name))
    assert len(fragments) == 2
    with av.open(str(make_media(f"{name.replace(' ', '-')}.mp4", *ENCODES[name]))) as container:
        stream = container.streams[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert sum(fragment.num_frames for fragment in fragments) == len(packets)
        assert {fragment.kind for fragment in fragments} == {stream.type}
        if stream.type == "video":
            assert {(f.width_px, f.height_px, f.bit_depth) for f in fragments} == {(96, 64, 8)}
            assert [Fraction(f.start, f.timescale) for f in fragments] == [0, 2]
            assert sum(f.duration_s for f in fragments) == pytest.approx(3.0)
        else:
            assert {(f.channels, f.sample_rate_hz, f.width_px) for f in fragments} == {(2, 48000, 0)}


def test_a_lone_frame_of_e_ac_3_lasts_as_long_as_it_sounds(ffmpeg, make_media, tmp_path):
    """libav says no duration of it: 1536 samples, 32 ms."""
    encode = make_media("lone.mp4", "lavfi:sine=f=500:r=48000:d=2.02", *STEREO, "-c:a", "eac3", "-b:a", "96k")
    package(ffmpeg, encode, Fraction(2), tmp_path)
    last = read_segments(tmp_path)[-1]
    assert last.num_frames == 1 and Fraction(last.end - last.start, last.timescale) == Fraction(1536, 48_000)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_recovery_point_is_a_key_frame_but_no_idr_picture(codec, ffmpeg, make_media, tmp_path):
    """Of an open group of pictures, frames shown before its key frame lean on the group before."""
    flags = {
        "libx264": ("-x264-params", "open-gop=1:keyint=25:min-keyint=25:scenecut=0:bframes=3"),
        "libx265": ("-x265-params", "open-gop=1:keyint=25:min-keyint=25:scenecut=0:bframes=3:log-level=error"),
    }
    encode = make_media(f"open-{codec}.mp4", PICTURE, "-c:v", codec, *flags[codec], "-pix_fmt", "yuv420p")
    package(ffmpeg, encode, Fraction(1), tmp_path)
    first, *others = read_segments(tmp_path)
    assert first.starts_with_idr
    assert others
    assert not any(fragment.starts_with_idr or fragment.idr for fragment in others)


def test_a_transport_stream_says_the_same_as_fragmented_mp4(ffmpeg, cut, make_media, tmp_path):
    ffmpeg.run(["-i", make_media("h264-high.mp4", *ENCODES["h264 high"]), "-c", "copy", tmp_path / "all.ts"])
    found = read_fragment((tmp_path / "all.ts").read_bytes())
    mp4 = read_segments(cut("h264 high"))
    assert (found.codecs, found.width_px, found.num_frames) == (mp4[0].codecs, 96, 75)
    assert [(tick - found.start) / found.timescale for tick in found.idr] == [0.0, 2.0]
    assert found.starts_with_idr


# What cannot be read.


def test_a_segment_needs_its_own_initialisation_segment(cut):
    folder = cut("h264 high")
    with pytest.raises(UnsupportedMediaError, match="2nd"):
        read_fragment((folder / "00001.m4s").read_bytes(), name="2nd")


@pytest.mark.parametrize("data", [b"", b"\0" * 500, b"#EXTM3U\n", b"\xff" * 188 * 3], ids=["none", "0", "text", "1"])
def test_what_is_no_media_is_refused_by_name(data):
    with pytest.raises(UnsupportedMediaError, match=r"^seg\.m4s (cannot be read|holds no frame)"):
        read_fragment(data, name="seg.m4s")


@pytest.mark.parametrize("name", ["h264 high", "hevc", "av1", "aac"])
def test_damage_of_any_kind_is_read_or_refused_but_never_fails_otherwise(name, cut):
    folder = cut(name)
    whole, init = (folder / "00001.m4s").read_bytes(), (folder / INIT_NAME).read_bytes()

    @settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, len(init + whole)), st.binary(max_size=8), st.booleans())
    def check(at: int, noise: bytes, cut_short: bool) -> None:
        damaged = bytearray(init + whole)
        damaged[at : at + len(noise)] = noise
        del damaged[at + len(noise) if cut_short else len(damaged) :]
        try:
            read_fragment(bytes(damaged[len(init) :]), bytes(damaged[: len(init)]))
        except UnsupportedMediaError as error:
            assert "the segment" in str(error)

    check()


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("avc3.64000a", "avc3.64000c"),
        ("avc1.4d500b", "avc1.4d400c"),  # level 1b of Main is told by a constraint
        ("hev1.1.6.L63.90", "hev1.1.6.L120.90"),
        ("av01.0.04M.08", "av01.0.13M.08"),
        ("vp09.00.21.08", "vp09.00.31.08"),
        ("vvc1.1.L51", "vvc1.1.L67"),
    ],
)
def test_of_codecs_parameters_that_differ_in_level_the_highest_asks_most(lower, higher):
    assert most_demanding({lower, higher}) == higher
    assert without_level(lower)[0] == without_level(higher)[0]
    assert without_level(lower)[1] < without_level(higher)[1]


@pytest.mark.parametrize("codecs", ["mp4a.40.2", "avc1", "hvc1.1", "h264", "dvh1.05.06", ""])
def test_what_has_no_level_that_is_known_stands_for_itself(codecs):
    assert without_level(codecs) == (codecs, 0)
