"""What a picture is worth on a phone, and to an audience of whom some watch on phones.

Everything else here predicts for a television or monitor at about 60 pixels per degree. Small screens forgive more:
ITU-T P.1203.1, clause 8.4.1 (Eq. 13), puts a video MOS on a handheld by

    phi(m) = -0.60293 + 2.12382 m - 0.36936 m^2 + 0.03409 m^3,    clipped to 1-5

which rises throughout. It is of the picture alone, so it comes before picture meets sound. With V a model's MOS of the
picture under transparent audio, and g the share of what a picture is worth that an audio rendition leaves of it,

    AVQ(phone) = AVQ + (phi(V) - V) g(audio)
    V = f(picture, transparent audio),    g = (f(best picture, audio) - F) / (f(best picture, transparent audio) - F)

f is the model and F = 1.217 its foot, c0 of the teacher's product form AVQ = F + (V - F) g: of a model of that form,
this is the form with phi(V) in the place of V, exactly. Under transparent audio g = 1, so AVQ(phone) = phi(AVQ). A
system that reads Q_v, the quality of the picture on 1-5, is given phi(Q_v) instead. docs/screens.md has the evidence.

Axes: n pairs, V video and A audio renditions of one scene.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from abr_alloc.audio_families import VISQOL, AudioFamily
from abr_alloc.defaults import SCREENS
from abr_alloc.documents import number_of, shown
from abr_alloc.models.audio_quality import AUDIO_QUALITY, TRANSPARENT_MOS
from abr_alloc.models.intervals import Intervals
from abr_alloc.models.predictor import Predictor, WithVideoQuality, predict_pairs
from abr_alloc.models.teacher import load_teacher, mos_of_points
from abr_alloc.table.table import AUDIO_FEATURES

__all__ = ["OnPhones", "best_audio", "handheld_mos", "intervals_on", "phones_of", "screen_object", "screen_text"]

Floats = npt.NDArray[np.floating]
Indices = npt.NDArray[np.intp]

_HANDHELD = (-0.60293, 2.12382, -0.36936, 0.03409)  # ITU-T P.1203.1, Eq. 13: htv_1..htv_4
_MAP_ERROR_MOS = 0.175
"""Root mean square of people's phone MOS minus phi of their monitor MOS, over the bins in docs/screens.md."""
_NORMAL_95 = 1.645
_LEAST_RANGE_MOS = 1.0  # of a model between its foot and its best: one with less would be no model of AVQ
_BEST_VIDEO = {**{f"vif_scale{i}": 1.0 for i in range(4)}, "adm2": 1.0, "vmaf": 100.0}
"""What columns hold of a rendition that is as good as its source; those that are not here stay average."""


def handheld_mos(mos: Floats) -> npt.NDArray[np.float64]:
    """phi: the MOS on a handheld of pictures with a MOS on a monitor, of any shape, 1-5."""
    m = np.asarray(mos, dtype=np.float64)
    c0, c1, c2, c3 = _HANDHELD
    return np.clip(c0 + m * (c1 + m * (c2 + m * c3)), 1.0, 5.0)


