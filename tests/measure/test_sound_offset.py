"""The lag of a sound, to the sample, and sounds that are not the source's."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.measure.sound_offset import UnlikeSound, find_sound_offset

RATE = 48_000


def sound(seconds: float = 4.0, seed: int = 0) -> np.ndarray:
    """Noise below 3 kHz whose level wanders, (T, 2)."""
    rng = np.random.default_rng(seed)
    noise = np.fft.rfft(rng.normal(size=(round(seconds * RATE), 2)), axis=0)
    noise[round(3000 * seconds) :] = 0
    level = np.repeat(rng.uniform(0.2, 1.0, round(seconds * 10)), RATE // 10)[:, None]
    return (0.1 * level * np.fft.irfft(noise, n=len(level), axis=0)).astype(np.float32)


def coded(samples: np.ndarray) -> np.ndarray:
    return (0.8 * samples + np.random.default_rng(8).normal(scale=0.01, size=samples.shape)).astype(np.float32)


@pytest.mark.parametrize("lag", [-24_000, -1, 0, 312, 14_400, 40_001])
def test_the_lag_is_found_to_the_sample(lag):
    source = sound()
    later = np.concatenate([np.zeros((max(0, lag), 2), np.float32), source[max(0, -lag) :]])
    assert find_sound_offset(source, coded(later)).samples == lag


def test_another_sound_is_not_the_source():
    with pytest.raises(UnlikeSound, match="not of this source"):
        find_sound_offset(sound(), coded(sound(seed=1)))
    with pytest.raises(UnlikeSound, match="silent"):
        find_sound_offset(sound(), np.zeros((RATE, 2), np.float32))


def test_a_clock_that_runs_apart_is_told():
    source = sound(12.0)
    at = np.arange(0, len(source) - 2) * 1.001
    slower = source[at[at < len(source) - 1].astype(int)]
    with pytest.raises(UnlikeSound, match=r"apart|not of this source"):
        find_sound_offset(source, slower)


def test_in_silence_nothing_is_known():
    found = find_sound_offset(np.zeros((RATE, 2), np.float32), np.zeros((RATE, 2), np.float32))
    assert (found.samples, found.is_silent) == (0, True)
