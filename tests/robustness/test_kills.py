"""Runs that are ended at random moments, by every signal: the next run gives what an undisturbed one gives.

`--kills N` tries N moments.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .test_crashes import normal, tree

# As the shell of a terminal starts it: a test may run where Ctrl-C is ignored.
AT_A_TERMINAL = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
COMMANDS = ("extract", "encode", "plan", "ladder")


def words_of(command: str, out: Path, cache: Path, sources: dict[str, Path]) -> list[str]:
    words: dict[str, list[object]] = {
        "extract": [
            sources["clip"],
            "-o",
            out / "t.parquet",
            "--grid",
            sources["grid"],
            "--cache",
            cache,
            "--jobs",
            "2",
        ],
        "encode": [
            sources["film"],
            "--ladder",
            sources["ladder"],
            "-o",
            out / "stream",
            "--cache",
            cache,
            "--jobs",
            "2",
        ],
        "plan": [sources["tables"], "--budget", "300k", "-o", out / "plans.parquet", "--jobs", "2"],
        "ladder": [sources["tables"], "-o", out / "ladders.csv", "--jobs", "1"],
    }
    return [command, *map(str, words[command])]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "number" in metafunc.fixturenames:
        metafunc.parametrize("number", range(metafunc.config.getoption("--kills")))


@pytest.fixture(scope="session")
def undisturbed() -> dict[str, tuple[float, dict[str, bytes]]]:
    """Seconds and outputs of every command, once it has run to its end."""
    return {}


def test_a_run_that_is_ended_anywhere_is_completed_by_the_next(
    number, undisturbed, forks, clip, tiny_grid, film, film_ladder, example, tmp_path
):
    command, ending = COMMANDS[number % 4], SIGNALS[(number + number // 4) % 4]
    tables = tmp_path / "tables"
    tables.mkdir()
    shutil.copy(example, tables / "a.parquet")
    sources = {"clip": clip, "grid": tiny_grid, "film": film, "ladder": film_ladder, "tables": tables}
    if command not in undisturbed:
        out = tmp_path / "undisturbed"
        out.mkdir()
        started = time.monotonic()
        assert forks.run(*words_of(command, out, tmp_path / "c", sources), before=AT_A_TERMINAL).returncode == 0
        undisturbed[command] = time.monotonic() - started, normal(tree(out))
    seconds, whole = undisturbed[command]

    out, cache = tmp_path / "out", tmp_path / "cache"
    out.mkdir()
    words = words_of(command, out, cache, sources)
    running = forks.start(*words, before=AT_A_TERMINAL, new_session=True)
    wait_s = random.Random(number).uniform(0.0, 1.1) * seconds
    try:
        running.wait(wait_s)
    except subprocess.TimeoutExpired:
        running.send_signal(ending)
    _, said = running.communicate(timeout=60)
    where = f"{command}, {ending.name} after {wait_s:.2f} of {seconds:.2f} s: {said}"
    # Before the command itself has begun Python answers, with the signal's own end.
    assert running.returncode in (0, 128 + ending, -ending), where
    assert "Traceback" not in said or "abr_alloc/cli/main.py" not in said, where
    again = forks.run(*words, before=AT_A_TERMINAL)
    assert again.returncode == 0, where + again.stderr
    assert normal(tree(out)) == whole, where
    assert not list(cache.glob("*/.*~*")) and not list(cache.glob("work/*")), where
