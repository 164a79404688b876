"""The peak is the largest mean rate of any window of a segment's length, and correcting it breaks none."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from abr_alloc.delivery.peaks import find_peak, lowering_factors

FPS = Fraction(10)  # a window is 60 frames


def by_hand(size_bytes, segments) -> float:
    """Every window, one after the other."""
    bounds = [sum(segments[:i]) for i in range(len(segments) + 1)]
    windows = [(a, a + 60) for a in range(len(size_bytes) - 59)]
    for i, a in enumerate(bounds):
        windows += [(a, next(b for b in bounds[i:] if b - a >= 60))] if bounds[-1] - a >= 60 else []
    return max(sum(size_bytes[a:b]) * 8 * 10 / 1000 / (b - a) for a, b in windows)


def test_of_a_title_of_one_window_it_is_the_mean():
    assert find_peak(np.full(25, 100.0), [25], FPS).kbps == pytest.approx(8.0)


def test_it_is_found_wherever_the_window_begins():
    sizes = np.ones(300)
    sizes[97:157] = 101.0
    found = find_peak(sizes, [60] * 5, FPS)
    assert (found.first_frame, found.end_frame) == (97, 157)
    assert found.kbps == pytest.approx(101.0 * 8 * 10 / 1000)


def test_a_run_of_segments_counts_where_it_is_longer_than_a_window():
    """Both ends of 80 frames are large: no window of 60 holds both, but whoever downloads 50 + 30 does."""
    sizes = np.zeros(200)
    sizes[[40, 119]] = 6000.0
    assert find_peak(sizes, [40, 50, 30, 80], FPS).kbps == pytest.approx(2 * 6000 * 8 * 10 / 1000 / 80)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_lowered_keeps_the_limit_in_every_window_and_nothing_else_is(seed):
    rng = np.random.default_rng(seed)
    shots = rng.integers(1, 150, size=12).tolist()
    sizes = np.repeat(rng.lognormal(0, 1, 12), shots) * rng.exponential(500, sum(shots))
    segments = [part for n in shots for part in [20] * (n // 20) + ([n % 20] if n % 20 else [])]
    peak = find_peak(sizes, segments, FPS).kbps
    assert peak == pytest.approx(by_hand(sizes, segments))
    assert lowering_factors(sizes, segments, FPS, shots, peak) == [1.0] * 12
    limit = peak * rng.uniform(0.3, 0.95)
    factors = np.array(lowering_factors(sizes, segments, FPS, shots, limit))
    lowered = sizes * np.repeat(factors, shots)
    assert by_hand(lowered, segments) <= limit
    assert by_hand(lowered, segments) == pytest.approx(limit, rel=0.006), "no more is taken than is needed"
    assert (factors <= 1.0).all() and (factors > 0.0).all()
