"""Plans per scene for many titles at once, on arrays: what `plan.plan_surfaces` decides scene by scene, as columns.

The rows of all scenes stand one after the other, and so do their pairs; a maximum over each scene's pairs is one call
of NumPy for all scenes. Only scenes that nothing fits become objects, so that the words about them are `plan.py`'s own.

Axes: S scenes, V video and A audio renditions of all scenes, P pairs of all scenes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from abr_alloc.allocation.plan import EXTRA_BUDGET, TIE_MOS, choose_pair
from abr_alloc.allocation.prediction import Pairs, pair_up, predict_title
from abr_alloc.allocation.record import FLAT_COLUMNS
from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition
from abr_alloc.allocation.title import Limits
from abr_alloc.errors import FeatureTableError, InfeasibleLimits, InfeasibleScene
from abr_alloc.features.columns import RowColumns
from abr_alloc.models.checkpoint import Model
from abr_alloc.models.relevance import importance

__all__ = ["BatchPlan", "plan_columns"]

Floats = npt.NDArray[np.floating]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlan:
    """What one budget buys in every scene."""

    rows: pd.DataFrame
    """One row per scene that something fits, with the columns of `Plan.to_frame`."""
    infeasible: tuple[InfeasibleScene | InfeasibleLimits, ...]
    """The other scenes, each with what it would cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scenes:
    """All scenes with their predictions."""

    rows: RowColumns
    """The rows they are made of."""
    start: Indices
    """First row of every scene, (S,)."""
    title_first: Indices
    """First scene of every title, and one past the last."""
    video_rows: Indices
    """Row of every video rendition, (V,)."""
    audio_rows: Indices
    """Row of every audio rendition, (A,)."""
    pairs: Pairs
    """Pairs of all scenes."""
    x_v: npt.NDArray[np.float32]
    """Video columns, (V, d_v)."""
    x_a: npt.NDArray[np.float32]
    """Audio columns, (A, d_a)."""
    avq_mos: npt.NDArray[np.float32]
    """AVQ of every pair, (P,)."""
    without_audio_mos: npt.NDArray[np.float32]
    """AVQ of every pair beside the average audio, (P,)."""
    without_video_mos: npt.NDArray[np.float32]
    """AVQ of every pair beside the average video, (P,)."""
    total_kbps: npt.NDArray[np.float64]
    """Rate of every pair with overhead, (P,)."""

    def over_pairs(self, function: np.ufunc, values: npt.NDArray) -> npt.NDArray:  # type: ignore[type-arg]
        """A reduction over the pairs of each scene, (P,) -> (S,)."""
        return np.asarray(function.reduceat(values, self.pairs.first[:-1]))

    def to_pairs(self, values: npt.NDArray) -> npt.NDArray:  # type: ignore[type-arg]
        """A scene's value at each of its pairs, (S,) -> (P,)."""
        return np.repeat(values, np.diff(self.pairs.first))

    def first_pair(self, wanted: npt.NDArray[np.bool_]) -> Indices:
        """The first pair of each scene that is wanted, (S,); P where there is none."""
        place = np.where(wanted, np.arange(len(wanted)), len(wanted))
        return self.over_pairs(np.minimum, place)


def plan_columns(
    rows: RowColumns,
    model: Model,
    budgets_kbps: Sequence[float],
    limits: Limits,
    *,
    overhead: float,
    weights_s: Mapping[str, Mapping[str, float]],
) -> list[BatchPlan]:
    """Plan every scene of some rows under every budget. Of the limits, the largest rate and the least AVQ apply.

    Args:
        rows: whole scenes.
        model: who predicts.
        budgets_kbps: of every scene, kbps.
        limits: what else must hold.
        overhead: container overhead as a share of the streams' rate.
        weights_s: of titles measured as a digest, as `TableMetadata.weights_s`.

    Raises:
        FeatureTableError: a scene lacks audio or video rows.
    """
    scenes = _predict(rows, model, overhead)
    shares = _audio_shares(scenes)
    weight_s = _weights_s(rows, scenes.start, weights_s)
    return [_plan(scenes, model, shares, weight_s, float(budget), limits) for budget in budgets_kbps]


def _weights_s(
    rows: RowColumns, start: Indices, weights_s: Mapping[str, Mapping[str, float]]
) -> npt.NDArray[np.float64]:
    """Time of its title that every scene stands for, (S,)."""
    own = rows.numbers["end_s"][start] - rows.numbers["start_s"][start]
    if not weights_s:
        return own
    titles, scenes = rows.title.take(start), rows.numbers["scene"][start].astype(np.int64)
    given = [weights_s.get(title, {}).get(str(scene)) for title, scene in zip(titles, scenes, strict=True)]
    return np.array([length if weight is None else weight for weight, length in zip(given, own, strict=True)])


