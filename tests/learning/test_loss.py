"""The loss."""

import numpy as np
import pytest
import torch

from abr_alloc.learning.loss import ccc, fusion_loss


def test_perfect_agreement_costs_nothing() -> None:
    y = torch.tensor([1.0, 2.0, 4.0])
    assert float(ccc(y, y)) == pytest.approx(1.0, abs=1e-6)
    assert float(fusion_loss(y, y)) == pytest.approx(0.0, abs=1e-4)


def test_ccc_is_lins_formula() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=50), rng.normal(loc=0.3, size=50)
    rho = np.corrcoef(x, y)[0, 1]
    expected = 2 * rho * x.std() * y.std() / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    assert float(ccc(torch.from_numpy(x), torch.from_numpy(y))) == pytest.approx(expected, abs=1e-6)


def test_an_offset_lowers_ccc_but_not_correlation() -> None:
    y = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert float(ccc(y + 1, y)) == pytest.approx(2 * 1.25 / (2.5 + 1), abs=1e-6)


def test_the_terms_are_weighted_by_lambda() -> None:
    p, y = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.5, 2.0, 2.5])
    rmse = float(torch.sqrt(((p - y) ** 2).mean()))
    assert float(fusion_loss(p, y, lam=0.0)) == pytest.approx(rmse, abs=1e-5)
    assert float(fusion_loss(p, y, lam=1.0)) == pytest.approx(1 - float(ccc(p, y)), abs=1e-5)
