"""Windows over cuts, added up by hand."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.allocation.shot_windows import PeakWindows

# Scenes of 1.2 s (three half seconds, the last short) and 1 s, from 0 s and 1.2 s; two options each.
FIRST = np.array([[10.0, 20.0, 5.0], [20.0, 40.0, 10.0]])
SECOND = np.array([[30.0, 10.0], [50.0, 30.0]])


def windows(window_s: float) -> PeakWindows:
    return PeakWindows([FIRST, SECOND], [0.0, 1.2], 2.2, window_s)


def test_a_window_takes_whole_half_seconds_across_the_cut() -> None:
    # Half seconds begin at 0, 0.5, 1.0, 1.2 and 1.7 s. From 0.5 s on, 1 s long: those at 0.5, 1.0 and 1.2.
    assert windows(1.0).peak_kbps(np.array([0, 0])) == pytest.approx(20 + 5 + 30)
    assert windows(1.0).peak_kbps(np.array([1, 0])) == pytest.approx(40 + 10 + 30)
    assert windows(1.0).peak_kbps(np.array([0, 1])) == pytest.approx(5 + 50 + 30)


def test_a_title_shorter_than_a_window_is_one() -> None:
    assert windows(6.0).peak_kbps(np.array([0, 0])) == pytest.approx(75 / 2.2)


def test_what_an_option_takes_by_itself_stops_at_its_scene() -> None:
    assert windows(1.0).inner_peaks_kbps() == pytest.approx(np.array([[30.0, 60.0], [40.0, 80.0]]))
    assert windows(0.5).inner_peaks_kbps() == pytest.approx(np.array([[40.0, 80.0], [60.0, 100.0]]))


def test_an_option_that_is_not_there_has_no_peak() -> None:
    title = PeakWindows([np.array([[np.nan, np.nan], [1.0, 2.0]])], [0.0], 1.0, 1.0)
    assert np.isnan(title.inner_peaks_kbps()[0, 0])
    assert title.peak_kbps(np.array([1])) == pytest.approx(3.0)


def test_what_is_allowed_over_a_cut_is_shared_out_and_the_keeper_stays() -> None:
    title, keeper = windows(1.0), np.array([0, 0])
    allowed = np.ones((2, 2), dtype=bool)
    assert title.keeps(keeper, 55.0)
    assert not title.keeps(np.array([1, 1]), 70.0)
    # In the window from 0.5 s on: 25 and 30 of the keeper, 50 and 50 of the choice; 15 to share, in the ratio 25 to 20.
    tight = title.tighten(allowed, np.array([1, 1]), keeper, 70.0)
    assert tight.tolist() == [[True, False], [True, False]]
    # With all of what the second scene takes more allowed, nothing of it is ruled out.
    assert title.tighten(allowed, np.array([0, 1]), keeper, 90.0).all()
