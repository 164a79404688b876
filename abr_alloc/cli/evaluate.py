"""`abr-alloc evaluate`: how far a model agrees with ratings."""

from __future__ import annotations

from pathlib import Path

import click

from abr_alloc.cli import options, places
from abr_alloc.cli.completion import complete_model
from abr_alloc.cli.training_data import describing, keep_flagged_option, load_data
from abr_alloc.documents import json_text

__all__ = ["command"]


@click.command("evaluate", short_help="Measure how far a model agrees with ratings.")
@click.argument("model_name", metavar="MODEL", shell_complete=complete_model)
@click.argument("data_path", metavar="DATA", type=options.PATH)
@describing
@keep_flagged_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/formats.md).")
@click.option("-o", "--output", type=options.PATH, metavar="FILE.json", help="Write the JSON to a file.")
def command(
    model_name: str,
    data_path: Path,
    audio_columns: tuple[str, ...],
    video_columns: tuple[str, ...],
    mos_range: tuple[float, float] | None,
    contents: Path | None,
    keep_flagged: bool,
    as_json: bool,
    output: Path | None,
) -> None:
    """Hold the predictions of MODEL (one that ships, or a checkpoint folder) against DATA: a table of rated stimuli
    (CSV or Parquet), or a feature table, whose labels are the teacher's. Every figure comes with a bootstrap 95 %
    interval over contents.

    Where the ratings say which stimuli are renditions of one content (columns codec, height and the video's rate), the
    first figures are what choosing by the model costs, with VMAF beside it where the table has it. Ratings without
    audio are judged at transparent audio.
    """
    if output is not None and output.suffix.lower() != ".json":
        raise click.UsageError(f"the output {output} must end in .json")
    places.check_output(output, [data_path])

    from abr_alloc.cli.agreement_table import evaluation_table
    from abr_alloc.cli.tables import write_or_print
    from abr_alloc.learning.agreement import evaluation_document
    from abr_alloc.learning.evaluate import evaluate
    from abr_alloc.models.checkpoint import load_model

    model = load_model(model_name)
    data, tables = load_data(
        [data_path],
        audio_columns=audio_columns,
        video_columns=video_columns,
        mos_range=mos_range,
        contents=contents,
        keep_flagged=keep_flagged,
    )
    for table in tables:
        model.check_table(table)
    document = evaluation_document(model, data, data_path, evaluate(model, data))
    if as_json or output is not None:
        write_or_print(json_text(document), output)
    else:
        write_or_print(evaluation_table(document), None)
