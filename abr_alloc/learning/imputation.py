"""What a rated table lacks of the six video features, estimated from what it has. Rating tables only.

LIVE-SJTU's published features are the four VIF scales and `frame_diff`; the formula of video quality reads `adm2` and
`motion2` too. Both are estimated for fitting and judging models, never in a feature table:

    adm2       = c . (1, vif_scale0..3), clipped to 0-1
    ln motion2 = e . (1, f, f^2, vif_3, vif_0, f vif_0, f vif_3),   f = ln max(frame_diff, 0.05)

Leaving one source out, r = .88 and .98 (benchmarks/teacher.py). VIF cannot see upscaling, so an imputed `adm2` cannot
either: what is estimated here says nothing about sizes.

Axes: n stimuli.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt
import pandas as pd

from abr_alloc.documents import parse_json
from abr_alloc.models.stored import numbers_of_object
from abr_alloc.table.table import VIDEO_FEATURES

__all__ = ["IMPUTED", "READ", "Imputation", "fit_imputation", "impute", "load_imputation"]

Array = npt.NDArray[np.float64]

READ = (*VIDEO_FEATURES[:4], "frame_diff")
"""What is read."""
IMPUTED = ("motion2", "adm2")
"""What is estimated."""

_LEAST_MOTION = 0.05
_RIDGE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Imputation:
    """Coefficients of the two regressions."""

    adm2: tuple[float, ...]
    """c, (5,)."""
    motion2: tuple[float, ...]
    """e, (7,)."""

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with `IMPUTED` columns."""
        adm2 = np.clip(_of_vif(frame) @ np.array(self.adm2), 0.0, 1.0)
        return frame.assign(motion2=np.exp(_of_motion(frame) @ np.array(self.motion2)), adm2=adm2)


def load_imputation() -> Imputation:
    """The one that ships."""
    text = resources.files("abr_alloc.models").joinpath("weights/imputation.json").read_text(encoding="utf-8")
    return Imputation(**numbers_of_object(parse_json(text), {"adm2": 5, "motion2": 7}, "imputation.json"))


def impute(frame: pd.DataFrame) -> pd.DataFrame:
    """A rated table with all six video features where it has `READ` but not all of `IMPUTED`; any other as it is."""
    if set(IMPUTED) <= set(frame.columns) or not set(READ) <= set(frame.columns):
        return frame
    return load_imputation()(frame)


def fit_imputation(with_adm2: pd.DataFrame, with_motion: pd.DataFrame) -> Imputation:
    """Fit both regressions, each by ridge on standardised terms.

    Args:
        with_adm2: VIF scales and `adm2`.
        with_motion: VIF scales, `frame_diff` and `motion2`.
    """
    log_motion = np.log(np.maximum(with_motion["motion2"].to_numpy(dtype=np.float64), _LEAST_MOTION))
    return Imputation(
        adm2=_ridge(_of_vif, with_adm2, with_adm2["adm2"].to_numpy(dtype=np.float64)),
        motion2=_ridge(_of_motion, with_motion, log_motion),
    )


def _of_vif(frame: pd.DataFrame) -> Array:
    """(n, 5)"""
    return np.column_stack([np.ones(len(frame)), frame[list(VIDEO_FEATURES[:4])].to_numpy(dtype=np.float64)])


def _of_motion(frame: pd.DataFrame) -> Array:
    """(n, 7)"""
    f = np.log(np.maximum(frame["frame_diff"].to_numpy(dtype=np.float64), _LEAST_MOTION))
    low, high = (frame[name].to_numpy(dtype=np.float64) for name in ("vif_scale3", "vif_scale0"))
    return np.column_stack([np.ones(len(f)), f, f * f, low, high, high * f, low * f])


def _ridge(terms: Callable[[pd.DataFrame], Array], frame: pd.DataFrame, target: Array) -> tuple[float, ...]:
    x = terms(frame)
    mean, std = x.mean(axis=0), x.std(axis=0)
    mean[0], std[0] = 0.0, 1.0
    z = (x - mean) / std
    penalty = np.diag([0.0, *[_RIDGE * len(z)] * (x.shape[1] - 1)])
    w = np.linalg.solve(z.T @ z + penalty, z.T @ target) / std
    w[0] -= w[1:] @ mean[1:]
    return tuple(w.tolist())
