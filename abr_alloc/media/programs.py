"""The one door to other programs: start them, bound them, watch them, end them.

No shell and no standard input. A running program ends with its caller: `stop_children` kills what is still under way,
and where the caller may be killed outright, the kernel does (`end_children_with_their_thread`). On Linux each has
limits of memory, processor time and file size (`confinement.py`), and one that makes no progress is ended.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import IO

from abr_alloc import defaults
from abr_alloc.errors import ToolFailedError, ToolMissingError
from abr_alloc.media.confinement import SIGNALS, confine, read_progress

__all__ = [
    "STALL_S",
    "STDERR_TAIL_CHARS",
    "end_children_with_their_thread",
    "find_program",
    "owned_by",
    "run",
    "run_program",
    "stop_children",
]

STALL_S = defaults.STALL_S
"""How long a program may go without reading or writing anything before it is ended, seconds."""

STDERR_TAIL_CHARS = 4000
"""How much of what a program said last is kept of its failure."""

_ANSWER_S = 20.0  # a program that has not said its version by then never will
_LOOK_EVERY_S = 2.0
_SYSTEM_CODES = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
_GIVE_UP_S = 10.0  # what a dead network disk holds cannot be killed, and is left behind
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
        run((*launcher, setpriv, "--version"), timeout_s=_ANSWER_S)
        _launcher = launcher


def find_program(name: str) -> str | None:
    """Path of a program on PATH, or None."""
    return shutil.which(name)


def run_program(command: Sequence[str | Path], *, stall_s: float = STALL_S, cwd: Path | None = None) -> bytes:
    """Run another program than ffmpeg, in the folder `cwd`, and return its stdout.

    Raises:
        ToolFailedError: it exited with another code than 0.
    """
    return run(tuple(map(str, command)), stall_s=stall_s, cwd=cwd)[0]


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    timeout_s: float | None = None,
    stall_s: float = STALL_S,
    report: Path | None = None,
    stderr: IO[bytes] | None = None,
) -> tuple[bytes, bytes]:
    """Run a program to its end and return its stdout and stderr.

    Args:
        command: the program and its arguments.
        cwd: the folder that it runs in.
        timeout_s: end it after so many seconds, whatever it does.
        stall_s: end it when it has done nothing for so many seconds; 0 for never.
        report: a file in which it keeps telling how far it is: what it writes there alone is no progress.
        stderr: a file for its stderr, which is then not returned.

    Raises:
        ToolFailedError: it could not be started, exited with another code than 0, took too long, or stood still.
        ToolMissingError: the system starts no more programs.
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
        except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
            if (
                isinstance(error, OSError) and error.errno in _SYSTEM_CODES
            ):  # the program is not to blame, nor its input
                raise ToolMissingError(
                    f"{command[0]} cannot be started: {error.strerror}; allow more (ulimit), or take fewer `jobs`",
                    tool=command[0],
                ) from error
            raise ToolFailedError(command, -1, str(error)) from error
        _children[child] = owner
    try:
        confine(child.pid)
        stdout, said = _attend(child, command, timeout_s, stall_s, report)
    finally:
        if child.poll() is None:
            child.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_GIVE_UP_S)
        with _children_lock:
            _children.pop(child, None)
    said = said or b""
    if child.returncode != 0:
        tail = said.decode("utf-8", "replace")[-STDERR_TAIL_CHARS:]
        raise ToolFailedError(command, child.returncode, SIGNALS.get(child.returncode) or tail)
    return stdout, said


def _attend(
    child: subprocess.Popen[bytes], command: Sequence[str], timeout_s: float | None, stall_s: float, report: Path | None
) -> tuple[bytes, bytes | None]:
    """Take what a program says until it ends, and see whether it gets on."""
    end_s = None if timeout_s is None else time.monotonic() + timeout_s
    looked_s, still_s, before = time.monotonic(), 0.0, None
    # Looking costs a task list: short programs are never looked at, and long ones ever less often than they may stall.
    every_s = min(_LOOK_EVERY_S, stall_s / 4) if stall_s else _LOOK_EVERY_S
    while True:
        try:
            return child.communicate(timeout=every_s if end_s is None else min(every_s, end_s - looked_s))
        except subprocess.TimeoutExpired:
            now_s = time.monotonic()
        if end_s is not None and now_s >= end_s:
            raise ToolFailedError(command, -1, f"no answer within {timeout_s:g} s")
        found = read_progress(child.pid, report)
        # Where this process was stopped itself, the program was too: what passed then does not count.
        still_s = 0.0 if found is None or found != before else still_s + min(now_s - looked_s, 2 * every_s)
        looked_s, before = now_s, found
        if stall_s and still_s >= stall_s:
            raise ToolFailedError(
                command, -1, f"it did nothing for {stall_s:g} s and was ended; allow it longer with `stall_s`"
            )
