"""Configuration files of Shaka Streamer: what it reads, how it encodes, and the ladder's rates.

Shaka Streamer knows one rate per codec of a named resolution and of a named channel layout, and encodes every name
in every codec. So every rendition gets a name of its own (`360x240-90k`, `aac-96k`), and a ladder must keep to one
video and one audio codec. It cannot pair: all audio of a codec lies in one HLS group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from abr_alloc.errors import ExportError
from abr_alloc.exporting.planned import (
    LadderPlan,
    distinct_renditions,
    nominal_kbps,
    rendition_names,
    require_codecs,
)
from abr_alloc.exporting.presentation import SEGMENT_S

__all__ = ["AUDIO", "SOURCE", "VIDEO", "shaka_streamer_files"]

SOURCE = "SOURCE.mp4"
"""Placeholder that a user must fill."""

VIDEO, AUDIO = ("h264", "hevc", "av1"), ("aac", "opus", "ac3", "eac3", "flac")
"""Codecs that it encodes, by names that are ours too."""

_LIMITS = """\
Shaka Streamer has one rate per resolution name and per layout name: each rendition of
the ladder has a name of its own in bitrates.yaml. It asks the encoder for a mean rate
only, sets key frames as far apart as segments are long, takes the width from the
source's shape, and cannot pair: a player may play any video with any audio. These are
the ladder's pairs:"""


def shaka_streamer_files(plan: LadderPlan) -> dict[str, str]:
    """Text of `input.yaml`, `pipeline.yaml` and `bitrates.yaml`, by name.

    Raises:
        ExportError: a codec that it does not encode, more than one codec, or two renditions of one size and rate.
    """
    require_codecs(plan.rungs, "Shaka Streamer", VIDEO, AUDIO)
    videos, audios = distinct_renditions(plan.rungs)
    video_codec = _only("video", [video.codec for video in videos])
    audio_codec = _only("audio", [audio.codec for audio in audios])
    names = {rendition: name.partition("/")[2] for rendition, name in rendition_names(plan.rungs).items()}
    resolutions = {
        names[v]: {
            "max_width": int(v.width_px),
            "max_height": int(v.height_px),
            "bitrates": {v.codec: _rate(v.bitrate_kbps)},
        }
        for v in videos
    }
    layouts = {
        names[a]: {"max_channels": a.channels, "bitrates": {a.codec: _rate(nominal_kbps(a))}} for a in audios
    }  # fmt: skip
    if len({(a.channels, nominal_kbps(a)) for a in audios}) < len(audios):
        raise ExportError(
            "Shaka Streamer names an audio file by its channels and rate, and two renditions of the ladder share them; "
            "leave one out of the grid"
        )
    # Names smaller than the input's are encoded; so the input is said to be as large as the largest.
    largest = max(videos, key=lambda v: (v.width_px, v.height_px))
    widest = max(audios, key=lambda a: a.channels)
    inputs = [
        {
            "name": SOURCE,
            "media_type": "video",
            "frame_rate": float(plan.fps),
            "resolution": names[largest],
            "is_interlaced": False,
        },
        {"name": SOURCE, "media_type": "audio", "channel_layout": names[widest]},
    ]
    pipeline = {
        "streaming_mode": "vod",
        "resolutions": list(resolutions),
        "channel_layouts": list(layouts),
        "video_codecs": [video_codec],
        "audio_codecs": [audio_codec],
        "manifest_format": ["dash", "hls"],
        "segment_size": int(SEGMENT_S),
        "segment_per_file": True,
    }
    pairs = "\n".join(f"    {names[rung.video]} with {names[rung.audio]}" for rung in plan.rungs)
    return {
        "input.yaml": _text(plan.title, f"Put the name of the film in place of {SOURCE}.", {"inputs": inputs}),
        "pipeline.yaml": _text(plan.title, f"{_LIMITS}\n{pairs}", pipeline),
        "bitrates.yaml": _text(
            plan.title,
            "Rates of the ladder, by the names that pipeline.yaml lists.",
            {"audio_channel_layouts": layouts, "video_resolutions": resolutions},
        ),
    }


def _only(kind: str, codecs: Sequence[str]) -> str:
    found = list(dict.fromkeys(codecs))
    if len(found) > 1:
        raise ExportError(
            f"Shaka Streamer encodes every rendition in every codec, and the ladder has {kind} in {', '.join(found)}; "
            f"design it with `{kind}_codecs` {found[0]}"
        )
    return found[0]


def _rate(kbps: float) -> str:
    return f"{kbps:.10g}k"


def _text(title: str, comment: str, content: dict[str, Any]) -> str:
    lines = [title, *comment.splitlines()]
    return "".join(f"# {line}\n" for line in lines) + yaml.safe_dump(content, sort_keys=False)
