"""Relevance: how far a judgement rests on audio and on video, in NumPy.

Of one scene, over the surface of its predicted AVQ f (V video x A audio renditions):

    audio_share = SS_audio / (SS_audio + SS_video)

the main effects of a two-way analysis of variance of the surface: how much of what AVQ varies by, over the renditions
at hand, is the audio's. People's relevance is measured in the same way (docs/evaluation.md). Beside it stands the
paper's Eq. 6 (Salaj and Biswas, 2025), averaged over the scene's pairs:

    ablation_audio_share = mean ablation_a / (mean ablation_a + mean ablation_v)
    ablation_m           = |f(x) - f(x without m)| / |f(x)|

Of one pair, the paper's Eq. 6-8, reported under their own names:

    I_m = alpha norm(ablation_m) + beta (1 - norm(change_m)),   eq8_audio_share = I_a / (I_a + I_v)

with alpha = 0.7, beta = 0.3. `norm` is a min-max map over ranges stored in the checkpoint (both modalities together,
over the training pairs), so that one scene alone has an answer and a scene's answer does not change with its company.
A system without embeddings has no change: its I is the ablation term alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.models.predictor import Predictor, ablation

__all__ = [
    "ALPHA",
    "BETA",
    "PairRelevance",
    "Relevance",
    "RelevanceRanges",
    "SceneShares",
    "estimate_relevance",
    "importance",
    "pair_relevance",
    "scene_shares",
    "surface_effects",
]

ALPHA, BETA = 0.7, 0.3

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelevanceRanges:
    """Ranges over which the two components are normalised."""

    ablation: tuple[float, float]
    """Least and largest ablation sensitivity."""
    change_norm: tuple[float, float] | None
    """Least and largest feature change; None for a system without embeddings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relevance:
    """Relevance of audio and video in one scene, and at one pair of it."""

    audio_share: float
    """SS_audio / (SS_audio + SS_video) of the scene's surface, 0-1; video has the rest."""
    ablation_audio_share: float
    """Audio's part of the mean ablation over the scene's pairs, 0-1."""
    eq8_audio_share: float
    """I_a / (I_a + I_v) at the pair (paper, Eq. 8)."""
    ablation: Mapping[str, float]
    """Eq. 6 at the pair for `audio` and `video`, relative to AVQ."""
    change_norm: Mapping[str, float] | None
    """Eq. 7 at the pair for `audio` and `video`; None without embeddings."""

    @property
    def video_share(self) -> float:
        return 1.0 - self.audio_share


