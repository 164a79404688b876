"""`abr-alloc ladder`: the rungs that serve an audience best."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr_alloc import defaults
from abr_alloc.cli import options, places, streaming
from abr_alloc.cli.completion import complete_reference
from abr_alloc.cli.cost_options import prices_of, pricing_and_limits
from abr_alloc.cli.printing import echo
from abr_alloc.cli.screen_options import Share, phones_given, say_screen, screen_options
from abr_alloc.cli.shot_options import per_shot_options, shots_of
from abr_alloc.documents import shown
from abr_alloc.parameters import with_options

if TYPE_CHECKING:
    from abr_alloc.runs.ladder_catalogue import LadderTask
    from abr_alloc.table.catalogue import Catalogue

__all__ = ["command"]


_SIZE = re.compile(r"\s*(\d{1,6})p?(?:\.\.(\d{1,6})p?)?\s*", re.ASCII)


class _Rungs(click.ParamType):
    """A number of rungs, or auto."""

    name = "number|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if value == "auto" or isinstance(value, int):
            return value
        try:
            number = int(str(value))
        except ValueError:
            number = 0
        if not 1 <= number <= 24:
            self.fail(f"{shown(value)} is no number of rungs; give 1 to 24, or auto", param, ctx)
        return number


class _Sizes(click.ParamType):
    """Short sides: 234p..1080p, or 240p,360p,720p."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        ranges = []
        for part in str(value).split(","):
            match = _SIZE.fullmatch(part)
            if match is None:
                self.fail(f"{shown(part)} is no size; write 720p, 234p..1080p, or several with commas", param, ctx)
            low, high = int(match[1]), int(match[2] or match[1])
            if low > high:
                self.fail(f"{part!r} runs downwards; write {high}p..{low}p", param, ctx)
            ranges.append((low, high))
        return tuple(ranges)


