"""Formulas of audio and video quality: the paper's weighted product (Table 1) and ITU-T P.1203.3.

Axes: n stimuli, V video and A audio renditions of one scene.

    weighted product    Q = Q_a^w_a Q_v^w_v
    P.1203.3            Q = clip(a1 + a2 A + a3 V + a4 A V, 1, 5), Amendment 1: Q <- (1 - max(0, 2 - A)) (Q - 1) + 1

Q_a (A) and Q_v (V) are audio and video quality on 1-5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from abr_alloc.documents import number_of, shown
from abr_alloc.models.stored import StoredTensors
from abr_alloc.models.teacher import Teacher, mos_of_points, restore_teacher
from abr_alloc.table.table import VIDEO_FEATURES

__all__ = ["LOWEST_QUALITY", "FittedVideoQuality", "P1203Integration", "WeightedProduct"]

Floats = npt.NDArray[np.floating]

LOWEST_QUALITY = 1.0
"""Quality below this counts as this, 1-5."""
_TINY = 1e-9
_P1203 = (-0.00069084, 0.15374283, 0.97153861, 0.02461776)  # ITU-T P.1203.3, clause 8.4: a1..a4


class _Pairwise:
    """A system whose score is a formula of an audio and a video column: grids by broadcasting."""

    neutral: tuple[Floats, Floats]

    def _score(self, x_a: Floats, x_v: Floats) -> Floats:
        raise NotImplementedError

    def predict(self, x_a: Floats, x_v: Floats) -> Floats:
        """AVQ of stimuli: (n, 1), (n, 1) -> (n,) MOS."""
        return self._score(x_a[:, 0], x_v[:, 0])

    def predict_grid(self, x_a: Floats, x_v: Floats) -> Floats:
        """AVQ of every pair: (A, 1), (V, 1) -> (V, A) MOS."""
        return self._score(x_a[None, :, 0], x_v[:, None, 0])

    def change_norm(self, x_a: Floats, x_v: Floats) -> None:
        """There is no embedding that changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedProduct(_Pairwise):
    """Q_a^w_a Q_v^w_v."""

    audio_weight: float
    """w_a."""
    video_weight: float
    """w_v."""
    neutral: tuple[Floats, Floats]
    """Mean Q_a and Q_v of the training stimuli, (1,) each."""

    architecture = "weighted-product"

    def _score(self, x_a: Floats, x_v: Floats) -> Floats:
        q_a, q_v = np.maximum(x_a, LOWEST_QUALITY), np.maximum(x_v, LOWEST_QUALITY)
        return np.asarray(q_a**self.audio_weight * q_v**self.video_weight, dtype=np.float32)

    def state(self) -> tuple[dict[str, Floats], dict[str, Any]]:
        """Tensors and settings: what `restore` takes."""
        audio, video = self.neutral
        return {
            "audio.mean": audio,
            "video.mean": video,
            "weights": np.array([self.audio_weight, self.video_weight]),
        }, {}

    @classmethod
    def restore(cls, tensors: Mapping[str, npt.NDArray[np.generic]], settings: Mapping[str, Any]) -> WeightedProduct:
        """The inverse of `state`.

        Raises:
            KeyError, ValueError: as `StoredTensors.take`.
        """
        stored = StoredTensors(tensors)
        audio_weight, video_weight = stored.take("weights", 2, above=-_TINY).tolist()
        return cls(audio_weight=audio_weight, video_weight=video_weight, neutral=_means(stored))


@dataclass(frozen=True, slots=True, kw_only=True)
class P1203Integration(_Pairwise):
    """ITU-T P.1203.3's audio-visual integration, clause 8.4, with Amendment 1: nothing is fitted."""

    neutral: tuple[Floats, Floats]
    """Mean Q_a and Q_v of the training stimuli, (1,) each."""

    architecture = "p1203"

    def _score(self, x_a: Floats, x_v: Floats) -> Floats:
        a1, a2, a3, a4 = _P1203
        score = np.clip(a1 + a2 * x_a + a3 * x_v + a4 * x_a * x_v, 1.0, 5.0)
        return np.asarray((1.0 - np.maximum(0.0, 2.0 - x_a)) * (score - 1.0) + 1.0, dtype=np.float32)

    def state(self) -> tuple[dict[str, Floats], dict[str, Any]]:
        """Tensors and settings: what `restore` takes."""
        audio, video = self.neutral
        return {"audio.mean": audio, "video.mean": video}, {}

    @classmethod
    def restore(cls, tensors: Mapping[str, npt.NDArray[np.generic]], settings: Mapping[str, Any]) -> P1203Integration:
        """The inverse of `state`.

        Raises:
            KeyError, ValueError: as `StoredTensors.take`.
        """
        return cls(neutral=_means(StoredTensors(tensors)))


def _means(stored: StoredTensors) -> tuple[Floats, Floats]:
    """Mean Q_a and Q_v, which are the last to be taken."""
    audio, video = (stored.take(f"{kind}.mean", 1, dtype=np.float32) for kind in ("audio", "video"))
    stored.end()
    return audio, video


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedVideoQuality:
    """Q_v, video quality on 1-5: of VMAF, 1 + 4 VMAF / 100; where there is none, the product form's MOS under
    transparent audio, fitted to the training ratings."""

    teacher: Teacher | None
    """The fitted form; None for VMAF."""
    neutral: tuple[float, ...]
    """Mean of its columns over the training stimuli."""

    def __call__(self, x_v: Floats) -> Floats:
        """VMAF (n, 1), or `VIDEO_FEATURES` (n, 6), -> (n, 1)."""
        if self.teacher is None:
            return np.asarray(1.0 + x_v[:, :1] / 25.0, dtype=np.float32)
        return np.asarray(mos_of_points(self.teacher.c0 + self.teacher.video_gain(x_v))[:, None], dtype=np.float32)

    def settings(self) -> dict[str, Any]:
        """For JSON: what `restore` takes."""
        return {"teacher": asdict(self.teacher) if self.teacher else None, "neutral": list(self.neutral)}

    @classmethod
    def restore(cls, settings: Any) -> FittedVideoQuality:
        """The inverse of `settings`.

        Raises:
            KeyError: a field is missing.
            ValueError: a field is not what it must be.
        """
        if not isinstance(settings, dict):
            raise ValueError(f"video_quality is {shown(settings)}, not an object")
        found, neutral = settings["teacher"], settings["neutral"]
        num = 1 if found is None else len(VIDEO_FEATURES)
        if not isinstance(neutral, (list, tuple)) or len(neutral) != num:
            raise ValueError(f"neutral of video_quality is {shown(neutral)}, not {num} numbers")
        return cls(
            teacher=None if found is None else restore_teacher(found),
            neutral=tuple(number_of({"neutral": value}, "neutral", -1e6, 1e6) for value in neutral),
        )
