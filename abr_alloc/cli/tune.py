"""`abr-alloc tune`: search the settings of a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abr_alloc.cli import options, places
from abr_alloc.cli.training_data import describing, load_data

if TYPE_CHECKING:
    from abr_alloc.learning.tuning import Trial

__all__ = ["command"]


@click.command("tune", short_help="Search the paper's settings of a network.")
@click.argument("data_paths", metavar="DATA...", type=options.PATH, nargs=-1, required=True)
@click.option(
    "-o", "--output", "folder", type=options.PATH, required=True, metavar="DIR",
    help="Folder of the study: its journal, trials.csv, report.md, settings.json.",
)  # fmt: skip
@click.option(
    "--network", "kind", type=click.Choice(["simple", "ca", "recursive", "attentive"]), default="attentive",
    show_default=True,
)  # fmt: skip
@click.option(
    "--trials", "num_trials", type=click.IntRange(min=1), default=30, show_default=True,
    help="Trials that the study shall hold; those of an earlier run count.",
)  # fmt: skip
@click.option("--num-folds", type=click.IntRange(2, 20), default=5, show_default=True)
@click.option("--steps", type=click.IntRange(min=10), help="Training steps; what suits the data when absent.")
@click.option("--seed", type=int, default=0, show_default=True)
@describing
def command(
    data_paths: tuple[Path, ...],
    folder: Path,
    kind: str,
    num_trials: int,
    num_folds: int,
    steps: int | None,
    seed: int,
    audio_columns: tuple[str, ...],
    video_columns: tuple[str, ...],
    mos_range: tuple[float, float] | None,
    contents: Path | None,
) -> None:
    """Search the paper's Table 2 for the settings of a network with the least loss on held-out contents of DATA (a
    table of rated stimuli, or feature tables). The study is kept in DIR: an interrupted search goes on where it
    stopped.

    `abr-alloc train --settings DIR/settings.json` trains with the best settings. Needs Optuna: pip install
    'abr_alloc[tune]'.
    """
    places.refuse_file(folder)

    from abr_alloc.cli.layout import wrap
    from abr_alloc.cli.progress import progress
    from abr_alloc.cli.tables import write_or_print
    from abr_alloc.learning.cross_validation import check_trainable, grouped_folds
    from abr_alloc.learning.systems import default_config
    from abr_alloc.learning.tuning import open_study, trials_of, tune
    from abr_alloc.runs.study_files import write_study

    data, _ = load_data(
        data_paths,
        audio_columns=audio_columns,
        video_columns=video_columns,
        mos_range=mos_range,
        contents=contents,
    )
    folds = grouped_folds(data.contents, num_folds)
    check_trainable(data)
    base = replace(default_config(data, kind), seed=seed)
    base = replace(base, num_steps=steps or base.num_steps)
    places.make_folder(folder)
    study = open_study(folder, base)
    with progress("first trial") as update:

        def on_trial(trial: Trial) -> None:
            done = len(trials_of(study))
            update(done, num_trials, f"trial {trial.number}: loss {trial.loss:.4f}")

        tune(study, data, folds, base, num_trials, on_trial=on_trial)
    summary = wrap(write_study(study, base, folder))
    write_or_print(f"{summary}\nsettings: {folder / 'settings.json'}\n", None)
