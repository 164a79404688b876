"""Local workers end with their caller, and quietly."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from abr_alloc.errors import MediaError, ToolFailedError
from abr_alloc.media.programs import run_program
from abr_alloc.workers.local import LocalWorkers, run_all


@dataclass(frozen=True)
class Wait:
    """A task of a given length."""

    seconds: float
    label: str = "waiting"

    def run(self, place: object, /) -> float:
        time.sleep(self.seconds)
        return self.seconds


@dataclass(frozen=True)
class Fail:
    """A task whose program fails."""

    label: str = "film.mp4: crf=30"

    def run(self, place: object, /) -> None:
        raise ToolFailedError(["ffmpeg"], 8, "no such thing")


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
    began = time.monotonic()
    with LocalWorkers(1) as workers:
        steps = run_all(workers, place, [Wait(0.0), *[Wait(60.0)] * 20])
        assert next(steps).seconds == 0.0
    assert raised == []
    assert place.num_cleanings == 1
    assert time.monotonic() - began < 30


def test_a_tick_passes_while_nothing_finishes():
    with LocalWorkers(1) as workers:
        assert next(run_all(workers, Place(), [Wait(60.0)], tick_s=0.01)) is None


@pytest.mark.parametrize("num_tasks", [0, 3, 9])
def test_every_task_is_yielded_once(num_tasks):
    tasks = [Wait(0.01 * n) for n in range(num_tasks)]
    with LocalWorkers(2) as workers:
        done = list(run_all(workers, Place(), tasks))
    assert sorted(task.seconds for task in done) == [task.seconds for task in tasks]


def test_what_a_task_returns_comes_back_with_it():
    with LocalWorkers(1) as workers:
        workers.submit(Wait(0.25), Place())
        (finished,) = workers.finished()
    assert finished.result == 0.25


def test_a_task_that_fails_is_told_with_its_label_and_the_others_go_on():
    tasks = [Wait(0.0), Fail(), Wait(0.01)]
    with LocalWorkers(1) as workers:
        for task in tasks:
            workers.submit(task, Place())
        finished = list(workers.finished())
    assert [f.task for f in finished] == tasks
    assert [str(f.error) for f in finished if f.error] == [
        "film.mp4: crf=30: ffmpeg failed with exit code 8: no such thing"
    ]
    assert isinstance(finished[1].error, MediaError)


def test_tasks_can_be_handed_over_while_others_finish():
    place, seen = Place(), []
    with LocalWorkers(2) as workers:
        workers.submit(Wait(0.0), place)
        for finished in workers.finished():
            seen.append(finished.result)
            if len(seen) < 5:
                workers.submit(Wait(0.01 * len(seen)), place)
    assert seen == [0.0, 0.01, 0.02, 0.03, 0.04]


def test_what_is_taken_back_is_not_told_of_and_does_not_start():
    place, wanted, unwanted = Place(), Wait(0.0), [Wait(0.02), *[Wait(60.0) for _ in range(9)]]
    began = time.monotonic()
    with LocalWorkers(1) as workers:
        workers.submit(wanted, place)
        for task in unwanted:
            workers.submit(task, place)
        told = []
        for finished in workers.finished():
            told.append(finished.task)
            workers.take_back(unwanted)
    assert told == [wanted]
    assert time.monotonic() - began < 50


@dataclass(frozen=True)
class RunSleep:
    """A task whose program takes long, and that says which process it is."""

    seconds: str
    folder: Path
    label: str = "sleeping"

    def run(self, place: object, /) -> None:
        (self.folder / "pid").write_text(str(os.getpid()))
        run_program(["sleep", self.seconds])


def sleeping(seconds: str) -> list[Path]:
    """Processes that sleep for so long."""
    wanted = f"sleep\0{seconds}\0".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found += [entry] if (entry / "cmdline").read_bytes().endswith(wanted) else []
    return found


def wait_for(condition) -> bool:
    until = time.monotonic() + 30
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return bool(condition())


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="the kernel is asked through setpriv (util-linux)")
def test_a_worker_that_is_killed_outright_takes_its_program_along(tmp_path):
    seconds = f"61.{os.getpid()}"
    with pytest.raises(MediaError, match="a worker process died"), LocalWorkers(1) as workers:
        workers.submit(RunSleep(seconds, tmp_path), Place())
        assert wait_for(lambda: sleeping(seconds))
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        list(workers.finished())
    assert wait_for(lambda: not sleeping(seconds))
