"""`abr-alloc export`: a ladder in the words of other programs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr_alloc.cli import options, places

if TYPE_CHECKING:
    from abr_alloc.allocation.design import TitleLadder

__all__ = ["command"]

_TABLES = ("csv", "parquet")
_FORMATS = ("hls", "dash", "ffmpeg", "mediaconvert", "shaka-streamer", *_TABLES)


class _FrameRate(click.ParamType):
    """Text like 24, 23.976 or 30000/1001, as a fraction."""

    name = "fps"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        try:
            fps = Fraction(str(value))
        except (ValueError, ZeroDivisionError):
            fps = Fraction(0)
        if not Fraction(1, 1000) <= fps <= 1000:
            self.fail(f"{value!r} is not a frame rate; write it like 25, 23.976 or 30000/1001", param, ctx)
        # 23.976 and 29.97 stand for quotients with 1001.
        nominal = Fraction(round(fps) * 1000, 1001)
        return nominal if abs(fps - nominal) < Fraction(1, 200) and fps.denominator > 1 else fps


@click.command("export", short_help="Hand a ladder to other programs.")
@click.argument("ladder", type=options.PATH)
@click.option("--format", "form", type=click.Choice(_FORMATS), required=True, help="What to write.")
@click.option(
    "-o",
    "--output",
    type=options.PATH,
    metavar="FILE|DIR",
    help="Where to; standard output when absent. A folder for shaka-streamer.",
)
@click.option("--title", help="The title whose ladder to write; csv and parquet take all without it.")
@click.option("--fps", type=_FrameRate(), help="Frame rate of the title, where the ladder file says none.")
@click.option(
    "--duration", "duration_s", type=options.SECONDS, help="dash: length of the title, where the ladder file says none."
)  # fmt: skip
def command(
    ladder: Path, form: str, output: Path | None, title: str | None, fps: Fraction | None, duration_s: float | None
) -> None:
    """Write a ladder of LADDER, a file of `abr-alloc ladder -o`, for other programs: playlist templates, an encoding
    script, job settings or a table. Nothing is encoded: rates are the planned ones. docs/export.md describes
    the formats.
    """
    if output is None and form in ("parquet", "shaka-streamer"):
        raise click.UsageError(f"{form} is not for standard output; name a {_place(form)} with -o")
    if form == "shaka-streamer" and output is not None:
        places.refuse_file(output)
    else:
        places.check_output(output, [ladder])

    from abr_alloc.cli.tables import write_or_print
    from abr_alloc.exporting.planned import load_plan
    from abr_alloc.formats.ladder_file import read_designed
    from abr_alloc.runs.export_run import choose_ladders, export_plan, listed_titles

    ladders = choose_ladders(ladder, read_designed(ladder), title)
    if form in _TABLES:
        _write_table(ladders, form, output)
        return
    if len(ladders) > 1:
        raise click.UsageError(
            f"{ladder} holds {len(ladders)} ladders and {form} takes one; choose with --title: {listed_titles(ladders)}"
        )
    plan = load_plan(ladder, ladders[0].ladder, fps=fps, duration_s=duration_s)
    found = export_plan(plan, form)
    if form == "shaka-streamer" and output is not None:
        places.make_folder(output)
        found.save(output)
    else:
        write_or_print(str(found), output, exact=True)


def _place(form: str) -> str:
    return "folder" if form == "shaka-streamer" else "file"


def _write_table(ladders: list[TitleLadder], form: str, output: Path | None) -> None:
    from abr_alloc.cli.tables import write_or_print
    from abr_alloc.formats.result_rows import ladder_frame
    from abr_alloc.table.spreadsheet import csv_text
    from abr_alloc.table.table import write_frame

    frame = ladder_frame(ladders)
    if form == "csv" or output is None:
        write_or_print(csv_text(frame), output, exact=True)
    else:
        write_frame(frame, output)
