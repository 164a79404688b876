"""Fixed ladders that ship: a list of sizes and rates with one audio rate each (ladders/reference/*.toml)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from abr_alloc.documents import parse_toml, shown, text_of, whole_of
from abr_alloc.errors import LadderFormatError
from abr_alloc.shipped import read_reference, reference_names
from abr_alloc.units import parse_bitrate_kbps

__all__ = ["ReferenceLadder", "ReferenceRung", "load_reference", "parse_reference"]

_MOST_PX = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRung:
    """A rung of a fixed ladder."""

    width_px: int
    """Width, pixels."""
    height_px: int
    """Height, pixels."""
    video_kbps: float
    """Video rate, kbps."""
    audio_codec: str
    """Audio codec."""
    audio_kbps: float
    """Audio rate, kbps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceLadder:
    """A fixed ladder."""

    name: str
    """Its name."""
    description: str
    """Where it comes from."""
    codec: str
    """Video codec."""
    rungs: tuple[ReferenceRung, ...]
    """By rate, rising."""


@functools.cache
def load_reference(name: str) -> ReferenceLadder:
    """Load a fixed ladder that ships.

    Raises:
        LadderFormatError: there is none of this name.
    """
    if name not in reference_names():
        raise LadderFormatError(
            f"there is no reference ladder {shown(name)}; choose {', '.join(reference_names())}, or a ladder file "
            "(.json)"
        )
    return parse_reference(name, read_reference(name))


def parse_reference(name: str, text: str | bytes) -> ReferenceLadder:
    """A fixed ladder from the TOML that describes it.

    Raises:
        LadderFormatError: it breaks the format; the message names the field.
    """
    try:
        found = parse_toml(text)
        rungs = tuple(_read_rung(rung, found["audio"]) for rung in _list_of(found, "rungs"))
        if not rungs:
            raise ValueError("rungs is empty")
        return ReferenceLadder(
            name=name,
            description=text_of(found, "description"),
            codec=text_of(found, "codec", empty=False),
            rungs=rungs,
        )
    except (KeyError, TypeError, ValueError) as error:
        what = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise LadderFormatError(
            f"the reference ladder {name!r} is damaged ({what}); install the package again"
        ) from error


def _read_rung(rung: Any, audio: Any) -> ReferenceRung:
    if not isinstance(rung, list) or len(rung) != 3:
        raise ValueError(f"a rung is {shown(rung)}, not width, height and rate")
    if not isinstance(audio, dict):
        raise ValueError(f"audio is {shown(audio)}, not a table")
    size = {"width": rung[0], "height": rung[1]}
    return ReferenceRung(
        width_px=whole_of(size, "width", 2, _MOST_PX),
        height_px=whole_of(size, "height", 2, _MOST_PX),
        video_kbps=parse_bitrate_kbps(text_of({"rate": rung[2]}, "rate")),
        audio_codec=text_of(audio, "codec", empty=False),
        audio_kbps=parse_bitrate_kbps(text_of(audio, "rate")),
    )


def _list_of(found: dict[str, Any], name: str) -> list[Any]:
    value = found[name]
    if not isinstance(value, list):
        raise ValueError(f"{name} is {shown(value)}, not a list")
    return value
