"""How well a model agrees with ratings or labels, and what its decisions cost.

Axes: n stimuli, V video and A audio renditions of one scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Agreement", "agreement", "decision_regret", "drops", "trade_off_order"]

Floats = npt.NDArray[np.floating]


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
    from scipy.stats import spearmanr

    return Agreement(
        plcc=float(np.corrcoef(predicted, target)[0, 1]),
        srcc=float(spearmanr(predicted, target).statistic),
        rmse=float(np.sqrt(np.mean((predicted - target) ** 2))),
        num=len(target),
    )


def trade_off_order(
    predicted: Floats,
    target: Floats,
    content: Sequence[str] | npt.NDArray[np.object_],
    video_quality: Floats,
    audio_quality: Floats,
    *,
    threshold: float,
) -> tuple[float, int]:
    """How often a model prefers what people preferred when audio is traded for video.

    Over pairs of stimuli of one content of which one has the better video and the other the better audio, and whose
    targets differ by more than `threshold`: the share that the model orders as the targets do, and their number.

    Args:
        predicted: the model's scores, (n,).
        target: the ratings, (n,).
        content: content of each stimulus, (n,).
        video_quality: any score that orders the video conditions of a content, (n,).
        audio_quality: any score that orders the audio conditions, (n,).
        threshold: least difference in rating that counts.
    """
    content = np.asarray(content)
    right = total = 0
    for name in dict.fromkeys(content.tolist()):
        i = np.flatnonzero(content == name)
        first, second = np.meshgrid(i, i, indexing="ij")
        counted = (
            (video_quality[first] > video_quality[second])
            & (audio_quality[first] < audio_quality[second])
            & (np.abs(target[first] - target[second]) > threshold)
        )
        agree = (target[first] - target[second]) * (predicted[first] - predicted[second]) > 0
        right += int((counted & agree).sum())
        total += int(counted.sum())
    return (right / total if total else float("nan")), total


def decision_regret(total_kbps: Floats, predicted: Floats, truth: Floats, budget_kbps: float) -> float | None:
    """What choosing by `predicted` under a budget loses in `truth`; None where no pair fits. All (V, A)."""
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
