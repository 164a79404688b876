"""A model judged by ratings or labels: every figure with its bootstrap interval over contents.

What a ladder asks of a score comes first: what choosing by it costs (`hull.py`), where the table says which stimuli are
renditions of one content. Then agreement over all stimuli.

Axes: n stimuli, C contents. Groups are what is compared within: a content of a rated table, a scene of a feature table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from abr_alloc.learning.dataset import TrainingSet
from abr_alloc.learning.hull import Choices, judge_choices
from abr_alloc.learning.metrics import agreement, ccc, correlation, map_logistic, trade_offs
from abr_alloc.learning.panel import Panel
from abr_alloc.learning.relevance_fit import effect_sizes
from abr_alloc.models.audio_quality import AUDIO_QUALITY

__all__ = [
    "FIXED_METRICS",
    "METRICS",
    "RELEVANCE_MEASURES",
    "Estimate",
    "Judgement",
    "choices",
    "judge",
    "judge_fixed",
    "of_dataset",
    "score",
]

METRICS = ("plcc", "srcc", "rmse", "rmse_mapped", "ccc", "trade_off_order", "relevance_spearman")
"""What is reported, in order."""

RELEVANCE_MEASURES = ("anova", "ablation", "eq8", "change_norm")
"""Measures of a model's relevance that are held against people's; `relevance_spearman` is that of the first."""

FIXED_METRICS = ("plcc", "srcc", "rmse_mapped", "trade_off_order")
"""What a score that is not on the ratings' scale can be judged by."""

PREFERENCE_SHARE = 0.05
"""Part of the rating scale by which two ratings must differ to count as a preference."""

_LEVEL = 0.95
_FILLED = 1.5  # stimuli per free effect of the analysis of variance
_MAPPED_RESAMPLES = 200  # the map is fitted anew to each, which takes longer than all other figures together
_MOST_RESAMPLED = 4000  # stimuli in a resample: the interval's own error is larger than what more would change

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its bootstrap interval."""

    value: float
    """On all stimuli."""
    low: float
    """2.5 % of the resamples; NaN where there are none."""
    high: float
    """97.5 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Predictions beside ratings, in the ratings' own unit."""

    predicted: Floats
    """(n,)"""
    target: Floats
    """(n,)"""
    scale: tuple[float, float]
    """Worst and best rating."""
    content: npt.NDArray[np.object_]
    """What is resampled, (n,)."""
    group: npt.NDArray[np.object_]
    """What is compared within, (n,)."""
    trade_offs: Mapping[str, tuple[int, int]]
    """Of each group, how many trade-offs are ordered right, and how many there are."""
    ratios: Mapping[str, Mapping[str, float]]
    """Audio against video, SS_audio / SS_video and the like: of each group, by `human` and by each measure."""
    panel: Panel | None = None
    """Data set, size and rate of each stimulus, (n,); None where the labels are not people's."""


