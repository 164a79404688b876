"""Ladders: K pairs that give an audience the highest expected AVQ, exactly.

A player takes the highest rung that its bandwidth b allows, so with rungs of total rates t_1 < ... < t_K, AVQ q_k and
S(t) = P(b >= t),

    E = 1 + sum_k (q_k - q_(k-1)) S(t_k),   q_0 = 1

(a network too slow for the lowest rung is given the foot of the scale). The sum runs over neighbours, and so do the
constraints on a ladder; a dynamic programme over (rungs so far, audio renditions so far, last rung) is therefore exact.
Rates of both streams never fall up the ladder, so an audio rendition that was left does not come back, and counting the
changes counts the renditions. Cost: O(K M T) for T transitions between candidates and M audio renditions.

Most of thousands of candidates are part of no good ladder, and total rates alone show it (`ladder_bounds.py`). So the
programme goes over those that promise most, and what promises less than the ladder found is left out, proven; where
something else promises as much, it goes over all that do. The answer is that of the programme over all candidates, of
equal ladders the same one.

Axes: n candidates, by total rate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.candidates import Candidates, list_candidates
from abr_alloc.allocation.ladder_bounds import LadderBounds
from abr_alloc.allocation.ladder_rules import LadderRules, is_played
from abr_alloc.allocation.rung import FOOT_MOS, Ladder, value_mos
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.allocation.transitions import list_transitions
from abr_alloc.errors import InfeasibleLadderError

__all__ = [
    "MAX_RUNGS",
    "PLAYED_SHARE",
    "best_ladder",
    "best_ladders",
    "choose_number",
    "design_ladders",
    "free_number_rules",
]

MAX_RUNGS = 24
"""Most rungs that are ever tried."""

PLAYED_SHARE = 0.01
"""Share of the audience that must play a rung for it to be worth having, when the number is free."""

_FIRST_TRIED = 64  # candidates per number of rungs
_MORE = 4
_ROUNDING = 1e-9  # of sums of MOS: what promises less by this is still tried

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


def design_ladders(
    surface: QualitySurface,
    audience: Audience,
    max_rungs: int,
    rules: LadderRules | None = None,
    *,
    interval_mos: tuple[float, float] = (0.0, 0.0),
) -> list[Ladder]:
    """The best ladder of 1, 2, ... rungs of a title's pairs (`best_ladders`).

    Args:
        surface: of a whole title: its pairs are the candidates.
        audience: who plays it.
        max_rungs: most rungs.
        rules: what every ladder must keep.
        interval_mos: what to add to a prediction for its interval, MOS.

    Raises:
        InfeasibleLadderError: not even one rung keeps the rules; the message names the conflict.
    """
    rules = rules or LadderRules()
    return best_ladders(list_candidates(surface, audience, rules), max_rungs, rules, interval_mos=interval_mos)


def best_ladders(
    c: Candidates, max_rungs: int, rules: LadderRules, *, interval_mos: tuple[float, float] = (0.0, 0.0)
) -> list[Ladder]:
    """The best ladder of 1, 2, ... rungs, as far as the rules and the candidates allow, at most `max_rungs`.

    Args:
        c: what rungs may be.
        max_rungs: most rungs.
        rules: what every ladder must keep.
        interval_mos: what to add to a prediction for its interval, MOS.

    Raises:
        InfeasibleLadderError: not even one rung keeps the rules; the message names the conflict.
    """
    found = _search(c, range(1, max_rungs + 1), rules)
    if not found:
        raise InfeasibleLadderError(
            f"no rung of title {c.title!r} is played by {100 * rules.min_played_share:g} % of the audience; "
            "lower `min_kbps`, or choose another `network`"
        )
    return [c.ladder_of(found[number], interval_mos) for number in sorted(found)]


def best_ladder(
    c: Candidates, num_rungs: int, rules: LadderRules, *, interval_mos: tuple[float, float] = (0.0, 0.0)
) -> Ladder | None:
    """The best ladder of so many rungs; None where none of so many keeps the rules."""
    chosen = _search(c, [num_rungs], rules).get(num_rungs)
    return None if chosen is None else c.ladder_of(chosen, interval_mos)


def choose_number(
    c: Candidates, rules: LadderRules, jnd_mos: float, *, interval_mos: tuple[float, float] = (0.0, 0.0)
) -> Ladder:
    """The best ladder of any number of rungs each of which is worth having (`free_number_rules`)."""
    ladders = best_ladders(c, MAX_RUNGS, free_number_rules(rules, jnd_mos), interval_mos=interval_mos)
    return max(ladders, key=lambda ladder: (value_mos(ladder), -len(ladder.rungs)))


def free_number_rules(rules: LadderRules, jnd_mos: float) -> LadderRules:
    """What a ladder of any number of rungs must keep besides: every rung adds `jnd_mos` at least to the one below it,
    which is what its viewers would watch without it, and `PLAYED_SHARE` of the audience at least play it."""
    return dataclasses.replace(rules, min_step_mos=jnd_mos, min_played_share=PLAYED_SHARE)


# Which candidates the programme goes over


def _search(c: Candidates, numbers: Collection[int], rules: LadderRules) -> dict[int, list[int]]:
    """The best ladder of some numbers of rungs, from the lowest rung on, without those of which there is none."""
    share, number_tried = c.share, _FIRST_TRIED
    if len(share) <= _MORE * _FIRST_TRIED:  # not worth a bound
        return {
            k: places for k, (places, _) in _Programme(c, np.arange(len(share)), share, rules).best(numbers).items()
        }
    bounds = LadderBounds(c, share, rules)
    promised = {k: of_k for k in numbers if np.isfinite(of_k := bounds.of_rungs(k)).any()}
    # What a candidate must promise to be tried, where the best ladder is not yet proven.
    floors = {k: _of_rank(of_k, number_tried) for k, of_k in promised.items()}
    found: dict[int, list[int]] = {}
    while floors:
        tried = np.flatnonzero(np.any([promised[k] >= floor for k, floor in floors.items()], axis=0))
        best = _Programme(c, tried, share, rules).best(floors)
        number_tried *= _MORE
        lower: dict[int, float] = {}
        for k, floor in floors.items():
            if k in best:
                found[k], reached = best[k]
                lower[k] = reached - _ROUNDING
            else:
                lower[k] = _of_rank(promised[k][promised[k] < floor], number_tried)
        # Where nothing that is left out promises as much, it is proven.
        floors = {k: least for k, least in lower.items() if ((promised[k] >= least) & (promised[k] < floors[k])).any()}
    return found


def _of_rank(promised: Floats, rank: int) -> float:
    """The promise that so many candidates reach, or all that promise anything; inf where none does."""
    finite = np.sort(promised[np.isfinite(promised)])
    return float(finite[-min(rank, len(finite))]) if len(finite) else np.inf


# The programme


class _Programme:
    """Best ladders of some candidates."""

    def __init__(self, c: Candidates, places: Indices, share: Floats, rules: LadderRules) -> None:
        """`places`: which candidates, rising; `share`: of the audience with the bandwidth for every candidate."""
        self._places, self._rungs, self._share, self._rules = places, c.rungs.at(places), share[places], rules
        self._kinds = list_transitions(self._rungs, self._share, rules)  # with the same audio, with a better one
        self._gained = self._rungs.avq_mos * self._share
        # By audio renditions so far and last rung, (M, n), of 1, 2, ... rungs: the best sum of steps.
        first = np.full((c.most_audio(rules), len(places)), -np.inf)
        first[0] = (self._rungs.avq_mos - FOOT_MOS) * self._share
        self._values = [first]

    def best(self, numbers: Collection[int]) -> dict[int, tuple[list[int], float]]:
        """The best ladder of every number of rungs that has one, from the lowest rung on, and what it sums to."""
        lost = [self._lost(kind.below, kind.above) for kind in self._kinds]
        found: dict[int, tuple[list[int], float]] = {}
        for number in range(1, max(numbers) + 1):
            if number > 1:
                self._values.append(self._one_more(self._values[-1], lost))
            if not np.isfinite(self._values[-1]).any():
                break
            if number in numbers:
                # The top rung is played by all who have the bandwidth for it.
                ended = np.where(is_played(self._share, self._rules), self._values[-1], -np.inf)
                if np.isfinite(ended).any():
                    found[number] = self._trace(int(ended.argmax())), float(ended.max())
        return found

    def _lost(self, below: Indices, above: Indices) -> Floats:
        """q_i S_j: the part of (q_j - q_i) S_j that depends on both."""
        return self._rungs.avq_mos[below] * self._share[above]

    def _one_more(self, value: Floats, lost: Sequence[Floats]) -> Floats:
        """One rung more: the best sum over what may be below every candidate."""
        longer = np.full_like(value, -np.inf)
        for change, (kind, less) in enumerate(zip(self._kinds, lost, strict=True)):
            best = kind.best(value[: len(value) - change, kind.below] - less) + self._gained[kind.reached]
            longer[change:, kind.reached] = np.maximum(longer[change:, kind.reached], best)
        return longer

    def _trace(self, state: int) -> list[int]:
        """The candidates of the ladder that ends in m n + the last rung's place."""
        audio, last = divmod(state, len(self._places))
        chosen = [last]
        for value in reversed(self._values[:-1]):
            tries: list[tuple[float, int, int]] = []  # what it sums to, audio renditions so far, rung below
            for change, kind in enumerate(self._kinds[: audio + 1]):
                below = kind.to(last)
                if len(below):
                    sums = value[audio - change, below] - self._lost(below, np.full(len(below), last))
                    best = int(sums.argmax())
                    tries.append((float(sums[best] + self._gained[last]), audio - change, int(below[best])))
            _, audio, last = max(tries, key=lambda one: one[0])
            chosen.append(last)
        return [int(self._places[place]) for place in reversed(chosen)]
