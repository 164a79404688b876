"""Job settings against the service's own model: required fields, types, enumerations, ranges and patterns."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import botocore.loaders
import botocore.model
import botocore.validate
import pytest

from abr_alloc.errors import ExportError
from abr_alloc.exporting.mediaconvert import FILE_INPUT, ROLE, mediaconvert_job
from abr_alloc.exporting.planned import load_plan
from abr_alloc.formats.ladder_file import read_ladders


@pytest.fixture(scope="module")
def shape() -> botocore.model.StructureShape:
    """The input of CreateJob."""
    model = botocore.loaders.Loader().load_service_model("mediaconvert", "service-2")
    return botocore.model.ServiceModel(model, "mediaconvert").operation_model("CreateJob").input_shape


def check(value: Any, shape: Any, where: str = "job") -> None:
    """What botocore leaves to the service: enumerations, ranges, patterns, whole numbers, within the model's own."""
    if shape.type_name == "structure":
        assert set(value) <= set(shape.members), f"{where}: {set(value) - set(shape.members)}"
        for name, item in value.items():
            check(item, shape.members[name], f"{where}.{name}")
    elif shape.type_name == "list":
        for number, item in enumerate(value):
            check(item, shape.member, f"{where}[{number}]")
    elif shape.type_name == "map":
        for name, item in value.items():
            check(item, shape.value, f"{where}[{name!r}]")
    elif shape.type_name == "string":
        assert not shape.enum or value in shape.enum, f"{where}: {value} is none of {shape.enum}"
        assert re.search(shape.metadata.get("pattern", ""), value), f"{where}: {value}"
        assert len(value) >= shape.metadata.get("min", 0), where
    elif shape.type_name in ("integer", "long"):
        assert type(value) is int, where
        assert shape.metadata.get("min", value) <= value <= shape.metadata.get("max", value), f"{where}: {value}"


def assert_valid(job: dict[str, Any], shape: Any) -> None:
    report = botocore.validate.ParamValidator().validate(job, shape)
    assert not report.has_errors(), report.generate_report()
    check(job, shape)


