"""What a ladder through a candidate can expect at most, from total rates alone.

Write S_k for the share of the audience with the bandwidth for the k-th rung and S_(K+1) = 0; then

    E = 1 - S_1 + sum_k q_k (S_k - S_(k+1)),

so with its rates given a ladder is the better, the higher its AVQ; and of its rules those on ratios need nothing but
rates. So the best ladder over total rates, each with the highest AVQ that any candidate has at that rate, expects at
least as much as any ladder of candidates. It is found from both ends, best ladders that end at a rate and that begin
there, over a few hundred rates instead of thousands of candidates; a candidate whose AVQ is d lower than the highest
at its rate t expects d (S(t) - S(min_ratio t)) less.

Axes: n candidates, R distinct total rates, rising.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.candidates import Candidates
from abr_alloc.allocation.ladder_rules import RATIO_ROUNDING, LadderRules, rates_below
from abr_alloc.allocation.rung import FOOT_MOS
from abr_alloc.allocation.transitions import Transitions

__all__ = ["LadderBounds"]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


class LadderBounds:
    """The most that ladders through every candidate can expect, by their number of rungs."""

    def __init__(self, c: Candidates, share: Floats, rules: LadderRules) -> None:
        """`share`: of the audience with the bandwidth for every candidate, (n,)."""
        total, avq = c.rungs.total_kbps, c.rungs.avq_mos
        first = np.flatnonzero(np.diff(total, prepend=-1.0))
        rates, highest, self._share = total[first], np.maximum.reduceat(avq, first), share[first]
        self._rate = np.repeat(np.arange(len(first)), np.diff(first, append=len(total)))  # of every candidate, (n,)
        next_kbps = rates * rules.min_ratio * (1.0 - 2 * RATIO_ROUNDING)
        least = np.maximum(self._share - c.audience.share_with(next_kbps), 0.0)
        self._less = (highest[self._rate] - avq) * least[self._rate]

        self._below = _within_ratios(rates, rules)
        self._above, order = self._below.turned()
        self._gained = highest * self._share
        self._lost = highest[self._below.below] * self._share[self._below.above]
        self._lost_above = self._lost[order]
        # Of k rungs that end at a rate, less what its AVQ gains; of k more rungs that follow it.
        self._ending = [-FOOT_MOS * self._share]
        self._following = [np.zeros(len(rates))]

    def of_rungs(self, num_rungs: int) -> Floats:
        """The most that a ladder of so many rungs sums to with a candidate as one of them, (n,); -inf for nothing."""
        while len(self._ending) < num_rungs:
            self._ending.append(self._one_more(self._below, self._ending[-1] + self._gained, self._lost))
            self._following.append(self._one_more(self._above, self._following[-1] + self._gained, self._lost_above))
        sums = [self._ending[k] + self._following[num_rungs - 1 - k] for k in range(num_rungs)]
        at_rate = self._gained + np.max(sums, axis=0)
        return np.asarray(at_rate[self._rate] - self._less)

    @staticmethod
    def _one_more(steps: Transitions, reached: Floats, lost: Floats) -> Floats:
        found = np.full(len(reached), -np.inf)
        found[steps.reached] = steps.best(reached[steps.below] - lost)
        return found


def _within_ratios(rates_kbps: Floats, rules: LadderRules) -> Transitions:
    """Rates that may follow each other."""
    start, stop = (np.searchsorted(rates_kbps, window) for window in rates_below(rates_kbps, rates_kbps, rules))
    number = np.maximum(stop - start, 0)
    above = np.repeat(np.arange(len(rates_kbps)), number)
    place = np.arange(len(above)) - np.repeat(np.cumsum(number) - number, number)
    return Transitions.of(start[above] + place, above)
