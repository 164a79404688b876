"""What clocks tell of a source's length: where its picture stands still, and whether all that it declares is there."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.timeline import Timeline, last_text_s

__all__ = ["pauses", "without_late_text"]

_HELD, _HELD_S = 0.01, 0.5
"""For how long frames may be held beyond their time without a word: a share of the title, and seconds."""
_LATE_S = 1
"""How much longer than its picture and sound a file may be, seconds, before it is asked why."""
_LONGEST_PAUSE_S = 60.0
"""How long one frame may be held at all, seconds."""


def without_late_text(container: Any, duration_s: float, timelines: Mapping[int, Timeline]) -> float:
    """The length that a file declares, seconds; that of its picture and sound where subtitles last longer than they do,
    which is no sign that some of these were lost."""
    begin_s = Fraction(container.start_time or 0, av.time_base)
    heard_s = max((int(t.start[-1]) * t.time_base for t in timelines.values() if len(t.start)), default=begin_s)
    if duration_s <= heard_s - begin_s + _LATE_S or not container.streams.subtitles:
        return duration_s
    text_s = last_text_s(container)
    return float(heard_s - begin_s) if begin_s + Fraction(duration_s) <= text_s + _LATE_S else duration_s


def pauses(path: Path, timeline: Timeline, fps: Fraction) -> list[str]:
    """What is to be said of a picture that stands still for long.

    Raises:
        UnsupportedMediaError: for longer than a film ever does.
    """
    distances = np.diff(timeline.start) * float(timeline.time_base)
    if not len(distances) or timeline.is_sparse:
        return []
    held = distances[distances * float(fps) > 1.5]
    held_s, all_s = float(held.sum()) - len(held) / float(fps), float(distances.sum())
    at = int(distances.argmax())
    first = float(int(timeline.start[at] - timeline.start[0]) * timeline.time_base)
    longest = f"no new frame from {first:.2f} to {first + distances[at]:.2f} s"
    if distances[at] > _LONGEST_PAUSE_S:
        raise UnsupportedMediaError(
            f"{path} has {longest}; cut the gap out, or give the parts as titles", path=str(path)
        )
    if held_s <= max(_HELD_S, _HELD * all_s):
        return []
    return [
        f"frames come late, or are lost, for {held_s:.2f} s in all (at most: {longest}); at {float(fps):.5g} fps the "
        "one before stands that long"
    ]
