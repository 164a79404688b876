"""What renditions that were not measured are believed to give, from those that were.

Rate and AVQ of one title over CRF and size are smooth: the logarithm of the rate, and the logit of AVQ between the
scale's bottom and a little above the best one measured, are close to quadratic in u (CRF, 0 at the finest, 1 at the
coarsest) and w (octaves of the short side below the largest). Each is a Gaussian process with that quadratic as its
mean (coefficients with normal priors) and a smooth residual: Rasmussen and Williams, Gaussian Processes for Machine
Learning, 2006, section 2.7. The priors are rounded means and spreads, widened, of quadratics fitted to 28 short titles
encoded by x264 at 2 to 4 sizes and CRF 18 to 43; a few measurements outweigh them.

Axes: C candidates, M measured ones, K = 6 coefficients (1, u, w, u w, u^2, w^2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Belief", "believe"]

Floats = npt.NDArray[np.float64]

_RATE_PRIOR = np.array([7.0, -3.3, 1.05, 0.1, 0.55, 0.05]), np.array([10.0, 0.8, 0.3, 0.2, 0.4, 0.1])
_QUALITY_PRIOR = np.array([-5.1, 4.0, -1.35, 0.7, -0.2, -0.1]), np.array([0.3, 1.5, 0.4, 0.4, 0.8, 0.1])
"""Mean and standard deviation of the coefficients, (K,) each."""
_RATE_RESIDUAL, _QUALITY_RESIDUAL = 0.08, 0.3
_RATE_NOISE, _QUALITY_NOISE = 0.02, 0.05
_RESIDUAL_LENGTHS = 0.35, 1.5
"""How far the residual reaches in u and in w."""
_LEAST_MOS = 1.0
_CLEARANCE_MOS = 0.02
"""How far the ceiling of AVQ lies above the best one measured: enough for its logit to be finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """Rate and AVQ of every candidate; those measured have their own."""

    log_kbps: Floats
    """Natural logarithm of the rate in kbps, (C,)."""
    avq_mos: Floats
    """AVQ, MOS, (C,)."""


def believe(crf: Floats, side_px: Floats, measured: npt.NDArray[np.intp], kbps: Floats, avq_mos: Floats) -> Belief:
    """The posterior mean of every candidate's rate and AVQ.

    Args:
        crf: of every candidate, (C,).
        side_px: short side of every candidate, pixels, (C,).
        measured: indices of those measured, (M,), at least one.
        kbps: their rates, (M,).
        avq_mos: their AVQ, (M,).
    """
    u = (crf - crf.min()) / max(float(np.ptp(crf)), 1.0)
    w = np.log2(side_px / side_px.max())
    x = np.stack([np.ones_like(u), u, w, u * w, u * u, w * w], axis=1)  # (C, K)
    far_u, far_w = (np.subtract.outer(z, z) / length for z, length in zip((u, w), _RESIDUAL_LENGTHS, strict=True))
    smooth = np.exp(-0.5 * (far_u**2 + far_w**2))  # (C, C)
    log_kbps = _posterior(x, _RATE_RESIDUAL**2 * smooth, measured, np.log(kbps), _RATE_PRIOR, _RATE_NOISE)
    ceiling = float(avq_mos.max()) + _CLEARANCE_MOS
    above = np.maximum(avq_mos - _LEAST_MOS, _CLEARANCE_MOS)
    logit = np.log((ceiling - avq_mos) / above)
    believed = _posterior(x, _QUALITY_RESIDUAL**2 * smooth, measured, logit, _QUALITY_PRIOR, _QUALITY_NOISE)
    avq = _LEAST_MOS + (ceiling - _LEAST_MOS) / (1.0 + np.exp(believed))
    log_kbps[measured], avq[measured] = np.log(kbps), avq_mos
    return Belief(log_kbps=log_kbps, avq_mos=avq)


def _posterior(
    x: Floats,
    residual: Floats,
    measured: npt.NDArray[np.intp],
    values: Floats,
    prior: tuple[Floats, Floats],
    noise: float,
) -> Floats:
    """Posterior mean at every candidate, (C,)."""
    mean, spread = prior
    covariance = (x * spread**2) @ x.T + residual
    known = covariance[np.ix_(measured, measured)] + noise**2 * np.eye(len(measured))
    result: Floats = x @ mean + covariance[:, measured] @ np.linalg.solve(known, values - x[measured] @ mean)
    return result
