"""Encoding on a cluster gives what it gives here, scene by scene or whole; workers must see the folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from abr_alloc.delivery.folder import DeliveryFolder

RUNGS = ("96x54 34 34 34 34 + aac 32", "160x90 30 30 30.5 32 + aac 32")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, but for where the source lay."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    record = json.loads(found.pop("delivery.json"))
    record.pop("source")
    return found | {"delivery.json": json.dumps(record).encode()}


@pytest.mark.parametrize("scenes", [True, False], ids=["shots", "whole"])
def test_it_gives_the_bytes_that_it_gives_here(
    scenes, cluster, cut_film, write_shot_ladder, write_ladder, run_command, in_threads, tmp_path, monkeypatch
):
    ladder = write_shot_ladder(cut_film, *RUNGS) if scenes else write_ladder("96x54 60 + aac 32", "160x90 120 + aac 32")
    monkeypatch.chdir(tmp_path)  # where workers are not
    (tmp_path / "film.mkv").symlink_to(cut_film)
    words = ("encode", "film.mkv", "--ladder", ladder)
    there = run_command(*words, "-o", "there", "--scheduler", cluster.address)
    assert there.code == 0, there.stderr
    assert run_command(*words, "-o", "here", "--jobs", "2").code == 0
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert not (tmp_path / "there" / ".abr-alloc").exists()


def test_a_folder_that_workers_do_not_see_is_refused_before_any_work(
    cluster, cut_film, write_shot_ladder, run_command, tmp_path, monkeypatch
):
    monkeypatch.setattr(DeliveryFolder, "leave_mark", lambda folder, word: None)
    words = ("encode", cut_film, "--ladder", write_shot_ladder(cut_film, *RUNGS), "-o", tmp_path / "out")
    outcome = run_command(*words, "--scheduler", cluster.address)
    assert outcome.code == 1
    assert "does not see the folder" in outcome.error_line() and "with -o" in outcome.error_line()
    assert not list(tmp_path.glob("out/*/*/init.mp4"))
