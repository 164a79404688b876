"""Ladders: K pairs that give an audience the highest expected AVQ, exactly.

A player takes the highest rung that its bandwidth b allows, so with rungs of total rates t_1 < ... < t_K, AVQ q_k and
S(t) = P(b >= t),

    E = 1 + sum_k (q_k - q_(k-1)) S(t_k),   q_0 = 1

(a network too slow for the lowest rung is given the foot of the scale). The sum runs over neighbours, and so do the
constraints on a ladder; a dynamic programme over (rungs so far, audio renditions so far, last rung) is therefore exact.
Rates of both streams never fall up the ladder, so an audio rendition that was left does not come back, and counting the
changes counts the renditions. Cost: O(K M n^2) for n candidate pairs and M audio renditions.

Axes: n candidates, by total rate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.candidates import Candidates, list_candidates
from abr_alloc.allocation.ladder_rules import LadderRules, is_played, rates_below
from abr_alloc.allocation.rung import FOOT_MOS, Ladder, value_mos
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.errors import InfeasibleLadderError

__all__ = [
    "MAX_RUNGS",
    "PLAYED_SHARE",
    "best_ladders",
    "choose_number",
    "design_ladders",
    "extend",
    "free_number_rules",
]

MAX_RUNGS = 24
"""Most rungs that are ever tried."""

PLAYED_SHARE = 0.01
"""Share of the audience that must play a rung for it to be worth having, when the number is free."""

_BLOCK = 256

Floats = npt.NDArray[np.float64]


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
    n, num_audio, share = len(c.video), c.most_audio(rules), c.share
    # value[m, j]: best sum of steps so far with m + 1 audio renditions and j as the last rung.
    value = np.full((num_audio, n), -np.inf)
    value[0] = (c.rungs.avq_mos - FOOT_MOS) * share
    parents: list[npt.NDArray[np.int32]] = []  # per rung: (m, j) -> parent's m * n + its index
    ladders: list[Ladder] = []
    while np.isfinite(value).any():
        # The top rung is played by all who have the bandwidth for it.
        ended = np.where(is_played(share, rules), value, -np.inf)
        if np.isfinite(ended).any():
            ladders.append(c.ladder_of(_trace(ended, parents), interval_mos))
        if len(parents) + 1 >= max_rungs:
            break
        value, parent = extend(c, share, value, rules)
        parents.append(parent)
    if not ladders:
        raise InfeasibleLadderError(
            f"no rung of title {c.title!r} is played by {100 * rules.min_played_share:g} % of the audience; "
            "lower `min_kbps`, or choose another `network`"
        )
    return ladders


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


def extend(c: Candidates, share: Floats, value: Floats, rules: LadderRules) -> tuple[Floats, npt.NDArray[np.int32]]:
    """One rung more: the best predecessor of every candidate.

    Args:
        c: what rungs may be, n of them.
        share: share of the audience with the bandwidth for each, (n,).
        value: the best sum so far, by audio renditions so far and last rung, (M, n).
        rules: what every ladder must keep.

    Returns:
        The same with one rung more, and where it comes from: m n + the last rung's index.
    """
    num_audio, n = value.shape
    total_kbps, avq_mos = c.rungs.total_kbps, c.rungs.avq_mos
    longer, parent = np.full_like(value, -np.inf), np.zeros(value.shape, dtype=np.int32)
    for first in range(0, n, _BLOCK):
        columns = slice(first, min(first + _BLOCK, n))
        # Candidates are sorted by total rate: only a window of them is within the ratios.
        window = rates_below(total_kbps[columns.start], total_kbps[columns.stop - 1], rules)
        start, stop = np.searchsorted(total_kbps, window)
        rows = slice(int(start), int(stop))
        if start == stop:
            continue
        same, better = c.may_follow(share, rows, columns, rules)
        # (q_j - q_i) S_j: the part that depends on both.
        lost = avq_mos[rows, None] * share[columns]
        stay, change = np.where(same, -lost, -np.inf), np.where(better, -lost, -np.inf)
        gained = avq_mos[columns] * share[columns]
        for m in range(num_audio):
            for previous, step in ((m, stay), (m - 1, change)):
                if previous < 0 or not np.isfinite(value[previous, rows]).any():
                    continue
                sums = value[previous, rows, None] + step
                best = sums.argmax(axis=0)
                found = sums[best, np.arange(sums.shape[1])] + gained
                won = found > longer[m, columns]
                longer[m, columns] = np.where(won, found, longer[m, columns])
                parent[m, columns] = np.where(won, previous * n + best + rows.start, parent[m, columns])
    return longer, parent


def _trace(value: Floats, parents: Sequence[npt.NDArray[np.int32]]) -> list[int]:
    """The candidates of the best ladder, from the lowest rung on."""
    n = value.shape[1]
    state = int(value.argmax())
    chosen = [state % n]
    for parent in reversed(parents):
        state = int(parent[state // n, state % n])
        chosen.append(state % n)
    return chosen[::-1]
