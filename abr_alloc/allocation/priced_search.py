"""The best ladder that a budget of money buys, and the cheapest that is good enough, exactly. Arrays in, path and proof
out.

1. Weights set AVQ against cost, so that a ladder is worth L = AVQ - price x cost. For one price the ladder of most
   worth is a dynamic programme (`priced_steps.py`). The price is raised and lowered until no ladder lies above the line
   from one that keeps the limit to one that does not: the relaxation. A ladder of cost <= budget has L <= the most, so

       AVQ <= most L + price x budget,        cost >= (least AVQ - most L) / price

2. Partial ladders are listed from the top rung downwards (`priced_labels.py`), each with the AVQ and the cost that it
   has come to. One is given up where what may still come (the potentials of every price that was tried) cannot bring
   it into a region: AVQ within delta of the bound for no more than the budget; or AVQ high enough, cost within delta of
   the bound. It is also given up where another one with the same lowest rung and as many rungs and audio renditions
   costs no more and is no worse.
3. Is there a ladder in the region, the best in it is the best of all. Else delta grows, at most to what 1 has found.
   Where there are too many partial ladders, those that are worth most give a better ladder to begin from.

Of ladders that are equally good the cheapest is taken, of those that cost the same the best. The time of 1 is
O(P K M E), for P prices (about ten), K rungs, M audio renditions and E steps; 2 lists as many partial ladders as there
are near the optimum, which nothing but their number bounds (in the worst case all of them, up to `MAX_LABELS`; then
the answer is the best known, with what is proven of it).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from abr_alloc.allocation.priced_labels import Bound, Region, TooManyLabels, list_ladders
from abr_alloc.allocation.priced_steps import Path, PricedSteps, Weights
from abr_alloc.allocation.solver import TOLERANCE

__all__ = ["MAX_LABELS", "BestLadder", "Limit", "search"]

FIT = 1e-10
"""Relative rounding that a cost may carry and still fit a budget."""

MAX_LABELS = 1_000_000
"""Partial ladders that are listed at most."""

_EASY_LABELS = 50_000
_MOST_PRICES = 100
_MORE_PRICES = (0.25, 0.5, 0.7, 0.85, 1.18, 1.4, 2.0, 4.0)
_FIRST, _FASTER = 4.0**-8, 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a ladder must keep: one of the two."""

    budget: float = math.inf
    """Most that it may cost, money."""
    least_avq_mos: float = -math.inf
    """Least expected AVQ, MOS."""

    @property
    def is_budget(self) -> bool:
        """Whether money is what is limited."""
        return self.budget < math.inf

    def keeps(self, one: Path) -> bool:
        """Whether a ladder keeps it."""
        return one.cost <= self.budget * (1.0 + FIT) and one.avq_mos >= self.least_avq_mos - TOLERANCE

    def region(self, best: float) -> Region:
        """All that keeps it and is as good as an AVQ, or as cheap as a cost."""
        if self.is_budget:
            return Region(avq_mos=best - TOLERANCE, cost=self.budget * (1.0 + FIT))
        return Region(avq_mos=self.least_avq_mos - TOLERANCE, cost=best * (1.0 + FIT))


@dataclass(frozen=True, slots=True, kw_only=True)
class BestLadder:
    """A ladder and the proof of how good it is."""

    found: Path
    """The ladder."""
    bound: float
    """No ladder within a budget has a higher AVQ, MOS; or none that is good enough costs less, money."""
    mos_per_money: float
    """What a little more money is worth, from the relaxation, MOS; inf where AVQ costs nothing more."""
    complete: bool
    """Whether the search ended by itself; False where the limit on partial ladders cut it short."""


