"""What renditions that were not measured are estimated to give, from those that were.

Over quality parameter and size, the logarithm of the rate and the logits of the picture's features are smooth, and
alike from title to title. Of a scene they are taken as

    y_f(q, w) = sum_k b_fk phi_k(q, w) + r_f(q, w)

with q the quality parameter on x264's scale and w the octaves of the short side below the largest: phi has eight terms,
to the cube in q and the square in w; b, of all quantities together, is normally distributed; r is a small smooth
residual. That is a Gaussian process with explicit basis functions (Rasmussen and Williams, Gaussian Processes for
Machine Learning, 2006, section 2.7), whose mean and covariance were fitted to short titles that were measured whole:
`benchmarks/probe_prior.py` wrote the numbers in `curve_prior.json`. Measurements narrow it down; what is left says how
far an estimate may be off.

Axes: C candidates, M measured ones, F = 7 quantities, K = 8 terms.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt

from abr_alloc.documents import parse_json

__all__ = ["QUANTITIES", "CurvePrior", "Estimate", "forward", "inverse", "load_prior", "on_x264_scale", "terms"]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

QUANTITIES = ("bitrate_kbps", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "adm2", "vmaf")
"""Columns of the feature table that are estimated, F of them."""

_MIDDLE, _SPREAD = 32.0, 14.0
"""Of x264's CRFs that grids use."""
_CEILING = 1.03
"""Where the logit of a feature ends: features pass 1 a little."""
_VMAF_LEAST, _VMAF_SPAN = -2.0, 104.0
_EDGE = 1e-3
_REACH = 0.35, 1.0
"""How far the residual reaches in q and in w."""
_SMOOTH_SHARE = 0.7
"""Of the residual's variance; the rest is noise of every single encode."""
_FREEDOM = 4.0
"""How soon measurements that are unlike any title's before widen what is left open: degrees of freedom of a Student-t
process (Shah, Wilson and Ghahramani, Student-t Processes as Alternatives to Gaussian Processes, AISTATS 2014)."""
_COARSE_SCALE = ("av1", "vp9")
"""Codecs whose quality parameter runs to 63; 22 to 58 of AV1 are about 18 to 44 of x264."""


def on_x264_scale(codec: str, quality: Floats) -> Floats:
    """Quality parameters of a codec where x264 would have them, roughly: the measured corners do the rest."""
    return 18.0 + (quality - 22.0) * (26.0 / 36.0) if codec in _COARSE_SCALE else quality


def forward(name: str, values: Floats) -> Floats:
    """A quantity where it is smooth: the logarithm of the rate, the logit of anything else."""
    if name == "bitrate_kbps":
        return np.asarray(np.log(values))
    share = (values - _VMAF_LEAST) / _VMAF_SPAN if name == "vmaf" else values / _CEILING
    share = np.clip(share, _EDGE, 1.0 - _EDGE)
    return np.asarray(np.log(share / (1.0 - share)))


def inverse(name: str, values: Floats) -> Floats:
    """The quantity itself, within its range."""
    if name == "bitrate_kbps":
        return np.exp(values)
    share = 1.0 / (1.0 + np.exp(-values))
    return np.clip(share * _VMAF_SPAN + _VMAF_LEAST, 0.0, 100.0) if name == "vmaf" else share * _CEILING


def terms(crf: Floats, side_px: Floats) -> tuple[Floats, Floats]:
    """phi at some renditions of one title, (C, K), and how alike their residuals are, (C, C)."""
    q, w = (crf - _MIDDLE) / _SPREAD, np.log2(side_px / side_px.max())
    phi = np.stack([np.ones_like(q), q, q * q, q**3, w, w * w, q * w, q * q * w], axis=1)
    far_q, far_w = (np.subtract.outer(z, z) / reach for z, reach in zip((q, w), _REACH, strict=True))
    alike = _SMOOTH_SHARE * np.exp(-0.5 * (far_q**2 + far_w**2)) + (1.0 - _SMOOTH_SHARE) * np.eye(len(q))
    return phi, alike


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Normal distribution of all quantities of all candidates, on the scales of `forward`."""

    mean: Floats
    """(F, C)."""
    covariance: Floats
    """(F, C, F, C)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePrior:
    """What is known of any title before it is measured."""

    mean: Floats
    """Of b, (F K,)."""
    covariance: Floats
    """Of b, (F K, F K)."""
    residual: Floats
    """Standard deviation of r, (F,)."""
    factor: float
    """What the standard deviation of AVQ is multiplied by for 95 % of predictions to lie within, on contents that
    nothing was fitted to."""

    def joint(self, crf: Floats, side_px: Floats) -> Estimate:
        """What is known of a title's renditions when none is measured."""
        phi, alike = terms(crf, side_px)
        design = np.kron(np.eye(len(QUANTITIES)), phi)  # (F C, F K)
        covariance = design @ self.covariance @ design.T + np.kron(np.diag(self.residual**2), alike)
        shape = (len(QUANTITIES), len(crf))
        return Estimate(mean=(design @ self.mean).reshape(shape), covariance=covariance.reshape(shape + shape))


def given(prior: Estimate, measured: Sequence[int] | Indices, values: Floats | None) -> Estimate:
    """What is known once some renditions are measured.

    Args:
        prior: before.
        measured: indices of those measured, (M,).
        values: what they gave, on the scales of `forward`, (F, M); None where only the covariance is wanted.
    """
    num_f, num_c = prior.mean.shape
    rows = (np.arange(num_f)[:, None] * num_c + np.asarray(measured, dtype=np.intp)).ravel()
    covariance = prior.covariance.reshape(num_f * num_c, num_f * num_c)
    known = covariance[np.ix_(rows, rows)] + 1e-9 * np.eye(len(rows))
    beside = covariance[:, rows]
    gain = np.linalg.solve(known, beside.T).T
    mean = prior.mean.ravel()
    left = covariance - gain @ beside.T
    if values is not None:
        apart = values.ravel() - mean[rows]
        mean = mean + gain @ apart
        wider = np.repeat(_wider(known, apart, num_f), num_c)
        left = left * np.outer(wider, wider)
    return Estimate(mean=mean.reshape(num_f, num_c), covariance=left.reshape(prior.covariance.shape))


def _wider(known: Floats, apart: Floats, num_f: int) -> Floats:
    """What the standard deviation of each quantity grows by where its measurements are unlike any title's, (F,)."""
    num_m = len(apart) // num_f
    own = [slice(f * num_m, (f + 1) * num_m) for f in range(num_f)]
    surprise = [apart[f] @ np.linalg.solve(known[f, f], apart[f]) for f in own]
    return np.asarray(np.sqrt((_FREEDOM + np.array(surprise)) / (_FREEDOM + num_m)))


@functools.cache
def load_prior() -> CurvePrior:
    """The prior that ships."""
    text = resources.files("abr_alloc").joinpath("allocation", "curve_prior.json").read_text(encoding="utf-8")
    found = parse_json(text)
    lower = np.array(found["covariance"], dtype=np.float64)
    size = len(found["mean"])
    covariance = np.zeros((size, size))
    covariance[np.tril_indices(size)] = lower
    covariance = covariance + np.tril(covariance, -1).T
    return CurvePrior(
        mean=np.array(found["mean"]),
        covariance=covariance,
        residual=np.array(found["residual"]),
        factor=float(found["factor"]),
    )
