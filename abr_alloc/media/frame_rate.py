"""The constant rate at which a source's frames are measured, from the times of its frames.

The mean rate that a container tells is none: one frame that is held, or a gap, changes it. What counts is the distance
that frames usually have. An exact rate that the file states is kept where the frames bear it out; only a rate that is
known from rounded times alone is snapped to a broadcast rate.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import numpy.typing as npt

__all__ = ["usual_rate"]

Ticks = npt.NDArray[np.int64]

_BROADCAST = tuple(
    Fraction(n, d)
    for n, d in [(24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1)]
)
_SNAP = 0.005  # a measured rate this near to a broadcast rate is taken for it
_FAST = 0.75  # of the usual distance: shorter ones belong to a faster part
_FAST_SHARE = 0.1  # so many frames make a faster part; fewer are jitter
_HIGHEST_FPS = 600
_DEFAULT = Fraction(25)  # as ffmpeg does where nothing is known
_MATROSKA, _NANOSECONDS = Fraction(1, 1000), 1e-5
_FINE = 500  # ticks to a frame from which equal distances are an exact rate, not a rounded one
_COUNTED = 2  # ticks to a frame where a stream's clock counts its frames (AVI, Ogg), or its fields
_DROPPED = 0.95  # of distances that are whole frames of a stated rate: the rest was left out as repeated


def usual_rate(ticks: Ticks, time_base: Fraction, stated: Iterable[Fraction | None]) -> Fraction:
    """Frames per second of a stream that may hold frames, skip some, or jitter.

    Args:
        ticks: presentation times of the frames, in any order, (F,).
        time_base: seconds of a tick.
        stated: rates that the container and the codec tell, the surest first; None or 0 where one does not.
    """
    told = [Fraction(rate) for rate in stated if rate and 0 < rate <= _HIGHEST_FPS]
    if time_base == _MATROSKA:
        told = [_meant(rate) for rate in told]
    distances: Ticks = np.diff(np.unique(ticks)).astype(np.int64)
    # Frames closer than that are shown by nobody: one is the other's correction.
    distances = distances[distances * float(time_base) >= 1 / _HIGHEST_FPS]
    if not len(distances):
        return told[0] if told else _DEFAULT
    usual = _usual_distances(distances)
    mean_s = float(usual.mean() * time_base)
    # Times are rounded to ticks. From frame to frame that evens out; between others each rounding counts.
    in_a_row = len(usual) == len(distances)
    error_s = float(time_base) * (1.0 / len(usual) if in_a_row else 1.5 / len(usual) ** 0.5) + 1e-6 * mean_s
    alike = bool((usual == usual[0]).all()) and (usual[0] >= _FINE or usual[0] <= _COUNTED)
    exact = [1 / (int(usual[0]) * time_base)] if alike else []
    if exact and usual[0] <= _COUNTED:
        return exact[0]
    borne_out = [rate for rate in (*told, *exact) if abs(float(1 / rate) - mean_s) <= error_s]
    broadcast = [rate for rate in borne_out if _is_whole_or_ntsc(rate)]
    if broadcast:
        return broadcast[0]
    if exact:
        return exact[0]
    thinned = _before_thinning(distances, time_base, told)
    if thinned is not None and thinned * mean_s > 1 + _SNAP:
        return thinned
    if borne_out:
        return min(borne_out, key=lambda rate: rate.denominator)
    nearest = min(_BROADCAST, key=lambda rate: abs(float(rate) * mean_s - 1))
    if abs(float(nearest) * mean_s - 1) <= _SNAP:
        return nearest
    # Of no rate at all, as a recorder of slides that writes when something changes: as many frames as there are.
    overall_s = float(distances.mean() * time_base)
    return Fraction(max(1 / mean_s, 1 / overall_s)).limit_denominator(1001)


def _usual_distances(distances: Ticks) -> Ticks:
    """The distances about the usual one of the fastest part that is more than jitter."""
    found = distances
    while True:
        middle = float(np.median(found))
        faster = found[found < _FAST * middle]
        if len(faster) < max(2, _FAST_SHARE * len(distances)):
            break
        found = faster
    # About the usual one: all where times are rounded (1 tick) or jitter, none that is two frames long.
    return found[np.abs(found - middle) <= max(1.0, 0.4 * middle)]


def _meant(rate: Fraction) -> Fraction:
    """A stated rate without the rounding of a frame's duration to nanoseconds, as Matroska states it."""
    nearest = min(
        (Fraction(round(rate * part)) / part for part in (1, Fraction(1001, 1000))), key=lambda r: abs(r - rate)
    )
    return nearest if nearest and abs(nearest / rate - 1) < _NANOSECONDS else rate


def _is_whole_or_ntsc(rate: Fraction) -> bool:
    """n or n x 1000/1001, as nearly all material has."""
    return rate.denominator == 1 or (rate * Fraction(1001, 1000)).denominator == 1


def _before_thinning(distances: Ticks, time_base: Fraction, told: Iterable[Fraction]) -> Fraction | None:
    """The lowest stated rate of which nearly all distances are whole frames, one of them at least: frames that repeat
    were left out, as screen recorders do."""
    for rate in sorted(told):
        frames = distances * float(time_base * rate)
        slack = max(0.05, float(time_base * rate))
        if frames.min() > 1 - slack and np.mean(np.abs(frames - np.round(frames)) <= slack) >= _DROPPED:
            return rate
    return None
