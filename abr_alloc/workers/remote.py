"""What runs in a worker process of a cluster: one task of one run, and what stops a run's tasks.

A worker may serve several runs at once, each in threads of its own, so programs and tasks are known by their run.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from abr_alloc.errors import ClusterError
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.programs import end_children_with_their_thread, owned_by, stop_children
from abr_alloc.workers.environment import Environment, describe, difference
from abr_alloc.workers.task import Place, Task

__all__ = ["Run", "count_running", "describe_worker", "remove_leftovers", "run_task", "sees_mark", "stop_run"]

_running: Counter[str] = Counter()
_stopped: set[str] = set()
_alike: set[Environment] = set()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of whoever asks for the work."""

    name: str
    """Unlike every other."""
    environment: Environment
    """What it runs in, and wants its workers to run in."""
    ffmpeg: FFmpeg | None
    """The ffmpeg of its tasks."""


def _prepare() -> None:
    """One thread per library, as tasks run side by side; and no ffmpeg that outlives this process."""
    for variable in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = "1"
    end_children_with_their_thread()


def describe_worker(ffmpeg: FFmpeg | None) -> Environment:
    """What this worker runs in."""
    _prepare()
    return describe(ffmpeg)


def run_task(run: Run, worker: str, task: Task, place: Place) -> Any:
    """Run a task.

    Raises:
        ClusterError: this worker came late, and is not like those that were looked at.
    """
    if run.environment not in _alike:
        found = difference(describe_worker(run.ffmpeg), run.environment)
        if found:
            raise ClusterError(found, address="", worker=worker)
        _alike.add(run.environment)
    with _counted(run.name), owned_by(run.name):
        return task.run(place)


@contextlib.contextmanager
def _counted(run: str) -> Iterator[None]:
    with _lock:
        if run in _stopped:
            raise ClusterError("the run was stopped", address="")
        _running[run] += 1
    try:
        yield
    finally:
        with _lock:
            _running[run] -= 1


def count_running(run: str) -> int:
    """How many tasks of a run are under way in this process."""
    return _running[run]


def stop_run(run: str) -> None:
    """Start no more tasks and programs of a run, and kill the programs that it runs; its tasks then fail."""
    with _lock:
        _stopped.add(run)
    stop_children(run)


def remove_leftovers(place: Place) -> None:
    """Remove what dead processes of this machine left half done."""
    place.remove_leftovers()


def sees_mark(place: Any, word: str) -> bool:
    """Whether a mark that was left in a place is seen from here."""
    return bool(place.sees_mark(word))
