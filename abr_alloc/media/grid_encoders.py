"""The encoders that a grid names: `[encoders.NAME]`, with what each is asked for. Written down in docs/encoders.md."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from abr_alloc.codecs import AUDIO_CODECS
from abr_alloc.documents import shown, text_of
from abr_alloc.encoder_settings import audio_encoder_of, video_encoder_of
from abr_alloc.encoders import AudioEncoder, VideoEncoder
from abr_alloc.errors import UnitError
from abr_alloc.media.programs import program_sha256
from abr_alloc.targets import QUALITIES, Target
from abr_alloc.units import parse_bitrate_kbps

__all__ = ["NamedEncoder", "audio_target", "rate_target", "read_encoder"]

NamedEncoder = VideoEncoder | AudioEncoder


def read_encoder(name: str, table: Mapping[str, Any]) -> tuple[NamedEncoder, tuple[str, ...]]:
    """An encoder of a grid, and the targets that it is asked for.

    Raises:
        ValueError: it cannot be, in a line that names the encoder.
    """
    settings = dict(table)
    asked: dict[str, Any] = {key: settings.pop(key) for key in ("values", "rates") if key in settings}
    try:
        if "program_sha256" in settings:
            raise ValueError("program_sha256 is looked up; leave it out")
        if "max_rate" in settings:
            settings["max_rate_kbps"] = parse_bitrate_kbps(text_of({"max_rate": settings.pop("max_rate")}, "max_rate"))
    except (ValueError, UnitError) as error:
        raise ValueError(f"encoder {name!r}: {error}") from None
    is_audio = str(settings.get("codec")) in AUDIO_CODECS
    encoder: NamedEncoder = (audio_encoder_of if is_audio else video_encoder_of)(name, settings)
    if encoder.command:
        encoder = dataclasses.replace(encoder, program_sha256=program_sha256(encoder.command[0]))
    try:
        return encoder, _targets(encoder, asked)
    except ValueError as error:
        raise ValueError(f"encoder {name!r}: {error}") from None


def _targets(encoder: NamedEncoder, asked: Mapping[str, Any]) -> tuple[str, ...]:
    """What an encoder is asked for, from its `values` or `rates`."""
    if isinstance(encoder, AudioEncoder):
        kind = "value" if any("{value}" in word for word in encoder.command) else "b"
        mode = f"the command of {encoder.codec}" if encoder.command else encoder.codec
    else:
        kind, mode = encoder.kind, f"the rate mode {encoder.rate_mode}"
    wanted, other = ("rates", "values") if kind == "b" else ("values", "rates")
    if other in asked:
        raise ValueError(f"{other} are not for {mode}; give {wanted}")
    found = asked.get(wanted)
    if not isinstance(found, list) or not found:
        raise ValueError(f"{wanted} is {shown(found)}, not a list; {mode} needs one, like {_EXAMPLES[wanted]}")
    if kind == "b":
        if isinstance(encoder, AudioEncoder):
            return tuple(audio_target(encoder.codec, rate, encoder.target_name) for rate in found)
        return tuple(rate_target(rate, encoder.target_name) for rate in found)
    low, high = (-1e9, 1e9) if isinstance(encoder, AudioEncoder) else encoder.value_range(encoder.rate_mode)
    for value in found:
        if type(value) not in (int, float):
            raise ValueError(f"a value is {shown(value)}, not a number")
        if not low <= value <= high:
            raise ValueError(f"{kind} {value:g} is outside {low:g}..{high:g} of {_program(encoder)}")
        if kind in QUALITIES and isinstance(encoder, VideoEncoder) and encoder.nearest_value(kind, value) != value:
            raise ValueError(f"{kind} {value:g} is none that {_program(encoder)} takes; write whole numbers")
    return tuple(str(Target.of_value(kind, value, encoder.target_name)) for value in found)


def _program(encoder: NamedEncoder) -> str:
    return encoder.encoder or Path(encoder.command[0]).name


def rate_target(rate: Any, encoder: str = "") -> str:
    """The target of a mean rate as a grid writes it.

    Raises:
        ValueError: it is no bitrate.
    """
    try:
        return str(Target.of_rate(text_of({"rate": rate}, "rate"), encoder))
    except UnitError as error:
        raise ValueError(str(error)) from error


def audio_target(codec: str, rate: Any, encoder: str = "") -> str:
    """The target of an audio rate as a grid writes it; of a lossless codec, of the word that stands in its place.

    Raises:
        ValueError: it is no rate that the codec has.
    """
    known = AUDIO_CODECS[codec]
    if known.is_lossless:
        if rate != str(Target.of_lossless()):
            raise ValueError(f'{codec} keeps every sample and takes no rate; write {codec} = ["lossless"]')
        return str(Target.of_lossless())
    target = rate_target(rate, encoder)
    kbps = Target(target).kbps
    if known.rates_kbps and kbps not in known.rates_kbps:
        nearest = min(known.rates_kbps, key=lambda step: abs(step - kbps))
        raise ValueError(
            f"{codec} has no {kbps:g} kbps, the nearest is {nearest}; its rates are "
            + ", ".join(map(str, known.rates_kbps))
        )
    low, high = known.rate_range_kbps
    if not low <= kbps <= high:
        raise ValueError(f"{codec} takes {low:g} to {high:g} kbps, not {kbps:g}")
    return target


_EXAMPLES = {"rates": '["500k", "2M"]', "values": "[28, 34]"}
