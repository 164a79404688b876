"""Plans: the pairs with the best AVQ that a budget allows, per scene or over a whole title.

What may be chosen is the same for every plan (`planning_surfaces`): video rates between the measured ones too, and no
audio that is dearer than transparent. What a scene takes under its own budget lies on its path (`path.py`); a budget
over a title is shared by the paths of its scenes (`title.py`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc import defaults
from abr_alloc.allocation.interpolation import interpolate_all
from abr_alloc.allocation.kept_audio import drop_references, drop_wasted_audio
from abr_alloc.allocation.path import TIE_MOS, Path, find_paths
from abr_alloc.allocation.results import Allocation, Certificate, Choice, Plan, allocate
from abr_alloc.allocation.surface import QualitySurface, build_surfaces, many_titles
from abr_alloc.allocation.title_plan import Limits, plan_titles
from abr_alloc.arguments import require_budgets, require_choice
from abr_alloc.errors import InfeasibleLimits, InfeasibleScene
from abr_alloc.models.checkpoint import Model
from abr_alloc.table.table import FeatureTable

__all__ = [
    "TIE_MOS",
    "Allocation",
    "Certificate",
    "Chosen",
    "Limits",
    "Plan",
    "ScenePath",
    "best_pair",
    "choose_in_table",
    "choose_pairs",
    "middle_of_kbps",
    "middling_budget_kbps",
    "plan_surfaces",
    "plan_table",
    "planning_surfaces",
    "scene_path",
    "scene_paths",
]

EXTRA_BUDGET = 0.10
"""Share of the budget whose worth every plan per scene states."""


def plan_table(
    features: FeatureTable,
    budget_kbps: float | Sequence[float],
    model: Model,
    *,
    per: str = "scene",
    limits: Limits | None = None,
    overhead: float = defaults.OVERHEAD,
    measured_only: bool = False,
) -> Plan:
    """Plan every scene of a table.

    A plan takes the pair with the best AVQ within the budget, and of pairs within `TIE_MOS` of it the cheapest; a
    larger budget never has a smaller picture unless that is better by more than the tie (`path.py`).

    Args:
        features: a table, from `read_features`.
        budget_kbps: one budget or several, kbps, overhead included.
        model: model that predicts.
        per: `scene` gives the budget to every scene; `title` to the title's mean over time.
        limits: what else must hold, and how AVQ is pooled over a title.
        overhead: container overhead as a share of the streams' rate.
        measured_only: choose among the measured video renditions alone, instead of rates between them too
            (`interpolation.py`).

    Raises:
        CheckpointError: the model was trained on other features.
        FeatureTableError: a scene lacks audio or video rows, or the scenes of a title share no rendition.
        ArgumentError: a budget is no positive number, or `per` is unknown.
        TypeError: the budget is text.
    """
    budgets = require_budgets("budget_kbps", budget_kbps)
    require_choice("per", per, ("scene", "title"))
    measured = build_surfaces(features, model, overhead=overhead)
    surfaces = planning_surfaces(measured, overhead=overhead, measured_only=measured_only)
    return (plan_titles if per == "title" else plan_surfaces)(surfaces, budgets, model, limits or Limits())


def planning_surfaces(
    surfaces: Iterable[QualitySurface], *, overhead: float, measured_only: bool = False
) -> Iterator[QualitySurface]:
    """What plans choose from: measured surfaces without wasted audio and, unless `measured_only`, with every size at
    every rate between its probes."""
    for scenes in many_titles(surfaces):
        lean = [drop_wasted_audio(scene) for scene in scenes]
        if measured_only:
            yield from (scene.measured() for scene in lean)
        else:
            yield from interpolate_all(lean, overhead=overhead, every_size=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenePath:
    """The path of a scene, with its pairs as places in the surface."""

    surface: QualitySurface
    """The scene."""
    path: Path
    """Its path; pairs are places in the flattened surface."""

    def pair_at(self, budget_kbps: float) -> tuple[int, int] | None:
        """Indices (video, audio) of what a budget buys; None where nothing fits."""
        place = self.path.at(budget_kbps)
        if place is None:
            return None
        video, audio = divmod(int(self.path.pair[place]), len(self.surface.audio))
        return video, audio

    def height_falls(self, budget_kbps: float) -> bool:
        """Whether a smaller budget has a larger picture."""
        place = self.path.at(budget_kbps)
        return place is not None and bool(self.path.falls[place])


def scene_path(surface: QualitySurface, *, min_avq_mos: float = -math.inf, up_to_kbps: float = math.inf) -> ScenePath:
    """The path of a scene over its pairs with a least AVQ, for budgets up to a largest one."""
    return scene_paths([surface], min_avq_mos=min_avq_mos, up_to_kbps=up_to_kbps)[0]


def scene_paths(
    surfaces: Sequence[QualitySurface], *, min_avq_mos: float = -math.inf, up_to_kbps: float = math.inf
) -> list[ScenePath]:
    """`scene_path` of every scene, which are walked together."""
    pairs, places = [], []
    for surface in surfaces:
        avq, kbps = surface.avq_mos.ravel(), surface.total_kbps.ravel()
        side = np.repeat(surface.video_side_px, len(surface.audio))
        allowed = None
        if min_avq_mos > -math.inf:
            allowed = np.flatnonzero(avq >= min_avq_mos)
            avq, kbps, side = avq[allowed], kbps[allowed], side[allowed]
        pairs.append((avq, kbps, side))
        places.append(allowed)
    return [
        ScenePath(
            surface=surface,
            path=path if allowed is None else Path(from_kbps=path.from_kbps, pair=allowed[path.pair], falls=path.falls),
        )
        for surface, allowed, path in zip(surfaces, places, find_paths(pairs, up_to_kbps=up_to_kbps), strict=True)
    ]


def best_pair(surface: QualitySurface, budget_kbps: float) -> tuple[int, int] | None:
    """Indices (video, audio) of what one budget buys; None where nothing fits. For several, ask one `scene_path`."""
    return scene_path(surface, up_to_kbps=budget_kbps).pair_at(budget_kbps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What came of some scenes under one budget, before it is written out."""

    choices: list[Choice]
    """The pairs of scenes that something fits."""
    infeasible: list[InfeasibleScene | InfeasibleLimits]
    """The other scenes."""


