"""`abr-alloc doctor`: what is installed, and what is missing for which command."""

from __future__ import annotations

from pathlib import Path

import click

from abr_alloc.cli import options
from abr_alloc.cli.printing import echo
from abr_alloc.documents import json_text

__all__ = ["command"]


@click.command("doctor", short_help="Check what is installed, and what is missing for which command.")
@options.ffmpeg_option
@options.cache_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/formats.md).")
def command(ffmpeg_path: str | None, cache_dir: Path | None, as_json: bool) -> int:
    """Show versions, encoders, models, grids and the cache, and for every command what it misses and where to get it.

    Exit code 1 when some command cannot do its main job. Encoders that only an option asks for are no such thing, and
    neither is what only an extra of the package installs.
    """
    from abr_alloc.cli.doctor_table import doctor_text
    from abr_alloc.cli.main import COMMANDS
    from abr_alloc.runs.examine import OF_AN_EXTRA, examine

    document = examine(COMMANDS, ffmpeg_path, cache_dir)
    echo(json_text(document) if as_json else doctor_text(document), nl=False)
    return 0 if all(found["ok"] or found["name"] in OF_AN_EXTRA for found in document["commands"]) else 1
