"""Plans: the pairs with the best AVQ that a budget allows, per scene or over a whole title.

One scene under one budget is a maximum over its pairs, so every pair is looked at. A budget over a title is shared by
its scenes: `title.py`. Both answers are exact.
"""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.interpolation import interpolate
from abr_alloc.allocation.record import Allocation, Certificate, Choice, Plan, allocate
from abr_alloc.allocation.surface import DEFAULT_OVERHEAD, QualitySurface, build_surfaces
from abr_alloc.allocation.title import Limits, plan_titles
from abr_alloc.errors import InfeasibleLimits, InfeasibleScene
from abr_alloc.features.table import FeatureTable
from abr_alloc.models.checkpoint import Model, load_model

__all__ = [
    "Allocation",
    "Certificate",
    "Limits",
    "Plan",
    "best_pair",
    "choose_pair",
    "middle_of_kbps",
    "middling_budget_kbps",
    "plan",
    "plan_surfaces",
]

TIE_MOS = 1e-6
"""Pairs whose AVQ differs by no more are equal, and the cheaper one is taken."""

EXTRA_BUDGET = 0.10
"""Share of the budget whose worth every plan per scene states."""


def plan(
    features: FeatureTable,
    budget_kbps: float | Sequence[float],
    model: Model | None = None,
    *,
    per: str = "scene",
    limits: Limits | None = None,
    overhead: float = DEFAULT_OVERHEAD,
    interpolated: bool = False,
) -> Plan:
    """Plan every scene of a table.

    Args:
        features: a table, from `read_features`.
        budget_kbps: one budget or several, kbps, overhead included.
        model: from `load_model`; None for the default.
        per: `scene` gives the budget to every scene; `title` to the title's mean over time.
        limits: what else must hold, and how AVQ is pooled over a title.
        overhead: container overhead as a share of the streams' rate.
        interpolated: choose between measured video renditions too (`interpolation.py`).

    Raises:
        CheckpointError: the model was trained on other features.
        FeatureTableError: a scene lacks audio or video rows, or the scenes of a title share no rendition.
        TypeError, ValueError: a budget is no positive number, or `per` is unknown.
    """
    model = model or load_model()
    given = [budget_kbps] if isinstance(budget_kbps, numbers.Real) else budget_kbps
    if isinstance(given, str):
        raise TypeError(f"budget_kbps is a number in kbps or several, not {given!r}")
    budgets = [float(budget) for budget in given]  # type: ignore[union-attr]
    for budget in budgets:
        if not 0.0 < budget < np.inf:
            raise ValueError(f"a budget of {budget} kbps is not positive and finite")
    if per not in ("scene", "title"):
        raise ValueError(f"per is 'scene' or 'title', not {per!r}")
    surfaces = build_surfaces(features, model, overhead=overhead)
    if interpolated:
        surfaces = (interpolate(surface, overhead=overhead) for surface in surfaces)
    return (plan_titles if per == "title" else plan_surfaces)(surfaces, budgets, model, limits or Limits())


def best_pair(surface: QualitySurface, budget_kbps: float) -> tuple[int, int] | None:
    """Indices (video, audio) of the best feasible pair; None where none fits.

    Pairs within `TIE_MOS` of the best are equal; the cheapest of them is taken.
    """
    feasible = surface.total_kbps <= budget_kbps
    if not feasible.any():
        return None
    avq = np.where(feasible, surface.avq_mos, -np.inf)
    tied = avq >= avq.max() - TIE_MOS
    cheapest = int(np.argmin(np.where(tied, surface.total_kbps, np.inf)))
    video, audio = np.unravel_index(cheapest, avq.shape)
    return int(video), int(audio)


def plan_surfaces(
    surfaces: Iterable[QualitySurface], budgets_kbps: Sequence[float], model: Model, limits: Limits | None = None
) -> Plan:
    """Choose a pair for every surface and budget. Of the limits, the largest rate and the least AVQ apply."""
    limits = limits or Limits()
    choices: list[list[Choice]] = [[] for _ in budgets_kbps]
    infeasible: list[list[InfeasibleScene | InfeasibleLimits]] = [[] for _ in budgets_kbps]
    for surface in surfaces:
        for i, budget_kbps in enumerate(budgets_kbps):
            found = choose_pair(surface, budget_kbps, limits)
            if isinstance(found, Choice):
                choices[i].append(found)
            else:
                infeasible[i].append(found)
    return Plan(
        allocations=tuple(
            itertools.chain(*(allocate(c, b, model) for c, b in zip(choices, budgets_kbps, strict=True)))
        ),
        infeasible=tuple(itertools.chain(*infeasible)),
    )


