"""Training on small data: seeds, standardisation, settings, and that it learns."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from abr_alloc.errors import TuningError
from abr_alloc.learning.dataset import TrainingSet
from abr_alloc.learning.fusionnet import KINDS, FusionNetConfig
from abr_alloc.learning.ratings import from_ratings
from abr_alloc.learning.training import TrainingConfig, read_settings, train_ensemble, train_network

CONFIG = TrainingConfig(
    network=FusionNetConfig(num_hidden_layers=1, d_model=64, d_ff=64),
    num_steps=150,
    learning_rate=5e-3,
    batch_size=16,
)


@pytest.fixture(scope="module")
def data() -> TrainingSet:
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame(rng.uniform(size=(n, 5)), columns=["v_a", "v_b", "a_x", "a_y", "a_z"])
    frame["content"] = [f"c{i % 6}" for i in range(n)]
    frame["mos"] = 1.0 + 2.0 * frame["v_a"] + 2.0 * frame["a_x"] * frame["v_a"]
    return from_ratings(frame, ["a_*"], ["v_*"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_learns_a_product_of_its_inputs(data: TrainingSet, kind: str) -> None:
    config = replace(CONFIG, network=replace(CONFIG.network, kind=kind))
    network = train_network(data, data.contents[2:], config)
    rows = data.pairs_of(data.contents[:2])
    predicted = network.predict(data.x_a[rows], data.x_v[rows])
    assert np.corrcoef(predicted, data.mos[rows])[0, 1] > 0.9


def test_standardisation_is_fitted_on_the_training_contents_alone(data: TrainingSet) -> None:
    kept = data.contents[2:]
    network = train_network(data, kept, replace(CONFIG, num_steps=10))
    assert network.video.mean == pytest.approx(data.x_v[np.isin(data.content_v, kept)].mean(axis=0), abs=1e-5)
    assert network.audio.mean == pytest.approx(data.x_a[np.isin(data.content_a, kept)].mean(axis=0), abs=1e-5)


def test_the_held_out_labels_change_nothing(data: TrainingSet) -> None:
    kept, config = data.contents[2:], replace(CONFIG, num_steps=10)
    spoilt = replace(data, mos=np.where(np.isin(data.content, kept), data.mos, 1.0))
    first, second = train_network(data, kept, config), train_network(spoilt, kept, config)
    assert all(np.array_equal(first.weights[name], second.weights[name]) for name in first.weights)


def test_the_same_seed_gives_the_same_network(data: TrainingSet) -> None:
    config = replace(CONFIG, num_steps=20)
    first, second = (train_network(data, data.contents, config) for _ in range(2))
    assert all(np.array_equal(first.weights[name], second.weights[name]) for name in first.weights)
    other = train_network(data, data.contents, replace(config, seed=1))
    assert not np.array_equal(first.weights["output.weight"], other.weights["output.weight"])


def test_members_of_an_ensemble_differ_and_no_two_seeds_share_one(data: TrainingSet) -> None:
    config = replace(CONFIG, num_steps=5, num_members=2)
    members = [m for seed in (0, 1) for m in train_ensemble(data, data.contents, replace(config, seed=seed)).members]
    outputs = {member.weights["output.weight"].tobytes() for member in members}
    assert len(outputs) == 4


def test_a_power_transform_is_stored_with_the_network() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.uniform(0.1, 1.0, size=(40, 2)), columns=["vif_scale0", "audio_mos"])
    frame = frame.assign(content=[f"c{i % 4}" for i in range(40)], mos=1.0 + 4.0 * frame["vif_scale0"])
    frame["audio_mos"] = 1.0 + 4.0 * frame["audio_mos"]
    data = from_ratings(frame, ["audio_mos"], ["vif_scale0"])
    network = train_network(data, data.contents, replace(CONFIG, num_steps=5, power_transform=True))
    assert network.video.power is not None
    assert network.video.power.tolist() == [0.5]
    assert network.audio.power is not None
    assert network.audio.power.tolist() == [1.0]


def test_settings_survive_json(tmp_path: Path) -> None:
    config = replace(CONFIG, weight_decay=0.02, network=replace(CONFIG.network, kind="ca", num_video_cross_layers=3))
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(asdict(config)))
    assert read_settings(path, "ca") == config
    with pytest.raises(TuningError, match="attentive"):
        read_settings(path, "attentive")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"network": {"kind": "ca", "wings": 2}}', '{"network": {}, "x": 1}'])
def test_settings_that_are_none_are_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(TuningError, match=r"settings\.json") as caught:
        read_settings(path, "ca")
    assert "\n" not in str(caught.value)
