"""Parameters that an error names, as options of the command line.

The floors below are called from Python too, so their messages name what to change by the parameter's name, in
backticks: "raise `budget_kbps`". Here, and only here, such a name becomes the option, "raise --budget": where the shell
prints, and in what a command writes.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from abr_alloc.errors import InfeasibleLimits, InfeasibleScene

__all__ = ["OPTIONS", "infeasible_object", "with_options"]

_SAME = (
    "drop",
    *("audio", "audio_columns", "audio_only", "audio_track", "cache", "compare", "exclude_audio_below", "ffmpeg"),
    *("audio_features", "audio_languages", "subtitle_languages", "subtitles"),
    *("fps", "jobs", "ladder", "language", "max_audio", "max_kbps", "max_ratio", "min_kbps", "min_ratio", "model"),
    *("mos_range", "network", "phones", "pool", "preset"),
    *(
        "per",
        "scheduler",
        "shared",
        "sizes",
        "source",
        "steps",
        "system",
        "trials",
        "video_columns",
        "vmaf_log",
        "within",
    ),
)
"""Parameters whose option has their name."""

OPTIONS = {
    **{name: f"--{name.replace('_', '-')}" for name in _SAME},
    "allow_commands": "--allow-commands",
    "audio_codecs": "--audio-codec",
    "budget_kbps": "--budget",
    "cost_budget": "--cost-budget",
    "duration_s": "--duration",
    "extract(full)": "extract --full",
    "extract(probes)": "extract --probes all",
    "folder": "-o",
    "free_size": "--free-size",
    "gop_s": "--gop",
    "ladder(max_height_px)": "`ladder --max-height`",
    "max_height_px": "--max-height",
    "max_pixels": "--max-megapixels",
    "max_rate_kbps": "--max-rate",
    "max_step_mos": "--max-step",
    "min_avq_mos": "--min-avq",
    "min_height_px": "--min-height",
    "num_rungs": "--rungs",
    "output": "-o",
    "peak_kbps": "--peak",
    "prices": "--cost",
    "round_kbps": "--round",
    "scenes": "--scene",
    "segment_s": "--segment",
    "shots": "--per-shot",
    "sides_px": "--rates",
    "single_file": "--single-file",
    "sources": "--source",
    "stall_s": "--stall-timeout",
    "surround_codecs": "--surround",
    "surround_share": "--surround",
    "tone_map": "--tone-map",
    "titles": "--title",
    "video_codecs": "--video-codec",
    "video_encoders": "--encoder",
}
"""Every parameter that a message may name, and its option."""

_NAME = re.compile("`([a-z_()]+)`")


def with_options(text: str) -> str:
    """A message with the options of the command line in place of the parameters that it names in backticks."""
    return _NAME.sub(lambda match: OPTIONS.get(match[1], match[0]), text)


def infeasible_object(found: InfeasibleScene | InfeasibleLimits) -> dict[str, Any]:
    """A scene or title that nothing fits, for JSON and for tables."""
    fields = dataclasses.asdict(found)
    return fields | {name: with_options(fields[name]) for name in ("reason", "hint") if name in fields}
