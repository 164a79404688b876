"""The weights of the product, and video quality where there is no VMAF, fitted to ratings (`models/baselines.py`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from abr_alloc.learning.dataset import TrainingSet
from abr_alloc.learning.teacher_fit import fit_teacher
from abr_alloc.models.audio_quality import AUDIO_QUALITY
from abr_alloc.models.baselines import LOWEST_QUALITY, FittedVideoQuality
from abr_alloc.models.teacher import points_of_mos
from abr_alloc.table.table import VIDEO_FEATURES

__all__ = ["fit_product", "fit_video_quality"]

Floats = npt.NDArray[np.floating]


def fit_video_quality(
    data: TrainingSet, contents: Sequence[str], video_ratings: pd.DataFrame | None = None, *, use_vmaf: bool = True
) -> tuple[FittedVideoQuality, tuple[str, ...]]:
    """Q_v for a training set, and the columns it is made of.

    Args:
        data: with VMAF, or rated stimuli with `VIDEO_FEATURES` and `audio_quality_mos`.
        contents: contents whose rows and ratings count.
        video_ratings: a second table of video ratings for the product form (`teacher_fit.fit_teacher`).
        use_vmaf: take VMAF where the data have it.

    Raises:
        FeatureTableError: the data have neither VMAF nor what the product form needs.
    """
    columns: tuple[str, ...] = ("vmaf",)
    teacher = None
    if not use_vmaf or "vmaf" not in data.video_columns:
        columns = VIDEO_FEATURES
        rows = data.pairs_of(contents)
        audio, video = data.pairs[rows].T
        quality = data.audio([AUDIO_QUALITY])[audio, 0]
        points = points_of_mos(data.mos[rows])
        teacher = fit_teacher(data.video(columns)[video], quality, points, data.content[rows], video_ratings)
    kept = data.video(columns)[np.isin(data.content_v, list(contents))]
    return FittedVideoQuality(teacher=teacher, neutral=tuple(kept.mean(axis=0).tolist())), columns


def fit_product(q_a: Floats, q_v: Floats, mos: Floats) -> tuple[float, float]:
    """Weights w_a, w_v of the product, by least squares on MOS; all (n,)."""
    from scipy.optimize import least_squares

    log_a, log_v = (np.log(np.maximum(q, LOWEST_QUALITY)) for q in (q_a, q_v))
    found = least_squares(lambda w: np.exp(w[0] * log_a + w[1] * log_v) - mos, x0=(0.3, 0.7), bounds=(0.0, 3.0))
    return float(found.x[0]), float(found.x[1])
