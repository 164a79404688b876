"""benchmarks/compare.py: ratios side by side, and a build that noise cannot fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

COMPARE = Path(__file__).parents[1] / "benchmarks" / "compare.py"


@pytest.fixture
def compare(tmp_path):
    """Write two results and compare them: exit code, and the lines of stdout."""

    def run(old, new, *words):
        for name, ratios in (("old", old), ("new", new)):
            (tmp_path / f"{name}.json").write_text(json.dumps({"name": "startup", "ratios": ratios}))
        ended = subprocess.run(
            [sys.executable, COMPARE, tmp_path / "old.json", tmp_path / "new.json", *words],
            capture_output=True, text=True,
        )  # fmt: skip
        return ended.returncode, ended.stdout.splitlines()

    return run


def test_a_ratio_that_grew_is_marked_and_fails_nothing_but_a_strict_run(compare):
    assert compare({"plan": 1.0, "help": 1.0}, {"plan": 2.0, "help": 1.1})[0] == 0
    code, lines = compare({"plan": 1.0, "help": 1.0}, {"plan": 2.0, "help": 1.1}, "--strict")
    assert code == 1
    assert [line.split()[:2] for line in lines if "slower?" in line] == [["startup:", "plan"]]
    assert any(line.split() == ["startup:", "plan", "1", "2", "2.00", "slower?"] for line in lines)


def test_a_speed_up_that_shrank_is_marked_and_one_that_grew_is_not(compare):
    old = {"speed-up": 2.0, "solver faster": 10.0}
    code, lines = compare(old, {"speed-up": 1.0, "solver faster": 20.0}, "--strict")
    assert code == 1
    assert [line.split(":")[1].split()[0] for line in lines if "slower?" in line] == ["speed-up"]


def test_what_only_one_run_has_is_shown_and_not_judged(compare):
    code, lines = compare({"gone": 1.0}, {"new": 1.0}, "--strict")
    assert code == 0
    assert {line.split()[1] for line in lines if "startup" in line} == {"gone", "new"}


def test_what_is_no_result_is_told_in_a_line(tmp_path):
    (tmp_path / "bad.json").write_text("[]x")
    ended = subprocess.run(
        [sys.executable, COMPARE, tmp_path / "bad.json", tmp_path / "bad.json"], capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("cannot read the results")
    assert len(ended.stderr.splitlines()) == 1
