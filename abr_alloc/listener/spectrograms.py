"""What the listener hears: levels of four views of a source and of a rendition, in bands of hearing, in decibels.

Axes: T samples, V = 4 views (L, R, M = (L+R)/2, S = (L-R)/2), F frames of 80 ms, one every 20 ms, B = 32 bands.

Both sides are heard at the same loudness: a rendition's gain is no fault of its encoder. Levels are of power, so a
sound upside down is the sound itself.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from abr_alloc.visqol.gammatone import FRAME_SAMPLES, HOP_SAMPLES, stereo_levels

__all__ = ["FLOOR_DB", "NUM_VIEWS", "PIECE_FRAMES", "frame_count", "loudness", "spectrograms"]

Floats = npt.NDArray[np.float32]

NUM_VIEWS = 4
PIECE_FRAMES = 224
"""Frames that are heard at a time: 4.54 s."""
FLOOR_DB = -70.0
"""Beside the source's loudness: what lies lower is not heard."""

_HIGHEST_DB = 20.0


def frame_count(num_samples: int) -> int:
    """Whole frames in so many samples."""
    return max(0, (num_samples - FRAME_SAMPLES) // HOP_SAMPLES + 1)


def loudness(pcm: npt.NDArray[np.floating]) -> float:
    """Root mean square of samples (T, 2), full scale 1."""
    return math.sqrt(float(np.square(pcm, dtype=np.float64).mean())) if pcm.size else 0.0


def spectrograms(pcm: npt.NDArray[np.floating], level: float) -> Floats:
    """Levels beside a loudness, dB from `FLOOR_DB` up.

    Args:
        pcm: stereo samples at 48 kHz, (T, 2).
        level: the loudness that is 0 dB, `loudness` of the samples themselves.

    Returns:
        Shape (V, B, F), low bands first.
    """
    left, right = (np.ascontiguousarray(pcm[:, i], dtype=np.float64) for i in (0, 1))
    levels = stereo_levels(left, right)  # (V, F, B)
    with np.errstate(divide="ignore"):
        decibels = 20.0 * np.log10(levels / level)
    return np.clip(decibels, FLOOR_DB, _HIGHEST_DB).astype(np.float32).transpose(0, 2, 1)
