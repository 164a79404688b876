"""ViSQOL's regression: from NSIM per band to MOS.

Axes: V support vectors, B bands.

The nu-SVR with an RBF kernel that Google trained and visqol-python carries, in its libsvm file (svr/notice.txt): read
here, and worked out in a line.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt

from abr_alloc.visqol.gammatone import NUM_BANDS

__all__ = ["VISQOL_VERSION", "WORST_MOS", "predict_mos"]

Array = npt.NDArray[np.float64]

VISQOL_VERSION = "3.8.0"
"""The visqol-python from which the regression is, and that tests hold every number to. It need not be installed."""

WORST_MOS = 1.0
_UNLIKE = 0.15  # a mean NSIM below which ViSQOL predicts the worst
_FILE = Path(__file__).with_name("svr") / "libsvm_nu_svr_model.txt"


def predict_mos(nsim: Array) -> float:
    """MOS-LQO of a mean NSIM per band, (B,): sum_v c_v exp(-gamma |x - x_v|^2) - rho, within 1 to 5.

    Where next to nothing is alike it is 1.
    """
    if nsim.mean() < _UNLIKE:
        return WORST_MOS
    coefficients, vectors, gamma, rho = _regression()
    mos = coefficients @ np.exp(-gamma * np.square(vectors - nsim).sum(axis=1)) - rho
    return float(min(max(mos, 1.0), 5.0))


@functools.lru_cache(maxsize=1)
def _regression() -> tuple[Array, Array, float, float]:
    """Coefficients (V,), support vectors (V, B), gamma, rho."""
    head, _, body = _FILE.read_text(encoding="ascii").partition("SV\n")
    settings = dict(line.split(maxsplit=1) for line in head.splitlines())
    rows = [line.split() for line in body.splitlines() if line.strip()]
    vectors = np.zeros((len(rows), NUM_BANDS))
    for vector, row in zip(vectors, rows, strict=True):
        for entry in row[1:]:
            index, _, value = entry.partition(":")
            vector[int(index) - 1] = float(value)
    return np.array([float(row[0]) for row in rows]), vectors, float(settings["gamma"]), float(settings["rho"])
