"""Relevance: the share of a judgement that rests on each modality (paper, Eq. 6-8), in NumPy.

    I_m = alpha norm(ablation_m) + beta (1 - norm(change_m)),   audio_share = I_a / (I_a + I_v)

with alpha = 0.7, beta = 0.3. `norm` is a min-max map over ranges stored in the checkpoint (both modalities together,
over the training scenes), so that one scene alone has an answer and a scene's answer does not change with its company.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.models.folded import FoldedFusionNet

__all__ = ["ALPHA", "BETA", "Relevance", "RelevanceRanges", "estimate_relevance", "fit_ranges"]

ALPHA, BETA = 0.7, 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class RelevanceRanges:
    """Ranges over which the two components are normalised."""

    ablation: tuple[float, float]
    """Least and largest ablation sensitivity."""
    change_norm: tuple[float, float]
    """Least and largest feature change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relevance:
    """Relevance of audio and video at one operating point."""

    audio_share: float
    """I_a / (I_a + I_v), 0-1; video has the rest."""
    ablation: Mapping[str, float]
    """Eq. 6 for `audio` and `video`, relative to AVQ."""
    change_norm: Mapping[str, float]
    """Eq. 7 for `audio` and `video`."""

    @property
    def video_share(self) -> float:
        return 1.0 - self.audio_share


def _normalise(value: npt.NDArray[np.floating], bounds: tuple[float, float]) -> npt.NDArray[np.float64]:
    low, high = bounds
    return np.clip((np.asarray(value, dtype=np.float64) - low) / max(high - low, 1e-12), 0.0, 1.0)


def estimate_relevance(
    network: FoldedFusionNet,
    ranges: RelevanceRanges,
    x_a: npt.NDArray[np.floating],
    x_v: npt.NDArray[np.floating],
) -> list[Relevance]:
    """Relevance of n stimuli with features (n, d_a) and (n, d_v)."""
    ablation = np.stack(network.ablation(x_a, x_v))  # (2, n): audio, video
    change = np.stack(network.change_norm(x_a, x_v))  # (2, n)
    importance = ALPHA * _normalise(ablation, ranges.ablation) + BETA * (1.0 - _normalise(change, ranges.change_norm))
    total = importance.sum(axis=0)
    share = np.where(total > 0, importance[0] / np.maximum(total, 1e-12), 0.5)
    return [
        Relevance(
            audio_share=float(share[i]),
            ablation={"audio": float(ablation[0, i]), "video": float(ablation[1, i])},
            change_norm={"audio": float(change[0, i]), "video": float(change[1, i])},
        )
        for i in range(len(share))
    ]


def fit_ranges(
    network: FoldedFusionNet, x_a: npt.NDArray[np.floating], x_v: npt.NDArray[np.floating]
) -> RelevanceRanges:
    """Ranges of both components over stimuli (n, d_a), (n, d_v)."""
    ablation = np.concatenate(network.ablation(x_a, x_v))
    change = np.concatenate(network.change_norm(x_a, x_v))
    return RelevanceRanges(
        ablation=(float(ablation.min()), float(ablation.max())),
        change_norm=(float(change.min()), float(change.max())),
    )
