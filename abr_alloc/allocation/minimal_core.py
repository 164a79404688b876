"""The search of a knapsack's core: the scenes that keep more than one pair once `solver.py` has left out the hopeless.

Every pair is a move away from a base choice: how much weight it adds or saves, and what it loses at the price of the
relaxation. The core's scenes are decided one after the other, those with the smallest loss per unit of weight first.
A state is what has been decided so far: weight moved, and value lost. Two rules keep the states few:

- dominance: of two states, the one that is no lighter and worth no more is dropped;
- bounds: a state is dropped when it cannot fall short by less than the best choice known, even if the scenes still
  open were divisible (their linear relaxation: the convex hulls of their moves, merged by slope).

Axes: N states, M moves of one scene.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.relaxation import Choice, Floats

__all__ = ["CoreScene", "CoreSearch", "group_moves"]

_MAX_STATES = 1 << 18
_TIE_BREAK = 1e-6
_BLOCK = 1 << 20
"""Sums formed at a time: bounds the memory of an expansion."""


@dataclass(frozen=True, slots=True)
class CoreScene:
    """A scene with a choice left; option 0 is to stay."""

    scene: int
    """Index of the scene."""
    items: Choice
    """Pair of every move, (M,)."""
    moves: Floats
    """Weight beyond that of the base's pair, (M,)."""
    losses: Floats
    """Value lost at the price, (M,)."""


def group_moves(scene: Choice, item: Choice, move: Floats, loss: Floats) -> list[CoreScene]:
    """Core scenes from moves sorted by scene; those with the smallest loss per unit of weight first."""
    starts = np.flatnonzero(np.diff(scene, prepend=-1))
    ends = np.append(starts, len(scene))[1:]
    core = [CoreScene(int(scene[a]), item[a:b], move[a:b], loss[a:b]) for a, b in zip(starts, ends, strict=True)]
    return sorted(core, key=lambda c: float((c.losses / np.abs(c.moves)).min()))


