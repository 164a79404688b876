"""Where the segments of a title whose shots are encoded by themselves begin: at every shot, and at GOPs within.

GOPs count from a shot's first frame, so every rendition of a title can be cut at the same frames, whatever its shots'
parameters and sizes are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from abr_alloc.errors import ArgumentError

__all__ = ["shot_segments"]

_ROUNDING_S = Fraction(1, 2)
"""A playlist's target duration is compared with durations to the nearest second (RFC 8216, 4.3.3.1): what a segment may
have beyond it, so that a last GOP of a few frames need not be one by itself."""

_NTSC = Fraction(1001, 1000)
"""Three GOPs of two seconds at 24000/1001 frames/s take 6.006 s, and are meant by 6 s."""


def shot_segments(shot_frames: Sequence[int], gop_frames: int, fps: Fraction, most_s: float) -> list[tuple[int, ...]]:
    """Cut every shot into segments of whole GOPs, as few and as even as can be.

    A last GOP shorter than half a second goes with the one before it where the segment still rounds to no more than
    `most_s`.

    Args:
        shot_frames: frames of every shot.
        gop_frames: frames of a GOP.
        fps: frames per second.
        most_s: longest segment, seconds; a single GOP may be longer.

    Returns:
        Per shot the frames of each of its segments.

    Raises:
        ArgumentError: a shot has no frames, or `gop_frames`, `fps` or `most_s` is not above 0.
    """
    for name, value in (("gop_frames", gop_frames), ("fps", fps), ("most_s", most_s)):
        if not value > 0:
            raise ArgumentError(f"`{name}` is {value}; give one above 0")
    empty = next((index for index, frames in enumerate(shot_frames) if frames < 1), None)
    if empty is not None:
        raise ArgumentError(f"shot {empty} has {shot_frames[empty]} frames; give 1 or more")
    return [_segments(frames, gop_frames, fps, Fraction(most_s)) for frames in shot_frames]


def _segments(num_frames: int, gop_frames: int, fps: Fraction, most_s: Fraction) -> tuple[int, ...]:
    whole, rest = divmod(num_frames, gop_frames)
    most_gops = max(1, math.floor(most_s * _NTSC * fps / gop_frames))
    if 0 < rest < _ROUNDING_S * fps and whole:  # a few frames
        segments = _spread(whole, most_gops, gop_frames)
        if (segments[-1] + rest) / fps < most_s + _ROUNDING_S:
            return (*segments[:-1], segments[-1] + rest)
    if not rest:
        return tuple(_spread(whole, most_gops, gop_frames))
    segments = _spread(whole + 1, most_gops, gop_frames)[::-1]  # the last GOP is shorter, so its segment has more
    return (*segments[:-1], segments[-1] - gop_frames + rest)


def _spread(gops: int, most_gops: int, gop_frames: int) -> list[int]:
    """Frames of the fewest segments of whole GOPs, the longer ones first."""
    count = -(-gops // most_gops)
    each, longer = divmod(gops, count)
    return [gop_frames * (each + (index < longer)) for index in range(count)]
