"""What every trained system can do, whatever it is made of. NumPy only: this is what plans run.

Axes: n stimuli, V video and A audio renditions of one scene; d_a and d_v are the columns that the system reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from abr_alloc.documents import shown
from abr_alloc.models.baselines import FittedVideoQuality, P1203Integration, WeightedProduct
from abr_alloc.models.folded import FusionEnsemble
from abr_alloc.models.svr import SupportVectors

__all__ = ["AVQ_RANGE", "Predictor", "WithVideoQuality", "ablation", "predict_pairs", "restore_predictor"]

Floats = npt.NDArray[np.floating]

AVQ_RANGE = (-0.5, 6.5)
"""What a prediction may be, MOS: it is not held to the scale of 1-5, but what lies 1.5 beyond it is none."""


class Predictor(Protocol):
    """A trained system."""

    @property
    def architecture(self) -> str:
        """What it is, as checkpoints name it."""

    @property
    def neutral(self) -> tuple[Floats, Floats]:
        """Audio (d_a,) and video (d_v,) columns of the average training stimulus."""

    def predict(self, x_a: Floats, x_v: Floats, /) -> Floats:
        """AVQ of stimuli: (n, d_a), (n, d_v) -> (n,) MOS."""

    def predict_grid(self, x_a: Floats, x_v: Floats, /) -> Floats:
        """AVQ of every pair: (A, d_a), (V, d_v) -> (V, A) MOS."""

    def change_norm(self, x_a: Floats, x_v: Floats, /) -> tuple[Floats, Floats] | None:
        """Feature change of audio and of video (paper, Eq. 7), (n,) each; None without an embedding that changes."""

    def state(self) -> tuple[dict[str, Floats], dict[str, Any]]:
        """Tensors, and settings for JSON: what `restore_predictor` takes."""


class WithVideoQuality:
    """A system that reads Q_v, behind the columns that Q_v is made of."""

    def __init__(self, inner: Predictor, quality: FittedVideoQuality) -> None:
        self.inner, self.quality = inner, quality
        self.architecture = inner.architecture

    @property
    def neutral(self) -> tuple[Floats, Floats]:
        """Q_a or more, and the mean of Q_v's columns."""
        return self.inner.neutral[0], np.asarray(self.quality.neutral)

    def predict(self, x_a: Floats, x_v: Floats) -> Floats:
        """AVQ of stimuli: (n, d_a), (n, d_v) -> (n,) MOS."""
        return self.inner.predict(x_a, self.quality(x_v))

    def predict_grid(self, x_a: Floats, x_v: Floats) -> Floats:
        """AVQ of every pair: (A, d_a), (V, d_v) -> (V, A) MOS."""
        return self.inner.predict_grid(x_a, self.quality(x_v))

    def predict_pairs(
        self, x_a: Floats, x_v: Floats, audio: npt.NDArray[np.intp], video: npt.NDArray[np.intp]
    ) -> Floats:
        """AVQ of pairs of renditions: (A, d_a), (V, d_v), indices (n,) of rows of each -> (n,) MOS."""
        return predict_pairs(self.inner, x_a, self.quality(x_v), audio, video)

    def change_norm(self, x_a: Floats, x_v: Floats) -> tuple[Floats, Floats] | None:
        """The system's own, given Q_v."""
        return self.inner.change_norm(x_a, self.quality(x_v))

    def state(self) -> tuple[dict[str, Floats], dict[str, Any]]:
        """Tensors and settings."""
        tensors, settings = self.inner.state()
        return tensors, {**settings, "video_quality": self.quality.settings()}


def predict_pairs(
    predictor: Predictor, x_a: Floats, x_v: Floats, audio: npt.NDArray[np.intp], video: npt.NDArray[np.intp]
) -> Floats:
    """AVQ of pairs of renditions: (A, d_a), (V, d_v), indices (n,) of rows of each -> (n,) MOS.

    A network works out once what a rendition adds to all its pairs; for the other systems a pair is a stimulus.
    """
    own = getattr(predictor, "predict_pairs", None)
    if own is not None:
        return np.asarray(own(x_a, x_v, audio, video))
    return predictor.predict(x_a[audio], x_v[video])


def ablation(predictor: Predictor, x_a: Floats, x_v: Floats) -> tuple[Floats, Floats]:
    """Ablation sensitivity |f(x) - f(x without m)| / |f(x)| of audio and of video, each (n,) (paper, Eq. 6).

    A modality is taken away by setting its columns to those of the average training stimulus, which standardised
    features call 0.
    """
    own = getattr(predictor, "predict_ablated", None)
    if own is not None:
        full, no_audio, no_video = own(x_a, x_v)
    else:
        neutral_a, neutral_v = predictor.neutral
        full = predictor.predict(x_a, x_v)
        no_audio = predictor.predict(np.broadcast_to(neutral_a, x_a.shape).astype(x_a.dtype), x_v)
        no_video = predictor.predict(x_a, np.broadcast_to(neutral_v, x_v.shape).astype(x_v.dtype))
    scale = np.maximum(np.abs(full), 1e-6)
    return np.abs(full - no_audio) / scale, np.abs(full - no_video) / scale


_ARCHITECTURES: Mapping[str, type[FusionEnsemble | WeightedProduct | P1203Integration | SupportVectors]] = {
    kind.architecture: kind for kind in (FusionEnsemble, WeightedProduct, P1203Integration, SupportVectors)
}


def restore_predictor(
    architecture: str, tensors: Mapping[str, npt.NDArray[np.generic]], settings: Mapping[str, Any]
) -> Predictor:
    """A trained system from its stored state.

    Raises:
        KeyError: a tensor or a setting is missing.
        ValueError: the architecture is unknown, or a tensor or a setting is not what it must be.
    """
    if architecture not in _ARCHITECTURES:
        raise ValueError(f"architecture is {shown(architecture)}, not one of {', '.join(_ARCHITECTURES)}")
    inner: Predictor = _ARCHITECTURES[architecture].restore(tensors, settings)
    if "video_quality" not in settings:
        return inner
    if len(inner.neutral[1]) != 1:
        raise ValueError(f"video_quality: the network behind it reads {len(inner.neutral[1])} columns, not one")
    return WithVideoQuality(inner, FittedVideoQuality.restore(settings["video_quality"]))
