"""The table that an audit needs, measured first where a media file is given instead of one."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from abr_alloc import defaults
from abr_alloc.allocation.given_ladder import GivenLadder, GivenRung
from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.location import is_remote, local_mode
from abr_alloc.table.table import FeatureTable, read_features

if TYPE_CHECKING:
    from abr_alloc.runs.feedback import Feedback

__all__ = ["Refused", "is_media", "measure_shipped", "without_refused"]

Refused = Mapping[tuple[str, str], str]
"""Why streams of a package could not be measured, by kind (video, audio) and label."""

_PACKAGES = (".m3u8", ".mpd")
_PARQUET = b"PAR1"


def is_media(features: Path) -> bool:
    """Whether a file is none of the kind that feature tables are, so that it must be a source."""
    if is_remote(features) or not stat.S_ISREG(local_mode(features)):
        return False
    with features.open("rb") as file:
        return file.read(len(_PARQUET)) != _PARQUET and features.suffix.lower() != ".parquet"


def measure_shipped(
    source: Path,
    ladder: Path,
    audio_features: str,
    *,
    base: str | os.PathLike[str] | None = None,
    within: Path | None = None,
    cache: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    ffmpeg: str | None = None,
    stall_s: float = defaults.STALL_S,
    feedback: Feedback | None = None,
) -> tuple[FeatureTable, Refused]:
    """Measure the streams of a package against their source.

    Args:
        source: the title.
        ladder: its master playlist or manifest.
        audio_features: family of the audio features, by name; that of `base` where there is one.
        base: a table that has the title already; what is measured is added to it.
        within: a folder that the package may not lead out of; its own when None.
        cache: where measurements are kept; the user's cache folder when None.
        jobs: processes; one per core when None.
        ffmpeg: program; the one that is found when None.
        stall_s: end an ffmpeg that has neither read nor written for so long, seconds; 0 for never.
        feedback: who listens.

    Returns:
        The table, and which streams could not be measured.

    Raises:
        AbrAllocError: the source or the package cannot be used, or none of its streams can be measured.
        UnsupportedMediaError: the ladder is no package: there is nothing to measure.
    """
    if ladder.suffix.lower() not in _PACKAGES:
        raise UnsupportedMediaError(
            f"{source} is no feature table, and {ladder} holds no encodes that could be measured; give the table of "
            "`abr-alloc extract`, or a master playlist or manifest",
            path=str(source),
        )
    from abr_alloc.measure.extract import title_of  # ffmpeg and libav, which an audit of a table does without
    from abr_alloc.measure.renditions import FailedRendition
    from abr_alloc.runs.measure_run import add_to, measure_options, measure_steps

    table = None if base is None else read_features(base)
    options = measure_options(title_of(source), table, audio_features=audio_features if table is None else None)
    measured: FeatureTable | None = None
    failures: list[FailedRendition] = []
    steps = measure_steps(
        source,
        [ladder],
        options,
        within=within,
        cache=cache,
        jobs=jobs,
        ffmpeg=ffmpeg,
        stall_s=stall_s,
        feedback=feedback,
    )
    for step in steps:
        if isinstance(step, FeatureTable):
            measured = step
        else:
            failures.append(step)
    if measured is None:
        raise failures[0].error
    refused = {(one.rendition.kind, one.rendition.label): str(one.error) for one in failures}
    return measured if table is None else add_to(table, measured), refused


def without_refused(ladder: GivenLadder, refused: Refused) -> GivenLadder:
    """A ladder whose rungs say which of their streams could not be measured: those are not judged by their rate."""

    def told(rung: GivenRung) -> GivenRung:
        reasons = [refused.get((kind, rung.video.label), "") for kind in ("video", "both")]
        reasons += [refused.get((kind, rung.audio.label), "") for kind in ("audio", "both") if rung.audio is not None]
        return dataclasses.replace(rung, refused=next(filter(None, reasons), ""))

    return dataclasses.replace(ladder, rungs=tuple(map(told, ladder.rungs))) if refused else ladder
