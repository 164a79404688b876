"""`abr-alloc plan`: the best pair per scene under a budget."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import click

from abr_alloc.cli import options

__all__ = ["command", "plan_document"]


@click.command("plan", short_help="Choose the best audio/video pair per scene under a budget.")
@options.features_argument
@click.option(
    "--budget", "budgets_kbps", type=options.BITRATE, multiple=True, required=True,
    help="Total rate a pair may have, overhead included: 500k, 2M (repeatable).",
)  # fmt: skip
@options.planning
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/formats.md).")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one row per scene and budget.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write to a file; .json and .csv choose the format.",
)
def command(
    features: Path,
    budgets_kbps: tuple[float, ...],
    model_name: str,
    overhead: float,
    as_json: bool,
    as_csv: bool,
    output: Path | None,
    **filters: Any,
) -> None:
    """Choose, for every scene of FEATURES, the pair of measured renditions with the highest predicted audio-visual
    quality (AVQ) whose video + audio + overhead fits the budget. Every pair is evaluated, so the answer is exact.

    Exit code 3 when some scene has no pair that fits; the other scenes are still printed.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other; give one")
    suffix = output.suffix.lower() if output is not None else ""
    if (as_json and suffix == ".csv") or (as_csv and suffix == ".json"):
        raise click.UsageError(f"--{'json' if as_json else 'csv'} does not fit the output {output}; rename it")
    as_json, as_csv = as_json or suffix == ".json", as_csv or suffix == ".csv"
    options.check_output(output, [features])

    from abr_alloc.allocation.plan import plan_surfaces
    from abr_alloc.allocation.surface import build_surfaces, select
    from abr_alloc.cli.tables import plan_table, write_or_print
    from abr_alloc.errors import InfeasibleBudgetError
    from abr_alloc.features.table import read_features
    from abr_alloc.models.checkpoint import load_model

    table = select(read_features(features), **filters)
    model = load_model(model_name)
    plan = plan_surfaces(build_surfaces(table, model, overhead=overhead), list(dict.fromkeys(budgets_kbps)), model)
    if as_json:
        text = json.dumps(plan_document(plan, model, overhead), indent=2) + "\n"
    elif as_csv:
        text = plan.to_frame().to_csv(index=False, float_format="%.6g", lineterminator="\n")
    else:
        text = plan_table(plan, model, table)
    if text:
        write_or_print(text, output)
    if plan.infeasible:
        raise InfeasibleBudgetError(plan.infeasible)


def plan_document(plan: Any, model: Any, overhead: float) -> dict[str, Any]:
    """The JSON object of docs/formats.md."""
    plans = []
    for allocation in plan.allocations:
        row = dataclasses.asdict(allocation)
        row.pop("extra_budget_gain_mos")
        row["interval_mos"] = list(row["interval_mos"])
        plans.append(row)
    return {
        "schema_version": 1,
        "command": "plan",
        "model": {
            "name": model.name,
            "labels": model.card["labels"],
            "video_feature_version": model.card["video_feature_version"],
            "audio_feature_version": model.card["audio_feature_version"],
            "weights_sha256": model.card["weights_sha256"],
        },
        "overhead": overhead,
        "plans": plans,
        "infeasible": [dataclasses.asdict(scene) for scene in plan.infeasible],
    }
