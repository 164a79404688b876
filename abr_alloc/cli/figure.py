"""`abr-alloc figure`: one static picture, for a paper or a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr_alloc.cli import options

if TYPE_CHECKING:
    from abr_alloc.allocation.surface import QualitySurface
    from abr_alloc.errors import InfeasibleLimits, InfeasibleScene
    from abr_alloc.features.table import FeatureTable
    from abr_alloc.models.checkpoint import Model
    from abr_alloc.report.style import Figure
    from abr_alloc.report.surface_figure import SurfacePanel

__all__ = ["command"]

_KINDS = ("relevance", "surface", "ladder", "split")
_WITH_BUDGET = ("relevance", "surface")


@click.command("figure", short_help="Draw relevance, surface, ladder or split as SVG or PNG.")
@click.argument("kind", type=click.Choice(_KINDS), metavar="KIND")
@options.features_argument
@click.option(
    "-o",
    "--output",
    type=options.PATH,
    required=True,
    metavar="FILE.svg|.png",
    help="The picture to write.",
)
@click.option(
    "--budget",
    "budget_kbps",
    type=options.BITRATE,
    help="For relevance and surface: the total rate. A middling budget when absent.",
)
@click.option("--interpolate", is_flag=True, help="For surface: video rates between the measured ones too.")
@options.ladder_option
@options.planning
def command(
    kind: str,
    features: Path,
    output: Path,
    budget_kbps: float | None,
    interpolate: bool,
    ladder_path: Path | None,
    model_name: str,
    overhead: float,
    **filters: Any,
) -> None:
    """Draw one picture of FEATURES. KIND is

    \b
    relevance  shares of audio and video per scene, and their components
    surface    lines of equal AVQ, budget line, chosen pair: per title, or per
               scene where --scene is given
    ladder     staircase of the rungs beside a fixed ladder
    split      AVQ and the split of the rate over the budget

    \b
    Units stand on the axes, and the pictures can be read without colour.
    """
    suffix = output.suffix.lower()
    if suffix not in (".svg", ".png"):
        raise click.UsageError(f"the output {output} must end in .svg or .png")
    if budget_kbps is not None and kind not in _WITH_BUDGET:
        raise click.UsageError(f"--budget is for {' and '.join(_WITH_BUDGET)}; {kind} shows all budgets, leave it out")
    if interpolate and kind != "surface":
        raise click.UsageError("--interpolate is for the kind surface; leave it out")
    if ladder_path is not None and kind != "ladder":
        raise click.UsageError("--ladder is for the kind ladder; leave it out")
    options.check_output(output, [features, *([ladder_path] if ladder_path else [])])

    from abr_alloc.allocation.filters import Filters, select
    from abr_alloc.allocation.surface import build_surfaces
    from abr_alloc.errors import InfeasibleBudgetError
    from abr_alloc.features.table import read_features, replace_file
    from abr_alloc.models.checkpoint import load_model
    from abr_alloc.report.style import render

    table = select(read_features(features), Filters(**filters))
    model = load_model(model_name)
    surfaces = list(build_surfaces(table, model, overhead=overhead))
    figure: Figure | None
    infeasible: Sequence[InfeasibleScene | InfeasibleLimits] = ()
    if kind == "ladder":
        figure = _ladders(surfaces, table, model, overhead, ladder_path)
    elif kind == "split":
        figure, infeasible = _split(surfaces)
    elif kind == "relevance":
        figure, infeasible = _relevance(surfaces, model, budget_kbps)
    else:
        figure, infeasible = _surfaces(surfaces, model, overhead, budget_kbps, interpolate, bool(filters["scenes"]))
    if figure is not None:
        replace_file(output, render(figure, suffix.removeprefix(".")))
    if infeasible:
        raise InfeasibleBudgetError(infeasible)


def _relevance(
    surfaces: list[QualitySurface], model: Model, budget_kbps: float | None
) -> tuple[Figure | None, Sequence[InfeasibleScene | InfeasibleLimits]]:
    from abr_alloc.allocation.plan import middling_budget_kbps, plan_surfaces
    from abr_alloc.report.figures import draw_relevance

    budget = budget_kbps or middling_budget_kbps(surfaces)
    plan = plan_surfaces(surfaces, [budget], model)
    if not plan.allocations:
        return None, plan.infeasible
    return draw_relevance(plan.allocations, budget_kbps=budget, chosen=budget_kbps is not None), plan.infeasible


def _split(surfaces: list[QualitySurface]) -> tuple[Figure | None, Sequence[InfeasibleLimits]]:
    from abr_alloc.allocation.sensitivity import sweep_budgets
    from abr_alloc.report.figures import draw_sensitivity

    points, infeasible = sweep_budgets(surfaces)
    return draw_sensitivity(points, "mean") if points else None, infeasible


def _ladders(
    surfaces: list[QualitySurface], table: FeatureTable, model: Model, overhead: float, path: Path | None
) -> Figure:
    from abr_alloc.allocation.surface import by_title
    from abr_alloc.cli.designed import find_ladders
    from abr_alloc.cli.verbosity import inform
    from abr_alloc.errors import InfeasibleLadderError
    from abr_alloc.report.ladder_figure import draw_ladders

    titles = list(by_title(surfaces))
    ladder_of, warnings = find_ladders(path, [scenes[0].title for scenes in titles], table, model, overhead)
    for warning in warnings:
        inform(f"warning: {warning}")
    found = {scenes[0].title: ladder_of(scenes) for scenes in titles}
    reasons = {title: ladder for title, ladder in found.items() if isinstance(ladder, str)}
    designed = [ladder for ladder in found.values() if not isinstance(ladder, str)]
    if not designed:
        raise InfeasibleLadderError(next(iter(reasons.values())).rstrip("."))
    for title, reason in reasons.items():
        inform(f"warning: {title} is not drawn: {reason}")
    return draw_ladders(designed)


def _surfaces(
    measured: list[QualitySurface],
    model: Model,
    overhead: float,
    budget_kbps: float | None,
    interpolate: bool,
    per_scene: bool,
) -> tuple[Figure | None, Sequence[InfeasibleScene | InfeasibleLimits]]:
    from abr_alloc.allocation.interpolation import interpolate as between
    from abr_alloc.allocation.plan import middling_budget_kbps, plan_surfaces
    from abr_alloc.allocation.surface import by_title
    from abr_alloc.allocation.title import plan_titles
    from abr_alloc.allocation.title_surface import merge_scenes
    from abr_alloc.report.surface_figure import draw_surfaces

    budget = budget_kbps or middling_budget_kbps(measured)
    panels = []
    for scenes in [[surface] for surface in measured] if per_scene else by_title(measured):
        whole = scenes[0] if per_scene else merge_scenes(scenes)
        if interpolate:
            whole, *scenes = (between(surface, overhead=overhead) for surface in (whole, *scenes))
        panels.append(_panel(scenes, whole, budget, per_scene=per_scene))
    infeasible = (plan_surfaces if per_scene else plan_titles)(measured, [budget], model).infeasible
    if all(panel.chosen_kbps is None for panel in panels):
        return None, infeasible
    return draw_surfaces(panels, budget_kbps=budget, overhead=overhead), infeasible


def _panel(scenes: list[QualitySurface], whole: QualitySurface, budget_kbps: float, *, per_scene: bool) -> SurfacePanel:
    from abr_alloc.report.stops import budget_stops, mean_rates_kbps, stops_per_scene, stops_per_title
    from abr_alloc.report.surface_figure import SurfacePanel

    solve = stops_per_scene if per_scene else stops_per_title
    stops = solve(scenes, [budget_kbps, *budget_stops(scenes)])
    rates = [mean_rates_kbps(scenes, stop) for stop in stops]
    return SurfacePanel(
        surface=whole,
        label=f"{whole.title}, scene {whole.scene}" if per_scene else whole.title,
        path_kbps=tuple(rate for rate in rates[1:] if rate is not None),
        chosen_kbps=rates[0],
        chosen_mos=stops[0].avq_mos,
    )
