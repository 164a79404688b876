"""By how many samples one sound lies behind another: the peak of the cross-correlation of their envelopes.

Axes: S signals, T samples.

As ViSQOL does it (Hines et al. 2015, global and fine alignment): the upper envelope is |x - m + i H(x - m)| + m with m
the mean and H the Hilbert transform over the whole signal; the lag is the one of the largest cross-correlation of all.
A positive lag means that the second signal is early. H(x) of a real signal is real: two real FFTs make an envelope.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["envelope_spectra", "fft_length", "find_lags", "is_trusted"]

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


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


def _envelopes(signals: Array) -> Array:
    """Upper envelopes, (S, T)."""
    means = signals.mean(axis=1, keepdims=True)
    centered = signals - means
    half = np.fft.rfft(centered)
    half *= -1j
    half[:, 0] = 0
    if signals.shape[1] % 2 == 0:
        half[:, -1] = 0
    turned = np.fft.irfft(half, signals.shape[1])
    envelopes = np.sqrt(centered * centered + turned * turned)
    envelopes += means
    return np.asarray(envelopes)


def envelope_spectra(signals: Array, longest: int) -> npt.NDArray[np.complex128]:
    """Spectra of signals' envelopes, ready to be correlated with those of others.

    Args:
        signals: shape (S, T).
        longest: samples of the longest signal that takes part, these or their partners.

    Returns:
        Shape (S, K).
    """
    return np.fft.rfft(_envelopes(signals), fft_length(2 * longest - 1))


def find_lags(spectra: npt.NDArray[np.complex128], later: npt.NDArray[np.complex128], longest: int) -> Indices:
    """Samples by which each signal lies behind its partner; of equal peaks the most negative counts.

    Args:
        spectra: of `envelope_spectra`, shape (S, K).
        later: the partners', (S, K).
        longest: as given to both.

    Returns:
        Shape (S,).
    """
    length = fft_length(2 * longest - 1)
    correlation = np.fft.irfft(later.conj() * spectra, length)
    largest = longest - 1
    negative, positive = correlation[:, length - largest :], correlation[:, : largest + 1]
    at_negative, at_positive = negative.argmax(axis=1), positive.argmax(axis=1)
    rows = np.arange(len(correlation))
    behind = negative[rows, at_negative] >= positive[rows, at_positive]
    return np.where(behind, at_negative - largest, at_positive).astype(np.int64)


def is_trusted(lag: int, reference_samples: int) -> bool:
    """Whether a signal is moved by its lag: one of more than half the reference is taken for a mistake."""
    return lag != 0 and abs(lag) <= reference_samples / 2
