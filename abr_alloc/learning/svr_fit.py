"""Support vector regression, fitted by scikit-learn; `models/svr.py` predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from abr_alloc.models.svr import SupportVectors

__all__ = ["fit_svr"]

Floats = npt.NDArray[np.floating]

_SVR_GRID = {"C": [1.0, 10.0, 100.0], "gamma": [0.05, 0.2, 1.0]}
_SVR_FOLDS = 5


def fit_svr(x_a: Floats, x_v: Floats, mos: Floats, content: npt.NDArray[np.object_]) -> SupportVectors:
    """Fit an RBF SVR; C and gamma are chosen by cross-validation over the training contents.

    Args:
        x_a: audio inputs, (n, d_a).
        x_v: video inputs, (n, d_v).
        mos: labels, (n,).
        content: content of each stimulus, (n,).
    """
    from sklearn.model_selection import GridSearchCV, GroupKFold
    from sklearn.svm import SVR

    low, high = (x_a.min(axis=0), x_v.min(axis=0)), (x_a.max(axis=0), x_v.max(axis=0))
    z = np.hstack(
        [(x - lo) / np.where(hi > lo, hi - lo, 1.0) for x, lo, hi in zip((x_a, x_v), low, high, strict=True)]
    ).astype(np.float64)
    model: Any = SVR(kernel="rbf", C=10.0, gamma=0.2, epsilon=0.05)
    num_contents = len(set(content.tolist()))
    if num_contents > 1:
        folds = GroupKFold(min(_SVR_FOLDS, num_contents))
        search = GridSearchCV(model, _SVR_GRID, scoring="neg_mean_squared_error", cv=folds)
        model = search.fit(z, mos, groups=content).best_estimator_
    else:
        model.fit(z, mos)
    vectors, num_audio = model.support_vectors_, x_a.shape[1]
    return SupportVectors(
        low=low,
        high=high,
        vectors=(vectors[:, :num_audio], vectors[:, num_audio:]),
        coefficients=model.dual_coef_[0],
        intercept=float(model.intercept_[0]),
        gamma=float(model.gamma),
        neutral=(x_a.mean(axis=0), x_v.mean(axis=0)),
    )
