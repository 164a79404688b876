"""The best ladders of one layout through every pair, from both ends: what a pair can be part of.

A ladder of K rungs with pair i as its k-th sums to no more than the best k rungs that end with i and the best K - k
that follow it, with no more audio renditions together than the rules allow.

Axes: n pairs by total rate, K rungs, M audio renditions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.candidates import Candidates
from abr_alloc.allocation.ladder import extend
from abr_alloc.allocation.ladder_rules import LadderRules, rates_below
from abr_alloc.allocation.rung import FOOT_MOS

__all__ = ["LayoutBounds"]

Floats = npt.NDArray[np.float64]

_BLOCK = 256


class LayoutBounds:
    """Best ladders through every pair."""

    def __init__(self, pairs: Candidates, rules: LadderRules) -> None:
        self._pairs, self._rules, self._share = pairs, rules, pairs.share
        avq, num_audio = pairs.rungs.avq_mos, pairs.most_audio(rules)
        first = np.full((num_audio, len(avq)), -np.inf)
        first[0] = (avq - FOOT_MOS) * self._share
        self._before = [first]  # of k rungs: by audio renditions so far and last rung, (M, n)
        self._after = [np.zeros_like(first)]  # of k more rungs: by changes of audio that are left, (M, n)

    def of_rungs(self, num_rungs: int) -> Floats:
        """The most that a ladder of so many rungs sums to with a pair as its k-th rung, (K, n)."""
        while len(self._before) < num_rungs:
            self._before.append(extend(self._pairs, self._share, self._before[-1], self._rules)[0])
            self._after.append(self._one_more_above(self._after[-1]))
        sums = [(self._before[k] + self._after[num_rungs - 1 - k][::-1]).max(axis=0) for k in range(num_rungs)]
        return np.stack(sums)

    def _one_more_above(self, after: Floats) -> Floats:
        """The best that follows every pair with one rung more."""
        pairs, share, avq, total = self._pairs, self._share, self._pairs.rungs.avq_mos, self._pairs.rungs.total_kbps
        longer = np.full_like(after, -np.inf)
        for first in range(0, len(avq), _BLOCK):
            columns = slice(first, min(first + _BLOCK, len(avq)))
            window = rates_below(total[columns.start], total[columns.stop - 1], self._rules)
            start, stop = np.searchsorted(total, window)
            rows = slice(int(start), int(stop))
            if start == stop:
                continue
            same, better = pairs.may_follow(share, rows, columns, self._rules)
            step = (avq[columns] - avq[rows, None]) * share[columns]
            stay, change = np.where(same, step, -np.inf), np.where(better, step, -np.inf)
            for left in range(len(after)):
                best = (stay + after[left, columns]).max(axis=1)
                if left:
                    best = np.maximum(best, (change + after[left - 1, columns]).max(axis=1))
                longer[left, rows] = np.maximum(longer[left, rows], best)
        return longer
