"""Results come in the order of their tasks, and never pile up."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from abr_alloc.errors import MediaError
from abr_alloc.workers.in_order import in_order
from abr_alloc.workers.task import Finished


@dataclass(frozen=True)
class Task:
    number: int
    label: str = "a task"

    def run(self, _):
        return self.number**2


class Backwards:
    """Workers that finish last what was submitted first."""

    num_workers = 2

    def __init__(self, fails=None):
        self.waiting, self.most_waiting, self._fails = [], 0, fails

    def submit(self, task, place):
        self.waiting.append(task)
        self.most_waiting = max(self.most_waiting, len(self.waiting))

    def finished(self):
        while self.waiting:
            task = self.waiting.pop()
            yield None  # a tick
            if task.number == self._fails:
                yield Finished(task=task, error=MediaError("broken"))
            yield Finished(task=task, result=task.run(None))


@pytest.mark.parametrize("workers", [None, Backwards()], ids=["here", "backwards"])
def test_the_order_is_that_of_the_tasks(workers):
    tasks = [Task(n) for n in range(30)]
    assert list(in_order(tasks, workers)) == [(task, task.number**2) for task in tasks]


def test_no_more_is_submitted_than_is_soon_done():
    workers = Backwards()
    assert len(list(in_order([Task(n) for n in range(100)], workers))) == 100
    assert workers.most_waiting <= 4 * workers.num_workers


def test_equal_tasks_are_different_tasks():
    assert [result for _, result in in_order([Task(3), Task(3)], Backwards())] == [9, 9]


def test_a_task_that_fails_ends_it():
    with pytest.raises(MediaError, match="broken"):
        list(in_order([Task(n) for n in range(4)], Backwards(fails=2)))
