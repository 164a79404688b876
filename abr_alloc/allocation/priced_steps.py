"""Ladders as paths: from rung to rung, what every step adds to expected AVQ and to the cost.

With total rates t_1 < ... < t_K, AVQ q_k, S(t) the share of the audience with a bandwidth of t at least, and t_0 = 0,

    expected AVQ = 1 + sum_k (q_k - q_(k-1)) S(t_k)          (`ladder.py`)
    delivery     = D sum_k (t_k - t_(k-1)) S(t_k)            D: sending 1 kbps to all views
    storage      = sum over distinct video + sum over distinct audio

All of them are sums over neighbours: an audio rendition that was left does not come back (`ladder_rules.py`), and
neither does a video rendition, as another one of the same rate and size may not follow it here. So a rendition is new
where it is not the one before, and a ladder is a path whose steps have two lengths.

A path begins at the top rung and goes down: the top is what most viewers play, so what is left open below it weighs
little. For any weights, `potentials` is what the rest of a path is worth at most: one dynamic programme, O(K M E) for K
rungs, M audio renditions and E steps.

Axes: n candidates, by total rate; E steps, by the candidate above; R rungs that may still come, A audio renditions
that may still come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.candidates import Candidates
from abr_alloc.allocation.cost import Prices
from abr_alloc.allocation.ladder_rules import LadderRules, is_played
from abr_alloc.allocation.rung import FOOT_MOS
from abr_alloc.allocation.transitions import Transitions, list_transitions

__all__ = ["Path", "PricedSteps", "Steps", "Weights"]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How expected AVQ and cost are set against each other: what counts is `avq` x AVQ - `cost` x cost."""

    avq: float
    """What 1 MOS is worth."""
    cost: float
    """What 1 of money is worth."""

    def of(self, avq_mos: Floats, cost: Floats) -> Floats:
        """AVQ and cost as one number."""
        return self.avq * avq_mos - self.cost * cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Steps from one rung to the next below it."""

    leaving: Indices
    """The first step that leaves a candidate, (n + 1,): those of i are `leaving[i]` to `leaving[i + 1]`."""
    above: Indices
    """The candidate that it leaves, (E,)."""
    to: Indices
    """The candidate below, (E,)."""
    avq_mos: Floats
    """What the upper one adds to expected AVQ, MOS, (E,)."""
    cost: Floats
    """What it adds to the cost, money, (E,)."""

    def best(self, weights: Weights, after: Floats) -> Floats:
        """The most that a step from every candidate, and what comes after it, are worth, (n,); -inf where none leaves.

        Args:
            weights: of AVQ and cost.
            after: what comes after a candidate, (n,).
        """
        found = np.full(len(after), -np.inf)
        some = np.flatnonzero(np.diff(self.leaving))
        if len(some):
            worth = weights.of(self.avq_mos, self.cost) + after[self.to]
            found[some] = np.maximum.reduceat(worth, self.leaving[some])
        return found

    def only(self, kept: npt.NDArray[np.bool_]) -> Steps:
        """Some of the steps, (E,)."""
        before = np.append(0, np.cumsum(kept))
        return Steps(
            leaving=before[self.leaving],
            above=self.above[kept],
            to=self.to[kept],
            avq_mos=self.avq_mos[kept],
            cost=self.cost[kept],
        )

    def from_all(self, candidates: Indices) -> tuple[Indices, Indices]:
        """All steps that leave some candidates (L,): the place in `candidates` of each, and its index, (X,) both."""
        first, number = self.leaving[candidates], np.diff(self.leaving)[candidates]
        place = np.repeat(np.arange(len(candidates)), number)
        before = np.cumsum(number) - number
        return place, np.arange(len(place)) - before[place] + first[place]


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A ladder with what it comes to."""

    path: list[int]
    """Its candidates, from the lowest rung on."""
    avq_mos: float
    """Expected AVQ, MOS."""
    cost: float
    """Money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedSteps:
    """All ladders of a title, with their expected AVQ and their cost."""

    avq_mos: Floats
    """Expected AVQ of every candidate as the lowest rung, MOS, (n,)."""
    cost: Floats
    """What it costs as the lowest rung, money, (n,)."""
    may_end: npt.NDArray[np.bool_]
    """Whether it may be the top rung, (n,)."""
    same_audio: Steps
    """To the next rung where it has the same audio rendition."""
    other_audio: Steps
    """To the next rung where it has another one."""
    max_rungs: int
    """Most rungs."""
    max_audio: int
    """Most audio renditions."""

    @classmethod
    def of(
        cls, c: Candidates, prices: Prices, duration_s: float, rules: LadderRules, max_rungs: int, max_audio: int
    ) -> PricedSteps:
        """Every step between candidates that the rules allow.

        Args:
            c: what rungs may be.
            prices: of storage and delivery.
            duration_s: length of the title, seconds.
            rules: what every ladder must keep.
            max_rungs: most rungs.
            max_audio: most audio renditions.
        """
        rungs, share = c.rungs, c.share
        overhead = rungs.total_kbps / (rungs.video_kbps + rungs.audio_kbps)
        storage, delivery = prices.storage(1.0, duration_s), prices.delivery(1.0, duration_s)
        video, audio = storage * overhead * rungs.video_kbps, storage * overhead * rungs.audio_kbps
        same, other = _pairs(c, rules)

        def steps(below: Indices, above: Indices, *, new_audio: bool) -> Steps:
            new_video = c.video[below] != c.video[above]
            stored = np.where(new_video, video[above], 0.0) + (audio[above] if new_audio else 0.0)
            sent = delivery * (rungs.total_kbps[above] - rungs.total_kbps[below]) * share[above]
            return Steps(
                leaving=np.searchsorted(above, np.arange(len(c.video) + 1)),
                above=above,
                to=below,
                avq_mos=(rungs.avq_mos[above] - rungs.avq_mos[below]) * share[above],
                cost=stored + sent,
            )

        return cls(
            avq_mos=FOOT_MOS + (rungs.avq_mos - FOOT_MOS) * share,
            cost=video + audio + delivery * rungs.total_kbps * share,
            may_end=is_played(share, rules),
            same_audio=steps(*same, new_audio=False),
            other_audio=steps(*other, new_audio=True),
            max_rungs=max_rungs,
            max_audio=max_audio,
        )

    def potentials(self, weights: Weights) -> Floats:
        """What a ladder is worth at most from every candidate downwards, what the candidate adds left out, (R, A, n).

        With r rungs and a audio renditions more at most, in row [min(r, R - 1), a].
        """
        lowest = weights.of(self.avq_mos, self.cost)
        found = [np.broadcast_to(lowest, (self.max_audio, len(lowest)))]
        for _ in range(1, self.max_rungs):
            after, rows = found[-1], []
            for a in range(self.max_audio):
                row = np.maximum(lowest, self.same_audio.best(weights, after[a]))
                rows.append(np.maximum(row, self.other_audio.best(weights, after[a - 1])) if a else row)
            if np.array_equal(after, rows):  # no ladder is longer
                break
            found.append(np.stack(rows))
        return np.stack(found)

    def best_path(self, weights: Weights, rest: Floats) -> Path:
        """The ladder that is worth most, from its potentials; some candidate must be one that may end it."""
        i = int(np.where(self.may_end, rest[-1, -1], -np.inf).argmax())
        path, avq_mos, cost, r, a = [i], 0.0, 0.0, len(rest) - 1, self.max_audio - 1
        while r > 0:
            tries = []  # (worth, kind, step, audio renditions left)
            for kind, left in ((self.same_audio, a), (self.other_audio, a - 1)):
                own = slice(int(kind.leaving[i]), int(kind.leaving[i + 1]))
                if left >= 0 and own.start < own.stop:
                    worth = weights.of(kind.avq_mos[own], kind.cost[own]) + rest[r - 1, left, kind.to[own]]
                    tries.append((float(worth.max()), kind, own.start + int(worth.argmax()), left))
            best = max(tries, key=lambda one: one[0], default=None)
            if best is None or best[0] <= float(rest[0, 0, i]):  # nothing below it is worth as much
                break
            _, kind, step, a = best
            avq_mos, cost = avq_mos + float(kind.avq_mos[step]), cost + float(kind.cost[step])
            i, r = int(kind.to[step]), r - 1
            path.append(i)
        return Path(path=path[::-1], avq_mos=avq_mos + float(self.avq_mos[i]), cost=cost + float(self.cost[i]))


def _pairs(c: Candidates, rules: LadderRules) -> tuple[tuple[Indices, Indices], tuple[Indices, Indices]]:
    """Candidates that may follow each other, (below, above), by the one above: with its audio, and with another."""
    same, better = list_transitions(c.rungs, c.share, rules)
    return _without_twins(c, same), _without_twins(c, better)


def _without_twins(c: Candidates, found: Transitions) -> tuple[Indices, Indices]:
    below, above = found.below, found.above
    twin = (
        (c.video[below] != c.video[above])
        & (c.rungs.video_kbps[below] == c.rungs.video_kbps[above])
        & (c.rungs.side_px[below] == c.rungs.side_px[above])
    )
    return below[~twin], above[~twin]
