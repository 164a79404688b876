"""The rules of a ladder, each stated once.

The dynamic programme (`ladder.py`) asks them of thousands of pairs at a time, the check of a finished ladder
(`rung.keeps_rules`) of its rungs; both ask these functions, and arrays of the rungs below and above broadcast.

    one rung         its size; its total rate; the share of the audience that plays it; nothing cheaper is good enough
    two successive   the ratio of their total rates; video rate and size never fall; AVQ rises by a step; the audio
                     is the same rendition or a dearer one, so that one which was left does not come back
    all rungs        how many audio renditions

Ratios of rates may be off by `RATIO_ROUNDING`; all else is compared as it stands. `tie_mos` is a rule of the candidates
(`candidates.py`): a ladder alone does not tell what else its rates would have bought.

Axes: K rungs, or whatever shape the caller's arrays have.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from abr_alloc import defaults
from abr_alloc.allocation.path import TIE_MOS
from abr_alloc.errors import InfeasibleLadderError

__all__ = [
    "RATIO_ROUNDING",
    "LadderRules",
    "RungArrays",
    "enough_kbps",
    "is_played",
    "may_follow",
    "most_audio",
    "rate_allowed",
    "rates_below",
    "size_allowed",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]
_Rates = TypeVar("_Rates", float, Floats)

RATIO_ROUNDING = 1e-9
"""Relative rounding that a ratio of rates may carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderRules:
    """What every ladder must keep."""

    max_audio: int | None = defaults.MAX_AUDIO
    """Most distinct audio renditions; None for any number."""
    min_kbps: float = 0.0
    """Least total rate of a rung, kbps."""
    max_kbps: float = math.inf
    """Largest total rate of a rung, kbps."""
    min_ratio: float = defaults.MIN_RATIO
    """Least ratio of the total rates of successive rungs."""
    max_ratio: float = defaults.MAX_RATIO
    """Largest ratio of the total rates of successive rungs."""
    top_avq_mos: float = math.inf
    """Nothing dearer is offered than the cheapest pair that reaches this AVQ."""
    sides_px: tuple[tuple[int, int], ...] = ()
    """Allowed ranges of the short side, pixels, inclusive; empty for all."""
    min_step_mos: float = 0.0
    """What every rung but the lowest must add to the one below it, MOS."""
    min_played_share: float = 0.0
    """Share of the audience that must play every rung."""
    tie_mos: float = TIE_MOS
    """What dearer audio, or a smaller picture, must add at the same total rate to be a candidate, MOS."""

    def __post_init__(self) -> None:
        if self.max_audio is not None and self.max_audio < 1:
            raise InfeasibleLadderError(f"`max_audio` {self.max_audio}: a ladder needs one audio rendition at least")
        if self.min_kbps > self.max_kbps:
            raise InfeasibleLadderError(
                f"`min_kbps` {self.min_kbps:g}k and `max_kbps` {self.max_kbps:g}k contradict each other"
            )
        if not 1.0 < self.min_ratio <= self.max_ratio:
            raise InfeasibleLadderError(
                f"`min_ratio` {self.min_ratio:g} and `max_ratio` {self.max_ratio:g} contradict each other; "
                "they need 1 < min <= max"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RungArrays:
    """What the rules on two successive rungs look at, one element per rung."""

    total_kbps: Floats
    """Video + audio + overhead, kbps."""
    avq_mos: Floats
    """Predicted AVQ, MOS."""
    video_kbps: Floats
    """Video rate, kbps."""
    audio_kbps: Floats
    """Audio rate, kbps."""
    side_px: Integers
    """Short side of the picture, pixels."""
    audio: Integers
    """Which audio rendition it is: equal numbers for equal renditions."""

    def at(self, places: Any) -> RungArrays:
        """Every array indexed with the same slice, array or tuple of them."""
        return RungArrays(**{item.name: getattr(self, item.name)[places] for item in dataclasses.fields(self)})


def size_allowed(side_px: Integers, rules: LadderRules) -> Bools:
    """Whether a short side is one that was asked for."""
    side_px = np.asarray(side_px)
    allowed = np.full(side_px.shape, not rules.sides_px)
    for least, most in rules.sides_px:
        allowed |= (least <= side_px) & (side_px <= most)
    return allowed


def rate_allowed(total_kbps: Floats, rules: LadderRules) -> Bools:
    """Whether a total rate lies between the least and the largest."""
    return np.asarray((total_kbps >= rules.min_kbps) & (total_kbps <= rules.max_kbps))


def enough_kbps(total_kbps: Floats, avq_mos: npt.NDArray[np.floating], rules: LadderRules) -> float:
    """Total rate of the cheapest that is good enough, over which no rung may lie; inf where nothing is.

    AVQ is compared in single precision, as it is predicted.
    """
    good = np.asarray(avq_mos, dtype=np.float32) >= np.float32(rules.top_avq_mos)
    return float(np.asarray(total_kbps, dtype=np.float64)[good].min(initial=math.inf))


def is_played(played_share: Floats, rules: LadderRules) -> Bools:
    """Whether enough of the audience plays a rung: has the bandwidth for it, and none for the next."""
    return np.asarray(played_share >= rules.min_played_share)


def may_follow(below: RungArrays, above: RungArrays, rules: LadderRules) -> Bools:
    """Whether one rung may come right above another."""
    allowed = (
        _ratio_allowed(below.total_kbps, above.total_kbps, rules)
        & (above.video_kbps - below.video_kbps >= 0.0)
        & (above.side_px - below.side_px >= 0)
        & (above.avq_mos - below.avq_mos >= rules.min_step_mos)
        & ((above.audio == below.audio) | (above.audio_kbps > below.audio_kbps))
    )
    return np.asarray(allowed)


def _ratio_allowed(below_kbps: Floats, above_kbps: Floats, rules: LadderRules) -> Bools:
    ratio = above_kbps / below_kbps
    return np.asarray(
        (ratio >= rules.min_ratio * (1.0 - RATIO_ROUNDING)) & (ratio <= rules.max_ratio * (1.0 + RATIO_ROUNDING))
    )


def rates_below(least_kbps: _Rates, most_kbps: _Rates, rules: LadderRules) -> tuple[_Rates, _Rates]:
    """Total rates outside which no rung can come right below one of `least_kbps` to `most_kbps`."""
    return (
        least_kbps / rules.max_ratio * (1.0 - 2 * RATIO_ROUNDING),
        most_kbps / rules.min_ratio * (1.0 + 2 * RATIO_ROUNDING),
    )


def most_audio(rules: LadderRules, num_offered: int) -> int:
    """The most audio renditions of a ladder, of those that are offered."""
    return num_offered if rules.max_audio is None else min(rules.max_audio, num_offered)
