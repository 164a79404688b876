"""Patches, their partners and their lags against visqol-python, and against delays known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visqol.alignment import globally_align
from visqol.audio_utils import AudioSignal
from visqol.gammatone import Spectrogram, prepare_spectrograms_for_comparison
from visqol.patch_creator import ImagePatchCreator
from visqol.patch_selector import find_most_optimal_deg_patches

from abr_alloc.visqol.lag import envelopes, fft_length, find_lags, is_trusted
from abr_alloc.visqol.patches import FRAME_S, PATCH_FRAMES, find_places, patch_starts, to_decibels

BANDS = 32


@pytest.mark.parametrize("num_frames", [45, 46, 74, 75, 76, 104, 105, 106, 300])
def test_patches_begin_where_visqols_do(num_frames):
    assert patch_starts(num_frames).tolist() == ImagePatchCreator(30).create_ref_patch_indices(
        np.zeros((1, num_frames))
    )


def test_less_than_a_patch_and_a_half_holds_none():
    with pytest.raises(ValueError, match="44 frames hold no patch"):
        patch_starts(44)


def test_levels_are_compared_as_visqol_compares_them():
    rng = np.random.default_rng(1)
    reference, degraded = 10 ** rng.uniform(-9, 0, (2, 60, BANDS))
    degraded[5] = 0
    expected = prepare_spectrograms_for_comparison(Spectrogram(reference.T), Spectrogram(degraded[:50].T))
    found = to_decibels(reference, degraded[:50])
    assert found[0] == pytest.approx(expected[0].T, abs=1e-9)
    assert found[1] == pytest.approx(expected[1].T, abs=1e-9)


def changed(frames: np.ndarray, how: str) -> np.ndarray:
    rng = np.random.default_rng(2)
    noisy = np.maximum(frames + rng.normal(size=frames.shape) * 3, 0)
    return {
        "noise": noisy,
        "late": np.concatenate([np.zeros((9, BANDS)), noisy])[: len(frames)],
        "early": noisy[9:],
        "a piece is missing": np.concatenate([noisy[:60], noisy[100:]]),
        "a piece came twice": np.concatenate([noisy[:80], noisy[60:]]),
        "parts change places": np.concatenate([noisy[100:], noisy[:100]]),
        "something else": rng.uniform(0, 60, frames.shape),
        "silence": np.zeros_like(frames),
        "most is missing": noisy[:40],
    }[how]


@pytest.mark.parametrize(
    "how",
    ["noise", "late", "early", "a piece is missing", "a piece came twice", "parts change places", "something else"]
    + ["silence", "most is missing"],
)
def test_partners_are_visqols(how):
    frames = np.random.default_rng(0).uniform(0, 60, (200, BANDS))
    degraded = changed(frames, how)
    starts = patch_starts(len(frames))
    patches = [frames[start : start + PATCH_FRAMES].T for start in starts]
    expected = find_most_optimal_deg_patches(patches, starts.tolist(), degraded.T, FRAME_S)
    match = find_places(starts, frames, degraded)
    assert len(match.places) == len(expected)
    lost = [patch.deg_patch_end_time == 0 for patch in expected]
    assert match.lost.tolist() == lost
    places = [round(patch.deg_patch_start_time / FRAME_S) for patch in expected]
    assert [place for place, gone in zip(match.places.tolist(), lost, strict=True) if not gone] == [
        place for place, gone in zip(places, lost, strict=True) if not gone
    ]
    assert match.statistics.mean == pytest.approx(np.array([patch.freq_band_means for patch in expected]), abs=1e-9)
    assert match.statistics.energy == pytest.approx(
        np.array([patch.freq_band_deg_energy for patch in expected]), abs=1e-9
    )


def lag_of(reference: np.ndarray, degraded: np.ndarray) -> int:
    longest = max(len(reference), len(degraded))
    return int(find_lags(*(envelopes(signal[None], longest) for signal in (reference, degraded)), longest)[0])


@pytest.mark.parametrize("delay", [0, 1, 37, 960, 4000])
def test_the_lag_is_the_delay(delay):
    sound = np.random.default_rng(4).normal(size=9000)
    late = np.concatenate([np.zeros(delay), sound])
    assert lag_of(sound, late) == -delay
    assert lag_of(late, sound) == delay
    assert lag_of(late[: len(sound)], sound) == delay


@pytest.mark.parametrize("num_samples", [2000, 2001, 2147])
def test_the_lag_is_visqols(num_samples):
    rng = np.random.default_rng(num_samples)
    reference, degraded = rng.normal(size=num_samples), rng.normal(size=num_samples) + 0.2
    lag = lag_of(reference, degraded)
    aligned, lag_s = globally_align(AudioSignal(reference, 48_000), AudioSignal(degraded, 48_000))
    assert round(lag_s * 48_000) == (lag if is_trusted(lag, num_samples) else 0)
    assert len(aligned) == num_samples + round(lag_s * 48_000)


def test_a_lag_of_more_than_half_the_source_is_a_mistake():
    assert [is_trusted(lag, 100) for lag in (0, 1, 50, 51, -50, -51)] == [False, True, True, False, True, False]


@settings(max_examples=200)
@given(st.integers(1, 3_000_000))
def test_an_fft_is_of_the_next_quick_length(least):
    length = fft_length(least)
    left = length
    for prime in (2, 3, 5):
        while left % prime == 0:
            left //= prime
    assert left == 1
    assert least <= length <= 1 << (least - 1).bit_length()
    if least < 2000:
        for between in range(least, length):
            while between % 2 == 0 or between % 3 == 0 or between % 5 == 0:
                between //= next(prime for prime in (2, 3, 5) if between % prime == 0)
            assert between > 1
