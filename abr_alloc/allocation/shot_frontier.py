"""All that a price can buy: the choices of a multiple-choice knapsack that are best at some price, in one sweep.

One option is chosen per scene; values and weights add up. A choice that is best at a price is the best of all that
weigh no more than it does (Everett, Operations Research 11, 1963), so each of these proves itself. They are the
vertices of the concave envelope of what can be reached: every scene starts at its lightest option and walks along its
own upper hull, and the walks of all scenes are taken in the order of their slopes.

A capacity between two vertices is served by the lower one, or, where that leaves too much of it unused, by a search
(`solver.py`) that starts from both.

Arrays in, choices out. An option that is not there has value -inf and weight +inf.

Axes: S scenes, P options, K vertices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.relaxation import Choice, Floats, Relaxation, cheapest_choice, total

__all__ = ["Frontier", "find_frontier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """Choices that are best at some price, by weight."""

    weight: Floats
    """Sum of the weights, rising, (K,)."""
    value: Floats
    """Sum of the values, rising, (K,)."""
    price: Floats
    """Value per unit of weight from a vertex to the next, falling, (K,); 0 at the last."""
    start: Choice
    """The first vertex, (S,)."""
    scene: Choice
    """Scene that changes from a vertex to the next, (K - 1,)."""
    option: Choice
    """Its new option, (K - 1,)."""

    def below(self, capacity: float) -> int:
        """The last vertex within a capacity; -1 where none is."""
        return int(np.searchsorted(self.weight, capacity, side="right")) - 1

    def choice(self, vertex: int) -> Choice:
        """Option of every scene, (S,)."""
        found = self.start.copy()
        found[self.scene[:vertex]] = self.option[:vertex]  # of several the last stays
        return found

    def bound(self, capacity: float) -> float:
        """No choice within a capacity is worth more; -inf where none is within it."""
        k = self.below(capacity)
        return -np.inf if k < 0 else float(self.value[k] + self.price[k] * (capacity - self.weight[k]))

    def relaxation(self, vertex: int, capacity: float) -> Relaxation:
        """The relaxation of the knapsack whose capacity lies between a vertex and the next."""
        within = self.choice(vertex)
        last = vertex == len(self.weight) - 1
        return Relaxation(
            price=float(self.price[vertex]),
            bound=self.bound(capacity),
            within=within,
            beyond=within if last else self.choice(vertex + 1),
        )


def find_frontier(values: Floats, weights: Floats) -> Frontier | None:
    """Walk along the hulls of all scenes, (S, P); None where some scene has no option."""
    start = cheapest_choice(values, weights)
    rows = np.arange(len(values))
    if not np.isfinite(weights[rows, start]).all():
        return None
    scene, option, rise, run = _hulls(values, weights, start)
    with np.errstate(divide="ignore"):
        slope = rise / run
    # Rounding must not let a scene's second step come before its first.
    step = _number_in_scene(scene)
    for k in range(1, int(step.max(initial=0)) + 1):
        later = np.flatnonzero(step == k)
        slope[later] = np.minimum(slope[later], slope[later - 1])
    order = np.lexsort((step, scene, -slope))
    return Frontier(
        weight=total(weights, start) + np.append(0.0, np.cumsum(run[order])),
        value=total(values, start) + np.append(0.0, np.cumsum(rise[order])),
        price=np.append(slope[order], 0.0),
        start=start,
        scene=scene[order],
        option=option[order],
    )


def _hulls(values: Floats, weights: Floats, start: Choice) -> tuple[Choice, Choice, Floats, Floats]:
    """Steps along the upper hulls, scene after scene: scene, new option, gain in value, gain in weight."""
    open_, at = np.arange(len(values)), start
    v, w = values, weights
    found: list[tuple[Choice, Choice, Floats, Floats]] = []
    while len(open_):
        rows = np.arange(len(open_))
        rise, run = v - v[rows, at][:, None], w - w[rows, at][:, None]
        usable = (rise > 0.0) & (run > 0.0) & np.isfinite(rise) & np.isfinite(run)
        slope = np.where(usable, rise, -np.inf) / np.where(usable, run, 1.0)
        best = slope.argmax(axis=1)
        goes_on = usable[rows, best]
        rows, best, open_ = rows[goes_on], best[goes_on], open_[goes_on]
        found.append((open_, best, rise[rows, best], run[rows, best]))
        at, v, w = best, v[rows], w[rows]
    scene, option, rise, run = (np.concatenate(parts) for parts in zip(*found, strict=True))
    by_scene = np.argsort(scene, kind="stable")
    return scene[by_scene], option[by_scene], rise[by_scene], run[by_scene]


def _number_in_scene(scene: Choice) -> npt.NDArray[np.intp]:
    """Number of every step within its scene, from 0; steps stand scene after scene."""
    first = np.flatnonzero(np.diff(scene, prepend=-1))
    return np.arange(len(scene)) - np.repeat(first, np.diff(np.append(first, len(scene))))
