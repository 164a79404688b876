"""Checkpoints: round trip, and refusal of anything else."""

import json
from pathlib import Path

import numpy as np
import pytest

from abr_alloc import defaults
from abr_alloc.errors import CheckpointError
from abr_alloc.learning.fusionnet import FusionNet, FusionNetConfig, fold
from abr_alloc.models.audio_quality import AUDIO_QUALITY
from abr_alloc.models.checkpoint import load_model, save_model
from abr_alloc.models.folded import FoldedFusionNet, FusionEnsemble, Standardizer
from abr_alloc.shipped import model_names
from abr_alloc.table.table import AUDIO_FEATURES

CARD = {
    "labels": "human ratings",
    "video_features": ["vif_scale0", "adm2"],
    "audio_features": ["visqol_mos", "audio_mos", "bitrate_kbps"],
    "video_feature_version": None,
    "audio_feature_version": None,
    "system": "attentive",
    "interval_mos": [-0.2, 0.3],
    "difference_mos": 0.25,
    "relevance_ranges": {"ablation": [0.0, 1.0], "change_norm": [0.0, 2.0]},
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    weights = fold(FusionNet(FusionNetConfig(audio_dim=3, video_dim=2, num_hidden_layers=1)))
    audio = Standardizer(mean=np.ones(3, np.float32), std=np.full(3, 2.0, np.float32))
    video = Standardizer(mean=np.zeros(2, np.float32), std=np.ones(2, np.float32))
    save_model(tmp_path / "mine", FusionEnsemble([FoldedFusionNet(weights, audio, video)]), CARD)
    return tmp_path / "mine"


def test_a_saved_model_predicts_as_its_half_precision_weights_do(saved: Path) -> None:
    first, second = load_model(str(saved)), load_model(str(saved))
    x_a, x_v = np.ones((2, 3), np.float32), np.zeros((4, 2), np.float32)
    grid = first.predictor.predict_grid(x_a, x_v)
    assert grid.shape == (4, 2)
    assert np.array_equal(grid, second.predictor.predict_grid(x_a, x_v))
    assert (first.name, first.interval_mos, first.intervals.difference_mos) == ("mine", (-0.2, 0.3), 0.25)


def test_only_json_and_safetensors_are_written(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == ["model.json", "model.safetensors"]


def test_the_default_model_ships_and_is_small_enough_for_git() -> None:
    assert defaults.MODEL in model_names()
    model = load_model()
    assert model.card["weights_sha256"]
    assert model.audio_features == [*AUDIO_FEATURES, AUDIO_QUALITY]


def test_a_checkpoint_of_the_old_scale_says_so(saved: Path) -> None:
    card = json.loads((saved / "model.json").read_text())
    (saved / "model.json").write_text(json.dumps({**card, "format_version": 2}))
    with pytest.raises(CheckpointError, match=r"scale of earlier versions.*train it"):
        load_model(str(saved))


def spoil_truncate(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def spoil_swap(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"something else")


def spoil_card(folder: Path) -> None:
    (folder / "model.json").write_text("{not json")


def spoil_foreign(folder: Path) -> None:
    (folder / "model.json").write_text(json.dumps({"architecture": "bert"}))


def spoil_version(folder: Path) -> None:
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**card, "format_version": 99}))


def spoil_key(folder: Path) -> None:
    card = json.loads((folder / "model.json").read_text())
    del card["relevance_ranges"]
    (folder / "model.json").write_text(json.dumps(card))


def spoil_missing(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize(
    "spoil", [spoil_truncate, spoil_swap, spoil_card, spoil_foreign, spoil_version, spoil_key, spoil_missing]
)
def test_a_spoilt_checkpoint_is_refused_in_one_line(saved: Path, spoil) -> None:
    spoil(saved)
    with pytest.raises(CheckpointError) as caught:
        load_model(str(saved))
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_what_ships() -> None:
    with pytest.raises(CheckpointError, match=defaults.MODEL):
        load_model("no-such-model")


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.json"):
        load_model(str(tmp_path))
