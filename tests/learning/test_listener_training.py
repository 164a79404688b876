"""Training of the listener on a few pieces whose order is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from abr_alloc.learning.listener_network import ListenerNet, to_tensors
from abr_alloc.learning.listener_training import ListenerConfig, Piece, judge_pieces, label_mos, train_listener
from abr_alloc.models.p1203 import aac_mos

RATES = (16.0, 32.0, 64.0, 128.0)


def piece(seed: int) -> Piece:
    """Noise, and the same with more of other noise the lower the rate."""
    rng = np.random.default_rng(seed)
    reference = rng.uniform(-50, 0, (4, 32, 224))
    coded = np.stack([reference + rng.normal(0, 160 / rate, reference.shape) for rate in RATES])
    return Piece(
        sound=f"sound {seed}",
        content=f"content {seed}",
        is_real=False,
        reference=reference.astype(np.float16),
        coded=coded.astype(np.float16),
        encoder=np.array(["aac"] * 4),
        asked=np.array(RATES),
        order=np.array(RATES),
        label_mos=np.array([label_mos("aac", "aac", rate, rate) for rate in RATES]),
        visqol_mos=np.array([np.nan, 3.0, 4.0, 4.5]),
    )


def test_labels_are_the_curves():
    assert label_mos("aac", "aac", 32, 32.5) == pytest.approx(float(aac_mos(np.array([32.5]))[0]))
    assert label_mos("aac", "aac", 16, 9) == pytest.approx(float(aac_mos(np.array([16.0]))[0]))
    assert label_mos("opus", "opus", 16, 30) == pytest.approx(label_mos("opus", "opus", 16, 16 * 1.3))
    assert label_mos("other", "", 0, np.nan) == 1.05
    assert np.isnan(label_mos("mp3", "", 64, 64)) and np.isnan(label_mos("noise", "", 6, np.nan))


def test_a_network_learns_the_order():
    config = ListenerConfig(steps=40, pieces=2, ordered=4, others=0, learning_rate=3e-3)
    told: list[str] = []
    network = train_listener([piece(seed) for seed in range(3)], config, told.append)
    quality, spread, features = judge_pieces(network, [piece(7)])
    assert (np.diff(quality) > 0).all()
    assert features.shape == (4, 512) and ((spread >= 0.1) & (spread <= 1.0)).all()
    assert told == []  # fewer than fifty batches


def test_training_is_repeated_by_its_seed():
    config = ListenerConfig(steps=2, pieces=1, ordered=3, others=0)
    first, second = (to_tensors(train_listener([piece(0)], config)) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


@torch.no_grad()
def test_a_sound_beside_itself_has_lost_nothing():
    one = piece(1)
    network = ListenerNet().eval()
    own = Piece(**{**{name: getattr(one, name) for name in Piece.__slots__}, "coded": one.reference[None]})
    quality, _, features = judge_pieces(network, [own])
    assert np.abs(features).max() == 0 and quality[0] == pytest.approx(4.65, abs=1e-3)
