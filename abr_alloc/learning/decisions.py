"""What a model's decisions cost on contents that it did not see, measured by the labels it was trained on.

Axes: V video and A audio renditions of one scene.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.learning.metrics import decision_regret, drops
from abr_alloc.learning.systems import TrainedSystem
from abr_alloc.models.audio_quality import AUDIO_QUALITY, quality_of_rows
from abr_alloc.models.teacher import Teacher
from abr_alloc.table.table import VIDEO_FEATURES, FeatureTable, feature_columns
from abr_alloc.targets import Target

__all__ = ["BUDGETS_KBPS", "Decisions", "Regret", "measure_decisions"]

BUDGETS_KBPS = (300.0, 600.0, 1000.0, 2000.0, 4000.0)
"""Budgets at which decisions are judged."""

NOISE_MOS = 0.02
"""A drop of AVQ with rising bitrate that counts as a violation, MOS."""

_HABIT = ("aac", str(Target.of_kbps(128.0)))
_OVERHEAD = 0.02

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class Regret:
    """AVQ lost against the best pair, in the teacher's MOS, over scenes: of measured pairs, by the score alone."""

    budget_kbps: float
    """The budget, kbps."""
    num_scenes: int
    """Scenes that some pair fits."""
    mean: float
    """Mean loss of the model's pairs."""
    worst: float
    """Largest loss of the model's pairs."""
    habit_mean: float | None
    """Mean loss of "128k AAC, rest video", over the scenes where that fits; None without any."""
    habit_worst: float | None
    """Largest loss of "128k AAC, rest video"."""
    habit_num_scenes: int
    """Scenes where 128k AAC and some video fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Monotonicity and regret on unseen contents."""

    video_drop_share: float
    """Share of steps up in video bitrate (same codec and size) that lower AVQ by more than `NOISE_MOS`."""
    audio_drop_share: float
    """The same for steps up in audio bitrate (same codec)."""
    worst_video_drop: float
    """Largest drop with rising video bitrate, MOS."""
    worst_audio_drop: float
    """Largest drop with rising audio bitrate, MOS."""
    teacher_video_drop_share: float
    """`video_drop_share` of the teacher itself."""
    teacher_audio_drop_share: float
    """`audio_drop_share` of the teacher itself."""
    regret: tuple[Regret, ...]
    """One per budget."""


def measure_decisions(
    tables: Sequence[FeatureTable], teacher: Teacher, system_of: Callable[[str], TrainedSystem | None]
) -> Decisions:
    """Judge predictions on every scene that has audio and video.

    Args:
        tables: feature tables.
        teacher: whose labels count as the truth.
        system_of: the system that did not see a title; None to leave the title out.
    """
    losses: dict[tuple[str, str], list[Floats]] = {(w, k): [] for w in ("model", "teacher") for k in ("video", "audio")}
    regrets: dict[float, list[tuple[float, float | None]]] = {budget: [] for budget in BUDGETS_KBPS}
    for table in tables:
        for (title, _), rows in table.frame.groupby(["title", "scene"], sort=False):
            video, audio = rows[rows["kind"] == "video"], rows[rows["kind"] == "audio"]
            system = system_of(title)
            if system is None or video.empty or audio.empty:
                continue
            audio = audio.assign(**{AUDIO_QUALITY: quality_of_rows(audio)})
            x_a, x_v = feature_columns(audio, system.audio_features), feature_columns(video, system.video_features)
            predicted = system.predictor.predict_grid(x_a, x_v)
            truth = teacher.rate(video[list(VIDEO_FEATURES)].to_numpy(np.float64), audio[AUDIO_QUALITY].to_numpy())
            video_kbps, audio_kbps = video["bitrate_kbps"].to_numpy(), audio["bitrate_kbps"].to_numpy()
            video_group = (video["codec"] + video["height_px"].astype(str)).to_numpy(dtype=object)
            audio_group = audio["codec"].to_numpy(dtype=object)
            for who, surface in (("model", predicted), ("teacher", truth)):
                losses[who, "video"].append(drops(surface, video_kbps, video_group, 0))
                losses[who, "audio"].append(drops(surface, audio_kbps, audio_group, 1))
            total = np.add.outer(video_kbps, audio_kbps) * (1.0 + _OVERHEAD)
            habit = ((audio["codec"] == _HABIT[0]) & (audio["target"] == _HABIT[1])).to_numpy()
            for budget, found in regrets.items():
                regret = decision_regret(total, predicted, truth, budget)
                if regret is not None:
                    found.append((regret, _habit_regret(total, truth, habit, budget)))
    joined = {key: np.concatenate(parts) if parts else np.zeros(1) for key, parts in losses.items()}
    return Decisions(
        video_drop_share=_share(joined["model", "video"]),
        audio_drop_share=_share(joined["model", "audio"]),
        worst_video_drop=float(joined["model", "video"].max()),
        worst_audio_drop=float(joined["model", "audio"].max()),
        teacher_video_drop_share=_share(joined["teacher", "video"]),
        teacher_audio_drop_share=_share(joined["teacher", "audio"]),
        regret=tuple(_summary(budget, found) for budget, found in regrets.items() if found),
    )


def _share(losses: Floats) -> float:
    return float((losses > NOISE_MOS).mean())


def _habit_regret(total_kbps: Floats, truth: Floats, habit: npt.NDArray[np.bool_], budget_kbps: float) -> float | None:
    """Loss of fixed audio with the best video that still fits; None where it does not fit."""
    feasible = total_kbps <= budget_kbps
    fixed = feasible & habit[None, :]
    if not fixed.any():
        return None
    return float(truth[feasible].max() - truth[fixed].max())


def _summary(budget_kbps: float, found: list[tuple[float, float | None]]) -> Regret:
    own = np.array([regret for regret, _ in found])
    habit = np.array([regret for _, regret in found if regret is not None])
    return Regret(
        budget_kbps=budget_kbps,
        num_scenes=len(own),
        mean=float(own.mean()),
        worst=float(own.max()),
        habit_mean=float(habit.mean()) if len(habit) else None,
        habit_worst=float(habit.max()) if len(habit) else None,
        habit_num_scenes=len(habit),
    )
