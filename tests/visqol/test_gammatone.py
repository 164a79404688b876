"""The filter bank against visqol-python, which runs the filters sample by sample."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from visqol.analysis_window import AnalysisWindow
from visqol.audio_utils import AudioSignal
from visqol.gammatone import GammatoneSpectrogramBuilder

from abr_alloc.visqol.gammatone import (
    FRAME_SAMPLES,
    HOP_SAMPLES,
    NUM_BANDS,
    SAMPLE_RATE_HZ,
    center_hz,
    signal_levels,
    stereo_levels,
)


def filtered(samples: np.ndarray) -> np.ndarray:
    """Levels by visqol-python, (F, B)."""
    builder = GammatoneSpectrogramBuilder(NUM_BANDS, 50.0)
    return builder.build(AudioSignal(samples, SAMPLE_RATE_HZ), AnalysisWindow(SAMPLE_RATE_HZ)).data.T


def one_frame(first: int, values: np.ndarray) -> np.ndarray:
    """A frame (and the sample without which visqol-python takes none) that is silent up to a sample."""
    samples = np.zeros(FRAME_SAMPLES + 1)
    samples[first : first + len(values)] = values
    return samples


RNG = np.random.default_rng(3)
T = np.arange(12_000) / SAMPLE_RATE_HZ
SIGNALS = {
    "noise": RNG.normal(size=12_000),
    "a low tone": np.sin(2 * np.pi * 55 * T),
    "a high tone": np.sin(2 * np.pi * 15_000 * T),
    "a click in the middle": one_frame(1900, np.ones(1)),
    "a click near the frame's end": one_frame(3800, np.ones(1)),
    "an onset at the frame's end": one_frame(3700, RNG.normal(size=140)),
    "a sound that stops": one_frame(0, RNG.normal(size=1500)),
    "an offset": np.full(12_000, 0.5),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_levels_are_those_of_filtering_sample_by_sample(name):
    expected, levels = filtered(SIGNALS[name]), signal_levels(SIGNALS[name])
    assert levels.shape == expected.shape
    heard = expected > 10**-4.5 * expected.max(axis=1, keepdims=True)  # ViSQOL hears no band 45 dB below the loudest
    assert heard.any()
    assert levels[heard] == pytest.approx(expected[heard], rel=1e-6)


def test_silence_has_no_level():
    assert (signal_levels(np.zeros(2 * FRAME_SAMPLES)) == 0).all()


def test_a_frame_begins_every_twenty_milliseconds_as_long_as_one_fits():
    assert HOP_SAMPLES / SAMPLE_RATE_HZ == 0.02
    for num_samples, num_frames in [(3839, 0), (3840, 1), (4799, 1), (4800, 2)]:
        assert len(signal_levels(np.ones(num_samples))) == num_frames


def test_a_frames_level_is_its_own_wherever_it_stands():
    samples = RNG.normal(size=FRAME_SAMPLES + 149 * HOP_SAMPLES)
    levels = signal_levels(samples)
    for i in (0, 63, 64, 127, 128, 149):
        alone = samples[i * HOP_SAMPLES : i * HOP_SAMPLES + FRAME_SAMPLES]
        assert signal_levels(alone)[0] == pytest.approx(levels[i], rel=1e-12)


def test_levels_of_mid_and_side_are_those_of_their_own_samples():
    """Even of a side 80 dB below the mid."""
    left = RNG.normal(size=10_000)
    right = left + 1e-4 * RNG.normal(size=10_000)
    views = (left, right, (left + right) / 2, (left - right) / 2)
    for levels, samples in zip(stereo_levels(left, right), views, strict=True):
        assert levels == pytest.approx(signal_levels(samples), rel=1e-9)


def test_centers_rise_from_fifty_hertz_in_even_steps_of_the_erb_scale():
    hz = center_hz()
    assert hz[0] == pytest.approx(50)
    steps = np.diff(np.log(1 + hz / (9.26449 * 24.7)))
    assert steps == pytest.approx(steps[0]) and steps[0] > 0
    assert hz[-1] < SAMPLE_RATE_HZ / 2


def test_the_filter_bank_takes_memory_of_a_block_not_of_bands_times_samples():
    samples = np.ones(60 * SAMPLE_RATE_HZ)
    signal_levels(samples[:FRAME_SAMPLES])  # the bank itself is built once
    tracemalloc.start()
    try:
        signal_levels(samples)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 32e6 < samples.nbytes * NUM_BANDS / 20
