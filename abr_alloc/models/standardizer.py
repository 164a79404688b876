"""What networks are given: features, made even and of one scale.

Axes: d features.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Standardizer", "power_transform"]

Floats = npt.NDArray[np.float32]

_LEAST = np.float32(1e-3)  # where a power transform begins to fall without end


@dataclass(frozen=True, kw_only=True)
class Standardizer:
    """Per-feature power transform and standardisation, clipped so that a strange input cannot run away."""

    mean: Floats
    """Shape (d,), of the transformed features."""
    std: Floats
    """Shape (d,), 1 where a feature never varied."""
    power: Floats | None = None
    """Box-Cox exponent of each feature, (d,): 1 leaves it as it is, 0 is the logarithm; None for 1 throughout."""

    CLIP = np.float32(6.0)

    def __call__(self, x: npt.NDArray[np.floating]) -> Floats:
        """Standardise features (..., d)."""
        x = x.astype(np.float32, copy=False)
        if self.power is not None and self._is_curved:
            x = power_transform(x, self.power)
        z = (x - self.mean) / self.std
        return np.minimum(np.maximum(z, -self.CLIP, out=z), self.CLIP, out=z)

    @functools.cached_property
    def _is_curved(self) -> bool:
        return self.power is not None and bool(np.any(self.power != 1.0))

    @functools.cached_property
    def neutral(self) -> Floats:
        """The features (d,) that are standardised to 0."""
        if self.power is None:
            return self.mean
        p = np.where(self.power == 0.0, np.float32(1.0), self.power)
        back = np.where(self.power == 0.0, np.exp(self.mean), np.maximum(p * self.mean + 1.0, 0.0) ** (1.0 / p))
        return np.asarray(np.where(self.power == 1.0, self.mean, back), dtype=np.float32)


def power_transform(x: Floats, power: Floats) -> Floats:
    """Box and Cox's (x^p - 1) / p, ln x where p = 0, x itself where p = 1, of features (..., d) >= 0."""
    positive = np.maximum(x, _LEAST)
    p = np.where(power == 0.0, np.float32(1.0), power)
    curved = np.where(power == 0.0, np.log(positive), (positive**p - 1.0) / p)
    return np.asarray(np.where(power == 1.0, x, curved), dtype=np.float32)
