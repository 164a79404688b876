"""`abr-alloc lint`: check a delivered HLS stream against Apple's authoring rules, offline."""

from __future__ import annotations

import os
from pathlib import Path

import click

from abr_alloc.cli.printing import echo

__all__ = ["command"]


@click.command("lint", short_help="Check an HLS stream against Apple's authoring rules, offline.")
@click.argument("playlist", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/formats.md).")
def command(playlist: Path, as_json: bool) -> int:
    """Check PLAYLIST, a master or a media playlist, and every segment that it leads to.

    Rules are those of Apple's HLS Authoring Specification that can be checked offline, and those of HLS that make
    players fail (docs/lint.md). Exit code 1 when a MUST is broken; a SHOULD is a warning. Nothing is fetched.
    """
    from abr_alloc.cli.lint_table import lint_text
    from abr_alloc.exporting.presentation import MASTER_NAME
    from abr_alloc.runs.lint_run import lint, playlist_of

    playlist = playlist_of(playlist)
    if os.path.isdir(playlist):  # noqa: PTH112
        raise click.UsageError(f"{playlist} is a folder without {MASTER_NAME}; give a playlist")
    found = lint(playlist)
    echo(found.to_json() if as_json else lint_text(found.report, found.path), nl=False)
    return 0 if found.ok else 1
