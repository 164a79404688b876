"""People's relevance, from ratings, and the ranges over which a model's is normalised (`models/relevance.py`).

Axes: n stimuli.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from abr_alloc.models.predictor import Predictor, ablation
from abr_alloc.models.relevance import RelevanceRanges

__all__ = ["effect_sizes", "fit_ranges"]

Floats = npt.NDArray[np.floating]


def effect_sizes(
    values: Floats, video_condition: Sequence[object], audio_condition: Sequence[object]
) -> tuple[float, float]:
    """SS_audio and SS_video of stimuli that need not form a full grid.

    What the other factor leaves, by least squares on indicators (type II); on a full grid the same as
    `surface_effects`.

    Args:
        values: ratings or predictions, (n,).
        video_condition: what was done to the video, (n,).
        audio_condition: what was done to the audio, (n,).
    """
    values = np.asarray(values, dtype=np.float64)
    video, audio = (_indicators(condition) for condition in (video_condition, audio_condition))
    both = _residual(np.hstack([video, audio]), values)
    return _residual(video, values) - both, _residual(audio, values) - both


def _indicators(condition: Sequence[object]) -> npt.NDArray[np.float64]:
    _, level = np.unique(np.asarray(condition, dtype=object).astype(str), return_inverse=True)
    return np.eye(int(level.max()) + 1)[level]


def _residual(design: npt.NDArray[np.float64], values: Floats) -> float:
    """Sum of squares that a design (n, k) leaves of values (n,)."""
    left = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return float(left @ left)


def fit_ranges(predictor: Predictor, x_a: Floats, x_v: Floats) -> RelevanceRanges:
    """Ranges of both components over stimuli (n, d_a), (n, d_v)."""
    ablated = np.concatenate(ablation(predictor, x_a, x_v))
    change = predictor.change_norm(x_a, x_v)
    changed = None if change is None else np.concatenate(change)
    return RelevanceRanges(
        ablation=(float(ablated.min()), float(ablated.max())),
        change_norm=None if changed is None else (float(changed.min()), float(changed.max())),
    )
