"""Lines of equal AVQ on a surface, as they are: the cheapest pairs that reach a level, without interpolation.

Renditions are discrete, so the pairs that reach an AVQ are bounded by a staircase: for every audio rate, the least
video rate that reaches the level with no more audio than that. The best pair under a budget lies on the highest line
that the budget line touches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.surface import QualitySurface

__all__ = ["IsoLine", "iso_lines", "place_labels"]

_STEPS_MOS = (0.1, 0.25, 0.5)
_MOST_LINES = 12
_SAME_RATE = 1.01


@dataclass(frozen=True, slots=True, kw_only=True)
class IsoLine:
    """The corners of the region in which pairs reach an AVQ."""

    level_mos: float
    """The AVQ that is reached, MOS."""
    video_kbps: tuple[float, ...]
    """Least video rate that reaches it, falling, kbps."""
    audio_kbps: tuple[float, ...]
    """With this audio rate or a higher one, rising, kbps."""


def iso_lines(surface: QualitySurface) -> list[IsoLine]:
    """Lines at round levels, rising; the step is the finest of 0.1, 0.25 and 0.5 MOS that gives twelve at most."""
    low, high = float(surface.avq_mos.min()), float(surface.avq_mos.max())
    step = next((s for s in _STEPS_MOS if (high - low) / s <= _MOST_LINES), _STEPS_MOS[-1])
    levels = step * np.arange(math.floor(low / step) + 1, math.floor(high / step) + 1)
    video_kbps = np.array([v.bitrate_kbps for v in surface.video])
    return [_line(surface, video_kbps, float(level)) for level in levels]


def place_labels(lines: Sequence[IsoLine], least_ratio: float) -> list[tuple[float, float]]:
    """Where lines reach the top of a picture, (level, video rate), with room for a label between any two.

    Of lines that leave at one rate the highest level is named: what pairs to the right of it reach.

    Args:
        lines: by rising level.
        least_ratio: of the video rates of two labels.
    """
    placed: list[tuple[float, float]] = []
    for line in lines:
        kbps = line.video_kbps[-1]
        if placed and kbps <= placed[-1][1] * _SAME_RATE:
            placed[-1] = (line.level_mos, placed[-1][1])
        elif not placed or kbps >= placed[-1][1] * least_ratio:
            placed.append((line.level_mos, kbps))
    return placed


def _line(surface: QualitySurface, video_kbps: npt.NDArray[np.float64], level_mos: float) -> IsoLine:
    audio_kbps = np.array([a.bitrate_kbps for a in surface.audio])
    order = np.argsort(audio_kbps, kind="stable")
    reached = surface.avq_mos[:, order] >= level_mos  # (V, A)
    least = np.where(reached, video_kbps[:, None], np.inf).min(axis=0)
    corners: list[tuple[float, float]] = []
    for kbps, audio in zip(least.tolist(), audio_kbps[order].tolist(), strict=True):
        if kbps < (corners[-1][0] if corners else math.inf):
            corners.append((kbps, audio))
    return IsoLine(
        level_mos=round(level_mos, 6), video_kbps=tuple(c[0] for c in corners), audio_kbps=tuple(c[1] for c in corners)
    )
