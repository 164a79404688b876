"""Shape-preserving cubics."""

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from abr_alloc.allocation.pchip import pchip


@pytest.mark.parametrize("num_points", [2, 3, 4, 9])
@pytest.mark.parametrize("flat", [False, True])
def test_the_curve_is_scipys(num_points: int, flat: bool) -> None:
    rng = np.random.default_rng(num_points)
    x = np.cumsum(rng.uniform(0.1, 2.0, num_points))
    y = rng.normal(size=(num_points, 5)).round(0 if flat else 9)
    at = np.concatenate([x, np.linspace(x[0] - 1.0, x[-1] + 1.0, 301)])
    expected = PchipInterpolator(x, y, axis=0, extrapolate=False)(at)
    assert pchip(x, y, at) == pytest.approx(expected, abs=1e-13, nan_ok=True)


def test_nothing_is_extrapolated_and_points_are_met() -> None:
    x, y = np.array([0.0, 1.0, 3.0]), np.array([[1.0], [2.0], [2.5]])
    assert pchip(x, y, x).tolist() == y.tolist()
    assert np.isnan(pchip(x, y, np.array([-0.1, 3.1]))).all()
