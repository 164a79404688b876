"""Every option and argument that two commands share, once, and the checks on paths."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from abr_alloc import defaults
from abr_alloc.audio_families import AUDIO_FAMILIES
from abr_alloc.cli.completion import complete_model, complete_network
from abr_alloc.codecs import VIDEO_CODECS
from abr_alloc.encoders import default_encoder
from abr_alloc.errors import LocationError, UnitError
from abr_alloc.location import parse_location
from abr_alloc.shipped import NETWORKS
from abr_alloc.units import MAX_KBPS, parse_bitrate_kbps, parse_seconds

__all__ = [
    "BITRATE",
    "KBPS",
    "LOCATION",
    "PATH",
    "SECONDS",
    "FiniteRange",
    "audio_features_option",
    "audio_track_option",
    "cache_option",
    "catalogue_jobs_option",
    "cluster_option",
    "default_presets",
    "features_argument",
    "ffmpeg_option",
    "jobs_option",
    "ladder_option",
    "max_audio_option",
    "max_megapixels_option",
    "max_ratio_option",
    "measured_only_option",
    "min_ratio_option",
    "network_option",
    "planning",
    "round_option",
    "stall_timeout_option",
    "tolerance_option",
]


def default_presets() -> str:
    """The default preset of every video codec, for a help text: `h264 and hevc: fast, av1: 8`."""
    by_preset: dict[str, list[str]] = {}
    for codec in VIDEO_CODECS:
        by_preset.setdefault(default_encoder(codec).preset, []).append(codec)
    return ", ".join(f"{' and '.join(names)}: {preset}" for preset, names in by_preset.items())


class _Bitrate(click.ParamType):
    """Text like 500k or 2M, as kbps."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return parse_bitrate_kbps(str(value))
        except UnitError as error:
            self.fail(str(error), param, ctx)


class _Kbps(_Bitrate):
    """Text like 500k or 2M, or a bare number of kbps, for options whose name says kbps."""

    name = "kbps"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            bare = float(value)
        except (TypeError, ValueError):
            return super().convert(value, param, ctx)
        if not 0.0 < bare <= MAX_KBPS:
            self.fail(f"{value} kbps is not a positive rate", param, ctx)
        return bare


class _Seconds(click.ParamType):
    """Text like 5s or 1.5min, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return parse_seconds(str(value))
        except UnitError as error:
            self.fail(str(error), param, ctx)


class _StallTimeout(_Seconds):
    """Text like 15min as seconds, or 0."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        return 0.0 if value == "0" else super().convert(value, param, ctx)


class _Tolerance(click.ParamType):
    """Text like rate=5%,avq=0.1, as a `Tolerance`."""

    name = "tolerance"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from abr_alloc.delivery.deviation import Tolerance

        if isinstance(value, Tolerance):
            return value
        found: dict[str, float] = {}
        for part in str(value).split(","):
            match = re.fullmatch(r"\s*(rate|avq)=(\d+\.?\d*|\.\d+)(%?)\s*", part)
            number = float(match[2]) / (100.0 if match[3] else 1.0) if match else 0.0
            finite = 0.0 < number < math.inf
            if match is None or match[1] in found or not finite or (match[1] == "avq" and match[3]):
                self.fail(f"{part!r} is no tolerance; write rate=5%,avq=0.1, or one of the two", param, ctx)
            if match[1] == "rate" and number >= 1.0:
                self.fail(f"{part!r} is {100 * number:g} % of the rate; did you mean rate={match[2]}%?", param, ctx)
            found[match[1]] = number
        return Tolerance(**found)


class _Location(click.ParamType):
    """A path, or a URL like s3://bucket/key, as something that is used like a path."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        try:
            return parse_location(value)
        except LocationError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


class FiniteRange(click.FloatRange):
    """A range of floats that refuses NaN, which every comparison lets through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


class _LocalPath(click.Path):
    """A path of this machine; a URL would come to be one with a strange name."""

    def __init__(self, *, exists: bool = False) -> None:
        super().__init__(path_type=Path, exists=exists)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and "://" in value:
            self.fail(f"{value} is a URL, and this takes files of this machine (docs/cluster.md)", param, ctx)
        return super().convert(value, param, ctx)


BITRATE = _Bitrate()
KBPS = _Kbps()
LOCATION = _Location()
PATH = _LocalPath()
SECONDS = _Seconds()

cache_option = click.option(
    "--cache", "cache_dir", type=LOCATION, metavar="DIR|URL",
    help="Where measurements are kept; ABR_ALLOC_CACHE, or the user's cache folder, when absent.",
)  # fmt: skip
ffmpeg_option = click.option(
    "--ffmpeg", "ffmpeg_path", metavar="PATH", help="ffmpeg to use; ABR_ALLOC_FFMPEG, or the bundled one."
)
stall_timeout_option = click.option(
    "--stall-timeout", "stall_s", type=_StallTimeout(),
    default=f"{defaults.STALL_S / 60:g}min", show_default=True, metavar="DURATION",
    help="End an ffmpeg that has neither read nor written for so long; 0 for never.",
)  # fmt: skip
audio_track_option = click.option(
    "--audio-track", type=click.IntRange(min=1), metavar="N",
    help="Audio track of the source, counted from 1. [default: by what the file says: no commentary, its default one]",
)  # fmt: skip
max_megapixels_option = click.option(
    "--max-megapixels", type=FiniteRange(0.001, 1000), default=defaults.MAX_MEGAPIXELS, show_default=True,
    help="Refuse sources whose picture is larger: a small file can hold a very large one.",
)  # fmt: skip
features_argument = click.argument("features", type=LOCATION)

