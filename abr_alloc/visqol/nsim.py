"""NSIM: how alike two pieces of a spectrogram look.

Axes: P patches, F frames of a patch, B bands.

Hines, Skoglund, Kokaram, Harte, "ViSQOL: an objective speech quality model" (2015), after their "Speech intelligibility
prediction using a neurogram similarity index measure" (2012): with local means mu, variances sigma^2 and covariance
sigma_rd under a 3 x 3 Gaussian window w (edges repeated), every cell has

    NSIM = (2 mu_r mu_d + C1) / (mu_r^2 + mu_d^2 + C1)  x  (sigma_rd + C3) / (sigma_r sigma_d + C3),

C1 = 0.01^2, C3 = 0.03^2 / 2. A patch's similarity is the mean over its cells. Rounding can make a variance negative;
the product of the two deviations is then taken as 0.

The window is symmetric but no outer product, so its three columns are applied as (side, middle, side).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "C1",
    "C3",
    "CENTER",
    "CORNER",
    "EDGE",
    "PatchStatistics",
    "columns",
    "compare",
    "signed_root",
    "smooth",
    "with_edge_bands",
]

Array = npt.NDArray[np.float64]

CORNER, EDGE, CENTER = 0.0113033910173052, 0.0838251475442633, 0.619485845753726  # of the window
C1 = 0.01**2
C3 = 0.03**2 / 2


@dataclass(frozen=True, slots=True)
class PatchStatistics:
    """What is kept of compared patches, per band. Each of shape (P, B)."""

    mean: Array
    """Mean NSIM over the frames."""
    deviation: Array
    """Standard deviation of NSIM over the frames, unbiased."""
    energy: Array
    """Mean of the degraded patch, dB."""

    @property
    def similarity(self) -> Array:
        """Mean NSIM. Shape (P,)."""
        return self.mean.mean(axis=1)


def with_edge_bands(cells: Array) -> Array:
    """(..., B) -> (..., B + 2): the edge bands repeated."""
    return np.concatenate([cells[..., :1], cells, cells[..., -1:]], axis=-1)


def columns(cells: Array) -> tuple[Array, Array]:
    """The window's middle and side column, applied over the bands of each frame. (..., B) -> twice (..., B)."""
    padded = with_edge_bands(cells)
    neighbours = padded[..., :-2] + padded[..., 2:]
    return CENTER * cells + EDGE * neighbours, EDGE * cells + CORNER * neighbours


def smooth(cells: Array) -> Array:
    """The window over whole patches, (..., F, B), edges repeated."""
    middle, side = columns(cells)
    before = np.concatenate([side[..., :1, :], side[..., :-1, :]], axis=-2)
    after = np.concatenate([side[..., 1:, :], side[..., -1:, :]], axis=-2)
    return middle + before + after


def signed_root(variance: Array) -> Array:
    """Deviation of a variance, negative where rounding made that negative."""
    return np.asarray(np.copysign(np.sqrt(np.abs(variance)), variance))


def compare(reference: Array, degraded: Array) -> PatchStatistics:
    """Compare patches with patches, each of shape (P, F, B)."""
    mu_r, mu_d = smooth(reference), smooth(degraded)
    variances = (smooth(reference * reference) - mu_r * mu_r) * (smooth(degraded * degraded) - mu_d * mu_d)
    covariance = smooth(reference * degraded) - mu_r * mu_d
    intensity = (2 * mu_r * mu_d + C1) / (mu_r * mu_r + mu_d * mu_d + C1)
    nsim = intensity * (covariance + C3) / (np.sqrt(np.maximum(variances, 0)) + C3)  # (P, F, B)
    return PatchStatistics(nsim.mean(axis=1), nsim.std(axis=1, ddof=1), degraded.mean(axis=1))