def outputs_of(job: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Its video and its audio outputs."""
    (group,) = job["Settings"]["OutputGroups"]
    video = [output for output in group["Outputs"] if "VideoDescription" in output]
    audio = [output for output in group["Outputs"] if "AudioDescriptions" in output]
    assert len(video) + len(audio) == len(group["Outputs"])
    assert not [output for output in video if "AudioDescriptions" in output]
    return video, audio


@pytest.mark.parametrize("codecs", [("h264", "aac"), ("hevc", "aac"), ("hevc", "heaac"), ("h264", "heaacv2")])
def test_the_service_takes_the_job(codecs, small_plan, shape):
    assert_valid(mediaconvert_job(small_plan(*codecs, fps=Fraction(30000, 1001))), shape)


def test_dolbys_codecs_are_asked_for_at_their_rate(rung, plan, shape):
    rungs = [
        rung(audio={"codec": codec, "channels": channels, "target": f"b={kbps}k"})
        for codec, channels, kbps in (("ac3", 2, 192), ("ac3", 1, 96), ("eac3", 2, 128), ("eac3", 1, 64))
    ]
    job = mediaconvert_job(plan(*rungs))
    assert_valid(job, shape)
    settings = [output["AudioDescriptions"][0]["CodecSettings"] for output in outputs_of(job)[1]]
    found = [(s["Codec"], s.get("Ac3Settings") or s["Eac3Settings"]) for s in settings]
    assert [(codec, s["CodingMode"], s["Bitrate"]) for codec, s in found] == [
        ("AC3", "CODING_MODE_2_0", 192_000),
        ("AC3", "CODING_MODE_1_0", 96_000),
        ("EAC3", "CODING_MODE_2_0", 128_000),
        ("EAC3", "CODING_MODE_1_0", 64_000),
    ]


def test_the_check_of_this_file_finds_what_botocore_lets_through(small_plan, shape):
    job = mediaconvert_job(small_plan())
    job["Settings"]["OutputGroups"][0]["OutputGroupSettings"]["Type"] = "CMAF"
    assert not botocore.validate.ParamValidator().validate(job, shape).has_errors()
    with pytest.raises(AssertionError, match="CMAF is none of"):
        check(job, shape)


@pytest.mark.parametrize("title", ["bbb-rabbit-wakes-720p", "cartoon-veo-carnival-720p", "handheld-toy-rabbit-480p"])
def test_the_service_takes_the_rungs_that_ship_whose_audio_it_has(title, shape, example):
    path = example.parents[1] / "ladders" / "titles" / f"{title}.json"
    (ladder,) = read_ladders(path)
    with pytest.raises(ExportError, match="no aac of 2 channels at 48 kbps"):
        mediaconvert_job(load_plan(path, ladder))
    kept = tuple(rung for rung in ladder.rungs if rung.audio.bitrate_kbps > 60.0)
    assert_valid(mediaconvert_job(load_plan(path, replace(ladder, rungs=kept))), shape)


def test_every_video_names_exactly_the_audio_groups_of_its_rungs(small_plan):
    plan = small_plan()
    video, audio = outputs_of(mediaconvert_job(plan))
    kbps = {
        output["ContainerSettings"]["CmfcSettings"]["AudioGroupId"]: output["AudioDescriptions"][0]["CodecSettings"][
            "AacSettings"
        ]["Bitrate"]
        for output in audio
    }
    assert len(kbps) == len(audio) == 2
    found = {
        (output["VideoDescription"]["CodecSettings"]["H264Settings"]["Bitrate"], kbps[group])
        for output in video
        for group in output["ContainerSettings"]["CmfcSettings"]["AudioRenditionSets"].split(",")
    }
    assert found == {(60_000, 64_000), (200_000, 64_000), (200_000, 128_000)}


def test_outputs_have_names_of_their_own_and_one_default_audio(small_plan):
    video, audio = outputs_of(mediaconvert_job(small_plan()))
    names = [output["NameModifier"] for output in [*video, *audio]]
    assert len(set(names)) == len(names)
    tracks = [output["ContainerSettings"]["CmfcSettings"]["AudioTrackType"] for output in audio]
    assert tracks.count("ALTERNATE_AUDIO_AUTO_SELECT_DEFAULT") == 1


def test_groups_of_pictures_are_closed_fixed_and_two_seconds_long(small_plan):
    job = mediaconvert_job(small_plan(fps=Fraction(30000, 1001)))
    for output in outputs_of(job)[0]:
        settings = output["VideoDescription"]["CodecSettings"]["H264Settings"]
        assert (settings["GopSizeUnits"], settings["GopSize"]) == ("FRAMES", 60)
        assert (settings["GopClosedCadence"], settings["MinIInterval"]) == (1, 0)
        assert settings["SceneChangeDetect"] == "DISABLED"
        assert (settings["FramerateNumerator"], settings["FramerateDenominator"]) == (30000, 1001)
        assert settings["MaxBitrate"] == 1.5 * settings["Bitrate"]


def test_what_a_user_must_fill_is_a_placeholder(small_plan):
    job = mediaconvert_job(small_plan())
    assert job["Role"] == ROLE
    assert job["Settings"]["Inputs"][0]["FileInput"] == FILE_INPUT


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"video": {"codec": "av1"}}, "not av1"),
        ({"audio": {"codec": "opus"}}, "not opus"),
        ({"audio": {"codec": "flac"}}, "not flac"),
        ({"audio": {"codec": "ac3", "target": "b=96k"}}, "AC3 of 2 channels at 128 to 384 kbps in steps of 8, not 96"),
        ({"audio": {"codec": "eac3", "target": "b=100k"}}, "EAC3 of 2 channels at 96 to 3024 kbps in steps of 8, not"),
        ({"audio": {"codec": "eac3", "channels": 6}}, "no EAC3 of 6 channels here"),
        ({"audio": {"target": "b=100k"}}, "at 100 kbps and 48 kHz, the nearest rate is 96"),
        ({"audio": {"target": "b=48k"}}, "at 48 kbps and 48 kHz, the nearest rate is 64"),
        ({"audio": {"channels": 5}}, "AAC of 5 channels"),
        ({"video": {"width_px": 30, "height_px": 16}}, "not 30x16"),
        ({"video": {"width_px": 7680, "height_px": 4320}}, "not 7680x4320"),
        ({"video": {"bitrate_kbps": 0.5}}, "kbps, not 0.5"),
    ],
)
def test_what_the_service_cannot_take_is_refused_in_one_line(changed, named, rung, plan):
    with pytest.raises(ExportError, match=named) as refused:
        mediaconvert_job(plan(rung(**changed)))
    assert "\n" not in str(refused.value)
