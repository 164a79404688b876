"""The best ladders of one layout through every pair, from both ends: what a pair can be part of.

A ladder of K rungs with pair i as its k-th sums to no more than the best k rungs that end with i and the best K - k
that follow it, with no more audio renditions together than the rules allow.

Axes: n pairs by total rate, K rungs, M audio renditions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.candidates import Candidates
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.rung import FOOT_MOS
from abr_alloc.allocation.transitions import list_transitions

__all__ = ["LayoutBounds"]

Floats = npt.NDArray[np.float64]


class LayoutBounds:
    """Best ladders through every pair."""

    def __init__(self, pairs: Candidates, rules: LadderRules) -> None:
        share, avq, num_audio = pairs.share, pairs.rungs.avq_mos, pairs.most_audio(rules)
        self._avq, self._share, self._gained = avq, share, avq * share
        self._kinds = list_transitions(pairs.rungs, share, rules)  # with the same audio, with a better one
        self._turned = [kind.turned()[0] for kind in self._kinds]
        first = np.full((num_audio, len(avq)), -np.inf)
        first[0] = (avq - FOOT_MOS) * share
        self._before = [first]  # of k rungs: by audio renditions so far and last rung, (M, n)
        self._after = [np.zeros_like(first)]  # of k more rungs: by changes of audio that are left, (M, n)

    def of_rungs(self, num_rungs: int) -> Floats:
        """The most that a ladder of so many rungs sums to with a pair as its k-th rung, (K, n)."""
        while len(self._before) < num_rungs:
            self._before.append(self._one_more(self._before[-1]))
            self._after.append(self._one_more_above(self._after[-1]))
        sums = [(self._before[k] + self._after[num_rungs - 1 - k][::-1]).max(axis=0) for k in range(num_rungs)]
        return np.stack(sums)

    def _one_more(self, before: Floats) -> Floats:
        """The best that ends with every pair with one rung more."""
        longer = np.full_like(before, -np.inf)
        for change, kind in enumerate(self._kinds):
            lost = self._avq[kind.below] * self._share[kind.above]
            best = kind.best(before[: len(before) - change, kind.below] - lost) + self._gained[kind.reached]
            longer[change:, kind.reached] = np.maximum(longer[change:, kind.reached], best)
        return longer

    def _one_more_above(self, after: Floats) -> Floats:
        """The best that follows every pair with one rung more."""
        longer = np.full_like(after, -np.inf)
        for change, kind in enumerate(self._turned):
            # Seen from above: `below` is the upper pair.
            step = (self._avq[kind.below] - self._avq[kind.above]) * self._share[kind.below]
            best = kind.best(step + after[: len(after) - change, kind.below])
            longer[change:, kind.reached] = np.maximum(longer[change:, kind.reached], best)
        return longer
