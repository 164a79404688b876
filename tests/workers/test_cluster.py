"""A cluster: what is handed over comes back once, whoever dies; what cannot work is refused before any work."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import statistics
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from abr_alloc.errors import ClusterError, MediaError, ToolMissingError
from abr_alloc.workers import environment
from abr_alloc.workers.cluster import ClusterWorkers
from abr_alloc.workers.local import LocalWorkers
from abr_alloc.workers.open import open_workers


@pytest.fixture
def tasks(importable):
    import fake_tasks

    return fake_tasks


@pytest.fixture
def folder(tasks, tmp_path):
    return tasks.Folder(tmp_path)


@pytest.fixture
def workers(cluster):
    with ClusterWorkers(cluster.address) as opened:
        yield opened


def wait_until(condition, timeout_s=20.0):
    until_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until_s, "nothing happened"
        time.sleep(0.02)


def test_every_task_comes_back_once_with_its_result(workers, tasks, folder):
    for n in range(12):
        workers.submit(tasks.Square(n), folder)
    found = {told.task.number: told.result for told in workers.finished()}
    assert found == {n: n * n for n in range(12)}
    assert sorted(map(int, folder.lines("run"))) == list(range(12))
    assert len({line.split()[1] for line in folder.lines("begun")} - {str(os.getpid())}) >= 1


def test_what_is_submitted_meanwhile_is_worked_on_too(workers, tasks, folder):
    workers.submit(tasks.Square(0), folder)
    seen = []
    for told in workers.finished():
        seen.append(told.task.number)
        if len(seen) < 4:
            workers.submit(tasks.Square(len(seen)), folder)
    assert seen == [0, 1, 2, 3]


def test_those_handed_over_first_start_first(workers, tasks, folder):
    for n in range(20):
        workers.submit(tasks.Square(n, 0.02), folder)
    assert all(told.error is None for told in workers.finished())
    begun = [int(line.split()[0]) for line in folder.lines("begun")]
    # Two workers, and one task ready at each; a worker that a busy machine holds up keeps back its own.
    assert statistics.median(abs(place - n) for place, n in enumerate(begun)) <= 4, begun


def test_a_tick_passes_while_nothing_finishes(workers, tasks, folder):
    workers.submit(tasks.Square(1, 0.5), folder)
    ticks = list(workers.finished(tick_s=0.05))
    assert ticks.count(None) >= 2
    assert ticks[-1].result == 1


def test_the_number_of_workers_is_that_of_their_threads(workers):
    assert workers.num_workers == 2
    assert not workers.is_local


@pytest.mark.parametrize(
    ("how", "kind", "text", "attributes"),
    [
        ("media", MediaError, "film.mp4 is cut off; copy it again", {"path": "film.mp4"}),
        ("tool", ToolMissingError, "no fdkaac; install it", {"path": None, "tool": "fdkaac"}),
        ("program", MediaError, "poison: false failed with exit code 1: no message", {"path": None}),
    ],
)
def test_a_task_that_fails_fails_alone_and_as_it_would_here(workers, tasks, folder, how, kind, text, attributes):
    workers.submit(tasks.Poisoned(how), folder)
    workers.submit(tasks.Square(3), folder)
    found = {told.task.label: told for told in workers.finished()}
    error = found["poison"].error
    assert (type(error), str(error), error.__dict__) == (kind, text, attributes)
    assert found["square of 3"].result == 9


def test_a_bug_is_a_bug_wherever_it_happens(workers, tasks, folder):
    workers.submit(tasks.Poisoned("bug"), folder)
    with pytest.raises(AssertionError, match="a bug"):
        list(workers.finished())


def test_a_task_that_kills_worker_after_worker_fails_alone_and_is_named(workers, tasks, folder):
    workers.submit(tasks.Poisoned("kill"), folder)
    for n in range(6):
        workers.submit(tasks.Square(n, 0.05), folder)
    found = {told.task.label: told for told in workers.finished()}
    assert str(found["poison"].error).startswith("poison: worker after worker died of it")
    assert [found[f"square of {n}"].result for n in range(6)] == [n * n for n in range(6)]
    assert folder.lines("begun").count("kill") == 4  # one retry is allowed here, twice over


def test_a_killed_worker_loses_its_running_task_and_nothing_else(workers, tasks, folder):
    for n in range(4):
        workers.submit(tasks.Square(n), folder)
    workers.submit(tasks.Program(2), folder)
    killed: list[int] = []
    finished = []
    for told in workers.finished(tick_s=0.05):
        if told is not None:
            finished.append(told.task.label)
        if len(finished) >= 4 and not killed and folder.sleepers(2):
            (line,) = [line for line in folder.lines("begun") if line.startswith("a long program")]
            killed.append(int(line.split()[-1]))
            programs = set(folder.sleepers(2))
            os.kill(killed[0], signal.SIGKILL)
            # The kernel ends its program with it: no encode goes on that nobody waits for.
            wait_until(lambda gone=programs: not gone & set(folder.sleepers(2)), timeout_s=1.5)
    assert killed
    assert sorted(finished) == ["a long program", *(f"square of {n}" for n in range(4))]
    assert Counter(folder.lines("run")) == {str(n): 1 for n in range(4)}
    assert sum(line.startswith("a long program") for line in folder.lines("begun")) == 2


def test_an_interrupt_leaves_nothing_running_on_the_cluster(cluster, tasks, folder):
    def interrupt() -> None:
        wait_until(lambda: len(folder.sleepers(600)) == 2)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt), ClusterWorkers(cluster.address) as workers:
        for _ in range(2):
            workers.submit(tasks.Program(600), folder)
        for n in range(10):
            workers.submit(tasks.Square(n), folder)
        list(workers.finished())
    assert folder.sleepers(600) == []
    wait_until(lambda: cluster.num_unfinished == 0, timeout_s=5.0)
    assert folder.lines("run") == []  # those that waited never began
    assert str(os.getpid()) in folder.lines("cleaned")  # here, and on every worker
    assert len(folder.lines("cleaned")) == 3


def test_stopping_one_run_leaves_another_ones_programs_alone(cluster, tasks, folder):
    with ClusterWorkers(cluster.address) as ours, ClusterWorkers(cluster.address) as others:
        others.submit(tasks.Program(1), folder)
        wait_until(lambda: folder.sleepers(1))
        ours.submit(tasks.Program(600), folder)
        wait_until(lambda: folder.sleepers(600))
        ours.__exit__(None, None, None)
        assert folder.sleepers(600) == []
        assert [told.error for told in others.finished()] == [None]


def test_what_is_taken_back_is_not_told_of(workers, tasks, folder):
    waiting = [tasks.Square(n, 0.3) for n in range(8)]
    for task in waiting:
        workers.submit(task, folder)
    workers.take_back(waiting[2:])
    assert [told.task.number for told in workers.finished()] in ([0, 1], [1, 0])
    assert len(folder.lines("begun")) <= 4


def test_workers_of_another_version_are_refused_before_any_work(cluster, tasks, folder, monkeypatch):
    monkeypatch.setattr(environment, "__version__", "99.0")
    with pytest.raises(ClusterError, match=r"worker tcp://.* has abr_alloc .* where this machine has 99\.0") as caught:
        ClusterWorkers(cluster.address)
    assert caught.value.worker.startswith("tcp://")
    assert caught.value.address == cluster.address


def test_a_worker_that_comes_late_with_another_version_is_refused_too(cluster, tasks, folder, monkeypatch):
    monkeypatch.setattr(environment, "__version__", "99.0")
    monkeypatch.setattr(ClusterWorkers, "_require_alike", lambda self: None)
    with ClusterWorkers(cluster.address) as workers:
        workers.submit(tasks.Square(1), folder)
        with pytest.raises(ClusterError, match=r"worker tcp://.* where this machine has 99\.0; give it the same"):
            list(workers.finished())
    assert folder.lines("begun") == []


def test_workers_with_another_ffmpeg_are_refused_before_any_work(cluster, ffmpeg, tmp_path, monkeypatch):
    """At the same path, as tasks name it: of another version, or not there."""
    from dataclasses import replace

    other = tmp_path / "ffmpeg"
    other.write_text(f'#!/bin/sh\nexec {ffmpeg.path} "$@"\n')
    other.chmod(0o755)
    here = environment.describe(replace(ffmpeg, path=str(other)))
    other.unlink()
    monkeypatch.setattr("abr_alloc.workers.cluster.describe", lambda ffmpeg: here)
    with pytest.raises(ClusterError, match="has ffmpeg missing"):
        ClusterWorkers(cluster.address, replace(ffmpeg, path=str(other)))


def test_workers_that_do_not_see_the_place_are_refused_before_any_work(workers, tasks, tmp_path):
    place = tasks.OfOneMachine(tmp_path, made_by=os.getpid())
    with pytest.raises(ClusterError, match=r"worker tcp://.* does not see the cache .* with `cache`"):
        workers.submit(tasks.Square(1), place)
    assert [line.split()[0] for line in place.lines("marks")] == ["left", "removed"]
    assert place.lines("begun") == []


@pytest.mark.parametrize("address", ["http://localhost:8786", "localhost", "tcp://localhost:{port}"])
def test_an_address_that_no_scheduler_answers_at_is_named(address):
    with socket.socket() as taken:
        taken.bind(("localhost", 0))  # bound, and nobody listens
        address = address.format(port=taken.getsockname()[1])
        with pytest.raises(ClusterError, match=f"no Dask scheduler answers at {address} .*`scheduler`") as caught:
            ClusterWorkers(address, connect_s=0.3)
    assert caught.value.address == address
    assert "\n" not in str(caught.value)


def test_an_address_of_something_else_of_dask_is_named(cluster):
    with pytest.raises(ClusterError, match="is a Dask Worker; give its scheduler's address"):
        ClusterWorkers(cluster.worker_address)


def test_the_factory_takes_processes_of_this_machine_without_a_scheduler(cluster):
    with open_workers(2, None) as workers:
        assert isinstance(workers, LocalWorkers)
    with open_workers(2, cluster.address) as workers:
        assert isinstance(workers, ClusterWorkers)


def test_a_cluster_can_be_asked_for_where_an_event_loop_runs(cluster, tasks, folder):
    """As in a notebook."""

    async def ask() -> list[int]:
        with ClusterWorkers(cluster.address) as workers:
            workers.submit(tasks.Square(3), folder)
            return [told.result for told in workers.finished()]

    with ThreadPoolExecutor(1) as thread:  # this one's may have a loop, where a test with a browser was here before
        assert thread.submit(lambda: asyncio.run(ask())).result() == [9]
