"""Every write and every program of a small run fails once: a clear error, no half output, and the next run completes.

`--all-faults` tries every fault at every passage; without it some passages meet one each.
"""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from ..forked_command import IN_THREADS
from .faults import KILL, Faults, kinds_at

MOST_PASSAGES = 5
KILLED_AT = f"""{IN_THREADS}
import runpy
faults = runpy.run_path({str(Path(__file__).with_name("faults.py"))!r})
faults["Faults"](setattr, AT, faults["KILL"])
"""


def tree(folder: Path) -> dict[str, bytes]:
    """All files of a folder, those with `.` before their name or their folder's too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def shipped(make_media, clip) -> Path:
    """A rendition of the clip that somebody made."""
    small = ("-vf", "scale=64:42", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "30", "-c:a", "aac")
    return make_media("shipped.mp4", "-i", clip, *small)


@pytest.fixture
def command(request, clip, shipped, tiny_grid, write_ladder, example, tmp_path):
    """Words of a command, and the folder of its outputs."""
    out, cache = tmp_path / "out", tmp_path / "cache"
    out.mkdir()
    if request.param == "extract":
        words = ["extract", clip, "-o", out / "t.parquet", "--grid", tiny_grid, "--cache", cache, "--jobs", "1"]
    elif request.param == "measure":
        words = ["measure", clip, shipped, "-o", out / "t.parquet", "--cache", cache, "--jobs", "1"]
    elif request.param == "encode":
        ladder = write_ladder("48x32 40 + aac 32", "96x64 100 + aac 32", "96x64 160 + aac 64")
        words = ["encode", clip, "--ladder", ladder, "-o", out / "stream", "--cache", cache, "--jobs", "1"]
    else:
        tables = tmp_path / "tables"
        tables.mkdir()
        shutil.copy(example, tables / "a.parquet")
        budgets = ["--budget", "300k", "--budget", "30k"]
        words = ["plan", tables, *budgets, "-o", out / "plans.parquet", "--jobs", "1"]
    return [*map(str, words)], out, cache


def fresh(out: Path, cache: Path) -> None:
    for folder in (out, cache):
        shutil.rmtree(folder, ignore_errors=True)
    out.mkdir()


def normal(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without what holds the time of its making."""
    for name, content in files.items():
        if name.endswith("delivery.json"):
            files[name] = json.dumps({k: v for k, v in json.loads(content).items() if k != "made_at"}).encode()
    return files


def clean_run(words, out, cache, run_command, monkeypatch):
    """Exit code, outputs, and the doors that were passed."""
    run_command(*words)  # what is asked once per process is known then
    fresh(out, cache)
    with monkeypatch.context() as patch:
        counted = Faults(patch.setattr)
        code = run_command(*words).code
    assert tree(out) and counted.passed
    return code, normal(tree(out)), counted.passed


@pytest.mark.parametrize("command", ["extract", "encode", "plan"], indirect=True)
def test_a_fault_at_any_passage_is_told_and_the_next_run_completes(
    command, run_command, in_threads, monkeypatch, request
):
    words, out, cache = command
    expected_code, whole, doors = clean_run(words, out, cache, run_command, monkeypatch)

    every = request.config.getoption("--all-faults")
    passages = [*enumerate(doors)]
    for at, door in passages if every else passages[:: max(1, len(doors) // MOST_PASSAGES)]:
        kinds = kinds_at(door)
        for fault in kinds if every else [kinds[at % len(kinds)]]:
            where = f"{fault} at {door} {at} of {len(doors)}"
            fresh(out, cache)
            with monkeypatch.context() as patch:
                Faults(patch.setattr, at, fault)
                outcome = run_command(*words)
            if outcome.code != expected_code or normal(tree(out)) != whole:
                lines = [line for line in outcome.stderr.splitlines() if line.startswith(("error: ", "failed: "))]
                assert outcome.code == 1 and lines, (where, outcome)
                assert "Traceback" not in outcome.stderr, (where, outcome.stderr)
                left = {name for name in tree(out) if ".abr-alloc" not in name}
                # Streams appear whole, one after the other; what says that all are there comes last.
                assert not left & {"stream/master.m3u8", "t.parquet"}, (where, left)
                assert not [name for name in left if "~" in name], (where, left)
            again = run_command(*words)
            assert again.code == expected_code, (where, again.stderr)
            assert normal(tree(out)) == whole, where


@pytest.mark.parametrize("command", ["extract", "measure", "encode", "plan"], indirect=True)
def test_kill_at_a_passage_leaves_what_the_next_run_completes(
    command, run_command, forks, in_threads, monkeypatch, request
):
    words, out, cache = command
    expected_code, whole, doors = clean_run(words, out, cache, run_command, monkeypatch)
    num = len(doors)
    step = 1 if request.config.getoption("--all-faults") else max(1, num // 2)
    passages = [*range(num - 1, -1, -step)]
    for at in passages[1:2] if words[0] == "measure" and step > 1 else passages:  # it takes long
        fresh(out, cache)
        killed = forks.run(*words, before=KILLED_AT.replace("AT", str(at)))
        assert killed.returncode == -signal.SIGKILL, (at, killed.stderr)
        again = run_command(*words)
        assert again.code == expected_code, (at, again.stderr)
        assert normal(tree(out)) == whole, f"{KILL} at {at} of {num}"
