"""A shipped ladder from CSV: a row per rung, in the columns of `abr-alloc ladder -o ladder.csv` (docs/formats.md).

Of those, a row needs what tells its two streams: the label that a feature table has them under (`video_target`,
`audio_target`), or codec, size and rate. Columns of other names are somebody else's and ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from abr_alloc.allocation.given_ladder import GivenAudio, GivenLadder, GivenRung, GivenVideo
from abr_alloc.codecs import AUDIO_CODECS, VIDEO_CODECS
from abr_alloc.delimited import read_cells
from abr_alloc.documents import shown
from abr_alloc.errors import LadderFormatError, UnitError
from abr_alloc.units import MAX_KBPS, parse_bitrate_kbps

__all__ = ["COLUMNS", "read_ladder_rows"]

_VIDEO = ("video_codec", "width_px", "height_px", "video_kbps")
_AUDIO = ("audio_codec", "audio_kbps")
COLUMNS = ("title", *_VIDEO, "video_target", *_AUDIO, "channels", "audio_target")
"""Columns that are read."""

_MOST_PX = 65_536


def read_ladder_rows(path: Path) -> tuple[GivenLadder, ...]:
    """The ladders of a CSV file: one per title where it names titles, else one for any.

    Raises:
        LadderFormatError: it cannot be read, or a row breaks the format; the message names line and column.
    """
    try:
        rows = read_cells(path)
    except FileNotFoundError:
        raise LadderFormatError(f"the ladder {path} does not exist; correct its name") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LadderFormatError(f"the ladder {path} cannot be read ({reason}); give CSV as UTF-8") from None
    if not rows:
        raise LadderFormatError(
            f"the ladder {path} is empty; its first line names columns: {','.join(_VIDEO + _AUDIO)}"
        )
    (_, names), body = rows[0], rows[1:]
    _check_head(path, names)
    if not body:
        raise LadderFormatError(f"the ladder {path} has no rungs; write a line per rung below {','.join(names)}")
    ladders: dict[str, list[GivenRung]] = {}
    for line, cells in body:
        try:
            if len(cells) > len(names):
                raise ValueError(f"{len(cells)} cells below {len(names)} columns; quote texts with commas")
            if "num_shots" in names and dict(zip(names, cells, strict=False)).get("num_shots") not in (None, "", "0"):
                raise ValueError(
                    "it gives every scene its own parameters (num_shots), and a ladder is judged here by one target "
                    "per rung; encode it, and give the master playlist of what was delivered"
                )
            row = {name: value for name, value in zip(names, cells, strict=False) if name in COLUMNS and value}
            ladders.setdefault(row.get("title", ""), []).append(_rung(row, f"line {line}"))
        except ValueError as error:
            raise LadderFormatError(f"the ladder {path}, line {line}: {error}") from None
    return tuple(
        GivenLadder(name=path.name, title=title or None, rungs=tuple(rungs)) for title, rungs in ladders.items()
    )


def _check_head(path: Path, names: list[str]) -> None:
    twice = next((name for i, name in enumerate(names) if name in COLUMNS and name in names[:i]), None)
    if twice is not None:
        raise LadderFormatError(f"the ladder {path}, line 1: the column {twice} stands twice; keep one")
    for kind, label, needed in (("video", "video_target", _VIDEO), ("audio", "audio_target", _AUDIO)):
        missing = [name for name in needed if name not in names]
        if missing and label not in names:
            raise LadderFormatError(
                f"the ladder {path}, line 1: nothing tells the {kind} of a rung: there is no column "
                f"{' and no '.join(missing)}; add {'it' if len(missing) == 1 else 'them'}, or {label} with labels "
                "of measured renditions"
            )


def _rung(row: Mapping[str, str], place: str) -> GivenRung:
    """A rung from its cells that hold something.

    Raises:
        ValueError: a cell cannot be read, or too little is told; the message names the column.
    """
    for kind, label, needed in (("video", "video_target", _VIDEO), ("audio", "audio_target", _AUDIO)):
        missing = [name for name in needed if name not in row]
        if missing and label not in row:
            raise ValueError(f"its {kind} has no {missing[0]}; fill it in, or give {label}")
    return GivenRung(
        place=place,
        video=GivenVideo(
            label=row.get("video_target", ""),
            codec=_codec(row, "video_codec", VIDEO_CODECS),
            width_px=_whole(row, "width_px", _MOST_PX),
            height_px=_whole(row, "height_px", _MOST_PX),
            kbps=_kbps(row, "video_kbps"),
        ),
        audio=GivenAudio(
            label=row.get("audio_target", ""),
            codec=_codec(row, "audio_codec", AUDIO_CODECS),
            channels=_whole(row, "channels", 255),
            kbps=_kbps(row, "audio_kbps"),
        ),
    )


def _codec(row: Mapping[str, str], name: str, known: Mapping[str, object]) -> str:
    value = row.get(name, "")
    if value and value not in known:
        raise ValueError(f"{name} is {shown(value)}; write one of {', '.join(known)}")
    return value


def _whole(row: Mapping[str, str], name: str, most: int) -> int | None:
    if name not in row:
        return None
    value = row[name]
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 9 else 0
    if not 1 <= number <= most:
        raise ValueError(f"{name} is {shown(value)}, not a whole number from 1 to {most}")
    return number


def _kbps(row: Mapping[str, str], name: str) -> float | None:
    if name not in row:
        return None
    try:
        kbps = float(row[name])
    except ValueError:
        try:
            return parse_bitrate_kbps(row[name])
        except UnitError as error:
            raise ValueError(f"{name}: {error}") from None
    if not 0.0 < kbps <= MAX_KBPS:
        raise ValueError(f"{name} is {shown(row[name])}, not a positive rate in kbps")
    return kbps
