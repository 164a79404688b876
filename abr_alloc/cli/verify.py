"""`abr-alloc verify`: what was delivered beside what was predicted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abr_alloc.cli import options
from abr_alloc.cli.completion import complete_model
from abr_alloc.cli.printing import echo

if TYPE_CHECKING:
    from abr_alloc.delivery.deviation import Tolerance

__all__ = ["command"]


@click.command("verify", short_help="Measure a delivered ladder beside what was predicted.")
@click.argument("folder", metavar="DIR", type=options.PATH)
@click.option(
    "--source", "source_path", type=options.PATH, metavar="SOURCE",
    help="What was encoded; looked for where it was then when absent.",
)  # fmt: skip
@click.option(
    "--model",
    "model_name",
    metavar="NAME|PATH",
    shell_complete=complete_model,
    help="Model that predicts AVQ; the ladder's own model when absent.",
)
@options.tolerance_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/formats.md).")
@options.jobs_option
@options.cache_option
@options.ffmpeg_option
@options.stall_timeout_option
def command(
    folder: Path,
    source_path: Path | None,
    model_name: str | None,
    tolerance: Tolerance,
    as_json: bool,
    jobs: int,
    cache_dir: Path | None,
    ffmpeg_path: str | None,
    stall_s: float,
) -> int:
    """Measure every rung of DIR, which `abr-alloc encode` wrote, as it is delivered: rates and peaks of its segments,
    and AVQ against the source, through the features and the model that the ladder was designed with.

    Exit code 1 when a rung is beyond the tolerance.
    """
    if os.path.isfile(folder):  # noqa: PTH113 - a name may be too long to ask for
        raise click.UsageError(f"{folder} is a file; give the folder that `abr-alloc encode -o` wrote")

    from abr_alloc.cli.delivery_table import verified_text
    from abr_alloc.cli.listening import listener
    from abr_alloc.runs.verify_run import verify

    found = verify(
        folder,
        source=source_path,
        model=model_name,
        tolerance=tolerance,
        jobs=jobs,
        cache=cache_dir,
        ffmpeg=ffmpeg_path,
        stall_s=stall_s,
        feedback=listener(),
    )
    echo(found.to_json() if as_json else verified_text(found.delivery, found.comparison, tolerance), nl=False)
    return 0 if found.ok else 1
