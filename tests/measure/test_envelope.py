"""An envelope tells whether a stretch of sound lies where it should."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.measure.envelope import is_same_sound, sound_envelope

RATE_HZ = 48_000


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Eight seconds of noise that comes in bursts, as syllables do, (T, 2)."""
    rng = np.random.default_rng(0)
    loudness = np.interp(np.arange(8 * RATE_HZ), np.arange(0, 8 * RATE_HZ, 4800), rng.uniform(0, 0.5, 80))
    return (loudness[:, None] * rng.normal(size=(8 * RATE_HZ, 2))).astype(np.float32)


def test_it_is_the_effective_value_of_every_ten_milliseconds() -> None:
    sine = np.sin(2 * np.pi * 1000 * np.arange(1000) / RATE_HZ).astype(np.float32)
    assert sound_envelope(np.stack([sine, 0.5 * sine], axis=1)) == pytest.approx(
        np.array([[0.5**0.5, 0.5**1.5]] * 2), rel=1e-5
    )


@pytest.mark.parametrize("start_s", [0.0, 2.0, 3.333, 6.9])
def test_a_stretch_that_lies_where_it_should_is_known_again(speech, start_s) -> None:
    first = round(start_s * RATE_HZ)
    noise = 1 + 0.02 * np.random.default_rng(1).normal(size=(RATE_HZ, 2))
    stretch = (speech[first : first + RATE_HZ] * noise).astype(np.float32)
    assert is_same_sound(sound_envelope(stretch), sound_envelope(speech), start_s)


@pytest.mark.parametrize("late_s", [-1.0, -0.05, 0.05, 0.3])
def test_one_that_lies_elsewhere_is_not(speech, late_s) -> None:
    first = round((3.0 + late_s) * RATE_HZ)
    stretch = speech[first : first + RATE_HZ]
    assert not is_same_sound(sound_envelope(stretch), sound_envelope(speech), 3.0)


def test_one_with_silence_in_its_place_is_not(speech) -> None:
    stretch = speech[3 * RATE_HZ : 4 * RATE_HZ].copy()
    stretch[: RATE_HZ // 5] = 0
    assert not is_same_sound(sound_envelope(stretch), sound_envelope(speech), 3.0)
