"""Conformal intervals: how far ratings lie from predictions on contents that a model did not see.

Cross-conformal by content: residuals of every content come from a model that was trained without it, and the
interval is their 5 % and 95 % quantile, every content weighing the same. Stimuli of one content are alike, so the
interval is only as sure as the number of contents; `coverage` measures it by calibrating on all contents but one.

For two pairs of one scene what counts is the error of their *difference*: what a content does to both cancels.

Axes: n stimuli.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from abr_alloc.models.intervals import LEVEL, Intervals

__all__ = ["fit_intervals", "measure_coverage", "measure_held"]

_MOST_PAIRS = 4000  # differences looked at per group

Floats = npt.NDArray[np.floating]


def _quantile(values: Floats, content: npt.NDArray[np.object_], level: float) -> float:
    """Quantile in which every content weighs the same, with the finite-sample step (n + 1) / n."""
    names, inverse, counts = np.unique(content.astype(str), return_inverse=True, return_counts=True)
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(1.0 / (len(names) * counts[inverse[order]]))
    target = min(level * (len(values) + 1) / len(values), 1.0)
    return float(values[order][min(int(np.searchsorted(cumulated, target - 1e-12)), len(values) - 1)])


def _differences(
    residual: Floats, group: npt.NDArray[np.object_], content: npt.NDArray[np.object_]
) -> tuple[Floats, npt.NDArray[np.object_]]:
    """|r_i - r_j| of the pairs of each group, and their contents."""
    rng = np.random.default_rng(0)
    differences, contents = [], []
    for name in dict.fromkeys(group.tolist()):
        i = np.flatnonzero(group == name)
        first, second = np.triu_indices(len(i), k=1)
        if len(first) > _MOST_PAIRS:
            kept = rng.choice(len(first), _MOST_PAIRS, replace=False)
            first, second = first[kept], second[kept]
        differences.append(np.abs(residual[i][first] - residual[i][second]))
        contents.append(content[i][first])
    return np.concatenate(differences), np.concatenate(contents)


def fit_intervals(residual: Floats, group: npt.NDArray[np.object_], content: npt.NDArray[np.object_]) -> Intervals:
    """Intervals from held-out residuals.

    Args:
        residual: rating minus prediction, MOS 1-5, (n,), each of a model that did not see the content.
        group: what is compared within (a content, or a scene), (n,).
        content: content of each stimulus, (n,).
    """
    tail = (1.0 - LEVEL) / 2.0
    low, high = -_quantile(-residual, content, 1.0 - tail), _quantile(residual, content, 1.0 - tail)
    differences, of_content = _differences(residual, group, content)
    difference = _quantile(differences, of_content, LEVEL) if len(differences) else high - low
    return Intervals(interval_mos=(low, high), difference_mos=difference)


def measure_held(
    residual: Floats, group: npt.NDArray[np.object_], content: npt.NDArray[np.object_], intervals: Intervals
) -> tuple[float, float]:
    """Share of ratings, and of rating differences, that given intervals hold; every content weighs the same."""
    low, high = intervals.interval_mos
    held, held_differences = [], []
    for name in dict.fromkeys(content.tolist()):
        own = content == name
        held.append(np.mean((residual[own] >= low) & (residual[own] <= high)))
        differences, _ = _differences(residual[own], group[own], content[own])
        if len(differences):
            held_differences.append(np.mean(differences <= intervals.difference_mos))
    return float(np.mean(held)), float(np.mean(held_differences)) if held_differences else float("nan")


def measure_coverage(
    residual: Floats, group: npt.NDArray[np.object_], content: npt.NDArray[np.object_]
) -> tuple[float, float]:
    """Share of ratings, and of rating differences, that intervals hold which were fitted on the other contents."""
    found = []
    for name in dict.fromkeys(content.tolist()):
        own = content == name
        if own.all():
            return float("nan"), float("nan")
        intervals = fit_intervals(residual[~own], group[~own], content[~own])
        found.append(measure_held(residual[own], group[own], content[own], intervals))
    ratings, differences = zip(*found, strict=True)
    return float(np.mean(ratings)), float(np.mean(differences))
