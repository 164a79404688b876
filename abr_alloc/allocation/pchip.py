"""Shape-preserving piecewise cubics (PCHIP; Fritsch and Carlson, SIAM J. Numer. Anal. 17, 1980).

Their slopes are those of `models.cubics`; here are values of many curves at once, without coefficients of each piece.

Many curves stand one after the other, and each place belongs to a piece of one of them.

Axes: C curves, n points of one curve, N points of all, R places, A values over the same points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.models.cubics import slopes

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
    slope = slopes(step[:, None], secant, first)
    h, s, past = step[places.piece][:, None], secant[places.piece], places.past[:, None]
    d0, d1 = slope[places.piece], slope[places.piece + 1]
    bend = (d0 + d1 - 2.0 * s) / h
    return np.asarray(((bend / h * past + (s - d0) / h - bend) * past + d0) * past + y[places.piece])
