"""What every encode here keeps, whoever makes it and in whatever codec: key frames, buffer, sample rate, cuts."""

from __future__ import annotations

from fractions import Fraction

__all__ = [
    "GOP_S",
    "PEAK_RATIO",
    "SAMPLE_RATE_HZ",
    "VBV_RATIO",
    "gop_frames",
    "segment_duration_s",
]

GOP_S = 2.0
"""Longest distance of key frames, seconds, as streaming ladders use; scene cuts may add more to probes."""

PEAK_RATIO, VBV_RATIO = 1.5, 2.0
"""Where a rate is asked for, the decoder's buffer fills at `PEAK_RATIO` times it and holds `VBV_RATIO` s of it."""

SAMPLE_RATE_HZ = 48_000
"""Rate at which all audio is encoded and compared, Hz."""


def gop_frames(fps: Fraction) -> int:
    """Frames of a GOP for delivery: `GOP_S`, to the nearest frame."""
    return max(1, round(GOP_S * fps))


def segment_duration_s(fps: Fraction, wanted_s: float) -> Fraction:
    """Length of a segment: the number of whole GOPs that comes nearest to what is wanted."""
    gop_s = gop_frames(fps) / fps
    return max(1, round(wanted_s / gop_s)) * gop_s
