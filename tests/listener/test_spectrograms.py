"""What the listener hears of sounds whose levels are known."""

from __future__ import annotations

import numpy as np

from abr_alloc.listener.spectrograms import FLOOR_DB, PIECE_FRAMES, frame_count, loudness, spectrograms
from abr_alloc.visqol.gammatone import FRAME_SAMPLES, HOP_SAMPLES, SAMPLE_RATE_HZ, center_hz

L, R, M, S = range(4)


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    return 0.1 * np.sin(2 * np.pi * hz * np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ)


def test_a_tone_stands_in_its_band_and_mono_has_no_side():
    hz = center_hz()[::-1] if center_hz()[0] > center_hz()[-1] else center_hz()
    pcm = np.column_stack([tone(hz[12])] * 2)
    found = spectrograms(pcm, loudness(pcm))
    assert found.shape == (4, 32, frame_count(len(pcm))) and found.dtype == np.float32
    assert (found[[L, R, M]].mean(axis=2).argmax(axis=1) == 12).all()
    assert (found[S] == FLOOR_DB).all()
    assert found.min() >= FLOOR_DB


def test_a_gain_changes_nothing_and_neither_does_polarity():
    rng = np.random.default_rng(0)
    pcm = rng.normal(0, 0.1, (SAMPLE_RATE_HZ, 2))
    ours = spectrograms(pcm, loudness(pcm))
    for other in (0.01 * pcm, -pcm):
        assert np.allclose(spectrograms(other, loudness(other)), ours, atol=1e-4)


def test_frames_are_counted_as_they_fit():
    assert frame_count(FRAME_SAMPLES - 1) == 0
    assert frame_count(FRAME_SAMPLES) == 1
    assert frame_count((PIECE_FRAMES - 1) * HOP_SAMPLES + FRAME_SAMPLES) == PIECE_FRAMES
    assert loudness(np.empty((0, 2))) == 0.0
