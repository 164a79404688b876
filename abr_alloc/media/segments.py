"""How a stream lies in its folder: an initialisation segment and media segments that count from 1.

Where pictures change in size on the way, every further size has an initialisation segment of its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from abr_alloc.errors import UnsupportedMediaError

__all__ = [
    "INIT_NAME",
    "SEGMENT_PATTERN",
    "TEXT_NAME",
    "TEXT_PATTERN",
    "TRACK_NAME",
    "init_name",
    "init_paths",
    "is_track_file",
    "join_segments",
    "segment_paths",
]

INIT_NAME = "init.mp4"
"""The initialisation segment."""

SEGMENT_PATTERN = "{:05d}.m4s"
"""The media segments, by number."""

TRACK_NAME = "media.mp4"
"""All of a stream that is one file instead (`track_file.py`)."""

TEXT_PATTERN = "{:05d}.vtt"
"""The segments of subtitles, by number."""

TEXT_NAME = "subtitles.vtt"
"""The same subtitles in one file."""


def init_name(number: int) -> str:
    """Name of the initialisation segment of the n-th size, counting from 1."""
    return INIT_NAME if number == 1 else f"init-{number}.mp4"


def init_paths(folder: Path) -> list[Path]:
    """The initialisation segments in a stream's folder: one for every size of its pictures, in the order in which they
    first come."""
    paths, number = [folder / INIT_NAME], 2
    while (folder / init_name(number)).is_file():
        paths.append(folder / init_name(number))
        number += 1
    return paths


def is_track_file(folder: Path) -> bool:
    """Whether a stream's folder holds it as one file."""
    return (folder / TRACK_NAME).is_file()


def segment_paths(folder: Path) -> list[Path]:
    """The media segments in a stream's folder, in order.

    Raises:
        UnsupportedMediaError: there is none, or one is missing.
    """
    paths = sorted(folder.glob("[0-9]*.m4s"))
    for number, path in enumerate(paths, start=1):
        if path.name != SEGMENT_PATTERN.format(number):
            expected = folder / SEGMENT_PATTERN.format(number)
            raise UnsupportedMediaError(f"{expected} is missing; encode the ladder again", path=str(folder))
    if not paths or not (folder / INIT_NAME).is_file():
        raise UnsupportedMediaError(f"{folder} holds no whole stream; encode the ladder again", path=str(folder))
    return paths


def join_segments(folder: Path, path: Path) -> None:
    """Write a stream's segments into one file, which plays as the stream does: where pictures change in size, segments
    hold their parameter sets themselves.

    Raises:
        UnsupportedMediaError: a segment is missing.
    """
    with path.open("wb") as joined:
        parts = (folder / TRACK_NAME,) if is_track_file(folder) else (folder / INIT_NAME, *segment_paths(folder))
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, joined)
