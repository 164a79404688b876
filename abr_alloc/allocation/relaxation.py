"""The price of a budget: the Lagrangian relaxation of a multiple-choice knapsack, exactly.

One pair is chosen per scene; values and weights add up; the weights must fit a capacity C:

    maximise  sum_s v[s, x_s]   subject to   sum_s w[s, x_s] <= C

For a price p >= 0, L(p) = p C + sum_s max_j (v[s, j] - p w[s, j]) bounds the maximum from above. The best such bound,
min_p L(p), is that of the linear relaxation (Dyer 1984; Zemel 1984), the concave envelope of what can be reached. L is
convex and piecewise linear. A price is found between two choices that are both best at it, one within the capacity and
one beyond: where they tie, L is lowest.

Axes: S scenes, P pairs per scene. A pair that is not there has value -inf and weight +inf.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Relaxation", "cheapest_choice", "relax", "total"]

Floats = npt.NDArray[np.float64]
Choice = npt.NDArray[np.intp]

_ROUNDING = 1e-13
"""Relative error that sums of thousands of terms may carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """The least Lagrangian bound and the two choices that meet there."""

    price: float
    """Value per unit of weight just above the capacity; 0 where the capacity does not bind."""
    bound: float
    """No choice within the capacity is worth more."""
    within: Choice
    """A choice that is best at this price and within the capacity, (S,)."""
    beyond: Choice
    """One that is best at this price and beyond it, (S,); equal to `within` where the capacity does not bind."""


def total(table: Floats, choice: Choice) -> float:
    """Sum of one entry per scene."""
    return float(np.take_along_axis(table, choice[:, None], axis=1).sum())


def cheapest_choice(values: Floats, weights: Floats) -> Choice:
    """The lightest pair of every scene; of equals, the most valuable."""
    lightest = weights.min(axis=1, keepdims=True)
    choice: Choice = np.where(weights == lightest, values, -np.inf).argmax(axis=1)
    return choice


def _best_choice(values: Floats, weights: Floats) -> Choice:
    """The most valuable pair of every scene; of equals, the lightest."""
    highest = values.max(axis=1, keepdims=True)
    choice: Choice = np.where(values == highest, weights, np.inf).argmin(axis=1)
    return choice


def relax(values: Floats, weights: Floats, capacity: float) -> Relaxation | None:
    """Solve the relaxation; None where not even the lightest choice fits.

    Both choices are moved towards each other: at the price where they tie, the best choice either is no better than
    they are (done) or replaces the one on its side. A scene on which they agree agrees at every price between, so that
    the work shrinks from step to step. Needs no sorting and no hull.
    """
    within = cheapest_choice(values, weights)
    if total(weights, within) > capacity:
        return None
    beyond = _best_choice(values, weights)
    if total(weights, beyond) <= capacity:
        return Relaxation(price=0.0, bound=total(values, beyond), within=beyond, beyond=beyond)
    open_ = np.arange(len(values))  # scenes on which the two choices differ
    v, w = values, weights
    while True:
        differ = within[open_] != beyond[open_]
        if not differ.all():
            open_, v, w = open_[differ], v[differ], w[differ]
        rows = np.arange(len(open_))
        low, high = within[open_], beyond[open_]
        price = float((v[rows, high] - v[rows, low]).sum() / (w[rows, high] - w[rows, low]).sum())
        score = v - price * np.where(np.isfinite(w), w, 0.0)
        best = score.argmax(axis=1)
        gain = float((score[rows, best] - score[rows, low]).sum())
        # Scores may cancel to nothing; what is rounded is the values and the priced weights.
        size = float((np.abs(v[rows, best]) + price * w[rows, best]).sum())
        if not gain > _ROUNDING * max(1.0, size):  # also where it is no number
            break
        middle = within.copy()
        middle[open_] = best
        if total(weights, middle) <= capacity:
            within = middle
        else:
            beyond = middle
    bound = total(values, within) + price * (capacity - total(weights, within)) + max(gain, 0.0)
    return Relaxation(price=max(price, 0.0), bound=bound, within=within, beyond=beyond)
