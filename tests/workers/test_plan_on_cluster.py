"""Plans and ladders of a catalogue are the same wherever its chunks are planned."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from abr_alloc.location import read_bytes
from abr_alloc.writing import write_bytes

ENTRY_POINT = [sys.executable, "-c", "from abr_alloc.cli import main; main()"]


@pytest.mark.parametrize("command", [["plan", "--budget", "500k"], ["ladder"]], ids=["plan", "ladder"])
def test_a_catalogue_gives_the_same_bytes_here_and_on_a_cluster(command, cluster, example, tmp_path):
    tables = tmp_path / "tables"
    tables.mkdir()
    shutil.copy(example, tables / "a.parquet")
    found = []
    for where in (["--jobs", "1"], ["--scheduler", cluster.address]):
        output = tmp_path / f"{len(found)}.parquet"
        name, *options = command
        # A process of its own, as every command is: NumPy of the tests' own may use more threads, and round otherwise.
        words = [*ENTRY_POINT, name, tables, *options, "-o", output, *where]
        subprocess.run([*map(str, words)], check=True, capture_output=True)
        found.append(output.read_bytes())
    assert found[0] == found[1]


def test_a_catalogue_in_a_store_is_planned_on_a_cluster(cluster, bucket, example, run_command):
    write_bytes(bucket / "tables" / "a.parquet", example.read_bytes())
    output = bucket / "plans.parquet"
    words = ("--budget", "500k", "-o", output, "--scheduler", cluster.address)
    outcome = run_command("plan", bucket / "tables", *words)
    assert outcome.code == 0, outcome.stderr
    assert read_bytes(output)
