"""Hardware encoders: what is asked for, in options that each has; held against ffmpeg's own reading of them.

ffmpeg reads and checks an encoder's options before it looks for the device, so the wording is tested where there is
none: the device must be all that is missing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from abr_alloc.errors import GridError, ToolFailedError
from abr_alloc.media.bitstream import read_fragment
from abr_alloc.media.encoder_options import EncoderOptions, parse_encoder_options, read_encoder_options
from abr_alloc.media.encoder_trial import short_reason
from abr_alloc.media.hardware import HARDWARE_ENCODERS, hardware_arguments, is_hardware, presets_of, rate_modes

# Apple's encoders are in no build for Linux; their options are as ffmpeg's documentation names them.
VIDEOTOOLBOX = """Encoder {codec}_videotoolbox [VideoToolbox]:
    General capabilities: dr1 delay hardware
    Threading capabilities: none
    Supported hardware devices: videotoolbox
    Supported pixel formats: videotoolbox_vld nv12 yuv420p{more}
{codec}_videotoolbox AVOptions:
  -profile           <int>        E..V....... Profile (from -99 to INT_MAX) (default -99)
     main            1            E..V.......
  -allow_sw          <boolean>    E..V....... Allow software encoding (default false)
  -require_sw        <boolean>    E..V....... Require software encoding (default false)
  -realtime          <boolean>    E..V....... Real time (default false)
  -prio_speed        <boolean>    E..V....... Speed before quality (default auto)
  -power_efficient   <int>        E..V....... Efficiency (from -1 to 1) (default -1)
  -constant_bit_rate <boolean>    E..V....... Constant bit rate (default false)
"""
HERE = [name for name in HARDWARE_ENCODERS if not name.endswith("videotoolbox")]
# What ffmpeg says of an option that an encoder does not have, or of a value that it does not take.
REFUSED = re.compile(
    r"Unrecognized option|Error setting option|Unable to parse|out of range|not found|has not been used|Undefined"
)


def listed(ffmpeg, name: str) -> EncoderOptions:
    codec = HARDWARE_ENCODERS[name]
    if name.endswith("videotoolbox"):
        more = " bgra p010le" if codec == "hevc" else ""
        found = parse_encoder_options(VIDEOTOOLBOX.format(codec=codec, more=more))
        assert found is not None
        return found
    if name not in ffmpeg.encoders:
        pytest.skip(f"{name} is not in this ffmpeg")
    return read_encoder_options(ffmpeg, name)


def asked(options: EncoderOptions, mode: str) -> dict:
    preset = (presets_of(options) or (None,))[-1]
    return {
        "cq": {"mode": "cq", "value": 28, "preset": preset},
        "qp": {"mode": "qp", "value": 30, "preset": preset},
        "vbr": {"mode": "vbr", "value": 500},
        "capped": {"mode": "capped", "value": 28, "cap_kbps": 750},
    }[mode]


def words(ffmpeg, name: str, **wish) -> str:
    return " ".join(hardware_arguments(listed(ffmpeg, name), **({"gop": 48} | wish)).encoder_args)


@pytest.mark.parametrize(
    ("name", "modes"),
    [
        *((f"{codec}_nvenc", "cq qp vbr capped") for codec in ("h264", "hevc", "av1")),
        *((f"{codec}_qsv", "cq qp vbr capped") for codec in ("h264", "hevc", "av1", "vp9")),
        *((f"{codec}_vaapi", "cq qp vbr capped") for codec in ("h264", "hevc", "av1", "vp9")),
        *((f"{codec}_videotoolbox", "cq vbr") for codec in ("h264", "hevc")),
        *((f"{codec}_amf", "cq qp vbr") for codec in ("h264", "hevc", "av1")),
    ],
)
def test_an_encoder_has_the_modes_of_its_maker_and_says_so_of_others(ffmpeg, name, modes) -> None:
    options = listed(ffmpeg, name)
    assert is_hardware(name) and rate_modes(options) == tuple(modes.split())
    for mode in {"crf", "qp", "capped"} - {*modes.split()}:
        with pytest.raises(GridError, match=f"^{name} has no rate mode {mode}; it has {', '.join(modes.split())}$"):
            hardware_arguments(options, mode=mode, value=28, gop=48, cap_kbps=900)


def test_every_maker_is_asked_in_its_own_words(ffmpeg) -> None:
    """Of each maker's documentation, one wish per mode."""
    closed = "-g 48 -no-scenecut 1 -forced-idr 1 -pix_fmt yuv420p"
    assert words(ffmpeg, "h264_nvenc", mode="cq", value=28, preset="p5") == (
        f"-c:v h264_nvenc -preset p5 -rc vbr -cq 28 -b:v 0 {closed}"
    )
    assert words(ffmpeg, "hevc_nvenc", mode="qp", value=30) == (
        f"-c:v hevc_nvenc -rc constqp -qp 30 {closed} -tag:v hvc1"
    )
    assert words(ffmpeg, "av1_nvenc", mode="vbr", value=500) == (
        f"-c:v av1_nvenc -rc vbr -b:v 500k -maxrate 750k -bufsize 1000k {closed}"
    )
    assert words(ffmpeg, "av1_nvenc", mode="capped", value=60, cap_kbps=900) == (
        f"-c:v av1_nvenc -rc vbr -cq 60 -b:v 0 -maxrate 900k -bufsize 1200k {closed}"
    )
    closed = "-g 48 -flags +cgop -idr_interval 0 -forced_idr 1 -adaptive_i 0 -pix_fmt nv12"
    assert words(ffmpeg, "h264_qsv", mode="cq", value=24, preset="slow") == (
        f"-c:v h264_qsv -preset slow -global_quality 24 {closed}"
    )
    assert words(ffmpeg, "h264_qsv", mode="qp", value=24) == f"-c:v h264_qsv -q:v 24 {closed}"
    closed = "-g 48 -flags +cgop -idr_interval 0"
    assert words(ffmpeg, "h264_vaapi", mode="qp", value=24) == f"-c:v h264_vaapi -rc_mode CQP -qp 24 {closed}"
    assert words(ffmpeg, "av1_vaapi", mode="qp", value=120, preset="4") == (  # it lists no -qp
        f"-c:v av1_vaapi -compression_level 4 -rc_mode CQP -global_quality 120 {closed}"
    )
    assert words(ffmpeg, "hevc_videotoolbox", mode="cq", value=65) == (
        "-c:v hevc_videotoolbox -q:v 65 -g 48 -flags +cgop -pix_fmt yuv420p -tag:v hvc1"
    )
    assert "-rc cqp -qp_i 30 -qp_p 30 -qp_b 30 -g 48" in words(ffmpeg, "h264_amf", mode="qp", value=30)
    assert "-rc cqp -qp_i 30 -qp_p 30 -g 48 -gops_per_idr 1" in words(ffmpeg, "hevc_amf", mode="qp", value=30)


