"""Peaks of a rendition whose shots are encoded each by itself: found on its frames, and lowered where too high.

What a player downloads at a time is a segment, so a peak is the largest mean rate over a window of a segment's length:
of every window of frames, wherever it begins, and of every run of whole segments that lasts as long. Rates are those of
the coded pictures, without container.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from abr_alloc.disk import scratch_folder
from abr_alloc.exporting.presentation import SEGMENT_S
from abr_alloc.media.cmaf import read_segments
from abr_alloc.media.packets import read_packets
from abr_alloc.media.segments import join_segments

__all__ = ["Peak", "find_peak", "lowering_factors", "stream_peak"]

_MARGIN = 0.005
"""How far below the limit a correction aims, as a share of it: an encoder comes near to what is expected, not onto."""

_LEAST_SHARE = 0.1
"""A shot with less of a window's bits is not lowered for it: all of it would lose for what the window hardly gains."""

_MOST_ROUNDS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The window with the largest mean rate."""

    kbps: float
    """Its mean rate, kbps."""
    first_frame: int
    """Its first frame."""
    end_frame: int
    """The first frame after it."""


def find_peak(size_bytes: npt.NDArray[np.float64], segments: Sequence[int], fps: Fraction) -> Peak:
    """The window with the largest mean rate; all of a title that is shorter than a window.

    Args:
        size_bytes: of every frame in presentation order, (F,).
        segments: frames of every segment.
        fps: frames per second.
    """
    first, end = _windows(len(size_bytes), segments, fps)  # (W,), (W,)
    kbps = _rates(size_bytes, first, end, fps)
    worst = int(kbps.argmax())
    return Peak(kbps=float(kbps[worst]), first_frame=int(first[worst]), end_frame=int(end[worst]))


def stream_peak(folder: Path, fps: Fraction) -> Peak:
    """The same of a stream's folder.

    Raises:
        UnsupportedMediaError: a segment is missing or cannot be read.
    """
    segments = [segment.num_frames for segment in read_segments(folder)]
    with scratch_folder() as scratch:
        join_segments(folder, scratch / "joined.mp4")
        size_bytes = read_packets(scratch / "joined.mp4").size_bytes
    return find_peak(size_bytes, segments, fps)


def _windows(
    num_frames: int, segments: Sequence[int], fps: Fraction
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First frame of every window and first frame after it, (W,) each."""
    length = min(num_frames, max(1, round(Fraction(SEGMENT_S) * fps)))
    first = np.arange(num_frames - length + 1)
    bounds = np.concatenate([[0], np.cumsum(segments)]).astype(np.int64)
    stop = np.searchsorted(bounds, bounds + length)  # the shortest run of segments from each that lasts as long
    runs = stop < len(bounds)
    return np.concatenate([first, bounds[runs]]), np.concatenate([first + length, bounds[stop[runs]]])


def _rates(
    size_bytes: npt.NDArray[np.float64], first: npt.NDArray[np.int64], end: npt.NDArray[np.int64], fps: Fraction
) -> npt.NDArray[np.float64]:
    """Mean rates of windows, kbps, (W,)."""
    total = np.concatenate([[0.0], np.cumsum(size_bytes, dtype=np.float64)])
    return np.asarray((total[end] - total[first]) * 8.0 * float(fps) / 1000.0 / (end - first), dtype=np.float64)


def lowering_factors(
    size_bytes: npt.NDArray[np.float64], segments: Sequence[int], fps: Fraction, shots: Sequence[int], limit_kbps: float
) -> list[float]:
    """By which factor to lower the rate of every shot, so that no window is above a limit; 1 where a shot is in none.

    The shots that hold the bits of the worst window are lowered alike until it is as it should be, then those of the
    window that is the worst now, and so on.

    Args:
        size_bytes: of every frame in presentation order, (F,).
        segments: frames of every segment.
        fps: frames per second.
        shots: frames of every shot.
        limit_kbps: largest mean rate of a window, kbps.
    """
    first, end = _windows(len(size_bytes), segments, fps)
    of_frame = np.repeat(np.arange(len(shots)), shots)  # (F,)
    factors = np.ones(len(shots))
    if _rates(size_bytes, first, end, fps).max() <= limit_kbps:
        return [1.0] * len(shots)
    aim_kbps = limit_kbps * (1.0 - _MARGIN)
    for _ in range(_MOST_ROUNDS):
        sizes = size_bytes * factors[of_frame]
        kbps = _rates(sizes, first, end, fps)
        worst = int(kbps.argmax())
        if kbps[worst] <= aim_kbps * (1.0 + 1e-9):
            break
        window = slice(first[worst], end[worst])
        shares = np.bincount(of_frame[window], sizes[window], len(shots)) / sizes[window].sum()  # (S,)
        over = 1.0 - aim_kbps / kbps[worst]  # of the window's bits
        heavy = shares >= _LEAST_SHARE
        if shares[heavy].sum() < 2.0 * over:
            heavy = shares > 0.0
        factors[heavy] *= 1.0 - over / shares[heavy].sum()
    return [float(factor) for factor in factors]
