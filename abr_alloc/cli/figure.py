"""`abr-alloc figure`: one static picture, for a paper or a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from abr_alloc.cli import options, places

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
    from abr_alloc.cli.listening import listener
    from abr_alloc.errors import InfeasibleBudgetError
    from abr_alloc.models.checkpoint import load_model
    from abr_alloc.reporting.style import render
    from abr_alloc.runs.figure_run import draw
    from abr_alloc.table.table import read_features
    from abr_alloc.writing import replace_file

    figure, infeasible = draw(
        kind,
        select(read_features(features), Filters(**filters)),
        load_model(model_name),
        budget_kbps=budget_kbps,
        overhead=overhead,
        measured_only=measured_only,
        equations=with_equations,
        per_scene=bool(filters["scenes"]),
        ladder_path=ladder_path,
        mix_audio=len(filters["audio_codecs"]) > 1,
        feedback=listener(),
    )
    if figure is not None:
        replace_file(output, render(figure, suffix.removeprefix(".")))
    if infeasible:
        raise InfeasibleBudgetError(infeasible)
