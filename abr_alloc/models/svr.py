"""Support vector regression on audio and video inputs, in NumPy; scikit-learn fits it (`learning/svr_fit.py`).

Axes: n stimuli, V video and A audio renditions of one scene, S support vectors.

    Q = b + sum_s c_s exp(-gamma ||x - x_s||^2),   x = [x_a ; x_v] scaled to [0, 1]

The kernel of a pair is the product of an audio and a video kernel, so a surface over a grid is one matrix product of
(V, S) and (S, A).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from abr_alloc.models.stored import StoredTensors

__all__ = ["SupportVectors"]

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportVectors:
    """A fitted RBF support vector regression, evaluated without scikit-learn."""

    low: tuple[Floats, Floats]
    """Least audio (d_a,) and video (d_v,) features of the training stimuli."""
    high: tuple[Floats, Floats]
    """Largest ones."""
    vectors: tuple[Floats, Floats]
    """Audio (S, d_a) and video (S, d_v) part of the scaled support vectors."""
    coefficients: Floats
    """c, (S,)."""
    intercept: float
    """b."""
    gamma: float
    """Kernel width."""
    neutral: tuple[Floats, Floats]
    """Mean audio and video features of the training stimuli."""

    architecture = "svr"

    def _kernel(self, side: int, x: Floats) -> Floats:
        """exp(-gamma ||x - x_s||^2) of one modality: (n, d) -> (n, S)."""
        low, high = self.low[side], self.high[side]
        # Far outside its data an RBF falls back to its intercept; an input there counts as at the edge.
        z = np.clip((x - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
        squares = ((z[:, None, :] - self.vectors[side][None, :, :]) ** 2).sum(axis=2)
        return np.exp(-self.gamma * squares)

    def predict(self, x_a: Floats, x_v: Floats) -> Floats:
        """AVQ of stimuli: (n, d_a), (n, d_v) -> (n,) MOS."""
        kernel = self._kernel(0, x_a) * self._kernel(1, x_v)
        return np.asarray(kernel @ self.coefficients + self.intercept, dtype=np.float32)

    def predict_grid(self, x_a: Floats, x_v: Floats) -> Floats:
        """AVQ of every pair: (A, d_a), (V, d_v) -> (V, A) MOS."""
        surface = (self._kernel(1, x_v) * self.coefficients) @ self._kernel(0, x_a).T
        return np.asarray(surface + self.intercept, dtype=np.float32)

    def change_norm(self, x_a: Floats, x_v: Floats) -> None:
        """There is no embedding that changes."""

    def state(self) -> tuple[dict[str, Floats], dict[str, Any]]:
        """Tensors and settings: what `restore` takes."""
        pairs = {"low": self.low, "high": self.high, "vectors": self.vectors, "mean": self.neutral}
        tensors = {
            f"{side}.{name}": pair[i] for name, pair in pairs.items() for i, side in enumerate(("audio", "video"))
        }
        numbers = {"intercept": np.array([self.intercept]), "gamma": np.array([self.gamma])}
        return {**tensors, "coefficients": self.coefficients, **numbers}, {}

    @classmethod
    def restore(cls, tensors: Mapping[str, npt.NDArray[np.generic]], settings: Mapping[str, Any]) -> SupportVectors:
        """The inverse of `state`.

        Raises:
            KeyError, ValueError: as `StoredTensors.take`.
        """
        stored = StoredTensors(tensors)

        def pair(name: str, *axes: str) -> tuple[Floats, Floats]:
            return stored.take(f"audio.{name}", *axes, "d_a"), stored.take(f"video.{name}", *axes, "d_v")

        found = cls(
            low=pair("low"),
            high=pair("high"),
            vectors=pair("vectors", "S"),
            coefficients=stored.take("coefficients", "S"),
            intercept=float(stored.take("intercept", 1)[0]),
            gamma=float(stored.take("gamma", 1, above=0.0)[0]),
            neutral=pair("mean"),
        )
        stored.end()
        return found
