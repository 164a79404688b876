"""Ladders for an audience of whom some play surround: every rung a video, a stereo and a surround rendition.

A share s of the audience plays, of the same bandwidth b, the highest rung whose video and surround fit, the others the
highest whose video and stereo do. With totals t, u and AVQ q, p of the two, the expectation is again a sum over
neighbours:

    E = (1 - s) (1 + sum_k (q_k - q_(k-1)) S(t_k)) + s (1 + sum_k (p_k - p_(k-1)) S(u_k))

and every rule on two successive rungs holds in each layout, so the dynamic programme of `ladder.py` over triples
(video, stereo, surround) is exact. There are too many of them to try. But a ladder of K rungs with the triple (v, a, b)
as its k-th expects no more than the best stereo ladder of K rungs whose k-th is (v, a) and the best surround ladder
whose k-th is (v, b) do, each with its share; both come from programmes over pairs (`layout_bounds.py`). So: the
programme over the triples that promise
most gives a ladder; whatever promises less than that ladder has is left out, proven; and so on with more of them, until
all that promise as much have been tried.

Axes: n pairs of a layout by total rate, T triples, K rungs, M audio renditions of a layout.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.candidates import SurfacePairs
from abr_alloc.allocation.ladder import MAX_RUNGS, free_number_rules
from abr_alloc.allocation.ladder_rules import LadderRules, RungArrays, is_played, may_follow, rates_below
from abr_alloc.allocation.layout_bounds import LayoutBounds
from abr_alloc.allocation.rung import FOOT_MOS, Ladder, SurroundAtRung
from abr_alloc.errors import InfeasibleLadderError

__all__ = ["TwoLayouts", "best_for_both", "choose_number_for_both"]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

_FIRST_TRIED = 300  # triples per rung
_MORE = 4
_BLOCK = 256
_ROUNDING = 1e-9  # of sums of MOS: what promises less by this is still tried


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoLayouts:
    """What rungs may be: pairs of either layout, on the same videos."""

    stereo: SurfacePairs
    """Pairs with stereo (or mono) audio."""
    surround: SurfacePairs
    """Pairs with surround; `video` counts in the same renditions."""
    share: float
    """Share of the audience that plays surround, within 0 and 1."""
    a: Indices
    """Pair of `stereo` of every triple, (T,)."""
    b: Indices
    """Pair of `surround`, (T,)."""

    @classmethod
    def of(cls, stereo: SurfacePairs, surround: SurfacePairs, share: float) -> TwoLayouts:
        """All triples of two layouts.

        Raises:
            InfeasibleLadderError: no video may be a rung in both.
        """
        by_video: dict[int, list[int]] = {}
        for place, video in enumerate(surround.video.tolist()):
            by_video.setdefault(video, []).append(place)
        places = [(i, j) for i, video in enumerate(stereo.video.tolist()) for j in by_video.get(video, ())]
        if not places:
            raise InfeasibleLadderError(
                f"title {stereo.title!r} has no video that may be a rung with stereo and with surround; loosen "
                "`min_kbps` or `max_kbps`, or probe a wider range"
            )
        a, b = np.array(places, dtype=np.intp).T
        return cls(stereo=stereo, surround=surround, share=share, a=a, b=b)

    @property
    def layouts(self) -> tuple[tuple[SurfacePairs, Indices, float], ...]:
        """Of either: its pairs, which of them every triple has, and its share of the audience."""
        return (self.stereo, self.a, 1.0 - self.share), (self.surround, self.b, self.share)

    def ladder_of(self, chosen: Sequence[int], interval_mos: tuple[float, float]) -> Ladder:
        """The ladder of some triples, by rising rate; shares are of the whole audience."""
        plain, beside = (
            pairs.ladder_of([int(place) for place in of_triple[list(chosen)]], interval_mos)
            for pairs, of_triple, _ in self.layouts
        )
        return dataclasses.replace(
            plain,
            rungs=tuple(
                dataclasses.replace(
                    rung,
                    played_share=(1.0 - self.share) * rung.played_share,
                    surround=SurroundAtRung(
                        audio=other.audio,
                        total_kbps=other.total_kbps,
                        avq_mos=other.avq_mos,
                        interval_mos=other.interval_mos,
                        played_share=self.share * other.played_share,
                    ),
                )
                for rung, other in zip(plain.rungs, beside.rungs, strict=True)
            ),
            expected_avq_mos=(1.0 - self.share) * plain.expected_avq_mos + self.share * beside.expected_avq_mos,
            unreached_share=(1.0 - self.share) * plain.unreached_share + self.share * beside.unreached_share,
        )


def best_for_both(
    c: TwoLayouts,
    max_rungs: int,
    rules: LadderRules,
    *,
    min_rungs: int = 1,
    interval_mos: tuple[float, float] = (0.0, 0.0),
) -> list[Ladder]:
    """The best ladder of 1, 2, ... rungs, as far as the rules and the triples allow, at most `max_rungs`.

    Args:
        c: what rungs may be.
        max_rungs: most rungs.
        rules: what every ladder must keep, in each layout.
        min_rungs: fewest rungs of which a ladder is wanted; where there is none of so many, those of fewer are given.
        interval_mos: what to add to a prediction for its interval, MOS.

    Raises:
        InfeasibleLadderError: not even one rung keeps the rules.
    """
    promises = _Promises(c, rules)
    found: list[Ladder] = []
    for num_rungs in range(min_rungs, max_rungs + 1):
        chosen = _best(c, promises.of_rungs(num_rungs), rules)
        if chosen is None:
            break
        found.append(c.ladder_of(chosen, interval_mos))
    if not found and min_rungs > 1:
        return best_for_both(c, min_rungs - 1, rules, interval_mos=interval_mos)
    if not found:
        raise _unplayed(c, rules)
    return found


def choose_number_for_both(
    c: TwoLayouts, rules: LadderRules, jnd_mos: float, *, interval_mos: tuple[float, float] = (0.0, 0.0)
) -> Ladder:
    """The best ladder of any number of rungs each of which is worth having in both layouts (`free_number_rules`).

    Raises:
        InfeasibleLadderError: not even one rung keeps the rules.
    """
    rules = free_number_rules(rules, jnd_mos)
    promises, best = _Promises(c, rules), None
    for num_rungs in range(1, MAX_RUNGS + 1):
        promised = promises.of_rungs(num_rungs)
        if not np.isfinite(promised).any(axis=1).all():
            break
        reached = -np.inf if best is None else best.expected_avq_mos - FOOT_MOS
        chosen = _best(c, promised, rules, reached)
        if chosen is not None:
            found = c.ladder_of(chosen, interval_mos)
            best = found if best is None or found.expected_avq_mos > best.expected_avq_mos else best
    if best is None:
        raise _unplayed(c, rules)
    return best


def _unplayed(c: TwoLayouts, rules: LadderRules) -> InfeasibleLadderError:
    return InfeasibleLadderError(
        f"no rung of title {c.stereo.title!r} is played by {100 * rules.min_played_share:g} % of the audience; lower "
        "`min_kbps`, or choose another `network`"
    )


# What a triple promises


class _Promises:
    """What ladders with a triple as a rung can expect at most."""

    def __init__(self, c: TwoLayouts, rules: LadderRules) -> None:
        # Shares of rungs add up over the layouts, so no layout alone can break a least one.
        alone = dataclasses.replace(rules, min_played_share=0.0)
        self._layouts = [(LayoutBounds(pairs, alone), place, weight) for pairs, place, weight in c.layouts]

    def of_rungs(self, num_rungs: int) -> Floats:
        """The most that a ladder of so many rungs sums to with a triple as its k-th rung, (K, T); -inf for nothing."""
        parts = [weight * bound.of_rungs(num_rungs)[:, place] for bound, place, weight in self._layouts]
        return np.asarray(parts[0] + parts[1])


# The programme over some triples


def _best(c: TwoLayouts, promised: Floats, rules: LadderRules, reached: float = -np.inf) -> list[int] | None:
    """The triples of the best ladder, from the lowest rung on; None where none sums to more than what is reached."""
    chosen, tried = None, _FIRST_TRIED
    order = np.argsort(-promised, axis=1, kind="stable")  # (K, T)
    while True:
        counts = (np.isfinite(promised) & (promised >= reached - _ROUNDING)).sum(axis=1)
        if not counts.all():
            return chosen
        sets = [np.sort(order[k, : min(tried, int(counts[k]))]) for k in range(len(promised))]
        found, value = _programme(c, sets, rules)
        if found is not None and value > reached:
            reached, chosen = value, found
        if tried >= int((np.isfinite(promised) & (promised >= reached - _ROUNDING)).sum(axis=1).max()):
            return chosen
        tried *= _MORE


def _programme(c: TwoLayouts, sets: Sequence[Indices], rules: LadderRules) -> tuple[list[int] | None, float]:
    """The best ladder whose k-th rung is of the k-th set, and what it sums to; None and -inf where there is none."""
    most = tuple(pairs.most_audio(rules) for pairs, _, _ in c.layouts)
    below = _Rungs.of(c, sets[0])
    value = np.full((*most, len(sets[0])), -np.inf)  # by audio renditions of either layout so far
    value[0, 0] = below.gained() - FOOT_MOS * below.played
    parents: list[npt.NDArray[np.int64]] = []
    for places in sets[1:]:
        above = _Rungs.of(c, places)
        value, parent = _extend_both(value, below, above, rules)
        parents.append(parent)
        below = above
    ended = np.where(is_played(below.played, rules), value, -np.inf)
    if not np.isfinite(ended).any():
        return None, -np.inf
    state = int(ended.argmax())
    chosen = [int(sets[-1][state % len(sets[-1])])]
    for places, parent in zip(reversed(sets[:-1]), reversed(parents), strict=True):
        state = int(parent.reshape(-1)[state])
        chosen.append(int(places[state % len(places)]))
    return chosen[::-1], float(ended.max())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rungs:
    """Triples of one rung, (N,)."""

    pairs: tuple[RungArrays, ...]
    """`RungArrays` of either layout."""
    shares: tuple[Floats, ...]
    """Share of the whole audience that plays a layout and has the bandwidth for it, of either, (N,)."""

    @classmethod
    def of(cls, c: TwoLayouts, places: Indices) -> _Rungs:
        return cls(
            pairs=tuple(pairs.rungs.at(of_triple[places]) for pairs, of_triple, _ in c.layouts),
            shares=tuple(weight * pairs.share[of_triple[places]] for pairs, of_triple, weight in c.layouts),
        )

    def gained(self) -> Floats:
        """q S of both, (N,)."""
        return np.asarray(sum(p.avq_mos * s for p, s in zip(self.pairs, self.shares, strict=True)))

    @property
    def played(self) -> Floats:
        """Share of the audience with the bandwidth for it, (N,)."""
        return self.shares[0] + self.shares[1]


def _extend_both(
    value: Floats, below: _Rungs, above: _Rungs, rules: LadderRules
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """One rung more: the best predecessor of every triple, by audio renditions of either layout so far."""
    shape = (*value.shape[:2], len(above.played))
    longer, parent = np.full(shape, -np.inf), np.zeros(shape, dtype=np.int64)
    gained, num_below = above.gained(), value.shape[2]
    total = below.pairs[0].total_kbps  # rising
    for first in range(0, shape[2], _BLOCK):
        columns = slice(first, min(first + _BLOCK, shape[2]))
        block = above.pairs[0].total_kbps[columns]
        start, stop = np.searchsorted(total, rates_below(block[0], block[-1], rules))
        if start == stop:
            continue
        rows = slice(int(start), int(stop))
        allowed = is_played(below.played[rows, None] - above.played[columns], rules)
        lost = np.zeros(allowed.shape)
        stays = []
        for low, high, share in zip(below.pairs, above.pairs, above.shares, strict=True):
            low, high = low.at((rows, None)), high.at(columns)
            allowed &= may_follow(low, high, rules)
            stays.append(low.audio == high.audio)
            lost += low.avq_mos * share[columns]
        for da, db in ((0, 0), (0, 1), (1, 0), (1, 1)):
            mask = allowed & (stays[0] ^ bool(da)) & (stays[1] ^ bool(db))
            if not mask.any():
                continue
            step = np.where(mask, -lost, -np.inf)
            for ma in range(da, shape[0]):
                for mb in range(db, shape[1]):
                    before = value[ma - da, mb - db, rows]
                    if not np.isfinite(before).any():
                        continue
                    sums = before[:, None] + step
                    best = sums.argmax(axis=0)
                    found = sums[best, np.arange(sums.shape[1])] + gained[columns]
                    won = found > longer[ma, mb, columns]
                    longer[ma, mb, columns] = np.where(won, found, longer[ma, mb, columns])
                    source = ((ma - da) * shape[1] + mb - db) * num_below + best + rows.start
                    parent[ma, mb, columns] = np.where(won, source, parent[ma, mb, columns])
    return longer, parent
