"""One budget for a whole title: scenes may spend more or less, their mean over time may not.

A title has one video codec and, unless every scene may have its own, one audio rendition throughout: players switch
neither between scenes. Each codec and audio rendition that all scenes share is a case of its own, with a knapsack over
the scenes (`pooling.py`). Cases are taken in the order of their relaxations' bounds; one whose bound cannot beat what
was found is never solved, so the best of all is exact and the largest bound among them is a bound for the title.

In a case a scene chooses among the pairs on its path (`path.py`), so that its picture grows with its rate and nothing
is spent where nothing gains. Exact means: the best allocation of such pairs. Against all pairs of the case it loses at
most the tie, since the path has at every rate a pair that is no dearer and at most the tie worse.

Axes: S scenes.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.infeasibility import explain_shortage
from abr_alloc.allocation.pooling import METHODS, POOLS, Optimum, highest_pooled, is_additive, optimise
from abr_alloc.allocation.results import Allocation, Certificate, Choice, Plan, allocate
from abr_alloc.allocation.solver import TOLERANCE
from abr_alloc.allocation.surface import QualitySurface, by_title
from abr_alloc.allocation.title_case import TitleCase, list_cases
from abr_alloc.arguments import require_choice, require_number
from abr_alloc.errors import InfeasibleLimits
from abr_alloc.models.checkpoint import Model

__all__ = ["Limits", "TitleCase", "list_cases", "plan_titles", "solve_title"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What must hold besides the budget, and how AVQ is pooled over a title."""

    audio: str = "shared"
    """`shared`: one audio rendition for the title; `scene`: every scene its own."""
    pool: str = "mean"
    """How AVQ is pooled over time: one of `pooling.POOLS`."""
    max_rate_kbps: float = math.inf
    """Largest total rate of a scene, kbps."""
    min_avq_mos: float = -math.inf
    """Least AVQ of a scene, MOS."""
    time_limit_s: float = math.inf
    """Time for one title under one budget, seconds; then the best known allocation is given with its gap."""

    def __post_init__(self) -> None:
        require_choice("audio", self.audio, ("shared", "scene"))
        require_choice("pool", self.pool, POOLS)
        require_number("max_rate_kbps", self.max_rate_kbps, 0.0, above=True)
        require_number("min_avq_mos", self.min_avq_mos, high=5.0)
        require_number("time_limit_s", self.time_limit_s)


def plan_titles(
    surfaces: Iterable[QualitySurface], budgets_kbps: Sequence[float], model: Model, limits: Limits | None = None
) -> Plan:
    """Allocate every title under every budget. Surfaces of one title come one after the other.

    Raises:
        FeatureTableError: the scenes of a title share no video codec, or no audio rendition where one is wanted.
    """
    limits = limits or Limits()
    allocations: list[list[Allocation]] = [[] for _ in budgets_kbps]
    certificates: list[list[Certificate]] = [[] for _ in budgets_kbps]
    infeasible: list[list[InfeasibleLimits]] = [[] for _ in budgets_kbps]
    for title in by_title(surfaces):
        cases = list_cases(title, limits.audio)
        largest_px = [0] * len(title)
        for i in sorted(range(len(budgets_kbps)), key=lambda i: budgets_kbps[i]):
            found = solve_title(title, cases, budgets_kbps[i], limits)
            if isinstance(found, InfeasibleLimits):
                infeasible[i].append(found)
            else:
                choices, certificate = found
                allocations[i] += allocate(_compared(choices, largest_px), budgets_kbps[i], model)
                certificates[i].append(certificate)
    return Plan(
        allocations=tuple(itertools.chain(*allocations)),
        infeasible=tuple(itertools.chain(*infeasible)),
        certificates=tuple(itertools.chain(*certificates)),
    )


def _compared(choices: Sequence[Choice], largest_px: list[int]) -> list[Choice]:
    """The choices, where a smaller budget gave a scene a larger picture marked so; `largest_px` is brought up to date.

    What is best for the title may take from one scene to give to another, or change the audio or the codec for all.
    """
    found = []
    for s, c in enumerate(choices):
        side = int(c.surface.video_side_px[c.video])
        found.append(dataclasses.replace(c, height_falls=c.height_falls or side < largest_px[s]))
        largest_px[s] = max(largest_px[s], side)
    return found


