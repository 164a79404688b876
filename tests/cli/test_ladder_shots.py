"""`abr-alloc ladder --per-shot` on the example that ships, as a user runs it."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest

import abr_alloc
from abr_alloc.formats.ladder_file import read_designed
from abr_alloc.table.half_seconds import half_second_kbit
from abr_alloc.table.table import write_features

TITLE = "tos-battle-action-332p"
ONE_SCENE = "handheld-toy-rabbit-480p"
ONE = ("--title", TITLE, "--per-shot", "--rungs", "3", "--round", "25", "--network", "lognormal:median=500k,sigma=0.9")
"""Six scenes of an action film, and few rates: quick."""


@pytest.fixture
def ladder(run_command, example):
    return lambda *words: run_command("ladder", example, *words)


def test_the_text_has_shots_their_proof_and_what_they_gain(ladder, tmp_path) -> None:
    path = tmp_path / "l.json"
    outcome = ladder(*ONE, "-o", path)
    assert (outcome.code, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    (head,) = [line for line in lines if line.startswith("rung")]
    assert "worst" in head and "peak" not in head
    assert sum(bool(re.match(r" +\d +\d+x\d+ crf=[\d.]+-[\d.]+ ~\d+k ", line)) for line in lines) == 3
    told = " ".join(outcome.stdout.split())
    assert "no other choice of the scenes" in told
    gain = r"per shot, 6 scenes, beside one target per rung: [+-]0\.\d{3} MOS expected; rate at equal AVQ \(BD-rate\)"
    assert re.search(gain, told)
    assert re.search(r"expected worst scene \d\.\d\d -> \d\.\d\d; (it pays|hardly worth it)", told)
    (found,) = read_designed(path)
    document = json.loads(path.read_text())
    assert document["options"]["shots"] == {
        "free_size": False,
        "pool": "mean",
        "max_rate_kbps": None,
        "peak_kbps": None,
        "max_step_mos": None,
    }
    assert found.shot_gain is not None and found.shot_gain.num_shots == 6
    for rung in document["ladders"][0]["rungs"]:
        ends = [(shot["start_s"], shot["end_s"]) for shot in rung["video"]["shots"]]
        assert ends[0][0] == 0.0 and all(a[1] == pytest.approx(b[0]) for a, b in itertools.pairwise(ends))


def test_limits_are_kept_and_what_they_cost_is_said(ladder) -> None:
    outcome = ladder(*ONE, "--max-step", "0.3", "--max-rate", "900k", "--pool", "harmonic", "--json")
    assert outcome.code == 0
    document = json.loads(outcome.stdout)
    assert document["options"]["shots"]["max_step_mos"] == 0.3 and document["options"]["shots"]["pool"] == "harmonic"
    (found,) = document["ladders"]
    for rung in found["rungs"]:
        assert all(abs(a - b) <= 0.3 + 1e-9 for a, b in itertools.pairwise(rung["shots_mos"]))
        rates = [1.02 * (shot["bitrate_kbps"] + rung["audio"]["bitrate_kbps"]) for shot in rung["video"]["shots"]]
        assert max(rates) <= 905.0
    assert [cost["limit"] for cost in found["shot_gain"]["limits"]] == ["max_rate_kbps", "max_step_mos"]


def test_rows_and_folders_carry_shots_and_python_designs_the_same(ladder, example, tmp_path) -> None:
    rows, folder = tmp_path / "rows.csv", tmp_path / "out"
    folder.mkdir()
    assert ladder(*ONE, "-o", rows).code == 0 and ladder(*ONE, "-o", folder).code == 0
    frame = pd.read_csv(rows)
    assert (frame["num_shots"] == 6).all() and (frame["worst_mos"] < frame["avq_mos"]).all() and len(frame) == 3
    (path,) = folder.iterdir()
    table = abr_alloc.read_features(example)
    whole = dataclasses.replace(table, frame=table.frame[table.frame["title"].isin([TITLE, ONE_SCENE])])
    options = abr_alloc.DesignOptions(num_rungs=3, round_kbps=25.0, shots=abr_alloc.ShotRules())
    ladders = abr_alloc.ladder(whole, ONE[-1], options=options)
    one_scene, own = ladders
    assert own.ladder == read_designed(path)[0].ladder
    assert own.shot_gain == read_designed(path)[0].shot_gain
    assert one_scene.ladder.title == ONE_SCENE and {len(r.video.shots) for r in one_scene.ladder.rungs} == {1}


def sizes_over_time(row) -> np.ndarray:
    """Of a video row, as if every frame were of one size."""
    num_frames = round((row.end_s - row.start_s) * row.fps)
    return half_second_kbit(np.full(num_frames, row.bitrate_kbps * 125.0 / row.fps), row.fps)


def test_titles_of_a_catalogue_go_their_own_ways(run_command, example, tmp_path) -> None:
    """One is all there, with sizes over time; one is a digest: the first has a ladder, the other a reason."""
    table = abr_alloc.read_features(example)
    names = ["documentary-nasa-jwst-270p", "handheld-toy-rabbit-480p"]
    frame = table.frame[table.frame["title"].isin(names)].copy()
    frame["half_second_kbit"] = [sizes_over_time(row) if row.kind == "video" else None for row in frame.itertuples()]
    digest = dataclasses.replace(table.metadata, weights_s={names[0]: {"0": 60.0, "1": 20.0}})
    folder = tmp_path / "tables"
    folder.mkdir()
    for name, metadata in ((names[0], digest), (names[1], table.metadata)):
        write_features(
            dataclasses.replace(table, frame=frame[frame["title"] == name], metadata=metadata), folder / name
        )
        (folder / name).rename(folder / f"{name}.parquet")
    rows = tmp_path / "rows.parquet"
    words = ("--per-shot", "--rungs", "2", "--round", "50", "--peak", "400k", "-o", rows)
    outcome = run_command("ladder", folder, *words)
    assert outcome.code == 3 and outcome.stderr.count("\n") == 1
    assert names[0] in outcome.stderr and "digest" in outcome.stderr and "extract --full" in outcome.stderr
    found = pd.read_parquet(rows)
    assert found["title"].unique().tolist() == [names[1]] and (found["peak_kbps"] <= 400.0).all()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--free-size",), "--per-shot"),
        (("--pool", "min"), "--per-shot"),
        (("--max-rate", "1M"), "--per-shot"),
        (("--peak", "1M"), "--per-shot"),
        (("--max-step", "0.2"), "--per-shot"),
        (("--per-shot", "--shared"), "--shared"),
        (("--per-shot", "--max-step", "0"), "--max-step"),
        (("--per-shot", "--pool", "p5", "--max-step", "0.2"), "--pool p5"),
        (("--per-shot", "--peak", "fast"), "--peak"),
    ],
)
def test_options_that_do_not_go_together_are_a_usage_error(words, named, ladder) -> None:
    outcome = ladder(*words)
    assert outcome.code == 2 and named in outcome.stderr and outcome.stderr.count("\n") <= 4


def test_a_peak_needs_sizes_over_time(ladder) -> None:
    outcome = ladder(*ONE, "--peak", "1M")
    assert outcome.code in (1, 3) and outcome.stderr.count("\n") == 1 and "--peak" in outcome.stderr


def test_scenes_left_out_are_refused_with_the_next_move(ladder) -> None:
    outcome = ladder(*ONE, "--scene", "1", "--scene", "2")
    assert outcome.code == 3 and "begins at" in outcome.stderr and "--scene" in outcome.stderr
