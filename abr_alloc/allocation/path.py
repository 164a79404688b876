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

NumPy only; arrays in, choices out. Axes: S scenes, P pairs of a scene, K records, H sizes (short sides) of picture, N
moves.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["TIE_MOS", "Path", "find_path", "find_paths"]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Pairs = tuple[npt.NDArray[np.floating], Floats, npt.NDArray[np.integer]]

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
        place = int(self.from_kbps.searchsorted(budget_kbps, side="right")) - 1
        return None if place < 0 else place


def find_path(avq_mos: Floats, kbps: Floats, side_px: npt.NDArray[np.integer], *, up_to_kbps: float = math.inf) -> Path:
    """Walk through the budgets of a scene.

    Args:
        avq_mos: AVQ of every pair, (P,).
        kbps: what it costs, (P,).
        side_px: short side of its picture, (P,).
        up_to_kbps: largest budget that will be looked up; the walk ends there, and what it chose before is the same.
    """
    return find_paths([(avq_mos, kbps, side_px)], up_to_kbps=up_to_kbps)[0]


def find_paths(scenes: Sequence[Pairs], *, up_to_kbps: float = math.inf) -> list[Path]:
    """`find_path` of every scene: what is done per pair and record is done for all of them at once.

    Args:
        scenes: of each scene AVQ, rate and short side of its pairs, (P,) each.
        up_to_kbps: largest budget that will be looked up.
    """
    empty = Path(from_kbps=np.empty(0), pair=np.empty(0, dtype=np.intp), falls=np.empty(0, dtype=np.bool_))
    found = [empty] * len(scenes)
    some = [s for s, (_, kbps, _) in enumerate(scenes) if len(kbps)]
    if some:
        for s, path in zip(some, _walk_all(_in_order([scenes[s] for s in some]), up_to_kbps), strict=True):
            found[s] = path
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ordered:
    """Pairs of S scenes by rising rate, padded at the end of each, (S, P) each."""

    pair: Indices
    """Place of the pair in its scene."""
    q: Floats
    """Its AVQ; -inf in the padding."""
    w: Floats
    """Its rate; inf in the padding."""
    side: npt.NDArray[np.int64]
    """Short side of its picture; -1 in the padding."""


def _in_order(scenes: Sequence[Pairs]) -> _Ordered:
    shape = len(scenes), max(len(kbps) for _, kbps, _ in scenes)
    q, w, side = np.full(shape, -np.inf), np.full(shape, np.inf), np.full(shape, -1, dtype=np.int64)
    for s, (avq, kbps, px) in enumerate(scenes):
        q[s, : len(avq)], w[s, : len(avq)], side[s, : len(avq)] = avq, kbps, px
    order = np.argsort(w, axis=1, kind="stable")
    at = order + shape[1] * np.arange(shape[0])[:, None]
    return _Ordered(pair=order, q=q.ravel()[at], w=w.ravel()[at], side=side.ravel()[at])


def _walk_all(pairs: _Ordered, up_to_kbps: float) -> list[Path]:
    """The paths of scenes, whose K records stand scene after scene."""
    q, w = pairs.q.ravel(), pairs.w.ravel()
    record, scene = _fronts(pairs.q, pairs.w)
    best, reach = q[record], w[record]
    starts = np.searchsorted(scene, np.arange(len(pairs.q) + 1))
    place, until = _cheapest_tied(pairs, best, starts)
    cost = np.where(place >= 0, w[place], np.inf)
    tied = cost <= reach
    tied &= place >= 0
    ceiling = _ceilings(tied, starts)  # which looks ahead, beyond any budget
    asked = np.flatnonzero(reach <= up_to_kbps)  # the first records of every scene
    choice = _choices(cost[:, asked], q[place[:, asked]], tied[:, asked], ceiling[asked])
    # A move is a size taken at a record, (H, asked records) flattened; after it comes the one from the first record
    # beyond its tie. The walk is one of single steps, which Python's lists take faster than arrays.
    number = np.bincount(scene[asked], minlength=len(pairs.q))
    first = np.cumsum(number) - number
    column = np.arange(len(asked))
    then = column + until[:, asked] - asked
    goes_on = (then > column) & (then < np.repeat(first + number, number))
    then = np.where(goes_on, then, 0)
    after = np.where(goes_on, np.take_along_axis(choice, then, axis=1) * len(asked) + then, -1).ravel().tolist()
    moves: list[int] = []
    stops = [0]
    for start, more in zip(first.tolist(), number.tolist(), strict=True):
        move = int(choice[0, start]) * len(asked) + start if more else -1
        while move >= 0:
            moves.append(move)
            move = after[move]
        stops.append(len(moves))
    level, taken = np.divmod(np.array(moves, dtype=np.intp), max(len(asked), 1))
    record_taken = asked[taken]
    from_kbps, pair = reach[record_taken], pairs.pair.ravel()[place[level, record_taken]]
    return [
        Path(
            from_kbps=from_kbps[first:stop],
            pair=pair[first:stop],
            falls=level[first:stop] < np.maximum.accumulate(level[first:stop]),
        )
        for first, stop in itertools.pairwise(stops)
    ]


