"""Which audio renditions of a surface are worth choosing from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from abr_alloc.allocation.rendition import AudioRendition
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.codecs import AUDIO_CODECS
from abr_alloc.models.audio_quality import is_transparent

__all__ = ["drop_references", "drop_wasted_audio", "lean_audio", "of_audio"]


def drop_references(surface: QualitySurface) -> QualitySurface:
    """The surface without lossless audio, which is there to be compared with: nobody is delivered it unasked. Where
    there is no other audio, it was asked for."""
    kept = [i for i, a in enumerate(surface.audio) if not AUDIO_CODECS[a.codec].is_lossless]
    return of_audio(surface, kept) if kept else surface


def drop_wasted_audio(surface: QualitySurface) -> QualitySurface:
    """The surface without references, and without audio that is dearer than some rendition of its codec and channels
    that is transparent by the codec's curve already (`audio_quality.is_transparent`): nobody hears what it costs."""
    surface = drop_references(surface)
    return of_audio(surface, lean_audio(surface.audio))


def lean_audio(audio: Sequence[AudioRendition]) -> list[int]:
    """Indices of renditions but those that are dearer than a transparent one of their codec and channels."""
    enough: dict[tuple[str, int], float] = {}
    for a in audio:
        if is_transparent(a.codec, a.bitrate_kbps, a.channels, a.target):
            key = a.codec, a.channels
            enough[key] = min(a.bitrate_kbps, enough.get(key, math.inf))
    return [i for i, a in enumerate(audio) if a.bitrate_kbps <= enough.get((a.codec, a.channels), math.inf)]


def of_audio(surface: QualitySurface, kept: Sequence[int]) -> QualitySurface:
    """The surface with some of its audio renditions."""
    if len(kept) == len(surface.audio):
        return surface
    return replace(
        surface,
        audio=tuple(surface.audio[i] for i in kept),
        avq_mos=surface.avq_mos[:, kept],
        on_screens_mos=None,
        total_kbps=surface.total_kbps[:, kept],
        x_a=surface.x_a[kept],
    )
