"""How loud a sound is, moment by moment: enough to tell whether a stretch of it lies where it should.

What is decoded from within a file is not, sample for sample, what is decoded from its beginning: coders fill in noise.
But it is as loud at the same moments.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from abr_alloc.media.coding import SAMPLE_RATE_HZ

__all__ = ["is_same_sound", "sound_envelope"]

STEP_S = 0.01
"""Length of a moment, seconds."""

_STEP = round(STEP_S * SAMPLE_RATE_HZ)
_CHUNK = 100 * 60  # moments that are in memory at once
_LIKE, _QUIET = 0.15, 1e-3  # relative difference of levels, and what is added for next to nothing
_MOST_UNLIKE = 0.02  # share of moments


def sound_envelope(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Root mean square of every 10 ms, shape (M, 2), of samples (T, 2); a moment that is not whole is left out."""
    num = len(samples) // _STEP
    result = np.zeros((num, 2), dtype=np.float32)
    for first in range(0, num, _CHUNK):
        last = min(num, first + _CHUNK)
        part = np.asarray(samples[first * _STEP : last * _STEP], dtype=np.float32).reshape(last - first, _STEP, 2)
        result[first:last] = np.sqrt(np.mean(np.square(part), axis=1))
    return result


def is_same_sound(part: npt.NDArray[np.float32], whole: npt.NDArray[np.float32], start_s: float) -> bool:
    """Whether a stretch of a sound lies where it should.

    Args:
        part: envelope of the stretch, (M, 2).
        whole: envelope of all, (N, 2).
        start_s: where the stretch begins in it, seconds.
    """
    first = start_s / STEP_S
    # Moments of the two begin up to half a step apart; what lies between two moments is as loud as one of them.
    at = np.clip(np.round(first + np.arange(len(part))).astype(int), 0, max(0, len(whole) - 1))
    if not len(part) or not len(whole):
        return True
    near = np.stack([whole[np.clip(at + step, 0, len(whole) - 1)] for step in (-1, 0, 1)])  # (3, M, 2)
    low, high = near.min(axis=0), near.max(axis=0)
    unlike = (part < low * (1 - _LIKE) - _QUIET) | (part > high * (1 + _LIKE) + _QUIET)
    return bool(unlike.mean() <= _MOST_UNLIKE)
