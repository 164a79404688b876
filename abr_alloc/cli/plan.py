"""`abr-alloc plan`: the best pairs under a budget, per scene or over a title."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr_alloc.cli import options, places, streaming
from abr_alloc.cli.parameters import infeasible_object
from abr_alloc.documents import json_text

if TYPE_CHECKING:
    from abr_alloc.allocation.results import Plan
    from abr_alloc.allocation.surface import QualitySurface
    from abr_alloc.allocation.title_plan import Limits
    from abr_alloc.models.checkpoint import Model

__all__ = ["command", "plan_document"]

_FIGURES = (".png", ".svg")


@click.command("plan", short_help="Choose the best audio/video pairs under a budget.")
@options.features_argument
@click.option(
    "--budget",
    "budgets_kbps",
    type=options.BITRATE,
    multiple=True,
    help="Total rate, overhead included: 500k, 2M (repeatable).",
)
@click.option(
    "--per",
    type=click.Choice(["scene", "title"]),
    default=None,
    help="The budget is every scene's own (default), or the title's mean over time.",
)
@click.option(
    "--audio",
    type=click.Choice(["shared", "scene"]),
    default=None,
    help="Per title: one audio rendition throughout (default), or every scene its own.",
)
@click.option(
    "--pool",
    type=click.Choice(["mean", "harmonic", "min", "p5"]),
    default=None,
    help="Per title: how AVQ is pooled over time. [default: mean]",
)
@click.option("--max-rate", "max_rate_kbps", type=options.BITRATE, help="Largest total rate of any scene.")
@click.option("--min-avq", "min_avq_mos", type=options.FiniteRange(1, 5), help="Least AVQ of every scene, MOS.")
@click.option(
    "--time-limit",
    "time_limit_s",
    type=options.SECONDS,
    help="Per title and budget: stop the search here and state the gap.",
)
@options.measured_only_option
@click.option(
    "--sensitivity",
    is_flag=True,
    help="What the budget buys: AVQ, price and split of each title over all budgets; -o may be .png or .svg.",
)
@options.planning
@options.catalogue_jobs_option
@options.cluster_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/formats.md).")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one row per scene and budget.")
@click.option(
    "-o", "--output", type=options.LOCATION,
    help="Write to a file; .json, .csv and .parquet choose the format.",
)  # fmt: skip
def command(
    features: Path,
    budgets_kbps: tuple[float, ...],
    per: str | None,
    audio: str | None,
    pool: str | None,
    max_rate_kbps: float | None,
    min_avq_mos: float | None,
    time_limit_s: float | None,
    measured_only: bool,
    sensitivity: bool,
    model_name: str,
    overhead: float,
    as_json: bool,
    as_csv: bool,
    output: Path | None,
    jobs: int,
    scheduler: str | None,
    **filters: Any,
) -> None:
    """Choose, for every scene of FEATURES, the pair of renditions with the highest predicted audio-visual quality (AVQ)
    whose video + audio + overhead fits the budget; of pairs within 0.02 MOS of it the cheapest. Video rates between the
    measured ones are offered too. A larger budget never has a smaller picture, unless that is better by more.

    FEATURES is a feature table, a folder of them, or a quoted pattern like "tables/*.parquet".

    With --per title the budget is for the title's mean rate: scenes may spend more or less, and each title ends with a
    certificate, the proof of how close to the optimum its allocation is.

    Exit code 3 when some scene or title has nothing that fits; the others are still printed.
    """
    _check_usage(budgets_kbps, per, audio, pool, time_limit_s, sensitivity)
    places.check_output(output, [features])
    as_json, as_csv = _check_format(as_json, as_csv, output, figures=sensitivity)
    as_parquet = output is not None and output.suffix.lower() == ".parquet"

    streaming.one_blas_thread()

    from abr_alloc.allocation.filters import Filters, select
    from abr_alloc.allocation.plan import plan_surfaces, planning_surfaces
    from abr_alloc.allocation.surface import build_surfaces
    from abr_alloc.allocation.title_plan import Limits, plan_titles
    from abr_alloc.cli.tables import plan_table, write_or_print
    from abr_alloc.errors import InfeasibleBudgetError
    from abr_alloc.table.catalogue import open_catalogue

    catalogue = open_catalogue(features)
    streaming.check_place(catalogue, output)
    limits = Limits(
        audio=audio or "shared",
        pool=pool or "mean",
        max_rate_kbps=max_rate_kbps or math.inf,
        min_avq_mos=-math.inf if min_avq_mos is None else min_avq_mos,
        time_limit_s=time_limit_s or math.inf,
    )
    as_rows = as_csv or as_parquet
    if not sensitivity and not as_json and (as_rows or not (catalogue.is_one_table or _is_text(output))):
        from abr_alloc.cli.plan_stream import plan_catalogue, plan_text
        from abr_alloc.runs.chunk_tasks import PlanTask

        task = PlanTask(
            chunk=catalogue.chunks[0],
            model=model_name,
            budgets_kbps=tuple(dict.fromkeys(budgets_kbps)),
            per_title=per == "title",
            limits=limits,
            measured_only=measured_only,
            overhead=overhead,
            filters=Filters(**filters),
        )
        if catalogue.is_one_table and not as_parquet:
            streaming.refuse_scheduler(scheduler)
            text, infeasible = plan_text(task, catalogue)
            infeasible.require_any(text.count("\n") - 1)
            write_or_print(text, output, exact=True)
            infeasible.end()
        else:
            plan_catalogue(task, catalogue, output, to_stdout=as_csv and output is None, jobs=jobs, scheduler=scheduler)
        return

    from abr_alloc.runs.chunk_tasks import shared_model

    table = select(streaming.read_whole(catalogue, scheduler), Filters(**filters))
    model = shared_model(model_name)
    measured = build_surfaces(table, model, overhead=overhead)
    surfaces = planning_surfaces(measured, overhead=overhead, measured_only=measured_only)
    if sensitivity:
        _sweep(surfaces, limits, model, overhead, as_json, as_csv, output, measured_only=measured_only)
        return
    plan = (plan_titles if per == "title" else plan_surfaces)(
        surfaces, list(dict.fromkeys(budgets_kbps)), model, limits
    )
    if as_json:
        text = json_text(plan_document(plan, model, overhead, per_title=per == "title"))
    else:
        text = plan_table(plan, model, table, measured_only=measured_only)
    if text:
        write_or_print(text, output)
    if plan.infeasible:
        raise InfeasibleBudgetError(plan.infeasible)


def _check_usage(
    budgets_kbps: tuple[float, ...],
    per: str | None,
    audio: str | None,
    pool: str | None,
    time_limit_s: float | None,
    sensitivity: bool,
) -> None:
    if sensitivity:
        if budgets_kbps:
            raise click.UsageError("--sensitivity goes through all budgets; leave --budget out")
        if per == "scene":
            raise click.UsageError("--sensitivity is of titles; leave --per scene out")
        return
    if not budgets_kbps:
        raise click.UsageError("missing option --budget, for example --budget 2000k")
    if per != "title":
        for name, value in (("--audio", audio), ("--pool", pool), ("--time-limit", time_limit_s)):
            if value is not None:
                raise click.UsageError(f"{name} is for a budget over a title; add --per title, or leave it out")


def _check_format(as_json: bool, as_csv: bool, output: Path | None, *, figures: bool) -> tuple[bool, bool]:
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other; give one")
    suffix = output.suffix.lower() if output is not None else ""
    if suffix in _FIGURES and not figures:
        raise click.UsageError(f"the output {output} is a picture; only --sensitivity draws one")
    if figures and suffix not in ("", ".txt", ".json", ".csv", *_FIGURES):
        raise click.UsageError(f"the output {output} must end in .png, .svg, .json, .csv or .txt")
    wrong = {".csv", ".parquet", *_FIGURES} if as_json else {".json", ".parquet", *_FIGURES} if as_csv else set()
    if suffix in wrong:
        raise click.UsageError(f"--{'json' if as_json else 'csv'} does not fit the output {output}; rename it")
    return as_json or suffix == ".json", as_csv or suffix == ".csv"


def _is_text(output: Path | None) -> bool:
    """Whether tables of text are to be written to a file, however many."""
    return output is not None and output.suffix.lower() not in (".csv", ".parquet")


def _sweep(
    surfaces: Iterator[QualitySurface],
    limits: Limits,
    model: Model,
    overhead: float,
    as_json: bool,
    as_csv: bool,
    output: Path | None,
    *,
    measured_only: bool,
) -> None:
    import pandas as pd

    from abr_alloc.allocation.sensitivity import BudgetPoint, sweep_budgets
    from abr_alloc.cli.tables import sensitivity_table, write_or_print
    from abr_alloc.errors import InfeasibleBudgetError
    from abr_alloc.writing import replace_file

    points, infeasible = sweep_budgets(surfaces, limits)
    rows = [{**dataclasses.asdict(point), "audio_share": point.audio_share} for point in points]
    if as_json:
        document = {
            "schema_version": 1,
            "command": "plan --sensitivity",
            "model": model_object(model),
            "overhead": overhead,
            "pool": limits.pool,
            "points": rows,
            "infeasible": [infeasible_object(title) for title in infeasible],
        }
        write_or_print(json_text(document), output)
    elif as_csv:
        from abr_alloc.table.spreadsheet import csv_text

        columns = [*(field.name for field in dataclasses.fields(BudgetPoint)), "audio_share"]
        table = pd.DataFrame(rows, columns=columns)
        write_or_print(csv_text(table), output, exact=True)
    elif output is not None and output.suffix.lower() in _FIGURES:
        if points:
            from abr_alloc.report.figures import draw_sensitivity
            from abr_alloc.report.style import render

            figure = draw_sensitivity(points, limits.pool, stepped=measured_only)
            replace_file(output, render(figure, output.suffix.lower().removeprefix(".")))
    elif points:
        write_or_print(sensitivity_table(points), output)
    if infeasible:
        raise InfeasibleBudgetError(infeasible)


def model_object(model: Model) -> dict[str, Any]:
    """Which model predicted, for JSON."""
    return {
        "name": model.name,
        "labels": model.card["labels"],
        "video_feature_version": model.card["video_feature_version"],
        "audio_feature_version": model.card["audio_feature_version"],
        "weights_sha256": model.card["weights_sha256"],
    }


def plan_document(plan: Plan, model: Model, overhead: float, *, per_title: bool) -> dict[str, Any]:
    """The JSON object of docs/formats.md."""
    from abr_alloc.formats.ladder_file import video_object

    plans = []
    for allocation in plan.allocations:
        row = dataclasses.asdict(allocation)
        row.pop("extra_budget_gain_mos")
        row["video"] = video_object(allocation.video)
        row["interval_mos"] = list(row["interval_mos"])
        row["cheaper"]["video"] = video_object(allocation.cheaper.video)
        plans.append(row)
    document = {
        "schema_version": 2,
        "command": "plan",
        "model": model_object(model),
        "overhead": overhead,
        "plans": plans,
        "infeasible": [infeasible_object(scene) for scene in plan.infeasible],
    }
    if per_title:
        document["certificates"] = [{**dataclasses.asdict(c), "gap_mos": c.gap_mos} for c in plan.certificates]
    return document
