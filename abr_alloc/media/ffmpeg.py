"""The one door to ffmpeg: find it, learn what it can do, run it.

No shell, no standard input, and no protocol but files and pipes, so that a source can never make ffmpeg open
anything else. A running ffmpeg ends with its caller: `stop_children` kills what is still under way, and where the
caller may be killed outright, the kernel does (`end_children_with_their_thread`).
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from abr_alloc.errors import ToolFailedError, ToolMissingError

__all__ = [
    "INPUT_GUARD",
    "ONE_THREAD",
    "FFmpeg",
    "end_children_with_their_thread",
    "find_ffmpeg",
    "find_program",
    "look_at_ffmpeg",
    "owned_by",
    "run_program",
    "stop_children",
]

INPUT_GUARD: tuple[str | Path, ...] = ("-protocol_whitelist", "file,pipe")
"""Options that stand before every `-i`."""

ONE_THREAD: tuple[str | Path, ...] = ("-threads", "1")
"""Options before the `-i` of tasks that run side by side: each decodes on its own core."""

_STDERR_TAIL_CHARS = 4000
_ANSWER_S = 20.0  # an ffmpeg that has not said its version by then never will
_children: dict[subprocess.Popen[bytes], str] = {}  # with their owner
_children_lock = threading.RLock()  # a signal handler may ask for it while its own thread holds it
_owner: ContextVar[str] = ContextVar("owner", default="")
_stopped_owners: set[str] = set()
_launcher: tuple[str, ...] = ()


@contextlib.contextmanager
def owned_by(owner: str) -> Iterator[None]:
    """Programs that this thread starts meanwhile are `owner`'s, for `stop_children`."""
    token = _owner.set(owner)
    try:
        yield
    finally:
        _owner.reset(token)


def stop_children(owner: str | None = None) -> None:
    """Kill every program that this process started and that still runs; or those of one owner, who starts no more."""
    with _children_lock:
        if owner is not None:
            _stopped_owners.add(owner)
        for child, whose in list(_children.items()):
            if owner in (None, whose):
                child.kill()


def end_children_with_their_thread() -> None:
    """From now on the kernel kills a program when the thread that started it ends, even by `kill -9` of this process.

    Only Linux can, and it takes `setpriv` of util-linux to say so from here; without it nothing changes.
    """
    global _launcher
    setpriv = shutil.which("setpriv")
    if _launcher or setpriv is None:
        return
    launcher = (setpriv, "--pdeathsig", "KILL")
    with contextlib.suppress(ToolFailedError):  # BusyBox has a setpriv that knows no such option
        _run((*launcher, setpriv, "--version"), cwd=None, timeout_s=_ANSWER_S)
        _launcher = launcher


def _run(
    command: Sequence[str], *, cwd: Path | None, timeout_s: float | None = None, stderr: IO[bytes] | None = None
) -> bytes:
    """Run a program to its end and return its stdout; its stderr goes to a file where one is given.

    Raises:
        ToolFailedError: it could not be started, exited with another code than 0, or took too long.
    """
    owner = _owner.get()
    with _children_lock:  # a stop comes before a start, and then there is none; or after it, and ends it
        if owner in _stopped_owners:
            raise ToolFailedError(command, -1, "the run was stopped")
        try:
            child = subprocess.Popen(
                [*_launcher, *command],
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr or subprocess.PIPE,
            )
        except OSError as error:
            raise ToolFailedError(command, -1, str(error)) from error
        _children[child] = owner
    try:
        stdout, said = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise ToolFailedError(command, -1, f"no answer within {timeout_s:g} s") from error
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        with _children_lock:
            _children.pop(child, None)
    if child.returncode != 0:
        tail = (said or b"").decode("utf-8", "replace")[-_STDERR_TAIL_CHARS:]
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

    def run_and_tell(
        self, args: Sequence[str | Path], log: Path, *, level: str = "info", cwd: Path | None = None
    ) -> bytes:
        """Run ffmpeg as `run` does, with all that it says at a log level in a file, and return its stdout.

        Raises:
            ToolFailedError: ffmpeg exited with another code than 0; what it said of that is in the file too.
        """
        head = (self.path, "-hide_banner", "-nostdin", "-nostats", "-loglevel", level, "-y")
        with log.open("wb") as file:
            try:
                return _run((*head, *map(str, args)), cwd=cwd, stderr=file)
            except ToolFailedError as error:
                said = log.read_bytes()[-_STDERR_TAIL_CHARS:].decode("utf-8", "replace").splitlines()
                # What it said of frames before it failed is not why.
                why = [line for line in said if "[error]" in line or "[fatal]" in line] or said[-1:]
                raise ToolFailedError(error.command, error.exit_code, "\n".join(why)) from error

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
    found = look_at_ffmpeg(path)
    if "libvmaf" not in found.filters:
        raise ToolMissingError(
            f"{found.path} was built without libvmaf; use a build that has it, or drop --ffmpeg", tool="libvmaf"
        )
    return found


def look_at_ffmpeg(path: str | None = None) -> FFmpeg:
    """Find ffmpeg as `find_ffmpeg` does, whatever it can do.

    Raises:
        ToolMissingError: it is not there or does not answer.
    """
    asked = path or os.environ.get("ABR_ALLOC_FFMPEG")
    if asked:
        program = shutil.which(asked)
        if program is None:
            raise ToolMissingError(f"no ffmpeg program at {asked!r}; correct --ffmpeg or ABR_ALLOC_FFMPEG", tool=asked)
    else:
        import imageio_ffmpeg

        try:
            program = imageio_ffmpeg.get_ffmpeg_exe()
        except RuntimeError as error:  # installed from source, without a program
            raise ToolMissingError(
                "no ffmpeg came with imageio-ffmpeg; name one with --ffmpeg", tool="ffmpeg"
            ) from error
    try:
        version, encoders, filters = (
            _run((program, "-hide_banner", word), cwd=None, timeout_s=_ANSWER_S).decode("utf-8", "replace")
            for word in ("-version", "-encoders", "-filters")
        )
    except ToolFailedError as error:
        raise ToolMissingError(f"{program} does not answer as ffmpeg does: {error}", tool=program) from error
    words = version.split()
    if words[:2] != ["ffmpeg", "version"] or len(words) < 3:
        raise ToolMissingError(f"{program} is not ffmpeg; correct --ffmpeg or ABR_ALLOC_FFMPEG", tool=program)
    return FFmpeg(path=program, version=words[2], encoders=_listed_names(encoders), filters=_listed_names(filters))
