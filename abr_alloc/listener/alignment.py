"""Where in its source a rendition begins: the peak of the cross-correlation of the two.

Axes: T samples.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from abr_alloc.visqol.gammatone import SAMPLE_RATE_HZ
from abr_alloc.visqol.lag import fft_length

__all__ = ["AlignmentReference"]

Array = npt.NDArray[np.floating]

_LEAST_OVERLAP_S = 1.0
_LEAST_ALIKE = 0.5  # correlation of what overlaps: another content has far less
_LEAST_SHARE = 0.1  # of the energies of both as a whole
_AS_GOOD = 0.98  # of the best: a tone has a peak in every period, and the one at no lag is taken


class AlignmentReference:
    """The source's side: its mono mix, or its side signal where that is louder."""

    def __init__(self, pcm: Array) -> None:
        """Take the source's samples, (T, 2)."""
        mid, side = _views(pcm)
        self._is_side = float(side @ side) > float(mid @ mid)
        self._samples = side if self._is_side else mid
        self._energy = np.concatenate([[0.0], np.cumsum(np.square(self._samples, dtype=np.float64))])
        self._length = fft_length(2 * len(self._samples))
        self._spectrum: npt.NDArray[np.complexfloating] | None = None

    def lag(self, pcm: Array) -> int:
        """Samples by which a rendition of as many samples, (T, 2), lies behind the source; 0 where nothing says so.

        Sounds upside down are found too.
        """
        samples = _views(pcm)[1 if self._is_side else 0]
        total = math.sqrt(float(self._energy[-1]) * float(np.square(samples, dtype=np.float64).sum()))
        if total == 0.0:
            return 0
        if self._spectrum is None:
            self._spectrum = np.fft.rfft(self._samples, self._length)
        alike = np.abs(np.fft.irfft(np.fft.rfft(samples, self._length) * self._spectrum.conj(), self._length)) / total
        count = len(self._samples)
        most = count - min(count, round(_LEAST_OVERLAP_S * SAMPLE_RATE_HZ))
        lags = np.concatenate([np.arange(most + 1), np.arange(-most, 0)])
        alike = alike[lags]
        best = int(alike.argmax())
        if alike[0] >= _AS_GOOD * alike[best] or alike[best] < _LEAST_SHARE:
            return 0
        lag = int(lags[best])
        ours = self._energy[min(count, count - lag)] - self._energy[max(0, -lag)]
        theirs = float(np.square(samples[max(0, lag) : min(count, count + lag)], dtype=np.float64).sum())
        overlap = math.sqrt(max(ours * theirs, 1e-300))
        return lag if alike[best] * total >= _LEAST_ALIKE * overlap else 0


def _views(pcm: Array) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    left, right = pcm[:, 0].astype(np.float32), pcm[:, 1].astype(np.float32)
    half = np.float32(0.5)
    return np.asarray((left + right) * half), np.asarray((left - right) * half)