@click.command("ladder", short_help="Design the rungs that serve an audience best.")
@options.features_argument
@click.option(
    "-o",
    "--output",
    type=options.PATH,
    metavar="LADDER.json|.csv|.parquet|DIR",
    help="A ladder file (docs/formats.md), rows, or an existing folder for a ladder file per title.",
)
@click.option(
    "--rungs",
    type=_Rungs(),
    default=str(defaults.NUM_RUNGS),
    show_default=True,
    help="Or auto: as many as are worth having.",
)
@click.option(
    "--jnd",
    "jnd_mos",
    type=options.FiniteRange(0, 4),
    default=defaults.JND_MOS,
    show_default=True,
    help="With auto: what a rung must add to the one below it, MOS.",
)
@options.network_option
@options.max_audio_option
@click.option("--min-kbps", type=options.KBPS, help="Least total rate of a rung.")
@click.option("--max-kbps", type=options.KBPS, help="Largest total rate of a rung.")
@options.min_ratio_option
@options.max_ratio_option
@click.option(
    "--top-avq",
    "top_avq_mos",
    type=options.FiniteRange(1, 5),
    help="Offer no pair that costs more than the cheapest that reaches this AVQ.",
)
@click.option(
    "--rates",
    "--sizes",
    "sides_px",
    type=_Sizes(),
    default=(),
    help="Allowed sizes by their short side: 234p..1080p, or 240p,720p.",
)
@options.round_option
@click.option("--shared", is_flag=True, help="One ladder for all titles, each with the same weight.")
@click.option(
    "--compare",
    "reference_name",
    metavar="NAME|LADDER.json",
    shell_complete=complete_reference,
    help="Hold it against a fixed ladder: apple-hls-avc, apple-hls-hevc, or a ladder file.",
)
@screen_options
@click.option(
    "--surround",
    "surround_share",
    type=Share(),
    metavar="SHARE",
    help="Share of the audience that plays surround, e.g. 25%: every rung gets 5.1 beside stereo. [docs/surround.md]",
)
@per_shot_options
@pricing_and_limits
@options.planning
@options.catalogue_jobs_option
@options.cluster_option
@click.option("--json", "as_json", is_flag=True, help="Print the ladder file instead of tables.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one row per rung.")  # fmt: skip
def command(
    features: Path,
    output: Path | None,
    rungs: int | str,
    jnd_mos: float,
    network: str,
    max_audio: int,
    min_kbps: float | None,
    max_kbps: float | None,
    min_ratio: float,
    max_ratio: float,
    top_avq_mos: float | None,
    sides_px: tuple[tuple[int, int], ...],
    round_kbps: float,
    shared: bool,
    reference_name: str | None,
    screen: str | None,
    phones: float | None,
    surround_share: float | None,
    per_shot: bool,
    free_size: bool,
    pool: str | None,
    max_rate_kbps: float | None,
    peak_kbps: float | None,
    max_step_mos: float | None,
    cost: dict[str, float] | None,
    views: float | None,
    months: float,
    cost_budget: float | None,
    min_avq_mos: float | None,
    model_name: str,
    overhead: float,
    as_json: bool,
    as_csv: bool,
    jobs: int,
    scheduler: str | None,
    **filters: Any,
) -> None:
    """Design, for every title of FEATURES, the ladder of audio/video pairs with the highest expected AVQ over an
    audience whose players take the highest rung that their bandwidth allows. Rates between the measured ones are
    interpolated. The answer is exact over the candidate pairs.

    With --per-shot every scene is encoded by itself, with its own CRF (or rate): the same mean rate, spent where the
    title needs it, found exactly. What that gains over one target per rung is said before anything is encoded.

    A ladder has one video and one audio codec, those with which it comes out best; several --audio-codec may be mixed.

    FEATURES is a feature table, a folder of them, or a quoted pattern like "tables/*.parquet".

    Exit code 3 when the constraints leave no ladder.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other; give one")
    folder = output if output is not None and output.is_dir() else None
    suffix = output.suffix.lower() if output is not None and folder is None else ""
    if output is not None and folder is None and suffix not in (".json", ".csv", ".parquet"):
        raise click.UsageError(f"the output {output} must end in .json, .csv or .parquet, or be an existing folder")
    if (as_json and suffix in (".csv", ".parquet")) or (as_csv and suffix in (".json", ".parquet")):
        raise click.UsageError(f"--{'json' if as_json else 'csv'} does not fit the output {output}; rename it")
    if folder is None:
        places.check_output(output, [features, Path(network), Path(reference_name or network)])
    elif as_csv:
        raise click.UsageError(f"--csv does not fit the folder {output}: ladder files are JSON; name a .csv file")

    prices = prices_of(cost, views, months, cost_budget, min_avq_mos)
    shots = shots_of(
        per_shot=per_shot,
        free_size=free_size,
        pool=pool,
        max_rate_kbps=max_rate_kbps,
        peak_kbps=peak_kbps,
        max_step_mos=max_step_mos,
    )
    if shots is not None and shared:
        raise click.UsageError("--per-shot is of one title's scenes, and --shared of many titles; give one of them")
    streaming.one_blas_thread()

    from abr_alloc.allocation.audience import read_audience
    from abr_alloc.allocation.design import DesignOptions
    from abr_alloc.allocation.filters import Filters, select
    from abr_alloc.allocation.ladder_rules import LadderRules
    from abr_alloc.allocation.validity import measuring_notes
    from abr_alloc.cli.ladder_table import ladder_text
    from abr_alloc.cli.layout import wrap
    from abr_alloc.cli.tables import write_or_print
    from abr_alloc.cli.verbosity import notes
    from abr_alloc.runs.ladder_catalogue import LadderTask
    from abr_alloc.runs.ladder_run import described_network, find_reference, ladder_provenance
    from abr_alloc.runs.ladder_run import ladder as design
    from abr_alloc.runs.shared_model import as_model
    from abr_alloc.table.catalogue import open_catalogue
    from abr_alloc.table.spreadsheet import csv_text
    from abr_alloc.table.table import write_frame

    audience = read_audience(network)
    rules = LadderRules(
        max_audio=max_audio,
        min_kbps=min_kbps or 0.0,
        max_kbps=max_kbps or math.inf,
        min_ratio=min_ratio,
        max_ratio=max_ratio,
        top_avq_mos=math.inf if top_avq_mos is None else top_avq_mos,
        sides_px=sides_px,
    )
    reference = None if reference_name is None else find_reference(reference_name)
    catalogue = open_catalogue(features)
    streaming.check_place(catalogue, output)
    share = phones_given(screen, phones)
    model = as_model(model_name, share)
    wanted = DesignOptions(
        num_rungs=None if isinstance(rungs, str) else rungs,
        jnd_mos=jnd_mos,
        rules=rules,
        round_kbps=round_kbps,
        overhead=overhead,
        mix_audio=len(filters["audio_codecs"]) > 1,
        prices=prices,
        cost_budget=cost_budget,
        min_avq_mos=min_avq_mos,
        shots=shots,
        surround_share=surround_share,
    ).known_to(model)
    described = described_network(network)
    if not shared and _comes_in_rows(catalogue, output, folder, as_csv=as_csv, as_json=as_json):
        about = ladder_provenance(model, wanted, described, reference_name, shared=False)
        task = LadderTask(
            chunk=catalogue.chunks[0],
            model=model_name,
            audience=audience,
            options=wanted,
            reference=reference,
            provenance=about if folder is not None else {},
            filters=Filters(**filters),
            phones=share,
        )
        _design_catalogue(task, catalogue, output if folder is None else None, folder, jobs, scheduler)
        return
    table = select(streaming.read_whole(catalogue, scheduler), Filters(**filters))
    ladders = design(table, network, model, options=wanted, shared=shared, compare=reference_name)
    if folder is not None:
        ladders.save(folder)
    elif output is not None and suffix == ".parquet":
        write_frame(ladders.to_frame(), output)
    elif as_json or suffix == ".json":
        write_or_print(ladders.to_json(), output)
    elif as_csv or suffix == ".csv":
        write_or_print(csv_text(ladders.to_rows()), output, exact=True)
    if not (as_json or as_csv) or output is not None:
        free_number = wanted.num_rungs is None or wanted.for_money
        echo(ladder_text(ladders, described, model.described, free_number=free_number, prices=prices), nl=False)
        for note in measuring_notes(table, set(table.titles())):
            echo(notes(f"{wrap(with_options(note), '')}\n"), nl=False)


def _comes_in_rows(
    catalogue: Catalogue, output: Path | None, folder: Path | None, *, as_csv: bool, as_json: bool
) -> bool:
    """As for other results; but one table's ladders are also shown, and go through memory but for Parquet."""
    if catalogue.is_one_table and (output is None or output.suffix.lower() != ".parquet"):
        return False
    if folder is not None:
        return not as_json
    if as_csv and output is None:
        return False
    document = as_json or (output is not None and output.suffix.lower() == ".json")
    return streaming.comes_in_rows(catalogue, output, as_csv=as_csv, as_document=document)


def _design_catalogue(
    task: LadderTask, catalogue: Catalogue, output: Path | None, folder: Path | None, jobs: int, scheduler: str | None
) -> None:
    """Write ladders as they come, then print how many there are."""
    from abr_alloc.cli.summaries import ladder_summary
    from abr_alloc.runs.ladder_catalogue import ladder_catalogue

    with streaming.shown("designing", jobs, scheduler) as how:
        summary = ladder_catalogue(task, catalogue, output, folder, how)
    if summary.num_ladders:
        echo(ladder_summary(summary))
        say_screen(task.phones)
    for reason in summary.reasons[:-1]:
        echo(f"infeasible: {with_options(reason)}", err=True)
    summary.raise_any()
