"""Grids: what is asked of the encoders, for any source."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from abr_alloc.codecs import ENCODED_AUDIO, VIDEO_CODECS
from abr_alloc.errors import GridError
from abr_alloc.media.grid import load_grid
from abr_alloc.media.probe import MediaInfo

GRID = """
[video]
sizes = [360, 720, 180]
[video.crf]
h264 = [22, 30.5]
av1 = [38]
[audio]
codecs = ["aac"]
aac = ["32k", "64k"]
opus = ["24k"]
heaacv2 = ["16k"]
"""


def source(width: int = 1280, height: int = 720, channels: int = 2) -> MediaInfo:
    return MediaInfo(
        path=Path("clip.mp4"),
        duration_s=2.0,
        width_px=width,
        height_px=height,
        fps=Fraction(25),
        bit_depth=8,
        interlaced=False,
        channels=channels,
        sample_rate_hz=48_000,
    )


@pytest.fixture
def read_grid(tmp_path):
    def read(text: str):
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return load_grid(str(path))

    return read


def sizes(targets) -> list[tuple[int, int]]:
    return list(dict.fromkeys((target.width_px, target.height_px) for target in targets))


def test_a_grid_is_every_size_at_every_target(read_grid):
    targets = read_grid(GRID).video(source(), "h264")
    assert [(t.width_px, t.height_px, t.target) for t in targets] == [
        (1280, 720, "crf=22"),
        (1280, 720, "crf=30.5"),
        (640, 360, "crf=22"),
        (640, 360, "crf=30.5"),
        (320, 180, "crf=22"),
        (320, 180, "crf=30.5"),
    ]
    assert {t.encoder.preset for t in targets} == {"fast"}


def test_sizes_name_the_short_side(read_grid):
    assert sizes(read_grid(GRID).video(source(720, 1280), "h264")) == [(720, 1280), (360, 640), (180, 320)]


def test_no_size_is_above_or_close_to_the_sources_own(read_grid):
    grid = read_grid(GRID)
    assert sizes(grid.video(source(640, 360), "h264")) == [(640, 360), (320, 180)]
    assert sizes(grid.video(source(700, 394), "h264")) == [(700, 394), (320, 180)]
    assert sizes(grid.video(source(64, 48), "h264")) == [(64, 48)]


@pytest.mark.parametrize("size", [(1918, 802), (854, 480), (1000, 562), (608, 1080)])
def test_every_side_is_even_and_shapes_are_kept(read_grid, size):
    for width, height in sizes(read_grid(GRID).video(source(*size), "h264")):
        assert width % 2 == height % 2 == 0
        assert width / height == pytest.approx(size[0] / size[1], rel=0.02)


def test_a_preset_can_be_chosen(read_grid):
    assert {t.encoder.preset for t in read_grid(GRID).video(source(), "av1", "12")} == {"12"}
    assert {t.encoder.preset for t in read_grid(GRID).video(source(), "av1")} == {"8"}


@pytest.mark.parametrize(("channels", "kept"), [(1, 1), (2, 2), (6, 2)])
def test_mono_stays_mono_and_more_than_two_become_stereo(read_grid, channels, kept):
    assert {t.channels for t in read_grid(GRID).audio(source(channels=channels))} == {kept}


def test_he_aac_v2_is_stereo_by_nature(read_grid):
    assert [t.channels for t in read_grid(GRID).audio(source(channels=1), ["heaacv2"])] == [2]


def test_audio_codecs_are_the_grids_choice_or_the_users(read_grid):
    grid = read_grid(GRID)
    assert [(t.codec, t.target) for t in grid.audio(source())] == [("aac", "b=32k"), ("aac", "b=64k")]
    assert [(t.codec, t.target) for t in grid.audio(source(), ["opus"])] == [("opus", "b=24k")]


def test_rates_serve_every_video_codec(read_grid):
    grid = read_grid('[video]\nrates = ["500k", "2M"]\n[audio]\naac = ["64k"]\n')
    for codec in VIDEO_CODECS:
        assert [t.target for t in grid.video(source(), codec)] == ["b=500k", "b=2M"]


def test_the_name_and_the_text_are_kept(read_grid):
    grid = read_grid(GRID)
    assert (grid.name, grid.text) == ("mine", GRID)


@pytest.mark.parametrize("name", ["quick", "hull", "dense", "paper"])
def test_shipped_grids_serve_h264_and_aac(name):
    grid = load_grid(name)
    assert grid.name == name
    assert len(grid.video(source(), "h264")) >= 3
    assert {t.codec for t in grid.audio(source())} <= set(ENCODED_AUDIO)


@pytest.mark.parametrize("codec", ["hevc", "av1", "mpeg2"])
def test_a_codec_without_targets_is_refused_with_those_there_are(read_grid, codec):
    grid = read_grid('[video.crf]\nh264 = [28]\n[audio]\naac = ["64k"]\n')
    with pytest.raises(GridError, match=f"no {codec} targets, only h264"):
        grid.video(source(), codec)
    with pytest.raises(GridError, match="no opus targets, only aac"):
        grid.audio(source(), ["opus"])


AUDIO = '[audio]\naac = ["64k"]\n'
VIDEO = "[video.crf]\nh264 = [28]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs video targets"),
        (AUDIO, "needs video targets"),
        (VIDEO, "needs video targets"),
        ("[video]\nsizes = [360]\n" + AUDIO, "needs video targets"),
        (VIDEO + "[audio]\n", "rates for each audio codec"),
        (VIDEO + '[audio]\ncodecs = ["opus"]\naac = ["64k"]\n', "rates for each audio codec"),
        (VIDEO + '[audio]\ncodecs = ["mp3"]\nmp3 = ["64k"]\n', "unknown codec 'mp3'"),
        ("[video.crf]\nh264 = [28]\nmpeg2 = [30]\n" + AUDIO, "unknown codec 'mpeg2'"),
        ("[video.crf]\nh264 = [52]\n" + AUDIO, "crf 52 is outside 0..51 for h264"),
        ("[video.crf]\nav1 = [64]\n" + AUDIO, "crf 64 is outside"),
        ("[video.crf]\nh264 = [-1]\n" + AUDIO, "crf -1 is outside"),
        ("[video.crf]\nh264 = [nan]\n" + AUDIO, "crf nan is outside"),
        ("[video]\nsizes = [inf]\n" + VIDEO + AUDIO, "a size is inf, not a whole number"),
        ("[video]\nsizes = [true]\n" + VIDEO + AUDIO, "a size is True, not a whole number"),
        (f"[video]\nsizes = [{'9' * 5000}]\n" + VIDEO + AUDIO, "a number or a date in it"),
        (f"[video]\nsizes = [0x{'f' * 400}]\n" + VIDEO + AUDIO, "too large"),
        (f"[video]\nsizes = {'[' * 4000}\n" + VIDEO + AUDIO, "nested more than"),
        ('[video.crf]\nh264 = ["28"]\n' + AUDIO, "grid"),
        ("[video.crf]\nh264 = 28\n" + AUDIO, "grid"),
        ("[video]\ncrf = [28]\n" + AUDIO, "grid"),
        ("video = 3\n" + AUDIO, "grid"),
        ('[video]\nsizes = ["large"]\n[video.crf]\nh264 = [28]\n' + AUDIO, "grid"),
        ("[video]\nsizes = [8]\n[video.crf]\nh264 = [28]\n" + AUDIO, "a size of 8 px is below 16"),
        ("[video]\nsizes = [-360]\n[video.crf]\nh264 = [28]\n" + AUDIO, "below 16"),
        (VIDEO + '[audio]\naac = ["64"]\n', "did you mean 64k"),
        (VIDEO + '[audio]\naac = ["fast"]\n', "is not a bitrate"),
        (VIDEO + '[audio]\nac3 = ["100k"]\n', r"ac3 has no 100 kbps, the nearest is 96; its rates are 32, 40, 48"),
        (VIDEO + '[audio]\neac3 = ["24k"]\n', "eac3 takes 32 to 6144 kbps, not 24"),
        (
            VIDEO + '[audio]\nflac = ["900k"]\n',
            r'flac keeps every sample and takes no rate; write flac = \["lossless"\]',
        ),
        (VIDEO + '[audio]\naac = ["lossless"]\n', "is not a bitrate"),
        (VIDEO + "[audio]\naac = [64]\n", "grid"),
        (VIDEO + '[audio]\naac = "64k"\n', "grid"),
        (VIDEO + AUDIO + "[sound]\n", "unknown table 'sound'"),
        ("[video\n", "grid"),
    ],
)
def test_a_grid_that_asks_for_what_cannot_be_made_is_refused(read_grid, text, message):
    with pytest.raises(GridError, match=message):
        read_grid(text)


NAMED = """
[encoders.fdk]
codec = "aac"
encoder = "libfdk_aac"
args = ["-afterburner", "1", "-cutoff", "16000"]
rates = ["48k", "96k"]
[encoders.opus-voice]
codec = "opus"
args = ["-application", "voip", "-vbr", "constrained", "-frame_duration", "40"]
rates = ["24k"]
[encoders.own]
codec = "heaacv2"
command = ["myenc", "-b", "{kbps}000", "{wav}", "{out}.m4a"]
rates = ["24k"]
"""


def test_audio_encoders_that_a_grid_names_are_probed_beside_its_codecs(read_grid):
    grid = read_grid(VIDEO + '[audio]\naac = ["64k"]\nac3 = ["192k"]\nflac = ["lossless"]\n' + NAMED)
    found = [(t.codec, t.channels, t.target, t.encoder and t.encoder.encoder) for t in grid.audio(source(channels=1))]
    assert sorted(found, key=str) == [
        ("aac", 1, "b=48k@fdk", "libfdk_aac"),
        ("aac", 1, "b=64k", None),
        ("aac", 1, "b=96k@fdk", "libfdk_aac"),
        ("ac3", 1, "b=192k", None),
        ("flac", 1, "lossless", None),
        ("heaacv2", 2, "b=24k@own", ""),
        ("opus", 1, "b=24k@opus-voice", "libopus"),
    ]
    assert [t.target for t in grid.audio(source(), ["opus-voice", "aac"])] == ["b=24k@opus-voice", "b=64k"]
    chosen = read_grid(VIDEO + '[audio]\nencoders = ["fdk"]\n' + NAMED)
    assert {t.target for t in chosen.audio(source())} == {"b=48k@fdk", "b=96k@fdk"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('codec = "aac"\nencoder = "libopus"\n', "'libopus' is no encoder of aac that is known here; use aac or"),
        ('codec = "opus"\nargs = ["-vbr"]\n', "the argument '-vbr' has no value"),
        ('codec = "opus"\nargs = ["-b:a", "64k"]\n', "the argument '-b:a' is set from values or rates"),
        ('codec = "opus"\nargs = ["-af", "volume=2"]\n', "the argument '-af' is a filter"),
        ('codec = "opus"\nargs = ["-i", "other.wav"]\n', "the argument '-i' is an input or output"),
        ('codec = "aac"\nencoder = "libfdk_aac"\nargs = ["-vbr", "4"]\n', "'-vbr' is not among the options"),
        ('codec = "ac3"\nargs = ["-profile", "1"]\n', "'-profile' is not among the options"),
        ('codec = "flac"\n', r'flac keeps every sample, whatever encodes it; write flac = \["lossless"\] in \[audio\]'),
        ('codec = "aac"\ncommand = ["x", "{wav}", "{out}"]\n', "command has neither {value} nor {kbps}"),
        ('codec = "aac"\ncommand = ["x", "{wav}", "{kbps}"]\n', "command has no {out}"),
        ('codec = "aac"\ncommand = ["x", "{y4m}", "{out}", "{kbps}"]\n', "command has the placeholder {y4m}; use"),
        ('codec = "aac"\nencoder = "aac"\ncommand = ["x", "{wav}", "{out}", "{kbps}"]\n', "encoder is for an"),
        ('codec = "aac"\npreset = "slow"\n', "unknown key 'preset'"),
        ('codec = "ac3"\nrates = ["100k"]\n', "ac3 has no 100 kbps, the nearest is 96"),
    ],
)  # fmt: skip
def test_audio_encoders_that_may_not_be_asked_so_are_refused_in_a_line(read_grid, text, message):
    rates = "" if "rates" in text else 'rates = ["64k"]\n'
    with pytest.raises(GridError, match=message) as told:
        read_grid(VIDEO + AUDIO + f"[encoders.mine]\n{text}{rates}")
    assert "encoder 'mine'" in str(told.value) and "\n" not in str(told.value)


def test_misspelled_keys_are_refused(read_grid):
    """A key that is passed over in silence would measure something else than was asked for."""
    with pytest.raises(GridError, match="size"):
        read_grid("[video]\nsize = [360]\n[video.crf]\nh264 = [28]\n" + AUDIO)


def test_a_target_that_stands_twice_is_measured_once_or_refused(read_grid):
    """Two equal rows would make a table that its own check refuses, after all the work."""
    try:
        grid = read_grid('[video.crf]\nh264 = [28, 28.0]\n[audio]\naac = ["64k", "64k"]\n')
    except GridError:
        return
    assert len(grid.video(source(), "h264")) == len(grid.audio(source())) == 1


def test_two_sizes_that_come_to_the_same_are_measured_once(read_grid):
    grid = read_grid("[video]\nsizes = [181, 180]\n[video.crf]\nh264 = [28]\n" + AUDIO)
    targets = grid.video(source(720, 720), "h264")  # sides are even, so both are 180
    assert len(targets) == len({(t.width_px, t.height_px, t.target) for t in targets})


def test_a_grid_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(GridError, match="cannot be read"):
        load_grid(str(tmp_path / "none.toml"))
    with pytest.raises(GridError, match=r"no grid named 'qick'; choose .*quick"):
        load_grid("qick")


def test_a_grid_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(GridError, match="cannot be read"):
        load_grid(str(path))