def _predict(rows: RowColumns, model: Model, overhead: float) -> _Scenes:
    start = rows.scene_starts()
    num_video = np.add.reduceat(rows.is_video, start, dtype=np.intp)
    num_audio = np.diff(np.append(start, len(rows))) - num_video
    for kind, number in (("video", num_video), ("audio", num_audio)):
        if not number.all():
            bare = start[int(np.flatnonzero(number == 0)[0])]
            raise FeatureTableError(
                f"title {rows.title.take(np.array([bare]))[0]!r} scene {int(rows.numbers['scene'][bare])} has no "
                f"{kind} rows; extract it again with {kind} renditions",
                column="kind",
            )
    video_rows, audio_rows = np.flatnonzero(rows.is_video), np.flatnonzero(~rows.is_video)
    x_v, x_a = rows.matrix("video", model.video_features), rows.matrix("audio", model.audio_features)
    pairs = pair_up(num_video, num_audio)
    title = rows.title.code[start]
    title_first = np.flatnonzero(np.concatenate([[True], title[1:] != title[:-1], [True]]))
    before_v, before_a = (np.concatenate([[0], np.cumsum(number)]) for number in (num_video, num_audio))
    avq = np.empty(len(pairs.video), dtype=np.float32)
    without_audio, without_video = np.empty(len(x_v), np.float32), np.empty(len(x_a), np.float32)
    for first, stop in zip(title_first[:-1].tolist(), title_first[1:].tolist(), strict=True):
        v, a, p = slice(*before_v[[first, stop]]), slice(*before_a[[first, stop]]), slice(*pairs.first[[first, stop]])
        found = predict_title(
            model.predictor, x_a[a], x_v[v], pairs.audio[p] - before_a[first], pairs.video[p] - before_v[first]
        )
        avq[p], without_audio[v], without_video[a] = found.pairs_mos, found.without_audio_mos, found.without_video_mos
    kbps = rows.numbers["bitrate_kbps"]
    return _Scenes(
        rows=rows,
        start=start,
        title_first=title_first,
        video_rows=video_rows,
        audio_rows=audio_rows,
        pairs=pairs,
        x_v=x_v,
        x_a=x_a,
        avq_mos=avq,
        without_audio_mos=without_audio[pairs.video],
        without_video_mos=without_video[pairs.audio],
        total_kbps=(kbps[video_rows][pairs.video] + kbps[audio_rows][pairs.audio]) * (1.0 + overhead),
    )


def _audio_shares(scenes: _Scenes) -> npt.NDArray[np.float64]:
    """Audio's part of the mean ablation of every scene, as `relevance.scene_shares` has it, (S,)."""
    scale = np.maximum(np.abs(scenes.avq_mos), 1e-6)
    audio, video = (
        scenes.over_pairs(np.add, (np.abs(scenes.avq_mos - without) / scale).astype(np.float64))
        / np.diff(scenes.pairs.first)
        for without in (scenes.without_audio_mos, scenes.without_video_mos)
    )
    both = audio + video
    return np.where(both > 1e-12, audio / np.maximum(both, 1e-12), 0.5)


def _best_pairs(scenes: _Scenes, most_kbps: float) -> Indices:
    """The best pair of every scene that fits, (S,), as `plan.best_pair` has it; P where none fits."""
    avq = np.where(scenes.total_kbps <= most_kbps, scenes.avq_mos, np.float32(-np.inf))
    best = scenes.over_pairs(np.maximum, avq)
    tied = (avq >= scenes.to_pairs(best - np.float32(TIE_MOS))) & (avq > -np.inf)
    kbps = np.where(tied, scenes.total_kbps, np.inf)
    return scenes.first_pair(tied & (kbps == scenes.to_pairs(scenes.over_pairs(np.minimum, kbps))))


