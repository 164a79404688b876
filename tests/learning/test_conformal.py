"""Intervals: quantiles by content, differences, and that coverage is what was promised."""

import numpy as np
import pytest

from abr_alloc.learning.conformal import fit_intervals, measure_coverage, measure_held
from abr_alloc.models.intervals import Intervals


def residuals(num_contents: int, each: int, bias: float, noise: float, seed: int = 0):
    """Errors that contents share, and errors of their own."""
    rng = np.random.default_rng(seed)
    content = np.repeat([f"c{i}" for i in range(num_contents)], each).astype(object)
    shared = np.repeat(rng.normal(scale=bias, size=num_contents), each)
    return shared + rng.normal(scale=noise, size=num_contents * each), content


def test_coverage_on_contents_left_out_is_near_what_is_promised() -> None:
    residual, content = residuals(60, 24, bias=0.1, noise=0.1)
    ratings, differences = measure_coverage(residual, content, content)
    assert ratings == pytest.approx(0.90, abs=0.03)
    assert differences == pytest.approx(0.90, abs=0.03)


def test_an_interval_leans_to_the_side_of_the_errors() -> None:
    residual, content = residuals(20, 24, bias=0.0, noise=0.1)
    low, high = fit_intervals(residual + 0.5, content, content).interval_mos
    assert 0.2 < low < high < 0.8


def test_what_a_content_does_to_both_cancels_in_a_difference() -> None:
    residual, content = residuals(40, 24, bias=1.0, noise=0.01)
    found = fit_intervals(residual, content, content)
    assert found.difference_mos < 0.05
    assert found.interval_mos[1] - found.interval_mos[0] > 1.0


def test_a_difference_of_independent_errors_is_the_square_root_of_two_wider() -> None:
    residual, content = residuals(40, 40, bias=0.0, noise=0.1)
    found = fit_intervals(residual, content, content)
    assert found.difference_mos == pytest.approx(1.645 * 0.1 * np.sqrt(2), rel=0.1)


def test_every_content_weighs_the_same() -> None:
    few, many = np.full(10, 1.0), np.zeros(990)
    content = np.array(["few"] * 10 + ["many"] * 990, dtype=object)
    low, high = fit_intervals(np.concatenate([few, many]), content, content).interval_mos
    assert (low, high) == (0.0, 1.0)  # half of the weight lies at 1


def test_given_intervals_are_counted() -> None:
    content = np.array(["a"] * 4, dtype=object)
    held = measure_held(
        np.array([0.0, 0.1, 0.2, 0.9]), content, content, Intervals(interval_mos=(-0.1, 0.3), difference_mos=0.15)
    )
    assert held == (0.75, pytest.approx(2 / 6))


def test_one_content_has_no_coverage() -> None:
    content = np.array(["a"] * 4, dtype=object)
    assert np.isnan(measure_coverage(np.arange(4.0), content, content)).all()
