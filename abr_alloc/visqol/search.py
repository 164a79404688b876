"""A patch of the source beside every place of a rendition.

Axes: P patches, F frames of a patch, B bands, T frames of a rendition, W places; N = 9 cells of the window, C columns:
the frames of a rendition that some places reach.

A cell of NSIM (see `visqol.nsim`) is a quotient of two sums of products, of which one factor concerns a cell of the
patch alone and the other a cell of the rendition:

    2 mu_r mu_d + C1,    sum_n w_n (r_n - mu_r) d_n + C3    and    (mu_r^2 + mu_d^2 + C1)(sigma_r sigma_d + C3).

The second is the covariance, because the weights w sum to one. So every frame of every patch meets every frame of the
rendition in three matrix products per band, and what a patch has at a place lies on a diagonal. The first and the last
frame of a patch repeat their edge: there the missing neighbour's weight goes to the frame itself, and the rendition's
mean and deviation are those of such a frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.visqol.nsim import C1, C3, CENTER, CORNER, EDGE, columns, smooth, with_edge_bands

__all__ = ["search"]

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_SIDE, _MIDDLE = (CORNER, EDGE, CORNER), (EDGE, CENTER, EDGE)  # columns of the window: weights of three bands
_PATCHES, _PLACES = 8, 256  # at a time: three arrays of half a MiB each, which stay in a processor's cache
_DECIMALS = 12
"""Places that are alike are equal: the last bits of a matrix product depend on where in the matrix a number stands."""


@dataclass(frozen=True, slots=True)
class _Factors:
    """One side's factors of the three sums of products."""

    mean: Array
    covariance: Array
    spread: Array


def search(patches: Array, degraded: Array, first: Indices, last: Indices) -> Array:
    """Similarity of every patch with the places of a rendition at which it may lie.

    Args:
        patches: the reference's, shape (P, F, B).
        degraded: the rendition's spectrogram, shape (T, B); a patch that reaches past its end meets zeros.
        first: first place of each patch, a frame, rising, shape (P,).
        last: last place, below T, rising, shape (P,).

    Returns:
        Shape (P, W), W the most places of a patch; column i is place first + i, and zero past the last.
    """
    num_patches, num_frames, num_bands = patches.shape
    ours = _of_patches(patches)
    theirs = _of_rendition(np.concatenate([degraded, np.zeros((num_frames, num_bands))]))
    result = np.zeros((num_patches, int((last - first).max()) + 1))
    for p in range(0, num_patches, _PATCHES):
        some = slice(p, p + _PATCHES)
        stop = int(last[some].max()) + 1
        for place in range(int(first[p]), stop, _PLACES):
            alike = _compare(ours, theirs, some, place, min(_PLACES, stop - place))
            for i, row in enumerate(alike, start=p):
                begin, end = max(place, int(first[i])), min(place + len(row), int(last[i]) + 1)
                result[i, begin - first[i] : max(end, begin) - first[i]] = row[begin - place : max(end, begin) - place]
    return (result / (num_frames * num_bands)).round(_DECIMALS)


def _deviation(variance: Array) -> Array:
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))  # rounding can make it negative


def _of_patches(patches: Array) -> _Factors:
    """Factors by band and frame: (B, F, P, 2), (B, F, P, N + 1), (B, F, P, 4)."""
    mu = smooth(patches)
    sigma = _deviation(smooth(patches * patches) - mu * mu)
    mu, sigma = mu.transpose(2, 1, 0), sigma.transpose(2, 1, 0)
    cells = with_edge_bands(patches).transpose(2, 1, 0)  # (B + 2, F, P)
    covariance = np.zeros((*mu.shape, 10))
    for band in range(3):
        r = cells[band : band + len(mu)]
        before, own, after = (covariance[..., 3 * band + frame] for frame in range(3))
        before[:, 1:] = _SIDE[band] * (r[:, :-1] - mu[:, 1:])
        own[:] = _MIDDLE[band] * (r - mu)
        own[:, [0, -1]] += _SIDE[band] * (r - mu)[:, [0, -1]]
        after[:, :-1] = _SIDE[band] * (r[:, 1:] - mu[:, :-1])
    covariance[..., 9] = C3
    square = mu * mu + C1
    return _Factors(
        mean=np.stack([2.0 * mu, np.full_like(mu, C1)], axis=-1),
        covariance=covariance,
        spread=np.stack([square * sigma, sigma, C3 * square, np.full_like(mu, C3)], axis=-1),
    )


def _of_rendition(cells: Array) -> _Factors:
    """Factors for a first, an inner, a last frame of a patch: (3, B, 2, T), (B, N + 1, T), (3, B, 4, T)."""
    mu = _as_first_inner_last(cells)
    sigma = _deviation(_as_first_inner_last(cells * cells) - mu * mu)
    mu, sigma = mu.transpose(0, 2, 1), sigma.transpose(0, 2, 1)
    num_frames, num_bands = cells.shape
    padded = np.pad(with_edge_bands(cells).T, ((0, 0), (1, 1)))  # what lies outside has weight 0
    covariance = np.ones((num_bands, 10, num_frames))
    for band in range(3):
        for frame in range(3):
            covariance[:, 3 * band + frame] = padded[band : band + num_bands, frame : frame + num_frames]
    one, square = np.ones_like(mu), mu * mu
    return _Factors(
        mean=np.stack([mu, one], axis=2),
        covariance=covariance,
        spread=np.stack([sigma, square * sigma, one, square], axis=2),
    )


def _as_first_inner_last(cells: Array) -> Array:
    """The window over a spectrogram (T, B), for a frame that is the first, an inner, the last of a patch: (3, T, B)."""
    middle, side = columns(cells)
    before, after = np.roll(side, 1, axis=0), np.roll(side, -1, axis=0)  # what wraps round is no frame's neighbour
    return np.stack([middle + side + after, middle + before + after, middle + before + side])


def _compare(ours: _Factors, theirs: _Factors, patches: slice, place: int, num_places: int) -> Array:
    """Sums of NSIM over the cells of some patches at some places, (patches, places)."""
    num_bands, num_frames, num_patches, _ = ours.mean[:, :, patches].shape
    num_columns = num_places + num_frames - 1
    reached = slice(place, place + num_columns)
    nsim, mean, spread = np.empty((3, num_frames, num_patches, num_columns))
    frame_step, patch_step, step = nsim.strides
    at_places = np.lib.stride_tricks.as_strided(  # [f, p, w] is nsim[f, p, w + f]
        nsim, (num_frames, num_patches, num_places), (frame_step + step, patch_step, step), writeable=False
    )
    total = np.zeros((num_patches, num_places))
    for band in range(num_bands):
        _multiply(ours.covariance[band, :, patches], theirs.covariance[band, :, reached], nsim)
        for left, right, out in ((ours.mean, theirs.mean, mean), (ours.spread, theirs.spread, spread)):
            for kind, frames in enumerate((slice(0, 1), slice(1, -1), slice(-1, None))):
                _multiply(left[band, frames, patches], right[kind, band, :, reached], out[frames])
        nsim *= mean
        nsim /= spread
        total += at_places.sum(axis=0)
    return total


def _multiply(left: Array, right: Array, out: Array) -> None:
    """(F, P, K) x (K, C) -> (F, P, C), in one product."""
    np.matmul(left.reshape(-1, left.shape[-1]), right, out=out.reshape(-1, out.shape[-1]))
