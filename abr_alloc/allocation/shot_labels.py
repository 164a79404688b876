"""The best chain within a capacity, where that lies between two chains of the envelope (`shot_chain.py`).

Scenes are decided one after the other. A label is a chain so far: its last option, weight and value. Two rules keep the
labels few:

- dominance: of two labels with one last option, the one that is no lighter and worth no more is dropped;
- bounds: at any price, what the scenes still open come to at best from each option on is known; a label is dropped when
  even so, with the capacity left over paid for at that price, it would not beat the best chain known.

Axes: S scenes, P options by rising AVQ, K prices, N labels.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from abr_alloc.allocation.relaxation import Choice, Floats
from abr_alloc.allocation.shot_chain import Bools, Bracket, StepChain
from abr_alloc.allocation.solver import FIT, TOLERANCE

__all__ = ["ChainSolution", "search_chain"]

MAX_LABELS = 1 << 12
"""Labels of one scene; beyond that the least promising are dropped, and the bound says so."""

_FEW_LABELS = (64, 512)

_PRICES = (0.5, 0.8, 1.0, 1.25, 2.0)
"""Prices whose bounds are looked at, as multiples of the bracket's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSolution:
    """A chain and the proof of how good it is."""

    choice: Choice
    """Options by rising AVQ, (S,)."""
    value: float
    """Sum of its values."""
    bound: float
    """No chain within the capacity is worth more."""
    complete: bool
    """Whether nothing but hopeless labels was dropped."""


def search_chain(
    chain: StepChain,
    values: Floats,
    weights: Floats,
    capacity: float,
    bracket: Bracket,
    *,
    allowed: Bools | None = None,
    max_labels: int = MAX_LABELS,
) -> ChainSolution:
    """The best chain within a capacity.

    Args:
        chain: options and steps.
        values, weights: of the options by rising AVQ, (S, P).
        capacity: in units of weight.
        bracket: around that capacity.
        allowed: which options may be used, (S, P); all where absent.
        max_labels: most labels of one scene.
    """
    capacity *= 1.0 + FIT
    usable = np.isfinite(weights) if allowed is None else allowed & np.isfinite(weights)
    v, w = np.where(usable, values, -np.inf), np.where(usable, weights, np.inf)
    choice = _fill(chain, v, w, capacity, bracket.within)
    highest = bracket.bound(capacity)
    found = ChainSolution(choice=choice, value=_sum(values, choice), bound=highest, complete=True)
    search = _LabelSearch(chain, v, w, capacity, bracket.price * np.array(_PRICES))
    # A search with few labels finds what lets the next one drop most of its own.
    for limit in sorted({min(few, max_labels) for few in _FEW_LABELS} | {max_labels}):
        if found.bound <= found.value + TOLERANCE:
            break
        again = search.run(found.choice, found.value, limit)
        found = dataclasses.replace(again, bound=max(min(again.bound, found.bound), again.value))
        if found.complete:
            break
    return dataclasses.replace(found, bound=max(found.bound, found.value))


