"""What a budget buys: AVQ, price and the split between audio and video, from the cheapest allocation to saturation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from abr_alloc.allocation.results import Choice
from abr_alloc.allocation.surface import QualitySurface, by_title
from abr_alloc.allocation.title_plan import Limits, TitleCase, list_cases, solve_title
from abr_alloc.errors import InfeasibleLimits

__all__ = ["NUM_POINTS", "BudgetPoint", "sweep_budgets"]

NUM_POINTS = 24
"""Budgets per title, evenly spaced in their logarithm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPoint:
    """The best allocation of a title under one of many budgets."""

    title: str
    """Title."""
    budget_kbps: float
    """For the title's mean rate, kbps."""
    mean_kbps: float
    """Mean rate that is spent, kbps."""
    avq_mos: float
    """Pooled AVQ, MOS."""
    price_mos_per_kbps: float
    """What another kbps is worth, MOS per kbps."""
    video_kbps: float
    """Mean video rate, kbps."""
    audio_kbps: float
    """Mean audio rate, kbps."""
    overhead_kbps: float
    """Mean container overhead, kbps."""

    @property
    def audio_share(self) -> float:
        """Part of the streams' rate that is audio, 0-1; video has the rest."""
        return self.audio_kbps / (self.audio_kbps + self.video_kbps)


def sweep_budgets(
    surfaces: Iterable[QualitySurface], limits: Limits | None = None, num_points: int = NUM_POINTS
) -> tuple[list[BudgetPoint], list[InfeasibleLimits]]:
    """Allocate every title under budgets from the least that it can have to the least that buys its best AVQ.

    Raises:
        FeatureTableError: the scenes of a title share no video codec, or no audio rendition where one is wanted.
    """
    limits = limits or Limits()
    points: list[BudgetPoint] = []
    infeasible: list[InfeasibleLimits] = []
    for title in by_title(surfaces):
        cases = list_cases(title, limits.audio)
        saturated = solve_title(title, cases, _more_than_all(cases), limits)
        if isinstance(saturated, InfeasibleLimits):
            infeasible.append(saturated)
            continue
        most = saturated[1].mean_kbps
        least = min(
            case.candidates.restricted(max_kbps=limits.max_rate_kbps, min_mos=limits.min_avq_mos).least_kbps()
            for case in cases
        )
        budgets = np.geomspace(least, max(most, least), num_points) if most > least * (1.0 + 1e-9) else [least]
        for budget_kbps in budgets:
            # geomspace ends a rounding error off its ends; a budget must hold the allocation that it came from
            found = solve_title(title, cases, float(budget_kbps) * (1.0 + 1e-9), limits)
            if not isinstance(found, InfeasibleLimits):
                points.append(_point(found[0], float(budget_kbps), found[1].objective_mos, found[1].price_mos_per_kbps))
    return points, infeasible


def _more_than_all(cases: Sequence[TitleCase]) -> float:
    finite = [case.candidates.kbps[np.isfinite(case.candidates.kbps)].max() for case in cases]
    return float(max(finite)) * 2.0


def _point(choices: Sequence[Choice], budget_kbps: float, avq_mos: float, price: float) -> BudgetPoint:
    seconds = [c.surface.weight_s for c in choices]
    total_s = math.fsum(seconds)

    def mean(values: Iterable[float]) -> float:
        return math.fsum(s * v for s, v in zip(seconds, values, strict=True)) / total_s

    video = mean(c.surface.video[c.video].bitrate_kbps for c in choices)
    audio = mean(c.surface.audio[c.audio].bitrate_kbps for c in choices)
    spent = mean(float(c.surface.total_kbps[c.video, c.audio]) for c in choices)
    return BudgetPoint(
        title=choices[0].surface.title,
        budget_kbps=budget_kbps,
        mean_kbps=spent,
        avq_mos=avq_mos,
        price_mos_per_kbps=price,
        video_kbps=video,
        audio_kbps=audio,
        overhead_kbps=spent - video - audio,
    )
