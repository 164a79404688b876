"""Partial ladders, listed from the top rung downwards: step 2 of `priced_search.py`.

A partial ladder is a label: its lowest rung so far, the audio renditions that may still come, and the expected AVQ and
the cost that its steps have come to. Axes: L labels with as many rungs; n, E, R, A as in `priced_steps.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.priced_steps import Path, PricedSteps, Steps, Weights

__all__ = ["Bound", "Region", "TooManyLabels", "list_ladders"]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]

_CHUNK = 1_000_000


class TooManyLabels(Exception):
    """More partial ladders than may be listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What ladders are worth at most by some weights: any ladder of a region is worth what its corner is worth."""

    weights: Weights
    """Of AVQ and cost."""
    rest: Floats
    """What is worth most from a candidate downwards, (R, A, n)."""

    def rest_of(self, left: Indices | int, candidates: Indices, r: int) -> Floats:
        """The same where so many audio renditions and rungs may still come."""
        found: Floats = self.rest[min(r, len(self.rest) - 1), left, candidates]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Ladders with an AVQ of at least this, and a cost of at most that."""

    avq_mos: float
    """Least expected AVQ, MOS."""
    cost: float
    """Most money."""

    def holds(self, avq_mos: Floats, cost: Floats) -> Bools:
        """Whether ladders lie in it."""
        return np.asarray((avq_mos >= self.avq_mos) & (cost <= self.cost))

    def least(self, weights: Weights) -> float:
        """What every ladder in it is worth at least, less rounding."""
        corner = weights.avq * self.avq_mos - weights.cost * self.cost
        return corner - _ROUNDING * (weights.avq * abs(self.avq_mos) + weights.cost * self.cost)


_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class _Labels:
    """Partial ladders with as many rungs, (L,) each."""

    lowest: Indices
    """Lowest rung so far."""
    left: Indices
    """Audio renditions that may still come."""
    avq_mos: Floats
    """What the steps add to AVQ, MOS."""
    cost: Floats
    """What they add to the cost, money."""
    above: Indices
    """Which partial ladder it continues."""

    def at(self, kept: Indices | Bools) -> _Labels:
        return _Labels(self.lowest[kept], self.left[kept], self.avq_mos[kept], self.cost[kept], self.above[kept])

    @classmethod
    def join(cls, parts: list[_Labels]) -> _Labels:
        names = ("lowest", "left", "avq_mos", "cost", "above")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def list_ladders(
    steps: PricedSteps, bounds: list[Bound], region: Region, most_labels: int, *, only_best: bool = False
) -> list[Path]:
    """The ladders of a region that no other one of it beats in both AVQ and cost, by rising cost.

    Args:
        steps: all ladders.
        bounds: what partial ladders are given up by; the more, the fewer are listed.
        region: where to look.
        most_labels: partial ladders that are listed at most.
        only_best: of more than that, with as many rungs, to go on with those that are worth most: some of the ladders.

    Raises:
        TooManyLabels: there are more partial ladders than may be listed.
    """
    tops = np.flatnonzero(steps.may_end)
    none = np.zeros(len(tops), dtype=np.intp)
    labels = _Labels(tops, none + steps.max_audio - 1, np.zeros(len(tops)), np.zeros(len(tops)), none)
    labels = _open(labels, steps.max_rungs - 1, bounds, region)
    layers: list[_Labels] = []
    number = 0
    for r in range(steps.max_rungs - 1, -1, -1):
        labels = _undominated(labels)
        if only_best and len(labels.lowest) > most_labels:
            worth = bounds[0].weights.of(labels.avq_mos, labels.cost) + bounds[0].rest_of(labels.left, labels.lowest, r)
            labels = labels.at(np.argpartition(-worth, most_labels)[:most_labels])
        layers.append(labels)
        if r == 0 or not len(labels.lowest):
            break
        parts = [labels.at(np.zeros(0, dtype=np.intp))]
        for part in _continued(steps, bounds[0], labels, r - 1, region):
            parts.append(_open(part, r - 1, bounds, region))
            number += len(parts[-1].lowest)
            if number > most_labels and not only_best:
                raise TooManyLabels
        labels = _Labels.join(parts)
    return _ended(steps, layers, region)


