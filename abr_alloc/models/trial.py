"""A trial of a model that was read: a few predictions that any model must be able to make.

Shapes and finite weights do not make a model. So it is asked for stimuli that get better in all columns together, from
the worst to the best that a column may hold, for the average training stimulus, and for the ends of every column's
range. It takes a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from abr_alloc.models.audio_quality import AUDIO_QUALITY
from abr_alloc.models.predictor import AVQ_RANGE, Predictor
from abr_alloc.table.table import range_of

__all__ = ["check_predictions"]

Floats = npt.NDArray[np.float32]

_FAR_RANGE = (-20.0, 25.0)
"""What a prediction may be where no title is, MOS: a polynomial may leave the scale there, but not blow up."""
_STEPS = np.linspace(0.0, 1.0, 5)
# From poor to good, of the columns that somebody knows.
_USUAL = {
    **{f"vif_scale{i}": (0.05, 1.0) for i in range(4)},
    **{f"vif1d_scale{i}": (0.05, 1.0) for i in range(4)},
    **{"adm2": (0.3, 1.0), "motion2": (20.0, 1.0), "frame_diff": (20.0, 1.0), "vmaf": (5.0, 98.0)},
    **{AUDIO_QUALITY: (1.1, 4.5), "audio_mos": (1.1, 4.5), "visqol_mos": (1.1, 4.7), "bitrate_kbps": (8.0, 256.0)},
    "audio_spread_mos": (0.8, 0.1),
}


def check_predictions(predictor: Predictor, audio: Sequence[str], video: Sequence[str]) -> None:
    """Refuse a model that cannot predict.

    Args:
        predictor: the model.
        audio: its audio columns, d_a.
        video: its video columns, d_v.

    Raises:
        ValueError: a prediction is not finite, or far from the scale; the message tells it.
    """
    neutral_a, neutral_v = (np.asarray(part, dtype=np.float32) for part in predictor.neutral)
    for what, part in (("audio", neutral_a), ("video", neutral_v)):
        if not np.isfinite(part).all():
            raise ValueError(f"the average {what} that it was trained on is not finite")
    with np.errstate(all="ignore"):
        usual = predictor.predict_grid(_usual(audio, neutral_a), _usual(video, neutral_v))
        _refuse(usual, AVQ_RANGE, "usual stimuli")
        far_a, far_v = _far(audio, neutral_a), _far(video, neutral_v)
        _refuse(predictor.predict_grid(far_a, far_v), _FAR_RANGE, "stimuli at the ends of what a table may hold")
        change = predictor.change_norm(far_a, far_v)
    if change is not None and not all(np.isfinite(part).all() for part in change):
        raise ValueError("its change of features is not finite")


def _refuse(avq_mos: npt.NDArray[np.floating], limits: tuple[float, float], what: str) -> None:
    low, high = limits
    if avq_mos.min() >= low and avq_mos.max() <= high:  # NaN is neither
        return
    worst = avq_mos.ravel()[int(np.nan_to_num(np.abs(avq_mos - 3.0), nan=np.inf).argmax())]
    raise ValueError(f"it predicts an AVQ of {worst:g} for {what}, which is no MOS of 1-5")


def _usual(columns: Sequence[str], neutral: Floats) -> Floats:
    """Stimuli from poor to good, and the average one: (6, d)."""
    rows = np.tile(neutral, (len(_STEPS) + 1, 1))
    for place, name in enumerate(columns):
        if name in _USUAL:
            low, high = _USUAL[name]
            rows[:-1, place] = low + (high - low) * _STEPS
    return rows


def _far(columns: Sequence[str], neutral: Floats) -> Floats:
    """The least and the largest that every column may hold, all columns together: (2, d)."""
    rows = np.tile(neutral, (2, 1))
    for place, name in enumerate(columns):
        low, high = (1.0, 5.0) if name == AUDIO_QUALITY else range_of(name)
        rows[:, place] = np.where(np.isfinite([low, high]), [low, high], neutral[place])
    return rows
