"""Settings of encoders: what may be handed to one is read and comes back; everything else is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from abr_alloc.allowed_parameters import PARAMETERS
from abr_alloc.codecs import VIDEO_CODECS
from abr_alloc.encoder_settings import encoders_of, settings_of, video_encoder_of
from abr_alloc.encoders import default_encoder
from abr_alloc.software_encoders import SOFTWARE_ENCODERS

FILM = {
    "codec": "h264",
    "encoder": "libx264",
    "preset": "slow",
    "params": "aq-mode=3:me=umh",
    "args": ["-tune", "film"],
    "pixel_format": "yuv420p",
    "gop_s": 1.0,
    "rate_mode": "vbr-2pass",
}
COMMAND = ["myenc", "--in", "{y4m}", "--q", "{value}", "--out", "{out}.ivf"]


def test_settings_come_back_as_they_were_written() -> None:
    film = video_encoder_of("film", FILM)
    assert settings_of(film) == FILM
    mine = video_encoder_of("mine", {"codec": "vp9", "command": COMMAND, "y4m": "pipe", "value_step": 1.0})
    found = encoders_of({"film": settings_of(film), "mine": settings_of(mine)})
    assert found == {"film": film, "mine": mine}
    assert mine.rate_mode == "value" and mine.encoder == ""


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_a_codecs_usual_encoder_comes_back_too(codec: str) -> None:
    usual = default_encoder(codec)
    assert encoders_of({codec: settings_of(usual)}) == {codec: usual}
    assert usual.is_usual and usual.target_name == ""
    assert usual.preset in SOFTWARE_ENCODERS[usual.encoder].presets


def test_what_is_not_said_is_the_encoders_own() -> None:
    assert video_encoder_of("aom", {"codec": "av1", "encoder": "libaom-av1"}).preset == "6"
    assert video_encoder_of("next", {"codec": "vvc"}).rate_mode == "qp"
    assert video_encoder_of("card", {"codec": "h264", "encoder": "h264_nvenc"}).rate_mode == "cq"
    by_rate = ["enc", "{y4m}", "-b", "{kbps}", "{out}"]
    assert video_encoder_of("rated", {"codec": "h264", "command": by_rate}).rate_mode == "vbr"


def test_a_ladder_is_encoded_in_the_best_way_to_hold_a_rate() -> None:
    assert video_encoder_of("film", {"codec": "h264"}).delivery_mode == "vbr-2pass"
    assert video_encoder_of("grain", {"codec": "av1"}).delivery_mode == "vbr"  # no two passes through ffmpeg
    assert video_encoder_of("steady", {"codec": "h264", "delivery": "crf"}).delivery_mode == "crf"
    assert video_encoder_of("web", {"codec": "vp9"}).delivery_mode == "crf"  # its rates cost quality
    assert video_encoder_of("web", {"codec": "vp9", "delivery": "vbr-2pass"}).delivery_mode == "vbr-2pass"
    assert video_encoder_of("web", {"codec": "vp9", "rate_mode": "vbr"}).delivery_mode == "vbr-2pass"
    assert video_encoder_of("mine", {"codec": "vp9", "command": COMMAND}).delivery_mode == "value"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codec": ["h264"]}, "codec is ['h264'], not text"),
        ({"codec": "mpeg2"}, "unknown codec 'mpeg2'; use h264"),
        ({"encoder": "libx265"}, "'libx265' is no encoder of h264 that is known here; use libx264"),
        ({"encoder": "hevc_nvenc"}, "'hevc_nvenc' is no encoder of h264"),
        ({"encoder": ""}, "encoder is empty"),
        ({"preset": "slowest"}, "libx264 has no preset 'slowest'"),
        ({"rate_mode": "cq"}, "libx264 has no rate mode cq through ffmpeg; use crf, qp, vbr, vbr-2pass, capped-crf"),
        ({"rate_mode": "abr"}, "rate_mode is 'abr'; use crf, cq"),
        ({"rate_mode": "capped-crf"}, "capped-crf needs max_rate, like 4M"),
        ({"max_rate_kbps": 900.0}, "max_rate is for the rate mode capped-crf"),
        ({"delivery": "crf"}, "delivery is crf, but values are of vbr-2pass"),
        ({"gop_s": 0}, "gop_s is 0, not a number of at least 0.1"),
        ({"pixel_format": "yuv420p -vf x"}, "pixel_format is"),
        ({"quality": 3}, "unknown key 'quality'; use args, codec"),
        ({"value_step": 1.0}, "value_step, y4m and program_sha256 are for a command"),
        ({"args": "-tune film"}, "args is '-tune film', not a list of texts"),
        ({"args": ["-tune"]}, "the argument '-tune' has no value"),
        ({"args": ["film"]}, "'film' where an option must stand"),
        ({"args": ["-i", "/etc/passwd"]}, "the argument '-i' is an input or output"),
        ({"args": ["-vf", "movie=x"]}, "the argument '-vf' is a filter"),
        ({"args": ["-map", "0"]}, "the argument '-map' is an input or output"),
        ({"args": ["-protocol_whitelist", "http"]}, "the argument '-protocol_whitelist' is an input or output"),
        ({"args": ["-crf", "20"]}, "the argument '-crf' is set from values or rates"),
        ({"args": ["-passlogfile", "x"]}, "the argument '-passlogfile' is set from rate_mode"),
        ({"args": ["-dump_attachment", "x"]}, "'-dump_attachment' is not among the options that may be given"),
        ({"args": ["-tune", "/tmp/film"]}, "the argument '-tune' has the value '/tmp/film'"),
        ({"params": "stats=x.log"}, "the parameter 'stats=x.log' names a file"),
        ({"params": "aq-mode=3:dump-yuv=out"}, "the parameter 'dump-yuv=out' names a file"),
        ({"params": "crf=20"}, "the parameter 'crf=20' is set by the program"),
        ({"params": "keyint=250"}, "the parameter 'keyint=250' is set by the program"),
        ({"params": "zones=0,9,q=3/10,20,q=4"}, "params holds 'zones=0,9,q=3/10,20,q=4'"),
        ({"params": "crop-rect=8,8,8,8"}, "'crop-rect=8,8,8,8' is not among those that may be given to libx264"),
        ({"params": "subm=7"}, "is it subme"),
        ({"params": "open_gop=1"}, "the parameter 'open_gop=1' is set by the program"),  # x264 reads _ as -
        ({"params": "no-scenecut"}, "the parameter 'no-scenecut' is set by the program"),
        ({"params": "min_keyint=1"}, "is set by the program"),
        ({"params": "aq-mode=3\\:stats=x"}, "params holds 'aq-mode=3\\\\'"),
        ({"params": "aq-mode='3"}, "params holds"),
        ({"params": "aq-mode=3:"}, "params holds ''"),
        ({"params": "aq-mode=3\n"}, "params holds"),
        ({"params": "aq-mode=\u0663"}, "params holds"),
        ({"params": "aq-mode=3:" * 500}, "params has 5000 letters"),
        ({"args": ["-tune:v:0", "film"]}, "'-tune:v:0' where an option must stand"),
        ({"args": ["-/tune", "film"]}, "'-/tune' where an option must stand"),  # ffmpeg: the value from a file
        ({"args": ["-tune", "film\n-f"]}, "the argument '-tune' has the value"),
    ],
)
def test_what_may_not_be_handed_to_an_encoder_is_refused_by_name(changes: dict, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        video_encoder_of("film", FILM | changes)
    assert str(refused.value).startswith("encoder 'film': ") and message in str(refused.value)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["enc", "{y4m}", "{value}"], "command has no {out}"),
        (["enc", "{value}", "{out}"], "command has no {y4m}"),
        (["enc", "{y4m}", "{out}"], "command has neither {value} nor {kbps}"),
        (["enc", "{y4m}", "{value}", "{kbps}", "{out}"], "command has both {value} and {kbps}"),
        (["enc", "{y4m}", "{value}", "{out}", "{home}"], "command has the placeholder {home}; use {y4m}, {out}"),
        (["{out}", "{y4m}", "{value}"], "command begins with '{out}'"),
    ],
)
def test_a_command_that_cannot_be_filled_in_is_refused(command: list[str], message: str) -> None:
    with pytest.raises(ValueError) as refused:
        video_encoder_of("mine", {"codec": "h264", "command": command})
    assert message in str(refused.value)


def test_a_parameter_of_grain_is_no_file_where_it_is_a_number() -> None:
    assert video_encoder_of("grain", {"codec": "av1", "params": "film-grain=8"}).params == "film-grain=8"
    with pytest.raises(ValueError, match="names a file"):
        video_encoder_of("grain", {"codec": "hevc", "params": "film-grain=model.bin"})


# Each reads or writes a file, drops frames, or changes sizes, threads or key frames behind the program's back.
WRONG = {
    ("h264", "libx264"): "stats cqmfile dump-yuv opencl-clbin threads lookahead-threads sliced_threads fps force-cfr "
    "intra-refresh qpfile zones log-file no-open-gop fake-interlaced crop-rect sar",
    ("hevc", "libx265"): "csv recon stats analysis-save analysis-load analysis-reuse-file analysis-reuse-mode qpfile "
    "dhdr10-info lambda-file zonefile chunk-start frame-dup lossless wpp pmode pools scaling-list=x abr-ladder "
    "film-grain aom-film-grain dolby-vision-rpu nalu-file no-scenecut total-frames scenecut-qp-config",
    ("av1", "libsvtav1"): "stats input-stat-file fgs-table roi-map-file resize-mode superres-mode rc tbr lp pin ss "
    "config errlog skip frames passes force-key-frames enable-stat-report sframe-dist mbr",
    ("av1", "libaom-av1"): "partition-info-path vmaf-model-path film-grain-table rate-distribution-info "
    "second-pass-log two-pass-output sframe-dist frame-parallel error-resilient cq-level large-scale-tile",
    ("vvc", "libvvenc"): "rcstatsfile RCStatsFile logofile c Threads ReconFile tracefile IntraPeriod numpasses frames",
}


@pytest.mark.parametrize(("codec", "encoder"), WRONG)
def test_parameters_are_allowed_by_name(codec: str, encoder: str) -> None:
    for name in WRONG[codec, encoder].split():
        item = name if "=" in name else f"{name}=1"
        for params in (item, f"{item}:{item}", name.partition("=")[0]):
            with pytest.raises(ValueError, match="the parameter"):
                video_encoder_of("mine", {"codec": codec, "encoder": encoder, "params": params})
    every = ":".join(f"{name}=1" for name in sorted(PARAMETERS[encoder] - {"scaling-list"}))
    assert video_encoder_of("mine", {"codec": codec, "encoder": encoder, "params": every}).params == every


def test_every_encoder_with_parameters_says_which() -> None:
    assert {name for name, software in SOFTWARE_ENCODERS.items() if software.params_option} == {*PARAMETERS}
    off = {"codec": "hevc", "params": "no-sao:scaling-list=default"}
    assert video_encoder_of("mine", off).params == off["params"]


@pytest.mark.parametrize("name", ["h264", "Film", "film!", "", "x" * 33])
def test_a_name_that_would_be_read_as_something_else_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        video_encoder_of(name, {"codec": "hevc"})


def test_values_are_rounded_to_what_an_encoder_takes() -> None:
    film, grain = video_encoder_of("film", {"codec": "h264"}), video_encoder_of("grain", {"codec": "av1"})
    assert film.nearest_value("crf", 27.456) == 27.46
    assert grain.nearest_value("crf", 27.456) == 27
    assert film.nearest_value("crf", 99) == 51
    mine = video_encoder_of("mine", {"codec": "vp9", "command": COMMAND, "value_step": 0.5})
    assert mine.nearest_value("value", 7.3) == 7.5


def test_the_page_lists_every_parameter() -> None:
    page = (Path(__file__).parents[1] / "docs" / "encoders.md").read_text().partition("## Parameters")[2]
    for encoder, names in PARAMETERS.items():
        listed = " ".join(page.partition(f"- `{encoder}`: ")[2].partition("\n- `")[0].split())
        assert listed.split(", ") == sorted(names)
