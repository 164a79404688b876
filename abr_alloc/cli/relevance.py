"""`abr-alloc relevance`: how much audio and video matter per scene."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from abr_alloc.cli import options, places, streaming
from abr_alloc.cli.parameters import infeasible_object
from abr_alloc.documents import json_text

__all__ = ["command"]

_FORMATS = (".png", ".svg", ".json", ".csv", ".parquet")
_ROWS = (".csv", ".parquet")


@click.command("relevance", short_help="Estimate how much audio and video matter per scene.")
@options.features_argument
@click.option(
    "-o", "--output", type=options.PATH, metavar="FILE.png|.svg|.json|.csv|.parquet",
    help="A picture, JSON, or rows; a text table is printed when absent.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/formats.md).")
@click.option(
    "--budget", "budget_kbps", type=options.BITRATE,
    help="Operating point: relevance is that of the pair planned at this budget. A middling budget when absent.",
)  # fmt: skip
@options.measured_only_option
@options.planning
@options.catalogue_jobs_option
@options.cluster_option
def command(
    features: Path,
    output: Path | None,
    as_json: bool,
    budget_kbps: float | None,
    measured_only: bool,
    model_name: str,
    overhead: float,
    jobs: int,
    scheduler: str | None,
    **filters: Any,
) -> None:
    """Estimate, for every scene of FEATURES, the share of the judgement that rests on audio and on video, at the pair
    that `plan` chooses under a budget.

    FEATURES is a feature table, a folder of them, or a quoted pattern like "tables/*.parquet".
    """
    if output is not None and output.suffix.lower() not in _FORMATS:
        raise click.UsageError(f"the output {output} must end in {', '.join(_FORMATS)}")
    if as_json and output is not None and output.suffix.lower() != ".json":
        raise click.UsageError(f"--json does not fit the output {output}; name it .json, or drop --json")
    places.check_output(output, [features])

    streaming.one_blas_thread()

    from abr_alloc.allocation.filters import Filters, select
    from abr_alloc.allocation.plan import middling_budget_kbps, plan_surfaces, planning_surfaces
    from abr_alloc.allocation.surface import build_surfaces
    from abr_alloc.cli.tables import relevance_table, write_or_print
    from abr_alloc.errors import InfeasibleBudgetError
    from abr_alloc.models.checkpoint import load_model
    from abr_alloc.table.catalogue import open_catalogue
    from abr_alloc.writing import replace_file

    catalogue = open_catalogue(features)
    streaming.check_place(catalogue, output)
    suffix = "" if output is None else output.suffix.lower()
    if suffix in _ROWS or not (catalogue.is_one_table or as_json or suffix):
        from abr_alloc.cli.relevance_stream import relevance_catalogue

        relevance_catalogue(
            catalogue, output, budget_kbps, model_name, overhead, measured_only, filters, jobs, scheduler
        )
        return
    table = select(streaming.read_whole(catalogue, scheduler), Filters(**filters))
    model = load_model(model_name)
    surfaces = list(build_surfaces(table, model, overhead=overhead))
    budget = budget_kbps or middling_budget_kbps(surfaces)
    plan = plan_surfaces(planning_surfaces(surfaces, overhead=overhead, measured_only=measured_only), [budget], model)
    if not plan.allocations:
        raise InfeasibleBudgetError(plan.infeasible)
    if as_json or (output is not None and output.suffix.lower() == ".json"):
        document = {
            "schema_version": 1,
            "command": "relevance",
            "model": {"name": model.name, "labels": model.card["labels"]},
            "budget_kbps": budget,
            "scenes": [
                {
                    "title": a.title,
                    "scene": a.scene,
                    "start_s": a.start_s,
                    "end_s": a.end_s,
                    **dataclasses.asdict(a.relevance),
                    "video_share": a.relevance.video_share,
                }
                for a in plan.allocations
            ],
            "infeasible": [infeasible_object(scene) for scene in plan.infeasible],
        }
        write_or_print(json_text(document), output)
    elif output is not None:
        from abr_alloc.report.figures import draw_relevance
        from abr_alloc.report.style import render

        figure = draw_relevance(plan.allocations, budget_kbps=budget, chosen=budget_kbps is not None)
        replace_file(output, render(figure, output.suffix.lower().removeprefix(".")))
    else:
        write_or_print(relevance_table(plan, budget), None)
    if plan.infeasible:
        raise InfeasibleBudgetError(plan.infeasible)