def judge(
    predicted_mos: Floats,
    data: TrainingSet,
    pairs: npt.NDArray[np.intp],
    *,
    ablated: Floats | None = None,
    changed: Floats | None = None,
    weight: Floats | None = None,
) -> Judgement:
    """Hold predictions against a training set's labels.

    Args:
        predicted_mos: AVQ of the pairs, (n,), MOS 1-5.
        data: labels, contents and conditions.
        pairs: which of its true pairs, (n,).
        ablated: Eq. 6 of audio and video, (2, n); None for a system that cannot be ablated.
        changed: Eq. 7, (2, n); None without embeddings.
        weight: I of Eq. 8, (2, n).
    """
    audio, video = data.pairs[pairs].T
    low, high = data.scale
    predicted, target = (
        low + (np.asarray(mos, dtype=np.float64) - 1.0) * (high - low) / 4.0 for mos in (predicted_mos, data.mos[pairs])
    )
    group = data.group[pairs]
    condition_v, condition_a = data.condition_v[video], data.condition_a[audio]
    known = next((name for name in (AUDIO_QUALITY, "audio_mos") if name in data.audio_columns), None)
    audio_order = None if known is None else data.audio([known])[audio, 0]
    orders: dict[str, tuple[int, int]] = {}
    ratios: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(group.tolist()):
        i = np.flatnonzero(group == name)
        video_quality = _condition_means(target[i], condition_v[i])
        audio_quality = _condition_means(target[i], condition_a[i]) if audio_order is None else audio_order[i]
        orders[name] = trade_offs(
            predicted[i], target[i], video_quality, audio_quality, threshold=PREFERENCE_SHARE * (high - low)
        )
        num_video, num_audio = len(set(condition_v[i])), len(set(condition_a[i]))
        if min(num_video, num_audio) < 2 or len(i) < _FILLED * (num_video + num_audio - 1):
            continue  # one modality does not vary, or conditions are too many to tell their effects apart
        found = {
            "human": _ratio(*effect_sizes(target[i], condition_v[i], condition_a[i])),
            "anova": _ratio(*effect_sizes(predicted[i], condition_v[i], condition_a[i])),
        }
        if ablated is not None:
            found["ablation"] = _ratio(*ablated[:, i].mean(axis=1).tolist())
        if changed is not None:
            # Less change is more importance (Eq. 8).
            found["change_norm"] = _ratio(*changed[::-1, i].mean(axis=1).tolist())
        if weight is not None:
            found["eq8"] = _ratio(*weight[:, i].mean(axis=1).tolist())
        ratios[name] = found
    return Judgement(
        predicted=predicted,
        target=target,
        scale=data.scale,
        content=data.content[pairs],
        group=group,
        trade_offs=orders,
        ratios=ratios,
        panel=None if data.panel is None else data.panel.take(pairs),
    )


def judge_fixed(column: str, data: TrainingSet) -> Judgement | None:
    """Hold a video column against the labels as it is, in its own unit: a score that learns nothing, such as `vmaf`.

    Only `FIXED_METRICS` and choices can be read off it. None where the data do not have the column.
    """
    if column not in data.video_columns:
        return None
    every = np.arange(len(data.pairs))
    raw = data.video([column])[data.pairs[:, 1], 0].astype(np.float64)
    return replace(judge(raw, data, every), predicted=raw)


def of_dataset(judgement: Judgement, name: str) -> Judgement:
    """The stimuli of one data set alone, without trade-offs and relevance, which are kept per group."""
    if judgement.panel is None:
        raise ValueError("only rated stimuli are of a data set")
    rows = np.flatnonzero(judgement.panel.dataset == name)
    group = judgement.group[rows]
    return replace(
        judgement,
        predicted=judgement.predicted[rows],
        target=judgement.target[rows],
        content=judgement.content[rows],
        group=group,
        trade_offs=dict.fromkeys(group.tolist(), (0, 0)),
        ratios={},
        panel=judgement.panel.take(rows),
    )


def choices(judgement: Judgement, *, resamples: int = 1000, seed: int = 0) -> Choices | None:
    """What choosing renditions by the predictions costs; None where the stimuli leave no choice."""
    panel = judgement.panel
    if panel is None or not panel.has_choices:
        return None
    return judge_choices(
        panel.group,
        judgement.content,
        panel.height_px,
        panel.bitrate_kbps,
        judgement.target,
        judgement.predicted,
        scale=judgement.scale,
        resamples=resamples,
        seed=seed,
    )


def _condition_means(target: Floats, condition: npt.NDArray[np.object_]) -> Floats:
    """Mean target of each stimulus's condition, (n,)."""
    _, level = np.unique(condition.astype(str), return_inverse=True)
    return (np.bincount(level, target) / np.bincount(level))[level]


def _ratio(audio: float, video: float) -> float:
    return audio / video if video > 1e-12 else float("nan")


