"""Settings of an AWS Elemental MediaConvert job (the request of CreateJob, API version 2017-08-29).

One CMAF output group: an output per video, an output per audio rendition with an audio group of its own, and every
video names the groups of its rungs, so that the HLS manifest holds the ladder's pairs and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.encoders import GOP_S
from abr_alloc.errors import ExportError
from abr_alloc.exporting.planned import (
    LadderPlan,
    distinct_renditions,
    nominal_kbps,
    rendition_names,
    require_codecs,
)
from abr_alloc.exporting.presentation import SEGMENT_S
from abr_alloc.media.coding import PEAK_RATIO, SAMPLE_RATE_HZ, VBV_RATIO

__all__ = ["DESTINATION", "FILE_INPUT", "PROFILES", "ROLE", "VIDEO", "Video", "mediaconvert_job"]

ROLE = "arn:aws:iam::ACCOUNT:role/ROLE"
FILE_INPUT, DESTINATION = "s3://BUCKET/SOURCE", "s3://BUCKET/FOLDER/"
"""Placeholders that a user must fill."""

# Steps of AacSettings.Bitrate, kbps, as the API reference lists them.
_AAC_KBPS = (
    *(6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 288, 320),
    *(384, 448, 512, 576, 640, 768, 896, 1024),
)
PROFILES = {"aac": "LC", "heaac": "HEV1", "heaacv2": "HEV2"}
"""Its names of the AAC profiles."""
DOLBY = {"ac3": "AC3", "eac3": "EAC3"}
"""Its names of Dolby's codecs. Opus goes into WebM only, not into CMAF."""
_CODING_MODES = {1: "CODING_MODE_1_0", 2: "CODING_MODE_2_0", 6: "CODING_MODE_5_1"}
# At 48 kHz, constant rate (user guide, "AAC output reference tables"), by profile and channels; HE-AAC starts lower.
_LEAST_AAC_KBPS = {("LC", 1): 56, ("LC", 2): 64}
# Least and largest rate by codec and channels (API reference, Ac3Settings and Eac3Settings), in steps of 8 kbps.
_DOLBY_KBPS = {("ac3", 1): (64, 128), ("ac3", 2): (128, 384), ("eac3", 1): (32, 3024), ("eac3", 2): (96, 3024)}
_DOLBY_STEP_KBPS = 8
_MIN_SIDE_PX = 32
_MAX_BITS_PER_S = 1_152_000_000
_SELECTOR = "Audio Selector 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A video codec as MediaConvert has it."""

    name: str
    """Its word for the codec."""
    settings: str
    """Key of the codec's settings."""
    own: Mapping[str, str]
    """Settings of this codec alone."""
    max_sides_px: tuple[int, int]
    """The largest picture's long and short side, pixels."""


VIDEO = {
    "h264": Video(
        name="H_264",
        settings="H264Settings",
        own={"CodecProfile": "HIGH", "CodecLevel": "AUTO"},
        max_sides_px=(4096, 2160),
    ),
    "hevc": Video(
        name="H_265",
        settings="H265Settings",
        own={"CodecProfile": "MAIN_MAIN", "CodecLevel": "AUTO", "WriteMp4PackagingType": "HVC1"},
        max_sides_px=(8192, 4320),
    ),
}
"""By codec; AV1 is encoded there at a quality or a constant rate only."""


def mediaconvert_job(plan: LadderPlan) -> dict[str, Any]:
    """The settings, ready for `aws mediaconvert create-job --cli-input-json` once its placeholders are filled.

    Raises:
        ExportError: MediaConvert has no setting for a codec, a size or a rate of the ladder.
    """
    require_codecs(plan.rungs, "MediaConvert", tuple(VIDEO), (*PROFILES, *DOLBY))
    names = rendition_names(plan.rungs)
    videos, audios = distinct_renditions(plan.rungs)
    groups = {audio: names[audio].replace("/", "-") for audio in audios}
    outputs = []
    for video in videos:
        paired = dict.fromkeys(groups[rung.audio] for rung in plan.rungs if rung.video == video)
        outputs.append(_video_output(video, names[video], list(paired), plan))
    for number, audio in enumerate(audios):
        outputs.append(_audio_output(audio, names[audio], groups[audio], first=number == 0))
    return {
        "Role": ROLE,
        "Settings": {
            "TimecodeConfig": {"Source": "ZEROBASED"},
            "Inputs": [
                {
                    "FileInput": FILE_INPUT,
                    "TimecodeSource": "ZEROBASED",
                    "AudioSelectors": {_SELECTOR: {"DefaultSelection": "DEFAULT"}},
                    "VideoSelector": {},
                }
            ],
            "OutputGroups": [
                {
                    "Name": "CMAF",
                    "OutputGroupSettings": {"Type": "CMAF_GROUP_SETTINGS", "CmafGroupSettings": _group_settings()},
                    "Outputs": outputs,
                }
            ],
        },
    }


def _group_settings() -> dict[str, Any]:
    return {
        "Destination": DESTINATION,
        "SegmentControl": "SEGMENTED_FILES",
        "SegmentLength": int(SEGMENT_S),
        "SegmentLengthControl": "GOP_MULTIPLE",
        "FragmentLength": int(GOP_S),
        "WriteHlsManifest": "ENABLED",
        "WriteDashManifest": "ENABLED",
        "ManifestDurationFormat": "FLOATING_POINT",
        "StreamInfResolution": "INCLUDE",
        "CodecSpecification": "RFC_6381",
    }