@pytest.fixture(scope="module")
def attempts(ffmpeg, tmp_path_factory) -> Callable[[str], dict[str, Path | ToolFailedError]]:
    """Every mode of an encoder tried on 15 frames with a key frame every 5: the file, or how it failed."""
    folder = tmp_path_factory.mktemp("hardware")

    @functools.cache
    def of(name: str) -> dict[str, Path | ToolFailedError]:
        options, found = listed(ffmpeg, name), {}
        for mode in rate_modes(options):
            for samples in ("yuv420p", "yuv420p10le") if mode == "qp" and not name.startswith("h264") else ("yuv420p",):
                arguments = hardware_arguments(options, gop=5, pixel_format=samples, **asked(options, mode))
                path = folder / f"{name}-{mode}-{samples}.mp4"
                made = ["-f", "lavfi", "-i", "testsrc2=size=320x192:rate=25:duration=0.6"]
                output = [*arguments.encoder_args, "-f", "mp4", path]
                chain = arguments.filter_suffix or "null"
                try:
                    ffmpeg.run([*arguments.global_args, *made, "-vf", chain, *output])
                    found[f"{mode} {samples}"] = path
                    continue
                except ToolFailedError as error:
                    found[f"{mode} {samples}"] = error
                if arguments.global_args:  # no device, which ffmpeg looks for before it reads an option: read them then
                    with pytest.raises(ToolFailedError) as told:
                        ffmpeg.run([*made, "-vf", chain.removesuffix(",hwupload"), *output])
                    found[f"{mode} {samples}"] = told.value
        return found

    return of


