"""Shape-preserving piecewise cubics (PCHIP; Fritsch and Carlson, SIAM J. Numer. Anal. 17, 1980).

Slopes at inner points are the weighted harmonic mean of the neighbouring secants, 0 where those differ in sign; at the
ends the three-point formula of Moler (Numerical Computing with MATLAB, 3.6), limited so that no extremum arises. The
same curve as SciPy's `PchipInterpolator`, whose import takes longer than designing a ladder.

Axes: n points, R places, A curves over the same points.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["pchip"]

Floats = npt.NDArray[np.float64]


def pchip(x: Floats, y: Floats, at: Floats) -> Floats:
    """Values between points.

    Args:
        x: rising, (n,), n >= 2.
        y: (n, A).
        at: (R,).

    Returns:
        (R, A); NaN outside the points.
    """
    x, y, at = (np.asarray(values, dtype=np.float64) for values in (x, y, at))
    step = np.diff(x)[:, None]  # (n - 1, 1)
    secant = np.diff(y, axis=0) / step  # (n - 1, A)
    slope = _slopes(step, secant)
    piece = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(step) - 1)
    h, s, past = step[piece], secant[piece], (at - x[piece])[:, None]
    d0, d1 = slope[piece], slope[piece + 1]
    bend = (d0 + d1 - 2.0 * s) / h
    value = ((bend / h * past + (s - d0) / h - bend) * past + d0) * past + y[piece]
    outside = (at < x[0]) | (at > x[-1]) | np.isnan(at)
    return np.where(outside[:, None], np.nan, value)


def _slopes(step: Floats, secant: Floats) -> Floats:
    """Derivatives at the points, (n, A)."""
    if len(step) == 1:
        return np.concatenate([secant, secant])
    before, after = secant[:-1], secant[1:]
    w_before, w_after = 2.0 * step[1:] + step[:-1], step[1:] + 2.0 * step[:-1]
    turns = (np.sign(before) != np.sign(after)) | (before == 0.0) | (after == 0.0)
    safe_before, safe_after = np.where(turns, 1.0, before), np.where(turns, 1.0, after)
    inner = np.where(turns, 0.0, 1.0 / ((w_before / safe_before + w_after / safe_after) / (w_before + w_after)))
    return np.concatenate([_end(step[:2], secant[:2]), inner, _end(step[:-3:-1], secant[:-3:-1])])


def _end(step: Floats, secant: Floats) -> Floats:
    """The slope at an end from its two nearest pieces, nearest first, (1, A)."""
    d = ((2.0 * step[:1] + step[1:]) * secant[:1] - step[:1] * secant[1:]) / (step[:1] + step[1:])
    d = np.where(np.sign(d) != np.sign(secant[:1]), 0.0, d)
    steep = (np.sign(secant[:1]) != np.sign(secant[1:])) & (np.abs(d) > 3.0 * np.abs(secant[:1]))
    return np.asarray(np.where(steep, 3.0 * secant[:1], d))
