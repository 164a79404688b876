"""A title whose scenes choose, as arrays: what may be chosen, what it must keep, and what it is judged by.

Axes: S scenes, P options.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from abr_alloc.allocation.pooling import LOW_SHARE, Candidates, held_level, scene_values
from abr_alloc.allocation.relaxation import Choice, Floats
from abr_alloc.allocation.shot_chain import STEP_ROUNDING
from abr_alloc.allocation.shot_windows import PeakWindows

__all__ = ["Found", "ShotChoice", "ShotProblem", "from_sum", "pooled_slope"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotProblem:
    """What the scenes of a title may choose from, and what their choices must keep."""

    candidates: Candidates
    """AVQ and rate of every option that a scene may take by itself."""
    pool: str
    """How AVQ is pooled over time."""
    max_step_mos: float = math.inf
    """Largest difference in AVQ between neighbouring scenes, MOS."""
    windows: PeakWindows | None = None
    """Windows whose rate is limited; None where no rate is."""
    peak_kbps: float = math.inf
    """Largest rate of a window, kbps."""
    keeper: Choice | None = None
    """A choice that keeps all limits, as light as may be, (S,); where windows are limited."""
    asked: Floats | None = None
    """What every option asks for, in the encoder's scale, (P,): of equals, what most of the title is asked for."""

    def keeps(self, choice: Choice) -> bool:
        """Whether a choice keeps steps and windows."""
        avq = self.candidates.avq_mos[np.arange(len(choice)), choice]
        if not (np.abs(np.diff(avq)) <= self.max_step_mos + STEP_ROUNDING).all():
            return False
        return self.windows is None or self.windows.keeps(choice, self.peak_kbps)

    def pooled_mos(self, choice: Choice) -> float:
        """Pooled AVQ of a choice, MOS."""
        avq = self.candidates.avq_mos[np.arange(len(choice)), choice]
        share = self.candidates.time_share
        if self.pool == "min":
            return float(avq.min())
        if self.pool == "p5":
            return held_level(avq, share, LOW_SHARE)
        return from_sum(math.fsum((scene_values(avq, self.pool) * share).tolist()), self.pool)

    def merit(self, choice: Choice) -> tuple[float, float]:
        """What a choice is judged by: its pooled AVQ, then its mean."""
        avq = self.candidates.avq_mos[np.arange(len(choice)), choice]
        return self.pooled_mos(choice), math.fsum((avq * self.candidates.time_share).tolist())

    def mean_kbps(self, choice: Choice) -> float:
        """Mean rate of a choice, kbps."""
        kbps = self.candidates.kbps[np.arange(len(choice)), choice]
        return math.fsum((kbps * self.candidates.time_share).tolist())


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotChoice:
    """A choice with its proof."""

    choice: Choice
    """Option of every scene, (S,)."""
    pooled_mos: float
    """Its pooled AVQ, MOS."""
    upper_bound_mos: float
    """No choice of its mean rate that keeps the limits pools higher."""
    budget_bound_mos: float
    """No choice within the mean rate that was asked for pools higher."""
    price_mos_per_kbps: float
    """What another kbps of mean rate is worth, in pooled AVQ."""


@dataclass(frozen=True, slots=True)
class Found:
    """A choice before its proof."""

    choice: Choice
    """Option of every scene, (S,)."""
    price: float
    """What another kbps of mean rate is worth, in pooled AVQ."""
    bound: Callable[[float], float]
    """Pooled AVQ, MOS, over which no choice of a mean rate, within that it was found for, lies."""


def from_sum(total: float, pool: str) -> float:
    """Pooled AVQ, MOS, of what a knapsack has added up (`scene_values`) over time."""
    return total if pool == "mean" else -1.0 / total


def pooled_slope(problem: ShotProblem, choice: Choice) -> float:
    """Change of the pooled AVQ with the sum behind it: d(-1 / u) = du / u^2."""
    return 1.0 if problem.pool == "mean" else problem.pooled_mos(choice) ** 2
