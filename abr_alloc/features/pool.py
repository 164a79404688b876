"""Run tasks side by side in worker processes that never outlive their caller."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

from abr_alloc.errors import MediaError, ToolFailedError
from abr_alloc.media.ffmpeg import stop_children

__all__ = ["run_tasks", "watch_tasks", "worker_pool"]

_PARENT_POLL_S = 0.5
_STOP_S = 10.0


def _stop(*_: object) -> None:
    stop_children()
    os._exit(130)


def _start_worker(parent: int) -> None:
    """Prepare a worker: one thread per library, and an end with the parent even if that is killed outright."""
    for variable in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = "1"
    # Else Numba's colours of error messages write a reset code to a terminal's stdout at every worker's end.
    os.environ["NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING"] = "1"
    # Ctrl-C stays blocked (see `_interrupt_held`): the parent decides, and then sends SIGTERM.
    signal.signal(signal.SIGTERM, _stop)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_POLL_S)
        _stop()

    threading.Thread(target=watch, daemon=True).start()


def worker_pool(jobs: int) -> ProcessPoolExecutor:
    """A pool of `jobs` fresh worker processes."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker, initargs=(os.getpid(),))


@contextlib.contextmanager
def _interrupt_held() -> Iterator[None]:
    """Hold Ctrl-C back while workers start: a half-started one would answer with a traceback of its own.

    The workers inherit the mask. Other threads of this process may still take it, so the handler waits too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: caught.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
    if caught:
        raise KeyboardInterrupt


class _Place(Protocol):
    """Where tasks leave their results."""

    def remove_leftovers(self) -> None:
        """Remove what workers left half done."""
        ...


class _Task(Protocol):
    @property
    def label(self) -> str: ...

    def run(self, place: Any, /) -> None: ...


_T = TypeVar("_T", bound=_Task)


def _run(task: _Task, place: _Place) -> None:
    task.run(place)


def run_tasks(pool: ProcessPoolExecutor, place: _Place, tasks: Sequence[_T]) -> Iterator[_T]:
    """Run tasks and yield each as it finishes.

    When one fails or the caller is interrupted, the workers are stopped at once; what had finished stays.

    Raises:
        MediaError: a program failed, with the task that ran it; or a worker died outright (out of memory, say).
    """
    for task in watch_tasks(pool, place, tasks, tick_s=None):
        if task is not None:
            yield task


def watch_tasks(
    pool: ProcessPoolExecutor, place: _Place, tasks: Sequence[_T], *, tick_s: float | None
) -> Iterator[_T | None]:
    """Run tasks as `run_tasks` does, and yield None whenever `tick_s` seconds pass without one that finishes."""
    pending: dict[Future[None], _T] = {}
    try:
        with _interrupt_held():  # `submit` starts the workers
            pending = {pool.submit(_run, task, place): task for task in tasks}
        while pending:
            finished, _ = wait(pending, tick_s, return_when=FIRST_COMPLETED)
            if not finished:
                yield None
            for future in finished:
                task = pending.pop(future)
                future.result()
                yield task
    except BaseException as error:
        # Tasks that wait are not cancelled: the pool, broken by the end of its workers, fails them itself, and its
        # thread ends with a traceback where one is cancelled already.
        workers = multiprocessing.active_children()
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(_STOP_S)
        place.remove_leftovers()  # a worker that is stopped cannot take its half-done files away itself
        if isinstance(error, ToolFailedError):
            raise MediaError(f"{task.label}: {error}") from error
        if isinstance(error, BrokenProcessPool):
            raise MediaError(
                "a worker process died, perhaps for want of memory; run again with fewer --jobs"
            ) from error
        raise
