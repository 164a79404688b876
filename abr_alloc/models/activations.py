"""Activations of networks, in place and in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

__all__ = ["ACTIVATIONS", "gelu"]

Floats = npt.NDArray[np.float32]

# Odd polynomial p with tanh p(x) = erf(x / sqrt 2), x^13 down to x: minimax of x (1 + tanh p(x)) / 2, to 7e-8.
_ATANH_ERF = tuple(
    map(
        np.float32,
        (1.8056170734e-9, -1.3344644286e-7, 3.9691100849e-6, -5.5240163861e-5, -3.3129971901e-5, 3.6334283477e-2)
        + (7.9788421614e-1,),
    )
)


def gelu(x: Floats) -> Floats:
    """x Phi(x), to 2e-7 max(1, |x|)."""
    out: Floats = np.array(x, dtype=np.float32)
    return _gelu(out, np.empty((2, *out.shape), dtype=np.float32))


def _gelu(x: Floats, scratch: Floats) -> Floats:
    """GELU in place, with scratch (2, ...) of the same shape. NumPy's tanh works on whole vectors of the processor;
    SciPy's erf does not, and importing it would cost a third of a plan's whole start."""
    square, p = scratch
    np.multiply(x, x, out=square)
    np.multiply(square, _ATANH_ERF[0], out=p)
    for a in _ATANH_ERF[1:-1]:
        p += a
        p *= square
    p += _ATANH_ERF[-1]
    p *= x
    np.tanh(p, out=p)
    p += np.float32(1.0)
    x *= np.float32(0.5)
    x *= p
    return x


def _relu(x: Floats, _: Floats) -> Floats:
    """max(x, 0) in place."""
    return np.maximum(x, np.float32(0.0), out=x)


ACTIVATIONS: Mapping[str, Callable[[Floats, Floats], Floats]] = {"gelu": _gelu, "relu": _relu}
"""By name: each takes an array, and scratch (2, ...) of its shape."""