def solve_title(
    title: Sequence[QualitySurface], cases: Sequence[TitleCase], budget_kbps: float, limits: Limits
) -> tuple[list[Choice], Certificate] | InfeasibleLimits:
    """The best allocation of pairs on the scenes' paths, of one title under one budget, with its certificate."""
    deadline = time.monotonic() + limits.time_limit_s
    best, upper_bound, complete = _best_case(cases, budget_kbps, limits, deadline)
    if best is None:
        return explain_shortage(
            title, [case.candidates for case in cases], budget_kbps, limits.max_rate_kbps, limits.min_avq_mos
        )
    case, optimum = best
    paths = case.paths(limits.min_avq_mos)
    allowed = case.candidates.restricted(max_kbps=limits.max_rate_kbps, min_mos=limits.min_avq_mos)
    num_feasible = np.isfinite(allowed.avq_mos).sum(axis=1)
    choices = []
    for s, (surface, n) in enumerate(zip(title, optimum.choice, strict=True)):
        pair = paths.pair[s, n]
        choices.append(
            Choice(
                surface=surface,
                video=int(case.video[s, pair]),
                audio=int(case.audio_index[s, pair]),
                num_feasible=int(num_feasible[s]),
                height_falls=bool(paths.falls[s, n]),
            )
        )
    return choices, Certificate(
        title=title[0].title,
        budget_kbps=budget_kbps,
        pool=limits.pool,
        objective_mos=optimum.objective_mos,
        upper_bound_mos=max(upper_bound, optimum.objective_mos),
        price_mos_per_kbps=optimum.price_mos_per_kbps,
        mean_kbps=_added_up(choices, case.candidates.time_share, budget_kbps),
        binding=_binding(cases, optimum, budget_kbps, limits, deadline),
        method=METHODS[limits.pool] + ("" if complete else ", stopped early"),
    )


def _best_case(
    cases: Sequence[TitleCase], budget_kbps: float, limits: Limits, deadline: float
) -> tuple[tuple[TitleCase, Optimum] | None, float, bool]:
    """The case with the best optimum, a bound for all of them, and whether every search ended by itself."""
    candidates = [case.paths(limits.min_avq_mos).up_to(limits.max_rate_kbps) for case in cases]
    bounds = [highest_pooled(own, budget_kbps, limits.pool) for own in candidates]
    best: tuple[TitleCase, Optimum] | None = None
    upper_bound, complete = -math.inf, True
    for i in sorted(range(len(cases)), key=lambda i: -bounds[i]):
        beat = best[1].objective_mos if best else -math.inf
        if bounds[i] == -math.inf or bounds[i] < beat + (TOLERANCE if is_additive(limits.pool) else 0.0):
            upper_bound = max(upper_bound, bounds[i])
            continue
        found = optimise(candidates[i], budget_kbps, limits.pool, beat_mos=beat, deadline=deadline)
        if found is None:
            continue
        upper_bound, complete = max(upper_bound, found.upper_bound_mos), complete and found.complete
        if best is None or _merit(found) > _merit(best[1]):
            best = cases[i], found
    return best, upper_bound, complete


def _merit(optimum: Optimum) -> tuple[float, float, float]:
    return optimum.objective_mos, optimum.mean_mos, -optimum.mean_kbps


def _binding(cases: Sequence[TitleCase], optimum: Optimum, budget_kbps: float, limits: Limits, deadline: float) -> str:
    """Which limits stand in the way: a little more budget has a price; without the largest rate the title would do
    better; without the least AVQ some scene would go below it."""
    names = ["budget"] if optimum.scene_price > 0.0 else []
    if limits.max_rate_kbps < math.inf:
        best, _, _ = _best_case(cases, budget_kbps, dataclasses.replace(limits, max_rate_kbps=math.inf), deadline)
        gain = best[1].objective_mos - optimum.objective_mos if best else 0.0
        mean_gain = best[1].mean_mos - optimum.mean_mos if best else 0.0
        if gain > 2 * TOLERANCE or (gain > -2 * TOLERANCE and mean_gain > 2 * TOLERANCE):
            names.append("max-rate")
    if limits.min_avq_mos > -math.inf:
        best, _, _ = _best_case(cases, budget_kbps, dataclasses.replace(limits, min_avq_mos=-math.inf), deadline)
        if best:
            avq = best[0].paths(-math.inf).candidates.avq_mos
            if (avq[np.arange(len(avq)), best[1].choice] < limits.min_avq_mos).any():
                names.append("min-avq")
    return "+".join(names) or "none"


def _added_up(choices: Sequence[Choice], time_share: npt.NDArray[np.float64], budget_kbps: float) -> float:
    """The mean rate, from the surfaces themselves: the answer is checked where it is used."""
    mean = math.fsum(
        share * float(c.surface.total_kbps[c.video, c.audio])
        for share, c in zip(time_share.tolist(), choices, strict=True)
    )
    if mean > budget_kbps * (1.0 + 1e-9):
        raise RuntimeError(f"the allocation spends {mean} kbps of {budget_kbps}; please report this")
    return mean
