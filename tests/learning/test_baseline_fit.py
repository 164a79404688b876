"""Weights of the product, and video quality fitted to ratings, against answers known beforehand."""

import numpy as np
import pytest

from abr_alloc.learning.baseline_fit import fit_product


def test_weights_are_found_again() -> None:
    rng = np.random.default_rng(0)
    q_a, q_v = rng.uniform(1, 5, 60), rng.uniform(1, 5, 60)
    assert fit_product(q_a, q_v, q_a**0.23 * q_v**0.76) == pytest.approx((0.23, 0.76), abs=1e-4)
