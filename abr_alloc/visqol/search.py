"""A patch of the source beside every place of a rendition.

Axes: P patches, F frames of a patch, B bands, T frames of a rendition, W places.

Of NSIM (see `visqol.nsim`) all that concerns one side alone is worked out once: for the patch, and for each frame of
the rendition as the first, an inner or the last one of a patch, whose edges repeat. What is left is the covariance, P x
W x F x B cells of it. The loop over them is compiled by numba; frames lie flat, so that a processor takes several cells
at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from abr_alloc.visqol.nsim import C1, C3, CENTER, CORNER, EDGE, columns, signed_root, smooth, with_edge_bands

__all__ = ["search"]

Array = npt.NDArray[np.float64]
_Function = TypeVar("_Function", bound=Callable[..., Any])


def _smooth_as_first_inner_last(cells: Array) -> Array:
    """The window over a spectrogram (T, B), for a frame that is the first, an inner, the last of a patch: (3, T, B)."""
    middle, side = columns(cells)
    before, after = np.roll(side, 1, axis=0), np.roll(side, -1, axis=0)  # what wraps round is no frame's neighbour
    return np.stack([middle + side + after, middle + before + after, middle + before + side])


def search(patches: Array, degraded: Array, first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]) -> Array:
    """Similarity of every patch with the places of a rendition at which it may lie.

    Args:
        patches: the reference's, shape (P, F, B).
        degraded: the rendition's spectrogram, shape (T, B); a patch that reaches past its end meets zeros.
        first: first place of each patch, a frame, shape (P,).
        last: last place, below T, shape (P,).

    Returns:
        Shape (P, W), W the most places of a patch; column i is place first + i, and zero past the last.
    """
    num_patches, num_frames, num_bands = patches.shape
    mu_r = smooth(patches)
    root_r = signed_root(smooth(patches * patches) - mu_r * mu_r)
    degraded = np.concatenate([degraded, np.zeros((num_frames, num_bands))])
    mu_d = _smooth_as_first_inner_last(degraded)
    root_d = signed_root(_smooth_as_first_inner_last(degraded * degraded) - mu_d * mu_d)
    square_r = with_edge_bands(mu_r * mu_r + C1)
    square_r[..., [0, -1]] = np.inf  # what is no band adds nothing
    result = np.zeros((num_patches, int((last - first).max()) + 1))
    flat_r, flat_mu_r, flat_root_r = (
        with_edge_bands(part).reshape(num_patches, -1) for part in (patches, mu_r, root_r)
    )
    flat_mu_d, flat_root_d, flat_square_d = (
        with_edge_bands(part).reshape(3, -1) for part in (mu_d, root_d, mu_d * mu_d)
    )
    _search(
        flat_r,
        with_edge_bands(degraded).reshape(-1),
        flat_mu_r,
        flat_root_r,
        square_r.reshape(num_patches, -1),
        flat_mu_d,
        flat_root_d,
        flat_square_d,
        first,
        last,
        num_bands + 2,
        num_bands,
        result,
    )
    return result


def _compiled(function: _Function) -> _Function:
    """Compile a function when it is first called, and keep that on disk for the next process where that can be.

    Sums may be taken in any order and products added without rounding between: what order is settled at compilation.
    """
    settings: dict[str, Any] = {"fastmath": {"contract", "reassoc"}, "error_model": "numpy"}
    try:
        return cast(_Function, njit(cache=True, **settings)(function))
    except RuntimeError:  # neither the package's folder nor the user's cache can be written: a second per process
        return cast(_Function, njit(**settings)(function))


@_compiled
def _columns_of_product(r: Array, d: Array, middle: Array, side: Array) -> None:
    """`columns` of r x d, all flat; where a row of bands ends, what comes out is not used."""
    for i in range(1, len(r) - 1):
        neighbours = r[i - 1] * d[i - 1] + r[i + 1] * d[i + 1]
        own = r[i] * d[i]
        middle[i] = CENTER * own + EDGE * neighbours
        side[i] = EDGE * own + CORNER * neighbours


@_compiled
def _sum_of_cells(
    middle: Array,
    before: Array,
    after: Array,
    mu_r: Array,
    root_r: Array,
    square_r: Array,
    mu_d: Array,
    root_d: Array,
    square_d: Array,
) -> float:
    """Sum of NSIM over cells, all flat."""
    total = 0.0
    for i in range(len(middle)):
        product = mu_r[i] * mu_d[i]
        covariance = middle[i] + before[i] + after[i] - product
        deviations = max(root_r[i] * root_d[i], 0.0)
        total += ((2 * product + C1) * (covariance + C3)) / ((square_r[i] + square_d[i]) * (deviations + C3))
    return total


@_compiled
def _search(
    patches: Array,
    degraded: Array,
    mu_r: Array,
    root_r: Array,
    square_r: Array,
    mu_d: Array,
    root_d: Array,
    square_d: Array,
    first: npt.NDArray[np.int64],
    last: npt.NDArray[np.int64],
    width: int,
    num_bands: int,
    result: Array,
) -> None:
    """Fill `result`. Frames lie flat, one after the other, each `width` wide."""
    num_patches, size = patches.shape
    middle, side = np.zeros(size), np.zeros(size)
    ends = ((0, width), (width, size - width), (size - width, size))  # the first, the inner, the last frames
    for p in range(num_patches):
        for place in range(first[p], last[p] + 1):
            start = place * width
            _columns_of_product(patches[p], degraded[start : start + size], middle, side)
            total = 0.0
            for kind in range(3):
                a, b = ends[kind]
                before = side[: b - a] if kind == 0 else side[a - width : b - width]
                after = side[size - width :] if kind == 2 else side[a + width : b + width]
                c, d = start + a, start + b
                total += _sum_of_cells(
                    *(middle[a:b], before, after, mu_r[p, a:b], root_r[p, a:b], square_r[p, a:b]),
                    *(mu_d[kind, c:d], root_d[kind, c:d], square_d[kind, c:d]),
                )
            result[p, place - first[p]] = total / (size // width * num_bands)
