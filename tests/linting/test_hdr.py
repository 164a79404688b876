"""What playlists say of HDR against what the video says: by true bitstreams once, else by changing what was read."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import pytest

from abr_alloc.linting.findings import lint, lint_stream
from abr_alloc.linting.reading import read_stream
from abr_alloc.linting.stream import Stream, Track
from abr_alloc.media.bitstream import Fragment, read_fragment

PQ, HLG, SDR = "smpte2084", "arib-std-b67", "bt709"
HDR10 = {"codec": "hevc", "codecs": "hvc1.2.4.L30.90", "bit_depth": 10, "transfer": PQ, "primaries": "bt2020"}
HLG10 = {**HDR10, "transfer": HLG}
DOLBY = {**HDR10, "codecs": "dvh1.05.01", "transfer": "", "primaries": ""}
LOW, HIGH = "video/64/index.m3u8", "video/96/index.m3u8"


@pytest.fixture
def folder(make_hls, tmp_path) -> Path:
    shutil.copytree(make_hls().parent, tmp_path / "stream")
    return tmp_path / "stream"


def declare(folder: Path, low: str = "", high: str = "", i_frames: str = "") -> None:
    """Write attributes into the master playlist, for the variants and the I-frame streams; CODECS go with them."""
    lines = (folder / "master.m3u8").read_text().split("\n")
    for at, line in enumerate(lines):
        if line.startswith("#EXT-X-STREAM-INF"):
            line = add(line, low if lines[at + 1] == LOW else high)
        elif line.startswith("#EXT-X-I-FRAME"):
            line = add(line, i_frames)
        lines[at] = line
    (folder / "master.m3u8").write_text("\n".join(lines))


def add(line: str, attributes: str) -> str:
    """A tag with attributes that replace those of the same name."""
    for pair in re.findall(r'[A-Z-]+=(?:"[^"]*"|[^,]*)', attributes):
        name = pair.partition("=")[0]
        line = re.sub(rf'(?<=[:,]){name}=("[^"]*"|[^,]*),?', "", line).rstrip(",") + f",{pair}"
    return line


def retagged(stream: Stream, fields: dict[str, dict[str, object]]) -> Stream:
    """A stream whose video says something else, by playlist."""

    def track(old: Track) -> Track:
        new = fields.get(old.where.replace("iframes", "index"))
        if new is None:
            return old
        segments = tuple(
            dataclasses.replace(s, fragment=s.fragment and dataclasses.replace(s.fragment, **new)) for s in old.segments
        )
        return Track(where=old.where, playlist=old.playlist, segments=segments)

    new_of = {old: track(old) for old in (*stream.tracks, *stream.i_frames)}
    return dataclasses.replace(
        stream,
        tracks=tuple(new_of[old] for old in stream.tracks),
        i_frames=tuple(new_of[old] for old in stream.i_frames),
        variants=tuple(dataclasses.replace(v, video=v.video and new_of[v.video]) for v in stream.variants),
    )


def broken(folder: Path, low: dict[str, object] | None = None, high: dict[str, object] | None = None) -> set[str]:
    stream = retagged(
        read_stream(folder / "master.m3u8"), {k: v for k, v in ((LOW, low), (HIGH, high)) if v is not None}
    )
    return {finding.rule for finding in lint_stream(stream).findings}


def codecs(text: str) -> str:
    return f'CODECS="{text},mp4a.40.2"'


HEVC = codecs("hvc1.2.4.L30.90")


def test_an_sdr_stream_need_not_say_so_and_may(folder):
    assert broken(folder, {"transfer": SDR}, {"transfer": "smpte170m"}) == set()
    declare(folder, "VIDEO-RANGE=SDR", "VIDEO-RANGE=SDR")
    assert broken(folder) == set()
    assert broken(folder, {"transfer": SDR}, {"transfer": "bt2020-12"}) == set()


@pytest.mark.parametrize(("name", "fields"), [("PQ", HDR10), ("HLG", HLG10)])
def test_hdr_beside_sdr_that_is_said_breaks_nothing(folder, name, fields):
    declare(folder, "VIDEO-RANGE=SDR", f"VIDEO-RANGE={name},{HEVC}")
    assert broken(folder, None, fields) == set()


def test_hdr_that_is_not_said_breaks_both_rules(folder):
    declare(folder, "VIDEO-RANGE=SDR", HEVC)
    assert broken(folder, None, HDR10) == {"9.16", "HLS 4.4.6.2 video-range"}


def test_where_one_variant_is_hdr_all_say_their_range(folder):
    declare(folder, "", f"VIDEO-RANGE=PQ,{HEVC}")
    assert broken(folder, None, HDR10) == {"9.16"}


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ("PQ", HLG10),
        ("HLG", HDR10),
        ("SDR", HDR10),
        ("PQ", {**HDR10, "transfer": SDR}),
        ("PQ", {**HDR10, "transfer": ""}),
        ("HLG", {**HDR10, "transfer": ""}),
    ],
)
def test_another_range_than_the_videos_is_named(folder, said, fields):
    declare(folder, "VIDEO-RANGE=SDR", f"VIDEO-RANGE={said},{HEVC}")
    assert broken(folder, None, fields) == {"HLS 4.4.6.2 video-range"}


def test_hlg_that_an_sei_message_may_tell_is_not_judged(folder):
    declare(folder, "VIDEO-RANGE=SDR", f"VIDEO-RANGE=HLG,{HEVC}")
    assert broken(folder, None, {**HDR10, "transfer": "bt2020-10"}) == set()


def test_8_bits_are_no_pq(folder):
    declare(folder, "VIDEO-RANGE=SDR", "VIDEO-RANGE=PQ")
    assert broken(folder, None, {"transfer": PQ}) == {"HLS 4.4.6.2 video-range"}
    declare(folder, "", f"VIDEO-RANGE=PQ,{codecs('hvc1.1.6.L30.90')}")
    assert broken(folder, None, {**HDR10, "codecs": "hvc1.1.6.L30.90", "bit_depth": 8}) == {
        "1.7",
        "HLS 4.4.6.2 video-range",
    }


@pytest.mark.parametrize(
    ("codec", "is_fault"),
    [
        ("avc1.64001f", True),
        ("avc1.4D401E", True),
        ("hvc1.1.6.L93.B0", True),
        ("av01.0.04M.08", True),
        ("avc1.6e001f", False),
        ("hvc1.2.4.L93.B0", False),
        ("av01.0.04M.10.0.112.09.16.09.0", False),
    ],
)
def test_where_segments_are_elsewhere_the_codec_string_tells_the_bits(folder, codec, is_fault):
    declare(folder, "VIDEO-RANGE=SDR", f"VIDEO-RANGE=PQ,{codecs(codec)}")
    master = folder / "master.m3u8"
    master.write_text(master.read_text().replace(f"\n{HIGH}", "\nhttps://a.example/v.m3u8"))
    assert broken(folder) == ({"HLS 4.4.6.2 video-range"} if is_fault else set())


@pytest.mark.parametrize(
    "fields", [{"primaries": "bt709"}, {"primaries": "smpte432"}, {"bit_depth": 8}, {"bit_depth": 12}]
)
def test_hdr10_has_10_bits_and_the_primaries_of_bt_2020(folder, fields):
    declare(folder, "VIDEO-RANGE=SDR", f"VIDEO-RANGE=PQ,{HEVC}")
    assert "1.7" in broken(folder, None, {**HDR10, **fields})


def test_sdr_is_asked_beside_hdr_in_variants_and_in_i_frames(folder):
    declare(folder, f"VIDEO-RANGE=PQ,{HEVC}", f"VIDEO-RANGE=PQ,{HEVC}")
    assert broken(folder, HDR10, HDR10) == {"1.24", "6.16"}  # the I-frames are PQ, whatever their tag says
    declare(folder, i_frames="VIDEO-RANGE=PQ")
    assert broken(folder, HDR10, HDR10) == {"1.24", "6.16"}


def test_i_frames_that_say_they_are_hdr_are_not_sdr(folder):
    declare(folder, "VIDEO-RANGE=SDR", f"VIDEO-RANGE=PQ,{HEVC}", "VIDEO-RANGE=PQ")
    assert broken(folder, None, HDR10) == {"6.16"}


def test_stereo_on_visionos_needs_no_sdr(folder):
    stereo = f'VIDEO-RANGE=PQ,{HEVC},REQ-VIDEO-LAYOUT="CH-STEREO"'
    declare(folder, stereo, stereo)
    master = folder / "master.m3u8"
    master.write_text(master.read_text().replace("VERSION:7", "VERSION:12"))
    assert "1.24" not in broken(folder, HDR10, HDR10)


def test_hdr_at_60_frames_only_is_a_warning(folder):
    declare(folder, "VIDEO-RANGE=SDR", f"VIDEO-RANGE=PQ,{HEVC},FRAME-RATE=59.940")
    assert broken(folder, None, HDR10) == {"1.20", "HLS 4.4.6.2 frame-rate"}


def test_dolby_vision_is_pq_by_its_codec_string(folder):
    declare(folder, "VIDEO-RANGE=SDR", f"VIDEO-RANGE=PQ,{codecs('dvh1.05.01')}")
    assert broken(folder, None, DOLBY) == set()
    declare(folder, "", "VIDEO-RANGE=SDR")
    assert broken(folder, None, DOLBY) == {"HLS 4.4.6.2 video-range"}


@pytest.mark.parametrize("codec", ["dvh1.08.01", "dvh1.05.10", "dav1.08.01"])
def test_dolby_vision_of_a_profile_that_apple_does_not_play(folder, codec):
    declare(folder, "VIDEO-RANGE=SDR", f"VIDEO-RANGE=PQ,{codecs(codec)}")
    assert broken(folder, None, {**DOLBY, "codecs": codec}) == {"1.9"}


@pytest.mark.parametrize("codec", ["hev1.2.4.L30.90", "dvhe.05.01", "avc3.64000a"])
def test_parameter_sets_in_samples_are_a_warning(folder, codec):
    fields = {**HDR10, "codecs": codec} if codec.startswith(("hev1", "dvhe")) else {"codecs": codec}
    said = "VIDEO-RANGE=PQ" if codec.startswith(("hev1", "dvhe")) else "VIDEO-RANGE=SDR"
    declare(folder, "VIDEO-RANGE=SDR", f"{said},{codecs(codec)}")
    assert broken(folder, None, fields) == {"1.10"}


# True bitstreams.


@pytest.fixture(scope="module")
def segments(ffmpeg, tmp_path_factory):
    """A maker of a segment: `segments(encoder, pixel_format, params)` gives its initialisation segment and itself."""

    def make(encoder: str, pixel_format: str, params: str) -> tuple[bytes, bytes]:
        folder = tmp_path_factory.mktemp("segment")
        ffmpeg.run(
            [
                *("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=12:duration=1", "-c:v", encoder),
                *("-preset", "ultrafast", "-pix_fmt", pixel_format, f"-{encoder[3:]}-params", params),
                *("-tag:v", "hvc1" if encoder == "libx265" else "avc1", "-f", "dash", "-use_timeline", "0"),
                *("-init_seg_name", "init.mp4", "-media_seg_name", "$Number%05d$.m4s"),
                *("-format_options", "movflags=+cmaf+frag_keyframe", folder / "unused.mpd"),
            ]
        )
        return (folder / "init.mp4").read_bytes(), (folder / "00001.m4s").read_bytes()

    return make


def read(parts: tuple[bytes, bytes]) -> Fragment:
    return read_fragment(parts[1], parts[0])


def test_tags_of_the_bitstream_are_read_by_ffmpegs_names(segments):
    pq = read(
        segments("libx265", "yuv420p10le", "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=error")
    )
    assert (pq.codec, pq.bit_depth, pq.primaries, pq.transfer, pq.matrix) == ("hevc", 10, "bt2020", PQ, "bt2020nc")
    sdr = read(segments("libx264", "yuv420p", "colorprim=bt709:transfer=bt709:colormatrix=bt709"))
    assert (sdr.primaries, sdr.transfer, sdr.matrix) == ("bt709", "bt709", "bt709")
    silent = read(segments("libx264", "yuv420p", "bframes=0"))
    assert (silent.primaries, silent.transfer, silent.matrix) == ("", "", "")


def test_dolby_visions_codec_string_is_that_of_its_box(segments):
    """A sample entry dvh1 holds a box dvcC with profile and level; here it is added behind the others."""
    init, data = segments("libx265", "yuv420p10le", "log-level=error")
    payload = bytes([1, 0]) + (5 << 9 | 6 << 3 | 0b101).to_bytes(2, "big") + bytes(20)
    box = (8 + len(payload)).to_bytes(4, "big") + b"dvcC" + payload
    end = init.index(b"hvc1") - 4 + int.from_bytes(init[init.index(b"hvc1") - 4 : init.index(b"hvc1")], "big")
    init = init[:end] + box + init[end:]
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"hvc1"):
        at = init.index(name) - 4
        init = init[:at] + (int.from_bytes(init[at : at + 4], "big") + len(box)).to_bytes(4, "big") + init[at + 4 :]
    fragment = read((init.replace(b"hvc1", b"dvh1", 1), data))
    assert (fragment.codec, fragment.codecs) == ("hevc", "dvh1.05.06")


def test_h264_that_says_pq_in_8_bits_is_named_from_its_own_bits(make_hls, tmp_path):
    shutil.copytree(make_hls(x264="transfer=smpte2084").parent, tmp_path / "pq")
    found = {finding.rule for finding in lint(tmp_path / "pq" / "master.m3u8").findings}
    assert found == {"1.24", "6.16", "9.16", "HLS 4.4.6.2 video-range"}


def test_static_metadata_is_asked_for_in_the_sample_description_alone(segments, folder):
    """x265 repeats it in the first sample; the filter with which ladders are delivered takes it from there."""
    words = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=error:max-cll=1000,400"
    assert read(segments("libx265", "yuv420p10le", words)).light_in_samples
    assert not read(segments("libx265", "yuv420p10le", words.rpartition(":")[0])).light_in_samples
    declare(folder, "VIDEO-RANGE=SDR", f"VIDEO-RANGE=PQ,{HEVC}")
    assert broken(folder, None, {**HDR10, "light_in_samples": True}) == {"1.8"}
