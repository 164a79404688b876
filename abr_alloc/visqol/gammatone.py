"""How loud a sound is in each band of hearing, frame by frame, without running the filters sample by sample.

Axes: F frames, N = 3840 samples of a frame (80 ms, a new one every 960), B = 32 bands from low to high, K bins of a
spectrum of L points.

ViSQOL's level of a frame in a band is the root mean square of y = h * (w x): the frame x, windowed (Hann, w) and put
through a gammatone filter h that starts at rest, read over the frame's own N samples. What a filter rings on afterwards
does not count. So

    sum_{n<N} y[n]^2  =  sum_n y[n]^2  -  sum_{n>=N} y[n]^2.

The first sum is Parseval's, of the windowed frame's spectrum X and the filter's response H: sum_k |X_k|^2 |H_k|^2 / L.
The second is exact too. A filter has four equal pairs of poles, so its impulse response is

    h(n) = Re sum_{k<4} a_k (beta n)^k e^((-beta + i theta) n),

and what it rings on with is such a sum again: by the binomial theorem for (n + m)^k, one of eight real numbers that are
linear in the samples, C (w x). With R' R the scalar products of the eight functions, the energy still to come is
|R C (w x)|^2, a matrix product over the last samples that matter. The whole bank agrees with filtering sample by sample
to 1e-6 dB, and has no loop over samples.

Filters: Slaney, "An efficient implementation of the Patterson-Holdsworth auditory filter bank", Apple TR 35 (1993):
four sections, each with a zero of its own, equal poles, on the ERB scale of Glasberg and Moore (1990).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["FRAME_SAMPLES", "HOP_SAMPLES", "NUM_BANDS", "SAMPLE_RATE_HZ", "center_hz", "signal_levels", "stereo_levels"]

SAMPLE_RATE_HZ = 48_000
NUM_BANDS = 32
FRAME_SAMPLES = 3840
HOP_SAMPLES = 960

Array = npt.NDArray[np.float64]

_EAR_Q = 9.26449  # Glasberg and Moore (1990)
_MIN_BANDWIDTH_HZ = 24.7
_LOWEST_HZ = 50.0
_FFT_SAMPLES = 8192  # what the lowest band rings on after that lies 80 dB down
_BLOCK_FRAMES = 64  # bounds memory: 64 frames and their spectra are 7 MiB
_NEGLIGIBLE = 1e-9  # of a filter's state, relative
_BANDS_PER_PRODUCT = 4


def center_hz() -> Array:
    """Centre frequencies of the bands, rising, Hz. Shape (B,). Even steps on the ERB scale; the last is the lowest."""
    corner = _EAR_Q * _MIN_BANDWIDTH_HZ
    top = SAMPLE_RATE_HZ / 2 + corner
    step = np.log((_LOWEST_HZ + corner) / top) / NUM_BANDS
    return (np.exp(np.arange(NUM_BANDS, 0, -1) * step) * top - corner).astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Sections:
    """The four sections of every band: (t + zero z^-1) / (1 + pole1 z^-1 + pole2 z^-2), over the gain."""

    t: float
    """Length of a sample, s."""
    angle: Array
    """Of the poles, theta, rad per sample. Shape (B,), as all but the zeros."""
    decay: Array
    """Radius of the poles, e^-beta."""
    zeros: Array
    """Shape (4, B)."""
    pole1: Array
    pole2: Array
    gain: Array
    """Of the cascade at the centre frequency."""


@functools.lru_cache(maxsize=1)
def _sections() -> _Sections:
    hz = center_hz()
    t = 1.0 / SAMPLE_RATE_HZ
    angle = 2 * np.pi * hz * t
    decay = np.exp(-1.019 * 2 * np.pi * (hz / _EAR_Q + _MIN_BANDWIDTH_HZ) * t)
    far, near = np.sqrt(3 + 2**1.5), np.sqrt(3 - 2**1.5)
    zeros = np.stack([-t * decay * (np.cos(angle) + sign * np.sin(angle)) for sign in (far, -far, near, -near)])
    pole1, pole2 = -2 * decay * np.cos(angle), decay**2
    z = np.exp(-1j * angle)
    gain = np.abs(np.prod(t + zeros * z, axis=0) / (1 + pole1 * z + pole2 * z * z) ** 4)
    return _Sections(t, angle, decay, zeros, pole1, pole2, gain)


def _responses() -> npt.NDArray[np.complex128]:
    """H at the bins of a spectrum of `_FFT_SAMPLES`. Shape (K, B)."""
    sections = _sections()
    z = np.exp(-2j * np.pi * np.arange(_FFT_SAMPLES // 2 + 1) / _FFT_SAMPLES)[:, None]  # (K, 1)
    response = np.ones((len(z), NUM_BANDS), dtype=np.complex128)
    for zero in sections.zeros:
        response *= (sections.t + zero * z) / (1 + sections.pole1 * z + sections.pole2 * z * z)
    return response / sections.gain


def _modes(band: int, n: Array) -> Array:
    """(beta n)^k e^(-beta n) times cos and sin of (theta n), k = 0 to 3, the order k first. Shape (8, len(n))."""
    sections = _sections()
    beta, theta = -np.log(sections.decay[band]), sections.angle[band]
    powers = (beta * n) ** np.arange(4)[:, None] * np.exp(-beta * n)  # (4, n)
    return np.stack([powers * np.cos(theta * n), powers * np.sin(theta * n)], axis=1).reshape(8, -1)


def _ringing_of(band: int, impulse_response: Array) -> Array:
    """R C of one band: (8, N), for the frame's samples from first to last."""
    tau = -1 / np.log(_sections().decay[band])
    n = np.arange(min(int(25 * tau) + 8, len(impulse_response)), dtype=np.float64)
    parts = np.linalg.lstsq(_modes(band, n).T, impulse_response[: len(n)], rcond=None)[0].reshape(4, 2)
    a = parts[:, 0] - 1j * parts[:, 1]  # h(n) = Re sum_k a_k (beta n)^k e^((-beta + i theta) n)
    modes = _modes(band, np.arange(1.0, FRAME_SAMPLES + 1)).reshape(4, 2, -1)
    past = modes[:, 0] + 1j * modes[:, 1]  # (4, N), by the age of a sample at the frame's end
    coefficients = [sum(math.comb(k, i) * a[k] * past[k - i] for k in range(i, 4)) for i in range(4)]
    rows = np.stack([[part.real, -part.imag] for part in coefficients]).reshape(8, -1)
    later = np.linalg.qr(_modes(band, np.arange(int(40 * tau) + 8, dtype=np.float64)).T, mode="r")
    return np.asarray((later @ rows)[:, ::-1])


