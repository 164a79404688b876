"""DATA: what models are trained and judged on, a rated table or feature tables, and the options that describe it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr_alloc.cli import options
from abr_alloc.cli.verbosity import inform

if TYPE_CHECKING:
    from abr_alloc.learning.dataset import TrainingSet
    from abr_alloc.table.table import FeatureTable

__all__ = ["describing", "keep_flagged_option", "load_data", "video_ratings_option"]

_DESCRIBING = (
    click.option(
        "--audio-columns", multiple=True, metavar="PATTERN",
        help="Audio feature columns of rated stimuli (repeatable); the 512 features, the 1-D VIF scales or audio_mos "
        "when absent.",
    ),
    click.option(
        "--video-columns", multiple=True, metavar="PATTERN",
        help="Video feature columns of rated stimuli (repeatable); the six VMAF features, or the VIF scales and "
        "frame_diff, when absent.",
    ),
    click.option(
        "--mos-range", type=(float, float), default=None, metavar="WORST BEST",
        help="Rating scale; 1 5 and 0 100 are recognised.",
    ),
    click.option(
        "--contents", type=options.PATH, metavar="FILE.csv",
        help="Columns title, content: which titles of feature tables are parts of one content and must not be split "
        "over folds.",
    ),
)  # fmt: skip


video_ratings_option = click.option(
    "--video-ratings", type=options.PATH, metavar="FILE.csv",
    help="A second table of video ratings (mos 1-5, vif_scale0..3, motion2) for attentive-product's form.",
)  # fmt: skip


keep_flagged_option = click.option(
    "--keep-flagged", is_flag=True,
    help="Keep rated stimuli that a column broken or lowfps flags: their features contradict their ratings.",
)  # fmt: skip


def describing(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that reads DATA."""
    for option in reversed(_DESCRIBING):
        command = option(command)
    return command


def load_data(
    paths: Sequence[Path],
    *,
    audio_columns: Sequence[str],
    video_columns: Sequence[str],
    mos_range: tuple[float, float] | None,
    contents: Path | None,
    keep_flagged: bool = False,
) -> tuple[TrainingSet, list[FeatureTable]]:
    """Read one table of rated stimuli, or feature tables with the teacher's labels.

    Stimuli that the table flags (`panel.FLAGS`) are left out, which a line on stderr says, unless `keep_flagged`.

    Returns:
        The data, and the feature tables they were made of: none for ratings.

    Raises:
        click.UsageError: kinds are mixed, or an option does not apply.
        FeatureTableError: a table cannot be read or breaks its schema.
    """
    from abr_alloc.learning.dataset import from_tables
    from abr_alloc.learning.panel import without_flagged
    from abr_alloc.learning.ratings import from_ratings, read_contents, read_ratings
    from abr_alloc.models.teacher import load_teacher
    from abr_alloc.table.table import is_feature_table, read_features

    kinds = {is_feature_table(path) for path in paths}
    if kinds == {True}:
        for name, value in (("--audio-columns", audio_columns), ("--video-columns", video_columns)):
            if value:
                raise click.UsageError(f"{name} is for rated stimuli; a feature table's columns are known")
        if keep_flagged:
            raise click.UsageError("--keep-flagged is for rated stimuli; a feature table has no flags")
        if mos_range is not None:
            raise click.UsageError("--mos-range is for rated stimuli; a feature table has labels of 1-5")
        tables = [read_features(path) for path in paths]
        return from_tables(tables, load_teacher(), read_contents(contents) if contents else {}), tables
    if len(paths) != 1:
        raise click.UsageError("give one table of rated stimuli, or feature tables only")
    if contents is not None:
        raise click.UsageError("--contents is for feature tables; rated stimuli have a column content")
    frame = read_ratings(paths[0])
    if not keep_flagged:
        num_rows = len(frame)
        frame, flagged = without_flagged(frame)
        if flagged:
            inform(
                f"{num_rows - len(frame)} of {num_rows} rated stimuli are left out: the table flags their features as "
                f"contradicting their ratings ({', '.join(f'{name}: {num}' for name, num in flagged.items())})"
            )
    return from_ratings(frame, audio_columns, video_columns, mos_range), []
