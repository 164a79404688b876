"""Workers end with their caller, and quietly."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import pytest

from abr_alloc.features.pool import watch_tasks, worker_pool


@dataclass(frozen=True)
class Wait:
    """A task of a given length."""

    seconds: float
    label: str = "waiting"

    def run(self, place: object, /) -> None:
        time.sleep(self.seconds)


class Place:
    def __init__(self) -> None:
        self.num_cleanings = 0

    def __getstate__(self) -> dict:
        return {}

    def remove_leftovers(self) -> None:
        self.num_cleanings += 1


def test_tasks_that_still_wait_when_the_caller_goes_raise_nothing_in_the_pools_own_thread(monkeypatch):
    raised = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    place = Place()
    with worker_pool(1) as pool:
        steps = watch_tasks(pool, place, [Wait(0.0), *[Wait(60.0)] * 20], tick_s=None)
        assert next(steps).seconds == 0.0
        began = time.monotonic()
        steps.close()
    assert raised == []
    assert place.num_cleanings == 1
    assert time.monotonic() - began < 30


def test_a_tick_passes_while_nothing_finishes():
    with worker_pool(1) as pool:
        steps = watch_tasks(pool, Place(), [Wait(60.0)], tick_s=0.01)
        assert next(steps) is None
        steps.close()


@pytest.mark.parametrize("num_tasks", [0, 3])
def test_every_task_is_yielded_once(num_tasks):
    tasks = [Wait(0.01 * n) for n in range(num_tasks)]
    with worker_pool(2) as pool:
        done = list(watch_tasks(pool, Place(), tasks, tick_s=None))
    assert sorted(task.seconds for task in done) == [task.seconds for task in tasks]
