"""Memory is flat: four times the title or the catalogue takes hardly more of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from abr_alloc.table.table import FeatureTable, read_features, write_features

ENTRY_POINT = [sys.executable, "-c", "from abr_alloc.cli import main; main()"]
MOST = 1.15
"""How much more memory four times the work may take."""


def peak_kib(*words: object) -> int:
    """Largest resident memory of a command, its own workers and programs left out, KiB."""
    child = subprocess.Popen([*ENTRY_POINT, *map(str, words)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_maxrss


@pytest.fixture(scope="module")
def catalogues(example, tmp_path_factory) -> list[Path]:
    """A catalogue of many row groups, and one of four times as many titles."""
    table = read_features(example)
    title = table.frame["title"].iloc[0]
    rows = table.frame[(table.frame["title"] == title) & (table.frame["scene"] == 0)]
    found = []
    for number in (8, 32):
        folder = tmp_path_factory.mktemp(f"tables{number}")
        for part in range(number // 8):
            frame = pd.concat([rows.assign(title=f"{part:03}-{i:03}") for i in range(8)], ignore_index=True)
            write_features(FeatureTable(frame, table.metadata), folder / f"{part}.parquet")
        found.append(folder)
    return found


@pytest.mark.parametrize("command", ["plan", "ladder", "relevance"])
def test_a_longer_catalogue_takes_no_more(command, catalogues, tmp_path):
    budget = ["--budget", "800k"] if command == "plan" else []
    few, many = (peak_kib(command, path, *budget, "-o", tmp_path / f"{path.name}.parquet") for path in catalogues)
    assert many < MOST * few


def test_a_longer_title_takes_no_more(make_media, tiny_grid, tmp_path):
    found = []
    for seconds in (8, 32):
        film = make_media(
            f"{seconds}.mp4",
            f"lavfi:testsrc2=size=96x64:rate=12:duration={seconds}",
            f"lavfi:anoisesrc=r=48000:d={seconds}:a=0.1",
            *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "30", "-pix_fmt", "yuv420p", "-c:a", "aac"),
        )
        words = [film, "-o", tmp_path / "t.parquet", "--grid", tiny_grid, "--jobs", "1", "--max-scene", "5s"]
        found.append(peak_kib("extract", *words, "--cache", tmp_path / str(seconds)))
    assert found[1] < MOST * found[0]
