"""Shape-preserving piecewise cubics (PCHIP; Fritsch and Carlson, SIAM J. Numer. Anal. 17, 1980).

Slopes at inner points are the weighted harmonic mean of the neighbouring secants, 0 where those differ in sign; at the
ends the three-point formula of Moler (Numerical Computing with MATLAB, 3.6), limited so that no extremum arises. The
same curve as SciPy's `PchipInterpolator`, whose import takes longer than designing a ladder.

Many curves stand one after the other, and each place belongs to a piece of one of them.

Axes: C curves, n points of one curve, N points of all, R places, A values over the same points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Places", "pchip", "pchips", "places_on"]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Places:
    """Where places lie on curves."""

    piece: Indices
    """The point that the piece of each place begins at, among those of all curves, (R,)."""
    past: Floats
    """How far behind that point it lies, (R,)."""


def places_on(x: Floats, first: Indices, at: Floats, first_at: Indices) -> Places:
    """The pieces of places on curves.

    Args:
        x: points of all curves, rising within each, (N,).
        first: first point of every curve, and one past the last, (C + 1,); a curve has two points or more.
        at: places on all curves, (R,).
        first_at: first place on every curve, and one past the last, (C + 1,).
    """
    points, places = first.tolist(), first_at.tolist()
    pieces = [
        x[start + 1 : stop - 1].searchsorted(at[here:there], side="right") + start
        for start, stop, here, there in zip(points, points[1:], places, places[1:], strict=False)
    ]
    piece = np.concatenate([np.empty(0, dtype=np.intp), *pieces])
    return Places(piece, at - x[piece])


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
    first = np.array([0, len(x)], dtype=np.intp)
    value = pchips(x, y, first, places_on(x, first, at, np.array([0, len(at)], dtype=np.intp)))
    outside = (at < x[0]) | (at > x[-1]) | np.isnan(at)
    return np.where(outside[:, None], np.nan, value)


def pchips(x: Floats, y: Floats, first: Indices, places: Places) -> Floats:
    """Values of many curves between their points, (R, A).

    Args:
        x: points of all curves, (N,).
        y: values there, (N, A).
        first: first point of every curve, and one past the last, (C + 1,).
        places: places within the points of their curves.
    """
    ends = first[1:-1] - 1  # what lies between two curves is no piece
    step = np.diff(x)
    step[ends] = 1.0
    secant = np.diff(y, axis=0) / step[:, None]  # (N - 1, A)
    slope = _slopes(step[:, None], secant, first)
    h, s, past = step[places.piece][:, None], secant[places.piece], places.past[:, None]
    d0, d1 = slope[places.piece], slope[places.piece + 1]
    bend = (d0 + d1 - 2.0 * s) / h
    return np.asarray(((bend / h * past + (s - d0) / h - bend) * past + d0) * past + y[places.piece])


def _slopes(step: Floats, secant: Floats, first: Indices) -> Floats:
    """Derivatives at the points of curves, (N, A), from the lengths (N - 1, 1) and secants (N - 1, A) of pieces."""
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
