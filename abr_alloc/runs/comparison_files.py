"""Files of a comparison of systems: tables, predictions and scatter plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from abr_alloc.documents import json_text
from abr_alloc.learning.cross_validation import Result, file_name
from abr_alloc.learning.dataset import TrainingSet
from abr_alloc.learning.scoring import METRICS, Judgement
from abr_alloc.reporting.scatter import draw_scatter
from abr_alloc.reporting.style import render
from abr_alloc.table.spreadsheet import csv_text
from abr_alloc.writing import replace_file

__all__ = ["draw_result", "write_comparison"]


def write_comparison(
    document: Mapping[str, Any],
    markdown: str,
    results: Sequence[Result],
    vmaf: Judgement | None,
    data: TrainingSet,
    folder: Path,
) -> None:
    """Write `table.json`, `table.md`, `table.csv` and `predictions.csv`.

    Args:
        document: from `agreement.comparison_document`.
        markdown: the same as a table with intervals.
        results: of every system.
        vmaf: VMAF as it is, where the data have it.
        data: what systems were trained and tested on.
        folder: where to.

    Raises:
        OutputError: the folder cannot be written to.
    """
    predictions = {result.name: result.judgement for result in results}
    if vmaf is not None:
        predictions["vmaf"] = vmaf
    rows = []
    for row in document["systems"]:
        flat = {"system": row["name"], **_flat_choices(row)}
        for name in METRICS:
            flat |= {name: row[name]["value"], f"{name}_low": row[name]["low"], f"{name}_high": row[name]["high"]}
        rows.append({**flat, "coverage": row["coverage"]["ratings"]})
    audio, video = data.pairs.T
    stimuli = pd.DataFrame(
        {
            "content": data.content,
            "video_condition": data.condition_v[video],
            "audio_condition": data.condition_a[audio],
            "rated": next(iter(predictions.values())).target,
            **{name: judgement.predicted for name, judgement in predictions.items()},
        }
    )
    replace_file(folder / "table.json", json_text(document).encode())
    replace_file(folder / "table.md", markdown.encode())
    replace_file(folder / "table.csv", csv_text(pd.DataFrame(rows)).encode())
    replace_file(folder / "predictions.csv", csv_text(stimuli).encode())


def _flat_choices(row: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of `table.csv`; none where the stimuli leave no choice."""
    regret, pairs = row["hull_regret"] or {}, row["right_pairs"] or {}
    return {f"hull_regret_{key}": value for key, value in regret.items()} | {
        f"right_pairs_{key}": value for key, value in pairs.items()
    }


def draw_result(result: Result, data: TrainingSet, folder: Path) -> None:
    """Draw predictions over ratings, `scatter-NAME.png`.

    Raises:
        OutputError: the folder cannot be written to.
    """
    scores, judged = result.scores, result.judgement
    rmse = scores["rmse"].value
    figure = draw_scatter(
        judged.predicted,
        judged.target,
        label=result.label,
        scale=data.scale,
        figures=f"PLCC {scores['plcc'].value:.3f}\nSRCC {scores['srcc'].value:.3f}\nRMSE {rmse:.3g}",
    )
    replace_file(folder / f"scatter-{file_name(result.name)}.png", render(figure, "png"))
