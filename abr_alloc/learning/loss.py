"""The paper's loss: lambda (1 - CCC) + (1 - lambda) RMSE, with lambda = 0.6."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["LAMBDA", "ccc", "fusion_loss"]

LAMBDA = 0.6
"""Weight of the concordance term (paper, Table 2)."""

_EPS = 1e-8


def ccc(predicted: Tensor, target: Tensor) -> Tensor:
    """Concordance correlation coefficient of two vectors (B,), population moments (Lin, 1989).

    2 cov(x, y) / (var x + var y + (mean x - mean y)^2); 2 rho s_x s_y is 2 cov(x, y).
    """
    mean_p, mean_t = predicted.mean(), target.mean()
    covariance = ((predicted - mean_p) * (target - mean_t)).mean()
    spread = predicted.var(correction=0) + target.var(correction=0) + (mean_p - mean_t) ** 2
    return 2.0 * covariance / (spread + _EPS)


def fusion_loss(predicted: Tensor, target: Tensor, lam: float = LAMBDA) -> Tensor:
    """Loss of a batch: predicted and target MOS (B,) -> scalar."""
    rmse = torch.sqrt(((predicted - target) ** 2).mean() + _EPS)
    return lam * (1.0 - ccc(predicted, target)) + (1.0 - lam) * rmse
