"""`abr-alloc compare`: every system trained and tested on the same held-out contents."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abr_alloc.cli import options, places
from abr_alloc.cli.training_data import (
    describing,
    keep_flagged_option,
    load_data,
    video_ratings_option,
)

if TYPE_CHECKING:
    from abr_alloc.learning.cross_validation import Result

__all__ = ["command"]


@click.command("compare", short_help="Train and test systems on the same held-out contents.")
@click.argument("data_paths", metavar="DATA...", type=options.PATH, nargs=-1, required=True)
@click.option(
    "-o", "--output", "folder", type=options.PATH, required=True, metavar="DIR",
    help="Folder for the table (Markdown, CSV, JSON), the predictions and the scatter plots.",
)  # fmt: skip
@click.option(
    "--systems", "names", multiple=True, metavar="NAME|FILE.py",
    help="Only these (repeatable, or separated by commas); product:W_A,W_V gives a product's weights, a Python file a "
    "system of your own. All that ship when absent.",
)  # fmt: skip
@click.option(
    "--folds", "fold_kind", type=click.Choice(["content", "leave-one-out"]), default=None,
    help="Five folds of contents, or one content at a time. [default: leave-one-out for ratings, content for feature "
    "tables]",
)  # fmt: skip
@click.option(
    "--exclude-audio-below", "least_audio_kbps", type=options.BITRATE, metavar="RATE",
    help="Leave out stimuli with less audio than this, as the paper does with 32k.",
)  # fmt: skip
@click.option(
    "--seeds", "num_seeds", type=click.IntRange(1, 20), default=1, show_default=True,
    help="Train each system so often; figures are those of the mean prediction, and the table's JSON has every seed.",
)  # fmt: skip
@video_ratings_option
@describing
@keep_flagged_option
def command(
    data_paths: tuple[Path, ...],
    folder: Path,
    names: tuple[str, ...],
    fold_kind: str | None,
    least_audio_kbps: float | None,
    num_seeds: int,
    video_ratings: Path | None,
    audio_columns: tuple[str, ...],
    video_columns: tuple[str, ...],
    mos_range: tuple[float, float] | None,
    contents: Path | None,
    keep_flagged: bool,
) -> None:
    """Train and test systems on DATA: one table of rated stimuli (CSV or Parquet), or feature tables, whose labels
    are the teacher's. Folds never split a content. What a fold predicts is kept in DIR/folds: an interrupted
    comparison goes on where it stopped. VMAF, where DATA have it, is a row of its own: a score that learns nothing.
    Ratings without audio are learned and judged at transparent audio.
    """
    places.refuse_file(folder)

    from abr_alloc.cli.agreement_table import comparison_markdown, comparison_table
    from abr_alloc.cli.progress import progress
    from abr_alloc.cli.tables import write_or_print
    from abr_alloc.learning.agreement import comparison_document
    from abr_alloc.learning.cross_validation import NUM_FOLDS, check_trainable, compare, grouped_folds
    from abr_alloc.learning.evaluate import at_transparent_audio
    from abr_alloc.learning.ratings import read_video_ratings
    from abr_alloc.learning.registry import SYSTEMS, find_systems
    from abr_alloc.learning.scoring import judge_fixed
    from abr_alloc.runs.comparison_files import draw_result, write_comparison

    for path in data_paths:
        if str(path) in SYSTEMS and not path.exists():
            raise click.UsageError(f"{path} is a system, not a table; separate systems by commas: --systems a,b")
    systems = find_systems(
        _split(names) or list(SYSTEMS), video_ratings=read_video_ratings(video_ratings) if video_ratings else None
    )
    data, _ = load_data(
        data_paths,
        audio_columns=audio_columns,
        video_columns=video_columns,
        mos_range=mos_range,
        contents=contents,
        keep_flagged=keep_flagged,
    )
    if least_audio_kbps is not None:
        data = data.without_audio_below(least_audio_kbps)
    fold_kind = fold_kind or ("content" if data.teacher else "leave-one-out")
    folds = grouped_folds(data.contents, NUM_FOLDS if fold_kind == "content" else None)
    transparent = not data.audio_columns
    check_trainable(data, needs_audio=not transparent)
    if transparent:
        data = at_transparent_audio(data)
    places.make_folder(folder)
    results: list[Result] = []
    with progress("first fold") as update:

        def on_fold(name: str, done: int, of: int) -> None:
            update(len(results) + done / of, len(systems), f"{name}: fold {done} of {of}")

        for result in compare(systems, data, folds, num_seeds=num_seeds, store=folder / "folds", on_fold=on_fold):
            results.append(result)
            draw_result(result, data, folder)
    vmaf = judge_fixed("vmaf", data)
    document = comparison_document(
        data_paths,
        data,
        results,
        vmaf,
        fold_kind=fold_kind,
        folds=folds,
        num_seeds=num_seeds,
        least_audio_kbps=least_audio_kbps,
        transparent_audio=transparent,
    )
    write_comparison(document, comparison_markdown(document), results, vmaf, data, folder)
    write_or_print(comparison_table(document), None)


def _split(names: tuple[str, ...]) -> list[str]:
    """Names, some of them several with commas between; a product's weights have a comma of their own."""
    found = [part.strip() for name in names for part in re.findall(r"product:[^,]*,[^,]*|[^,]+", name)]
    if names and not any(found):
        raise click.UsageError("--systems names no system; leave it out for all that ship")
    return [part for part in found if part]
