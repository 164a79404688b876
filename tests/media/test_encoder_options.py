"""What `ffmpeg -h encoder=NAME` lists, read."""

from __future__ import annotations

import math

import pytest

from abr_alloc.errors import ToolMissingError
from abr_alloc.media.encoder_options import parse_encoder_options, read_encoder_options

LISTED = """Encoder made_up [An encoder of no maker]:
    General capabilities: dr1 delay
    Threading capabilities: none
    Supported pixel formats: nv12 p010le
made_up AVOptions:
  -preset            <int>        E..V....... Speed against quality (from 0 to 7) (default p4)
     p1              3            E..V....... fastest
     p4              6            E..V.......
  -no-scenecut       <boolean>    E..V....... No key frames at cuts (default false)
  -cq                <float>      E..V....... Quality (0 to 51, 0 means automatic) (from 0 to 51) (default 0)
  -lookahead         <int>        E..V....... Frames (from -1 to INT_MAX) (default 0)
  -sei               <flags>      E..V....... What to insert (default a53)
     a53                          E..V....... Captions
  -params            <string>     E..V....... key=value


Exiting with exit code 0
"""


def test_options_have_their_type_range_and_named_values() -> None:
    listed = parse_encoder_options(LISTED)
    assert listed is not None and listed.encoder == "made_up" and listed.pixel_formats == ("nv12", "p010le")
    assert {name: option.type for name, option in listed.options.items()} == {
        "preset": "int", "no-scenecut": "boolean", "cq": "float", "lookahead": "int", "sei": "flags", "params": "string"
    }  # fmt: skip
    assert listed.options["preset"].names == ("p1", "p4") and listed.options["sei"].names == ("a53",)
    assert listed.options["cq"].names == () and (listed.options["cq"].low, listed.options["cq"].high) == (0, 51)
    assert listed.options["lookahead"].high == 2**31 - 1 and math.isinf(listed.options["params"].high)


def test_an_answer_that_is_about_no_encoder_is_none() -> None:
    assert parse_encoder_options("Codec 'nonsense' is not recognized by FFmpeg.\n") is None


def test_the_installed_ffmpeg_is_read(ffmpeg) -> None:
    x264 = read_encoder_options(ffmpeg, "libx264")
    assert x264.options["crf"].type == "float" and "yuv420p" in x264.pixel_formats
    opus = read_encoder_options(ffmpeg, "libopus").options
    assert opus["application"].names == ("voip", "audio", "lowdelay") and opus["vbr"].names == (
        "off",
        "on",
        "constrained",
    )
    with pytest.raises(ToolMissingError, match="has no encoder h264_nothing"):
        read_encoder_options(ffmpeg, "h264_nothing")
