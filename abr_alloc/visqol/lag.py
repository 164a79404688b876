"""By how many samples one sound lies behind another: the peak of the cross-correlation of their envelopes.

Axes: S signals, T samples.

As ViSQOL does it (Hines et al. 2015, global and fine alignment): the upper envelope is |x - m + i H(x - m)| + m with m
the mean and H the Hilbert transform over the whole signal; the lag is the one of the largest cross-correlation of all.
A positive lag means that the second signal is early. H(x) of a real signal is real: two real FFTs make an envelope.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Envelopes", "envelopes", "fft_length", "find_lags", "hilbert", "is_trusted"]

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_SINGLE_PRECISION = 1e-5  # error of a correlation by single-precision FFTs, of |x| |y|: a hundred roundings, ample
_FEW = 64  # lags of which each is worked out by itself; more come where a sound is steady


def fft_length(least: int) -> int:
    """The smallest 2^a 3^b 5^c that is not below `least`: lengths at which an FFT is quick."""
    best = 1 << max(least - 1, 0).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            odd = three << max((-(-least // three) - 1).bit_length(), 0)
            best = min(best, odd)
            three *= 3
        five *= 5
    return best


def hilbert(signals: Array) -> Array:
    """Hilbert transforms of signals without their means, (S, T) -> (S, T). It is linear in the signals."""
    half = np.fft.rfft(signals - signals.mean(axis=1, keepdims=True))
    half *= -1j
    half[:, 0] = 0
    if signals.shape[1] % 2 == 0:
        half[:, -1] = 0
    return np.asarray(np.fft.irfft(half, signals.shape[1]))


@dataclass(frozen=True, slots=True)
class Envelopes:
    """Upper envelopes of signals, ready to be correlated with others'."""

    values: Array
    """Shape (S, T)."""
    spectra: npt.NDArray[np.complex64]
    """Shape (S, K)."""


def envelopes(signals: Array, longest: int, turned: Array | None = None) -> Envelopes:
    """Take the envelopes of signals.

    Args:
        signals: shape (S, T).
        longest: samples of the longest signal that takes part, these or their partners.
        turned: their `hilbert`, where it is at hand.
    """
    means = signals.mean(axis=1, keepdims=True)
    values = signals - means
    np.square(values, out=values)
    values += np.square(hilbert(signals) if turned is None else turned)
    np.sqrt(values, out=values)
    values += means
    spectra = np.fft.rfft(values.astype(np.float32), fft_length(2 * longest - 1))
    return Envelopes(values, spectra.astype(np.complex64, copy=False))  # NumPy 1 takes no single-precision FFTs


def find_lags(reference: Envelopes, degraded: Envelopes, longest: int) -> Indices:
    """Samples by which each signal lies behind its partner; of equal peaks the most negative counts.

    The correlation is taken in single precision first; of the lags that this cannot tell from the best, the scalar
    products in double precision decide.

    Args:
        reference: S signals.
        degraded: their partners.
        longest: as given to both.

    Returns:
        Shape (S,).
    """
    length, largest = fft_length(2 * longest - 1), longest - 1
    circular = np.fft.irfft(reference.spectra * degraded.spectra.conj(), length)  # (S, L)
    correlation = np.concatenate([circular[:, length - largest :], circular[:, : largest + 1]], axis=1)
    lags = np.empty(len(correlation), dtype=np.int64)
    for s, (row, ours, theirs) in enumerate(zip(correlation, reference.values, degraded.values, strict=True)):
        doubt = _SINGLE_PRECISION * float(np.linalg.norm(ours) * np.linalg.norm(theirs))
        near = np.flatnonzero(row >= row.max() - doubt) - largest
        if len(near) > _FEW:
            near = _all_in_double(ours, theirs, longest)
        if len(near) > 1:
            near = near[[int(np.argmax([_product(ours, theirs, lag) for lag in near.tolist()]))]]
        lags[s] = near[0]
    return lags


def _product(reference: Array, degraded: Array, lag: int) -> float:
    """The cross-correlation at one lag."""
    first, stop = max(0, -lag), min(len(degraded), len(reference) - lag)
    return float(reference[first + lag : stop + lag] @ degraded[first:stop])


def _all_in_double(reference: Array, degraded: Array, longest: int) -> Indices:
    """The lag of the largest cross-correlation of all, (1,)."""
    length, largest = fft_length(2 * longest - 1), longest - 1
    circular = np.fft.irfft(np.fft.rfft(reference, length) * np.fft.rfft(degraded, length).conj(), length)
    return np.array([np.concatenate([circular[length - largest :], circular[: largest + 1]]).argmax() - largest])


def is_trusted(lag: int, reference_samples: int) -> bool:
    """Whether a signal is moved by its lag: one of more than half the reference is taken for a mistake."""
    return lag != 0 and abs(lag) <= reference_samples / 2
