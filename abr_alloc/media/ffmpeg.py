"""The one door to ffmpeg: find it, learn what it can do, run it.

No shell, no standard input, and no protocol but files and pipes, so that a source can never make ffmpeg open
anything else. A running ffmpeg ends with its caller: `stop_children` kills what is still under way.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from abr_alloc.errors import ToolFailedError, ToolMissingError

__all__ = ["INPUT_GUARD", "FFmpeg", "find_ffmpeg", "find_program", "run_program", "stop_children"]

INPUT_GUARD: tuple[str | Path, ...] = ("-protocol_whitelist", "file,pipe")
"""Options that stand before every `-i`."""

_STDERR_TAIL_CHARS = 4000
_children: set[subprocess.Popen[bytes]] = set()
_children_lock = threading.RLock()  # a signal handler may ask for it while its own thread holds it


def stop_children() -> None:
    """Kill every program that this process started and that still runs."""
    with _children_lock:
        for child in list(_children):
            child.kill()


def _run(command: Sequence[str], *, cwd: Path | None) -> bytes:
    """Run a program to its end and return its stdout.

    Raises:
        ToolFailedError: it could not be started or exited with another code than 0.
    """
    try:
        child = subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except OSError as error:
        raise ToolFailedError(command, -1, str(error)) from error
    with _children_lock:
        _children.add(child)
    try:
        stdout, stderr = child.communicate()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        with _children_lock:
            _children.discard(child)
    if child.returncode != 0:
        tail = stderr.decode("utf-8", "replace")[-_STDERR_TAIL_CHARS:]
        raise ToolFailedError(command, child.returncode, tail)
    return stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class FFmpeg:
    """An ffmpeg program that answered."""

    path: str
    """Where it lies."""
    version: str
    """Its own version word."""
    encoders: frozenset[str]
    """Names of the encoders it was built with."""
    filters: frozenset[str]
    """Names of the filters it was built with."""

    def run(self, args: Sequence[str | Path], *, cwd: Path | None = None) -> bytes:
        """Run ffmpeg with `args`, quietly and without input, and return its stdout.

        Raises:
            ToolFailedError: ffmpeg exited with another code than 0.
        """
        head = (self.path, "-hide_banner", "-nostdin", "-loglevel", "error", "-y")
        return _run((*head, *map(str, args)), cwd=cwd)

    def require_encoder(self, *names: str) -> str:
        """The first of `names` that this ffmpeg has.

        Raises:
            ToolMissingError: it has none of them.
        """
        for name in names:
            if name in self.encoders:
                return name
        raise ToolMissingError(
            f"{self.path} has no encoder {' or '.join(names)}; give another ffmpeg with --ffmpeg or ABR_ALLOC_FFMPEG",
            tool=names[0],
        )


def find_program(name: str) -> str | None:
    """Path of a program on PATH, or None."""
    return shutil.which(name)


def run_program(command: Sequence[str | Path]) -> bytes:
    """Run another program than ffmpeg and return its stdout.

    Raises:
        ToolFailedError: it exited with another code than 0.
    """
    return _run(tuple(map(str, command)), cwd=None)


def _listed_names(text: str) -> frozenset[str]:
    """Names in the second column of `ffmpeg -encoders` or `-filters`."""
    rows = (line.split() for line in text.splitlines())
    return frozenset(row[1] for row in rows if len(row) >= 3 and row[1] != "=")


@functools.lru_cache(maxsize=8)
def find_ffmpeg(path: str | None = None) -> FFmpeg:
    """Find and check ffmpeg: `path`, else `ABR_ALLOC_FFMPEG`, else the build that imageio-ffmpeg brings.

    Raises:
        ToolMissingError: it is not there, does not answer, or was built without libvmaf.
    """
    asked = path or os.environ.get("ABR_ALLOC_FFMPEG")
    if asked:
        program = shutil.which(asked)
        if program is None:
            raise ToolMissingError(f"no ffmpeg program at {asked!r}; correct --ffmpeg or ABR_ALLOC_FFMPEG", tool=asked)
    else:
        import imageio_ffmpeg

        program = imageio_ffmpeg.get_ffmpeg_exe()
    try:
        version = _run((program, "-version"), cwd=None).decode("utf-8", "replace").split()
        encoders = _listed_names(_run((program, "-hide_banner", "-encoders"), cwd=None).decode("utf-8", "replace"))
        filters = _listed_names(_run((program, "-hide_banner", "-filters"), cwd=None).decode("utf-8", "replace"))
    except ToolFailedError as error:
        raise ToolMissingError(f"{program} does not answer as ffmpeg does: {error}", tool=program) from error
    if version[:2] != ["ffmpeg", "version"]:
        raise ToolMissingError(f"{program} is not ffmpeg; correct --ffmpeg or ABR_ALLOC_FFMPEG", tool=program)
    if "libvmaf" not in filters:
        raise ToolMissingError(
            f"{program} was built without libvmaf; use a build that has it, or drop --ffmpeg", tool="libvmaf"
        )
    return FFmpeg(path=program, version=version[2], encoders=encoders, filters=filters)
