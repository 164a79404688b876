"""The rate at which a source is measured, from the times of its frames."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr_alloc.media.frame_rate import usual_rate

MS, MPEG = Fraction(1, 1000), Fraction(1, 90_000)
RATES = [*map(Fraction, (12, 15, 24, 25, 30, 48, 50, 60, 100, 120))]
RATES += [Fraction(n * 1000, 1001) for n in (24, 25, 30, 48, 60, 120)]


def ticks(times_s, base: Fraction) -> np.ndarray:
    return np.array([round(Fraction(t) / base) for t in times_s], dtype=np.int64)


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("base", [MS, MPEG, Fraction(1, 12_800)], ids=str)
def test_a_stated_rate_that_frames_bear_out_is_kept_however_times_are_rounded(rate, base) -> None:
    assert usual_rate(ticks((n / rate for n in range(50)), base), base, [rate]) == rate


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(30), Fraction(60000, 1001)], ids=str)
def test_a_rate_that_nobody_states_is_snapped_to_a_broadcast_rate(rate) -> None:
    assert usual_rate(ticks((n / rate for n in range(100)), MS), MS, []) == rate


@pytest.mark.parametrize("rate", [Fraction(48000, 1001), Fraction(25000, 1001), Fraction(25, 2)], ids=str)
def test_an_exact_rate_is_not_snapped(rate) -> None:
    base = 1 / (rate * 512)
    assert usual_rate(ticks((n / rate for n in range(50)), base), base, []) == rate


@pytest.mark.parametrize("hold_s", [4, 1000])
@pytest.mark.parametrize("at", [20, 49])
def test_a_frame_that_is_held_or_a_gap_changes_no_rate(hold_s, at) -> None:
    times = [n / Fraction(25) + (hold_s if n >= at else 0) for n in range(50)]
    mean = 50 / (times[-1] + Fraction(1, 25))
    assert usual_rate(ticks(times, MPEG), MPEG, [mean]) == 25


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(30), Fraction(60)], ids=str)
@pytest.mark.parametrize("base", [MS, MPEG], ids=str)
def test_frames_that_were_left_out_as_repeated_change_no_rate(rate, base) -> None:
    kept = np.random.default_rng(0).random(200) < 0.5
    times = [n / rate for n in range(200) if kept[n]]
    mean = len(times) / Fraction(200 / rate)
    assert usual_rate(ticks(times, base), base, [mean, rate]) == rate
    assert abs(usual_rate(ticks(times, base), base, [mean]) - rate) / rate < 0.005


def test_where_fast_and_slow_parts_are_joined_the_fast_one_counts() -> None:
    times = [n / Fraction(24) for n in range(48)] + [2 + n / Fraction(60) for n in range(30)]
    assert usual_rate(ticks(times, MPEG), MPEG, []) == 60


@given(st.integers(0, 2**32 - 1))
def test_jitter_changes_no_rate(seed) -> None:
    jitter_s = np.random.default_rng(seed).uniform(-0.004, 0.004, 120)
    times = [Fraction(n, 30) + Fraction(float(late)) for n, late in enumerate(jitter_s)]
    assert abs(usual_rate(ticks(times, MPEG), MPEG, []) / 30 - 1) < 0.002  # it cannot be told from 29.97


def test_pairs_of_frames_closer_than_any_rate_are_one() -> None:
    times = [n / Fraction(25) for n in range(50)]
    doubled = np.sort(np.concatenate([ticks(times, MPEG), ticks(times[::5], MPEG) + 1]))
    assert usual_rate(doubled, MPEG, []) == 25


def test_without_times_the_stated_rate_counts_and_25_where_there_is_none() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert usual_rate(none, MPEG, [None, Fraction(0), Fraction(50)]) == 50
    assert usual_rate(none, MPEG, []) == 25
