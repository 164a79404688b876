"""The path of a scene: which pair each budget buys. The only form of this decision.

A budget reaches the pairs that cost no more, and the best AVQ among them, b(budget), rises in steps, the records of the
pairs in the order of their rates. Pairs within `TIE_MOS` of b are as good as the best, for all that the model can say.
The path goes through the records from the cheapest on and holds one pair:

    hold    the pair stays while it is within the tie of b: a budget is used unless nothing gains by it;
    move    when it no longer is, the cheapest pair within the tie takes its place, among those whose picture is no
            smaller than the one before and no larger than the record's ceiling.

The **ceiling** looks ahead: the largest size from which later records can go on within their ties without ever
becoming smaller. Without it a large picture that happens to tie at a low budget would have to be given up soon after.
Four laws follow, for budgets that rise:

1. AVQ never falls, and is never more than the tie below the best that fits. A move is made when the held AVQ is below
   b - tie, to a pair that is not below it.
2. The picture becomes smaller (`falls`) only where no choice of tied pairs, whatever it did at other budgets, could do
   without. If some sequence of tied sizes never falls, the ceilings are one: they are taken from the last record
   backwards, each as large as the next one allows. And between the held size and the ceiling there is then always a
   tied pair.
3. What is bought costs no more than the budget: only pairs reached by a record are looked at.
4. The path does not depend on the budgets that are asked for.

NumPy only; arrays in, choices out. Axes: P pairs of a scene, K records, H sizes (short sides) of picture, N moves.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["TIE_MOS", "Path", "find_path"]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

TIE_MOS = 0.02
"""Pairs whose AVQ is within this of the best are as good as it, and the cheapest is taken: a tenth of the interval of a
panel's mean, and far below the error of any model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The pairs that a scene takes as its budget rises."""

    from_kbps: Floats
    """Least budget of every pair on the path, rising, (N,), kbps; at least what the pair costs."""
    pair: Indices
    """The pairs in their order, (N,)."""
    falls: npt.NDArray[np.bool_]
    """Whether a smaller budget has a larger picture, (N,)."""

    def at(self, budget_kbps: float) -> int | None:
        """The place on the path that a budget reaches; None where it buys nothing."""
        place = int(np.searchsorted(self.from_kbps, budget_kbps, side="right")) - 1
        return None if place < 0 else place


def find_path(avq_mos: Floats, kbps: Floats, side_px: npt.NDArray[np.integer], *, up_to_kbps: float = math.inf) -> Path:
    """Walk through the budgets of a scene.

    Args:
        avq_mos: AVQ of every pair, (P,).
        kbps: what it costs, (P,).
        side_px: short side of its picture, (P,).
        up_to_kbps: largest budget that will be looked up; the walk ends there, and what it chose before is the same.
    """
    if not len(kbps):
        return Path(from_kbps=np.empty(0), pair=np.empty(0, dtype=np.intp), falls=np.empty(0, dtype=np.bool_))
    order = np.argsort(kbps, kind="stable")
    q, w, side = np.asarray(avq_mos, dtype=np.float64)[order], kbps[order], np.asarray(side_px)[order]
    record = _front(q, w)
    best, reach = q[record], w[record]
    # Per size and record: the cheapest pair of that size within the tie, as its place in the order, (H, K).
    sizes = np.unique(side)
    tied = np.stack([_cheapest_tied(q, w, np.flatnonzero(side == size), best, reach) for size in sizes])
    ceiling = _ceilings(tied >= 0)
    # The walk is one of single steps, which Python's lists take faster than arrays.
    end = int(np.searchsorted(reach, up_to_kbps, side="right"))
    walked = tied[:, :end]
    places, costs, values = (t.T.tolist() for t in (walked, np.where(walked >= 0, w[walked], np.inf), -q[walked]))
    bests = best.tolist()
    pair, since, falls = [], [], []
    level, largest, k = 0, 0, 0
    while k < end:
        cost, value = costs[k], values[k]
        from_level = level if any(c < math.inf for c in cost[level : ceiling[k] + 1]) else 0
        level = min(range(from_level, ceiling[k] + 1), key=lambda h: (cost[h], value[h]))
        largest = max(largest, level)
        pair.append(places[k][level])
        since.append(k)
        falls.append(level < largest)
        k = bisect.bisect_right(bests, TIE_MOS - value[level], lo=k)
    return Path(
        from_kbps=reach[np.array(since, dtype=np.intp)],
        pair=order[np.array(pair, dtype=np.intp)],
        falls=np.array(falls, dtype=np.bool_),
    )


def _front(q: Floats, w: Floats) -> Indices:
    """Where AVQ exceeds that of everything no dearer, among pairs by rising rate; of equal rates the best one."""
    highest = np.maximum.accumulate(q)
    places = np.flatnonzero(np.concatenate([[True], q[1:] > highest[:-1]]))
    kept: Indices = places[np.append(w[places[1:]] > w[places[:-1]], True)]
    return kept


def _cheapest_tied(q: Floats, w: Floats, own: Indices, best: Floats, reach: Floats) -> Indices:
    """The cheapest of some pairs within every record's tie and rate, (K,); -1 where there is none."""
    front = own[_front(q[own], w[own])]
    # Written as the move is: a pair that is held no longer is no longer tied, to the last bit.
    place = np.searchsorted(q[front] + TIE_MOS, best, side="left")
    found = front[np.minimum(place, len(front) - 1)]
    return np.where((place < len(front)) & (w[found] <= reach), found, -1)


def _ceilings(is_tied: npt.NDArray[np.bool_]) -> list[int]:
    """The largest size at every record from which no later record has to become smaller, (K,).

    Where there is none, sizes must fall: then it starts anew, with the largest that is tied.
    """
    num_sizes, num_records = is_tied.shape
    bits = [int.from_bytes(column, "little") for column in np.packbits(is_tied.T, axis=1, bitorder="little")]
    ceiling = [num_sizes - 1] * num_records
    level = num_sizes - 1
    for k in range(num_records - 1, -1, -1):
        below = bits[k] & ((1 << (level + 1)) - 1)
        level = (below or bits[k]).bit_length() - 1
        ceiling[k] = level
    return ceiling
