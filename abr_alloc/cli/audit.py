"""`abr-alloc audit`: what the ladder that is shipped gives, and what to change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from abr_alloc.allocation.path import TIE_MOS
from abr_alloc.cli import options, places, streaming
from abr_alloc.cli.cost_options import prices_of, pricing
from abr_alloc.cli.printing import echo
from abr_alloc.cli.screen_options import phones_given, say_screen, screen_options

if TYPE_CHECKING:
    from abr_alloc.table.table import FeatureTable

__all__ = ["command"]

_FORMATS = (".json", ".csv", ".parquet")


@click.command("audit", short_help="Judge the ladder that you ship: wasted rungs, better pairs.")
@options.features_argument
@click.option(
    "--ladder",
    "ladder_path",
    type=options.PATH,
    required=True,
    metavar="LADDER",
    help="The ladder: .json of `abr-alloc ladder`, .csv (docs/formats.md), a master playlist .m3u8 or manifest .mpd on "
    "disk; or a folder of them, for many titles.",
)
@click.option(
    "-o", "--output", type=options.PATH, metavar="AUDIT.json|.csv|.parquet", help="The audit as JSON, or rows."
)
@click.option(
    "--report",
    "report_path",
    type=options.PATH,
    metavar="REPORT.html",
    help="Write the report page (`abr-alloc report`) with the audit in it.",
)
@click.option(
    "--write-master",
    "master_path",
    type=options.PATH,
    metavar="OUT.m3u8",
    help="Write the HLS master playlist with its own encodes paired as they serve the audience best.",
)
@click.option("--drop", is_flag=True, help="With --write-master: without the rungs that can be dropped.")
@options.network_option
@click.option(
    "--max-loss",
    "max_loss_mos",
    type=options.FiniteRange(0, 4),
    default=TIE_MOS,
    show_default=True,
    help="Expected AVQ that rungs may take with them when they are dropped, MOS.",
)
@options.max_audio_option
@options.min_ratio_option
@options.max_ratio_option
@options.round_option
@screen_options
@pricing
@options.planning
@click.option(
    "--with",
    "base_path",
    type=options.PATH,
    metavar="FEATURES.parquet",
    help="With a media file: a table that has its title, which what is measured is added to.",
)
@click.option(
    "--within",
    type=options.PATH,
    metavar="FOLDER",
    help="A folder that no playlist or manifest may lead out of. [default: its own]",
)
@options.catalogue_jobs_option
@options.cluster_option
@options.cache_option
@options.ffmpeg_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/formats.md).")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one row per rung.")
def command(
    features: Path,
    ladder_path: Path,
    output: Path | None,
    report_path: Path | None,
    master_path: Path | None,
    drop: bool,
    network: str,
    max_loss_mos: float,
    max_audio: int,
    min_ratio: float,
    max_ratio: float,
    round_kbps: float,
    screen: str | None,
    phones: float | None,
    cost: dict[str, float] | None,
    views: float | None,
    months: float,
    model_name: str,
    overhead: float,
    base_path: Path | None,
    within: Path | None,
    jobs: int,
    scheduler: str | None,
    cache_dir: Path | None,
    ffmpeg_path: str | None,
    as_json: bool,
    as_csv: bool,
    **filters: Any,
) -> None:
    """Judge a ladder that exists on the titles of FEATURES: what every rung gives, which are wasted, which pairs to
    change without any encode, and what a new ladder would add.

    FEATURES is a feature table, a folder of them, or a quoted pattern; or the media file of the title, against which
    the streams of a package are measured first, as `abr-alloc measure` does.

    A rung whose label is a rendition of the table (`abr-alloc measure`) is judged as measured; others by codec, size
    and rate, between measured rates. What the table does not reach is left out, and said.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other; give one")
    suffix = "" if output is None else output.suffix.lower()
    if output is not None and suffix not in _FORMATS:
        raise click.UsageError(f"the output {output} must end in {', '.join(_FORMATS)}")
    places.check_output(output, [features, ladder_path, Path(network)])

    if report_path is not None and report_path.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"the report {report_path} must end in .html")
    places.check_output(report_path, [features, ladder_path, Path(network)])
    if drop and master_path is None:
        raise click.UsageError("--drop needs --write-master OUT.m3u8")
    if master_path is not None:
        from abr_alloc.runs.new_master import check_master_place, write_master

        places.check_output(master_path, [ladder_path])
        check_master_place(master_path, ladder_path)

    streaming.one_blas_thread()

    from abr_alloc.allocation.audience import read_audience
    from abr_alloc.allocation.audit_results import AuditOptions
    from abr_alloc.allocation.filters import Filters, select
    from abr_alloc.allocation.ladder_rules import LadderRules
    from abr_alloc.cli.audit_table import audit_text, could_win_text
    from abr_alloc.cli.listening import listener
    from abr_alloc.cli.tables import write_or_print
    from abr_alloc.cli.verbosity import inform
    from abr_alloc.parameters import with_options
    from abr_alloc.runs.audit_catalogue import AuditTask, audit_catalogue
    from abr_alloc.runs.audit_media import is_media
    from abr_alloc.runs.audit_run import audit
    from abr_alloc.runs.shipped_ladders import read_shipped
    from abr_alloc.table.catalogue import open_catalogue
    from abr_alloc.table.spreadsheet import csv_text
    from abr_alloc.table.table import write_frame

    wanted = AuditOptions(
        rules=LadderRules(max_audio=max_audio, min_ratio=min_ratio, max_ratio=max_ratio),
        max_loss_mos=max_loss_mos,
        round_kbps=round_kbps,
        overhead=overhead,
        prices=prices_of(cost, views, months),
    )
    share = phones_given(screen, phones)
    media: dict[str, Any] = {}
    table: Path | FeatureTable = features
    if is_media(features):
        asked = click.get_current_context().get_parameter_source("jobs") is ParameterSource.COMMANDLINE
        media = {"base": base_path, "cache": cache_dir, "ffmpeg": ffmpeg_path, "feedback": listener()}
        media["jobs"] = jobs if asked else None  # measuring takes all cores, as `measure` does
    else:
        catalogue = open_catalogue(features)
        streaming.check_place(catalogue, output)
        whole = as_json or report_path is not None or master_path is not None or suffix == ".json"
        if streaming.comes_in_rows(catalogue, output, as_csv=False, as_document=whole or as_csv):
            task = AuditTask(
                chunk=catalogue.chunks[0],
                model=model_name,
                audience=read_audience(network),
                ladders=read_shipped(ladder_path, overhead=overhead, within=within),
                options=wanted,
                filters=Filters(**filters),
                phones=share,
            )
            with streaming.shown("audit", jobs, scheduler) as how:
                summary = audit_catalogue(task, catalogue, output, how)
            echo(could_win_text(summary.lines), nl=False)
            say_screen(share)
            for reason in summary.reasons[:-1]:
                echo(with_options(reason), err=True)
            summary.raise_any()
            return
        table = select(streaming.read_whole(catalogue, scheduler), Filters(**filters))
    audits = audit(table, ladder_path, network, model_name, options=wanted, within=within, phones=share, **media)
    if output is not None and suffix == ".parquet":
        write_frame(audits.to_frame(), output)
    elif as_json or suffix == ".json":
        write_or_print(audits.to_json(), output)
    elif as_csv or suffix == ".csv":
        write_or_print(csv_text(audits.to_frame()), output, exact=True)
    if not (as_json or as_csv):
        echo(audit_text(audits), nl=False)
    if report_path is not None:
        from abr_alloc.runs.report_run import report

        page = report(audits.features, audits.model, audit=audits, overhead=overhead, feedback=listener())
        page.save(report_path)
        inform(f"{report_path}: {page.num_titles} title{'s' if page.num_titles > 1 else ''}")
    if master_path is not None:
        if len(audits) != 1:
            raise click.UsageError(
                f"--write-master is for one title, and {len(audits)} were audited; choose with --title"
            )
        changed, dropped = write_master(audits[0], ladder_path, master_path, drop=drop, within=within)
        inform(f"{master_path}: {changed} variants with other audio, {dropped} left out")
    for failed in audits.failed[:-1]:
        echo(with_options(f"{failed.title}: {failed.reason}"), err=True)
    audits.raise_any()
