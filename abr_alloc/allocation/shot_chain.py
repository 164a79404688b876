"""Choices whose AVQ moves by little from scene to scene: a multiple-choice knapsack over a chain, priced.

One option is chosen per scene; values and weights add up; the AVQ of neighbouring scenes may differ by a step at
most. For a price the best chain is found exactly, scene after scene (`StepChain.best`): with the options of every scene
sorted by AVQ, those that an option may follow are a window, and the best of each window comes from a table of maxima
over stretches of 1, 2, 4, ... options, so that a scene costs P log P. Many prices go through at once.

Chains that are best at some price are best at their own weight too (Everett), and lie on the concave envelope of all
chains. `find_chains` looks for those around given capacities: between two of them the price at which they tie either
gives a better one, or proves that there is none between. `shot_labels.py` searches in such gaps.

Arrays in, choices out. Axes: S scenes, P options by rising AVQ (-inf where there is none), K prices, C capacities.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.relaxation import Choice, Floats
from abr_alloc.allocation.solver import FIT

__all__ = ["BLOCK", "STEP_ROUNDING", "Bracket", "StepChain", "find_chains"]

Bools = npt.NDArray[np.bool_]

STEP_ROUNDING = 1e-9
"""How far a step may be over the largest, MOS: AVQ is added up in floating point."""

BLOCK = 1 << 22
"""Numbers that one pass may hold at a time."""


class StepChain:
    """The options of all scenes, and which may follow which."""

    def __init__(self, avq_mos: Floats, max_step_mos: float) -> None:
        """`avq_mos`: (S, P), -inf where there is no option."""
        self.order: Choice = np.argsort(avq_mos, axis=1, kind="stable")
        """Options by rising AVQ, (S, P)."""
        self.avq_mos: Floats = np.take_along_axis(avq_mos, self.order, axis=1)
        """Their AVQ, (S, P)."""
        self.max_step_mos = max_step_mos
        """Largest difference between neighbours, MOS."""
        step = max_step_mos + STEP_ROUNDING
        self.before = [_windows(a, b, step) for a, b in zip(self.avq_mos[1:], self.avq_mos[:-1], strict=True)]
        """First option of scene s that option j of scene s + 1 may follow, and one past the last, (P,) each."""
        self.after = [_windows(a, b, step) for a, b in zip(self.avq_mos[:-1], self.avq_mos[1:], strict=True)]
        """Likewise of scene s + 1 after scene s."""

    def sorted(self, table: Floats) -> Floats:
        """A table (S, P) with the options by rising AVQ."""
        return np.take_along_axis(table, self.order, axis=1)

    def best(self, scores: Floats) -> tuple[Choice, Floats]:
        """The chain of the highest sum for every one of K scores.

        Args:
            scores: of the options by rising AVQ, (S, P, K); -inf where one may not be taken.

        Returns:
            Options in that order, (K, S), and sums, (K,): -inf where there is no chain.
        """
        num_scenes, _, num = scores.shape
        best = self.prefixes(scores)
        choice = np.zeros((num, num_scenes), dtype=np.intp)
        choice[:, -1] = best[-1].argmax(axis=0)
        top = best[-1].max(axis=0)
        place = np.arange(scores.shape[1])[:, None]
        for s in range(num_scenes - 2, -1, -1):
            low, high = (ends[choice[:, s + 1]] for ends in self.before[s])
            inside = (place >= low) & (place < high)
            choice[:, s] = np.where(inside, best[s], -np.inf).argmax(axis=0)
        return choice, top

    def prefixes(self, scores: Floats) -> Floats:
        """What the scenes up to each option come to at best, itself counted, (S, P, K); arguments as of `best`."""
        best = np.empty_like(scores)
        best[0] = scores[0]
        for s, (low, high) in enumerate(self.before):
            best[s + 1] = scores[s + 1] + _window_max(best[s], low, high)
        return best

    def completions(self, scores: Floats) -> Floats:
        """What the scenes from each option on come to at best, itself counted, (S, P, K); arguments as of `best`."""
        best = np.empty_like(scores)
        best[-1] = scores[-1]
        for s in range(len(scores) - 2, -1, -1):
            best[s] = scores[s] + _window_max(best[s + 1], *self.after[s])
        return best

    def least_step_mos(self) -> float:
        """The smallest largest step that some chain keeps, MOS; inf where a scene has no option."""
        worst = np.where(np.isfinite(self.avq_mos[0]), 0.0, np.inf)
        for below, own in zip(self.avq_mos[:-1], self.avq_mos[1:], strict=True):
            with np.errstate(invalid="ignore"):
                step = np.abs(own[:, None] - below)
            step = np.where(np.isfinite(step), step, np.inf)
            worst = np.maximum(step, worst).min(axis=1)
        return float(worst.min())


def _windows(of: Floats, among: Floats, step: float) -> tuple[Choice, Choice]:
    """Which stretch of rising values lies within a step of each value; empty for -inf."""
    low, high = np.searchsorted(among, of - step, side="left"), np.searchsorted(among, of + step, side="right")
    none = ~np.isfinite(of)
    low[none] = high[none] = 0
    return low, high


def _window_max(values: Floats, low: Choice, high: Choice) -> Floats:
    """The largest of values[low:high] for every window, (P, K); -inf where it is empty."""
    length = high - low
    level = np.where(length > 0, np.frexp(np.maximum(length, 1).astype(np.float64))[1] - 1, 0)
    levels = [values]
    for k in range(int(level.max(initial=0))):
        last, width = levels[-1], 1 << k
        wider = last.copy()
        np.maximum(last[:-width], last[width:], out=wider[:-width])
        levels.append(wider)
    table = np.stack(levels)  # (levels, P, K)
    low = np.minimum(low, len(values) - 1)
    found = np.maximum(table[level, low], table[level, np.maximum(high - (1 << level), low)])
    found[length <= 0] = -np.inf
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """The two chains on the envelope between which a capacity lies."""

    within: Choice
    """The lower one, its options by rising AVQ, (S,)."""
    weight: float
    """Its weight."""
    value: float
    """Its value."""
    price: float
    """Value per unit of weight between the two; 0 where the capacity does not bind."""
    lines: tuple[Floats, Floats]
    """Prices that were looked at, and the best score at each, (K,)."""

    def bound(self, weight: float) -> float:
        """No chain that weighs no more is worth more."""
        prices, scores = self.lines
        return float((scores + prices * weight).min())


@dataclass(slots=True)
class _Hull:
    """Chains that were found in one set of allowed options: weights, values, options."""

    weight: list[float]
    value: list[float]
    choice: list[Choice]
    closed: set[tuple[int, int]]
    """Neighbours that were looked between: no chain lies above their chord."""
    vertices: list[int]
    """Those on the upper hull, by weight."""
    lines: list[tuple[float, float]]
    """Price and score of every look."""

    def edge(self, capacity: float) -> tuple[int, int] | None:
        """The vertices of the upper hull around a capacity, the same twice beyond the last; None before the first."""
        place = bisect.bisect_right(self.vertices, capacity, key=lambda i: self.weight[i]) - 1
        if place < 0:
            return None
        return self.vertices[place], self.vertices[min(place + 1, len(self.vertices) - 1)]

    def price(self, edge: tuple[int, int]) -> float:
        a, b = edge
        return 0.0 if a == b else (self.value[b] - self.value[a]) / (self.weight[b] - self.weight[a])

    def add(self, weight: float, value: float, choice: Choice) -> None:
        self.weight.append(weight)
        self.value.append(value)
        self.choice.append(choice)

    def straighten(self) -> None:
        """Bring the vertices up to date."""
        hull: list[int] = []
        for i in sorted(range(len(self.weight)), key=lambda i: (self.weight[i], -self.value[i])):
            if hull and self.value[i] <= self.value[hull[-1]]:
                continue
            while len(hull) > 1 and self.price((hull[-2], hull[-1])) <= self.price((hull[-1], i)):
                hull.pop()
            hull.append(i)
        self.vertices = hull


def find_chains(
    chain: StepChain,
    values: Floats,
    weights: Floats,
    capacities: Floats,
    *,
    allowed: Bools | None = None,
    unused: float = 0.0,
) -> list[Bracket | None]:
    """The chains on the envelope around every capacity.

    Args:
        chain: options and steps.
        values, weights: of the options by rising AVQ, (S, P).
        capacities: in units of weight, (C,).
        allowed: which options each capacity may use, (C, S, P); all where absent.
        unused: share of a capacity that may stay unused: a chain on the envelope that leaves no more is enough.

    Returns:
        None where no chain is within the capacity.
    """
    one = allowed is None
    masks = np.isfinite(weights)[None] if allowed is None else allowed & np.isfinite(weights)
    groups = np.zeros(len(capacities), dtype=np.intp) if one else np.arange(len(capacities))
    used = np.unique(groups)
    hulls = {int(g): _Hull([], [], [], set(), [], []) for g in used}
    capacities = capacities * (1.0 + FIT)

    def look(asked: list[tuple[int, float, float]]) -> None:
        """Best chains of (group, factor of values, price): kept in the hulls."""
        size = max(1, BLOCK // values.size)
        for first in range(0, len(asked), size):
            block = asked[first : first + size]
            mask = masks[[g for g, _, _ in block]].transpose(1, 2, 0)
            factor, price = np.array([f for _, f, _ in block]), np.array([p for _, _, p in block])
            finite = np.isfinite(weights)
            score = (
                np.where(finite, values, 0.0)[..., None] * factor - np.where(finite, weights, 0.0)[..., None] * price
            )
            choice, top = chain.best(np.where(mask, score, -np.inf))
            for (g, f, p), own, score_at in zip(block, choice, top.tolist(), strict=True):
                if f > 0.0:
                    hulls[g].lines.append((p, score_at))
                if score_at > -math.inf:
                    rows = np.arange(len(own))
                    hulls[g].add(math.fsum(weights[rows, own].tolist()), math.fsum(values[rows, own].tolist()), own)
        for g in {g for g, _, _ in asked}:
            hulls[g].straighten()

    look([(int(g), 0.0, 1.0) for g in used])  # the lightest
    look([(int(g), 1.0, 0.0) for g in used if hulls[int(g)].weight])  # the most valuable
    while True:
        todo: dict[tuple[int, tuple[int, int]], None] = {}
        for g, capacity in zip(groups.tolist(), capacities.tolist(), strict=True):
            edge = hulls[g].edge(capacity)
            if edge is None or edge[0] == edge[1] or edge in hulls[g].closed:
                continue
            # The first chain was looked for by its weight alone, and may not be on the envelope.
            if edge[0] > 0 and hulls[g].weight[edge[0]] >= capacity * (1.0 - unused):
                continue
            todo[g, edge] = None
        if not todo:
            break
        look([(g, 1.0, hulls[g].price(edge)) for g, edge in todo])
        # What was found above a chord has put an end to that edge; nothing was, or it is rounding.
        for g, edge in todo:
            hulls[g].closed.add(edge)
    return [_bracket(hulls[g], capacity) for g, capacity in zip(groups.tolist(), capacities.tolist(), strict=True)]


def _bracket(hull: _Hull, capacity: float) -> Bracket | None:
    edge = hull.edge(capacity)
    if edge is None:
        return None
    prices, scores = np.array(hull.lines).T
    return Bracket(
        within=hull.choice[edge[0]],
        weight=hull.weight[edge[0]],
        value=hull.value[edge[0]],
        price=hull.price(edge),
        lines=(prices, scores),
    )
