"""How the quality of a title's scenes becomes one number, and the best choice for each such number.

With d_s the share of the title's time that scene s takes and q_s its AVQ:

    mean      sum_s d_s q_s                               additive: one knapsack
    harmonic  1 / sum_s (d_s / q_s)                       additive in -d_s / q_s: one knapsack
    min       min_s q_s                                   the highest floor that the budget can hold everywhere
    p5        what 95 % of the time reaches or exceeds    the highest floor that it can hold for 95 % of the time

A floor f costs at least sum_s d_s (least rate of scene s with q >= f), which never falls as f rises, so the highest
floor is found by bisection over the AVQ values that occur. For `p5` scenes of together 5 % of the time may be let go;
which ones save most is a knapsack of its own (two options a scene), solved exactly. Under the floor found, the mean is
made as high as the budget allows.

Axes: S scenes, P pairs per scene (-inf AVQ and inf kbps where there is none).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.relaxation import Choice, Floats, cheapest_choice, relax, total
from abr_alloc.allocation.solver import FIT, Solution, solve

__all__ = [
    "LOW_SHARE",
    "METHODS",
    "POOLS",
    "Candidates",
    "Optimum",
    "held_level",
    "highest_pooled",
    "is_additive",
    "optimise",
    "optimise_floors",
    "scene_values",
]

METHODS = {
    "mean": "minimal core",
    "harmonic": "minimal core",
    "min": "bisection of the floor, then minimal core",
    "p5": "bisection of the floor with a knapsack for the time let go, then minimal core",
}
"""Ways to pool AVQ over time, and how each is solved."""

POOLS = tuple(METHODS)
"""Ways to pool AVQ over time."""

LOW_SHARE = 0.05
"""Share of the time that `p5` lets go."""

_PRICE_STEP = 0.1
"""Part of the budget over which the price of a floor is taken: floors move in steps and have no derivative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What a title may choose from."""

    avq_mos: Floats
    """(S, P), MOS; -inf where there is no pair."""
    kbps: Floats
    """(S, P), total rates, kbps; inf where there is no pair."""
    time_share: Floats
    """(S,), sums to 1."""

    def restricted(self, *, max_kbps: float = math.inf, min_mos: float | Floats = -math.inf) -> Candidates:
        """Only the pairs within a rate and at or above a floor (one for all scenes, or (S,))."""
        floor = np.broadcast_to(np.asarray(min_mos, dtype=np.float64), (len(self.avq_mos),))[:, None]
        allowed = (self.kbps <= max_kbps) & (self.avq_mos >= floor) & np.isfinite(self.avq_mos)
        return Candidates(
            avq_mos=np.where(allowed, self.avq_mos, -np.inf),
            kbps=np.where(allowed, self.kbps, np.inf),
            time_share=self.time_share,
        )

    def least_kbps(self) -> float:
        """Mean rate of the cheapest choice; inf where some scene has no pair."""
        return float(self.time_share @ self.kbps.min(axis=1, initial=np.inf))


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """The best choice for a pooled AVQ, with its proof."""

    choice: Choice
    """Pair of every scene, (S,)."""
    objective_mos: float
    """Pooled AVQ of the choice."""
    upper_bound_mos: float
    """No choice within the budget pools higher."""
    mean_mos: float
    """Mean AVQ of the choice."""
    mean_kbps: float
    """Mean rate of the choice."""
    price_mos_per_kbps: float
    """What another kbps of budget is worth in pooled AVQ."""
    scene_price: float
    """Price of the knapsack behind it, in `scene_values` per kbps; 0 where the budget does not bind."""
    complete: bool
    """Whether the search ended by itself."""


def optimise(
    candidates: Candidates, budget_kbps: float, pool: str, *, beat_mos: float = -math.inf, deadline: float = math.inf
) -> Optimum | None:
    """The choice of the highest pooled AVQ whose mean rate is within the budget.

    Args:
        candidates: pairs of every scene, already restricted.
        budget_kbps: for the mean rate over time.
        pool: one of `POOLS`.
        beat_mos: pooled AVQ that is known already; the search may stop where it cannot be beaten.
        deadline: `time.monotonic()` at which to stop.

    Returns:
        None where nothing fits the budget.
    """
    if candidates.least_kbps() > budget_kbps * (1.0 + FIT):
        return None
    if not is_additive(pool):
        return _highest_floor(_Floors(candidates, pool, deadline), budget_kbps, beat_mos)
    d = candidates.time_share[:, None]
    values = scene_values(candidates.avq_mos, pool) * d
    floor = -1.0 / beat_mos if pool == "harmonic" and beat_mos > 0.0 else beat_mos
    found = solve(values, candidates.kbps * d, budget_kbps, floor=floor, deadline=deadline)
    if found is None:
        return None
    if pool == "mean":
        return _optimum(candidates, found, found.value, found.bound, found.price)
    pooled = -1.0 / found.value
    # d(1 / u) = -du / u^2
    return _optimum(candidates, found, pooled, -1.0 / found.bound, found.price * pooled**2)


def optimise_floors(candidates: Candidates, budgets_kbps: Floats, pool: str) -> list[Optimum | None]:
    """The same for many budgets, (C,), of a pool that is a floor: what holding one costs is worked out once for all."""
    floors = _Floors(candidates, pool, math.inf)
    least = candidates.least_kbps()
    return [
        None if least > budget * (1.0 + FIT) else _highest_floor(floors, budget, -math.inf)
        for budget in budgets_kbps.tolist()
    ]


def is_additive(pool: str) -> bool:
    """Whether a knapsack adds a pool up (`scene_values`); the others are floors that the AVQ of scenes is held to."""
    return pool in ("mean", "harmonic")


def highest_pooled(candidates: Candidates, budget_kbps: float, pool: str) -> float:
    """What no choice within a budget pools more than, MOS, without a search; -inf where nothing fits."""
    if candidates.least_kbps() > budget_kbps * (1.0 + FIT):
        return -math.inf
    highest = candidates.avq_mos.max(axis=1)
    if pool == "min":
        return float(highest.min())
    if pool == "p5":
        return float(highest.max())
    d = candidates.time_share[:, None]
    relaxed = relax(scene_values(candidates.avq_mos, pool) * d, candidates.kbps * d, budget_kbps * (1.0 + FIT))
    if relaxed is None:
        return -math.inf
    return relaxed.bound if pool == "mean" else -1.0 / relaxed.bound


def scene_values(avq_mos: Floats, pool: str) -> Floats:
    """What the knapsack adds up for a pool, per unit of time; -inf where there is no pair."""
    if pool != "harmonic":
        return avq_mos
    # A MOS has no values under 1; a prediction may.
    return np.where(np.isfinite(avq_mos), -1.0 / np.maximum(avq_mos, 1.0), -np.inf)


def _optimum(
    candidates: Candidates, found: Solution, objective: float, bound: float, price: float, *, complete: bool = True
) -> Optimum:
    rows = np.arange(len(found.choice))
    return Optimum(
        choice=found.choice,
        objective_mos=objective,
        upper_bound_mos=max(bound, objective),
        mean_mos=math.fsum((candidates.time_share * candidates.avq_mos[rows, found.choice]).tolist()),
        mean_kbps=found.weight,
        price_mos_per_kbps=price,
        scene_price=found.price,
        complete=found.complete and complete,
    )


def _highest_floor(floors: _Floors, budget_kbps: float, beat_mos: float) -> Optimum | None:
    candidates, levels, deadline = floors.candidates, floors.levels, floors.deadline
    reached, ruled_out = floors.highest(budget_kbps, at_least=beat_mos)
    level = float(levels[reached])
    # Under the floor, the highest mean; scenes that were let go keep no floor.
    kept = np.where(floors.let_go(level, budget_kbps), -np.inf, level)
    under = candidates.restricted(min_mos=kept)
    d = candidates.time_share[:, None]
    found = solve(under.avq_mos * d, under.kbps * d, budget_kbps, deadline=deadline)
    if found is None:  # only rounding can get here: the floor's own cheapest choice fits
        found = _cheapest(under)
    # What the choice holds: the level, or more where the bisection was cut short.
    avq = under.avq_mos[np.arange(len(found.choice)), found.choice]
    level = held_level(avq, under.time_share, floors.low_share)
    more = level
    if time.monotonic() <= deadline:
        more = float(levels[floors.highest(budget_kbps * (1.0 + _PRICE_STEP), at_least=level)[0]])
    price = max(more - level, 0.0) / (budget_kbps * _PRICE_STEP)
    return _optimum(candidates, found, level, float(levels[ruled_out - 1]), price, complete=ruled_out == reached + 1)


def held_level(avq_mos: Floats, time_share: Floats, low_share: float) -> float:
    """The highest AVQ that all but `low_share` of the time reaches."""
    order = np.argsort(avq_mos, kind="stable")
    below = np.append(0.0, np.cumsum(time_share[order])[:-1])
    return float(avq_mos[order][below <= low_share * (1.0 + FIT)].max())


class _Floors:
    """What it costs to hold a floor for all but `low_share` of the time."""

    def __init__(self, candidates: Candidates, pool: str, deadline: float) -> None:
        self.candidates, self.deadline = candidates, deadline
        self.low_share = 0.0 if pool == "min" else LOW_SHARE
        self.levels: Floats = np.unique(candidates.avq_mos[np.isfinite(candidates.avq_mos)])
        self._least = candidates.time_share * candidates.kbps.min(axis=1)
        self._let_go: dict[float, npt.NDArray[np.bool_]] = {}
        """Scenes let go, by level: no budget changes which save most."""

    def highest(self, budget_kbps: float, *, at_least: float) -> tuple[int, int]:
        """Index of the highest level that the budget holds, and of the lowest that is proven out of reach.

        The lowest level is held by every choice. A level known to be too low to matter is tried first.
        """
        low, high = 0, len(self.levels)
        middle = int(np.searchsorted(self.levels, at_least))
        while high - low > 1:
            if time.monotonic() > self.deadline:
                break
            middle = middle if low < middle < high else (low + high) // 2
            if self._is_held(float(self.levels[middle]), budget_kbps):
                low = middle
            else:
                high = middle
            middle = -1
        return low, high

    def _is_held(self, level: float, budget_kbps: float) -> bool:
        return self._cost(level, self.let_go(level, budget_kbps)) <= budget_kbps * (1.0 + FIT)

    def _lifted(self, level: float) -> Floats:
        """Least weighted rate of every scene at or above a level; inf where it has none."""
        c = self.candidates
        result: Floats = c.time_share * np.where(c.avq_mos >= level, c.kbps, np.inf).min(axis=1)
        return result

    def _cost(self, level: float, let_go: npt.NDArray[np.bool_]) -> float:
        return float(np.where(let_go, self._least, self._lifted(level)).sum())

    def let_go(self, level: float, budget_kbps: float) -> npt.NDArray[np.bool_]:
        """Scenes that are best left below a level, (S,): those that save most within the share of the time."""
        lifted = self._lifted(level)
        none = np.zeros(len(lifted), dtype=np.bool_)
        if self.low_share == 0.0 or lifted.sum() <= budget_kbps:
            return none
        if level not in self._let_go:
            self._let_go[level] = self._saving_most(lifted)
        return self._let_go[level]

    def _saving_most(self, lifted: Floats) -> npt.NDArray[np.bool_]:
        none = np.zeros(len(lifted), dtype=np.bool_)
        out_of_reach = ~np.isfinite(lifted)
        share = self.candidates.time_share
        room = self.low_share * (1.0 + FIT) - float(share[out_of_reach].sum())
        if room < 0.0:
            return none
        saving = np.where(out_of_reach, 0.0, lifted - self._least)
        scenes = np.flatnonzero(saving > 0.0)
        if not len(scenes):
            return out_of_reach
        zero = np.zeros(len(scenes))
        found = solve(np.column_stack([zero, saving[scenes]]), np.column_stack([zero, share[scenes]]), room)
        chosen = out_of_reach.copy()
        if found is not None:
            chosen[scenes[found.choice == 1]] = True
        return chosen


def _cheapest(candidates: Candidates) -> Solution:
    choice = cheapest_choice(candidates.avq_mos, candidates.kbps)
    weighted = candidates.time_share[:, None]
    value, weight = total(candidates.avq_mos * weighted, choice), total(candidates.kbps * weighted, choice)
    return Solution(choice=choice, value=value, weight=weight, bound=value, price=0.0, complete=True)
