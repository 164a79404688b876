"""What a ladder plans: the folder of every rendition and the rates that its encodes will have.

Encoding and every template name a rendition's folder by `rendition_names`, so that what one writes the other finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from abr_alloc.allocation.rung import Rung
from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.errors import LadderFormatError, UnitError
from abr_alloc.units import parse_bitrate_kbps

__all__ = [
    "distinct_renditions",
    "nominal_kbps",
    "rendition_names",
]

VIDEO_CODECS = ("h264", "hevc", "av1")
AUDIO_CODECS = ("aac", "heaac", "heaacv2", "opus", "ac3", "eac3")
"""Codecs that a ladder file may hold."""

MAX_CHANNELS = 8
"""Most channels of an audio rendition."""

_LAYOUTS = {1: "-mono", 2: ""}


def distinct_renditions(rungs: Iterable[Rung]) -> tuple[list[VideoRendition], list[AudioRendition]]:
    """The video and the audio renditions of a ladder, each once, in the order of its rungs."""
    rungs = list(rungs)
    return list(dict.fromkeys(r.video for r in rungs)), list(dict.fromkeys(r.audio for r in rungs))


def rendition_names(rungs: Sequence[Rung]) -> dict[VideoRendition | AudioRendition, str]:
    """The folder of every rendition of a ladder, below the master playlist.

    Video: `video/640x360-900k`, by its rate, with the codec before the size where it is not H.264. Audio:
    `audio/aac-96k`, by the rate that its encoder is asked for, `audio/aac-64k-mono`, `audio/eac3-384k-6ch`. Renditions
    that would share a name are numbered by their place in the ladder: `audio/aac-96k-2`.

    Raises:
        LadderFormatError: a codec or a target is none that a ladder can hold.
    """
    names: dict[VideoRendition | AudioRendition, str] = {}
    videos, audios = distinct_renditions(rungs)
    renditions: list[VideoRendition | AudioRendition] = [*videos, *audios]
    for rendition in renditions:
        stem = name = _video_name(rendition) if isinstance(rendition, VideoRendition) else _audio_name(rendition)
        number = 1
        while name in names.values():
            number += 1
            name = f"{stem}-{number}"
        names[rendition] = name
    return names


def _video_name(video: VideoRendition) -> str:
    _check_codec(video.codec, VIDEO_CODECS, "video")
    codec = "" if video.codec == "h264" else f"{video.codec}-"
    return f"video/{codec}{int(video.width_px)}x{int(video.height_px)}-{max(1, round(video.bitrate_kbps))}k"


def _audio_name(audio: AudioRendition) -> str:
    _check_codec(audio.codec, AUDIO_CODECS, "audio")
    if not isinstance(audio.channels, int) or not 1 <= audio.channels <= MAX_CHANNELS:
        raise LadderFormatError(f"the ladder has audio of {audio.channels!r} channels; it can have 1 to {MAX_CHANNELS}")
    layout = _LAYOUTS.get(audio.channels, f"-{audio.channels}ch")
    return f"audio/{audio.codec}-{nominal_kbps(audio):.10g}k{layout}"


def _check_codec(codec: str, known: Sequence[str], kind: str) -> None:
    # The codec becomes part of a path and of scripts: nothing from a file gets there unknown.
    if codec not in known:
        raise LadderFormatError(f"the ladder has {kind} in {codec!r}, which is none of {', '.join(known)}")


def nominal_kbps(rendition: VideoRendition | AudioRendition) -> float:
    """The rate that an encoder is asked for, kbps; the measured one, rounded, where the target is no rate.

    Raises:
        LadderFormatError: the target is a rate that cannot be read.
    """
    kind, _, value = rendition.target.partition("=")
    if kind != "b":
        return max(1.0, float(round(rendition.bitrate_kbps)))
    try:
        return parse_bitrate_kbps(value)
    except UnitError as error:
        raise LadderFormatError(f"the ladder's target {rendition.target!r} cannot be read: {error}") from None