def score(judgement: Judgement, *, resamples: int = 1000, seed: int = 0) -> dict[str, Estimate]:
    """Every metric, and `relevance_spearman` by every measure as `relevance_spearman:MEASURE`, with 95 % intervals.

    Contents are resampled with replacement; with one content there is no interval. A figure that the data do not
    support (no trade-offs, fewer than three groups with relevance) is NaN.
    """
    contents = list(dict.fromkeys(judgement.content.tolist()))
    rows = {name: np.flatnonzero(judgement.content == name) for name in contents}
    groups = {name: list(dict.fromkeys(judgement.group[i].tolist())) for name, i in rows.items()}
    rng = np.random.default_rng(seed)
    share = min(1.0, _MOST_RESAMPLED / len(judgement.target))  # of every content: large ones stay large
    thinned = rows
    if share < 1.0:
        thinned = {name: rng.choice(i, max(2, round(share * len(i))), replace=False) for name, i in rows.items()}
    measures = _metrics(judgement)
    whole = {
        name: measure(np.arange(len(judgement.target)), [g for name in contents for g in groups[name]])
        for name, measure in measures.items()
    }
    resampled: dict[str, list[float]] = {name: [] for name in measures}
    for i in range(resamples if len(contents) > 1 else 0):
        drawn = [contents[k] for k in rng.integers(len(contents), size=len(contents))]
        chosen, of_drawn = (
            np.concatenate([thinned[name] for name in drawn]),
            [g for name in drawn for g in groups[name]],
        )
        for name, measure in measures.items():
            if name != "rmse_mapped" or i < _MAPPED_RESAMPLES:
                resampled[name].append(measure(chosen, of_drawn))
    return {name: Estimate(value=value, **_interval(resampled[name])) for name, value in whole.items()}


def _interval(values: list[float]) -> dict[str, float]:
    finite = np.array([value for value in values if np.isfinite(value)])
    if not len(finite):
        return {"low": float("nan"), "high": float("nan")}
    low, high = np.quantile(finite, [(1.0 - _LEVEL) / 2.0, (1.0 + _LEVEL) / 2.0])
    return {"low": float(low), "high": float(high)}


_Measure = Callable[[npt.NDArray[np.intp], list[str]], float]


def _metrics(j: Judgement) -> dict[str, _Measure]:
    """Each metric as a function of the chosen stimuli and groups."""

    def of_stimuli(metric: Callable[[Floats, Floats], float]) -> _Measure:
        return lambda rows, _: metric(j.predicted[rows], j.target[rows])

    def mapped(predicted: Floats, target: Floats) -> float:
        return float(np.sqrt(np.mean((map_logistic(predicted, target) - target) ** 2)))

    def order(_: npt.NDArray[np.intp], groups: list[str]) -> float:
        right, total = (sum(part) for part in zip(*(j.trade_offs[name] for name in groups), strict=True))
        return right / total if total else float("nan")

    def relevance_of(measure: str, _: npt.NDArray[np.intp], groups: list[str]) -> float:
        found = [j.ratios[name] for name in groups if name in j.ratios]
        pairs = np.array([(r["human"], r[measure]) for r in found if measure in r and np.isfinite(r["human"])])
        if len(pairs) < 3 or not np.isfinite(pairs).all():
            return float("nan")
        return agreement(pairs[:, 0], pairs[:, 1]).srcc

    return {
        "plcc": of_stimuli(correlation),
        "srcc": of_stimuli(lambda p, t: agreement(p, t).srcc),
        "rmse": of_stimuli(lambda p, t: agreement(p, t).rmse),
        "rmse_mapped": of_stimuli(mapped),
        "ccc": of_stimuli(ccc),
        "trade_off_order": order,
        "relevance_spearman": functools.partial(relevance_of, RELEVANCE_MEASURES[0]),
        **{f"relevance_spearman:{measure}": functools.partial(relevance_of, measure) for measure in RELEVANCE_MEASURES},
    }
