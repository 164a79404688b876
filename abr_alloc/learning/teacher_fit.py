"""The teacher's numbers, fitted to ratings.

One least-squares fit over LIVE-SJTU (240 audio-visual ratings) and two UHD panels (734 video ratings), where video
alone is MOS = A_set + B_set sigmoid(z). Contents differ by more than features tell; an offset per content (a logit of
LIVE-SJTU's, MOS of a UHD source) with a ridge keeps that out of the formula and is thrown away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from abr_alloc.models.teacher import Teacher, sigmoid
from abr_alloc.table.table import VIDEO_FEATURES

__all__ = ["fit_teacher"]

Array = npt.NDArray[np.float64]

# Parameters in fitting order, with where the fit starts, bounds, and the spread of a weak prior around the start.
_PARAMETERS: Sequence[tuple[str, float, float, float, float]] = (
    ("c0", 20.0, 0.0, 45.0, 5.0),
    ("scale", 58.0, 20.0, 110.0, 10.0),
    ("gain_8k", 0.49, 0.2, 0.8, 1.0),
    ("gain_32k", 0.89, 0.5, 0.999, 1.0),
    ("link_bias", 0.5, -3.0, 5.0, 1.0),
    ("link_slope", 1.0, 0.1, 3.0, 1.0),
    ("fidelity_bias", -2.0, -12.0, 6.0, 3.0),
    ("w0", 1.0, 0.0, 20.0, 3.0),
    ("w1", 1.0, 0.0, 20.0, 3.0),
    ("w2", 1.0, 0.0, 20.0, 3.0),
    ("w3", 4.0, 0.0, 30.0, 3.0),
    ("log_fidelity_power", float(np.log(1.5)), -1.5, 2.0, 0.7),
    ("detail_bias", 1.5, -10.0, 10.0, 3.0),
    ("detail_weight", 6.0, 0.0, 40.0, 6.0),
    ("log_detail_power", float(np.log(8.0)), -0.7, float(np.log(12.0)), 1.0),
    ("sharpness", 0.6, 0.1, 8.0, 1.0),
    ("motion_drop", 2.0, 0.0, 8.0, 2.0),
    ("log_motion_scale", float(np.log(4.0)), 0.0, float(np.log(20.0)), 0.7),
)
_PRIOR_WEIGHT = 0.1
_LIVE_WEIGHT, _VIDEO_WEIGHT = 0.308, 1.5  # residuals of points and of MOS are both about one then
_CONTENT_RIDGE, _SOURCE_RIDGE = 1.0, 1.0

_fitted: dict[bytes, Teacher] = {}  # by what they were fitted to: systems that are compared share their folds


def fit_teacher(
    x_v: npt.NDArray[np.floating],
    audio_quality_mos: npt.NDArray[np.floating],
    points: npt.NDArray[np.floating],
    content: Sequence[object] | npt.NDArray[np.object_],
    video_ratings: pd.DataFrame | None = None,
) -> Teacher:
    """Fit the formula to ratings.

    Args:
        x_v: `VIDEO_FEATURES` of the stimuli, (n, 6).
        audio_quality_mos: audio quality of the stimuli, (n,).
        points: their ratings, 0-100, (n,).
        content: content of each, (n,).
        video_ratings: ratings of video alone: columns `mos` (1-5), `VIDEO_FEATURES`, and `dataset` and `source` where
            there are several; None to do without.
    """
    digest = hashlib.sha256()
    for part in (x_v, audio_quality_mos, points):
        digest.update(np.ascontiguousarray(part, dtype=np.float64).tobytes() + b"|")
    digest.update(repr([str(name) for name in content]).encode())
    digest.update(b"" if video_ratings is None else video_ratings.to_csv().encode())
    key = digest.digest()
    if key not in _fitted:
        _fitted[key] = _fit(x_v, audio_quality_mos, points, content, video_ratings)
    return _fitted[key]


def _fit(
    x_v: npt.NDArray[np.floating],
    audio_quality_mos: npt.NDArray[np.floating],
    points: npt.NDArray[np.floating],
    content: Sequence[object] | npt.NDArray[np.object_],
    video_ratings: pd.DataFrame | None,
) -> Teacher:
    from scipy.optimize import least_squares

    names = [name for name, *_ in _PARAMETERS]
    start, low, high, spread = (np.array(column) for column in list(zip(*_PARAMETERS, strict=True))[1:])
    features: Array = np.asarray(x_v, dtype=np.float64)
    target = np.asarray(points, dtype=np.float64)
    nodes, node_of = np.unique(np.asarray(audio_quality_mos, dtype=np.float64), return_inverse=True)
    contents, content_of = np.unique(np.asarray(content, dtype=object).astype(str), return_inverse=True)
    motions = [features[:, 4]]
    if video_ratings is not None:
        video_x = video_ratings[list(VIDEO_FEATURES)].to_numpy(dtype=np.float64)
        video_mos = video_ratings["mos"].to_numpy(dtype=np.float64)
        sets, set_of = _levels(video_ratings, ["dataset"])
        sources, source_of = _levels(video_ratings, ["dataset", "source"])
        motions.append(video_x[:, 4])
    else:
        sets = sources = 0
    motion_range = float(np.concatenate(motions).min()), float(np.concatenate(motions).max())
    cuts = np.cumsum([len(names), len(contents), 2 * sets, sources])

    def residuals(theta: Array) -> Array:
        teacher = _teacher(dict(zip(names, theta, strict=False)), motion_range)
        own, of_sets, of_sources = np.split(theta[cuts[0] : cuts[3]], cuts[1:3] - cuts[0])
        logit = teacher.link_bias + teacher.link_slope * teacher.video_logit(features) + own[content_of]
        gain = teacher.audio_gain(nodes)[node_of]
        parts = [
            _LIVE_WEIGHT * (teacher.c0 + gain * teacher.scale * sigmoid(logit) - target),
            _CONTENT_RIDGE * own,
            _PRIOR_WEIGHT * (theta[: cuts[0]] - start) / spread,
        ]
        if video_ratings is not None:
            foot, rise = of_sets.reshape(-1, 2)[set_of].T
            alone = foot + rise * sigmoid(teacher.video_logit(video_x)) + of_sources[source_of]
            parts += [_VIDEO_WEIGHT * (alone - video_mos), _SOURCE_RIDGE * of_sources]
        return np.concatenate(parts)

    theta = np.concatenate([start, np.zeros(len(contents)), np.tile([1.0, 3.7], sets), np.zeros(sources)])
    lowest = np.concatenate([low, np.full(len(contents), -20.0), np.tile([-1.0, 1.0], sets), np.full(sources, -2.0)])
    highest = np.concatenate([high, np.full(len(contents), 20.0), np.tile([3.0, 6.0], sets), np.full(sources, 2.0)])
    found = least_squares(residuals, theta, bounds=(lowest, highest), x_scale="jac", max_nfev=200)
    return _teacher(dict(zip(names, found.x.tolist(), strict=False)), motion_range)


def _levels(frame: pd.DataFrame, columns: Sequence[str]) -> tuple[int, npt.NDArray[np.intp]]:
    """Number of levels of some columns taken together, as far as they are there, and the level of every row."""
    known = [frame[column].astype(str) for column in columns if column in frame.columns]
    key = [" ".join(row) for row in zip(*known, strict=True)] if known else [""] * len(frame)
    levels, level_of = np.unique(key, return_inverse=True)
    return len(levels), level_of


def _teacher(q: Mapping[str, float], motion_range: tuple[float, float]) -> Teacher:
    return Teacher(
        c0=q["c0"],
        scale=q["scale"],
        audio_gains=(q["gain_8k"], max(q["gain_32k"], q["gain_8k"]), 1.0),
        link_bias=q["link_bias"],
        link_slope=q["link_slope"],
        fidelity_bias=q["fidelity_bias"],
        fidelity_weights=(q["w0"], q["w1"], q["w2"], q["w3"]),
        fidelity_power=float(np.exp(q["log_fidelity_power"])),
        detail_bias=q["detail_bias"],
        detail_weight=q["detail_weight"],
        detail_power=float(np.exp(q["log_detail_power"])),
        sharpness=q["sharpness"],
        motion_drop=q["motion_drop"],
        motion_scale=float(np.exp(q["log_motion_scale"])),
        motion_range=motion_range,
    )
