"""`abr-alloc train`: a model from feature tables or from a user's own ratings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr_alloc import defaults
from abr_alloc.cli import options, places
from abr_alloc.cli.training_data import describing, load_data, video_ratings_option

if TYPE_CHECKING:
    from abr_alloc.learning.dataset import TrainingSet
    from abr_alloc.learning.systems import System

__all__ = ["command"]


@click.command("train", short_help="Train a model on feature tables or on your own ratings.")
@click.argument("features", metavar="[DATA]...", type=options.PATH, nargs=-1)
@click.option("-o", "--output", type=options.PATH, required=True, metavar="DIR", help="Checkpoint folder.")
@click.option(
    "--ratings", type=options.PATH, metavar="FILE",
    help="Rated stimuli to train on (content, mos and feature columns); the same as giving FILE as DATA.",
)  # fmt: skip
@click.option(
    "--system", "system_name", default=defaults.MODEL, show_default=True, metavar="NAME|FILE.py",
    help="What to train; `abr-alloc compare` lists the systems.",
)  # fmt: skip
@describing
@video_ratings_option
@click.option(
    "--settings", type=options.PATH, metavar="FILE.json",
    help="Settings of a network, as `abr-alloc tune` writes them.",
)  # fmt: skip
@click.option("--hidden-layers", type=click.IntRange(1, 5), help="Hidden layers of a network's head.")
@click.option("--dropout", type=options.FiniteRange(0, 0.9))
@click.option("--learning-rate", type=options.FiniteRange(0, 1, min_open=True))
@click.option("--weight-decay", type=options.FiniteRange(0, 1))
@click.option("--steps", type=click.IntRange(min=10), help="Training steps.")
@click.option("--batch-size", type=click.IntRange(min=4))
@click.option(
    "--members", type=click.IntRange(1, 20), help="Networks of different seeds whose predictions are averaged."
)
@click.option(
    "--folds", type=click.IntRange(2, 20), default=5, show_default=True, help="Folds for the held-out figures."
)
@click.option("--leave-one-out", is_flag=True, help="Hold out one content at a time instead.")
@click.option("--seed", type=int, default=0, show_default=True)
def command(
    features: tuple[Path, ...],
    output: Path,
    ratings: Path | None,
    system_name: str,
    audio_columns: tuple[str, ...],
    video_columns: tuple[str, ...],
    mos_range: tuple[float, float] | None,
    contents: Path | None,
    video_ratings: Path | None,
    settings: Path | None,
    hidden_layers: int | None,
    dropout: float | None,
    learning_rate: float | None,
    weight_decay: float | None,
    steps: int | None,
    batch_size: int | None,
    members: int | None,
    folds: int,
    leave_one_out: bool,
    seed: int,
) -> None:
    """Train a system on DATA: feature tables (labels by the teacher) or one table of rated stimuli. Folds are
    grouped by content; the checkpoint folder's card holds the held-out figures, and `plan --model DIR` plans with
    it.

    Settings of a network that are not given suit the data (docs/method.md).
    """
    if bool(features) == bool(ratings):
        raise click.UsageError("give DATA or --ratings, one of the two")
    if output.exists() and (not output.is_dir() or any(output.iterdir())) and not (output / "model.json").is_file():
        raise click.UsageError(f"{output} exists and is no checkpoint folder; choose another -o")
    places.check_output(output / "model.json" if output.is_dir() else output)

    from abr_alloc.cli.progress import progress
    from abr_alloc.cli.verbosity import inform
    from abr_alloc.learning.build import build_model
    from abr_alloc.learning.ratings import read_video_ratings
    from abr_alloc.learning.registry import find_systems

    (system,) = find_systems([system_name], video_ratings=read_video_ratings(video_ratings) if video_ratings else None)
    data, tables = load_data(
        [ratings] if ratings else features,
        audio_columns=audio_columns,
        video_columns=video_columns,
        mos_range=mos_range,
        contents=contents,
    )
    shape = {"num_hidden_layers": hidden_layers, "dropout": dropout}
    rest = {
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "num_steps": steps,
        "batch_size": batch_size,
        "num_members": members,
    }
    system = _configured(system, data, settings, shape, rest)
    with progress("training") as update:

        def on_fold(fold: int, num_folds: int) -> None:
            update(fold, num_folds + 1, f"fold {fold} of {num_folds}")

        card = build_model(
            data, tables, system, output, num_folds=None if leave_one_out else folds, seed=seed, on_fold=on_fold
        )
    held_out = card["evaluation"]["held_out"]
    low, high = data.scale
    inform(
        f"{output}: held-out PLCC {held_out['plcc']['value']:.4f}, SRCC {held_out['srcc']['value']:.4f}, RMSE "
        f"{held_out['rmse']['value']:.4f} of {low:g}-{high:g} over {card['evaluation']['num_pairs']} pairs of "
        f"{len(data.contents)} contents"
    )


def _configured(
    system: System,
    data: TrainingSet,
    settings: Path | None,
    shape: dict[str, float | int | None],
    rest: dict[str, float | int | None],
) -> System:
    """A network with the settings that were given; other systems have none to give."""
    from dataclasses import replace

    from abr_alloc.learning.systems import NetworkSystem, default_config

    given: list[dict[str, Any]] = [{k: v for k, v in part.items() if v is not None} for part in (shape, rest)]
    if not isinstance(system, NetworkSystem):
        if settings or any(given):
            raise click.UsageError(f"settings of a network do not apply to {system.name}; leave them out")
        return system
    config = default_config(data, system.kind, of_qualities=system.of_qualities)
    if settings:
        from abr_alloc.learning.training import read_settings

        config = read_settings(settings, system.kind)
    return replace(system, config=replace(config, network=replace(config.network, **given[0]), **given[1]))
