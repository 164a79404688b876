"""Workers of a Dask cluster: the one door to dask.distributed.

The scheduler hands a task to a worker, and hands it to another one when that worker dies; what had finished is not run
again, because its result is fetched and let go at once. A worker that dies may not be the task's fault, so a task is
given up only when it has lost as many workers as the scheduler allows (`distributed.scheduler.allowed-failures`) twice:
the second time with nothing beside it, after all others.

No task, result or error travels by value: workers import this package, and must have the same versions.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import queue
import secrets
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

import distributed

from abr_alloc.errors import AbrAllocError, ClusterError, MediaError
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.workers import remote
from abr_alloc.workers.certificates import connection_settings, tls_failure
from abr_alloc.workers.environment import Environment, describe, difference
from abr_alloc.workers.local import told_of
from abr_alloc.workers.remote import Run
from abr_alloc.workers.task import Finished, Place, Task

__all__ = ["ClusterWorkers"]

logger = logging.getLogger(__name__)

_CONNECT_S = 10.0
_STOP_S = 10.0
_LOOK_EVERY_S = 2.0
_NO_WORKER_S = 120.0


@runtime_checkable
class _Shared(Protocol):
    """A place that can tell whether others see it."""

    @property
    def share_hint(self) -> str: ...

    def leave_mark(self, word: str) -> None: ...

    def remove_mark(self, word: str) -> None: ...


class ClusterWorkers:
    """The workers of a scheduler, as many as there are at any time.

    Args:
        address: of the scheduler, like `tcp://host:8786` or, with certificates of Dask's configuration, `tls://...`.
        ffmpeg: the ffmpeg of the tasks, if they need one; workers must have the same at the same place.

    Raises:
        ClusterError: the scheduler does not answer, has no workers, or workers that differ from this process.
    """

    is_local = False

    def __init__(self, address: str, ffmpeg: FFmpeg | None = None, *, connect_s: float = _CONNECT_S) -> None:
        self._address = address
        self._run = Run(name=secrets.token_hex(8), environment=describe(ffmpeg), ffmpeg=ffmpeg)
        self._order = itertools.count()
        self._pending: dict[str, tuple[distributed.Future, Task, Place]] = {}
        self._suspects: list[tuple[Task, Place]] = []
        self._tried_alone: set[int] = set()
        self._ended: queue.SimpleQueue[distributed.Future] = queue.SimpleQueue()
        self._places: list[Place] = []
        self._client = _connect(address, connect_s)
        try:
            self._require_workers(connect_s)
            self._require_alike()
        except BaseException:
            self._client.close(timeout=_STOP_S)
            raise

    def _error(self, what: str, worker: str | None = None) -> ClusterError:
        return ClusterError(what, address=self._address, worker=worker)

    def _require_workers(self, timeout_s: float) -> None:
        try:
            self._client.wait_for_workers(1, timeout=timeout_s)
        except TimeoutError as error:
            start = f"start some with `dask worker {self._address} --nthreads 1`"
            raise self._error(f"the scheduler at {self._address} has no workers; {start}") from error

    def _require_alike(self) -> None:
        """Compare every worker with this process."""
        here = self._run.environment
        found: dict[str, Any] = self._client.run(remote.describe_worker, self._run.ffmpeg, on_error="return")
        for worker, there in sorted(found.items()):
            if not isinstance(there, Environment):
                what = f"cannot load abr_alloc {here.abr_alloc} ({type(there).__name__}: {there})"
            else:
                what = difference(there, here)
            if what:
                raise self._unlike(what, worker)
        logger.info("%d workers at %s are alike", len(found), self._address)

    def _unlike(self, what: str, worker: str) -> ClusterError:
        return self._error(f"worker {worker} {what}; give it the same, or stop it", worker)

    def _require_shared(self, place: Place) -> None:
        """See whether workers read and write where this process does."""
        if not isinstance(place, _Shared):
            return
        word = self._run.name
        place.leave_mark(word)
        try:
            found: dict[str, Any] = self._client.run(remote.sees_mark, place, word, on_error="return")
        finally:
            place.remove_mark(word)
        for worker, sees in sorted(found.items()):
            if sees is not True:
                raise self._error(f"worker {worker} does not see {place.share_hint}", worker)

    @property
    def num_workers(self) -> int:
        return max(1, sum(self._client.nthreads().values()))

    def submit(self, task: Task, place: Place) -> None:
        if place not in self._places:
            self._require_shared(place)
            self._places.append(place)
        self._hand_over(task, place)

    def _hand_over(self, task: Task, place: Place) -> None:
        key = f"{type(task).__name__}-{secrets.token_hex(8)}"  # what Dask's dashboard groups by
        future = self._client.submit(
            _run_task, self._run, task, place, key=key, pure=False, priority=-next(self._order)
        )
        self._pending[key] = (future, task, place)
        future.add_done_callback(self._ended.put)

    def take_back(self, tasks: Sequence[Task]) -> None:
        ids = {id(task) for task in tasks}
        taken = [key for key, (_, task, _) in self._pending.items() if id(task) in ids]
        self._client.cancel([self._pending.pop(key)[0] for key in taken], force=True)
        self._suspects = [item for item in self._suspects if id(item[0]) not in ids]

    def finished(self, *, tick_s: float | None = None) -> Iterator[Finished[Any] | None]:
        ticked_s = looked_s = served_s = time.monotonic()
        while self._pending or self._suspects:
            if not self._pending:
                task, place = self._suspects.pop(0)
                self._tried_alone.add(id(task))
                self._hand_over(task, place)
            told = None
            with contextlib.suppress(queue.Empty):
                told = self._end(self._ended.get(timeout=min(tick_s or _LOOK_EVERY_S, _LOOK_EVERY_S)))
            now_s = time.monotonic()
            if told is not None:
                ticked_s = served_s = now_s
                yield told
                continue
            if now_s - looked_s >= _LOOK_EVERY_S:
                looked_s = now_s
                served_s = now_s if self._has_workers() else served_s
                if now_s - served_s > _NO_WORKER_S:
                    raise self._error(f"the scheduler at {self._address} has lost all its workers; run again")
            if tick_s is not None and now_s - ticked_s >= tick_s:
                ticked_s = now_s
                yield None

    def _has_workers(self) -> bool:
        try:
            return bool(self._client.nthreads())
        except (OSError, RuntimeError, ValueError) as error:
            raise self._lost() from error

    def _lost(self) -> ClusterError:
        return self._error(
            f"the scheduler at {self._address} is gone; what was finished is in the cache, run again when it is back"
        )

    def _end(self, future: distributed.Future) -> Finished[Any] | None:
        """What became of a task; None where nobody wants to know, or where it is tried again."""
        if future.key not in self._pending:
            return None
        _, task, place = self._pending.pop(future.key)
        if future.status == "cancelled":  # not by us
            raise self._lost()
        error = future.exception()
        try:
            if error is None:
                return Finished(task=task, result=future.result())
            if isinstance(error, distributed.scheduler.KilledWorker):
                return self._end_of_killer(task, place)
            if isinstance(error, ClusterError):
                raise self._unlike(str(error), error.worker or "")
            if isinstance(error, AbrAllocError):
                return Finished(task=task, error=told_of(task, error))
            raise error
        finally:
            future.release()  # else a worker's end takes its result along, and it is run again

    def _end_of_killer(self, task: Task, place: Place) -> Finished[Any] | None:
        if id(task) not in self._tried_alone:
            self._suspects.append((task, place))
            return None
        return Finished(
            task=task,
            error=MediaError(
                f"{task.label}: worker after worker died of it, perhaps for want of memory; give workers more "
                "(`dask worker --memory-limit`), or leave the title out"
            ),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(Exception):  # the scheduler may be gone, and something else be on its way
            self._stop()
        self._client.close(timeout=_STOP_S)

    def _stop(self) -> None:
        """Take back what is pending, and stop what runs as far as it can be stopped."""
        if self._pending:
            self._client.cancel([future for future, _, _ in self._pending.values()], force=True)
            self._pending.clear()
            self._on_all(remote.stop_run, self._run.name)
            until_s = time.monotonic() + _STOP_S
            while any(self._on_all(remote.count_running, self._run.name)) and time.monotonic() < until_s:
                time.sleep(0.1)
        for place in self._places:
            place.remove_leftovers()
            self._on_all(remote.remove_leftovers, place)

    def _on_all(self, function: Any, *args: Any) -> list[Any]:
        return list(self._client.run(function, *args, on_error="ignore").values())


def _run_task(run: Run, task: Task, place: Place) -> Any:
    """On a worker."""
    return remote.run_task(run, distributed.get_worker().address, task, place)


def _connect(address: str, timeout_s: float) -> distributed.Client:
    for name in ("distributed", "distributed.client", "distributed.core", "distributed.comm"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what it would say is said by ClusterError
    secured = connection_settings(address, distributed.Security())
    try:
        # First by hand: a client that could not connect says so once more, with a traceback, when it is thrown away.
        # In a thread of its own: the caller's may have an event loop, as a notebook's has.
        with ThreadPoolExecutor(1) as asking:
            who = asking.submit(lambda: asyncio.run(_ask_who(address, timeout_s, secured))).result()
        if who != "Scheduler":
            raise ClusterError(f"{address} is a Dask {who}; give its scheduler's address", address=address)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # versions are compared by what they matter for
            return distributed.Client(address, timeout=timeout_s, set_as_default=False, name="abr-alloc")
    except (OSError, ValueError, TimeoutError, RuntimeError, ImportError) as error:
        if (refused := tls_failure(address, error)) is not None:
            raise refused from error
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ClusterError(
            f"no Dask scheduler answers at {address} ({reason}); start one with `dask scheduler`, and give its address "
            "like tcp://host:8786, or tls://host:8786 if it has certificates, with `scheduler`",
            address=address,
        ) from error


async def _ask_who(address: str, timeout_s: float, secured: dict[str, Any]) -> str:
    """What listens at an address, in Dask's words."""
    comm = await distributed.comm.connect(address, timeout=timeout_s, **secured)
    try:
        await comm.write({"op": "identity", "reply": True})
        reply = await asyncio.wait_for(comm.read(), timeout_s)
    finally:
        comm.abort()
    return str(reply.get("type"))
