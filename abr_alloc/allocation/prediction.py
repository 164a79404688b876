"""Predicting all pairs of a title at once.

A title is predicted by itself, whatever stands beside it: matrix products round differently in other company, and a
title's numbers must not depend on how a catalogue is cut up.

Axes: S scenes of a title, V video and A audio renditions of all its scenes, P pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.errors import CheckpointError
from abr_alloc.models.predictor import AVQ_RANGE, Predictor, predict_pairs
from abr_alloc.models.relevance import SceneShares, surface_effects

__all__ = ["AVQ_RANGE", "Pairs", "TitleAvq", "pair_up", "predict_title", "shares_of"]

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Every pair of every scene: scene after scene, video after video, audio after audio."""

    video: Indices
    """Place of the pair's video rendition among those of all scenes, (P,)."""
    audio: Indices
    """Place of its audio rendition, (P,)."""
    first: Indices
    """First pair of every scene, and one past the last, (S + 1,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleAvq:
    """AVQ of a title's pairs, and of its renditions beside an average one."""

    pairs_mos: Floats
    """AVQ of every pair, (P,)."""
    without_audio_mos: Floats
    """AVQ of every video rendition beside the average training audio, (V,)."""
    without_video_mos: Floats
    """AVQ of every audio rendition beside the average training video, (A,)."""


def pair_up(num_video: Indices, num_audio: Indices) -> Pairs:
    """The pairs of scenes with so many renditions each, (S,), which stand scene after scene."""
    first = np.concatenate([[0], np.cumsum(num_video * num_audio)])
    scene = np.repeat(np.arange(len(num_video)), num_video * num_audio)
    video, audio = np.divmod(np.arange(first[-1]) - first[scene], num_audio[scene])
    return Pairs(
        video=video + (np.cumsum(num_video) - num_video)[scene],
        audio=audio + (np.cumsum(num_audio) - num_audio)[scene],
        first=first,
    )


def predict_title(predictor: Predictor, x_a: Floats, x_v: Floats, audio: Indices, video: Indices) -> TitleAvq:
    """Predict a title.

    Args:
        predictor: the model.
        x_a: audio columns, (A, d_a).
        x_v: video columns, (V, d_v).
        audio: row of `x_a` of every pair, (P,).
        video: row of `x_v` of every pair, (P,).

    Raises:
        CheckpointError: a prediction is none (`AVQ_RANGE`).
    """
    neutral_a, neutral_v = predictor.neutral
    num_a, num_v = len(x_a), len(x_v)
    x_a = np.concatenate([x_a, np.asarray(neutral_a, dtype=x_a.dtype)[None, :]])
    x_v = np.concatenate([x_v, np.asarray(neutral_v, dtype=x_v.dtype)[None, :]])
    audio = np.concatenate([audio, np.full(num_v, num_a), np.arange(num_a)])
    video = np.concatenate([video, np.arange(num_v), np.full(num_a, num_v)])
    with np.errstate(all="ignore"):
        avq = np.asarray(predict_pairs(predictor, x_a, x_v, audio, video), dtype=np.float32)
    if not (avq.min(initial=AVQ_RANGE[0]) >= AVQ_RANGE[0] and avq.max(initial=AVQ_RANGE[0]) <= AVQ_RANGE[1]):
        worst = avq[int(np.nan_to_num(np.abs(avq - 3.0), nan=np.inf).argmax())]
        raise CheckpointError(
            f"the model predicts an AVQ of {worst:g} for a pair of the table, which is no MOS of 1-5; choose another "
            "`model`, or train it again"
        )
    pairs, without_audio, without_video = np.split(avq, [len(avq) - num_v - num_a, len(avq) - num_a])
    return TitleAvq(pairs_mos=pairs, without_audio_mos=without_audio, without_video_mos=without_video)


def shares_of(
    avq_mos: Sequence[Floats], without_audio_mos: Sequence[Floats], without_video_mos: Sequence[Floats]
) -> list[SceneShares]:
    """Audio's share of scenes, as `relevance.scene_shares` has it, from what `predict_title` has predicted already.

    Scenes of one shape are worked out together; the sums of each are added up in the same order as alone.

    Args:
        avq_mos: AVQ of every pair of each scene, (V, A).
        without_audio_mos: of every video rendition beside the average audio, (V,).
        without_video_mos: of every audio rendition beside the average video, (A,).
    """
    of_shape: dict[tuple[int, ...], list[int]] = {}
    for s, avq in enumerate(avq_mos):
        of_shape.setdefault(avq.shape, []).append(s)
    found: dict[int, SceneShares] = {}
    for scenes in of_shape.values():
        avq = np.stack([avq_mos[s] for s in scenes])  # (S, V, A)
        no_audio = np.stack([without_audio_mos[s] for s in scenes])[:, :, None]
        no_video = np.stack([without_video_mos[s] for s in scenes])[:, None, :]
        scale = np.maximum(np.abs(avq), 1e-6)
        size = avq[0].size
        ablated = [
            (np.abs(avq - other) / scale).astype(np.float64).reshape(len(scenes), size).sum(axis=1) / size
            for other in (no_audio, no_video)
        ]
        effects = surface_effects(avq.astype(np.float64))
        for s, ablated_audio, ablated_video, audio, video in zip(
            scenes, *(part.tolist() for part in (*ablated, *effects)), strict=True
        ):
            found[s] = SceneShares(ablation=_share(ablated_audio, ablated_video), anova=_share(audio, video))
    return [found[s] for s in range(len(avq_mos))]


def _share(audio: float, video: float) -> float:
    return audio / (audio + video) if audio + video > 1e-12 else 0.5
