"""Forked processes behave as started ones do, where tests rely on it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest


def test_a_forked_command_says_what_a_started_one_says(forks, example, tmp_path):
    words = ["plan", str(example), "--budget", "20k"]
    started = subprocess.run(
        [sys.executable, "-c", "from abr_alloc.cli import main; main()", *words], capture_output=True, text=True
    )
    forked = forks.run(*words)
    assert started.returncode == forked.returncode == 3
    assert (forked.stdout, forked.stderr) == (started.stdout, started.stderr)


def test_folder_environment_and_session_are_its_own(forks, tmp_path):
    code = "import os, sys; print(os.getcwd(), sorted(os.environ), os.getsid(0) == os.getpid(), sys.argv, os.getpid())"
    here = Path.cwd()
    started = forks.start("word", code=code, env={"A": "b"}, cwd=tmp_path, new_session=True)
    assert started.communicate()[0] == f"{tmp_path} ['A'] True ['-c', 'word'] {started.pid}\n"
    assert started.peak_kib > 1000
    assert Path.cwd() == here


@pytest.mark.parametrize(
    ("code", "returned"),
    [
        ("import sys; sys.exit(7)", 7),
        ("raise ValueError('no')", 1),
        ("import os; os.kill(os.getpid(), 15)", -15),
    ],
)
def test_it_ends_as_python_does(forks, code, returned):
    ended = forks.run(code=code)
    assert ended.returncode == returned
    assert ended.stderr.endswith("ValueError: no\n" if returned == 1 else "")


def test_a_signal_reaches_it_and_another_goes_on(forks):
    waiting, other = (forks.start(code="import time; time.sleep(600)") for _ in range(2))
    assert waiting.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.01)
    waiting.send_signal(signal.SIGKILL)
    assert waiting.wait(60) == -signal.SIGKILL
    assert other.poll() is None
    other.send_signal(signal.SIGTERM)
    assert other.wait(60) == -signal.SIGTERM


def test_streams_are_closed_or_lead_elsewhere(forks, tmp_path):
    (tmp_path / "said").touch()
    code = "import sys; print(sys.stderr, flush=True); sys.stdout is None or print('more')"
    assert forks.run(code=code, redirect={2: None}).stdout == "None\nmore\n"
    said = forks.run(code=code, redirect={1: str(tmp_path / "said"), 2: None})
    assert (said.stdout, (tmp_path / "said").read_text()) == ("", "None\nmore\n")
