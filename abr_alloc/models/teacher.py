"""The teacher: a human-fitted formula that labels any pair of measured renditions with a MOS.

    z_v    = b + sum_k w_k vif_k^p                 fidelity, w_k >= 0
    z_a    = b_a + w_a adm2^q                      detail, w_a >= 0
    z      = softmin(z_v, z_a) - d exp(-m / tau)   d >= 0
    MOS100 = c0 + g_a(A) G sigmoid(l + s z)        0-100, as LIVE-SJTU's ratings
    AVQ    = 1.1 + 0.0618 (MOS100 - 19.55)         1-5

with softmin(x, y) = -(1/kappa) ln(e^(-kappa x) + e^(-kappa y)). Quality is limited by the worse of the two: VIF cannot
see that a picture was scaled up, ADM can. m is `motion2`, clipped to the range of the ratings; A is
`audio_quality_mos` (`audio_quality.py`), and g_a a monotone cubic (PCHIP) through three nodes. Every quality feature
can only raise a label.

`learning/teacher_fit.py` fits it. docs/model.md says how far to trust it, docs/method.md where the scale is anchored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from abr_alloc.documents import json_text, parse_json
from abr_alloc.models.cubics import piece_of, pieces
from abr_alloc.models.intervals import Intervals
from abr_alloc.models.stored import numbers_of_object

__all__ = [
    "AUDIO_NODES",
    "TEACHER_INTERVALS",
    "TEACHER_SCALE",
    "TEACHER_VALIDITY",
    "Teacher",
    "load_teacher",
    "mos_of_points",
    "points_of_mos",
    "restore_teacher",
    "sigmoid",
]

Array = npt.NDArray[np.float64]

AUDIO_NODES = (1.320, 3.643, 4.554)
"""Audio quality of AAC-LC at 8, 32 and 128 kbps (ITU-T P.1203.2, Eq. for AAC-LC)."""

TEACHER_INTERVALS = Intervals(interval_mos=(-0.3169, 0.3331), difference_mos=0.3555)
"""90 % of human minus teacher, AVQ, leaving one content of LIVE-SJTU out (benchmarks/teacher.py)."""

TEACHER_SCALE = (1.0, 5.0)
"""The scale of `Teacher.rate`."""

TEACHER_VALIDITY: Mapping[str, object] = {
    "video_codecs": ["h264", "hevc", "av1"],
    "audio_codecs": ["aac", "heaac", "heaacv2"],
    "audio_kbps": [8.0, 140.0],  # 128k as measured
    "fps": [23.0, 61.0],
    "max_height_px": 2160,
}
"""What the ratings behind the labels hold, or lies close to it."""

_LENGTHS = {"audio_gains": 3, "fidelity_weights": 4, "motion_range": 2}  # of the fields that are several numbers
_POSITIVE = ("fidelity_power", "detail_power", "sharpness", "motion_scale")

# LIVE-SJTU's points are relative: rescaled z-scores, in which nothing reaches 100. These two numbers put transparent
# picture and sound at 4.65, where panels on a five-point scale put their hidden references.
_FOOT_POINTS, _FOOT_MOS, _MOS_PER_POINT = 19.55, 1.1, 0.0618


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher:
    """Fitted numbers of the formula."""

    c0: float
    """Rating of the worst, points of 100."""
    scale: float
    """G: what perfect video adds under perfect audio, points of 100."""
    audio_gains: tuple[float, float, float]
    """g_a at `AUDIO_NODES`."""
    link_bias: float
    """l."""
    link_slope: float
    """s."""
    fidelity_bias: float
    """b."""
    fidelity_weights: tuple[float, float, float, float]
    """w_0..w_3."""
    fidelity_power: float
    """p."""
    detail_bias: float
    """b_a."""
    detail_weight: float
    """w_a."""
    detail_power: float
    """q."""
    sharpness: float
    """kappa: how much the worse of fidelity and detail decides alone."""
    motion_drop: float
    """d: how much lower still pictures stand, in logits."""
    motion_scale: float
    """tau, `motion2`'s unit."""
    motion_range: tuple[float, float]
    """Least and largest `motion2` of the ratings; beyond them it is clipped."""

    def video_logit(self, x_v: npt.NDArray[np.floating]) -> Array:
        """z of `VIDEO_FEATURES`, (n, 6) -> (n,): orders pictures as people do."""
        x = np.asarray(x_v, dtype=np.float64)
        vif, detail = np.clip(x[:, :4], 0.0, 1.0), np.clip(x[:, 5], 0.0, 1.0)
        z_v = self.fidelity_bias + vif**self.fidelity_power @ np.array(self.fidelity_weights)
        z_a = self.detail_bias + self.detail_weight * detail**self.detail_power
        motion = np.exp(-np.clip(x[:, 4], *self.motion_range) / self.motion_scale)
        return np.asarray(_softmin(z_v, z_a, self.sharpness) - self.motion_drop * motion)

    def video_gain(self, x_v: npt.NDArray[np.floating]) -> Array:
        """G sigmoid(l + s z) of `VIDEO_FEATURES`, (n, 6) -> (n,), points of 100."""
        return self.scale * sigmoid(self.link_bias + self.link_slope * self.video_logit(x_v))

    def audio_gain(self, audio_quality_mos: npt.NDArray[np.floating]) -> Array:
        """g_a of an audio quality, (n,) -> (n,)."""
        return _gain(audio_quality_mos, self.audio_gains)

    def points(self, x_v: npt.NDArray[np.floating], audio_quality_mos: npt.NDArray[np.floating]) -> Array:
        """Points of 100 of stimuli: (n, 6), (n,) -> (n,)."""
        return np.asarray(self.c0 + self.video_gain(x_v) * self.audio_gain(audio_quality_mos))

    def rate(self, x_v: npt.NDArray[np.floating], audio_quality_mos: npt.NDArray[np.floating]) -> Array:
        """AVQ of every pair: (V, 6), (A,) -> (V, A)."""
        return mos_of_points(self.c0 + np.outer(self.video_gain(x_v), self.audio_gain(audio_quality_mos)))

    def to_json(self) -> str:
        """As text, for `load_teacher`."""
        return json_text(asdict(self))


