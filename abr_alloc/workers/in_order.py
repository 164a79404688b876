"""Results in the order of their tasks, whoever does them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from abr_alloc.workers.task import Task, Workers

__all__ = ["Nowhere", "in_order"]

T = TypeVar("T", bound=Task)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nowhere:
    """The place of tasks that leave nothing behind."""

    def remove_leftovers(self) -> None:
        """There is nothing."""


def in_order(tasks: Sequence[T], workers: Workers | None) -> Iterator[tuple[T, Any]]:
    """Every task with its result, in the given order; in this process where there are no workers.

    No more tasks are handed over than are soon to be done, so that results never pile up behind a slow one.

    Raises:
        AbrAllocError: a task failed; the others are given up.
    """
    if workers is None:
        for task in tasks:
            yield task, task.run(Nowhere())
        return
    place, results, num_yielded, num_submitted = Nowhere(), dict[int, Any](), 0, 0

    def submit_more() -> None:
        nonlocal num_submitted
        while num_submitted < min(len(tasks), num_yielded + 4 * max(1, workers.num_workers)):
            workers.submit(tasks[num_submitted], place)
            num_submitted += 1

    submit_more()
    for finished in workers.finished():
        if finished is None:
            continue
        if finished.error is not None:
            raise finished.error
        results[id(finished.task)] = finished.result
        while num_yielded < len(tasks) and id(tasks[num_yielded]) in results:
            yield tasks[num_yielded], results.pop(id(tasks[num_yielded]))
            num_yielded += 1
        submit_more()
