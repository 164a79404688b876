"""What scikit-learn fitted predicts in NumPy as it does in scikit-learn."""

import numpy as np
import pytest
from sklearn.svm import SVR

from abr_alloc.learning.svr_fit import fit_svr


def test_it_learns() -> None:
    rng = np.random.default_rng(0)
    x_a, x_v = rng.uniform(size=(80, 2)), rng.uniform(10, 20, size=(80, 3))
    mos = 1 + 2 * x_a[:, 0] + 0.1 * x_v[:, 1] * x_a[:, 1]
    model = fit_svr(x_a, x_v, mos, np.array([f"c{i % 5}" for i in range(80)], dtype=object))
    assert np.sqrt(np.mean((model.predict(x_a, x_v) - mos) ** 2)) < 0.1


def test_it_predicts_what_scikit_learn_predicts() -> None:
    rng = np.random.default_rng(1)
    x_a, x_v = rng.uniform(size=(50, 1)), rng.uniform(5, 9, size=(50, 2))
    mos = 1 + x_a[:, 0] + np.sin(x_v[:, 0])
    one_content = np.array(["only"] * 50, dtype=object)  # no choice of settings: C = 10, gamma = .2
    model = fit_svr(x_a, x_v, mos, one_content)
    x = np.hstack([x_a, x_v])
    z = (x - x.min(axis=0)) / np.ptp(x, axis=0)
    reference = SVR(kernel="rbf", C=10.0, gamma=0.2, epsilon=0.05).fit(z, mos)
    assert model.predict(x_a, x_v) == pytest.approx(reference.predict(z), abs=1e-4)
