"""Processes of this machine, which never outlive their caller."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import secrets
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, Self, TypeVar

from abr_alloc.errors import AbrAllocError, MediaError, ToolFailedError
from abr_alloc.media.programs import end_children_with_their_thread, owned_by, stop_children
from abr_alloc.workers.task import Finished, Place, Task, Workers

__all__ = ["LocalWorkers", "run_all", "told_of"]

logger = logging.getLogger(__name__)

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
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
    # Ctrl-C and SIGHUP stay blocked (see `_signals_held`): the parent decides, and then sends SIGTERM.
    signal.signal(signal.SIGTERM, _stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    end_children_with_their_thread()  # where the kernel kills a worker for want of memory, say

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_POLL_S)
        _stop()

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Hold back what ends this process while workers start: a half-started one would answer with a traceback.

    The workers inherit the mask. Other threads of this process may still take a signal, so the handlers wait too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    handlers: dict[int, Any] = {}
    for number in _ENDING:
        if callable(signal.getsignal(number)):  # else it ends nothing, or everything at once
            handlers[number] = signal.signal(number, lambda caught_number, _: caught.append(caught_number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, set(_ENDING))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for held, handler in handlers.items():
            signal.signal(held, handler)
    if caught:
        signal.raise_signal(caught[0])


class LocalWorkers:
    """`jobs` processes, started when the first task comes."""

    is_local = True

    def __init__(self, jobs: int) -> None:
        self._jobs = max(1, jobs)
        self._pool: Executor = self._start(self._jobs)
        self._waiting: deque[tuple[Task, Place]] = deque()
        self._running: dict[Future[Any], Task] = {}
        self._unwanted: set[int] = set()
        self._places: list[Place] = []
        self._owner = secrets.token_hex(8)

    @staticmethod
    def _start(jobs: int) -> Executor:
        context = multiprocessing.get_context("spawn")
        try:
            return ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker, initargs=(os.getpid(),))
        except (OSError, ImportError) as error:
            # Their queues need semaphores, which live in shared memory.
            logger.warning(
                "worker processes need a writable /dev/shm (%s); threads do the work instead, audio more slowly", error
            )
            return ThreadPoolExecutor(jobs)

    @property
    def num_workers(self) -> int:
        return self._jobs

    def submit(self, task: Task, place: Place) -> None:
        if place not in self._places:
            self._places.append(place)
        self._waiting.append((task, place))
        self._hand_out()

    def _hand_out(self) -> None:
        """Give the pool as much as its processes do next; the rest waits here, where it can be taken back."""
        with _signals_held():  # the first one starts a worker
            while self._waiting and len(self._running) < 2 * self._jobs:
                task, place = self._waiting.popleft()
                self._running[self._pool.submit(_run, task, place, self._owner)] = task

    def finished(self, *, tick_s: float | None = None) -> Iterator[Finished[Any] | None]:
        while self._running:
            ended, _ = wait(self._running, tick_s, return_when=FIRST_COMPLETED)
            if not ended:
                yield None
            for future in [one for one in self._running if one in ended]:  # those handed over first are told first
                told = self._end(future)
                if told is not None:
                    yield told
                self._hand_out()

    def _end(self, future: Future[Any]) -> Finished[Any] | None:
        """What became of a task; None where nobody wants to know."""
        task = self._running.pop(future)
        unwanted = id(task) in self._unwanted
        self._unwanted.discard(id(task))
        try:
            result = future.result()
        except BrokenProcessPool as error:
            raise MediaError(
                "a worker process died, perhaps for want of memory; run again with fewer `jobs`"
            ) from error
        except AbrAllocError as error:
            return None if unwanted else Finished(task=task, error=told_of(task, error))
        return None if unwanted else Finished(task=task, result=result)

    def take_back(self, tasks: Sequence[Task]) -> None:
        ids = {id(task) for task in tasks}
        self._waiting = deque(item for item in self._waiting if id(item[0]) not in ids)
        self._unwanted |= ids & {id(task) for task in self._running.values()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None or self._running:
            # Tasks that wait are not cancelled: the pool, broken by the end of its workers, fails them itself, and its
            # thread ends with a traceback where one is cancelled already.
            stop_children(self._owner)  # of threads, which cannot be stopped themselves
            workers = multiprocessing.active_children()
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.join(_STOP_S)
        self._pool.shutdown(cancel_futures=isinstance(self._pool, ThreadPoolExecutor))
        for place in self._places:
            place.remove_leftovers()  # a worker that is stopped cannot take its half-done files away itself


def _run(task: Task, place: Place, owner: str) -> Any:
    with owned_by(owner):
        return task.run(place)


def told_of(task: Task, error: AbrAllocError) -> AbrAllocError:
    """A task's error as it is told: a program's failure is nothing without the task that ran it."""
    return MediaError(f"{task.label}: {error}") if isinstance(error, ToolFailedError) else error


_T = TypeVar("_T", bound=Task)


def run_all(workers: Workers, place: Place, tasks: Sequence[_T], *, tick_s: float | None = None) -> Iterator[_T | None]:
    """Run tasks that stand or fall together; yields each as it finishes, and None at every tick.

    Raises:
        AbrAllocError: one of them failed.
    """
    for task in tasks:
        workers.submit(task, place)
    for finished in workers.finished(tick_s=tick_s):
        if finished is not None and finished.error is not None:
            raise finished.error
        yield None if finished is None else finished.task