class CoreSearch:
    """A search for the choice with the least shortfall; `run` it once."""

    def __init__(
        self, core: list[CoreScene], *, slack: float, price: float, goal: float, tolerance: float, deadline: float
    ) -> None:
        self.goal = goal
        """Shortfall to beat; in the end that of `winner`."""
        self.winner: list[tuple[int, int]] | None = None
        """(scene, pair) wherever the best choice leaves the base; None where nothing beats the goal."""
        self.least = math.inf
        """Least shortfall that anything left out could have."""
        self.complete = True
        """Whether nothing but hopeless states was left out."""
        self._core, self._slack, self._price, self._deadline = core, slack, price, deadline
        # Dominance loses at most this much per scene, together half the tolerance; it makes rounding harmless.
        self._eps = 0.5 * tolerance / max(len(core), 1)
        self._tolerance = 0.5 * tolerance
        self._up = _MergedHulls(core, +1.0)
        self._down = _MergedHulls(core, -1.0)
        # Per scene decided: the scene, its pairs (the base's is -1), and parent state and option of every state.
        self._layers: list[tuple[int, Choice, Choice, Choice]] = []

    def run(self) -> None:
        """Decide scene after scene until no state is left."""
        moved, lost = np.zeros(1), np.zeros(1)
        self._record(moved, lost, None)
        for k, scene in enumerate(self._core):
            # The goal has fallen since the core was made: few of the later scenes still matter.
            hopeful = scene.losses < self.goal - self._tolerance
            self._leave_out(scene.losses[~hopeful])
            if hopeful.any():
                moved, lost = self._decide(k, hopeful, moved, lost)
            if not len(moved):
                break
        self.least -= self._eps * len(self._layers)

    def _decide(self, k: int, usable: npt.NDArray[np.bool_], moved: Floats, lost: Floats) -> tuple[Floats, Floats]:
        """Extend every state by every usable move of scene k; keep those that may still win, sorted by weight."""
        scene = self._core[k]
        items = np.append(-1, scene.items[usable])
        options = np.append(0.0, scene.moves[usable]), np.append(0.0, scene.losses[usable])
        bound_of = self._bound_from(k + 1)
        rows = max(1, _BLOCK // len(items))
        kept: list[tuple[Floats, Floats, Floats, Choice]] = []
        for first in range(0, len(moved), rows):
            if time.monotonic() > self._deadline:
                self._leave_out(self._bound_from(k)(moved, lost))
                self.complete = False
                return np.zeros(0), np.zeros(0)
            block = slice(first, first + rows)
            new_moved = np.add.outer(moved[block], options[0]).ravel()
            new_lost = np.add.outer(lost[block], options[1]).ravel()
            self._record(new_moved, new_lost, (scene.scene, items, first))
            bound = bound_of(new_moved, new_lost)
            hopeful = bound < self.goal - self._tolerance
            self._leave_out(bound[~hopeful])
            index = np.flatnonzero(hopeful)
            kept.append((new_moved[index], new_lost[index], bound[index], index + first * len(items)))
        new_moved, new_lost, bound, origin = (np.concatenate(parts) for parts in zip(*kept, strict=True))
        order = np.argsort(new_moved, kind="stable")
        worth = self._price * new_moved[order] - new_lost[order]
        # Worth is compared in steps of eps: what is dropped has a lighter state within eps of it, itself kept.
        step = np.floor(worth / self._eps)
        order = order[step > np.maximum.accumulate(np.append(-np.inf, step[:-1]))]
        if len(order) > _MAX_STATES:
            # Where bounds tell nothing, those that fill the capacity.
            left = np.abs(self._slack - new_moved[order])
            by_bound = np.argpartition(bound[order] + _TIE_BREAK * self._price * left, _MAX_STATES)
            self._leave_out(bound[order[by_bound[_MAX_STATES:]]])
            self.complete = False
            order = order[np.sort(by_bound[:_MAX_STATES])]
        self._layers.append((scene.scene, items, origin[order] // len(items), origin[order] % len(items)))
        return new_moved[order], new_lost[order]

    def _record(self, moved: Floats, lost: Floats, place: tuple[int, Choice, int] | None) -> None:
        """Take the best of these states, all else staying at the base, if it beats the goal."""
        left = self._slack - moved
        shortfall = np.where(left >= 0.0, lost + self._price * left, np.inf)
        best = int(shortfall.argmin())
        if shortfall[best] >= self.goal:
            return
        self.goal, self.winner = float(shortfall[best]), []
        if place is None:
            return
        scene, items, first = place
        parent, option = first + best // len(items), best % len(items)
        for layer in [*reversed(self._layers), None]:
            if option:
                self.winner.append((scene, int(items[option])))
            if layer is not None:
                scene, items, parents, chosen = layer
                parent, option = int(parents[parent]), int(chosen[parent])

    def _leave_out(self, bound: Floats) -> None:
        self.least = min(self.least, float(bound.min(initial=math.inf)))

    def _bound_from(self, k: int) -> Callable[[Floats, Floats], Floats]:
        """Least shortfall of states from which the scenes k, k + 1, ... are still open."""
        fill, save = self._up.least_loss(k, self._price), self._down.least_loss(k, math.inf)

        def bound(moved: Floats, lost: Floats) -> Floats:
            left = self._slack - moved
            result: Floats = lost + np.where(left >= 0.0, fill(left), save(-left))
            return result

        return bound


class _MergedHulls:
    """The lower convex hulls of the moves of one sign (loss over weight), cut into segments and sorted by slope."""

    def __init__(self, core: list[CoreScene], sign: float) -> None:
        found: list[tuple[float, float, int]] = []  # slope, width, scene
        for k, scene in enumerate(core):
            hull = [(0.0, 0.0)]
            for point in sorted((sign * m, loss) for m, loss in zip(scene.moves, scene.losses, strict=True)):
                if point[0] <= 0.0:
                    continue
                while len(hull) > 1 and _slope(hull[-2], hull[-1]) >= _slope(hull[-2], point):
                    hull.pop()
                if point[0] > hull[-1][0]:
                    hull.append(point)
            found += [(_slope(a, b), b[0] - a[0], k) for a, b in itertools.pairwise(hull)]
        found.sort()
        self._slope: Floats = np.array([f[0] for f in found])
        self._width: Floats = np.array([f[1] for f in found])
        self._scene: npt.NDArray[np.int64] = np.array([f[2] for f in found], dtype=np.int64)

    def least_loss(self, k: int, otherwise: float) -> Callable[[Floats], Floats]:
        """Loss of moving by a weight >= 0 with scenes k, k + 1, ...; a unit may be left for `otherwise`."""
        usable = (self._scene >= k) & (self._slope < otherwise)
        width = np.append(0.0, np.cumsum(self._width[usable]))
        loss = np.append(0.0, np.cumsum(self._width[usable] * self._slope[usable]))

        def least(weight: Floats) -> Floats:
            beyond = weight - width[-1]
            if math.isinf(otherwise):  # the rounding of sums must not make a reachable weight unreachable
                rest = np.where(beyond > 1e-9 * (1.0 + width[-1]), math.inf, 0.0)
            else:
                rest = otherwise * np.maximum(beyond, 0.0)
            result: Floats = np.interp(weight, width, loss) + rest
            return result

        return least


def _slope(a: tuple[float, float], b: tuple[float, float]) -> float:
    return (b[1] - a[1]) / (b[0] - a[0]) if b[0] > a[0] else math.inf
