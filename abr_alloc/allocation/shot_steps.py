"""Choices over scenes whose AVQ may move by a step at most between neighbours.

    mean, harmonic   chains on the envelope (`shot_chain.py`); where these leave too much of a rate unused, or do not
                     reach what is known already, a search between them (`shot_labels.py`)
    min              the highest floor that the lightest chain above it holds within the rate, by bisection over the AVQ
                     values that occur; under it, the highest mean

Axes: S scenes, P options, C mean rates.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.pooling import scene_values
from abr_alloc.allocation.relaxation import Floats
from abr_alloc.allocation.shot_chain import BLOCK, Bools, Bracket, StepChain, find_chains
from abr_alloc.allocation.shot_labels import search_chain
from abr_alloc.allocation.shot_problem import Found, ShotProblem, from_sum, pooled_slope
from abr_alloc.allocation.solver import FIT, TOLERANCE

__all__ = ["UNUSED_SHARE", "best_chains", "floor_chains"]

UNUSED_SHARE = 0.005
"""Share of a mean rate that a choice which is best at its own rate may leave unused; beyond, better is searched for."""

_PRICE_STEP = 0.1
"""Part of a rate over which the price of a floor is taken, as in `pooling.py`."""


def best_chains(
    problem: ShotProblem, chain: StepChain, budgets_kbps: Floats, floors_mos: Floats, allowed: Bools | None
) -> list[Found | None]:
    """Sums under a largest step.

    Args:
        problem: what may be chosen.
        chain: its options by rising AVQ.
        budgets_kbps: mean rates, (C,).
        floors_mos: pooled AVQ that is known already, (C,).
        allowed: which options by rising AVQ each may use, (C, S, P); all where absent.
    """
    c, pool = problem.candidates, problem.pool
    values = chain.sorted(scene_values(c.avq_mos, pool) * c.time_share[:, None])
    weights = chain.sorted(c.kbps * c.time_share[:, None])
    brackets = find_chains(chain, values, weights, budgets_kbps, allowed=allowed, unused=UNUSED_SHARE)
    rows = np.arange(len(values))
    found: list[Found | None] = []
    for i, (budget, floor, bracket) in enumerate(
        zip(budgets_kbps.tolist(), floors_mos.tolist(), brackets, strict=True)
    ):
        if bracket is None:
            found.append(None)
            continue
        own, searched = bracket.within, math.inf
        enough = bracket.price == 0.0 or bracket.weight >= budget * (1.0 - UNUSED_SHARE)
        if not enough or from_sum(bracket.value, pool) < floor - TOLERANCE:
            mask = None if allowed is None else allowed[i]
            solution = search_chain(chain, values, weights, budget, bracket, allowed=mask)
            own, searched = solution.choice, solution.bound
        choice = chain.order[rows, own]

        def bound(kbps: float, bracket: Bracket = bracket, searched: float = searched) -> float:
            return from_sum(min(bracket.bound(kbps), searched), pool)

        found.append(Found(choice, bracket.price * pooled_slope(problem, choice), bound))
    return found


def floor_chains(
    problem: ShotProblem, chain: StepChain, budgets_kbps: Floats, allowed: Bools | None
) -> list[Found | None]:
    """The highest floor under a largest step; arguments as of `best_chains`."""
    c = problem.candidates
    weights = chain.sorted(c.kbps * c.time_share[:, None])
    usable = np.isfinite(weights) if allowed is None else allowed & np.isfinite(weights)
    usable = np.broadcast_to(usable, (len(budgets_kbps), *weights.shape))
    levels = np.unique(chain.avq_mos[np.isfinite(chain.avq_mos)])
    more_kbps = budgets_kbps * (1.0 + _PRICE_STEP)
    reached = _highest_levels(
        chain, weights, levels, np.append(budgets_kbps, more_kbps), np.concatenate([usable, usable])
    )
    now, later = reached[: len(budgets_kbps)], reached[len(budgets_kbps) :]
    fits = np.flatnonzero(now >= 0)
    above = chain.avq_mos >= levels[now[fits]][:, None, None]
    values = chain.sorted(c.avq_mos * c.time_share[:, None])
    brackets = find_chains(
        chain, values, weights, budgets_kbps[fits], allowed=usable[fits] & above, unused=UNUSED_SHARE
    )
    found: list[Found | None] = [None] * len(budgets_kbps)
    for i, bracket in zip(fits.tolist(), brackets, strict=True):
        if bracket is not None:
            level = float(levels[now[i]])
            price = float(levels[max(later[i], now[i])] - level) / (float(budgets_kbps[i]) * _PRICE_STEP)
            choice = chain.order[np.arange(len(weights)), bracket.within]
            found[i] = Found(choice, price, lambda _, level=level: level)  # type: ignore[misc]
    return found


def _highest_levels(
    chain: StepChain, weights: Floats, levels: Floats, capacities: Floats, usable: Bools
) -> npt.NDArray[np.intp]:
    """Index of the highest level that the lightest chain above it holds within each capacity, (C,); -1 where none."""
    capacities = capacities * (1.0 + FIT)
    low, high = np.full(len(capacities), -1), np.full(len(capacities), len(levels))
    scores = np.where(np.isfinite(weights), -weights, -np.inf)[..., None]
    size = max(1, BLOCK // weights.size)
    while (open_ := np.flatnonzero(high - low > 1)).size:
        for first in range(0, len(open_), size):
            tried = open_[first : first + size]
            # The lowest level first: where even that is too heavy, nothing is to be looked for.
            middle = np.where(low[tried] < 0, 0, (low[tried] + high[tried]) // 2)
            mask = usable[tried] & (chain.avq_mos >= levels[middle][:, None, None])
            _, lightest = chain.best(np.where(mask.transpose(1, 2, 0), scores, -np.inf))
            holds = -lightest <= capacities[tried]
            low[tried] = np.where(holds, middle, low[tried])
            high[tried] = np.where(holds, high[tried], middle)
    return low
