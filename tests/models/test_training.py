"""Training on small data: folds, early stopping, seeds, and that it learns."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from abr_alloc.errors import FeatureTableError
from abr_alloc.models.dataset import from_ratings
from abr_alloc.models.training import TrainingConfig, cross_validate, grouped_folds, train_network

CONFIG = TrainingConfig(
    num_hidden_layers=1, num_steps=120, check_every=20, learning_rate=2e-3, num_folds=3, patience=10, batch_size=16
)


@pytest.fixture(scope="module")
def ratings() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame(rng.uniform(size=(n, 5)), columns=["v_a", "v_b", "a_x", "a_y", "a_z"])
    frame["content"] = [f"c{i % 6}" for i in range(n)]
    frame["mos"] = 1.0 + 2.0 * frame["v_a"] + 2.0 * frame["a_x"] * frame["v_a"]
    return frame


def test_a_network_learns_a_product_of_its_inputs(ratings: pd.DataFrame) -> None:
    data = from_ratings(ratings, ["a_*"], ["v_*"])
    found = cross_validate(data, CONFIG)
    assert np.corrcoef(found.predicted, data.mos)[0, 1] > 0.9
    assert len(found.networks) == 3


def test_every_pair_is_predicted_by_a_network_that_did_not_see_its_content(ratings: pd.DataFrame) -> None:
    data = from_ratings(ratings, ["a_*"], ["v_*"])
    found = cross_validate(data, replace(CONFIG, num_steps=20))
    assert not np.isnan(found.predicted).any()
    held_out = [name for fold in found.folds for name in fold]
    assert sorted(held_out) == data.contents
    for fold, network in zip(found.folds, found.networks, strict=True):
        kept = data.x_v[~np.isin(data.content_v, fold)]
        assert network.video.mean == pytest.approx(kept.mean(axis=0), abs=1e-5)


def test_the_same_seed_gives_the_same_network(ratings: pd.DataFrame) -> None:
    data = from_ratings(ratings, ["a_*"], ["v_*"])
    config = replace(CONFIG, num_steps=20)
    first, second = (train_network(data, data.contents, [], config) for _ in range(2))
    assert all(np.array_equal(first.state[name], second.state[name]) for name in first.state)
    other = train_network(data, data.contents, [], replace(config, seed=1))
    assert not np.array_equal(first.state["output.weight"], other.state["output.weight"])


def test_a_fold_stops_when_validation_no_longer_improves(ratings: pd.DataFrame) -> None:
    noise = ratings.assign(mos=np.random.default_rng(1).uniform(1, 5, size=len(ratings)))
    data = from_ratings(noise, ["a_*"], ["v_*"])
    seen: list[int] = []
    config = replace(CONFIG, num_steps=600, check_every=20, patience=2)
    trained = train_network(
        data, data.contents[1:], data.contents[:1], config, on_step=lambda step, _: seen.append(step)
    )
    assert seen[-1] < 600
    assert 0.3 * 600 < trained.best_step <= seen[-1]


def test_folds_share_out_all_contents_once() -> None:
    contents = [f"c{i}" for i in range(11)]
    folds = grouped_folds(contents, 5, seed=0)
    assert sorted(name for fold in folds for name in fold) == sorted(contents)
    assert max(map(len, folds)) - min(map(len, folds)) <= 1
    assert folds == grouped_folds(contents, 5, seed=0)


def test_one_content_cannot_be_validated() -> None:
    with pytest.raises(FeatureTableError, match="two contents"):
        grouped_folds(["only"], 5, seed=0)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"mos": 7.0}, "mos-range"),
        ({"v_a": np.nan}, "v_a"),
        ({"a_x": "loud"}, "a_x"),
    ],
)
def test_bad_ratings_name_the_column(ratings: pd.DataFrame, change: dict, word: str) -> None:
    with pytest.raises(FeatureTableError, match=word):
        from_ratings(ratings.assign(**change), ["a_*"], ["v_*"])


def test_missing_columns_name_the_option(ratings: pd.DataFrame) -> None:
    with pytest.raises(FeatureTableError, match="audio-columns"):
        from_ratings(ratings, ["nothing_*"], ["v_*"])
    with pytest.raises(FeatureTableError, match="content"):
        from_ratings(ratings.drop(columns="content"), ["a_*"], ["v_*"])