def search(steps: PricedSteps, limit: Limit) -> BestLadder | Path | None:
    """The best ladder within a limit.

    Returns:
        Where no ladder keeps the limit the one that comes nearest: the cheapest, or the one with the highest AVQ. None
        where no ladder keeps the rules.
    """
    if not steps.may_end.any():
        return None
    bounds = [_bound_by(steps, Weights(avq=1.0, cost=0.0))]
    good = steps.best_path(bounds[0].weights, bounds[0].rest)
    bounds.append(_bound_by(steps, Weights(avq=0.0, cost=1.0)))
    cheap = steps.best_path(bounds[1].weights, bounds[1].rest)
    nearest = cheap if limit.is_budget else good
    if not limit.keeps(nearest):
        return nearest
    known, best, price = _relax(steps, limit, good, cheap, bounds)
    reached = known.avq_mos if limit.is_budget else known.cost
    gap = abs(best - reached)
    delta, proven, most_labels = gap * _FIRST, best, _EASY_LABELS
    while True:
        try:
            ladders = list_ladders(steps, bounds[::-1], limit.region(_towards(best, delta, limit)), most_labels)
        except TooManyLabels:
            if most_labels == MAX_LABELS:
                return BestLadder(found=known, bound=proven, mos_per_money=price, complete=False)
            # More prices give partial ladders up sooner, and so does a better ladder to beat.
            bounds[2:2] = [_bound_by(steps, Weights(avq=1.0, cost=price * factor)) for factor in _MORE_PRICES]
            ladders = list_ladders(steps, bounds[::-1], limit.region(reached), _EASY_LABELS, only_best=True)
            if ladders:
                known = _best_of(ladders, limit, price).found
                reached = known.avq_mos if limit.is_budget else known.cost
            gap = abs(best - reached)
            delta, most_labels = gap, MAX_LABELS
            continue
        if ladders:
            return _best_of(ladders, limit, price)
        if delta >= gap:  # what is known lies in the region but for rounding
            return BestLadder(found=known, bound=reached, mos_per_money=price, complete=True)
        proven, delta = _towards(best, delta, limit), min(delta * _FASTER, gap)


def _towards(best: float, delta: float, limit: Limit) -> float:
    """An AVQ, or a cost, by so much less good than the best that could be."""
    return best - delta if limit.is_budget else best + delta


def _bound_by(steps: PricedSteps, weights: Weights) -> Bound:
    return Bound(weights=weights, rest=steps.potentials(weights))


def _best_of(ladders: list[Path], limit: Limit, price: float) -> BestLadder:
    """The best of some, none of which beats another; of the best the cheapest, or of the cheapest the best."""
    if limit.is_budget:
        best = max(one.avq_mos for one in ladders)
        found = min((one for one in ladders if one.avq_mos >= best - TOLERANCE), key=lambda one: one.cost)
    else:
        best = min(one.cost for one in ladders)
        found = max((one for one in ladders if one.cost <= best * (1.0 + FIT)), key=lambda one: one.avq_mos)
    return BestLadder(found=found, bound=best, mos_per_money=price, complete=True)


def _relax(steps: PricedSteps, limit: Limit, good: Path, cheap: Path, bounds: list[Bound]) -> tuple[Path, float, float]:
    """A ladder that keeps the limit, what none does better than, and the price; every price tried adds a bound."""
    if limit.is_budget and (limit.keeps(good) or good.avq_mos <= cheap.avq_mos):
        return (good if limit.keeps(good) else cheap), good.avq_mos, 0.0
    if not limit.is_budget and (limit.keeps(cheap) or good.cost <= cheap.cost):
        return (cheap if limit.keeps(cheap) else good), cheap.cost, math.inf
    best, price = (good.avq_mos if limit.is_budget else cheap.cost), 0.0
    for _ in range(_MOST_PRICES):
        price = (good.avq_mos - cheap.avq_mos) / (good.cost - cheap.cost)
        bounds.append(_bound_by(steps, Weights(avq=1.0, cost=price)))
        point = steps.best_path(bounds[-1].weights, bounds[-1].rest)
        most = point.avq_mos - price * point.cost
        best = most + price * limit.budget if limit.is_budget else (limit.least_avq_mos - most) / price
        if (
            most <= good.avq_mos - price * good.cost + TOLERANCE
            or not cheap.cost < point.cost < good.cost
            or not cheap.avq_mos < point.avq_mos < good.avq_mos
        ):
            break
        if limit.keeps(point) == limit.is_budget:
            cheap = point
        else:
            good = point
    return (cheap if limit.is_budget else good), best, price
