"""`abr-alloc export`: a ladder in the words of other programs."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr_alloc.cli import options, places
from abr_alloc.documents import json_text

if TYPE_CHECKING:
    from abr_alloc.allocation.design import TitleLadder
    from abr_alloc.export.planned import LadderPlan

__all__ = ["command"]

_TABLES = ("csv", "parquet")
_FORMATS = ("hls", "dash", "ffmpeg", "mediaconvert", "shaka-streamer", *_TABLES)
_MAX_LISTED = 10


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
    script, job settings or a table. Nothing is encoded: rates are the planned ones. docs/export.md tells what is in
    each format.
    """
    if output is None and form in ("parquet", "shaka-streamer"):
        raise click.UsageError(f"{form} is not for standard output; name a {_place(form)} with -o")
    if form == "shaka-streamer" and output is not None:
        places.refuse_file(output)
    else:
        places.check_output(output, [ladder])

    from abr_alloc.cli.tables import write_or_print
    from abr_alloc.export.planned import load_plan
    from abr_alloc.formats.ladder_file import read_designed

    ladders = _chosen(ladder, read_designed(ladder), title)
    if form in _TABLES:
        _write_table(ladders, form, output)
        return
    if len(ladders) > 1:
        raise click.UsageError(
            f"{ladder} holds {len(ladders)} ladders and {form} takes one; choose with --title: {_titles(ladders)}"
        )
    plan = load_plan(ladder, ladders[0].ladder, fps=fps, duration_s=duration_s)
    if form == "shaka-streamer" and output is not None:
        from abr_alloc.export.shaka_streamer import shaka_streamer_files

        files = shaka_streamer_files(plan)
        places.make_folder(output)
        for name, text in files.items():
            write_or_print(text, output / name)
    else:
        write_or_print(_WRITERS[form](plan), output, exact=True)


def _place(form: str) -> str:
    return "folder" if form == "shaka-streamer" else "file"


def _titles(ladders: list[TitleLadder]) -> str:
    names = [found.ladder.title for found in ladders]
    return ", ".join(names[:_MAX_LISTED]) + (", ..." if len(names) > _MAX_LISTED else "")


def _chosen(path: Path, ladders: list[TitleLadder], title: str | None) -> list[TitleLadder]:
    from abr_alloc.errors import LadderFormatError

    found = [item for item in ladders if title in (None, item.ladder.title)]
    if not found:
        raise LadderFormatError(f"{path} has no ladder for {title!r}; it has {_titles(ladders)}")
    return found


def _write_table(ladders: list[TitleLadder], form: str, output: Path | None) -> None:
    from abr_alloc.cli.ladder_table import ladder_csv, ladder_frame
    from abr_alloc.cli.tables import write_or_print
    from abr_alloc.table.table import write_frame

    if form == "csv" or output is None:
        write_or_print(ladder_csv(ladders), output, exact=True)
    else:
        write_frame(ladder_frame(ladders), output)


def _hls(plan: LadderPlan) -> str:
    from abr_alloc.export.hls import master_playlist
    from abr_alloc.export.planned import PLANNED_COMMENT, planned_variants

    return master_playlist(planned_variants(plan), comment=f"{plan.title}\n{PLANNED_COMMENT}")


def _dash(plan: LadderPlan) -> str:
    from abr_alloc.errors import ExportError
    from abr_alloc.export.dash import dash_manifest
    from abr_alloc.export.planned import PLANNED_COMMENT, planned_variants

    if plan.duration_s is None:
        raise ExportError(f"the ladder file does not say how long {plan.title!r} is; give it with --duration")
    comment = f"{plan.title}\n{PLANNED_COMMENT}"
    return dash_manifest(planned_variants(plan), plan.duration_s, segment_s=plan.segment_s, comment=comment)


def _ffmpeg(plan: LadderPlan) -> str:
    from abr_alloc.export.ffmpeg_script import ffmpeg_script

    return ffmpeg_script(plan)


def _mediaconvert(plan: LadderPlan) -> str:
    from abr_alloc.export.mediaconvert import mediaconvert_job

    return json_text(mediaconvert_job(plan))


_WRITERS: dict[str, Callable[[LadderPlan], str]] = {
    "hls": _hls,
    "dash": _dash,
    "ffmpeg": _ffmpeg,
    "mediaconvert": _mediaconvert,
}
