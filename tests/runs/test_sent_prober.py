"""A chooser of probes that is sent by name chooses what the model itself does."""

from __future__ import annotations

import pickle
import shutil
from importlib import resources
from pathlib import Path

import pytest

from abr_alloc.allocation.probing import Prober
from abr_alloc.errors import CheckpointError
from abr_alloc.models.checkpoint import load_model
from abr_alloc.runs.sent_prober import SentProber, probe_chooser
from abr_alloc.table.table import read_features

_WEIGHTS = Path(str(resources.files("abr_alloc"))) / "models" / "weights"


@pytest.fixture(scope="module")
def candidates(example):
    frame = read_features(example).of_kind("video")
    own = frame[frame["title"] == frame["title"].iloc[0]].drop_duplicates(["codec", "width_px", "height_px", "target"])
    return list(own.itertuples())


def test_it_chooses_what_the_model_does(candidates):
    sent = pickle.loads(pickle.dumps(probe_chooser(None)))  # noqa: S301 - its own
    assert isinstance(sent, SentProber)
    chosen = sent.first_probes(candidates)
    assert chosen == Prober(load_model()).first_probes(candidates)
    assert 0 < len(chosen) <= len(candidates)


def test_a_model_in_memory_is_sent_as_it_is():
    model = load_model()
    assert isinstance(probe_chooser(model), Prober)


def test_another_model_under_the_name_is_refused(candidates, tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    shutil.copytree(_WEIGHTS / "attentive", folder)
    monkeypatch.chdir(tmp_path)
    sent = probe_chooser("mine")
    assert isinstance(sent, SentProber)
    assert sent.model == str(folder)
    shutil.rmtree(folder)
    shutil.copytree(_WEIGHTS / "live-sjtu", folder)
    with pytest.raises(CheckpointError, match="not the one with which the run began"):
        sent.first_probes(candidates)
