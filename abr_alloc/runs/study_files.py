"""Files of a search for settings."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from abr_alloc.documents import json_text
from abr_alloc.learning.agreement import number
from abr_alloc.learning.training import TrainingConfig
from abr_alloc.learning.tuning import best_config, trials_of
from abr_alloc.table.spreadsheet import csv_text
from abr_alloc.writing import replace_file

__all__ = ["write_study"]


def write_study(study: Any, base: TrainingConfig, folder: Path) -> str:
    """Write `trials.csv`, `settings.json` and `report.md`; returns the report's first line.

    Args:
        study: from `tuning.open_study`.
        base: the settings that it began with.
        folder: where to.

    Raises:
        OutputError: the folder cannot be written to.
    """
    best, config = best_config(study, base)
    trials = sorted(trials_of(study), key=lambda trial: (trial.state != "complete", trial.loss))
    frame = pd.DataFrame([{**asdict(trial), **trial.settings} for trial in trials]).drop(columns="settings")
    settings = asdict(config)
    del settings["seed"]
    replace_file(folder / "trials.csv", csv_text(frame).encode())
    replace_file(folder / "settings.json", json_text(settings).encode())
    names = list(best.settings)
    num, complete = len(trials), sum(trial.state == "complete" for trial in trials)
    minutes = sum(trial.seconds for trial in trials) / 60
    lines = [
        f"{num} trial{'s' if num > 1 else ''}, {complete} complete, {minutes:.0f} minutes; least loss {best.loss:.4f} "
        f"(trial {best.number})",
        "",
        "| trial | loss | folds | " + " | ".join(names) + " |",
        "|---|---|---|" + "---|" * len(names),
    ]
    for trial in trials:
        cells = [_cell(trial.settings[name]) for name in names]
        lines.append(f"| {trial.number} | {number(trial.loss, 4)} | {trial.folds} | " + " | ".join(cells) + " |")
    text = "\n".join(lines) + "\n"
    replace_file(folder / "report.md", text.encode())
    return lines[0]


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