def choose_pairs(
    surfaces: Iterable[QualitySurface], budgets_kbps: Sequence[float], limits: Limits
) -> Iterator[list[Chosen]]:
    """Choose a pair for every surface and budget, many titles at a time: of each such batch, a result per budget."""
    most_kbps = min(max(budgets_kbps, default=0.0) * (1.0 + EXTRA_BUDGET), limits.max_rate_kbps)
    for scenes in many_titles(surfaces):
        paths = scene_paths(scenes, min_avq_mos=limits.min_avq_mos, up_to_kbps=most_kbps)
        batch = []
        for budget_kbps in budgets_kbps:
            found = [_choose(path, budget_kbps, limits) for path in paths]
            batch.append(
                Chosen(
                    choices=[c for c in found if isinstance(c, Choice)],
                    infeasible=[c for c in found if not isinstance(c, Choice)],
                )
            )
        yield batch


def choose_in_table(
    features: FeatureTable,
    budgets_kbps: Sequence[float],
    model: Model,
    *,
    limits: Limits | None = None,
    overhead: float = defaults.OVERHEAD,
    measured_only: bool = False,
) -> Iterator[list[Chosen]]:
    """`choose_pairs` for every scene of a table: what `plan_table` chooses; its arguments and errors."""
    measured = build_surfaces(features, model, overhead=overhead)
    surfaces = planning_surfaces(measured, overhead=overhead, measured_only=measured_only)
    return choose_pairs(surfaces, require_budgets("budget_kbps", budgets_kbps), limits or Limits())


