"""Grids: which renditions to probe. The TOML format is described in docs/formats.md.

A grid names sizes by their short side, so that it serves landscape and portrait sources alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from abr_alloc import defaults
from abr_alloc.codecs import AUDIO_CODECS, ENCODED_AUDIO, VIDEO_CODECS
from abr_alloc.documents import parse_toml, shown, text_of, whole_of
from abr_alloc.encoders import AudioEncoder, VideoEncoder, default_encoder
from abr_alloc.errors import GridError
from abr_alloc.location import read_bytes
from abr_alloc.media.grid_encoders import NamedEncoder, audio_target, rate_target, read_encoder
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.surround import SURROUND_CHANNELS, read_surround, surround_targets
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
    """What the encoder is asked for: `crf=28`, `b=500k`, `crf=28@film`; the label of what was there before."""
    encoder: VideoEncoder | None = None
    """What makes it; None where it was there before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTarget:
    """One audio rendition to probe."""

    codec: str
    """One of `ENCODED_AUDIO`."""
    channels: int
    """1 or 2; 6 for 5.1."""
    target: str
    """What the encoder is asked for: `b=64k`, `b=64k@mine`."""
    encoder: AudioEncoder | None = None
    """What makes it, where a grid names it; None for the codec's usual encoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Renditions to probe, before they meet a source."""

    name: str
    """Its name."""
    text: str
    """The TOML text that it was read from; its hash goes into the table."""
    sizes_px: tuple[int, ...]
    """Short sides to probe below the source's own, pixels, falling."""
    encoders: Mapping[str, NamedEncoder] = field(default_factory=dict)
    """Encoders that it names."""
    video_targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Per video encoder, a codec's name for its usual one, what it is asked for at every size."""
    video_encoders: tuple[str, ...] = ()
    """Video encoders that are probed unless the user asks for others; empty for the usual one of the user's codec."""
    audio_targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Per audio codec or encoder that it names, what the encoder is asked for."""
    audio_codecs: tuple[str, ...]
    """Audio codecs and encoders that are probed unless the user asks for others."""
    surround_targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Per audio codec or encoder that it names, what the encoder is asked for in 5.1, where it says so."""

    def choose_video(self, encoders: Sequence[str] = (), codec: str | None = None) -> tuple[str, ...]:
        """Names of the video encoders to probe: those asked for, else those of a codec, else the grid's choice."""
        if encoders:
            return tuple(dict.fromkeys(encoders))
        if codec is None:
            return self.video_encoders or (defaults.VIDEO_CODEC,)
        return tuple(name for name in self.video_encoders if self._codec(name) == codec) or (codec,)

    def _codec(self, name: str) -> str:
        return self.encoders[name].codec if name in self.encoders else name

    def video_encoder(self, name: str, preset: str | None = None) -> VideoEncoder:
        """A video encoder that it has targets for.

        Args:
            name: as the grid has it; a codec's name for its usual one.
            preset: of a codec's usual encoder.

        Raises:
            GridError: it has none for it, or a preset was asked of an encoder that it names.
        """
        found = self.encoders.get(name)
        if name not in self.video_targets:
            option = "video_codecs" if name in VIDEO_CODECS else "video_encoders"
            raise GridError(
                f"grid {self.name!r} has no {name} targets, only {', '.join(self.video_targets)}; "
                f"choose another `{option}` or add them to the grid"
            )
        if not isinstance(found, VideoEncoder):
            return default_encoder(name, preset)
        if preset is not None:
            raise GridError(
                f"`preset` is for a codec's usual encoder, and grid {self.name!r} says of {name!r} what its preset is; "
                "change it there"
            )
        return found

    def video(self, info: MediaInfo, encoders: str | Sequence[str], preset: str | None = None) -> list[VideoTarget]:
        """Video renditions for a source: its own size and every smaller one, each at every target of every encoder.

        Raises:
            GridError: as `video_encoder`.
        """
        names = (encoders,) if isinstance(encoders, str) else encoders
        chosen = [self.video_encoder(name, preset) for name in names]
        short = min(info.width_px, info.height_px)
        # A size within a tenth of the source's own would only measure the same thing twice.
        sides = [short, *(side for side in self.sizes_px if side < 0.9 * short)]
        targets = [
            VideoTarget(
                codec=encoder.codec,
                width_px=_even(info.width_px * side / short),
                height_px=_even(info.height_px * side / short),
                target=target,
                encoder=encoder,
            )
            for encoder in chosen
            for side in sides
            for target in self.video_targets[encoder.name]
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
            AudioTarget(
                codec=self._codec(name),
                channels=2 if AUDIO_CODECS[self._codec(name)].stereo_only else channels,
                target=target,
                encoder=found if isinstance(found := self.encoders.get(name), AudioEncoder) else None,
            )
            for name in (codecs or self.audio_codecs)
            for target in self.audio_targets[name]
        ]
        return list(dict.fromkeys(targets))

    def surround(self, codecs: Sequence[str]) -> list[AudioTarget]:
        """Renditions of 5.1 in some codecs, or by audio encoders that it names.

        Raises:
            GridError: it has no targets for one of them, and there are none without it.
        """
        found: list[AudioTarget] = []
        for name in dict.fromkeys(codecs):
            targets = surround_targets(self.surround_targets, name)
            if targets is None:
                raise GridError(
                    f"grid {self.name!r} has no 5.1 targets for {name!r}; choose another `surround_codecs`, aac, ac3, "
                    "eac3 or opus, or add it to [audio.surround]"
                )
            encoder = own if isinstance(own := self.encoders.get(name), AudioEncoder) else None
            found += [
                AudioTarget(codec=self._codec(name), channels=SURROUND_CHANNELS, target=target, encoder=encoder)
                for target in targets
            ]
        return found


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
    unknown = sorted(data.keys() - {"description", "video", "audio", "encoders"})
    if unknown:
        raise GridError(f"grid {name!r}: unknown table {unknown[0]!r}; use [video], [audio] and [encoders.NAME]")
    video, audio = _table(name, data, "video"), dict(_table(name, data, "audio"))
    misspelt = sorted(video.keys() - {"sizes", "crf", "rates", "encoders"})
    if misspelt:
        raise GridError(f"grid {name!r}: unknown key {misspelt[0]!r} in [video]; use sizes, crf, rates and encoders")
    crf, surround = _table(name, video, "crf"), audio.pop("surround", {})
    lists = {f"audio.{key}": value for key, value in audio.items()}
    lists |= {f"video.{key}": video[key] for key in ("sizes", "rates", "encoders") if key in video}
    lists |= {f"video.crf.{codec}": value for codec, value in crf.items()}
    for key, value in lists.items():
        if not isinstance(value, list):
            raise GridError(f"grid {name!r}: {key} is {shown(value)}, not a list; write it in brackets")
    strange = sorted(({*audio} - {*ENCODED_AUDIO, "codecs", "encoders"}) | ({*crf} - {*VIDEO_CODECS}))
    chosen_audio = _names(audio.pop("encoders")) if "encoders" in audio else None
    defaults_ = tuple(
        text_of({"codecs": codec}, "codecs") for codec in audio.pop("codecs", audio.keys() & {*ENCODED_AUDIO})
    )
    strange += sorted({*defaults_} - {*ENCODED_AUDIO})
    if strange:
        raise GridError(f"grid {name!r}: unknown codec {shown(strange[0])}")
    rates = tuple(rate_target(rate) for rate in video.get("rates", []))
    video_targets = {
        codec: tuple(_crf_target(codec, value) for value in crf.get(codec, [])) + rates for codec in VIDEO_CODECS
    }
    video_targets = {codec: targets for codec, targets in video_targets.items() if targets}
    audio_targets = {codec: tuple(audio_target(codec, rate) for rate in rates) for codec, rates in audio.items()}
    encoders: dict[str, NamedEncoder] = {}
    for key in _table(name, data, "encoders"):
        encoder, targets = read_encoder(key, _table(name, data["encoders"], key))
        encoders[key] = encoder
        (video_targets if isinstance(encoder, VideoEncoder) else audio_targets)[key] = targets
    named = tuple(key for key, encoder in encoders.items() if isinstance(encoder, VideoEncoder))
    in_surround = read_surround(
        name, surround, lambda key: found.codec if isinstance(found := encoders.get(key), AudioEncoder) else None
    )
    chosen = _names(video["encoders"]) if "encoders" in video else named
    if chosen_audio is None:
        chosen_audio = tuple(key for key, encoder in encoders.items() if isinstance(encoder, AudioEncoder))
    for names, known, kind in ((chosen, video_targets, "video"), (chosen_audio, audio_targets, "audio")):
        strange = [item for item in names if item not in known]
        if strange:
            raise GridError(
                f"grid {name!r}: {kind}.encoders names {strange[0]!r}, which it has no targets for, "
                f"only {', '.join(known)}; add [encoders.{strange[0]}]"
            )
    defaults_ += tuple(key for key in chosen_audio if key not in defaults_)
    if not video_targets or not defaults_ or not all(audio_targets.get(codec) for codec in defaults_):
        raise GridError(
            f"grid {name!r} needs video targets ([video] crf or rates, or [encoders.NAME]) and rates for each audio "
            "codec"
        )
    sizes = sorted(
        {whole_of({"a size": side}, "a size", -_MOST_PX, _MOST_PX) for side in video.get("sizes", [])}, reverse=True
    )
    if sizes and sizes[-1] < 16:
        raise GridError(f"grid {name!r}: a size of {sizes[-1]} px is below 16")
    return Grid(
        name=name,
        text=text,
        sizes_px=tuple(sizes),
        encoders=encoders,
        video_targets=video_targets,
        video_encoders=chosen,
        audio_targets=audio_targets,
        audio_codecs=defaults_,
        surround_targets=in_surround,
    )


def _names(found: list[Any]) -> tuple[str, ...]:
    return tuple(text_of({"encoders": item}, "encoders") for item in found)


def _table(name: str, data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key, {})
    if not isinstance(value, dict):
        raise GridError(f"grid {name!r}: {key} is {shown(value)}, not a table; write [{key}] above its keys")
    return value


def _crf_target(codec: str, crf: Any) -> str:
    """What a codec's usual encoder is asked for: a CRF, or whatever else it measures quality by."""
    encoder = default_encoder(codec)
    low, high = encoder.value_range(encoder.rate_mode)
    if type(crf) not in (int, float):
        raise ValueError(f"{encoder.kind} {shown(crf)} is no number")
    if not low <= crf <= high:
        raise ValueError(f"{encoder.kind} {crf:g} is outside {low}..{high} for {codec}")
    return str(Target.of_value(encoder.kind, crf))
