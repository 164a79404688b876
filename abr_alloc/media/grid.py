"""Grids: which renditions to probe. The TOML format is described in docs/formats.md.

A grid names sizes by their short side, so that it serves landscape and portrait sources alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from abr_alloc.codecs import AUDIO_CODECS, ENCODED_AUDIO, VIDEO_CODECS
from abr_alloc.documents import parse_toml, shown, text_of, whole_of
from abr_alloc.errors import GridError, UnitError
from abr_alloc.location import read_bytes
from abr_alloc.media.probe import MediaInfo
from abr_alloc.shipped import grid_names, read_grid
from abr_alloc.targets import Target

__all__ = ["AudioTarget", "Grid", "VideoTarget", "load_grid"]

_MOST_PX = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTarget:
    """One video rendition to probe."""

    codec: str
    """One of `VIDEO_CODECS`."""
    width_px: int
    """Width, pixels."""
    height_px: int
    """Height, pixels."""
    target: str
    """What the encoder is asked for: `crf=28` or `b=500k`."""
    preset: str
    """The encoder's preset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTarget:
    """One audio rendition to probe."""

    codec: str
    """One of `ENCODED_AUDIO`."""
    channels: int
    """1 or 2."""
    target: str
    """What the encoder is asked for: `b=64k`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Renditions to probe, before they meet a source."""

    name: str
    """Its name."""
    text: str
    """The TOML text that it was read from; its hash goes into the table."""
    sizes_px: tuple[int, ...]
    """Short sides to probe below the source's own, pixels, falling."""
    video_targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Per video codec, what the encoder is asked for at every size."""
    audio_targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Per audio codec, what the encoder is asked for."""
    audio_codecs: tuple[str, ...]
    """Audio codecs that are probed unless the user asks for others."""

    def video(self, info: MediaInfo, codec: str, preset: str | None = None) -> list[VideoTarget]:
        """Video renditions for a source: its own size and every smaller one, each at every target.

        Raises:
            GridError: the grid has no targets for the codec.
        """
        if codec not in self.video_targets:
            raise GridError(
                f"grid {self.name!r} has no {codec} targets, only {', '.join(self.video_targets)}; "
                "choose another `video_codecs` or add them to the grid"
            )
        short = min(info.width_px, info.height_px)
        # A size within a tenth of the source's own would only measure the same thing twice.
        sides = [short, *(side for side in self.sizes_px if side < 0.9 * short)]
        targets = [
            VideoTarget(
                codec=codec,
                width_px=_even(info.width_px * side / short),
                height_px=_even(info.height_px * side / short),
                target=target,
                preset=preset or VIDEO_CODECS[codec].default_preset,
            )
            for side in sides
            for target in self.video_targets[codec]
        ]
        return list(dict.fromkeys(targets))  # two sizes may round to one

    def audio(self, info: MediaInfo, codecs: Sequence[str] = ()) -> list[AudioTarget]:
        """Audio renditions for a source; mono sources stay mono, more than two channels become stereo.

        Raises:
            GridError: the grid has no targets for a codec that was asked for.
        """
        for codec in codecs:
            if codec not in self.audio_targets:
                raise GridError(
                    f"grid {self.name!r} has no {codec} targets, only {', '.join(self.audio_targets)}; "
                    "choose another `audio_codecs` or add them to the grid"
                )
        channels = min(info.channels, 2)
        targets = [
            AudioTarget(codec=codec, channels=2 if AUDIO_CODECS[codec].stereo_only else channels, target=target)
            for codec in (codecs or self.audio_codecs)
            for target in self.audio_targets[codec]
        ]
        return list(dict.fromkeys(targets))


def _even(side: float) -> int:
    return max(2, round(side / 2) * 2)


