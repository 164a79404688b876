"""`abr-alloc train`: a model from a feature table or from a user's own ratings."""

from __future__ import annotations

from pathlib import Path

import click

from abr_alloc.cli import options

__all__ = ["command"]


@click.command("train", short_help="Train a model on a feature table or on your own ratings.")
@click.argument("features", type=click.Path(path_type=Path), nargs=-1)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Checkpoint folder."
)
@click.option(
    "--ratings", type=click.Path(path_type=Path), metavar="FILE.csv",
    help="Rated stimuli to train on instead: content, mos and feature columns.",
)  # fmt: skip
@click.option(
    "--audio-columns", multiple=True, default=["audio_features_*"], metavar="PATTERN",
    help="Audio feature columns of the ratings (repeatable).",
)  # fmt: skip
@click.option(
    "--video-columns", multiple=True, default=["vif_scale?", "motion2", "adm2"], metavar="PATTERN",
    help="Video feature columns of the ratings (repeatable).",
)  # fmt: skip
@click.option("--mos-range", type=(float, float), default=(1.0, 5.0), help="Worst and best possible rating.")
@click.option(
    "--contents", type=click.Path(path_type=Path), metavar="FILE.csv",
    help="Columns title, content: which titles are parts of one content and must not be split over folds.",
)  # fmt: skip
@click.option("--hidden-layers", type=click.IntRange(1, 5), default=3, show_default=True)
@click.option("--dropout", type=options.FiniteRange(0, 0.9), default=0.1, show_default=True)
@click.option("--learning-rate", type=options.FiniteRange(0, 1, min_open=True), default=3e-4, show_default=True)
@click.option("--weight-decay", type=options.FiniteRange(0, 1), default=0.05, show_default=True)
@click.option("--steps", type=click.IntRange(min=10), default=3000, show_default=True)
@click.option("--batch-size", type=click.IntRange(min=4), default=32, show_default=True)
@click.option("--folds", type=click.IntRange(2, 20), default=5, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def command(
    features: tuple[Path, ...],
    output: Path,
    ratings: Path | None,
    audio_columns: tuple[str, ...],
    video_columns: tuple[str, ...],
    mos_range: tuple[float, float],
    contents: Path | None,
    hidden_layers: int,
    dropout: float,
    learning_rate: float,
    weight_decay: float,
    steps: int,
    batch_size: int,
    folds: int,
    seed: int,
) -> None:
    """Train an Attentive AV-FusionNet on FEATURES (labels by the teacher) or on rated stimuli, with folds grouped by
    content, and write a checkpoint folder whose card holds the held-out figures.
    """
    if bool(features) == bool(ratings):
        raise click.UsageError("give feature tables or --ratings, one of the two")
    if output.exists() and (not output.is_dir() or any(output.iterdir())) and not (output / "model.json").is_file():
        raise click.UsageError(f"{output} exists and is no checkpoint folder; choose another -o")
    options.check_output(output / "model.json" if output.is_dir() else output)

    from abr_alloc.features.table import read_features
    from abr_alloc.models.build import build_model
    from abr_alloc.models.dataset import from_ratings, from_tables, read_contents, read_ratings
    from abr_alloc.models.teacher import load_teacher
    from abr_alloc.models.training import TrainedNetwork, TrainingConfig

    config = TrainingConfig(
        num_hidden_layers=hidden_layers,
        dropout=dropout,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        num_steps=steps,
        batch_size=batch_size,
        num_folds=folds,
        seed=seed,
    )
    tables = [read_features(path) for path in features]
    if ratings is not None:
        data = from_ratings(read_ratings(ratings), audio_columns, video_columns, mos_range)
    else:
        data = from_tables(tables, load_teacher(), read_contents(contents) if contents else {})

    def on_fold(fold: int, num_folds: int, trained: TrainedNetwork) -> None:
        click.echo(
            f"fold {fold} of {num_folds}: best step {trained.best_step}, loss {trained.validation_loss:.4f}", err=True
        )

    card = build_model(data, tables, config, output, on_fold=on_fold)
    held_out = card["evaluation"]["held_out"]
    click.echo(
        f"{output}: held-out PLCC {held_out['plcc']:.4f}, SRCC {held_out['srcc']:.4f}, RMSE {held_out['rmse']:.4f} MOS "
        f"over {held_out['num']} pairs of {len(data.contents)} contents",
        err=True,
    )
