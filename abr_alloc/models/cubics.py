"""Shape-preserving piecewise cubics (PCHIP; Fritsch and Carlson, SIAM J. Numer. Anal. 17, 1980) by their coefficients.

Slopes at inner points are the weighted harmonic mean of the neighbouring secants, 0 where those differ in sign; at the
ends the three-point formula of Moler (Numerical Computing with MATLAB, 3.6), limited so that no extremum arises. The
same curve as SciPy's `PchipInterpolator`. SciPy would be a fifth of all that is installed, and take longer to import
than a ladder to design.

Axes: n points of one curve, C curves one after the other, N points of all, R places, A values over the same points.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["integral", "piece_of", "pieces", "slopes"]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


def piece_of(x: Floats, at: Floats) -> npt.NDArray[np.intp]:
    """Between which points a place lies: the index of the left one, (R,)."""
    return np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)


def pieces(x: Floats, y: Floats) -> Floats:
    """The cubics' coefficients in the distance from their left point, highest power first. Shape (4, n - 1, A)."""
    step = np.diff(x)[:, None]  # (n - 1, 1)
    secant = np.diff(y, axis=0) / step  # (n - 1, A)
    slope = slopes(step, secant, np.array([0, len(x)], dtype=np.intp))
    d0, d1 = slope[:-1], slope[1:]
    bend = (d0 + d1 - 2.0 * secant) / step
    return np.stack([bend / step, (secant - d0) / step - bend, d0, y[:-1]])


def integral(x: Floats, y: Floats, low: float, high: float) -> Floats:
    """Areas under the curves from low to high, both within the points. Shape (A,)."""
    c3, c2, c1, c0 = pieces(x, y)

    def area(end: float) -> Floats:
        past = np.clip(end - x[:-1], 0.0, np.diff(x))[:, None]
        return np.asarray(((((c3 / 4.0 * past + c2 / 3.0) * past + c1 / 2.0) * past + c0) * past).sum(axis=0))

    return area(high) - area(low)


def slopes(step: Floats, secant: Floats, first: Indices) -> Floats:
    """Derivatives at the points of curves, (N, A).

    Args:
        step: lengths of the pieces, and anything above 0 between two curves, (N - 1, 1).
        secant: secants of the pieces, (N - 1, A).
        first: first point of every curve, and one past the last, (C + 1,).
    """
    slope = np.empty((first[-1], secant.shape[1]))
    before, after = secant[:-1], secant[1:]
    w_before, w_after = 2.0 * step[1:] + step[:-1], step[1:] + 2.0 * step[:-1]
    turns = (np.sign(before) != np.sign(after)) | (before == 0.0) | (after == 0.0)
    safe_before, safe_after = np.where(turns, 1.0, before), np.where(turns, 1.0, after)
    slope[1:-1] = np.where(turns, 0.0, 1.0 / ((w_before / safe_before + w_after / safe_after) / (w_before + w_after)))
    left, right = first[:-1], first[1:] - 1
    straight = right - left == 1
    slope[left[straight]] = slope[right[straight]] = secant[left[straight]]
    left, right = left[~straight], right[~straight]
    slope[left] = _end(step[left], step[left + 1], secant[left], secant[left + 1])
    slope[right] = _end(step[right - 1], step[right - 2], secant[right - 1], secant[right - 2])
    return slope


def _end(near: Floats, far: Floats, near_secant: Floats, far_secant: Floats) -> Floats:
    """Slopes at ends from their two nearest pieces, (ends, A)."""
    d = ((2.0 * near + far) * near_secant - near * far_secant) / (near + far)
    d = np.where(np.sign(d) != np.sign(near_secant), 0.0, d)
    steep = (np.sign(near_secant) != np.sign(far_secant)) & (np.abs(d) > 3.0 * np.abs(near_secant))
    return np.asarray(np.where(steep, 3.0 * near_secant, d))