ladder_option = click.option(
    "--ladder", "ladder_path", type=PATH, metavar="LADDER.json|DIR",
    help="Ladders of `abr-alloc ladder -o`; designed with its defaults when absent.",
)  # fmt: skip

jobs_option = click.option(
    "--jobs", type=click.IntRange(1, 256), default=os.cpu_count() or 1,
    help="Worker processes; one per core by default.",
)  # fmt: skip

cluster_option = click.option(
    "--scheduler", metavar="tcp://HOST:PORT|tls://HOST:PORT",
    help="Work on the Dask cluster of this scheduler instead of processes of this machine (docs/cluster.md).",
)  # fmt: skip

catalogue_jobs_option = click.option(
    "--jobs", type=click.IntRange(1, 256), default=1, show_default=True,
    help="Processes for what is written as it comes (docs/catalogue.md).",
)  # fmt: skip

measured_only_option = click.option(
    "--measured-only", is_flag=True, help="Choose among the measured video renditions alone, no rates between them."
)

network_option = click.option(
    "--network", default=defaults.NETWORK, show_default=True, metavar="NETWORK", shell_complete=complete_network,
    help="Bandwidth of the audience: lognormal:median=RATE,sigma=NUMBER, a .csv file (kbps,weight), "
    f"{', '.join(list(NETWORKS)[:-1])} or {list(NETWORKS)[-1]}.",
)  # fmt: skip

max_audio_option = click.option(
    "--max-audio", type=click.IntRange(min=1), default=defaults.MAX_AUDIO, show_default=True,
    help="Most distinct audio renditions.",
)  # fmt: skip

min_ratio_option = click.option(
    "--min-ratio", type=FiniteRange(1, min_open=True), default=defaults.MIN_RATIO, show_default=True,
    help="Least ratio of the total rates of successive rungs.",
)  # fmt: skip

max_ratio_option = click.option(
    "--max-ratio", type=FiniteRange(1, min_open=True), default=defaults.MAX_RATIO, show_default=True,
    help="Largest ratio of the total rates of successive rungs.",
)  # fmt: skip

round_option = click.option(
    "--round", "round_kbps", type=KBPS, default=f"{defaults.ROUND_KBPS:g}k", show_default=True,
    help="Video rates are multiples of it.",
)  # fmt: skip

tolerance_option = click.option(
    "--tolerance", type=_Tolerance(),
    default=f"rate={100 * defaults.RATE_TOLERANCE:g}%,avq={defaults.AVQ_TOLERANCE_MOS:g}", show_default=True,
    metavar="rate=SHARE,avq=MOS",
    help="How far a rung's rate and AVQ may be from what was predicted; either may be left out.",
)  # fmt: skip

_PLANNING = (
    click.option(
        "--model", "model_name", default=defaults.MODEL, show_default=True, metavar="NAME|PATH",
        shell_complete=complete_model,
        help="A model that ships, or a checkpoint folder.",
    ),
    click.option(
        "--overhead", type=FiniteRange(0, 1), default=defaults.OVERHEAD, show_default=True,
        help="Container overhead, as a share of the streams' rate.",
    ),
    click.option("--title", "titles", multiple=True, help="Only this title (repeatable)."),
    click.option("--scene", "scenes", type=int, multiple=True, help="Only this scene (repeatable)."),
    click.option("--video-codec", "video_codecs", multiple=True, help="Only this video codec (repeatable)."),
    click.option(
        "--encoder", "video_encoders", multiple=True, metavar="NAME",
        help="Only video of this encoder (repeatable, docs/encoders.md); a codec's name for its usual one.",
    ),
    click.option("--audio-codec", "audio_codecs", multiple=True, help="Only this audio codec (repeatable)."),
    click.option("--min-height", "min_height_px", type=click.IntRange(min=1), help="Lowest video rendition, pixels."),
    click.option(
        "--max-height", "max_height_px", type=click.IntRange(min=1), help="Highest video rendition, pixels."
    ),
    click.option(
        "--language-policy", type=click.Choice(["first", "worst"]), default="first", show_default=True,
        help="Of several audio tracks of a title, whose measurements count: the first, or what sounds worst.",
    ),
)  # fmt: skip


def audio_features_option(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--audio-features`, with what its absence means in words."""
    return click.option(
        "--audio-features", type=click.Choice(list(AUDIO_FAMILIES)),
        help="Who hears the audio: ViSQOL, or the project's own listener, which is quicker (docs/measure.md). A table "
        f"holds the features of one, and most models read those of one. [default: {default}]",
    )  # fmt: skip


def planning(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that plans: model, overhead, and what `filters.select` filters by."""
    for option in reversed(_PLANNING):
        command = option(command)
    return command