class _LabelSearch:
    """A search of one problem; may be run again with a better chain known."""

    def __init__(self, chain: StepChain, values: Floats, weights: Floats, capacity: float, prices: Floats) -> None:
        """`values`, `weights`: (S, P), -inf and inf where an option may not be used; `prices`: (K,)."""
        self._chain, self._values, self._weights = chain, values, weights
        self._capacity, self._prices = capacity, prices
        usable = np.isfinite(weights)
        # Values at every price; last, what is to be light alone.
        factor, price = np.append(np.ones(len(prices)), 0.0), np.append(prices, 1.0)
        scores = np.where(usable, values, 0.0)[..., None] * factor - np.where(usable, weights, 0.0)[..., None] * price
        # What the scenes after each option come to at best, and a whole chain through it, (S, P, K + 1).
        masked = np.where(usable[..., None], scores, -np.inf)
        self._after: Floats = chain.completions(masked) - scores
        through = chain.prefixes(masked) + self._after
        self._most: Floats = (through[..., :-1] + prices * capacity).min(axis=2)
        self._usable: Bools = usable & (-through[..., -1] <= capacity)

    def run(self, choice: Choice, value: float, max_labels: int) -> ChainSolution:
        """Look for what is worth more than a known choice."""
        hopeful = self._usable & (self._most > value + TOLERANCE)
        left_out = float(self._most[self._usable & ~hopeful].max(initial=-math.inf))
        complete = True
        layers: list[tuple[Choice, Choice]] = []  # per scene: parent label and option of every label
        weight, worth = np.zeros(1), np.zeros(1)
        for s in range(len(hopeful)):
            if s == 0:
                option = np.flatnonzero(hopeful[0])
                parent = np.zeros(len(option), dtype=np.intp)
            else:
                parent, option = _follow(self._chain.after[s - 1], layers[-1][1], hopeful[s])
            weight, worth = weight[parent] + self._weights[s, option], worth[parent] + self._values[s, option]
            after, left = self._after[s, option], self._capacity - weight
            bound = (worth[:, None] + self._prices * left[:, None] + after[:, :-1]).min(axis=1)
            fits = -after[:, -1] <= left
            good = fits & (bound > value + TOLERANCE)
            left_out = max(left_out, float(bound[fits & ~good].max(initial=-math.inf)))
            kept = np.flatnonzero(good)
            kept = kept[_undominated(option[kept], weight[kept], worth[kept])]
            if len(kept) > max_labels:
                best = np.argpartition(-bound[kept], max_labels)
                left_out = max(left_out, float(bound[kept[best[max_labels:]]].max()))
                kept, complete = kept[best[:max_labels]], False
            weight, worth = weight[kept], worth[kept]
            layers.append((parent[kept], option[kept]))
            if not len(kept):
                break
        else:
            choice, label = np.zeros(len(layers), dtype=np.intp), int(worth.argmax())
            for s in range(len(layers) - 1, -1, -1):
                choice[s], label = layers[s][1][label], layers[s][0][label]
            value = _sum(self._values, choice)
        return ChainSolution(choice=choice, value=value, bound=max(left_out, value), complete=complete)


def _sum(table: Floats, choice: Choice) -> float:
    return math.fsum(table[np.arange(len(choice)), choice].tolist())


def _follow(windows: tuple[Choice, Choice], option: Choice, usable: Bools) -> tuple[Choice, Choice]:
    """Every label with every option that may follow its own: numbers of the labels, and options."""
    places = np.flatnonzero(usable)
    low, high = np.searchsorted(places, windows[0][option]), np.searchsorted(places, windows[1][option])
    number = np.maximum(high - low, 0)
    parent = np.repeat(np.arange(len(option)), number)
    first = np.repeat(low - np.append(0, np.cumsum(number)[:-1]), number)
    return parent, places[first + np.arange(len(parent))]


def _undominated(option: Choice, weight: Floats, worth: Floats) -> Choice:
    """Labels to which no other of the same option is equal or better at no more weight."""
    if not len(option):
        return np.zeros(0, dtype=np.intp)
    order = np.lexsort((-worth, weight, option))
    # Every option's labels stand above those of the option before, so that one running maximum serves all.
    lifted = worth[order] + option[order] * (2.0 * float(np.ptp(worth)) + 1.0)
    return order[lifted > np.maximum.accumulate(np.append(-np.inf, lifted[:-1]))]


def _fill(chain: StepChain, values: Floats, weights: Floats, capacity: float, start: Choice) -> Choice:
    """A chain made better one scene at a time, as long as something fits: a first answer."""
    choice = start.copy()
    rows, place = np.arange(len(choice)), np.arange(values.shape[1])
    while True:
        left = capacity - _sum(weights, choice)
        gain = values - values[rows, choice][:, None]
        allowed = (gain > TOLERANCE) & (weights - weights[rows, choice][:, None] <= left)
        for s, windows in enumerate(chain.before):
            allowed[s] &= _inside(windows, choice[s + 1], place)
            allowed[s + 1] &= _inside(chain.after[s], choice[s], place)
        gain = np.where(allowed, gain, -np.inf)
        best = int(gain.argmax())
        if not gain.flat[best] > 0.0:
            return choice
        choice[best // values.shape[1]] = best % values.shape[1]


def _inside(windows: tuple[Choice, Choice], option: int, place: Choice) -> Bools:
    return np.asarray((place >= windows[0][option]) & (place < windows[1][option]))