@pytest.mark.parametrize("name", HERE)
def test_ffmpeg_takes_every_option(attempts, name) -> None:
    for wish, found in attempts(name).items():
        said = found.stderr_tail if isinstance(found, ToolFailedError) else ""
        assert not REFUSED.search(said), f"{name}, {wish}: {said}"


def test_ffmpeg_says_so_where_an_option_is_wrong(ffmpeg) -> None:
    """Else the test before could not fail."""
    for wrong in (["-rc", "cqq"], ["-qp", "99"], ["-no_such", "1"]):
        with pytest.raises(ToolFailedError) as told:
            ffmpeg.run(["-f", "lavfi", "-i", "testsrc2=d=0.1", "-c:v", "h264_nvenc", *wrong, "-f", "null", "-"])
        assert REFUSED.search(told.value.stderr_tail), wrong


def test_gops_are_closed_and_of_one_length_where_a_device_is_there(attempts) -> None:
    every = {name: attempts(name) for name in HERE}
    files = [found for tried in every.values() for found in tried.values() if isinstance(found, Path)]
    if not files:
        reasons = {short_reason(found.stderr_tail) for tried in every.values() for found in tried.values()}
        pytest.skip("no hardware encoder runs here: " + "; ".join(sorted(reasons)))
    for path in files:
        assert len(read_fragment(path.read_bytes(), name=path.name).idr) == 3


def test_frames_are_brought_to_a_device_of_vaapi(ffmpeg) -> None:
    wish = {"mode": "qp", "value": 24, "gop": 48}
    deep = hardware_arguments(listed(ffmpeg, "hevc_vaapi"), pixel_format="yuv420p10le", **wish)
    assert deep.global_args == ("-init_hw_device", "vaapi=hw", "-filter_hw_device", "hw")
    assert deep.filter_suffix == "format=p010le,hwupload" and "-pix_fmt" not in deep.encoder_args
    plain = hardware_arguments(listed(ffmpeg, "hevc_nvenc"), pixel_format="yuv420p10le", **wish)
    assert plain.global_args == () and plain.filter_suffix == "" and "p010le" in plain.encoder_args


@pytest.mark.parametrize(
    ("name", "wish", "message"),
    [
        ("h264_nvenc", {"mode": "cq", "value": 0}, r"cq 0 is outside 1..51$"),
        ("av1_nvenc", {"mode": "cq", "value": 64}, r"cq 64 is outside 1..63$"),
        ("av1_qsv", {"mode": "qp", "value": 256}, r"qp 256 is outside 1..255$"),
        ("h264_vaapi", {"mode": "qp", "value": 52}, r"qp 52 is outside 1..51$"),
        ("h264_nvenc", {"mode": "qp", "value": 28.5}, "qp 28.5 is no whole number, and it takes no other"),
        ("h264_qsv", {"mode": "cq", "value": float("nan")}, "cq nan is outside 1..51"),
        ("h264_videotoolbox", {"mode": "cq", "value": 101}, "cq 101 is outside 1..100"),
        ("h264_nvenc", {"mode": "capped", "value": 28}, "capped needs the peak rate beside the quality"),
        ("h264_nvenc", {"mode": "vbr", "value": 0}, "0 kbps is no mean rate; give one above 0"),
        ("h264_nvenc", {"mode": "vbr", "value": 900, "cap_kbps": 500}, "a peak of 500 kbps is below the mean, 900"),
        ("h264_nvenc", {"mode": "qp", "value": 28, "preset": "veryslow"}, "has no preset 'veryslow'; it has slow"),
        ("h264_videotoolbox", {"mode": "cq", "value": 50, "preset": "slow"}, "has no presets, so no 'slow'; leave"),
        ("h264_vaapi", {"mode": "qp", "value": 28, "preset": "fast"}, "has no preset 'fast'; it has 0, 1"),
        ("h264_qsv", {"mode": "qp", "value": 28, "pixel_format": "yuv420p10le"}, "takes no yuv420p10le video; it"),
        ("h264_nvenc", {"mode": "qp", "value": 28, "pixel_format": "yuv444p"}, "is given yuv420p or yuv420p10le here"),
    ],
)  # fmt: skip
def test_what_an_encoder_does_not_take_is_said_in_a_line(ffmpeg, name, wish, message) -> None:
    with pytest.raises(GridError, match=message) as told:
        words(ffmpeg, name, **wish)
    assert str(told.value).startswith(name) and "\n" not in str(told.value)
