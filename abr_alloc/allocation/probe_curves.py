"""A title's renditions as its probes let them be estimated: rate, features, AVQ, and how far that may be off.

Axes: C candidates of one encoder, M measured ones, F quantities (`surrogate.QUANTITIES`).
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from abr_alloc.allocation.rendition import VIDEO_IDENTITY
from abr_alloc.allocation.surrogate import QUANTITIES, CurvePrior, Estimate, forward, given, inverse, on_x264_scale
from abr_alloc.models.checkpoint import Model
from abr_alloc.targets import Target

__all__ = ["AvqEstimate", "Candidate", "by_encoder", "estimate_avq", "estimate_curves", "identity", "pixels", "quality"]

Floats = npt.NDArray[np.float64]

NEAR_MOS = 0.1
"""How far below the envelope a rendition lies that counts a third."""
_LEAST_WEIGHT = 0.05
_STEP = 0.05
"""For the slope of AVQ over a feature, on the scales of `forward`."""


class Candidate(Protocol):
    """A video rendition that could be probed."""

    @property
    def codec(self) -> str: ...
    @property
    def width_px(self) -> int: ...
    @property
    def height_px(self) -> int: ...
    @property
    def target(self) -> str: ...


C = TypeVar("C", bound=Candidate)

identity = operator.attrgetter(*VIDEO_IDENTITY)


def quality(candidate: Candidate) -> float | None:
    """The quality that is asked for, in any scale in which less is better; None for anything else."""
    target = Target(candidate.target)
    return target.number if target.is_quality else None


def pixels(candidate: Candidate) -> int:
    return candidate.width_px * candidate.height_px


def by_encoder(candidates: Sequence[C]) -> list[list[C]]:
    """The renditions of each encoder, from the cheapest corner to the most expensive: sizes rising, CRFs falling."""
    groups: dict[tuple[str, str], list[C]] = {}
    for c in candidates:
        groups.setdefault((c.codec, Target(c.target).encoder), []).append(c)
    return [sorted(own, key=lambda c: (pixels(c), -(quality(c) or 0.0))) for own in groups.values()]


def estimate_curves(prior: CurvePrior, own: Sequence[Candidate], known: Sequence[int], rows: pd.DataFrame) -> Estimate:
    """What an encoder's renditions are estimated to give in one scene, or in the mean over a title.

    Args:
        prior: what is known of any title.
        own: its renditions, C of them.
        known: indices of those measured, (M,).
        rows: columns `QUANTITIES` of those measured, M rows in that order.
    """
    crf = on_x264_scale(own[0].codec, np.array([quality(c) for c in own], dtype=np.float64))
    side_px = np.array([min(c.width_px, c.height_px) for c in own], dtype=np.float64)
    values = np.stack([forward(name, rows[name].to_numpy(dtype=np.float64)) for name in QUANTITIES])  # (F, M)
    return given(prior.joint(crf, side_px), known, values)


@dataclass(frozen=True, slots=True, kw_only=True)
class AvqEstimate:
    """AVQ of estimated renditions, and what their quantities do to it."""

    avq_mos: Floats
    """(C,)."""
    slopes: Floats
    """AVQ by every quantity, at a given rate: of the rate's own error, what the curve loses by it, (F, C)."""
    weight: Floats
    """How much each counts, by how near to the upper envelope it lies, (C,)."""

    def variance(self, estimate: Estimate) -> Floats:
        """Of AVQ at each rendition's rate, (C,)."""
        own: Floats = np.einsum("fc,fcgc,gc->c", self.slopes, estimate.covariance, self.slopes)
        return np.maximum(own, 0.0)

    def error(self, estimate: Estimate) -> float:
        """Standard deviation over the renditions that count, MOS."""
        square = self.weight**2
        return float(np.sqrt(square @ self.variance(estimate) / square.sum()))


def estimate_avq(
    model: Model, own: Sequence[Candidate], estimate: Estimate, rows: pd.DataFrame, x_a: npt.NDArray[np.float32]
) -> AvqEstimate:
    """AVQ of what is estimated.

    Args:
        model: that predicts.
        own: the renditions.
        estimate: of their quantities.
        rows: rows of the same scene that were measured; what is not estimated is as in them.
        x_a: features of the audio, (1, d_a).
    """
    num_f, num_c = estimate.mean.shape
    moved = [estimate.mean] + [estimate.mean + _STEP * (np.arange(num_f) == f)[:, None] for f in range(1, num_f)]
    stacked = pd.concat(
        [pd.DataFrame({n: inverse(n, m[f]) for f, n in enumerate(QUANTITIES)}) for m in moved], ignore_index=True
    )
    for name in set(model.video_features) - set(QUANTITIES):
        stacked[name] = float(rows[name].mean())
    avq = np.asarray(model.predictor.predict_grid(x_a, model.video_inputs(stacked)), dtype=np.float64)
    avq = avq.reshape(num_f, num_c)
    slopes = np.zeros((num_f, num_c))
    slopes[1:] = (avq[1:] - avq[0]) / _STEP
    log_kbps, size = estimate.mean[0], np.array([pixels(c) for c in own])
    gap = np.zeros(num_c)
    for one in np.unique(size):
        members = np.flatnonzero(size == one)
        rising = members[np.argsort(log_kbps[members], kind="stable")]
        if len(rising) > 1:
            # Rates that are all but equal would make a slope of any height.
            apart = log_kbps[rising[0]] + np.arange(len(rising)) * 1e-3
            slopes[0, rising] = -np.gradient(avq[0, rising], np.maximum(log_kbps[rising], apart))
        there = np.interp(log_kbps, log_kbps[rising], avq[0, rising], left=-np.inf)
        gap = np.maximum(gap, there - avq[0])
    return AvqEstimate(avq_mos=avq[0], slopes=slopes, weight=np.exp(-gap / NEAR_MOS) + _LEAST_WEIGHT)
