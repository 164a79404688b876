"""What a report can show of a title at every stop of its budget slider.

A page must not decide anything: it looks up what was solved here, at budgets fixed beforehand, by the same functions as
`abr-alloc plan`. A title is planned in two ways: the budget is the title's mean (`plan --per title`), or every scene's
own (`plan`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from abr_alloc.allocation.plan import ScenePath, scene_path
from abr_alloc.allocation.relaxation import relax
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.allocation.title_plan import Limits, TitleCase, list_cases, solve_title
from abr_alloc.errors import InfeasibleLimits

__all__ = [
    "EXTRA_KBPS",
    "ScenePair",
    "TitleStop",
    "budget_stops",
    "mean_rates_kbps",
    "stops_per_scene",
    "stops_per_title",
]

EXTRA_KBPS = 100.0
"""Budget whose worth is stated beside every stop, kbps."""

_RATIO = 1.05
"""Ratio of neighbouring stops, before rounding to what people type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenePair:
    """The pair of a scene at a stop."""

    video: int
    """Index of the video rendition in the scene's surface."""
    audio: int
    """Index of the audio rendition."""
    price_mos_per_kbps: float | None
    """What another kbps is worth to the scene, MOS; None where the budget is the title's."""
    extra_gain_mos: float | None
    """What `EXTRA_KBPS` more would add to the scene's AVQ, MOS; None where the budget is the title's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleStop:
    """A title at a stop."""

    scenes: tuple[ScenePair | None, ...]
    """Per scene; None where nothing fits."""
    avq_mos: float | None
    """Mean AVQ over time, MOS; None unless every scene has a pair."""
    price_mos_per_kbps: float | None
    """What another kbps is worth, MOS; where every scene has its own budget, what another kbps for each is worth."""
    extra_gain_mos: float | None
    """What `EXTRA_KBPS` more would add to the mean AVQ, MOS."""


def budget_stops(surfaces: Iterable[QualitySurface], wanted_kbps: Sequence[float] = ()) -> list[float]:
    """Budgets in round numbers about 5 % apart, rising, kbps: from a little under the cheapest pair of any scene to
    where every scene has the last pair of its path, and `wanted_kbps`."""
    low, high = math.inf, 0.0
    for surface in surfaces:
        low = min(low, float(surface.total_kbps.min()))
        high = max(high, float(scene_path(surface).path.from_kbps[-1]))
    count = math.ceil(math.log(high / low) / math.log(_RATIO)) + 1
    ladder = low * _RATIO ** np.arange(count + 1)
    return sorted({_round(kbps) for kbps in ladder.tolist()} | set(wanted_kbps))


def _round(kbps: float) -> float:
    """To half a unit of the second digit, and to whole kbps: 96, 235, 1250."""
    unit = max(10.0 ** (math.floor(math.log10(kbps)) - 1) / 2.0, 1.0)
    return max(round(kbps / unit) * unit, 1.0)


def stops_per_scene(scenes: Sequence[QualitySurface], budgets_kbps: Sequence[float]) -> list[TitleStop]:
    """Every scene has the budget to itself: what `plan` chooses."""
    seconds = np.array([s.weight_s for s in scenes])
    share = seconds / seconds.sum()

    def mean(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return float(share @ known) if len(known) == len(scenes) else None

    paths = [scene_path(surface) for surface in scenes]
    found = []
    for budget_kbps in budgets_kbps:
        pairs = tuple(_scene_pair(path, budget_kbps) for path in paths)
        avq = [None if p is None else float(s.avq_mos[p.video, p.audio]) for s, p in zip(scenes, pairs, strict=True)]
        found.append(
            TitleStop(
                scenes=pairs,
                avq_mos=mean(avq),
                price_mos_per_kbps=mean([None if p is None else p.price_mos_per_kbps for p in pairs]),
                extra_gain_mos=mean([None if p is None else p.extra_gain_mos for p in pairs]),
            )
        )
    return found


def _scene_pair(path: ScenePath, budget_kbps: float) -> ScenePair | None:
    surface, taken = path.surface, path.path.pair
    pair, more = path.pair_at(budget_kbps), path.pair_at(budget_kbps + EXTRA_KBPS)
    avq_mos, total_kbps = surface.avq_mos.ravel()[taken], surface.total_kbps.ravel()[taken]
    relaxed = relax(avq_mos[None, :].astype(float), total_kbps[None, :], budget_kbps)
    if pair is None or more is None or relaxed is None:
        return None
    return ScenePair(
        video=pair[0],
        audio=pair[1],
        price_mos_per_kbps=relaxed.price,
        extra_gain_mos=max(float(surface.avq_mos[more]) - float(surface.avq_mos[pair]), 0.0),
    )


def stops_per_title(scenes: Sequence[QualitySurface], budgets_kbps: Sequence[float]) -> list[TitleStop]:
    """The budget is the title's mean, audio is shared: what `plan --per title` chooses.

    Raises:
        FeatureTableError: the scenes share no video codec or no audio rendition.
    """
    cases, limits = list_cases(scenes, "shared"), Limits()
    nothing = TitleStop(scenes=(None,) * len(scenes), avq_mos=None, price_mos_per_kbps=None, extra_gain_mos=None)
    return [_title_stop(scenes, cases, budget_kbps, limits) or nothing for budget_kbps in budgets_kbps]


def _title_stop(
    scenes: Sequence[QualitySurface], cases: Sequence[TitleCase], budget_kbps: float, limits: Limits
) -> TitleStop | None:
    found = solve_title(scenes, cases, budget_kbps, limits)
    more = solve_title(scenes, cases, budget_kbps + EXTRA_KBPS, limits)
    if isinstance(found, InfeasibleLimits) or isinstance(more, InfeasibleLimits):
        return None
    choices, certificate = found
    return TitleStop(
        scenes=tuple(
            ScenePair(video=c.video, audio=c.audio, price_mos_per_kbps=None, extra_gain_mos=None) for c in choices
        ),
        avq_mos=certificate.objective_mos,
        price_mos_per_kbps=certificate.price_mos_per_kbps,
        extra_gain_mos=max(more[1].objective_mos - certificate.objective_mos, 0.0),
    )


def mean_rates_kbps(scenes: Sequence[QualitySurface], stop: TitleStop) -> tuple[float, float] | None:
    """Mean video and audio rate of a title at a stop, kbps; None unless every scene has a pair."""
    rates = [
        (s.weight_s, s.video[p.video].bitrate_kbps, s.audio[p.audio].bitrate_kbps)
        for s, p in zip(scenes, stop.scenes, strict=True)
        if p is not None
    ]
    if len(rates) < len(scenes):
        return None
    seconds, video, audio = np.array(rates).T
    return float(seconds @ video / seconds.sum()), float(seconds @ audio / seconds.sum())
