"""The teacher: a human-fitted formula that labels any pair of measured renditions with a MOS.

    MOS100 = c0 + g_v(x_v) g_a(A)                                    0-100, as LIVE-SJTU's ratings
    g_v    = G sigmoid(b + sum_k w_k t(vif_k) - d exp(-m / tau))      w_k >= 0, d >= 0
    t(v)   = v^p + h ln((v + eps) / (1 + eps))
    g_a    = monotone cubic (PCHIP) in an audio MOS A
    MOS    = 1 + 4 MOS100 / 100                                      1-5, IBM scale transform

vif_k are libvmaf's four VIF scales and m is `frame_diff`, clipped to the range of the ratings. g_v rises with every
VIF scale by construction, so a better encode never gets a lower label. Twelve numbers are fitted by least squares on
LIVE-SJTU (240 audio-visual ratings), with AVT-VQDB-UHD-1 (756 video ratings) as a second, weaker term that shares w,
p and tau: it holds the strong upscaling that LIVE-SJTU lacks. docs/model.md says how far to trust it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from abr_alloc.features.table import VIDEO_FEATURES
from abr_alloc.models.conformal import Intervals

__all__ = [
    "AUDIO_NODES",
    "TEACHER_INTERVALS",
    "TEACHER_SCALE",
    "TEACHER_VALIDITY",
    "VIDEO_COLUMNS",
    "Teacher",
    "fit_teacher",
    "load_teacher",
    "scale_to_mos",
]

Array = npt.NDArray[np.float64]

AUDIO_NODES = (1.320, 3.643, 4.554)
"""Audio MOS of AAC-LC at 8, 32 and 128 kbps (ITU-T P.1203.2, Eq. for AAC-LC)."""

VIDEO_COLUMNS = (*VIDEO_FEATURES[:4], "frame_diff")
"""What g_v reads."""

TEACHER_INTERVALS = Intervals(interval_mos=(-0.2270, 0.1953), difference_mos=0.2597)
"""90 % of human minus teacher, MOS 1-5, leaving one content of LIVE-SJTU out (benchmarks/teacher.py)."""

TEACHER_SCALE = (1.0, 5.0)
"""The scale of `Teacher.rate`."""

TEACHER_VALIDITY: Mapping[str, object] = {
    "video_codecs": ["h264", "hevc"],
    "audio_codecs": ["aac"],
    "audio_kbps": [8.0, 140.0],  # 128k as measured
    "fps": [23.0, 31.0],
    "max_height_px": 1080,
}
"""What the ratings behind the labels hold, or lies close to it."""

# motion2 (blurred, a minimum of two differences) is about two thirds of frame_diff on the same material.
_FRAME_DIFF_PER_MOTION2 = 1.5
_AVT_WEIGHT = 3.0
_H, _EPS = 0.10, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher:
    """Fitted numbers of the formula."""

    c0: float
    """Rating of the worst, points of 100."""
    scale: float
    """G: what perfect video adds under perfect audio, points of 100."""
    audio_gains: tuple[float, float, float]
    """g_a at `AUDIO_NODES`."""
    bias: float
    """b."""
    vif_weights: tuple[float, float, float, float]
    """w_0..w_3."""
    power: float
    """p."""
    motion_drop: float
    """d: how much lower still pictures stand, in logits."""
    motion_scale: float
    """tau, 8-bit luma steps."""
    frame_diff_range: tuple[float, float]
    """Least and largest `frame_diff` of the ratings; beyond them it is clipped."""

    def video_gain(self, x_v: npt.NDArray[np.floating]) -> Array:
        """g_v of `VIDEO_COLUMNS`, (n, 5) -> (n,), points of 100."""
        x = np.asarray(x_v, dtype=np.float64)
        motion = np.exp(-np.clip(x[:, 4], *self.frame_diff_range) / self.motion_scale)
        logit = self.bias + _transform(x[:, :4], self.power) @ np.array(self.vif_weights) - self.motion_drop * motion
        return self.scale * _sigmoid(logit)

    def audio_gain(self, audio_mos: npt.NDArray[np.floating]) -> Array:
        """g_a of an audio MOS, (n,) -> (n,)."""
        return _gain(audio_mos, self.audio_gains)

    def rate(self, x_v: npt.NDArray[np.floating], audio_mos: npt.NDArray[np.floating]) -> Array:
        """MOS 1-5 of every pair: (V, 5), (A,) -> (V, A)."""
        return scale_to_mos(self.c0 + np.outer(self.video_gain(x_v), self.audio_gain(audio_mos)))

    def to_json(self) -> str:
        """As text, for `load_teacher`."""
        return json.dumps(asdict(self), indent=2) + "\n"


def scale_to_mos(mos100: npt.NDArray[np.floating]) -> Array:
    """0-100 -> 1-5 (IBM scale transform)."""
    return 1.0 + 4.0 * np.asarray(mos100, dtype=np.float64) / 100.0


def _gain(audio_mos: npt.NDArray[np.floating], gains: Sequence[float]) -> Array:
    """Monotone cubic through the gains at `AUDIO_NODES`."""
    from scipy.interpolate import PchipInterpolator  # slow to import, and plans with networks never label

    low, middle, high = gains
    slope = (middle - low) / (AUDIO_NODES[1] - AUDIO_NODES[0])
    # Below the ratings half their first slope; above them almost flat.
    ends = (low - 0.5 * slope * (AUDIO_NODES[0] - 1.0), low, middle, high, high + 0.01)
    curve = PchipInterpolator((1.0, *AUDIO_NODES, 5.0), ends)
    return np.asarray(curve(np.clip(np.asarray(audio_mos, dtype=np.float64), 1.0, 5.0)))


def load_teacher() -> Teacher:
    """The teacher that ships."""
    text = resources.files("abr_alloc.models").joinpath("weights/teacher.json").read_text(encoding="utf-8")
    numbers: dict[str, Any] = json.loads(text)
    fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in numbers.items()}
    return Teacher(**fields)


def _sigmoid(z: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(z, -40.0, 40.0))))


def _transform(vif: Array, power: float) -> Array:
    """t, elementwise. The logarithm keeps a slope where v^p has none, so that very poor video is still ordered."""
    v = np.clip(vif, 0.0, 1.0)
    return np.asarray(v**power + _H * np.log((v + _EPS) / (1.0 + _EPS)))


# Parameters in fitting order, with prior, bounds and ridge weight: the formula's twelve, then four of the AVT term
# (its scale, bias, steepness and motion drop) that are thrown away.
_PARAMETERS: Sequence[tuple[str, float, float, float, float]] = (
    ("c0", 20.5, 5.0, 30.0, 0.0),
    ("gain_8k", 0.469, 0.2, 0.8, 0.0),
    ("gain_32k", 0.892, 0.5, 0.999, 0.0),
    ("scale", 58.0, 40.0, 75.0, 0.0),
    ("bias", -1.0, -30.0, 20.0, 0.0),
    ("w0", 1.0, 0.0, 40.0, 1.0),
    ("w1", 1.0, 0.0, 40.0, 1.0),
    ("w2", 1.0, 0.0, 40.0, 1.0),
    ("w3", 1.0, 0.0, 40.0, 1.0),
    ("motion_drop", 1.5, 0.0, 15.0, 0.3),
    ("log_power", 0.0, -1.5, 1.5, 1.0),
    ("log_motion_scale", float(np.log(4.0)), float(np.log(1.5)), float(np.log(15.0)), 1.0),
    ("avt_scale", 4.0, 2.0, 4.2, 0.0),
    ("avt_bias", -2.0, -30.0, 20.0, 0.0),
    ("avt_steepness", 1.0, 0.1, 10.0, 0.01),
    ("avt_motion_drop", 1.5, 0.0, 15.0, 0.0),
)


def fit_teacher(
    x_v: npt.NDArray[np.floating],
    audio_mos: npt.NDArray[np.floating],
    mos100: npt.NDArray[np.floating],
    video_ratings: pd.DataFrame | None = None,
) -> Teacher:
    """Fit the formula to ratings.

    Args:
        x_v: `VIDEO_COLUMNS` of the stimuli, (n, 5).
        audio_mos: audio MOS of the stimuli, (n,).
        mos100: their ratings, 0-100, (n,).
        video_ratings: AVT-VQDB-UHD-1: columns `mos` (1-5), `vif_scale0..3`, `motion2`; None to do without.
    """
    from scipy.optimize import least_squares

    stimuli: Array = np.asarray(x_v, dtype=np.float64)
    vif, frame_diff = stimuli[:, :4], stimuli[:, 4]
    nodes, node_of = np.unique(np.asarray(audio_mos, dtype=np.float64), return_inverse=True)
    names = [name for name, *_ in _PARAMETERS]
    prior, low, high, ridge = (np.array(column) for column in list(zip(*_PARAMETERS, strict=True))[1:])
    if video_ratings is not None:
        avt_vif, avt_mos = video_ratings[list(VIDEO_COLUMNS[:4])].to_numpy(), video_ratings["mos"].to_numpy()
        avt_motion = video_ratings["motion2"].to_numpy() * _FRAME_DIFF_PER_MOTION2

    def residuals(theta: Array) -> Array:
        q = dict(zip(names, theta, strict=True))
        weights, power, tau = theta[5:9], np.exp(q["log_power"]), np.exp(q["log_motion_scale"])
        logit = q["bias"] + _transform(vif, power) @ weights - q["motion_drop"] * np.exp(-frame_diff / tau)
        gain = _gain(nodes, (q["gain_8k"], max(q["gain_32k"], q["gain_8k"]), 1.0))[node_of]
        parts = [q["c0"] + gain * q["scale"] * _sigmoid(logit) - mos100, np.sqrt(ridge) * (theta - prior)]
        if video_ratings is not None:
            avt_logit = q["avt_steepness"] * (_transform(avt_vif, power) @ weights) + q["avt_bias"]
            avt = 1.0 + q["avt_scale"] * _sigmoid(avt_logit - q["avt_motion_drop"] * np.exp(-avt_motion / tau))
            parts.append(_AVT_WEIGHT * (avt - avt_mos))
        return np.concatenate(parts)

    starts = []
    for log_power in (0.0, -0.7, 0.5):  # the one direction in which the fit has been seen to stick
        start = prior.copy()
        start[names.index("log_power")] = log_power
        starts.append(least_squares(residuals, start, bounds=(low, high), max_nfev=400))
    best = min(starts, key=lambda result: result.cost)
    q: Mapping[str, float] = dict(zip(names, best.x.tolist(), strict=True))
    return Teacher(
        c0=q["c0"],
        scale=q["scale"],
        audio_gains=(q["gain_8k"], q["gain_32k"], 1.0),
        bias=q["bias"],
        vif_weights=(q["w0"], q["w1"], q["w2"], q["w3"]),
        power=float(np.exp(q["log_power"])),
        motion_drop=q["motion_drop"],
        motion_scale=float(np.exp(q["log_motion_scale"])),
        frame_diff_range=(float(frame_diff.min()), float(frame_diff.max())),
    )
