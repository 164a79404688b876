"""Coefficients and areas of shape-preserving cubics, beside SciPy's."""

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from abr_alloc.models.cubics import integral, piece_of, pieces


@pytest.mark.parametrize("num_points", [2, 3, 4, 9])
@pytest.mark.parametrize("flat", [False, True])
def test_the_coefficients_are_scipys(num_points: int, flat: bool) -> None:
    rng = np.random.default_rng(num_points)
    x = np.cumsum(rng.uniform(0.1, 2.0, num_points))
    y = rng.normal(size=(num_points, 5)).round(0 if flat else 9)
    expected = PchipInterpolator(x, y, axis=0).c
    assert pieces(x, y) == pytest.approx(expected, abs=1e-13)


def test_a_place_lies_in_the_piece_that_begins_before_it() -> None:
    x = np.array([0.0, 1.0, 3.0])
    assert piece_of(x, np.array([0.0, 0.5, 1.0, 2.9, 3.0])).tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("num_points", [2, 3, 9])
def test_the_area_is_scipys(num_points: int) -> None:
    rng = np.random.default_rng(num_points)
    x, y = np.cumsum(rng.uniform(0.1, 2.0, num_points)), rng.normal(size=(num_points, 3))
    curve = PchipInterpolator(x, y, axis=0)
    for low, high in [(x[0], x[-1]), np.sort(rng.uniform(x[0], x[-1], 2)), (x[0], x[1]), (x[1], x[1])]:
        assert integral(x, y, low, high) == pytest.approx(curve.integrate(low, high), abs=1e-13)
