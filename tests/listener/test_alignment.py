"""Where renditions lie, by sounds that were moved."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.listener.alignment import AlignmentReference
from abr_alloc.visqol.gammatone import SAMPLE_RATE_HZ


def moved(pcm: np.ndarray, lag: int) -> np.ndarray:
    """The sound, `lag` samples late, as long as before."""
    silence = np.zeros((abs(lag), 2))
    return np.concatenate([silence, pcm[: len(pcm) - lag]]) if lag >= 0 else np.concatenate([pcm[-lag:], silence])


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    rng = np.random.default_rng(0)
    loud = 0.5 + 0.5 * np.sin(np.arange(5 * SAMPLE_RATE_HZ) / 9000)
    return rng.normal(0, 0.1, (len(loud), 2)) * loud[:, None]


@pytest.mark.parametrize("lag", [0, 1, -7, 256, 481, -1024, 3 * SAMPLE_RATE_HZ, -3 * SAMPLE_RATE_HZ])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_lag_is_found_to_the_sample(sound, lag, sign):
    noisy = sign * 0.3 * moved(sound, lag) + np.random.default_rng(1).normal(0, 0.01, sound.shape)
    assert AlignmentReference(sound).lag(noisy) == lag


def test_a_sound_in_the_side_alone_is_found_too(sound):
    side = sound * np.array([1, 0])
    side[:, 1] = -side[:, 0]
    assert AlignmentReference(side).lag(moved(side, 300)) == 300


def test_a_tone_is_not_moved_by_a_period():
    tone = np.sin(np.arange(2 * SAMPLE_RATE_HZ) / 10)[:, None] * np.ones(2)
    assert AlignmentReference(tone).lag(tone) == 0


@pytest.mark.parametrize("other", ["another", "silence"])
def test_what_is_not_alike_stays_where_it_is(sound, other):
    pcm = np.random.default_rng(2).normal(0, 0.1, sound.shape) if other == "another" else np.zeros_like(sound)
    assert AlignmentReference(sound).lag(pcm) == 0
