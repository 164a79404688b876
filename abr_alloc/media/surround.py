"""Surround: which of a source's tracks has it, and what its encoders are asked for.

A grid may say `[audio.surround]`, like `[audio]`; one that does not is asked for `SURROUND_KBPS`. Rates go from where a
codec begins to be used for 5.1 to where it is transparent: 5.1 counts as five channels (`models.audio_quality`), so
128 kbps of stereo AAC become 320. Services ship E-AC-3 at 192 to 448 kbps, AC-3 at 384 to 640, AAC at 256 to 384.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from abr_alloc.documents import shown
from abr_alloc.media.grid_encoders import audio_target
from abr_alloc.media.mix import has_surround
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.tracks import AudioTrack

__all__ = ["SURROUND_CHANNELS", "SURROUND_KBPS", "read_surround", "surround_targets", "surround_track"]

SURROUND_CHANNELS = 6
"""Channels of a surround rendition: 5.1, however many the source has."""

SURROUND_KBPS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "aac": (192, 256, 320, 384),
        "ac3": (192, 256, 384, 448, 640),
        "eac3": (192, 256, 384, 448),
        "opus": (128, 192, 256, 320),
    }
)
"""Rates of codecs that carry 5.1, kbps, for grids that name none."""


def surround_track(info: MediaInfo) -> AudioTrack | None:
    """The track with the surround sound of what a source is measured by.

    That is the track itself where it has 5.1 or more; else the first other one of its language and role that has, as
    where a film brings stereo and 5.1. None where no track has the channels of 5.1 (`mix.has_surround`).
    """
    if len(info.audio_indices) != 1:
        return None
    own = next((track for track in info.audio_tracks if track.index == info.audio_indices[0]), None)
    if own is None:
        return None
    alike = (t for t in info.audio_tracks if (t.language, t.role) == (own.language, own.role) and t is not own)
    return next((track for track in (own, *alike) if _has_surround(track)), None)


def _has_surround(track: AudioTrack) -> bool:
    return track.is_surround and has_surround(track.channel_names)


def read_surround(name: str, table: Any, known: Callable[[str], str | None]) -> dict[str, tuple[str, ...]]:
    """`[audio.surround]` of a grid: targets by codec, or by a name of an audio encoder of the grid.

    Args:
        name: the grid's.
        table: what stands there.
        known: the codec of an audio encoder of the grid; None for a name that is none.

    Raises:
        ValueError: it is no such table.
    """
    if not isinstance(table, dict):
        raise ValueError(f"grid {name!r}: audio.surround is {shown(table)}, not a table; write [audio.surround]")
    found: dict[str, tuple[str, ...]] = {}
    for key, rates in table.items():
        codec = str(key) if key in SURROUND_KBPS else known(key)
        if codec is None or codec not in SURROUND_KBPS:
            raise ValueError(
                f"grid {name!r}: audio.surround has {shown(key)}, and 5.1 is encoded in {', '.join(SURROUND_KBPS)}"
            )
        if not isinstance(rates, list) or not rates:
            raise ValueError(f"grid {name!r}: audio.surround.{key} is {shown(rates)}, not a list of rates")
        found[key] = tuple(audio_target(codec, rate, "" if key in SURROUND_KBPS else key) for rate in rates)
    return found


def surround_targets(said: Mapping[str, tuple[str, ...]], name: str) -> tuple[str, ...] | None:
    """What an encoder is asked for in 5.1, of a grid that says so much; None where neither it nor this module does."""
    if name in said:
        return said[name]
    return tuple(audio_target(name, f"{kbps}k") for kbps in SURROUND_KBPS[name]) if name in SURROUND_KBPS else None
