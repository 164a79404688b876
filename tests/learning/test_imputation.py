"""What rated tables lack is estimated from what they have, and from nothing else."""

import numpy as np
import pandas as pd
import pytest

from abr_alloc.learning.imputation import IMPUTED, READ, Imputation, fit_imputation, impute


def make_rows(num: int = 50, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    vif = np.sort(rng.uniform(0.1, 0.99, size=(num, 4)), axis=1)
    return pd.DataFrame(vif, columns=list(READ[:4])).assign(frame_diff=rng.uniform(0.5, 20.0, size=num))


def test_a_table_that_has_the_features_is_left_alone() -> None:
    rows = make_rows().assign(motion2=1.0, adm2=0.5)
    assert impute(rows) is rows


def test_a_table_without_frame_diff_is_left_alone() -> None:
    rows = make_rows().drop(columns="frame_diff")
    assert impute(rows) is rows


def test_estimates_are_possible_values() -> None:
    rows = impute(make_rows(500).assign(frame_diff=np.linspace(0.0, 255.0, 500)))
    assert set(IMPUTED) <= set(rows.columns)
    assert rows["adm2"].between(0.0, 1.0).all()
    assert (rows["motion2"] > 0.0).all() and np.isfinite(rows["motion2"]).all()


def test_more_movement_means_more_motion() -> None:
    slow, fast = impute(pd.concat([make_rows(1)] * 2).assign(frame_diff=[2.0, 12.0]))["motion2"]
    assert fast > slow


def test_fitting_finds_the_regression_that_made_the_features() -> None:
    made_by = Imputation(adm2=(0.4, 0.0, 0.2, 0.0, 0.3), motion2=(0.5, 0.9, 0.02, -0.5, 0.1, 0.0, 0.1))
    rows = made_by(make_rows(300))
    found = fit_imputation(rows, rows)(make_rows(300, seed=1))
    expected = made_by(make_rows(300, seed=1))
    assert found["adm2"].to_numpy() == pytest.approx(expected["adm2"].to_numpy(), abs=0.01)
    assert np.log(found["motion2"]).to_numpy() == pytest.approx(np.log(expected["motion2"]).to_numpy(), abs=0.05)
