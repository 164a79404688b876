"""`abr-alloc evaluate`: how far a model agrees with ratings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr_alloc.cli import options, places
from abr_alloc.cli.completion import complete_model
from abr_alloc.cli.training_data import describing, estimate_object, keep_flagged_option, load_data, number
from abr_alloc.documents import json_text

if TYPE_CHECKING:
    from abr_alloc.learning.dataset import TrainingSet
    from abr_alloc.models.checkpoint import Model

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
    from abr_alloc.cli.judged import choice_objects, dataset_objects, fixed_object
    from abr_alloc.cli.tables import write_or_print
    from abr_alloc.learning.evaluate import evaluate
    from abr_alloc.learning.scoring import METRICS, RELEVANCE_MEASURES, score
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
    verdict = evaluate(model, data)
    scores = score(verdict.judgement)
    document: dict[str, Any] = {
        "schema_version": 1,
        "command": "evaluate",
        "model": {"name": model.name, "labels": model.card["labels"], "weights_sha256": model.card["weights_sha256"]},
        "data": _describe(data, data_path),
        **choice_objects(verdict.judgement),
        **{name: estimate_object(scores[name]) for name in METRICS},
        "relevance": {name: estimate_object(scores[f"relevance_spearman:{name}"]) for name in RELEVANCE_MEASURES},
        "coverage": {"ratings": number(verdict.coverage[0]), "differences": number(verdict.coverage[1])},
        "datasets": dataset_objects(verdict.judgement),
        "vmaf": None if verdict.vmaf is None else fixed_object(verdict.vmaf),
        "notes": _notes(model, data, verdict.transparent_audio),
    }
    if as_json or output is not None:
        write_or_print(json_text(document), output)
    else:
        write_or_print(evaluation_table(document), None)


def _describe(data: TrainingSet, path: Path) -> dict[str, Any]:
    return {
        "path": str(path),
        "labels": "teacher" if data.teacher else "ratings",
        "num_stimuli": len(data.pairs),
        "num_contents": len(data.contents),
        "scale": list(data.scale),
    }


def _notes(model: Model, data: TrainingSet, transparent_audio: bool) -> list[str]:
    """What the figures must not be taken for."""
    notes = []
    seen = sorted(model.trained_on & set(data.contents))
    if seen:
        notes.append(
            f"the model was trained on {len(seen)} of the {len(data.contents)} contents ({', '.join(seen[:5])}"
            f"{', ...' if len(seen) > 5 else ''}): these figures are not held out; the model's card has those that are"
        )
    if transparent_audio:
        notes.append("the ratings have no audio: every stimulus is judged at transparent audio")
    if data.teacher:
        notes.append("the labels are the teacher's, not people's; the intervals allow for its own error too")
    return notes
