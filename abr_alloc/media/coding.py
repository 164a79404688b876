"""What every encode here keeps, whoever makes it and in whatever codec: key frames, buffer, sample rate, cuts."""

from __future__ import annotations

from fractions import Fraction

from abr_alloc.encoders import GOP_S

__all__ = [
    "PEAK_RATIO",
    "SAMPLE_RATE_HZ",
    "VBV_RATIO",
    "gop_frames",
    "segment_duration_s",
]

PEAK_RATIO, VBV_RATIO = 1.5, 2.0
"""Where a rate is asked for, the decoder's buffer fills at `PEAK_RATIO` times it and holds `VBV_RATIO` s of it."""

SAMPLE_RATE_HZ = 48_000
"""Rate at which all audio is encoded and compared, Hz."""


def gop_frames(fps: Fraction, gop_s: float = GOP_S) -> int:
    """Frames of a GOP, to the nearest; scene cuts may make those of probes shorter."""
    return max(1, round(gop_s * fps))


def segment_duration_s(fps: Fraction, wanted_s: float, gop_s: float = GOP_S) -> Fraction:
    """Length of a segment: the number of whole GOPs that comes nearest to what is wanted."""
    exact_s = gop_frames(fps, gop_s) / fps
    return max(1, round(wanted_s / exact_s)) * exact_s