class OnPhones:
    """A trained system as an audience sees it of whom a share watches on phones: the mean over both."""

    def __init__(
        self,
        tv: Predictor,
        phones: float,
        audio_columns: Sequence[str],
        video_columns: Sequence[str],
        family: AudioFamily = VISQOL,
    ) -> None:
        """Take a system.

        Args:
            tv: the system, as it was trained.
            phones: share of the audience that watches on phones, 0-1; the others watch on televisions.
            audio_columns: names of its audio columns, (d_a,).
            video_columns: names of its video columns, (d_v,).
            family: of its audio features.
        """
        self.tv, self.phones, self.architecture = tv, phones, tv.architecture
        neutral_a, neutral_v = tv.neutral
        self._best_audio = best_audio(audio_columns, neutral_a, family)
        self._best_video = _best(video_columns, neutral_v, _BEST_VIDEO)
        self._foot_mos = float(mos_of_points(np.array(load_teacher().c0)))

    @property
    def neutral(self) -> tuple[Floats, Floats]:
        """The average training stimulus."""
        return self.tv.neutral

    def predict(self, x_a: Floats, x_v: Floats) -> Floats:
        """AVQ of stimuli: (n, d_a), (n, d_v) -> (n,) MOS."""
        rows = np.arange(len(x_a))
        return self.predict_pairs(x_a, x_v, rows, rows)

    def predict_grid(self, x_a: Floats, x_v: Floats) -> Floats:
        """AVQ of every pair: (A, d_a), (V, d_v) -> (V, A) MOS."""
        video, audio = np.divmod(np.arange(len(x_v) * len(x_a)), max(1, len(x_a)))
        return self.predict_pairs(x_a, x_v, audio, video).reshape(len(x_v), len(x_a))

    def predict_pairs(self, x_a: Floats, x_v: Floats, audio: Indices, video: Indices) -> Floats:
        """AVQ of pairs of renditions: (A, d_a), (V, d_v), indices (n,) of rows of each -> (n,) MOS."""
        on_tv, on_phone = self.on_both(x_a, x_v, audio, video)
        return np.asarray((1.0 - self.phones) * on_tv + self.phones * on_phone, dtype=np.float32)

    def on_both(self, x_a: Floats, x_v: Floats, audio: Indices, video: Indices) -> tuple[Floats, Floats]:
        """AVQ of pairs on a television, which is the system's own, and on a phone: as `predict_pairs`, (n,) each."""
        on_tv = predict_pairs(self.tv, x_a, x_v, audio, video)
        if isinstance(self.tv, WithVideoQuality):
            q_v = handheld_mos(self.tv.quality(x_v)).astype(np.float32)
            return on_tv, predict_pairs(self.tv.inner, x_a, q_v, audio, video)
        first = np.zeros(max(len(x_a), len(x_v)), dtype=np.intp)
        every = np.arange(len(first))
        picture = predict_pairs(self.tv, self._best_audio, x_v, first[: len(x_v)], every[: len(x_v)]).astype(np.float64)
        heard = predict_pairs(self.tv, x_a, self._best_video, every[: len(x_a)], first[: len(x_a)]).astype(np.float64)
        (best,) = predict_pairs(self.tv, self._best_audio, self._best_video, first[:1], first[:1]).tolist()
        gain = (heard - self._foot_mos) / max(best - self._foot_mos, _LEAST_RANGE_MOS)
        return on_tv, on_tv + (handheld_mos(picture) - picture)[video] * gain[audio]

    def change_norm(self, x_a: Floats, x_v: Floats) -> tuple[Floats, Floats] | None:
        """The system's own: its embeddings know of no screen."""
        return self.tv.change_norm(x_a, x_v)

    def state(self) -> tuple[dict[str, Floats], dict[str, Any]]:
        """Tensors and settings of the system."""
        return self.tv.state()


def best_audio(columns: Sequence[str], neutral: Floats, family: AudioFamily) -> Floats:
    """Audio columns of a rendition that is as good as its source, (1, d_a).

    Args:
        columns: their names, (d_a,).
        neutral: what they are on average, (d_a,); what depends on the signal stays so.
        family: of the audio features.
    """
    best = {AUDIO_QUALITY: TRANSPARENT_MOS, "audio_mos": family.identity_mos, "visqol_mos": VISQOL.identity_mos}
    best["bitrate_kbps"] = 256.0
    features = {name: family.identity_feature(place) for place, name in enumerate(AUDIO_FEATURES)}
    return _best(columns, neutral, best | {name: value for name, value in features.items() if value is not None})


def _best(columns: Sequence[str], neutral: Floats, best: Mapping[str, float]) -> Floats:
    """Columns of a rendition that is as good as its source, (1, d)."""
    row = [best.get(name, float(average)) for name, average in zip(columns, neutral, strict=True)]
    return np.array([row], dtype=np.float32)


def intervals_on(intervals: Intervals, phones: float) -> Intervals:
    """Intervals with the map's own error, which differs from that of the model and adds in squares. What it does to two
    pairs of a scene is much the same, so differences keep theirs."""
    error = _NORMAL_95 * _MAP_ERROR_MOS * phones
    low, high = intervals.interval_mos
    widened = (-float(np.hypot(min(low, 0.0), error)), float(np.hypot(max(high, 0.0), error)))
    return Intervals(interval_mos=widened, difference_mos=intervals.difference_mos)


def screen_text(phones: float) -> str:
    """Who watches on what, in words; nothing where all watch on televisions."""
    if phones in (0.0, 1.0):
        return "on phones" if phones else ""
    return f"{100 * phones:g} % on phones"


def screen_object(phones: float) -> dict[str, Any]:
    """The same for JSON: `screen`, and `phones` where an audience watches on both; nothing for televisions."""
    if phones in (0.0, 1.0):
        return {"screen": "phone"} if phones else {}
    return {"screen": "both", "phones": phones}


def phones_of(found: Mapping[str, Any]) -> float:
    """The share of an object that `screen_object` has part in.

    Raises:
        ValueError: `screen` is none, or `phones` is no share.
    """
    screen = found.get("screen", "tv")
    if screen in SCREENS:
        return float(SCREENS.index(screen))
    if screen != "both":
        raise ValueError(f"screen is {shown(screen)}, not one of {', '.join(SCREENS)}, both")
    return number_of({"phones": found.get("phones")}, "phones", 0.0, 1.0)