def _open(labels: _Labels, r: int, bounds: list[Bound], region: Region) -> _Labels:
    """The partial ladders that may become one of the region, with r rungs more at most."""
    for bound in bounds:
        worth = bound.weights.of(labels.avq_mos, labels.cost) + bound.rest_of(labels.left, labels.lowest, r)
        labels = labels.at(worth >= region.least(bound.weights))
    return labels


def _continued(steps: PricedSteps, bound: Bound, labels: _Labels, r: int, region: Region) -> Iterator[_Labels]:
    """One rung more, in every way that may be worth it, some partial ladders at a time; r may come after it."""
    for kind, change in ((steps.same_audio, 0), (steps.other_audio, 1)):
        for left in range(change, steps.max_audio):
            own = np.flatnonzero(labels.left == left)
            if not len(own):
                continue
            taken = kind
            if np.diff(kind.leaving)[labels.lowest[own]].sum() > len(kind.to):  # else looking at all takes longer
                taken = kind.only(_open_steps(kind, bound, labels.at(own), left - change, r, region))
            ends = np.cumsum(np.diff(taken.leaving)[labels.lowest[own]])
            cuts = np.searchsorted(ends, np.arange(_CHUNK, ends[-1], _CHUNK), side="right")
            for chunk in np.split(own, cuts):
                place, step = taken.from_all(labels.lowest[chunk])
                above = chunk[place]
                yield _Labels(
                    taken.to[step],
                    labels.left[above] - change,
                    labels.avq_mos[above] + taken.avq_mos[step],
                    labels.cost[above] + taken.cost[step],
                    above,
                )


def _open_steps(kind: Steps, bound: Bound, labels: _Labels, left: int, r: int, region: Region) -> Bools:
    """Which steps some of the partial ladders may take, (E,); `left` and `r` are what may come after them."""
    worth = np.full(len(kind.leaving) - 1, -np.inf)
    np.maximum.at(worth, labels.lowest, bound.weights.of(labels.avq_mos, labels.cost))
    rest = bound.rest_of(left, kind.to, r)
    step = bound.weights.of(kind.avq_mos, kind.cost)
    return np.asarray(worth[kind.above] + step + rest >= region.least(bound.weights))


def _undominated(labels: _Labels) -> _Labels:
    """Of partial ladders with one lowest rung and as much audio left, those that none is as good as for as little."""
    state = labels.lowest * (labels.left.max(initial=0) + 1) + labels.left
    order = np.lexsort((-labels.avq_mos, labels.cost, state))
    # Ranks of AVQ, raised by the state, so that the highest so far begins anew with every state.
    _, rank = np.unique(labels.avq_mos, return_inverse=True)
    key = (state * (len(rank) + 1) + rank + 1)[order]
    highest = np.maximum.accumulate(np.append(0, key[:-1]))
    return labels.at(order[key > highest])


def _ended(steps: PricedSteps, layers: list[_Labels], region: Region) -> list[Path]:
    """Whole ladders: every partial one may end where it is."""
    avq_mos = [one.avq_mos + steps.avq_mos[one.lowest] for one in layers]
    cost = [one.cost + steps.cost[one.lowest] for one in layers]
    done = [np.flatnonzero(region.holds(q, c)) for q, c in zip(avq_mos, cost, strict=True)]
    layer = np.repeat(np.arange(len(layers)), [len(rows) for rows in done])
    row = np.concatenate(done)
    all_avq = np.concatenate([q[rows] for q, rows in zip(avq_mos, done, strict=True)])
    all_cost = np.concatenate([c[rows] for c, rows in zip(cost, done, strict=True)])
    order = np.lexsort((layer, -all_avq, all_cost))
    highest = np.maximum.accumulate(np.append(-np.inf, all_avq[order][:-1]))
    found = []
    for one in order[all_avq[order] > highest].tolist():
        path, j = [], int(row[one])
        for k in range(int(layer[one]), -1, -1):
            path.append(int(layers[k].lowest[j]))
            j = int(layers[k].above[j])
        found.append(Path(path=path, avq_mos=float(all_avq[one]), cost=float(all_cost[one])))
    return found
