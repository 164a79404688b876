"""Which piece of a rendition belongs to which piece of its source, and how alike they are.

Axes: T frames, B bands, P patches of F = 30 frames, W places at which a patch may lie.

ViSQOL v3 in audio mode (Chinen et al., "ViSQOL v3: an open source production ready objective speech and audio metric",
2020): the source's spectrogram is cut into patches one after the other; each is compared with every place of the
rendition within 60 patch lengths, and dynamic programming picks the places, each later than the one before, of the
greatest sum of similarities:

    D[p, t] = max( NSIM(patch p, place t) + max_{t' < t} D[p-1, t'],  D[p-1, t] ),

where the second means that the patch is lost and scores 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.visqol.gammatone import HOP_SAMPLES, SAMPLE_RATE_HZ
from abr_alloc.visqol.nsim import PatchStatistics, compare
from abr_alloc.visqol.search import search

__all__ = ["FRAME_S", "PATCH_FRAMES", "PATCH_S", "Match", "find_places", "patch_starts", "to_decibels"]

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

PATCH_FRAMES = 30
FRAME_S = HOP_SAMPLES / SAMPLE_RATE_HZ
PATCH_S = FRAME_S * PATCH_FRAMES
_SEARCH_FRAMES = 60 * PATCH_FRAMES
_FLOOR_DB = -45.0
_BELOW_PEAK_DB = 45.0


def to_decibels(reference: Array, degraded: Array) -> tuple[Array, Array]:
    """Levels as they are compared: dB above the lowest of both, no lower than 45 dB under the louder frame's peak.

    Args:
        reference: levels, shape (T, B).
        degraded: levels, shape (T', B).
    """
    sides = []
    for levels in (reference, degraded):
        quiet = np.where(levels == 0, np.finfo(np.float64).eps, levels)
        sides.append(np.maximum(10 * np.log10(quiet), _FLOOR_DB))
    shared = min(len(reference), len(degraded))
    peaks = np.maximum(sides[0][:shared].max(axis=1), sides[1][:shared].max(axis=1))
    for side in sides:
        np.maximum(side[:shared], (peaks - _BELOW_PEAK_DB)[:, None], out=side[:shared])
    lowest = min(side.min() for side in sides)
    return sides[0] - lowest, sides[1] - lowest


def patch_starts(num_frames: int) -> Indices:
    """First frames of the source's patches, shape (P,).

    Raises:
        ValueError: fewer than 45 frames hold none.
    """
    if num_frames < PATCH_FRAMES + PATCH_FRAMES // 2:
        raise ValueError(f"{num_frames} frames hold no patch; ViSQOL needs {PATCH_FRAMES + PATCH_FRAMES // 2}")
    first = PATCH_FRAMES // 2
    return np.arange(first - 1, max(num_frames - PATCH_FRAMES, first + 1) - 1, PATCH_FRAMES)


@dataclass(frozen=True, slots=True)
class Match:
    """The pieces of a rendition that belong to the source's patches. The leading axis of all is P."""

    starts: Indices
    """First frame of the patch in the source."""
    places: Indices
    """First frame of its partner in the rendition."""
    lost: npt.NDArray[np.bool_]
    """True where it has none."""
    statistics: PatchStatistics
    """How alike they are; NSIM 0 where lost."""


def find_places(starts: Indices, reference: Array, degraded: Array) -> Match:
    """Find each patch's partner.

    Args:
        starts: the source's patches, of which those are left out that begin behind the rendition's end.
        reference: the source's spectrogram, dB, shape (T, B).
        degraded: the rendition's, shape (T', B).
    """
    num_frames = len(degraded)
    starts = starts[starts - PATCH_FRAMES // 2 <= num_frames]
    patches = reference[starts[:, None] + np.arange(PATCH_FRAMES)]  # (P, F, B)
    first, last = np.maximum(starts - _SEARCH_FRAMES, 0), np.minimum(starts + _SEARCH_FRAMES, num_frames - 1)
    similarity = search(patches, degraded, first, last)  # (P, W)
    places, lost = _best_path(similarity, first, last)
    padded = np.concatenate([degraded, np.zeros((PATCH_FRAMES, degraded.shape[1]))])
    found = compare(patches, padded[places[:, None] + np.arange(PATCH_FRAMES)])
    mean = np.where(lost[:, None], 0.0, found.mean)
    return Match(starts, places, lost, PatchStatistics(mean, found.deviation, found.energy))


def _best_path(similarity: Array, first: Indices, last: Indices) -> tuple[Indices, npt.NDArray[np.bool_]]:
    """The places of the greatest sum, and which patches are lost. Of equal places before, the latest counts."""
    came_from = []
    before, before_first = np.zeros(0), 0  # D[p-1] from its first place on; zero behind its last
    for p, (low, high) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        sums = similarity[p, : high - low + 1].copy()
        origin = np.full(len(sums), -1)
        if p:
            reachable = np.zeros(high + 1 - before_first)
            reachable[: len(before)] = before[: len(reachable)]
            best = np.maximum.accumulate(reachable)
            latest = np.maximum.accumulate(np.where(reachable >= best, np.arange(len(reachable)), -1))
            # Strictly before a place: one to the left; the very first place has nothing before it.
            best = np.concatenate([[-np.inf], best[:-1]])[low - before_first :]
            latest = np.concatenate([[-1 - before_first], latest[:-1]])[low - before_first :] + before_first
            same = reachable[low - before_first :]
            stays = same > sums + best
            origin = np.where(stays, np.arange(low, high + 1), latest)
            sums = np.where(stays, same, sums + best)
        came_from.append(origin)
        before, before_first = sums, low
    place: int = before_first + int(before.argmax())
    places, lost = np.empty(len(first), dtype=np.int64), np.empty(len(first), dtype=np.bool_)
    for p in range(len(first) - 1, -1, -1):
        predecessor = int(came_from[p][place - first[p]])
        places[p], lost[p] = place, predecessor == place
        place = predecessor
    return places, lost