def _ringing() -> tuple[tuple[int, Array], ...]:
    """R C of groups of bands, for the last samples that matter: how many, and (samples, bands of the group x 8)."""
    impulses = np.fft.irfft(_responses(), axis=0)  # (L, B)
    left = np.stack([_ringing_of(band, impulses[:, band]) for band in range(NUM_BANDS)])  # (B, 8, N)
    share = np.abs(left).max(axis=1)  # (B, N)
    used = FRAME_SAMPLES - np.argmax(share > _NEGLIGIBLE * share.max(axis=1, keepdims=True), axis=1)
    groups = []
    for first in range(0, NUM_BANDS, _BANDS_PER_PRODUCT):
        length = int(used[first : first + _BANDS_PER_PRODUCT].max())
        part = left[first : first + _BANDS_PER_PRODUCT, :, -length:]
        groups.append((length, np.ascontiguousarray(part.reshape(-1, length).T)))
    return tuple(groups)


@functools.lru_cache(maxsize=1)
def _bank() -> tuple[Array, Array, tuple[tuple[int, Array], ...]]:
    """The window, the power responses and the ringing, built once per process."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_SAMPLES) / (FRAME_SAMPLES - 1))
    power = np.abs(_responses()) ** 2 / _FFT_SAMPLES  # (K, B)
    power[1:-1] *= 2  # a bin between the ends stands for its mirror image too
    return window, power, _ringing()


@dataclass(frozen=True, slots=True)
class _Analysis:
    """What is linear in frames: (a + b) / 2 is the analysis of the mean of two signals' frames."""

    spectrum: npt.NDArray[np.complex128]
    """X, shape (F, K)."""
    later: Array
    """R C (w x) of all bands, shape (F, 8 B)."""

    def levels(self) -> Array:
        """Root mean square in each band, (F, B)."""
        energy = (self.spectrum.real**2 + self.spectrum.imag**2) @ _bank()[1]
        energy -= np.square(self.later).reshape(len(energy), NUM_BANDS, 8).sum(axis=2)
        return np.asarray(np.sqrt(np.maximum(energy, 0) / FRAME_SAMPLES))


def _analyse(frames: Array) -> _Analysis:
    """Frames, (F, N)."""
    window, _, ringing = _bank()
    windowed = frames * window
    later = [windowed[:, -length:] @ matrix for length, matrix in ringing]
    return _Analysis(np.fft.rfft(windowed, _FFT_SAMPLES), np.concatenate(later, axis=1))


def _blocks(samples: Array) -> Iterator[Array]:
    """A signal's frames, a strided view of some at a time."""
    if len(samples) >= FRAME_SAMPLES:
        frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME_SAMPLES)[::HOP_SAMPLES]
        for first in range(0, len(frames), _BLOCK_FRAMES):
            yield frames[first : first + _BLOCK_FRAMES]


def signal_levels(samples: Array) -> Array:
    """Levels of a signal's frames, one every `HOP_SAMPLES`, as many as fit. (T,) -> (F, B), low bands first."""
    return np.concatenate([np.empty((0, NUM_BANDS)), *(_analyse(block).levels() for block in _blocks(samples))])


def stereo_levels(left: Array, right: Array) -> Array:
    """Levels of the left, the right, the mid (L + R) / 2 and the side (L - R) / 2. Twice (T,) -> (4, F, B)."""
    parts = [np.empty((4, 0, NUM_BANDS))]
    for blocks in zip(_blocks(left), _blocks(right), strict=True):
        a, b = map(_analyse, blocks)
        mid = _Analysis((a.spectrum + b.spectrum) / 2, (a.later + b.later) / 2)
        side = _Analysis((a.spectrum - b.spectrum) / 2, (a.later - b.later) / 2)
        parts.append(np.stack([view.levels() for view in (a, b, mid, side)]))
    return np.concatenate(parts, axis=1)
