"""How well a model agrees with ratings or labels, and what its decisions cost.

Axes: n stimuli, V video and A audio renditions of one scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Agreement", "agreement", "ccc", "decision_regret", "drops", "map_logistic", "trade_off_order", "trade_offs"]

Floats = npt.NDArray[np.floating]

_LEAST, _MOST = np.array([-4.0, 0.0, -6.0, 0.05]), np.array([1.0, 10.0, 6.0, 20.0])
"""Bounds of the map's four numbers, for predictions of mean 0 and deviation 1 and targets from 0 to 1."""
_MOST_STEPS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Agreement of predictions with targets."""

    plcc: float
    """Pearson's linear correlation."""
    srcc: float
    """Spearman's rank correlation."""
    rmse: float
    """Root mean square error, in the targets' unit."""
    num: int
    """Stimuli."""


def agreement(predicted: Floats, target: Floats) -> Agreement:
    """PLCC, SRCC and RMSE of two vectors (n,)."""
    return Agreement(
        plcc=correlation(predicted, target),
        srcc=correlation(ranks(predicted), ranks(target)),
        rmse=float(np.sqrt(np.mean((predicted - target) ** 2))),
        num=len(target),
    )


def ranks(values: Floats) -> Floats:
    """Ranks from 1, equal values sharing the mean of theirs; NaN everywhere where one value is. (n,) -> (n,)."""
    if np.isnan(values).any():
        return np.full(len(values), np.nan)
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - 0.5 * (counts - 1))[which]


def correlation(x: Floats, y: Floats) -> float:
    """Pearson's correlation of two vectors; NaN where one does not vary."""
    x, y = x - np.mean(x), y - np.mean(y)
    scale = float(np.sqrt(np.sum(x * x) * np.sum(y * y)))
    return float(np.sum(x * y)) / scale if scale > 1e-12 else float("nan")


def ccc(predicted: Floats, target: Floats) -> float:
    """Concordance correlation coefficient of two vectors (n,), population moments (Lin, 1989)."""
    covariance = float(np.mean((predicted - predicted.mean()) * (target - target.mean())))
    spread = float(predicted.var() + target.var() + (predicted.mean() - target.mean()) ** 2)
    return 2.0 * covariance / spread if spread > 0.0 else float("nan")


def map_logistic(predicted: Floats, target: Floats) -> Floats:
    """Predictions (n,) after the monotone logistic map that brings them closest to the targets.

    b2 + (b1 - b2) / (1 + exp(-(x - b3) / b4)) with b1 >= b2 and b4 > 0, by least squares: the usual step before RMSE is
    compared between metrics of different scales (ITU-T J.149, VQEG). Found by Levenberg and Marquardt's steps, kept
    within bounds: `evaluate` does without SciPy.
    """
    centre, spread = float(np.mean(predicted)), float(np.std(predicted))
    low, span = float(np.min(target)), float(np.ptp(target))
    if spread < 1e-9 or span < 1e-9:
        return np.full(len(target), float(np.mean(target)))
    x, y = (predicted - centre) / spread, (target - low) / span

    b = np.array([0.0, 1.0, 0.0, 0.6])
    value, slopes = _logistic(b, x)
    cost, damping = float(np.sum((value - y) ** 2)), 1e-3
    for _ in range(_MOST_STEPS):
        gradient = slopes.T @ (value - y)
        # What stands at a bound and wants past it stays there.
        free = ~(((b <= _LEAST) & (gradient > 0.0)) | ((b >= _MOST) & (gradient < 0.0)))
        normal = (slopes.T @ slopes)[np.ix_(free, free)]
        tried = b.copy()
        tried[free] -= np.linalg.lstsq(normal + damping * np.diag(np.diag(normal) + 1e-12), gradient[free], rcond=None)[
            0
        ]
        tried = np.clip(tried, _LEAST, _MOST)
        there, slopes_there = _logistic(tried, x)
        tried_cost = float(np.sum((there - y) ** 2))
        if tried_cost > cost:
            if damping > 1e8:
                break
            damping *= 4.0
            continue
        gain, b, value, slopes = cost - tried_cost, tried, there, slopes_there
        cost, damping = tried_cost, damping / 4.0
        if gain <= 1e-9 * cost:
            break
    return low + span * value


