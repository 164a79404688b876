"""The one door to other programs: start them, bound them, watch them, end them.

No shell and no standard input. A running program ends with its caller: `stop_children` kills what is still under way,
and where the caller may be killed outright, the kernel does (`end_children_with_their_thread`). Programs that are no
ffmpeg may be scripts that start others: each has a process group of its own, which ends with it. On Linux each has
limits of memory, processor time and file size (`confinement.py`), and one that makes no progress is ended.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
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
    "program_sha256",
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
_LINGER_S = 4.0  # for what a program leaves running to finish what it writes
_children: dict[subprocess.Popen[bytes], tuple[str, bool]] = {}  # with their owner, and whether they lead a group
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
        for child, (whose, leads) in list(_children.items()):
            if owner in (None, whose):
                _kill(child, leads)


def _kill(child: subprocess.Popen[bytes], leads: bool) -> None:
    """Kill a program, and where it leads a group, what it started."""
    child.kill()
    if leads:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of what has ended
            os.killpg(child.pid, signal.SIGKILL)


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


def program_sha256(name: str) -> str:
    """SHA-256 of a program's file, which another version of it does not have; empty where it cannot be read."""
    path = find_program(name)
    try:
        if path is None:
            return ""
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def run_program(command: Sequence[str | Path], *, stall_s: float = STALL_S, cwd: Path | None = None) -> None:
    """Run another program than ffmpeg, in the folder `cwd`; what it says is kept for its failure alone, on disk.

    Raises:
        ToolFailedError: it exited with another code than 0, stood still, or left something running that holds on.
    """
    words = tuple(map(str, command))
    with tempfile.TemporaryFile(dir=cwd) as said:
        try:
            run(words, stall_s=stall_s, cwd=cwd, stdout=subprocess.DEVNULL, stderr=said, leads=True)
        except ToolFailedError as error:
            if error.stderr_tail:
                raise
            said.seek(max(0, said.seek(0, os.SEEK_END) - STDERR_TAIL_CHARS))
            tail = said.read().decode("utf-8", "replace")
            raise ToolFailedError(words, error.exit_code, tail) from error


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    timeout_s: float | None = None,
    stall_s: float = STALL_S,
    report: Path | None = None,
    stdout: int = subprocess.PIPE,
    stderr: IO[bytes] | None = None,
    leads: bool = False,
) -> tuple[bytes, bytes]:
    """Run a program to its end and return its stdout and stderr.

    Args:
        command: the program and its arguments.
        cwd: the folder that it runs in.
        timeout_s: end it after so many seconds, whatever it does.
        stall_s: end it when it has done nothing for so many seconds; 0 for never.
        report: a file in which it keeps telling how far it is: what it writes there alone is no progress.
        stdout: where its stdout goes, which is returned from a pipe alone.
        stderr: a file for its stderr, which is then not returned.
        leads: whether it leads a process group of its own, and all that it started ends with it.

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
                stdout=stdout,
                stderr=stderr or subprocess.PIPE,
                process_group=0 if leads else None,
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
        _children[child] = owner, leads
    try:
        confine(child.pid)
        heard, said = _attend(child, command, timeout_s, stall_s, report)
    finally:
        still_runs = child.poll() is None
        if still_runs or leads:
            _kill(child, leads)
        if still_runs:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_GIVE_UP_S)
        with _children_lock:
            _children.pop(child, None)
    said = said or b""
    if child.returncode != 0:
        tail = said.decode("utf-8", "replace")[-STDERR_TAIL_CHARS:]
        raise ToolFailedError(command, child.returncode, SIGNALS.get(child.returncode) or tail)
    return heard or b"", said


def _attend(
    child: subprocess.Popen[bytes], command: Sequence[str], timeout_s: float | None, stall_s: float, report: Path | None
) -> tuple[bytes | None, bytes | None]:
    """Take what a program says until it ends, and see whether it gets on."""
    end_s = None if timeout_s is None else time.monotonic() + timeout_s
    looked_s, still_s, before, ended_s = time.monotonic(), 0.0, None, 0.0
    # Looking costs a task list: short programs are never looked at, and long ones ever less often than they may stall.
    every_s = min(_LOOK_EVERY_S, stall_s / 4) if stall_s else _LOOK_EVERY_S
    while True:
        try:
            return child.communicate(timeout=every_s if end_s is None else min(every_s, end_s - looked_s))
        except subprocess.TimeoutExpired:
            now_s = time.monotonic()
        if child.poll() is not None:  # it ended, and what it started holds its output open
            ended_s = ended_s or now_s
            if now_s - ended_s >= _LINGER_S:
                raise ToolFailedError(
                    command, -1, "it ended and left something running; let it wait for what it starts"
                )
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