def middling_budget_kbps(surfaces: Sequence[QualitySurface]) -> float:
    """A budget in the middle of what a table holds: the median over scenes of the geometric mean of the cheapest and
    the dearest pair, never below the dearest scene's cheapest pair; rounded up to two digits."""
    return middle_of_kbps(
        np.array([s.total_kbps.min() for s in surfaces]), np.array([s.total_kbps.max() for s in surfaces])
    )


def middle_of_kbps(least: npt.NDArray[np.float64], most: npt.NDArray[np.float64]) -> float:
    """The same from the rates of every scene's cheapest and dearest pair, (S,) each, kbps."""
    value = max(float(np.median(np.sqrt(least * most))), float(least.max()))
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(np.ceil(value / unit) * unit)


def choose_pair(
    surface: QualitySurface, budget_kbps: float, limits: Limits
) -> Choice | InfeasibleScene | InfeasibleLimits:
    """The best pair of one scene under one budget, or why there is none."""
    most_kbps = min(budget_kbps, limits.max_rate_kbps)
    pair = best_pair(surface, most_kbps)
    if pair is None:
        cheapest = _cheapest(surface, budget_kbps)
        return cheapest if cheapest.total_kbps > budget_kbps else _too_dear(surface, cheapest, limits)
    avq = float(surface.avq_mos[pair])
    if avq < limits.min_avq_mos - TIE_MOS:
        return _too_poor(surface, budget_kbps, most_kbps, avq, limits)
    more = best_pair(surface, min(budget_kbps * (1.0 + EXTRA_BUDGET), limits.max_rate_kbps))
    allowed = (surface.total_kbps <= most_kbps) & (surface.avq_mos >= limits.min_avq_mos)
    return Choice(
        surface=surface,
        video=pair[0],
        audio=pair[1],
        num_feasible=int(allowed.sum()),
        extra_budget_gain_mos=max(float(surface.avq_mos[more]) - avq, 0.0) if more else 0.0,
    )


def _cheapest(surface: QualitySurface, budget_kbps: float) -> InfeasibleScene:
    video, audio = np.unravel_index(int(np.argmin(surface.total_kbps)), surface.total_kbps.shape)
    return InfeasibleScene(
        title=surface.title,
        scene=surface.scene,
        budget_kbps=budget_kbps,
        video_kbps=surface.video[int(video)].bitrate_kbps,
        audio_kbps=surface.audio[int(audio)].bitrate_kbps,
        total_kbps=float(surface.total_kbps[video, audio]),
    )


def _too_dear(surface: QualitySurface, cheapest: InfeasibleScene, limits: Limits) -> InfeasibleLimits:
    return InfeasibleLimits(
        title=surface.title,
        scene=surface.scene,
        budget_kbps=cheapest.budget_kbps,
        needed_kbps=cheapest.total_kbps,
        reason=f"the cheapest pair takes {cheapest.total_kbps:.1f} kbps, over --max-rate {limits.max_rate_kbps:g}k",
        hint="raise --max-rate or add a cheaper rendition to the grid",
    )


def _too_poor(
    surface: QualitySurface, budget_kbps: float, most_kbps: float, best_mos: float, limits: Limits
) -> InfeasibleLimits:
    good = surface.avq_mos >= limits.min_avq_mos
    needed = float(np.where(good, surface.total_kbps, math.inf).min())
    floor = limits.min_avq_mos
    if math.isfinite(needed):
        reason = f"{most_kbps:g} kbps buy an AVQ of {best_mos:.2f}; {floor:g} cost {needed:.1f} kbps"
        hint = "raise --budget (and --max-rate, where given) or lower --min-avq"
    else:
        reason = f"no pair reaches an AVQ of {floor:g}; the best has {float(surface.avq_mos.max()):.2f}"
        hint = "lower --min-avq or add better renditions to the grid"
    return InfeasibleLimits(
        title=surface.title,
        scene=surface.scene,
        budget_kbps=budget_kbps,
        needed_kbps=needed if math.isfinite(needed) else None,
        reason=reason,
        hint=hint,
    )