def plan_surfaces(
    surfaces: Iterable[QualitySurface], budgets_kbps: Sequence[float], model: Model, limits: Limits | None = None
) -> Plan:
    """Choose a pair for every surface and budget. Of the limits, the largest rate and the least AVQ apply.

    Surfaces of one title come one after the other, and what is predicted of their pairs is predicted title by title
    (`prediction.py`); paths are walked for many titles at once.
    """
    allocations: list[list[Allocation]] = [[] for _ in budgets_kbps]
    infeasible: list[list[InfeasibleScene | InfeasibleLimits]] = [[] for _ in budgets_kbps]
    for batch in choose_pairs(surfaces, budgets_kbps, limits or Limits()):
        for i, chosen in enumerate(batch):
            allocations[i] += allocate(chosen.choices, budgets_kbps[i], model)
            infeasible[i] += chosen.infeasible
    return Plan(allocations=tuple(itertools.chain(*allocations)), infeasible=tuple(itertools.chain(*infeasible)))


def middling_budget_kbps(surfaces: Sequence[QualitySurface]) -> float:
    """A budget in the middle of what a table holds: the median over scenes of the geometric mean of the cheapest and
    the most expensive pair, never below the most expensive scene's cheapest pair; rounded up to two digits. Pairs
    with lossless audio do not count."""
    rates = [drop_references(surface).total_kbps for surface in surfaces]
    return middle_of_kbps(np.array([kbps.min() for kbps in rates]), np.array([kbps.max() for kbps in rates]))


def middle_of_kbps(least: npt.NDArray[np.float64], most: npt.NDArray[np.float64]) -> float:
    """The same from the rates of every scene's cheapest and most expensive pair, (S,) each, kbps."""
    value = max(float(np.median(np.sqrt(least * most))), float(least.max()))
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(np.ceil(value / unit) * unit)


def _choose(path: ScenePath, budget_kbps: float, limits: Limits) -> Choice | InfeasibleScene | InfeasibleLimits:
    """What one scene takes under one budget, or why there is nothing."""
    surface, most_kbps = path.surface, min(budget_kbps, limits.max_rate_kbps)
    pair = path.pair_at(most_kbps)
    if pair is None:
        cheapest = _cheapest(surface, budget_kbps)
        if cheapest.total_kbps > budget_kbps:
            return cheapest
        if cheapest.total_kbps > limits.max_rate_kbps:
            return _too_dear(surface, cheapest, limits)
        return _too_poor(surface, budget_kbps, most_kbps, limits)
    more = path.pair_at(min(budget_kbps * (1.0 + EXTRA_BUDGET), limits.max_rate_kbps)) or pair
    allowed = surface.total_kbps <= most_kbps
    if limits.min_avq_mos > -math.inf:
        allowed &= surface.avq_mos >= limits.min_avq_mos
    return Choice(
        surface=surface,
        video=pair[0],
        audio=pair[1],
        num_feasible=int(np.count_nonzero(allowed)),
        extra_budget_gain_mos=float(surface.avq_mos[more]) - float(surface.avq_mos[pair]),
        height_falls=path.height_falls(most_kbps),
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
        reason=(
            f"the cheapest pair takes {cheapest.total_kbps:.1f} kbps, over `max_rate_kbps` {limits.max_rate_kbps:g}k"
        ),
        hint="raise `max_rate_kbps` or add a cheaper rendition to the grid",
    )


def _too_poor(surface: QualitySurface, budget_kbps: float, most_kbps: float, limits: Limits) -> InfeasibleLimits:
    best_mos = float(surface.avq_mos[surface.total_kbps <= most_kbps].max())
    good = surface.avq_mos >= limits.min_avq_mos
    needed = float(np.where(good, surface.total_kbps, math.inf).min())
    floor = limits.min_avq_mos
    if math.isfinite(needed):
        reason = f"{most_kbps:g} kbps buy an AVQ of {best_mos:.2f}; {floor:g} cost {needed:.1f} kbps"
        hint = "raise `budget_kbps` (and `max_rate_kbps`, where given) or lower `min_avq_mos`"
    else:
        reason = f"no pair reaches an AVQ of {floor:g}; the best has {float(surface.avq_mos.max()):.2f}"
        hint = "lower `min_avq_mos` or add better renditions to the grid"
    return InfeasibleLimits(
        title=surface.title,
        scene=surface.scene,
        budget_kbps=budget_kbps,
        needed_kbps=needed if math.isfinite(needed) else None,
        reason=reason,
        hint=hint,
    )