def load_grid(name_or_path: str) -> Grid:
    """Read a grid: one that ships, by name, or a TOML file.

    Raises:
        GridError: it is not there, not TOML, or asks for something that cannot be probed.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        try:
            text = read_bytes(path).decode("utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise GridError(f"grid {name_or_path} cannot be read ({reason}); give a TOML file") from error
    else:
        if name_or_path not in grid_names():
            raise GridError(f"no grid named {name_or_path!r}; choose {', '.join(grid_names())}, or give a FILE.toml")
        text = read_grid(name_or_path)
    try:
        return _parse(parse_toml(text), text, path.stem)
    except ValueError as error:
        raise GridError(f"grid {name_or_path}: {error}") from error


def _parse(data: dict[str, Any], text: str, name: str) -> Grid:
    unknown = sorted(data.keys() - {"description", "video", "audio"})
    if unknown:
        raise GridError(f"grid {name!r}: unknown table {unknown[0]!r}; use [video] and [audio]")
    video, audio = _table(name, data, "video"), dict(_table(name, data, "audio"))
    misspelt = sorted(video.keys() - {"sizes", "crf", "rates"})
    if misspelt:
        raise GridError(f"grid {name!r}: unknown key {misspelt[0]!r} in [video]; use sizes, crf and rates")
    crf = _table(name, video, "crf")
    lists = {f"audio.{key}": value for key, value in audio.items()}
    lists |= {f"video.{key}": video[key] for key in ("sizes", "rates") if key in video}
    lists |= {f"video.crf.{codec}": value for codec, value in crf.items()}
    for key, value in lists.items():
        if not isinstance(value, list):
            raise GridError(f"grid {name!r}: {key} is {shown(value)}, not a list; write it in brackets")
    strange = sorted(({*audio} - {*ENCODED_AUDIO, "codecs"}) | ({*crf} - {*VIDEO_CODECS}))
    defaults = tuple(
        text_of({"codecs": codec}, "codecs") for codec in audio.pop("codecs", audio.keys() & {*ENCODED_AUDIO})
    )
    strange += sorted({*defaults} - {*ENCODED_AUDIO})
    if strange:
        raise GridError(f"grid {name!r}: unknown codec {shown(strange[0])}")
    rates = tuple(_rate_target(rate) for rate in video.get("rates", []))
    video_targets = {
        codec: tuple(_crf_target(codec, value) for value in crf.get(codec, [])) + rates for codec in VIDEO_CODECS
    }
    video_targets = {codec: targets for codec, targets in video_targets.items() if targets}
    audio_targets = {codec: tuple(_rate_target(rate) for rate in rates) for codec, rates in audio.items()}
    if not video_targets or not defaults or not all(audio_targets.get(codec) for codec in defaults):
        raise GridError(f"grid {name!r} needs video targets ([video] crf or rates) and rates for each audio codec")
    sizes = sorted(
        {whole_of({"a size": side}, "a size", -_MOST_PX, _MOST_PX) for side in video.get("sizes", [])}, reverse=True
    )
    if sizes and sizes[-1] < 16:
        raise GridError(f"grid {name!r}: a size of {sizes[-1]} px is below 16")
    return Grid(
        name=name,
        text=text,
        sizes_px=tuple(sizes),
        video_targets=video_targets,
        audio_targets=audio_targets,
        audio_codecs=defaults,
    )


def _table(name: str, data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key, {})
    if not isinstance(value, dict):
        raise GridError(f"grid {name!r}: {key} is {shown(value)}, not a table; write [{key}] above its keys")
    return value


def _crf_target(codec: str, crf: Any) -> str:
    low, high = VIDEO_CODECS[codec].crf_range
    if type(crf) not in (int, float):
        raise ValueError(f"crf {shown(crf)} is no number")
    if not low <= crf <= high:
        raise ValueError(f"crf {crf:g} is outside {low}..{high} for {codec}")
    return str(Target.of_crf(crf))


def _rate_target(rate: Any) -> str:
    try:
        return str(Target.of_rate(text_of({"rate": rate}, "rate")))
    except UnitError as error:
        raise ValueError(str(error)) from error
