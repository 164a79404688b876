"""Codecs: every module that has a table of its own by codec knows every codec, or may say that it does not take it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from abr_alloc.codecs import AUDIO_CODECS, ENCODED_AUDIO, VIDEO_CODECS
from abr_alloc.exporting import codec_strings, ffmpeg_script, mediaconvert, shaka_streamer
from abr_alloc.exporting.codec_strings import STANDARDS, video_codec_string
from abr_alloc.media.codecs_parameters import CODECS_PARAMETERS
from abr_alloc.models.audio_quality import CURVES
from abr_alloc.software_encoders import SOFTWARE_ENCODERS


def in_order(codecs, *names: str) -> bool:
    return [codec for codec in codecs if codec in names] == [*names]


def test_the_order_is_that_of_how_widely_they_are_played() -> None:
    """Of two ladders that are as good, the one in the earlier codecs is offered."""
    assert in_order(VIDEO_CODECS, "h264", "hevc", "vp9", "av1", "vvc")
    assert in_order(AUDIO_CODECS, "aac", "heaac", "heaacv2", "opus", "ac3", "eac3", "flac")


def test_what_ffmpeg_itself_encodes_comes_first() -> None:
    assert in_order(ENCODED_AUDIO, "aac", "opus", "ac3", "eac3", "flac", "heaac", "heaacv2")


@pytest.mark.parametrize("codec", [*VIDEO_CODECS.values(), *AUDIO_CODECS.values()], ids=lambda codec: codec.name)
def test_a_record_has_the_name_that_it_is_found_by(codec) -> None:
    assert (VIDEO_CODECS if codec.name in VIDEO_CODECS else AUDIO_CODECS)[codec.name] is codec


@pytest.mark.parametrize("encoder", SOFTWARE_ENCODERS.values(), ids=lambda encoder: encoder.name)
def test_an_encoder_has_its_default_preset_and_ranges(encoder) -> None:
    assert encoder.default_preset in encoder.presets
    for low, high in encoder.values.values():
        assert 0 <= low < high


@pytest.mark.parametrize("codec", VIDEO_CODECS.values(), ids=lambda codec: codec.name)
def test_a_video_codec_has_an_encoder(codec) -> None:
    assert SOFTWARE_ENCODERS[codec.encoder].codec == codec.name


def test_only_h264_gives_up_the_depth_of_the_source_and_only_vvc_raises_it() -> None:
    kept = {name for name, codec in VIDEO_CODECS.items() if codec.pixel_format("yuv420p10le") == "yuv420p10le"}
    assert kept == {*VIDEO_CODECS} - {"h264"}
    assert VIDEO_CODECS["h264"].pixel_format("yuv420p10le") == "yuv420p"
    assert {name for name, codec in VIDEO_CODECS.items() if codec.pixel_format("yuv420p") != "yuv420p"} == {"vvc"}


@pytest.mark.parametrize(
    ("encoder", "options", "params"),
    [
        ("libx264", "-keyint_min 50 -sc_threshold 0 -flags +cgop -threads 3 -pass 2 -passlogfile pass", ""),
        (
            "libx265",
            "-tag:v hvc1",
            "keyint=50:min-keyint=50:scenecut=0:open-gop=0:pools=3:log-level=error:pass=2:stats=pass.log",
        ),
        ("libvpx-vp9", "-keyint_min 50 -threads 3 -pass 2 -passlogfile pass", ""),
        ("libsvtav1", "", "lp=3:scd=0:irefresh-type=2"),
        ("libaom-av1", "-keyint_min 50 -threads 3 -pass 2 -passlogfile pass", ""),
        ("libvvenc", "-threads 3 -pass 2 -passlogfile pass", "intraperiod=50:refreshtype=idr_no_radl"),
    ],
)
def test_an_encode_for_delivery_has_closed_gops_of_one_length(encoder: str, options: str, params: str) -> None:
    words = SOFTWARE_ENCODERS[encoder].delivery(50, 3, 2)
    assert (" ".join(words.options), words.params) == (options, params)


def test_one_thread_of_x265_is_one_frame_at_a_time() -> None:
    assert ":frame-threads=1:" in SOFTWARE_ENCODERS["libx265"].delivery(50, 1, 1).params


@pytest.mark.parametrize(
    ("codec", "entry"), [("aac", "mp4a"), ("heaacv2", "mp4a"), ("opus", "opus"), ("eac3", "ec-3"), ("flac", "fLaC")]
)
def test_a_sample_entry_is_what_the_codecs_parameter_begins_with(codec: str, entry: str) -> None:
    assert AUDIO_CODECS[codec].sample_entry == entry


# What only one module knows of a codec lies there. A codec that is missing from one of these would fail in it; formats
# of other programs need not have it, and refuse a ladder of it by name.


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_every_video_codec_is_read_and_named(codec: str) -> None:
    assert codec in CODECS_PARAMETERS, "media/codecs_parameters.py: how a player is told of a stream of it"
    assert codec in STANDARDS, "exporting/codec_strings.py: the levels of its standard"
    assert video_codec_string(codec, STANDARDS[codec].levels[-1])


@pytest.mark.parametrize("codec", AUDIO_CODECS)
def test_every_audio_codec_is_read_and_has_a_quality(codec: str) -> None:
    named = codec if AUDIO_CODECS[codec].sample_entry != "mp4a" else "aac"  # ffmpeg's profiles of one codec
    assert named in CODECS_PARAMETERS, "media/codecs_parameters.py: how a player is told of a stream of it"
    if AUDIO_CODECS[codec].is_lossless:
        assert codec not in CURVES, "it is transparent at every rate"
    else:
        assert codec in CURVES, "models/audio_quality.py: what it is worth at a rate"


@pytest.mark.parametrize(
    ("module", "video", "audio"),
    [
        (codec_strings, codec_strings.STANDARDS, ()),
        (ffmpeg_script, ffmpeg_script.CLOSED_GOPS, ()),
        (mediaconvert, mediaconvert.VIDEO, (*mediaconvert.PROFILES, *mediaconvert.DOLBY)),
        (shaka_streamer, shaka_streamer.VIDEO, shaka_streamer.AUDIO),
    ],
    ids=lambda of: getattr(of, "__name__", ""),
)
def test_a_format_knows_no_codec_that_has_no_record(module, video, audio) -> None:
    assert {*video} <= {*VIDEO_CODECS} and {*audio} <= {*AUDIO_CODECS}


def test_records_are_facts_and_import_nothing() -> None:
    """So floors that run no ffmpeg may read them."""
    code = "import sys, abr_alloc.codecs; print(sorted(n for n in sys.modules if n.startswith('abr_alloc.')))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['abr_alloc.codecs']"
