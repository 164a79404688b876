"""The multiple-choice knapsack, exactly: one pair per scene, the highest sum of values, weights within a capacity.

The idea, after Pisinger's minimal core (European Journal of Operational Research 83, 1995):

1. The relaxation (`relaxation.py`) gives a price p and a choice b within the capacity that is best at that price.
2. Any other choice x falls short of the relaxation's bound by

       shortfall(x) = sum_s loss[s, x_s] + p * (capacity left over),   loss[s, j] = best score of s - (v - p w)[s, j]

   Both terms are >= 0. A pair whose loss alone reaches the shortfall of a known choice can be left out for good; few
   pairs survive, and most scenes keep b alone. The scenes that keep more are the core.
3. The core is searched (`minimal_core.py`) for a choice that falls short by less; what is found last is the optimum.

Axes: S scenes, P pairs per scene. Values and weights may be any floats; nothing is rounded to integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from abr_alloc.allocation.minimal_core import CoreSearch, group_moves
from abr_alloc.allocation.relaxation import Choice, Floats, Relaxation, relax

__all__ = ["FIT", "TOLERANCE", "Solution", "solve"]

FIT = 1e-12
"""Relative rounding that a sum of weights may carry and still fit."""

TOLERANCE = 1e-9
"""Shortfall, in units of value, below which the search does not go on: answers are exact to this."""

_TRIED_MOVES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A choice and the proof of how good it is."""

    choice: Choice
    """Chosen pair of every scene, (S,)."""
    value: float
    """Sum of the chosen values, added up again at the end."""
    weight: float
    """Sum of the chosen weights, likewise."""
    bound: float
    """No choice within the capacity is worth more; at least `value`."""
    price: float
    """Value per unit of capacity, from the relaxation: what a little more capacity is worth."""
    complete: bool
    """Whether the search ended by itself; False where a time limit or the limit on states cut it short."""


def solve(
    values: Floats,
    weights: Floats,
    capacity: float,
    *,
    relaxation: Relaxation | None = None,
    floor: float = -math.inf,
    deadline: float = math.inf,
) -> Solution | None:
    """Choose one pair per scene.

    Args:
        values: (S, P), any unit; -inf where there is no pair.
        weights: (S, P), >= 0; +inf where there is no pair.
        capacity: in units of weight.
        relaxation: of this very problem, where the caller has it already.
        floor: only choices worth more than this are looked for.
        deadline: `time.monotonic()` at which to stop with what there is.

    Returns:
        None where no choice fits. Otherwise a choice that fits. Where `complete`, `bound` is at most `TOLERANCE` above
        the larger of `value` and `floor`.
    """
    capacity = capacity * (1.0 + FIT)
    relaxation = relaxation or relax(values, weights, capacity)
    if relaxation is None:
        return None
    base, price = relaxation.within, relaxation.price
    if price == 0.0:
        return _verified(values, weights, base, relaxation, 0.0, complete=True)
    rows = np.arange(len(values))
    slack = capacity - float(weights[rows, base].sum())
    choice, shortfall = _fill(weights, relaxation, slack)
    goal = min(shortfall, relaxation.bound - floor)
    # Moves away from the base that a better choice could contain.
    score = values - price * np.where(np.isfinite(weights), weights, 0.0)
    loss = score.max(axis=1, keepdims=True) - score
    loss[rows, base] = 0.0
    possible = loss < goal - TOLERANCE
    left_out = float(loss[~possible].min(initial=math.inf))
    scene, item = np.nonzero(possible)
    move = weights[scene, item] - weights[scene, base[scene]]
    kept = (item != base[scene]) & (move != 0.0)
    scene, item, move, lost = scene[kept], item[kept], move[kept], loss[scene[kept], item[kept]]
    pair, pair_shortfall = _best_two_moves(scene, move, lost, slack, price)
    if pair_shortfall < goal:
        choice, shortfall, goal = base.copy(), pair_shortfall, pair_shortfall
        choice[scene[pair]] = item[pair]
        still = lost < goal - TOLERANCE
        left_out = min(left_out, float(lost[~still].min(initial=math.inf)))
        scene, item, move, lost = scene[still], item[still], move[still], lost[still]
    core = group_moves(scene, item, move, lost)
    search = CoreSearch(core, slack=slack, price=price, goal=goal, tolerance=TOLERANCE, deadline=deadline)
    search.run()
    if search.winner is not None:
        choice, shortfall = base.copy(), search.goal
        for scene_index, item_index in search.winner:
            choice[scene_index] = item_index
    least = min(left_out, search.least, shortfall)
    return _verified(values, weights, choice, relaxation, least, complete=search.complete)


def _verified(
    values: Floats, weights: Floats, choice: Choice, relaxation: Relaxation, least: float, *, complete: bool
) -> Solution:
    """The chosen rows added up again, exactly rounded, and the bound: no choice falls short by less than `least`."""
    rows = np.arange(len(choice))
    value = math.fsum(values[rows, choice].tolist())
    return Solution(
        choice=choice,
        value=value,
        weight=math.fsum(weights[rows, choice].tolist()),
        bound=max(relaxation.bound - least, value),
        price=relaxation.price,
        complete=complete,
    )


def _fill(weights: Floats, relaxation: Relaxation, slack: float) -> tuple[Choice, float]:
    """A first choice and its shortfall: b, with as many scenes as fit moved to the other end of the tie."""
    choice = relaxation.within.copy()
    scenes = np.flatnonzero(relaxation.within != relaxation.beyond)
    move = weights[scenes, relaxation.beyond[scenes]] - weights[scenes, relaxation.within[scenes]]
    for i in np.argsort(-move, kind="stable"):
        if move[i] <= slack:
            choice[scenes[i]] = relaxation.beyond[scenes[i]]
            slack -= float(move[i])
    return choice, relaxation.price * slack


def _best_two_moves(scene: Choice, move: Floats, lost: Floats, slack: float, price: float) -> tuple[Choice, float]:
    """The two moves away from b (or one) that together fall short by least: their indices, and by how much.

    Tried among the moves that lose least. It lowers the goal before the core is made, which then is far smaller.
    """
    tried = np.argpartition(lost, _TRIED_MOVES)[:_TRIED_MOVES] if len(lost) > _TRIED_MOVES else np.arange(len(lost))
    one = np.append(0.0, move[tried]), np.append(0.0, lost[tried]), np.append(-1, scene[tried])
    left = slack - np.add.outer(one[0], one[0])
    shortfall = np.add.outer(one[1], one[1]) + price * left
    allowed = (left >= 0.0) & (one[2][:, None] != one[2])
    allowed[0, 0] = True
    shortfall[~allowed] = math.inf
    first, second = np.unravel_index(int(shortfall.argmin()), shortfall.shape)
    chosen = [tried[i - 1] for i in (first, second) if i > 0]
    return np.array(chosen, dtype=np.intp), float(shortfall[first, second])