def surface_effects(surfaces: Floats) -> tuple[Floats, Floats]:
    """SS_audio and SS_video of surfaces (..., V, A): main effects of a two-way analysis of variance, (...,) each."""
    num_video, num_audio = surfaces.shape[-2:]
    mean = surfaces.reshape(*surfaces.shape[:-2], num_video * num_audio).mean(axis=-1)[..., None]
    audio, video = surfaces.mean(axis=-2) - mean, surfaces.mean(axis=-1) - mean
    return num_video * np.sum(audio * audio, axis=-1), num_audio * np.sum(video * video, axis=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneShares:
    """Audio's share of a scene."""

    ablation: float
    """Of the mean ablation over all pairs."""
    anova: float
    """Of the main effects of the surface."""


def scene_shares(predictor: Predictor, surface: Floats, x_a: Floats, x_v: Floats) -> SceneShares:
    """Audio's share of a scene, 0-1; 0.5 where nothing moves.

    Args:
        predictor: who predicted the surface.
        surface: AVQ of every pair, (V, A).
        x_a: audio columns, (A, d_a).
        x_v: video columns, (V, d_v).
    """
    neutral_a, neutral_v = predictor.neutral
    no_audio = predictor.predict_grid(np.asarray(neutral_a)[None, :], x_v)  # (V, 1)
    no_video = predictor.predict_grid(x_a, np.asarray(neutral_v)[None, :])  # (1, A)
    scale = np.maximum(np.abs(surface), 1e-6)
    ablated = [float(np.mean(np.abs(surface - without) / scale, dtype=np.float64)) for without in (no_audio, no_video)]
    return SceneShares(
        ablation=_share(*ablated), anova=_share(*map(float, surface_effects(np.asarray(surface, np.float64))))
    )


def _share(audio: float, video: float) -> float:
    return audio / (audio + video) if audio + video > 1e-12 else 0.5


def _normalise(value: Floats, bounds: tuple[float, float]) -> npt.NDArray[np.float64]:
    low, high = bounds
    return np.clip((np.asarray(value, dtype=np.float64) - low) / max(high - low, 1e-12), 0.0, 1.0)


def importance(ranges: RelevanceRanges, ablated: Floats, changed: Floats | None) -> npt.NDArray[np.float64]:
    """I of audio and video (paper, Eq. 8), (2, n), from both components, (2, n) each."""
    if changed is None or ranges.change_norm is None:
        return _normalise(ablated, ranges.ablation)
    change = 1.0 - _normalise(changed, ranges.change_norm)
    return ALPHA * _normalise(ablated, ranges.ablation) + BETA * change


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRelevance:
    """Relevance at n pairs, each of a scene of its own, as arrays."""

    eq8_audio_share: npt.NDArray[np.float64]
    """I_a / (I_a + I_v) (paper, Eq. 8), (n,)."""
    ablation: Floats
    """Eq. 6 for audio and video, (2, n)."""
    change_norm: Floats | None
    """Eq. 7 for audio and video, (2, n); None without embeddings."""


def pair_relevance(
    predictor: Predictor, ranges: RelevanceRanges, x_a: Floats, x_v: Floats, first: Sequence[int] = (0,)
) -> PairRelevance:
    """Eq. 6-8 at n pairs.

    Args:
        predictor: the model.
        ranges: ranges over its training pairs.
        x_a: audio columns of the pairs, (n, d_a).
        x_v: video columns of the pairs, (n, d_v).
        first: the first pair of every title, from 0 on: each is predicted by itself, as matrix products round
            differently in other company.
    """
    titles = [slice(start, stop) for start, stop in itertools.pairwise([*first, len(x_a)])]
    # (2, n): audio, video
    ablated = np.concatenate([np.stack(ablation(predictor, x_a[own], x_v[own])) for own in titles], axis=1)
    changes = [np.stack(found) for own in titles if (found := predictor.change_norm(x_a[own], x_v[own])) is not None]
    changed = np.concatenate(changes, axis=1) if changes else None
    weight = importance(ranges, ablated, changed)
    total = weight.sum(axis=0)
    eq8 = np.where(total > 0, weight[0] / np.maximum(total, 1e-12), 0.5)
    return PairRelevance(eq8_audio_share=eq8, ablation=ablated, change_norm=changed)


def estimate_relevance(
    predictor: Predictor,
    ranges: RelevanceRanges,
    shares: Sequence[SceneShares],
    x_a: Floats,
    x_v: Floats,
    first: Sequence[int] = (0,),
) -> list[Relevance]:
    """Relevance of n scenes at one pair each.

    Args:
        predictor: the model.
        ranges: ranges over its training pairs.
        shares: of each scene.
        x_a: audio columns of the pairs, (n, d_a).
        x_v: video columns of the pairs, (n, d_v).
        first: the first pair of every title.
    """
    pairs = pair_relevance(predictor, ranges, x_a, x_v, first)
    ablated, changed = pairs.ablation.tolist(), None if pairs.change_norm is None else pairs.change_norm.tolist()
    return [
        Relevance(
            audio_share=share.anova,
            ablation_audio_share=share.ablation,
            eq8_audio_share=eq8,
            ablation={"audio": ablated[0][i], "video": ablated[1][i]},
            change_norm=None if changed is None else {"audio": changed[0][i], "video": changed[1][i]},
        )
        for i, (share, eq8) in enumerate(zip(shares, pairs.eq8_audio_share.tolist(), strict=True))
    ]
