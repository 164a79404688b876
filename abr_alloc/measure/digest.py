"""Digest: the few stretches of a long title that are measured in place of all of it.

A title is taken apart into units of a few seconds that never cross a cut. How hard each is to encode is guessed from
what a quick look tells every second: detail and motion of the picture, what a quick encode spends on it, level and
brightness of the sound. Units that are alike form a stratum; of each stratum the unit nearest to its mean is measured.
This is stratified sampling with one central unit per stratum (Cochran, Sampling Techniques, 3rd ed. 1977, chapter 5).
Strata are made by splitting, again and again, the one whose time times variance is the largest (as Neyman's allocation
would have it) at its mean along its principal axis (Boley, Data Mining and Knowledge Discovery 2, 1998); there are as
many as units fit into the digest. What is measured depends on the digest's length alone, not on the title's.

What a unit stands for is its stratum's time at first. But of the whole title the means of all measures are known, and
central units miss them: those of a mean of logarithms say too little of a mean rate. So the times are calibrated until
the units' weighted means are the title's (Deville and Sarndal, Calibration estimators in survey sampling, JASA 87,
1992): the raking ratio, times exp(λ·x), with a ridge on λ, since a few units cannot be asked to meet everything.

Axes: T seconds of the title, U units, C = 5 measures of complexity, S stretches.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from abr_alloc.media.scenes import Scan, Scene

__all__ = ["COMPLEXITY_VERSION", "UNIT_S", "Stretch", "choose_stretches", "mean_over", "measure_complexity"]

Floats = npt.NDArray[np.float64]

COMPLEXITY_VERSION = 2
"""Changes whenever the same source would give another complexity."""

UNIT_S = 2.0
"""Longest unit, seconds. Scenes longer than this are cut evenly before any are chosen: many short units describe a
title better than few long ones, and under a GOP (2 s) the key frame at the start of each would cost rate."""
_SILENCE = 1e-4
"""RMS below which sound is silence, full scale 1: -80 dB."""
_LOWEST_HZ = 20.0
_QUICK = 2
"""Column of the measures that is the logarithm of a rate."""
_RIDGE = 0.1
"""Of calibrated weights: measures with variance 1 are met up to a tenth of λ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a title that is measured and stands for more of it than itself."""

    scene: Scene
    """Where it lies."""
    weight_s: float
    """Time of the title that it stands for, its own included, seconds."""


def measure_complexity(scan: Scan, fps: Fraction, samples: npt.NDArray[np.float32], sample_rate_hz: int) -> Floats:
    """How busy every second of a title is, (T, C): logarithms of detail, motion and quick encode; level, centroid.

    Args:
        scan: from `scan_source`.
        fps: frame rate of the scan.
        samples: PCM, full scale 1, (N, channels); a memory map is read a second at a time.
        sample_rate_hz: of the samples.
    """
    num_s = max(1, math.ceil(scan.num_frames / fps))
    first = [min(round(second * fps), scan.num_frames) for second in range(num_s + 1)]
    result = np.zeros((num_s, 5))
    for second, (a, b) in enumerate(itertools.pairwise(first)):
        # The median of the differences: a cut is not motion.
        spatial, temporal = (
            float(np.median(values[a:b])) if b > a else 0.0 for values in (scan.spatial, scan.temporal)
        )
        kbps = float(scan.quick_bytes[a:b].mean() * 8.0 * fps / 1000.0) if b > a else 0.0
        sound = samples[second * sample_rate_hz : (second + 1) * sample_rate_hz]
        looks = np.log2(1.0 + spatial), np.log2(0.1 + temporal), np.log2(1.0 + kbps)
        result[second] = *looks, *_sound(sound, sample_rate_hz)
    return result


def _sound(samples: npt.NDArray[np.float32], sample_rate_hz: int) -> tuple[float, float]:
    """Level in bels and spectral centroid in octaves above 20 Hz of a mono mix; 20 Hz where it is silent."""
    if not len(samples):
        return float(np.log10(_SILENCE**2)), 0.0
    # No BLAS: its threads wait for each other longer than so few numbers take.
    mono = np.einsum("tc->t", samples, dtype=np.float64, casting="same_kind") / samples.shape[1]
    level = float(np.log10(max(float(np.einsum("t,t", mono, mono)) / len(mono), _SILENCE**2)))
    spectrum = np.fft.rfft(mono).view(np.float64).reshape(-1, 2)
    power = np.einsum("fc,fc->f", spectrum, spectrum)
    hz = np.fft.rfftfreq(len(mono), 1.0 / sample_rate_hz)
    silent = level <= np.log10(_SILENCE**2)
    centroid = _LOWEST_HZ if silent else float(np.einsum("f,f", power, hz) / power.sum())
    return level, float(np.log2(max(centroid, _LOWEST_HZ) / _LOWEST_HZ))


def choose_stretches(units: Sequence[Scene], complexity: Floats, digest_s: float) -> list[Stretch]:
    """Stretches of a title of no more than `digest_s` in all, in the order of time; their weights add up to the title.

    A title that is no longer than the digest is given back whole. A single unit is given back however long it is.

    Args:
        units: the whole title as short scenes, from `split_scenes(max_scene_s=UNIT_S)`.
        complexity: of every second of it, (T, C).
        digest_s: how much may be measured, seconds.
    """
    seconds = np.array([unit.duration_s for unit in units])
    if units[-1].end_s - units[0].start_s <= digest_s:
        return [Stretch(scene=unit, weight_s=unit.duration_s) for unit in units]
    measures = np.stack([mean_over(complexity, unit) for unit in units])  # (U, C)
    # The rate itself besides its logarithm: a title's mean rate is no mean of logarithms, and a few units may make it.
    rate = np.exp2(measures[:, _QUICK : _QUICK + 1])
    points = _standardised(np.hstack([measures, rate]), seconds)  # (U, C + 1)
    chosen = sorted(_strata(points, seconds, digest_s), key=lambda found: found[0])
    medoids = [medoid for medoid, _ in chosen]
    stands_for_s = np.array([seconds[members].sum() for _, members in chosen])
    weights_s = _calibrated(stands_for_s, points[medoids])
    return [Stretch(scene=units[m], weight_s=float(w)) for m, w in zip(medoids, weights_s, strict=True)]


def _calibrated(weights_s: Floats, points: Floats) -> Floats:
    """Weights (S,) of the same sum that bring the means of measures (S, C) near to 0, which is the title's.

    The least of log(sum of weights * exp(points @ λ)) + ridge * |λ|^2 / 2, which is convex, by Newton's method.
    """
    share = weights_s / weights_s.sum()
    multipliers = np.zeros(points.shape[1])
    tilted, value = share, 0.0
    for _ in range(50):
        mean = tilted @ points
        gradient = mean + _RIDGE * multipliers
        hessian = (points * tilted[:, None]).T @ points - np.outer(mean, mean) + _RIDGE * np.eye(len(multipliers))
        step = np.linalg.solve(hessian, gradient)
        decrease, size = float(gradient @ step), 1.0
        if decrease < 1e-12:
            break
        while True:  # half the step until it leads down
            tried = multipliers - size * step
            powers = points @ tried
            grown = share * np.exp(powers - powers.max())
            found = float(np.log(grown.sum()) + powers.max() + 0.5 * _RIDGE * tried @ tried)
            if found <= value - 0.1 * size * decrease or size < 1e-6:
                break
            size /= 2
        multipliers, value, tilted = tried, found, grown / grown.sum()
    return np.asarray(tilted * weights_s.sum())


def mean_over(complexity: Floats, unit: Scene) -> Floats:
    """Mean complexity over a unit, each second counting for what of it lies within, (C,)."""
    second = np.arange(int(unit.start_s), max(int(np.ceil(unit.end_s)), int(unit.start_s) + 1))
    inside = np.minimum(second + 1.0, unit.end_s) - np.maximum(second, unit.start_s)
    result: Floats = np.average(complexity[np.minimum(second, len(complexity) - 1)], axis=0, weights=inside)
    return result


def _standardised(points: Floats, seconds: Floats) -> Floats:
    """Every measure with mean 0 and variance 1 over time; one that never changes says nothing."""
    centred = points - np.average(points, axis=0, weights=seconds)
    spread = np.sqrt(np.average(centred**2, axis=0, weights=seconds))
    return np.asarray(centred / np.where(spread > 1e-6, spread, np.inf))


def _strata(points: Floats, seconds: Floats, digest_s: float) -> list[tuple[int, npt.NDArray[np.intp]]]:
    """(medoid, members) of every stratum: as many as leave the medoids within the digest."""
    strata = [np.arange(len(points))]
    found: list[tuple[int, npt.NDArray[np.intp]]] = []
    while True:
        medoids = [_medoid(points, seconds, members) for members in strata]
        if found and seconds[medoids].sum() > digest_s:
            return found
        found = list(zip(medoids, strata, strict=True))
        spreads = [_spread(points[members], seconds[members]) for members in strata]
        widest = spreads.index(max(spreads))
        if len(strata[widest]) < 2:
            return found
        strata[widest : widest + 1] = _halves(points, seconds, strata[widest])


def _spread(points: Floats, seconds: Floats) -> tuple[float, float]:
    """Time times variance, then time, where all are alike; below 0 where there is nothing to split."""
    if len(points) < 2:
        return -1.0, 0.0
    centred = points - np.average(points, axis=0, weights=seconds)
    return round(float(seconds @ np.square(centred).sum(axis=1)), 9), float(seconds.sum())


def _halves(points: Floats, seconds: Floats, members: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
    """A stratum cut at its mean along its principal axis; evenly in time where all are alike."""
    centred = points[members] - np.average(points[members], axis=0, weights=seconds[members])
    axis = np.linalg.eigh((centred * seconds[members, None]).T @ centred)[1][:, -1]
    above = centred @ axis > 1e-12
    if above.all() or not above.any():
        above = np.arange(len(members)) >= len(members) // 2
    return [members[~above], members[above]]


def _medoid(points: Floats, seconds: Floats, members: npt.NDArray[np.intp]) -> int:
    """The unit nearest to the stratum's mean; of several the first."""
    mean = np.average(points[members], axis=0, weights=seconds[members])
    return int(members[np.square(points[members] - mean).sum(axis=1).round(12).argmin()])
