"""Support vectors in NumPy: grids, edges and states; `learning/test_svr_fit.py` holds them against scikit-learn."""

import numpy as np
import pytest

from abr_alloc.learning.svr_fit import fit_svr
from abr_alloc.models.svr import SupportVectors


@pytest.fixture(scope="module")
def fitted() -> tuple[SupportVectors, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x_a, x_v = rng.uniform(size=(80, 2)), rng.uniform(10, 20, size=(80, 3))
    mos = 1 + 2 * x_a[:, 0] + 0.1 * x_v[:, 1] * x_a[:, 1]
    content = np.array([f"c{i % 5}" for i in range(80)], dtype=object)
    return fit_svr(x_a, x_v, mos, content), x_a, x_v, mos


def test_a_grid_is_one_product_of_kernels(fitted) -> None:
    model, x_a, x_v, _ = fitted
    grid = model.predict_grid(x_a[:4], x_v[:6])
    assert grid.shape == (6, 4)
    pairs = model.predict(np.tile(x_a[:4], (6, 1)), np.repeat(x_v[:6], 4, axis=0))
    assert grid.ravel() == pytest.approx(pairs, abs=1e-5)


def test_beyond_its_data_it_stays_at_the_edge(fitted) -> None:
    model, _, x_v, _ = fitted
    far = model.predict(np.full((1, 2), 1e6), x_v[:1])
    assert far == pytest.approx(model.predict(np.array([model.high[0]]), x_v[:1]))


def test_it_survives_its_state(fitted) -> None:
    model, x_a, x_v, _ = fitted
    tensors, settings = model.state()
    assert SupportVectors.restore(tensors, settings).predict(x_a, x_v) == pytest.approx(model.predict(x_a, x_v))
