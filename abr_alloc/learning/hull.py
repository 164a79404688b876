"""What choosing by a score costs in people's MOS: hull regret and right pairs, on rated renditions.

A ladder is made by taking, at each bitrate, the rendition with the highest score: the upper hull of rate and score.
Correlation over all stimuli hardly says whether that hull is people's; these two figures do.

**Hull regret.** The bitrate of every rendition of a group, with 2 % slack, is a budget. Where renditions of at least
two sizes fit it, regret is the MOS of the best of those that fit minus the MOS of the one with the highest score; where
scores are equal, the one of the lowest bitrate is taken. The score chooses alone, without the tie of a plan
(`allocation.path`): it is the score that is judged, on any scale that it may have.

**Right pairs.** Two renditions of a group, of different sizes, whose rates differ by no more than 25 % and whose MOS by
more than .3 (on 1-5; the same share of any other scale): how often the score orders them as people do. Equal scores
are not right.

Axes: n renditions, C contents. A group is what can be chosen between: one content and codec, rated in one test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Choices", "HullRegret", "RightPairs", "judge_choices", "regrets", "right_pairs"]

SLACK = 0.02
"""Share of a budget by which a rendition may pass it."""

CLOSE_RATE = 1.25
"""Renditions of a pair have rates of at most this ratio."""

CLEAR_SHARE = 0.075
"""Share of the rating scale that MOS of a pair must differ by more than: .3 on 1-5."""

_LEVEL = 0.95
_ROUNDING = 1e-9  # of MOS that came through a change of scale

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True, kw_only=True)
class HullRegret:
    """MOS lost by choosing with a score, on the ratings' own scale; NaN throughout where there is no budget."""

    mean: float
    """Over all budgets of all groups."""
    low: float
    """2.5 % of the means of resampled contents; NaN with one content."""
    high: float
    """97.5 %."""
    p95: float
    """95 % of the budgets lose no more than this."""
    worst: float
    """Largest loss."""
    num: int
    """Budgets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RightPairs:
    """How often a score orders renditions of unlike size and like rate as people do; NaN where there are no pairs."""

    share: float
    """Of the pairs, 0-1."""
    low: float
    """2.5 % of the shares of resampled contents; NaN with one content."""
    high: float
    """97.5 %."""
    num: int
    """Pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Both figures of one score."""

    hull_regret: HullRegret
    """What its choices cost."""
    right_pairs: RightPairs
    """How often it orders pairs as people do."""


def regrets(group: Ints, height_px: Floats, bitrate_kbps: Floats, mos: Floats, score: Floats) -> tuple[Floats, Ints]:
    """Hull regret of every budget; all arguments (n,).

    Args:
        group: what is chosen within.
        height_px: size of the rendition.
        bitrate_kbps: its rate.
        mos: people's MOS.
        score: the higher, the better.

    Returns:
        Regret of each budget, >= 0, in the unit of `mos`, and the row whose rate the budget is, both (budgets,).
    """
    found: list[Floats] = [np.zeros(0)]
    rows: list[Ints] = [np.zeros(0, dtype=np.intp)]
    for i in _groups(group):
        i = i[np.argsort(bitrate_kbps[i], kind="stable")]
        kbps, height, people, said = bitrate_kbps[i], height_px[i], mos[i], score[i]
        # With rising rate, what fits a budget is a beginning of the list: all that follows is a running maximum.
        best = np.maximum.accumulate(people)
        is_new_best = np.append(True, said[1:] > np.maximum.accumulate(said)[:-1])
        chosen = np.maximum.accumulate(np.where(is_new_best, np.arange(len(i)), 0))
        has_two_sizes = np.logical_or.accumulate(height != height[0])
        last = np.searchsorted(kbps, (1.0 + SLACK) * kbps, side="right") - 1  # last rendition that fits each budget
        counted = has_two_sizes[last]
        found.append((best - people[chosen])[last[counted]])
        rows.append(i[counted])
    return np.concatenate(found), np.concatenate(rows)


def right_pairs(
    group: Ints, height_px: Floats, bitrate_kbps: Floats, mos: Floats, score: Floats, *, least_mos: float
) -> tuple[npt.NDArray[np.bool_], Ints]:
    """Whether a score orders each pair as people do; arrays (n,), as for `regrets`.

    Args:
        group: what is compared within.
        height_px: sizes, which must differ.
        bitrate_kbps: rates, which must be alike.
        mos: people's MOS.
        score: the higher, the better.
        least_mos: MOS must differ by more than this.

    Returns:
        Whether each pair is right, and one of its rows, both (pairs,).
    """
    found: list[npt.NDArray[np.bool_]] = [np.zeros(0, dtype=bool)]
    rows: list[Ints] = [np.zeros(0, dtype=np.intp)]
    for i in _groups(group):
        a, b = (i[half] for half in np.triu_indices(len(i), k=1))
        low, high = np.minimum(bitrate_kbps[a], bitrate_kbps[b]), np.maximum(bitrate_kbps[a], bitrate_kbps[b])
        gap = mos[a] - mos[b]
        counted = (height_px[a] != height_px[b]) & (high <= CLOSE_RATE * low) & (np.abs(gap) > least_mos + _ROUNDING)
        found.append(((score[a] - score[b]) * gap > 0)[counted])
        rows.append(a[counted])
    return np.concatenate(found), np.concatenate(rows)


def judge_choices(
    group: Ints,
    content: npt.NDArray[np.object_],
    height_px: Floats,
    bitrate_kbps: Floats,
    mos: Floats,
    score: Floats,
    *,
    scale: tuple[float, float],
    resamples: int = 1000,
    seed: int = 0,
) -> Choices:
    """Both figures with 95 % bootstrap intervals over contents; all arrays (n,).

    Args:
        group: what is chosen within; rows of a negative group are no renditions and are left out.
        content: what is resampled.
        height_px: size of the rendition.
        bitrate_kbps: its rate.
        mos: people's MOS, on their own scale.
        score: finite; the higher, the better.
        scale: worst and best rating.
        resamples: how many resamples the intervals rest on.
        seed: of the resampling.
    """
    kept = np.flatnonzero(group >= 0)
    columns = height_px[kept], bitrate_kbps[kept], mos[kept], score[kept]
    lost, of_budget = regrets(group[kept], *columns)
    right, of_pair = right_pairs(group[kept], *columns, least_mos=CLEAR_SHARE * (scale[1] - scale[0]))
    mean, low, high = _resampled_mean(lost, content[kept][of_budget], resamples, seed)
    share, share_low, share_high = _resampled_mean(right.astype(float), content[kept][of_pair], resamples, seed)
    return Choices(
        hull_regret=HullRegret(
            mean=mean,
            low=low,
            high=high,
            p95=float(np.quantile(lost, 0.95)) if len(lost) else float("nan"),
            worst=float(lost.max()) if len(lost) else float("nan"),
            num=len(lost),
        ),
        right_pairs=RightPairs(share=share, low=share_low, high=share_high, num=len(right)),
    )


def _groups(group: Ints) -> list[Ints]:
    """Rows of each group."""
    order = np.argsort(group, kind="stable")
    return [rows for rows in np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(rows)]


def _resampled_mean(
    values: Floats, content: npt.NDArray[np.object_], resamples: int, seed: int
) -> tuple[float, float, float]:
    """Mean, and its 95 % interval over contents drawn with replacement; NaN where there is nothing to draw."""
    nan = float("nan")
    if not len(values):
        return nan, nan, nan
    _, place = np.unique(content.astype(str), return_inverse=True)
    total, num = np.bincount(place, values), np.bincount(place)  # (C,)
    mean = float(values.mean())
    if len(num) < 2 or not resamples:
        return mean, nan, nan
    drawn = np.random.default_rng(seed).integers(len(num), size=(resamples, len(num)))
    means = total[drawn].sum(axis=1) / num[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1.0 - _LEVEL) / 2.0, (1.0 + _LEVEL) / 2.0])
    return mean, float(low), float(high)