def _plan(
    scenes: _Scenes,
    model: Model,
    shares: npt.NDArray[np.float64],
    weight_s: npt.NDArray[np.float64],
    budget_kbps: float,
    limits: Limits,
) -> BatchPlan:
    most_kbps = min(budget_kbps, limits.max_rate_kbps)
    num_pairs = len(scenes.avq_mos)
    pair = _best_pairs(scenes, most_kbps)
    avq = np.append(scenes.avq_mos, np.float32(np.nan))[pair]
    fits = (pair < num_pairs) & ~(avq.astype(np.float64) < limits.min_avq_mos - TIE_MOS)
    more = _best_pairs(scenes, min(budget_kbps * (1.0 + EXTRA_BUDGET), limits.max_rate_kbps))
    allowed = (scenes.total_kbps <= most_kbps) & (scenes.avq_mos >= limits.min_avq_mos)
    alike = np.abs(scenes.avq_mos - scenes.to_pairs(avq)) <= model.intervals.difference_mos
    alike_kbps = np.where(alike, scenes.total_kbps, np.inf)
    good = np.flatnonzero(fits)
    p, more_mos = pair[good], np.append(scenes.avq_mos, np.float32(np.nan))[more[good]]
    v, a = scenes.pairs.video[p], scenes.pairs.audio[p]
    video, audio = scenes.video_rows[v], scenes.audio_rows[a]
    rows, mos = scenes.rows, scenes.avq_mos[p].astype(np.float64)
    low, high = model.interval_mos
    numbers = rows.numbers
    first = scenes.start[good]
    columns: dict[str, npt.NDArray | float | bool] = {  # type: ignore[type-arg]
        "title": rows.title.take(first),
        "scene": numbers["scene"][first].astype(np.int64),
        "start_s": numbers["start_s"][first],
        "end_s": numbers["end_s"][first],
        "weight_s": weight_s[good],
        "budget_kbps": budget_kbps,
        "video_codec": rows.codec.take(video),
        "width_px": numbers["width_px"][video].astype(np.int64),
        "height_px": numbers["height_px"][video].astype(np.int64),
        "video_target": rows.target.take(video),
        "video_kbps": numbers["bitrate_kbps"][video],
        "audio_codec": rows.codec.take(audio),
        "channels": numbers["channels"][audio].astype(np.int64),
        "audio_target": rows.target.take(audio),
        "audio_kbps": numbers["bitrate_kbps"][audio],
        "total_kbps": scenes.total_kbps[p],
        "avq_mos": mos,
        "avq_low_mos": np.clip(mos + low, 1.0, 5.0),
        "avq_high_mos": np.clip(mos + high, 1.0, 5.0),
        "audio_share": shares[good],
        "eq8_audio_share": _eq8_audio_shares(scenes, model, good, p),
        "extra_budget_gain_mos": np.maximum(more_mos.astype(np.float64) - mos, 0.0),
        "num_pairs": np.diff(scenes.pairs.first)[good],
        "num_feasible": scenes.over_pairs(np.add, allowed.astype(np.intp))[good],
        "interpolated": False,
        "indistinguishable_kbps": scenes.over_pairs(np.minimum, alike_kbps)[good],
        "num_indistinguishable": scenes.over_pairs(np.add, alike.astype(np.intp))[good],
    }
    return BatchPlan(
        rows=pd.DataFrame(columns, columns=FLAT_COLUMNS, index=range(len(good))),
        infeasible=tuple(_explain(scenes, int(scene), budget_kbps, limits) for scene in np.flatnonzero(~fits)),
    )


def _eq8_audio_shares(scenes: _Scenes, model: Model, good: Indices, p: Indices) -> npt.NDArray[np.float64]:
    """Eq. 8 at the chosen pairs, as `relevance.estimate_relevance` has it; title after title, for equal rounding."""
    full = scenes.avq_mos[p]
    scale = np.maximum(np.abs(full), 1e-6)
    ablated = np.stack([np.abs(full - w[p]) / scale for w in (scenes.without_audio_mos, scenes.without_video_mos)])
    v, a = scenes.pairs.video[p], scenes.pairs.audio[p]
    changes = []
    cuts = np.searchsorted(good, scenes.title_first)
    for first, stop in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        if stop > first:
            change = model.predictor.change_norm(scenes.x_a[a[first:stop]], scenes.x_v[v[first:stop]])
            if change is None:
                break
            changes.append(np.stack(change))
    weight = importance(model.relevance_ranges, ablated, np.concatenate(changes, axis=1) if changes else None)
    total = weight.sum(axis=0)
    return np.where(total > 0, weight[0] / np.maximum(total, 1e-12), 0.5)


def _explain(scenes: _Scenes, scene: int, budget_kbps: float, limits: Limits) -> InfeasibleScene | InfeasibleLimits:
    """Why nothing fits a scene."""
    rows, numbers = scenes.rows, scenes.rows.numbers
    pairs = slice(*scenes.pairs.first[[scene, scene + 1]])
    video = scenes.video_rows[np.unique(scenes.pairs.video[pairs])]
    audio = scenes.audio_rows[np.unique(scenes.pairs.audio[pairs])]
    row = int(scenes.start[scene])
    shape = len(video), len(audio)
    surface = QualitySurface(
        title=str(rows.title.take(np.array([row]))[0]),
        scene=int(numbers["scene"][row]),
        start_s=float(numbers["start_s"][row]),
        end_s=float(numbers["end_s"][row]),
        video=tuple(
            VideoRendition(codec="", width_px=0, height_px=0, target="", bitrate_kbps=float(numbers["bitrate_kbps"][i]))
            for i in video
        ),
        audio=tuple(
            AudioRendition(codec="", channels=0, target="", bitrate_kbps=float(numbers["bitrate_kbps"][i]))
            for i in audio
        ),
        avq_mos=scenes.avq_mos[pairs].reshape(shape),
        total_kbps=scenes.total_kbps[pairs].reshape(shape),
        x_v=scenes.x_v[:0],
        x_a=scenes.x_a[:0],
    )
    found = choose_pair(surface, budget_kbps, limits)
    assert isinstance(found, InfeasibleScene | InfeasibleLimits)
    return found