def _video_output(video: VideoRendition, name: str, groups: list[str], plan: LadderPlan) -> dict[str, Any]:
    bits_per_s = round(1000 * video.bitrate_kbps)
    width_px, height_px = int(video.width_px), int(video.height_px)
    codec = VIDEO[video.codec]
    long_px, short_px = codec.max_sides_px
    if not (_MIN_SIDE_PX <= min(width_px, height_px) <= short_px and max(width_px, height_px) <= long_px):
        raise ExportError(
            f"MediaConvert encodes {video.codec} from {_MIN_SIDE_PX}x{_MIN_SIDE_PX} to {long_px}x{short_px} px, "
            f"not {width_px}x{height_px}; design the ladder with other `sizes`"
        )
    if not 1000 <= bits_per_s <= VBV_RATIO * bits_per_s <= _MAX_BITS_PER_S:
        raise ExportError(
            f"MediaConvert takes video of 1 to {_MAX_BITS_PER_S / 1000 / VBV_RATIO:g} kbps, not "
            f"{video.bitrate_kbps:g}; design the ladder with other `min_kbps` and `max_kbps`"
        )
    settings = {
        "RateControlMode": "VBR",
        "QualityTuningLevel": "MULTI_PASS_HQ",
        "Bitrate": bits_per_s,
        "MaxBitrate": round(PEAK_RATIO * bits_per_s),
        "HrdBufferSize": round(VBV_RATIO * bits_per_s),
        "FramerateControl": "SPECIFIED",
        "FramerateNumerator": plan.fps.numerator,
        "FramerateDenominator": plan.fps.denominator,
        "FramerateConversionAlgorithm": "DUPLICATE_DROP",
        "GopSizeUnits": "FRAMES",
        "GopSize": float(plan.gop_frames),
        "GopClosedCadence": 1,  # every group of pictures is closed
        "MinIInterval": 0,  # no group is shortened or lengthened near a cut
        "SceneChangeDetect": "DISABLED",
        "InterlaceMode": "PROGRESSIVE",
        "ParControl": "SPECIFIED",
        "ParNumerator": 1,
        "ParDenominator": 1,
    }
    encoding = {"Codec": codec.name, codec.settings: {**codec.own, **settings}}
    return {
        "NameModifier": f"-{name.replace('/', '-')}",
        "ContainerSettings": {"Container": "CMFC", "CmfcSettings": {"AudioRenditionSets": ",".join(groups)}},
        "VideoDescription": {"Width": width_px, "Height": height_px, "CodecSettings": encoding},
    }


def _audio_output(audio: AudioRendition, name: str, group: str, *, first: bool) -> dict[str, Any]:
    # Only one rendition of the group of outputs may be the default.
    track = "ALTERNATE_AUDIO_AUTO_SELECT_DEFAULT" if first else "ALTERNATE_AUDIO_AUTO_SELECT"
    settings = _aac(audio) if audio.codec in PROFILES else _dolby(audio)
    return {
        "NameModifier": f"-{name.replace('/', '-')}",
        "ContainerSettings": {
            "Container": "CMFC",
            "CmfcSettings": {"AudioGroupId": group, "AudioTrackType": track},
        },
        "AudioDescriptions": [{"AudioSourceName": _SELECTOR, "CodecSettings": settings}],
    }


def _aac(audio: AudioRendition) -> dict[str, Any]:
    kbps = nominal_kbps(audio)
    profile = PROFILES[audio.codec]
    if audio.channels not in _CODING_MODES:
        raise ExportError(f"MediaConvert has no AAC of {audio.channels} channels; leave that audio out of the grid")
    steps = [step for step in _AAC_KBPS if step >= _LEAST_AAC_KBPS.get((profile, audio.channels), 0)]
    if kbps not in steps:
        nearest = min(steps, key=lambda step: abs(step - kbps))
        raise ExportError(
            f"MediaConvert has no {audio.codec} of {audio.channels} channels at {kbps:g} kbps and 48 kHz, the nearest "
            f"rate is {nearest}; probe that one in the grid instead"
        )
    aac = {
        "CodecProfile": profile,
        "RateControlMode": "CBR",
        "Bitrate": round(1000 * kbps),
        "CodingMode": _CODING_MODES[audio.channels],
        "SampleRate": SAMPLE_RATE_HZ,
    }
    return {"Codec": "AAC", "AacSettings": aac}


def _dolby(audio: AudioRendition) -> dict[str, Any]:
    """Mono and stereo of one rate; without metadata of the source, whose loudness they would follow."""
    kbps, codec = nominal_kbps(audio), DOLBY[audio.codec]
    span = _DOLBY_KBPS.get((audio.codec, audio.channels))
    if span is None:
        raise ExportError(
            f"MediaConvert has no {codec} of {audio.channels} channels here; leave that audio out of the grid"
        )
    low, high = span
    if not low <= kbps <= high or kbps % _DOLBY_STEP_KBPS:
        raise ExportError(
            f"MediaConvert takes {codec} of {audio.channels} channels at {low} to {high} kbps in steps of "
            f"{_DOLBY_STEP_KBPS}, not {kbps:g}; probe such a rate in the grid instead"
        )
    settings = {
        "Bitrate": round(1000 * kbps),
        "CodingMode": _CODING_MODES[audio.channels],
        "SampleRate": SAMPLE_RATE_HZ,
        "MetadataControl": "USE_CONFIGURED",
    }
    return {"Codec": codec, f"{codec.capitalize()}Settings": settings}
