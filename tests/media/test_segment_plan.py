"""Segments of shots: every one begins with a shot or a GOP, and none is longer than it has to be."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.errors import ArgumentError
from abr_alloc.media.coding import gop_frames, segment_duration_s
from abr_alloc.media.segment_plan import shot_segments

RATES = [Fraction(rate) for rate in ("24000/1001", "24", "25", "30000/1001", "60000/1001", "25/2", "7/3")]


@pytest.mark.parametrize(
    ("frames", "fps", "segments"),
    [
        (48 * 7, "24000/1001", (144, 96, 96)),  # as even as can be
        (48 * 3, "24", (144,)),
        (48 * 3 + 11, "24", (155,)),  # a last GOP of less than half a second, in a segment that rounds to 6 s
        (48 * 3 + 12, "24", (96, 60)),
        (48 * 4 + 5, "24", (96, 101)),
        (48 * 6 + 30, "24", (96, 96, 126)),
        (1, "24", (1,)),
        (11, "60000/1001", (11,)),
        (49, "24", (49,)),
    ],
)
def test_segments_are_few_and_even(frames, fps, segments):
    fps = Fraction(fps)
    assert shot_segments([frames], gop_frames(fps), fps, 6.0) == [segments]


@settings(deadline=None, max_examples=100)
@given(
    shots=st.lists(st.integers(1, 3000), max_size=8),
    fps=st.sampled_from(RATES),
    gop_s=st.floats(0.2, 8),
    most_s=st.floats(0.5, 10),
)
def test_segments_are_the_shots_cut_at_gops(shots, fps, gop_s, most_s):
    gop = gop_frames(fps, gop_s)
    plan = shot_segments(shots, gop, fps, most_s)
    assert [sum(segments) for segments in plan] == shots
    longest_s = max(Fraction(most_s), gop / fps) + Fraction(1, 2)
    for segments in plan:
        assert all(frames > 0 and frames % gop == 0 for frames in segments[:-1])
        assert all(frames / fps <= longest_s for frames in segments)
        assert max(segments) - min(segments) < 2 * gop


@pytest.mark.parametrize("fps", RATES)
def test_whole_gops_are_cut_as_in_titles_of_one_target(fps):
    gop = gop_frames(fps)
    wanted = round(segment_duration_s(fps, 6.0) * fps)
    if wanted / fps <= 6.01:
        assert shot_segments([3 * wanted], gop, fps, 6.0) == [(wanted,) * 3]


def test_shots_without_frames_and_lengths_without_time_are_refused():
    with pytest.raises(ArgumentError, match="shot 1 has 0 frames; give 1 or more"):
        shot_segments([5, 0], 48, Fraction(24), 6.0)
    with pytest.raises(ArgumentError, match="`most_s` is 0"):
        shot_segments([5], 48, Fraction(24), 0)
