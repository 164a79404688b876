"""`abr-alloc plan`: the best pairs under a budget, per scene or over a title."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr_alloc.cli import options, places, streaming
from abr_alloc.cli.printing import echo
from abr_alloc.cli.screen_options import phones_given, say_screen, screen_options
from abr_alloc.documents import json_text

if TYPE_CHECKING:
    from abr_alloc.allocation.title_plan import Limits
    from abr_alloc.models.checkpoint import Model
    from abr_alloc.runs.plan_run import PlanTask
    from abr_alloc.table.catalogue import Catalogue
    from abr_alloc.table.table import FeatureTable

__all__ = ["command"]

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
@screen_options
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
    screen: str | None,
    phones: float | None,
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

    streaming.one_blas_thread()

    from abr_alloc.allocation.filters import Filters, select
    from abr_alloc.allocation.title_plan import Limits
    from abr_alloc.cli.tables import plan_table, write_or_print
    from abr_alloc.errors import InfeasibleBudgetError
    from abr_alloc.runs.plan_run import PlanTask, plan
    from abr_alloc.runs.shared_model import as_model
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
    share = phones_given(screen, phones)
    budgets, per = tuple(dict.fromkeys(budgets_kbps)), per or "scene"
    if streaming.comes_in_rows(catalogue, output, as_csv=as_csv, as_document=as_json or sensitivity):
        task = PlanTask(
            chunk=catalogue.chunks[0],
            model=model_name,
            budgets_kbps=budgets,
            per=per,
            limits=limits,
            measured_only=measured_only,
            overhead=overhead,
            filters=Filters(**filters),
            phones=share,
        )
        _plan_rows(task, catalogue, output, as_csv, jobs, scheduler)
        return
    table = select(streaming.read_whole(catalogue, scheduler), Filters(**filters))
    if sensitivity:
        model = as_model(model_name, share)
        _sweep(table, limits, model, overhead, as_json, as_csv, output, measured_only=measured_only)
        return
    found = plan(
        table,
        budgets,
        model_name,
        per=per,
        limits=limits,
        overhead=overhead,
        measured_only=measured_only,
        phones=share,
    )
    text = found.to_json() if as_json else plan_table(found, found.model, table, measured_only=measured_only)
    if text:
        write_or_print(text, output)
    if found.infeasible:
        raise InfeasibleBudgetError(found.infeasible)


def _plan_rows(
    task: PlanTask, catalogue: Catalogue, output: Path | None, as_csv: bool, jobs: int, scheduler: str | None
) -> None:
    """Write rows as they come, then print what each budget came to; rows of one table are all there is to see."""
    from abr_alloc.cli.summaries import plan_summary
    from abr_alloc.runs.catalogue_run import infeasible_path
    from abr_alloc.runs.plan_run import plan_catalogue

    alone = as_csv and catalogue.is_one_table
    if alone:
        streaming.refuse_scheduler(scheduler)
    with streaming.shown("planning", 1 if alone else jobs, scheduler) as how:
        summaries, infeasible = plan_catalogue(
            task,
            catalogue,
            output,
            how,
            list_infeasible=not alone,
            take_csv=streaming.print_csv if as_csv else None,
        )
    if not (alone or (as_csv and output is None)):
        listed = infeasible_path(output) if output is not None and infeasible.number else None
        echo(plan_summary(summaries, per=task.per, output=output, infeasible=listed))
        say_screen(task.phones)
    infeasible.raise_any()


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


def _sweep(
    table: FeatureTable,
    limits: Limits,
    model: Model,
    overhead: float,
    as_json: bool,
    as_csv: bool,
    output: Path | None,
    *,
    measured_only: bool,
) -> None:
    from abr_alloc.allocation.plan import planning_surfaces
    from abr_alloc.allocation.sensitivity import sweep_budgets
    from abr_alloc.allocation.surface import build_surfaces
    from abr_alloc.cli.tables import sensitivity_table, write_or_print
    from abr_alloc.errors import InfeasibleBudgetError
    from abr_alloc.formats.plan_document import sweep_document, sweep_frame
    from abr_alloc.writing import replace_file

    measured = build_surfaces(table, model, overhead=overhead)
    points, infeasible = sweep_budgets(
        planning_surfaces(measured, overhead=overhead, measured_only=measured_only), limits
    )
    if as_json:
        write_or_print(json_text(sweep_document(points, infeasible, model, overhead, limits.pool)), output)
    elif as_csv:
        from abr_alloc.table.spreadsheet import csv_text

        write_or_print(csv_text(sweep_frame(points)), output, exact=True)
    elif output is not None and output.suffix.lower() in _FIGURES:
        if points:
            from abr_alloc.reporting.figures import draw_sensitivity
            from abr_alloc.reporting.style import render

            figure = draw_sensitivity(points, limits.pool, stepped=measured_only)
            replace_file(output, render(figure, output.suffix.lower().removeprefix(".")))
    elif points:
        write_or_print(sensitivity_table(points, model), output)
    if infeasible:
        raise InfeasibleBudgetError(infeasible)
