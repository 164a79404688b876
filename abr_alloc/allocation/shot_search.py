"""The best choice over the scenes of a title at each of many mean rates, under limits on scenes, windows and steps.

    mean, harmonic   sums: every choice that is best at some price is the best at its own rate (`shot_frontier.py`), and
                     where these leave too much of a rate unused, or do not reach what is known already, a knapsack
                     (`solver.py`) is solved
    min, p5          floors: `pooling.py`
    max_step_mos     chains (`shot_chain.py`, `shot_labels.py`); for `min` the highest floor that the lightest chain
                     holds, by bisection, and under it the highest mean
    peak_kbps        options that break a window by themselves are left out; windows across cuts are shared out where a
                     choice breaks one (`shot_windows.py`). The bound stays that of the problem without shares.

Arrays in, choices and proofs out. Axes: S scenes, P options, C mean rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from abr_alloc.allocation.pooling import Candidates, is_additive, optimise, optimise_floors, scene_values
from abr_alloc.allocation.relaxation import Choice, Floats, relax, total
from abr_alloc.allocation.shot_chain import StepChain
from abr_alloc.allocation.shot_frontier import Frontier, find_frontier
from abr_alloc.allocation.shot_problem import Found, ShotChoice, ShotProblem, from_sum, pooled_slope
from abr_alloc.allocation.shot_steps import UNUSED_SHARE, best_chains, floor_chains
from abr_alloc.allocation.shot_windows import Bools, PeakWindows
from abr_alloc.allocation.solver import FIT, TOLERANCE, solve

__all__ = ["find_choices"]

_MAX_TIGHTENED = 200
"""Most times that windows are shared out; then the choice that keeps all is taken."""


def find_choices(problem: ShotProblem, budgets_kbps: Floats, known: Sequence[Choice] = ()) -> list[ShotChoice | None]:
    """The best choice at each mean rate.

    Args:
        problem: what may be chosen.
        budgets_kbps: mean rates, (C,).
        known: choices that keep all limits: nothing worse than the best of them at a rate is given.

    Returns:
        None where nothing is within the rate.
    """
    merits = [(problem.mean_kbps(choice), problem.merit(choice), i) for i, choice in enumerate(known)]
    best_known = [
        max(((merit, -kbps, i) for kbps, merit, i in merits if kbps <= budget * (1.0 + FIT)), default=None)
        for budget in budgets_kbps.tolist()
    ]
    floors = np.array([-math.inf if best is None else best[0][0] for best in best_known])
    free = _find(problem, budgets_kbps, floors, None)
    choices = [None if one is None else one.choice for one in free]
    if problem.windows is not None:
        choices = _within_windows(problem, problem.windows, budgets_kbps, choices)
    answers: list[ShotChoice | None] = []
    for budget, one, choice, best in zip(budgets_kbps.tolist(), free, choices, best_known, strict=True):
        if one is None or choice is None:
            answers.append(None)
            continue
        if best is not None and best[0] > problem.merit(choice):
            choice = known[best[2]]
        choice = _nearer(problem, choice)
        pooled = problem.pooled_mos(choice)
        answers.append(
            ShotChoice(
                choice=choice,
                pooled_mos=pooled,
                upper_bound_mos=max(one.bound(problem.mean_kbps(choice)), pooled),
                budget_bound_mos=max(one.bound(budget), pooled),
                price_mos_per_kbps=max(one.price, 0.0),
            )
        )
    return answers


def _within_windows(
    problem: ShotProblem, windows: PeakWindows, budgets_kbps: Floats, choices: Sequence[Choice | None]
) -> list[Choice | None]:
    """Choices that keep all windows, from those that are best without the windows across cuts."""
    assert problem.keeper is not None
    found = list(choices)
    offered = np.isfinite(problem.candidates.kbps)
    allowed: dict[int, Bools] = {}
    for _ in range(_MAX_TIGHTENED):
        broken = []
        for c, choice in enumerate(found):
            if choice is not None and not windows.keeps(choice, problem.peak_kbps):
                broken.append(c)
                allowed[c] = windows.tighten(allowed.get(c, offered), choice, problem.keeper, problem.peak_kbps)
        if not broken:
            return found
        again = _find(
            problem, budgets_kbps[broken], np.full(len(broken), -math.inf), np.array([allowed[c] for c in broken])
        )
        for c, one in zip(broken, again, strict=True):
            found[c] = problem.keeper if one is None else one.choice
    return [problem.keeper if c is not None and not windows.keeps(c, problem.peak_kbps) else c for c in found]


def _nearer(problem: ShotProblem, choice: Choice) -> Choice:
    """Of options that are equal to the chosen ones, those that ask for what most of the title is asked for."""
    if problem.asked is None:
        return choice
    c, rows = problem.candidates, np.arange(len(choice))
    order = np.argsort(problem.asked[choice], kind="stable")
    middle = order[np.searchsorted(np.cumsum(c.time_share[order]), 0.5)]
    away = np.abs(problem.asked - problem.asked[choice[middle]])
    equal = np.abs(c.avq_mos - c.avq_mos[rows, choice][:, None]) <= TOLERANCE
    equal &= c.kbps <= c.kbps[rows, choice][:, None]
    equal[rows, choice] = True
    nearer: Choice = np.where(equal, away, np.inf).argmin(axis=1)
    nearer = np.where(away[nearer] < away[choice], nearer, choice)
    return nearer if problem.keeps(nearer) else choice


def _find(problem: ShotProblem, budgets_kbps: Floats, floors_mos: Floats, allowed: Bools | None) -> list[Found | None]:
    """The best choices without the windows across cuts.

    Args:
        problem: what may be chosen.
        budgets_kbps: mean rates, (C,).
        floors_mos: pooled AVQ that is known already, (C,).
        allowed: which options each may use, (C, S, P); all where absent. Then bounds are not looked at.
    """
    if problem.max_step_mos < math.inf:
        chain = StepChain(problem.candidates.avq_mos, problem.max_step_mos)
        masks = None if allowed is None else np.take_along_axis(allowed, chain.order[None], axis=2)
        if problem.pool == "min":
            return floor_chains(problem, chain, budgets_kbps, masks)
        return best_chains(problem, chain, budgets_kbps, floors_mos, masks)
    if not is_additive(problem.pool):
        return _on_floors(problem, budgets_kbps, allowed)
    if allowed is None:
        return _on_frontier(problem, budgets_kbps, floors_mos)
    return [_relaxed(problem, b, allowed[c]) for c, b in enumerate(budgets_kbps.tolist())]


def _on_frontier(problem: ShotProblem, budgets_kbps: Floats, floors_mos: Floats) -> list[Found | None]:
    """Sums without steps: from one sweep of all prices."""
    c, pool = problem.candidates, problem.pool
    values, weights = scene_values(c.avq_mos, pool) * c.time_share[:, None], c.kbps * c.time_share[:, None]
    frontier = find_frontier(values, weights)
    found: list[Found | None] = []
    for budget, floor in zip((budgets_kbps * (1.0 + FIT)).tolist(), floors_mos.tolist(), strict=True):
        k = -1 if frontier is None else frontier.below(budget)
        if frontier is None or k < 0:
            found.append(None)
            continue
        choice, price, searched = frontier.choice(k), float(frontier.price[k]), math.inf
        enough = price == 0.0 or float(frontier.weight[k]) >= budget * (1.0 - UNUSED_SHARE)
        if not enough or problem.pooled_mos(choice) < floor - TOLERANCE:
            solution = solve(values, weights, budget, relaxation=frontier.relaxation(k, budget))
            assert solution is not None
            choice, searched = solution.choice, solution.bound

        def bound(kbps: float, frontier: Frontier = frontier, searched: float = searched) -> float:
            return from_sum(min(frontier.bound(kbps), searched), pool)

        found.append(Found(choice, price * pooled_slope(problem, choice), bound))
    return found


def _relaxed(problem: ShotProblem, budget_kbps: float, allowed: Bools) -> Found | None:
    """A sum without steps, of some options."""
    c = problem.candidates
    values = np.where(allowed, scene_values(c.avq_mos, problem.pool) * c.time_share[:, None], -np.inf)
    weights = np.where(allowed, c.kbps * c.time_share[:, None], np.inf)
    budget = budget_kbps * (1.0 + FIT)
    relaxed = relax(values, weights, budget)
    if relaxed is None:
        return None
    choice = relaxed.within
    if relaxed.price > 0.0 and total(weights, choice) < budget * (1.0 - UNUSED_SHARE):
        solution = solve(values, weights, budget, relaxation=relaxed)
        choice = choice if solution is None else solution.choice
    return Found(choice, relaxed.price * pooled_slope(problem, choice), lambda _: math.inf)


def _on_floors(problem: ShotProblem, budgets_kbps: Floats, allowed: Bools | None) -> list[Found | None]:
    """Floors without steps."""
    c = problem.candidates
    if allowed is None:
        optima = optimise_floors(c, budgets_kbps, problem.pool)
    else:
        own = [
            Candidates(
                avq_mos=np.where(mask, c.avq_mos, -np.inf),
                kbps=np.where(mask, c.kbps, np.inf),
                time_share=c.time_share,
            )
            for mask in allowed
        ]
        optima = [optimise(o, budget, problem.pool) for o, budget in zip(own, budgets_kbps.tolist(), strict=True)]
    return [
        None if o is None else Found(o.choice, o.price_mos_per_kbps, lambda _, o=o: o.upper_bound_mos)  # type: ignore[misc]
        for o in optima
    ]