def mos_of_points(points: npt.NDArray[np.floating]) -> Array:
    """LIVE-SJTU's points of 100 on the five-point scale of AVQ."""
    return np.asarray(_FOOT_MOS + _MOS_PER_POINT * (np.asarray(points, dtype=np.float64) - _FOOT_POINTS))


def points_of_mos(mos: npt.NDArray[np.floating]) -> Array:
    """The inverse of `mos_of_points`."""
    return np.asarray(_FOOT_POINTS + (np.asarray(mos, dtype=np.float64) - _FOOT_MOS) / _MOS_PER_POINT)


def load_teacher() -> Teacher:
    """The teacher that ships."""
    text = resources.files("abr_alloc.models").joinpath("weights/teacher.json").read_text(encoding="utf-8")
    return restore_teacher(parse_json(text))


def restore_teacher(found: Any) -> Teacher:
    """A teacher from its fields as JSON has them; raises KeyError and ValueError as `numbers_of_object`."""
    numbers = numbers_of_object(found, {item.name: _LENGTHS.get(item.name) for item in fields(Teacher)}, "teacher")
    for name in _POSITIVE:
        if not numbers[name] > 0.0:
            raise ValueError(f"{name} of teacher is {numbers[name]:g}, not a positive number")
    if not 0.0 <= (low := numbers["motion_range"][0]) <= (high := numbers["motion_range"][1]):
        raise ValueError(f"motion_range of teacher is {low:g} to {high:g}, which is none")
    return Teacher(**numbers)


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), without overflow."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(z, -40.0, 40.0))))


def _softmin(x: Array, y: Array, sharpness: float) -> Array:
    return np.asarray(-np.logaddexp(-sharpness * x, -sharpness * y) / sharpness)


def _gain(audio_quality_mos: npt.NDArray[np.floating], gains: Sequence[float]) -> Array:
    """Monotone cubic through the gains at `AUDIO_NODES`."""
    low, middle, high = gains
    slope = (middle - low) / (AUDIO_NODES[1] - AUDIO_NODES[0])
    # Below the ratings half their first slope; above them nothing: P.1203.2's curve ends 0.006 MOS higher.
    ends = (low - 0.5 * slope * (AUDIO_NODES[0] - 1.0), low, middle, high, high)
    nodes = np.array([1.0, *AUDIO_NODES, 5.0])
    quality = np.clip(np.asarray(audio_quality_mos, dtype=np.float64), 1.0, 5.0)
    piece = piece_of(nodes, quality)
    c3, c2, c1, c0 = pieces(nodes, np.array(ends)[:, None])[:, :, 0][:, piece]
    past = quality - nodes[piece]
    # In SciPy's order, so that the last bit is SciPy's too.
    return np.asarray(c0 + c1 * past + c2 * (past * past) + c3 * (past * past * past))