def _fronts(q: Floats, w: Floats) -> tuple[Indices, Indices]:
    """Where AVQ exceeds that of everything no dearer, among pairs by rising rate, (S, P); of equal rates the best one.

    Returns:
        Places in the flattened arrays, scene after scene, and the scene of each.
    """
    highest = np.maximum.accumulate(q, axis=1)
    rises = q > -np.inf
    rises[:, 1:] &= q[:, 1:] > highest[:, :-1]
    places = np.flatnonzero(rises)
    scene, rate = places // q.shape[1], w.ravel()[places]
    kept = np.append((rate[1:] > rate[:-1]) | (scene[1:] != scene[:-1]), True)[: len(places)]
    return places[kept], scene[kept]


def _cheapest_tied(pairs: _Ordered, best: Floats, starts: Indices) -> tuple[Indices, Indices]:
    """Per size and record: the cheapest pair of that size within the tie, and how long it stays tied.

    Sizes are counted within each scene, from its smallest on: H is the most that a scene has.

    Args:
        pairs: of S scenes.
        best: AVQ of the records, (K,).
        starts: first record of every scene, and one past the last, (S + 1,).

    Returns:
        The pair as a place among the flattened ones, -1 where there is none, (H, K); and the first record that is
        beyond its tie, (H, K).
    """
    grid, level = _by_size(pairs)
    some = grid >= 0
    q, w = (
        np.where(some, values.ravel()[grid], missing) for values, missing in ((pairs.q, -np.inf), (pairs.w, np.inf))
    )
    front, row = _fronts(q, w)
    front = grid.ravel()[front]
    scene, own = grid[:, 0] // pairs.q.shape[1], np.searchsorted(row, np.arange(len(grid) + 1))
    # Written once, for being tied and for being held: a pair that is held no longer is no longer tied, to the last bit.
    reached = pairs.q.ravel()[front] + TIE_MOS
    spans = zip(own[:-1].tolist(), own[1:].tolist(), starts[scene].tolist(), starts[scene + 1].tolist(), strict=True)
    beyond = np.concatenate(
        [start + best[start:stop].searchsorted(reached[first:last], side="right") for first, last, start, stop in spans]
    )
    since = np.concatenate([[0], beyond[:-1]])
    since[own[:-1]] = starts[scene]
    number = beyond - since
    records = np.repeat(since - (np.cumsum(number) - number), number) + np.arange(number.sum())
    tied = np.repeat(np.arange(len(beyond)), number)
    shape = int(level.max()) + 1, len(best)
    place, until = np.full(shape, -1, dtype=np.intp), np.zeros(shape, dtype=np.intp)
    at = level[row[tied]], records
    place[at], until[at] = front[tied], beyond[tied]
    return place, until


def _by_size(pairs: _Ordered) -> tuple[Indices, Indices]:
    """The pairs of every size of every scene by rising rate, as places among the flattened ones, (rows, most), -1 in
    the padding; and which of its scene's sizes each row has, (rows,)."""
    largest = int(pairs.side.max())
    side = np.where(pairs.side < 0, largest + 1, pairs.side).astype(np.min_scalar_type(largest + 1))
    order = np.argsort(side, axis=1, kind="stable")
    rises = np.diff(np.take_along_axis(side, order, axis=1).astype(np.int64), axis=1, prepend=-1) > 0
    place = (order + side.shape[1] * np.arange(len(side))[:, None]).ravel()
    level, first = (np.cumsum(rises, axis=1) - 1).ravel(), np.flatnonzero(rises)
    length = np.diff(np.append(first, len(place)))
    real = pairs.side.ravel()[place[first]] >= 0
    first, length = first[real], length[real]
    column = np.arange(length.max())
    grid = place[np.minimum(first[:, None] + column, len(place) - 1)]
    return np.where(column < length[:, None], grid, -1), level[first]


def _choices(cost: Floats, avq: Floats, tied: npt.NDArray[np.bool_], ceiling: Indices) -> Indices:
    """The size that is moved to at every record by whoever holds each size, (H, K): the cheapest tied pair's, of equal
    ones the best, of those the smallest, among sizes from the held one to the ceiling, or to it from the smallest."""
    level = np.arange(len(cost))[:, None]
    allowed = tied & (level <= ceiling)
    found = np.empty(cost.shape, dtype=np.intp)
    for held in range(len(cost)):
        grown = allowed & (level >= held)
        open_to = np.where(grown.any(axis=0), grown, allowed)
        own = np.where(open_to, cost, np.inf)
        cheapest = open_to & (own == own.min(axis=0))
        found[held] = np.where(cheapest, -avq, np.inf).argmin(axis=0)
    return found


def _ceilings(is_tied: npt.NDArray[np.bool_], starts: Indices) -> Indices:
    """The largest size at every record from which no later record of its scene has to become smaller, (K,).

    Where there is none, sizes must fall: then it starts anew, with the largest that is tied. Records in a row at which
    the same sizes are tied have one ceiling.
    """
    num_sizes, num_records = is_tied.shape
    changes = np.concatenate([[True], (is_tied[:, 1:] != is_tied[:, :-1]).any(axis=0)])
    changes[starts[:-1]] = True
    first = np.flatnonzero(changes)
    bits = [int.from_bytes(column, "little") for column in np.packbits(is_tied.T[first], axis=1, bitorder="little")]
    ends_scene = np.isin(np.append(first[1:], num_records), starts).tolist()
    ceiling = [0] * len(bits)
    level = num_sizes - 1
    for run in range(len(bits) - 1, -1, -1):
        if ends_scene[run]:
            level = num_sizes - 1
        below = bits[run] & ((1 << (level + 1)) - 1)
        level = (below or bits[run]).bit_length() - 1
        ceiling[run] = level
    return np.repeat(ceiling, np.diff(np.append(first, num_records)))
