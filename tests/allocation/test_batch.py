"""Plans on arrays beside plans scene by scene."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from abr_alloc.allocation.batch import plan_columns
from abr_alloc.allocation.chunk_tasks import PlanTask
from abr_alloc.allocation.plan import Limits, plan_surfaces
from abr_alloc.allocation.prediction import pair_up
from abr_alloc.allocation.record import FLAT_COLUMNS
from abr_alloc.allocation.surface import build_surfaces
from abr_alloc.errors import FeatureTableError
from abr_alloc.features.catalogue import open_catalogue, read_columns
from abr_alloc.features.table import FeatureTable, read_features, write_features
from abr_alloc.models.checkpoint import load_model


@pytest.mark.parametrize("name", ["attentive", "svr-2f", "p1203", "simple"])
@pytest.mark.parametrize("limits", [Limits(), Limits(min_avq_mos=3.2, max_rate_kbps=500.0)])
@pytest.mark.parametrize("budget_kbps", [45.0, 300.0, 2000.0, 1e6])
def test_arrays_decide_what_scenes_decide(example: Path, name: str, limits: Limits, budget_kbps: float) -> None:
    model, table = load_model(name), read_features(example)
    one_by_one = plan_surfaces(build_surfaces(table, model), [budget_kbps], model, limits)
    (chunk,) = open_catalogue(example).chunks
    (together,) = plan_columns(read_columns(chunk), model, [budget_kbps], limits, overhead=0.02, weights_s={})
    assert together.infeasible == one_by_one.infeasible
    expected = one_by_one.to_frame()
    assert list(together.rows) == FLAT_COLUMNS
    for column in FLAT_COLUMNS:
        found = together.rows[column]
        if pd.api.types.is_float_dtype(expected[column]):
            assert found.to_numpy() == pytest.approx(expected[column].to_numpy(), rel=1e-5, abs=1e-6), column
        else:
            assert found.tolist() == expected[column].tolist(), column


def test_a_titles_numbers_do_not_depend_on_its_company(example: Path, tmp_path: Path) -> None:
    table = read_features(example)
    (chunk,) = open_catalogue(example).chunks
    task = PlanTask(chunk=chunk, model="attentive", budgets_kbps=(300.0, 45.0))
    together = task.run(None)
    for title in table.frame["title"].unique():
        own = table.frame[table.frame["title"] == title].reset_index(drop=True)
        write_features(FeatureTable(own, table.metadata), tmp_path / "own.parquet")
        (alone,) = open_catalogue(tmp_path / "own.parquet").chunks
        for found, all_rows in zip(dataclasses.replace(task, chunk=alone).run(None), together, strict=True):
            expected = all_rows.rows[all_rows.rows["title"] == title].reset_index(drop=True)
            pd.testing.assert_frame_equal(found.rows, expected, check_exact=True, check_dtype=False)


def test_a_scene_without_audio_is_refused_by_name(example: Path, tmp_path: Path) -> None:
    table = read_features(example)
    silent = (table.frame["scene"] == 1) & (table.frame["kind"] == "audio")
    write_features(FeatureTable(table.frame[~silent].reset_index(drop=True), table.metadata), tmp_path / "t.parquet")
    (chunk,) = open_catalogue(tmp_path / "t.parquet").chunks
    with pytest.raises(FeatureTableError, match=r"'bbb-rabbit-wakes-720p' scene 1 has no audio rows"):
        PlanTask(chunk=chunk, model="attentive", budgets_kbps=(300.0,)).run(None)


def test_pairs_stand_scene_after_scene_video_after_video() -> None:
    pairs = pair_up(np.array([2, 1]), np.array([2, 3]))
    assert pairs.first.tolist() == [0, 4, 7]
    assert pairs.video.tolist() == [0, 0, 1, 1, 2, 2, 2]
    assert pairs.audio.tolist() == [0, 1, 0, 1, 2, 3, 4]


def test_scenes_of_a_digest_carry_the_time_that_they_stand_for_in_either_form(example: Path, tmp_path: Path) -> None:
    model, table = load_model(), read_features(example)
    title = str(table.frame["title"].iloc[0])
    about = dataclasses.replace(table.metadata, weights_s={title: {"0": 100.0, "1": 7.5}})
    write_features(FeatureTable(table.frame, about), tmp_path / "digest.parquet")
    (chunk,) = open_catalogue(tmp_path / "digest.parquet").chunks
    one_by_one = plan_surfaces(build_surfaces(read_features(tmp_path / "digest.parquet"), model), [2000.0], model)
    (together,) = PlanTask(chunk=chunk, model="attentive", budgets_kbps=(2000.0,)).run(None)
    for rows in (one_by_one.to_frame(), together.rows):
        weights = rows.set_index(["title", "scene"])["weight_s"]
        assert weights[(title, 0)] == 100.0
        assert weights[(title, 1)] == 7.5
        others = rows[rows["title"] != title]
        assert others["weight_s"].tolist() == pytest.approx((others["end_s"] - others["start_s"]).tolist())
