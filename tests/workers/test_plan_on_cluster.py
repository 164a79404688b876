"""Plans and ladders of a catalogue are the same wherever its chunks are planned."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from abr_alloc.location import read_bytes
from abr_alloc.writing import write_bytes


@pytest.mark.parametrize("command", [["plan", "--budget", "500k"], ["ladder"]], ids=["plan", "ladder"])
def test_a_catalogue_gives_the_same_bytes_here_and_on_a_cluster(command, forks, cluster, example, tmp_path):
    tables = tmp_path / "tables"
    tables.mkdir()
    shutil.copy(example, tables / "a.parquet")
    found = []
    for where in (["--jobs", "1"], ["--scheduler", cluster.address]):
        output = tmp_path / f"{len(found)}.parquet"
        name, *options = command
        # A process of its own, as every command is: NumPy of the tests' own may use more threads, and round otherwise.
        assert forks.run(name, tables, *options, "-o", output, *where).returncode == 0
        found.append(output.read_bytes())
    assert found[0] == found[1]


def test_a_catalogue_in_a_store_is_planned_on_a_cluster(cluster, bucket, example, run_command):
    write_bytes(bucket / "tables" / "a.parquet", example.read_bytes())
    output = bucket / "plans.parquet"
    words = ("--budget", "500k", "-o", output, "--scheduler", cluster.address)
    outcome = run_command("plan", bucket / "tables", *words)
    assert outcome.code == 0, outcome.stderr
    assert read_bytes(output)


def test_a_standing_cluster_plans_with_the_model_that_is_there_now(cluster, example, run_command, tmp_path):
    """Its workers live on while the folder of a model is replaced under its name."""
    from abr_alloc.models.checkpoint import load_model, save_model

    tables, mine = tmp_path / "tables", tmp_path / "mine"
    tables.mkdir()
    shutil.copy(example, tables / "a.parquet")
    found = []
    for name in ("svr-2f", "p1203"):
        model = load_model(name)
        card = {key: value for key, value in model.card.items() if key not in ("name", "weights_sha256")}
        shutil.rmtree(mine, ignore_errors=True)
        save_model(mine, model.predictor, card)
        outputs = [tmp_path / f"{name}-{where}.parquet" for where in ("cluster", "here")]
        for output, where in zip(outputs, (["--scheduler", cluster.address], ["--jobs", "1"]), strict=True):
            outcome = run_command("plan", tables, "--budget", "500k", "--model", mine, "-o", output, *where)
            assert outcome.code == 0, outcome.stderr
        here, there = map(pd.read_parquet, outputs)
        pd.testing.assert_frame_equal(here, there, rtol=1e-6)
        found.append(here["avq_mos"].to_numpy())
    assert abs(found[0] - found[1]).max() > 0.01


def test_two_runs_share_a_cluster_and_a_cache(forks, cluster, clip, tiny_grid, tmp_path):
    running = []
    for number in range(2):
        words = ["extract", clip, "-o", tmp_path / f"{number}.parquet", "--grid", tiny_grid]
        words += ["--cache", tmp_path / "cache", "--scheduler", cluster.address]
        running.append(forks.start(*words))
    for one in running:
        _, said = one.communicate(timeout=120)
        assert one.returncode == 0, said
    assert (tmp_path / "0.parquet").read_bytes() == (tmp_path / "1.parquet").read_bytes()
