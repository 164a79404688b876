"""A digest stands for its whole title, and for every kind of scene in it."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.measure.digest import UNIT_S, choose_stretches, measure_complexity
from abr_alloc.media.scenes import Scan, split_scenes

FPS, RATE_HZ = Fraction(24), 8000


def units(num_s: int, cuts_s=()):
    return split_scenes("t", 24 * num_s, [round(24 * s) for s in cuts_s], FPS, max_scene_s=UNIT_S)


def scan(spatial, temporal) -> Scan:
    looks = {"spatial": np.float32(spatial), "temporal": np.float32(temporal)}
    looks["quick_bytes"] = np.full(len(spatial), 500.0, np.float32)
    return Scan(num_frames=len(spatial), cuts=(), fingerprints=np.zeros(len(spatial), np.uint32), notes=(), **looks)


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 300), st.sets(st.integers(1, 299)), st.floats(2.0, 60.0), st.integers(0, 99))
def test_the_weights_add_up_to_the_title_and_the_digest_is_no_longer_than_asked(num_s, cuts, digest_s, seed) -> None:
    whole = units(num_s, sorted(c for c in cuts if c < num_s))
    found = choose_stretches(whole, np.random.default_rng(seed).normal(size=(num_s, 5)), digest_s)
    assert sum(s.weight_s for s in found) == pytest.approx(num_s)
    assert sum(s.scene.duration_s for s in found) <= digest_s + 1e-9
    assert all(s.weight_s > 0.0 and s.scene in whole for s in found)
    assert all(a.scene.index < b.scene.index for a, b in itertools.pairwise(found))


def test_a_title_no_longer_than_the_digest_is_measured_whole() -> None:
    whole = units(40, [7, 21])
    found = choose_stretches(whole, np.zeros((40, 5)), 40.0)
    assert [s.scene for s in found] == whole
    assert all(s.weight_s == s.scene.duration_s for s in found)


def test_every_kind_of_scene_is_measured_and_weighs_its_time() -> None:
    """Four kinds in turn, the rarest a twentieth of the title."""
    kinds = np.repeat([0, 1, 0, 2, 0, 3, 1, 0], [60, 30, 40, 10, 50, 20, 30, 60])
    complexity = np.random.default_rng(1).normal(size=(4, 5))[kinds]
    whole = units(300, np.flatnonzero(np.diff(kinds)) + 1)
    found = choose_stretches(whole, complexity, 4 * UNIT_S)
    kind_of = [kinds[int(s.scene.start_s)] for s in found]
    assert sorted(kind_of) == [0, 1, 2, 3]
    weights_s = {k: s.weight_s for k, s in zip(kind_of, found, strict=True)}
    assert weights_s == pytest.approx({0: 210.0, 1: 60.0, 2: 10.0, 3: 20.0})


def test_a_rate_that_goes_with_the_quick_encode_is_met_where_central_units_miss_it() -> None:
    """A few seconds take most of the bits: log-normal rates, of which the middle of a stratum says too little."""
    rng = np.random.default_rng(4)
    errors = []
    for _ in range(20):
        measures = rng.normal(size=(600, 5)) * (1.0, 1.0, 1.5, 1.0, 1.0)
        whole = units(600)
        found = choose_stretches(whole, measures, 40.0)
        kbps = np.exp2(measures[:, 2]).reshape(300, 2).mean(axis=1)
        indices, weights_s = [s.scene.index for s in found], np.array([s.weight_s for s in found])
        errors.append(float(weights_s @ kbps[indices]) / 600.0 / kbps.mean() - 1.0)
    assert abs(np.mean(errors)) < 0.1


def test_the_digest_of_a_longer_title_is_no_longer() -> None:
    rng = np.random.default_rng(2)
    for num_s in (60, 600, 6000):
        found = choose_stretches(units(num_s), rng.normal(size=(num_s, 5)), 40.0)
        assert sum(s.scene.duration_s for s in found) == pytest.approx(40.0)


def test_a_title_of_one_kind_is_sampled_all_over() -> None:
    found = choose_stretches(units(400), np.ones((400, 5)), 16.0)
    assert len(found) == 8
    assert found[-1].scene.start_s - found[0].scene.start_s > 200.0


def test_noise_is_louder_and_brighter_than_a_low_tone_and_silence_is_neither() -> None:
    t = np.arange(RATE_HZ) / RATE_HZ
    tone = 8000 * np.sin(2 * np.pi * 100 * t)
    noise = 16000 * np.random.default_rng(3).uniform(-1, 1, RATE_HZ)
    samples = np.concatenate([np.zeros(RATE_HZ), tone, noise]).astype(np.float32)[:, None].repeat(2, axis=1) / 32768
    level, centroid = measure_complexity(scan(np.ones(72), np.ones(72)), FPS, samples, RATE_HZ).T[3:]
    assert level[0] == pytest.approx(-8.0)  # the floor, 1e-4 of full scale
    assert level[1] == pytest.approx(np.log10((8000 / 32768) ** 2 / 2), abs=0.01)
    assert level[0] < level[1] < level[2]
    assert centroid[0] == 0.0
    assert centroid[1] == pytest.approx(np.log2(100 / 20), abs=0.05)
    assert centroid[2] == pytest.approx(np.log2(2000 / 20), abs=0.2)


def test_a_cut_is_not_motion_and_sound_may_end_before_the_picture() -> None:
    temporal = np.full(48, 0.5)
    still = measure_complexity(scan(np.full(48, 30.0), temporal), FPS, np.zeros((0, 2), np.float32), RATE_HZ)
    temporal[30] = 60.0
    cut = measure_complexity(scan(np.full(48, 30.0), temporal), FPS, np.zeros((0, 2), np.float32), RATE_HZ)
    assert np.array_equal(still, cut)
    assert still.shape == (2, 5)
