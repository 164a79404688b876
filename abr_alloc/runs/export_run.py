"""Hand a ladder to other programs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from abr_alloc.allocation.design import TitleLadder
from abr_alloc.arguments import require_choice, require_number
from abr_alloc.documents import json_text
from abr_alloc.errors import ExportError, LadderFormatError
from abr_alloc.exporting.dash import dash_manifest
from abr_alloc.exporting.ffmpeg_script import ffmpeg_script
from abr_alloc.exporting.hls import master_playlist
from abr_alloc.exporting.mediaconvert import mediaconvert_job
from abr_alloc.exporting.planned import LadderPlan, load_plan, planned_variants
from abr_alloc.exporting.shot_script import shot_script
from abr_alloc.formats.ladder_file import read_designed
from abr_alloc.writing import replace_file

if TYPE_CHECKING:
    from abr_alloc.runs.ladder_run import Ladders

__all__ = ["FORMATS", "Exported", "choose_ladders", "export", "export_plan", "listed_titles"]

_MOST_LISTED = 10


logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Exported:
    """A ladder in another program's words."""

    format: str
    """Which."""
    files: dict[str, str]
    """Text by name of the file; one with an empty name where a single file is the whole."""

    def __repr__(self) -> str:
        return f"Exported(format={self.format!r}, files={ {name: len(text) for name, text in self.files.items()} })"

    def __str__(self) -> str:
        return "\n".join(self.files.values())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file; or, where there are several, all of them into a folder, which is made.

        Raises:
            OutputError: it cannot be written.
        """
        for name, text in self.files.items():
            if name:
                Path(path).mkdir(parents=True, exist_ok=True)
            replace_file(Path(path) / name if name else Path(path), text.encode())


def export(
    ladder: Ladders | str | os.PathLike[str],
    format: str,
    *,
    title: str | None = None,
    fps: Fraction | float | None = None,
    duration_s: float | None = None,
) -> Exported:
    """Write a ladder for another program. Nothing is encoded: rates are the planned ones (docs/export.md).

    Args:
        ladder: ladders, or a ladder file.
        format: hls, dash, ffmpeg, mediaconvert or shaka-streamer.
        title: whose ladder, where there are several.
        fps: frames per second of the title, over what the ladder says.
        duration_s: length of the title, seconds, over what the ladder says.

    Raises:
        ExportError: the format cannot take the ladder, something about the title is not known, or several titles
            have ladders and none is chosen.
        LadderFormatError: the ladder file cannot be read, or has none for the title.
        ArgumentError: the format is unknown, or a value out of its range.
    """
    from abr_alloc.runs.ladder_run import (
        ladder_path,  # designs ladders: the command, which reads a file, starts without
    )

    require_choice("format", format, FORMATS)
    if fps is not None:
        require_number("fps", fps, 0.001, 1000.0)
    if duration_s is not None:
        require_number("duration_s", duration_s, 0.0, 1e9, above=True)
    rate = None if fps is None else Fraction(fps).limit_denominator(1001)
    with ladder_path(ladder) as path:
        ladders = choose_ladders(path, read_designed(path), title)
        if len(ladders) > 1:
            raise ExportError(f"there are ladders of {len(ladders)} titles; choose one: {listed_titles(ladders)}")
        return export_plan(load_plan(path, ladders[0].ladder, fps=rate, duration_s=duration_s), format)


def export_plan(plan: LadderPlan, format: str) -> Exported:
    """The same from what is known of one title.

    Raises:
        ExportError: the format cannot take the ladder, or something about the title is not known.
    """
    if format not in ("hls", "dash") and (plan.tone_map or any(r.video.dynamic_range != "SDR" for r in plan.rungs)):
        what = f"is SDR made of HDR by {plan.tone_map}" if plan.tone_map else "is HDR"
        raise ExportError(
            f"{format} is not told yet what to do with HDR, and the ladder of {plan.title!r} {what}; encode it with "
            "`abr-alloc encode`, or export it as hls or dash"
        )
    if format in _OWN_ENCODERS and plan.per_shot:
        raise ExportError(
            f"{format} asks one rate of a whole title, and the ladder of {plan.title!r} gives every scene its own "
            "parameters; export it as ffmpeg, encode it with `abr-alloc encode`, or design one without `shots`"
        )
    if format in _OWN_ENCODERS:
        names = [plan.encoder_of(rung.video) for rung in plan.rungs]
        named = dict.fromkeys(encoder.name for encoder in names if not encoder.is_usual)
        if named:
            logger.warning(
                "%s encodes in its own way: it gets sizes and rates, and none of the settings of %s, which AVQ was "
                "predicted for",
                *(format, ", ".join(named)),
            )
    if format == "shaka-streamer":
        from abr_alloc.exporting.shaka_streamer import shaka_streamer_files

        return Exported(format=format, files=shaka_streamer_files(plan))
    return Exported(format=format, files={"": _WRITERS[format](plan)})


def choose_ladders(path: Path, ladders: Sequence[TitleLadder], title: str | None) -> list[TitleLadder]:
    """The ladder of a title, or all.

    Raises:
        LadderFormatError: there is none.
    """
    chosen = [one for one in ladders if title in (None, one.ladder.title)]
    if not chosen:
        raise LadderFormatError(f"{path} has no ladder for {title!r}; it has {listed_titles(ladders)}")
    return chosen


def listed_titles(ladders: Sequence[TitleLadder]) -> str:
    """Names of their titles, the first few."""
    names = [one.ladder.title for one in ladders]
    return ", ".join(names[:_MOST_LISTED]) + (", ..." if len(names) > _MOST_LISTED else "")


def _hls(plan: LadderPlan) -> str:
    return master_playlist(planned_variants(plan), comment=f"{plan.title}\n{plan.comment}")


def _dash(plan: LadderPlan) -> str:
    if plan.duration_s is None:
        raise ExportError(f"the ladder file does not say how long {plan.title!r} is; give it with `duration_s`")
    comment = f"{plan.title}\n{plan.comment}"
    return dash_manifest(planned_variants(plan), plan.duration_s, segment_s=plan.segment_s, comment=comment)


def _ffmpeg(plan: LadderPlan) -> str:
    return shot_script(plan) if plan.per_shot else ffmpeg_script(plan)


def _mediaconvert(plan: LadderPlan) -> str:
    return json_text(mediaconvert_job(plan))


_WRITERS: dict[str, Callable[[LadderPlan], str]] = {
    "hls": _hls,
    "dash": _dash,
    "ffmpeg": _ffmpeg,
    "mediaconvert": _mediaconvert,
}
_OWN_ENCODERS = ("mediaconvert", "shaka-streamer")
FORMATS = (*_WRITERS, "shaka-streamer")
"""What a ladder can be written for."""
