"""Which rungs may come right above which, listed once: what a programme over rungs goes through for every rung more.

Only a few of all n x n pairs of candidates keep the rules, so they are kept as lists of places, and the best way to a
candidate is a maximum over its own stretch of the list.

Axes: n candidates by total rate; T transitions, by the upper candidate and then by the lower; M audio renditions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.ladder_rules import LadderRules, RungArrays, is_played, may_follow, rates_below

__all__ = ["Transitions", "list_transitions"]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

_BLOCK = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Transitions:
    """Pairs of candidates that may be successive rungs."""

    below: Indices
    """The lower candidate, (T,)."""
    above: Indices
    """The upper one, (T,)."""
    starts: Indices
    """Where the transitions to every upper candidate that has any begin, rising."""

    @classmethod
    def of(cls, below: Indices, above: Indices) -> Transitions:
        """From pairs by the upper candidate, and of one by the lower."""
        starts = np.flatnonzero(np.diff(above, prepend=-1))
        return cls(below=below, above=above, starts=starts)

    @property
    def reached(self) -> Indices:
        """The upper candidates that have any."""
        return self.above[self.starts]

    def to(self, place: int) -> Indices:
        """The lower candidates of an upper one, rising."""
        first, stop = np.searchsorted(self.above, (place, place + 1))
        return self.below[first:stop]

    def turned(self) -> tuple[Transitions, Indices]:
        """The same seen from above: by the lower candidate; and the place of each in this list."""
        order = np.argsort(self.below, kind="stable")
        return Transitions.of(self.above[order], self.below[order]), order

    def best(self, values: Floats) -> Floats:
        """Most of some values, (..., T), for every candidate that is reached."""
        return np.maximum.reduceat(values, self.starts, axis=-1) if len(self.starts) else values


def list_transitions(rungs: RungArrays, share: Floats, rules: LadderRules) -> tuple[Transitions, Transitions]:
    """What may follow what: with the same audio, and with a better one.

    Args:
        rungs: candidates by total rate, (n,).
        share: share of the audience with the bandwidth for each, (n,).
        rules: what every ladder must keep.
    """
    found: tuple[list[tuple[Indices, Indices]], ...] = ([], [])
    total_kbps = rungs.total_kbps
    for first in range(0, len(total_kbps), _BLOCK):
        columns = slice(first, min(first + _BLOCK, len(total_kbps)))
        # Candidates are sorted by total rate: only a window of them is within the ratios.
        window = rates_below(total_kbps[columns.start], total_kbps[columns.stop - 1], rules)
        start, stop = np.searchsorted(total_kbps, window)
        if start == stop:
            continue
        below, above = rungs.at(slice(int(start), int(stop))), rungs.at((columns, None))
        allowed = may_follow(below, above, rules)  # (above, below)
        allowed &= is_played(share[start:stop] - share[columns, None], rules)
        same = above.audio == below.audio
        for kind, mask in zip(found, (allowed & same, allowed & ~same), strict=True):
            upper, lower = np.nonzero(mask)
            kind.append((lower + start, upper + first))
    return _joined(found[0]), _joined(found[1])


def _joined(parts: list[tuple[Indices, Indices]]) -> Transitions:
    none = np.zeros(0, dtype=np.intp)
    below = np.concatenate([none, *(part[0] for part in parts)])
    return Transitions.of(below, np.concatenate([none, *(part[1] for part in parts)]))
