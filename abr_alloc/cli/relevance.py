"""`abr-alloc relevance`: how much audio and video matter per scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from abr_alloc.cli import options, places, streaming
from abr_alloc.cli.printing import echo
from abr_alloc.cli.screen_options import phones_given, say_screen, screen_options

__all__ = ["command"]

_FORMATS = (".png", ".svg", ".json", ".csv", ".parquet")


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
@screen_options
@options.planning
@options.catalogue_jobs_option
@options.cluster_option
def command(
    features: Path,
    output: Path | None,
    as_json: bool,
    budget_kbps: float | None,
    measured_only: bool,
    screen: str | None,
    phones: float | None,
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
    from abr_alloc.cli.summaries import relevance_summary
    from abr_alloc.cli.tables import relevance_table, write_or_print
    from abr_alloc.errors import InfeasibleBudgetError
    from abr_alloc.runs.relevance_run import relevance, relevance_catalogue
    from abr_alloc.table.catalogue import open_catalogue
    from abr_alloc.writing import replace_file

    share = phones_given(screen, phones)
    catalogue = open_catalogue(features)
    streaming.check_place(catalogue, output)
    if streaming.comes_in_rows(catalogue, output, as_csv=False, as_document=as_json):
        with streaming.shown("relevance", jobs, scheduler) as how:
            summary, infeasible = relevance_catalogue(
                catalogue,
                budget_kbps,
                model_name,
                output,
                how,
                overhead=overhead,
                measured_only=measured_only,
                filters=Filters(**filters),
                phones=share,
            )
        if summary is not None:
            echo(relevance_summary(summary))
            say_screen(share)
        infeasible.raise_any()
        return
    table = select(streaming.read_whole(catalogue, scheduler), Filters(**filters))
    found = relevance(table, budget_kbps, model_name, overhead=overhead, measured_only=measured_only, phones=share)
    suffix = "" if output is None else output.suffix.lower()
    if as_json or suffix == ".json":
        write_or_print(found.to_json(), output)
    elif output is not None:
        from abr_alloc.reporting.figures import draw_relevance
        from abr_alloc.reporting.style import render

        figure = draw_relevance(found.scenes, budget_kbps=found.budget_kbps, chosen=budget_kbps is not None)
        replace_file(output, render(figure, suffix.removeprefix(".")))
    else:
        write_or_print(relevance_table(found.plan, found.budget_kbps, found.model), None)
    if found.infeasible:
        raise InfeasibleBudgetError(found.infeasible)
