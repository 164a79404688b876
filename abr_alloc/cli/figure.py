"""`abr-alloc figure`: one static picture, for a paper or a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr_alloc.cli import options, places

if TYPE_CHECKING:
    from abr_alloc.allocation.surface import QualitySurface
    from abr_alloc.errors import InfeasibleLimits, InfeasibleScene
    from abr_alloc.models.checkpoint import Model
    from abr_alloc.report.style import Figure
    from abr_alloc.report.surface_figure import SurfacePanel
    from abr_alloc.table.table import FeatureTable

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
@options.measured_only_option
@click.option("--with-equations", is_flag=True, help="For relevance: draw Eq. 6 and 7 at the planned pair too.")
@options.ladder_option
@options.planning
def command(
    kind: str,
    features: Path,
    output: Path,
    budget_kbps: float | None,
    measured_only: bool,
    with_equations: bool,
    ladder_path: Path | None,
    model_name: str,
    overhead: float,
    **filters: Any,
) -> None:
    """Draw one picture of FEATURES. KIND is

    \b
    relevance  shares of audio and video per scene
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
    if measured_only and kind == "ladder":
        raise click.UsageError("--measured-only is not for the kind ladder, whose rates are rounded; leave it out")
    if with_equations and kind != "relevance":
        raise click.UsageError("--with-equations is for the kind relevance; leave it out")
    if ladder_path is not None and kind != "ladder":
        raise click.UsageError("--ladder is for the kind ladder; leave it out")
    places.check_output(output, [features, *([ladder_path] if ladder_path else [])])

    from abr_alloc.allocation.filters import Filters, select
    from abr_alloc.allocation.plan import planning_surfaces
    from abr_alloc.allocation.surface import build_surfaces
    from abr_alloc.errors import InfeasibleBudgetError
    from abr_alloc.models.checkpoint import load_model
    from abr_alloc.report.style import render
    from abr_alloc.table.table import read_features
    from abr_alloc.writing import replace_file

    table = select(read_features(features), Filters(**filters))
    model = load_model(model_name)
    measured = list(build_surfaces(table, model, overhead=overhead))
    surfaces = list(planning_surfaces(measured, overhead=overhead, measured_only=measured_only))
    figure: Figure | None
    infeasible: Sequence[InfeasibleScene | InfeasibleLimits] = ()
    if kind == "ladder":
        mix_audio = len(filters["audio_codecs"]) > 1
        figure = _ladders(measured, table, model, overhead, ladder_path, mix_audio=mix_audio)
    elif kind == "split":
        figure, infeasible = _split(surfaces, stepped=measured_only)
    elif kind == "relevance":
        figure, infeasible = _relevance(measured, surfaces, model, budget_kbps, equations=with_equations)
    else:
        per_scene = bool(filters["scenes"])
        figure, infeasible = _surfaces(
            measured, surfaces, model, overhead, budget_kbps, measured_only=measured_only, per_scene=per_scene
        )
    if figure is not None:
        replace_file(output, render(figure, suffix.removeprefix(".")))
    if infeasible:
        raise InfeasibleBudgetError(infeasible)


def _relevance(
    measured: list[QualitySurface],
    surfaces: list[QualitySurface],
    model: Model,
    budget_kbps: float | None,
    *,
    equations: bool,
) -> tuple[Figure | None, Sequence[InfeasibleScene | InfeasibleLimits]]:
    from abr_alloc.allocation.plan import middling_budget_kbps, plan_surfaces
    from abr_alloc.report.figures import draw_relevance

    budget = budget_kbps or middling_budget_kbps(measured)
    plan = plan_surfaces(surfaces, [budget], model)
    if not plan.allocations:
        return None, plan.infeasible
    chosen = budget_kbps is not None
    figure = draw_relevance(plan.allocations, budget_kbps=budget, chosen=chosen, equations=equations)
    return figure, plan.infeasible


_SPLIT_POINTS = 72
"""Budgets per title in a picture of the split: a step of audio is then hardly wider than the line."""


def _split(surfaces: list[QualitySurface], *, stepped: bool) -> tuple[Figure | None, Sequence[InfeasibleLimits]]:
    from abr_alloc.allocation.sensitivity import sweep_budgets
    from abr_alloc.report.figures import draw_sensitivity

    points, infeasible = sweep_budgets(surfaces, num_points=_SPLIT_POINTS)
    return draw_sensitivity(points, "mean", stepped=stepped) if points else None, infeasible


def _ladders(
    surfaces: list[QualitySurface],
    table: FeatureTable,
    model: Model,
    overhead: float,
    path: Path | None,
    *,
    mix_audio: bool,
) -> Figure:
    from abr_alloc.allocation.surface import by_title
    from abr_alloc.cli.shown_ladders import find_ladders
    from abr_alloc.cli.verbosity import inform
    from abr_alloc.errors import InfeasibleLadderError
    from abr_alloc.report.ladder_figure import draw_ladders

    titles = list(by_title(surfaces))
    names = [scenes[0].title for scenes in titles]
    ladder_of, warnings = find_ladders(path, names, table, model, overhead, mix_audio=mix_audio)
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
    surfaces: list[QualitySurface],
    model: Model,
    overhead: float,
    budget_kbps: float | None,
    *,
    measured_only: bool,
    per_scene: bool,
) -> tuple[Figure | None, Sequence[InfeasibleScene | InfeasibleLimits]]:
    from abr_alloc.allocation.plan import middling_budget_kbps, plan_surfaces, planning_surfaces
    from abr_alloc.allocation.surface import by_title
    from abr_alloc.allocation.title_plan import plan_titles
    from abr_alloc.allocation.title_surface import merge_scenes
    from abr_alloc.report.surface_figure import draw_surfaces

    budget = budget_kbps or middling_budget_kbps(measured)
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
    from abr_alloc.report.budget_sweep import budget_stops, mean_rates_kbps, stops_per_scene, stops_per_title
    from abr_alloc.report.surface_figure import SurfacePanel

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
