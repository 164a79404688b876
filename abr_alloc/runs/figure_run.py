"""One static picture of a feature table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from abr_alloc import defaults
from abr_alloc.allocation.plan import middling_budget_kbps, plan_surfaces, planning_surfaces
from abr_alloc.allocation.sensitivity import sweep_budgets
from abr_alloc.allocation.surface import QualitySurface, build_surfaces, by_title
from abr_alloc.allocation.title_plan import plan_titles
from abr_alloc.allocation.title_surface import merge_scenes
from abr_alloc.errors import InfeasibleLadderError, InfeasibleLimits, InfeasibleScene
from abr_alloc.models.checkpoint import Model
from abr_alloc.reporting.budget_sweep import budget_stops, mean_rates_kbps, stops_per_scene, stops_per_title
from abr_alloc.reporting.figures import draw_relevance, draw_sensitivity
from abr_alloc.reporting.ladder_figure import draw_ladders
from abr_alloc.reporting.style import Figure
from abr_alloc.reporting.surface_figure import SurfacePanel, draw_surfaces
from abr_alloc.runs.feedback import Feedback
from abr_alloc.runs.shown_ladders import find_ladders
from abr_alloc.table.table import FeatureTable

__all__ = ["KINDS", "draw"]

KINDS = ("relevance", "surface", "ladder", "split")
"""What can be drawn."""


def draw(
    kind: str,
    table: FeatureTable,
    model: Model,
    *,
    budget_kbps: float | None = None,
    overhead: float = defaults.OVERHEAD,
    measured_only: bool = False,
    equations: bool = False,
    per_scene: bool = False,
    ladder_path: Path | None = None,
    mix_audio: bool = False,
    feedback: Feedback | None = None,
) -> tuple[Figure | None, Sequence[InfeasibleScene | InfeasibleLimits]]:
    """Draw relevance, surfaces, ladders or the split of the rate.

    Args:
        kind: one of `KINDS`.
        table: what is drawn.
        model: model that predicts.
        budget_kbps: for relevance and surface; a middling budget when None.
        overhead: container overhead as a share of the streams' rate.
        measured_only: choose among the measured video renditions alone.
        equations: for relevance: Eq. 6 and 7 too.
        per_scene: for surface: one per scene instead of one per title.
        ladder_path: for ladder: a ladder file, or a folder of them; the default design when None.
        mix_audio: for ladder: as in `DesignOptions`.
        feedback: who listens.

    Returns:
        The figure, None where nothing fits; and what nothing fits.

    Raises:
        InfeasibleLadderError: no title has a ladder.
    """
    measured = list(build_surfaces(table, model, overhead=overhead))
    if kind == "ladder":
        return _ladders(measured, table, model, overhead, ladder_path, mix_audio, feedback or Feedback()), ()
    surfaces = list(planning_surfaces(measured, overhead=overhead, measured_only=measured_only))
    if kind == "split":
        return _split(surfaces, stepped=measured_only)
    if kind == "relevance":
        return _relevance(measured, surfaces, model, budget_kbps, equations=equations)
    return _surfaces(measured, surfaces, model, overhead, budget_kbps, measured_only=measured_only, per_scene=per_scene)


def _relevance(
    measured: list[QualitySurface],
    surfaces: list[QualitySurface],
    model: Model,
    budget_kbps: float | None,
    *,
    equations: bool,
) -> tuple[Figure | None, Sequence[InfeasibleScene | InfeasibleLimits]]:
    budget = middling_budget_kbps(measured) if budget_kbps is None else budget_kbps
    plan = plan_surfaces(surfaces, [budget], model)
    if not plan.allocations:
        return None, plan.infeasible
    chosen = budget_kbps is not None
    figure = draw_relevance(plan.allocations, budget_kbps=budget, chosen=chosen, equations=equations)
    return figure, plan.infeasible


_SPLIT_POINTS = 72
"""Budgets per title in a picture of the split: a step of audio is then hardly wider than the line."""


def _split(surfaces: list[QualitySurface], *, stepped: bool) -> tuple[Figure | None, Sequence[InfeasibleLimits]]:
    points, infeasible = sweep_budgets(surfaces, num_points=_SPLIT_POINTS)
    return draw_sensitivity(points, "mean", stepped=stepped) if points else None, infeasible


def _ladders(
    surfaces: list[QualitySurface],
    table: FeatureTable,
    model: Model,
    overhead: float,
    path: Path | None,
    mix_audio: bool,
    feedback: Feedback,
) -> Figure:
    titles = list(by_title(surfaces))
    names = [scenes[0].title for scenes in titles]
    ladder_of, warnings = find_ladders(path, names, table, model, overhead, mix_audio=mix_audio)
    for warning in warnings:
        feedback.note(f"warning: {warning}")
    found = {scenes[0].title: ladder_of(scenes) for scenes in titles}
    reasons = {title: ladder for title, ladder in found.items() if isinstance(ladder, str)}
    designed = [ladder for ladder in found.values() if not isinstance(ladder, str)]
    if not designed:
        raise InfeasibleLadderError(next(iter(reasons.values())).rstrip("."))
    for title, reason in reasons.items():
        feedback.note(f"warning: {title} is not drawn: {reason}")
    return draw_ladders(designed)


def _surfaces(
    measured: list[QualitySurface],
    surfaces: list[QualitySurface],
    model: Model,
    overhead: float,
    budget_kbps: float | None,
    *,
    measured_only: bool,
    per_scene: bool,
) -> tuple[Figure | None, Sequence[InfeasibleScene | InfeasibleLimits]]:
    budget = middling_budget_kbps(measured) if budget_kbps is None else budget_kbps
    panels = []
    if per_scene:
        for probed, scene in zip(measured, surfaces, strict=True):
            panels.append(_panel([scene], scene, probed, budget, per_scene=True))
    else:
        for probed_scenes, scenes in zip(by_title(measured), by_title(surfaces), strict=True):
            probed = merge_scenes(probed_scenes)
            (whole,) = planning_surfaces([probed], overhead=overhead, measured_only=measured_only)
            panels.append(_panel(scenes, whole, probed, budget, per_scene=False))
    infeasible = (plan_surfaces if per_scene else plan_titles)(surfaces, [budget], model).infeasible
    if all(panel.chosen_kbps is None for panel in panels):
        return None, infeasible
    return draw_surfaces(panels, budget_kbps=budget, overhead=overhead), infeasible


def _panel(
    scenes: list[QualitySurface], whole: QualitySurface, probed: QualitySurface, budget_kbps: float, *, per_scene: bool
) -> SurfacePanel:
    solve = stops_per_scene if per_scene else stops_per_title
    stops = solve(scenes, [budget_kbps, *budget_stops(scenes)])
    rates = [mean_rates_kbps(scenes, stop) for stop in stops]
    between = len(whole.video) > len(probed.video)
    return SurfacePanel(
        surface=whole,
        label=f"{whole.title}, scene {whole.scene}" if per_scene else whole.title,
        path_kbps=tuple(rate for rate in rates[1:] if rate is not None),
        chosen_kbps=rates[0],
        chosen_mos=stops[0].avq_mos,
        measured_kbps=tuple(v.bitrate_kbps for v in probed.video) if between else (),
    )