def _logistic(b: Floats, x: Floats) -> tuple[Floats, Floats]:
    """b0 + b1 / (1 + exp(-(x - b2) / b3)) of predictions (n,), and its slopes by b, (n, 4)."""
    z = np.clip((x - b[2]) / b[3], -50.0, 50.0)
    s = 1.0 / (1.0 + np.exp(-z))
    rise = b[1] * s * (1.0 - s) / b[3]
    return b[0] + b[1] * s, np.column_stack([np.ones_like(s), s, -rise, -rise * z])


def trade_offs(
    predicted: Floats, target: Floats, video_quality: Floats, audio_quality: Floats, *, threshold: float
) -> tuple[int, int]:
    """Trade-offs within one content: how many a model orders as people do, and how many there are; all (n,).

    A trade-off is a pair of stimuli of which one has the better video and the other the better audio, and whose
    targets differ by more than `threshold`.
    """
    counted = (
        (video_quality[:, None] > video_quality[None, :])
        & (audio_quality[:, None] < audio_quality[None, :])
        & (np.abs(target[:, None] - target[None, :]) > threshold)
    )
    agree = (target[:, None] - target[None, :]) * (predicted[:, None] - predicted[None, :]) > 0
    return int((counted & agree).sum()), int(counted.sum())


def trade_off_order(
    predicted: Floats,
    target: Floats,
    content: Sequence[str] | npt.NDArray[np.object_],
    video_quality: Floats,
    audio_quality: Floats,
    *,
    threshold: float,
) -> tuple[float, int]:
    """Share of the trade-offs (`trade_offs`) that a model orders as the targets do, and their number.

    Args:
        predicted: the model's scores, (n,).
        target: the ratings, (n,).
        content: content of each stimulus, (n,).
        video_quality: any score that orders the video conditions of a content, (n,).
        audio_quality: any score that orders the audio conditions, (n,).
        threshold: least difference in rating that counts.
    """
    content = np.asarray(content)
    found = [
        trade_offs(predicted[i], target[i], video_quality[i], audio_quality[i], threshold=threshold)
        for i in (np.flatnonzero(content == name) for name in dict.fromkeys(content.tolist()))
    ]
    right, total = (sum(part) for part in zip(*found, strict=True))
    return (right / total if total else float("nan")), total


def decision_regret(total_kbps: Floats, predicted: Floats, truth: Floats, budget_kbps: float) -> float | None:
    """What choosing by `predicted` under a budget loses in `truth`; None where no pair fits. All (V, A).

    The score chooses alone, and this is meant: a plan gives up to a tie of AVQ for rate and for steady sizes
    (`allocation.path`), which says nothing of how well the score orders pairs.
    """
    feasible = total_kbps <= budget_kbps
    if not feasible.any():
        return None
    chosen = np.unravel_index(np.argmax(np.where(feasible, predicted, -np.inf)), predicted.shape)
    return float(truth[feasible].max() - truth[chosen])


def drops(scores: Floats, bitrate_kbps: Floats, group: npt.NDArray[np.object_], axis: int) -> Floats:
    """Losses of score from one rendition to the next higher bitrate of the same group, >= 0.

    Args:
        scores: a surface (V, A).
        bitrate_kbps: rates along `axis`.
        group: what must stay the same (codec and size for video, codec for audio), along `axis`.
        axis: 0 for video, 1 for audio.

    Returns:
        One number per step and rendition of the other kind; 0 where the score rises.
    """
    rows = np.moveaxis(np.asarray(scores), axis, 0)
    losses = []
    for name in dict.fromkeys(group.tolist()):
        i = np.flatnonzero(group == name)
        ordered = rows[i[np.argsort(bitrate_kbps[i], kind="stable")]]
        losses.append(np.maximum(ordered[:-1] - ordered[1:], 0.0).ravel())
    return np.concatenate(losses) if losses else np.zeros(0)
