"""benchmarks/compare.py: ratios side by side, and a build that noise cannot fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMPARE = ROOT / "benchmarks" / "compare.py"


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


def result(benchmark: str, **ratios: float) -> str:
    return json.dumps({"name": benchmark, "ratios": ratios})


@pytest.fixture
def run(tmp_path):
    """Compare two folders of results, given their texts: exit code, and the lines of stderr."""

    def run(old, new):
        for name, texts in (("old", old), ("new", new)):
            (tmp_path / name).mkdir(exist_ok=True)
            for file in (tmp_path / name).iterdir():
                file.unlink()
            for i, text in enumerate(texts):
                (tmp_path / name / f"{i}.json").write_text(text)
        ended = subprocess.run(
            [sys.executable, COMPARE, tmp_path / "old", tmp_path / "new"], capture_output=True, text=True
        )
        return ended.returncode, ended.stderr.splitlines()

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


def test_a_row_that_is_new_is_shown_and_not_judged(compare):
    code, lines = compare({"kept": 1.0}, {"kept": 1.0, "new": 1.0}, "--strict")
    assert code == 0
    assert {line.split()[1] for line in lines if "startup" in line} == {"kept", "new"}


def test_a_row_that_is_gone_fails_and_says_which(run, tmp_path):
    code, error = run([result("startup", plan=1.0), result("audio", speed=2.0)], [result("startup", plan=9.0)])
    assert code == 1
    assert error == [f"not in {tmp_path / 'new'} any more: audio: speed"]
    code, error = run([result("startup", plan=1.0, gone=1.0)], [result("startup", plan=1.0)])
    assert code == 1
    assert error == [f"not in {tmp_path / 'new'} any more: startup: gone"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]x", "holds no results"),
        ("3", "holds no results"),
        ('{"name": "startup"}', "holds no results"),
        ('{"name": "startup", "ratios": {"plan": "fast"}}', "holds no results"),
        ('{"name": "startup", "ratios": {"plan": NaN}}', "startup: plan is nan, which is no ratio"),
        ('{"name": "startup", "ratios": {"plan": 0}}', "startup: plan is 0, which is no ratio"),
    ],
)
def test_what_is_no_result_is_told_in_a_line(run, text, said):
    code, error = run([result("startup", plan=1.0)], [text])
    assert code == 1
    assert len(error) == 1 and error[0].startswith("cannot read the results") and said in error[0]


def test_a_folder_without_results_is_told_in_a_line(run):
    code, error = run([result("startup", plan=1.0)], [])
    assert code == 1
    assert len(error) == 1 and "holds no JSON" in error[0]


RECIPES = (ROOT / "Makefile").read_text(encoding="utf-8")


def recipe(target: str) -> str:
    """The lines of a target of the Makefile."""
    return RECIPES.partition(f"\n{target}: ")[2].partition("\n\n")[0]


@pytest.mark.parametrize("target", ["bench", "measure-quick"])
def test_every_benchmark_that_make_runs_leaves_results(target):
    lines = [line for line in recipe(target).splitlines() if "benchmarks/" in line]
    assert len(lines) >= 5
    for line in lines:
        script = line.split("benchmarks/")[1].split()[0]
        assert (ROOT / "benchmarks" / script).is_file()
        assert f"/{script.removesuffix('.py')}.json" in line, line


def test_what_the_baseline_has_is_measured_again():
    ran = {line.split("benchmarks/")[1].split(".py")[0] for line in recipe("measure-quick").splitlines()[1:]}
    assert ran >= {file.stem for file in (ROOT / "benchmarks" / "baseline").glob("*.json")}


def test_a_benchmark_that_crashes_fails_ci():
    commands = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert "make bench-quick" in commands


SAY_HOW = """
import runpy, sys
for script in sys.argv[1:]:
    sys.argv = [script, "--help"]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        if ended.code:
            raise
    else:
        sys.exit(f"{script} takes no options")
"""


def test_every_benchmark_says_how_it_is_used():
    """Which imports all that it needs: a name that moved away is seen here first. In one process: imports are slow."""
    folder = ROOT / "benchmarks"
    scripts = sorted(path for path in folder.glob("*.py") if "argparse" in path.read_text(encoding="utf-8"))
    assert len(scripts) > 20
    ended = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{SAY_HOW}", *map(str, scripts)],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("usage:") == len(scripts)
