"""What must be the same wherever tasks run, so that a result does not depend on who computed it.

Encodes depend on ffmpeg, with its libvmaf and encoders; audio scores on NumPy; and tasks are sent by the names
of their classes, which another version of this package may not have.
"""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import dataclass, fields

from abr_alloc import __version__
from abr_alloc.errors import AbrAllocError
from abr_alloc.media.ffmpeg import FFmpeg, look_at_ffmpeg

__all__ = ["Environment", "describe", "difference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Versions, in the words of those who made them; empty where a thing is not there or not needed."""

    abr_alloc: str
    """This package."""
    python: str
    """Major and minor version."""
    numpy: str
    """NumPy."""
    ffmpeg: str
    """ffmpeg."""
    ffmpeg_path: str
    """Where tasks look for it."""


def describe(ffmpeg: FFmpeg | None) -> Environment:
    """This process, with the ffmpeg of a task, if it needs one: at the same place, it may be another here."""
    version = ""
    if ffmpeg is not None:
        try:
            version = look_at_ffmpeg(ffmpeg.path).version
        except AbrAllocError as error:
            version = f"missing ({error})"
    return Environment(
        abr_alloc=__version__,
        python=".".join(platform.python_version_tuple()[:2]),
        numpy=_version("numpy"),
        ffmpeg=version,
        ffmpeg_path="" if ffmpeg is None else ffmpeg.path,
    )


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def difference(there: Environment, here: Environment) -> str:
    """The first thing that differs, in words; empty where nothing does."""
    for field in fields(Environment):
        theirs, ours = getattr(there, field.name), getattr(here, field.name)
        if theirs != ours:
            return f"has {field.name} {theirs or '(none)'} where this machine has {ours}"
    return ""
