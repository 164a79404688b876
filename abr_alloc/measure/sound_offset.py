"""How much later a rendition's sound comes than its source's, to the sample.

How loud both are, moment by moment (`envelope.py`), says roughly where they lie; windows of one second are then laid
over one another sample by sample. Lossy coders keep the waveform of the low frequencies at every rate, so windows of
the same sound agree on one lag, and windows of another sound on none.

Axes: T samples at 48 kHz.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.measure.envelope import STEP_S, sound_envelope
from abr_alloc.media.coding import SAMPLE_RATE_HZ

__all__ = ["SoundOffset", "UnlikeSound", "find_sound_offset"]

Samples = npt.NDArray[np.float32]

_WINDOWS, _WINDOW = 12, SAMPLE_RATE_HZ
_REACH = round(0.03 * SAMPLE_RATE_HZ)  # samples to both sides of the rough lag
_FAR, _THIN = 60 * SAMPLE_RATE_HZ, 8  # samples to both sides that are searched at an eighth of the rate
_CANDIDATES = 5  # rough lags that are tried
_AGREE = 96  # samples (2 ms) within which windows agree
_ALIKE = 0.3  # correlation of a window with the same sound, coded
_SILENT = 1e-4  # RMS, full scale 1: -80 dB
_MOST_DRIFT_S = 0.005
_SHARE = 0.5  # of the windows that must agree


class UnlikeSound(ValueError):
    """The two sounds cannot be laid over one another; the message is a phrase that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundOffset:
    """Where a rendition's sound lies."""

    samples: int
    """By how many samples it comes later than the source's; below 0 where it comes sooner."""
    likeness: float
    """Median correlation of the windows that agree; 1 where both are silent."""
    is_silent: bool
    """Whether there is nothing to hear in the source, so that nothing is known."""


def find_sound_offset(source: Samples, rendition: Samples) -> SoundOffset:
    """The lag of a rendition.

    Args:
        source: stereo samples, full scale 1, (T, 2).
        rendition: the same.

    Raises:
        UnlikeSound: it is another sound, or its clock runs apart from the source's.
    """
    loud = sound_envelope(source)
    if not len(loud) or float(loud.max(initial=0.0)) < _SILENT:
        return SoundOffset(samples=0, likeness=1.0, is_silent=True)
    if not len(rendition) or float(np.abs(rendition).max()) < _SILENT:
        raise UnlikeSound("it is silent, and the source is not")
    starts = _window_starts(loud, len(source))
    best: tuple[float, list[tuple[int, int, float]]] = (0.0, [])
    for lag in itertools.chain([0], _rough_lags(loud, sound_envelope(rendition)), _far_lags(source, rendition, starts)):
        found = _lags(source, rendition, starts, lag)
        agreeing = _agreeing(found)
        score = sum(alike for _, _, alike in agreeing)
        if score > best[0]:
            best = score, agreeing
        if len(agreeing) >= max(1, round(0.8 * len(starts))):
            break
    _, agreeing = best
    if len(agreeing) < max(1.0, _SHARE * len(starts)):
        raise UnlikeSound(
            f"it is not of this source: {len(agreeing)} of {len(starts)} windows of its sound are found in the "
            "source's at one lag"
        )
    lags = np.array([lag for _, lag, _ in agreeing])
    times = np.array([start for start, _, _ in agreeing]) / SAMPLE_RATE_HZ
    if len(agreeing) >= 4 and np.ptp(times) > 1.0:
        drift_s = float(np.polyfit(times, lags, 1)[0] * np.ptp(times)) / SAMPLE_RATE_HZ
        if abs(drift_s) > _MOST_DRIFT_S:
            raise UnlikeSound(
                f"its clock runs apart from the source's by {1000 * drift_s:.0f} ms over {np.ptp(times):.1f} s of sound"
            )
    likeness = float(np.median([alike for _, _, alike in agreeing]))
    return SoundOffset(samples=round(float(np.median(lags))), likeness=likeness, is_silent=False)


def _window_starts(loud: npt.NDArray[np.float32], num_samples: int) -> list[int]:
    """Windows of the source, spread over all of it, each the loudest of its stretch."""
    length = min(_WINDOW, num_samples)
    step = round(STEP_S * SAMPLE_RATE_HZ)
    stretches = np.array_split(np.arange(max(1, (num_samples - length) // step + 1)), _WINDOWS)
    level = np.square(loud).mean(axis=1)
    running = np.concatenate([[0.0], np.cumsum(level)])
    starts = []
    for part in (part for part in stretches if len(part)):
        ends = np.minimum(part + length // step, len(level))
        power = running[ends] - running[np.minimum(part, len(level))]
        at = int(part[power.argmax()])
        if power.max() > _SILENT**2 * (length // step):
            starts.append(at * step)
    return sorted(set(starts))


def _rough_lags(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> Sequence[int]:
    """Lags, samples, at which the levels of two sounds are most alike."""
    x, y = (np.log10(np.square(e).mean(axis=1) + _SILENT**2) for e in (a, b))
    size = 1 << (len(x) + len(y)).bit_length()

    def spectrum(values: npt.NDArray[np.floating]) -> npt.NDArray[np.complex128]:
        return np.asarray(np.fft.rfft(values, size))

    x, y = x - x.mean(), y - y.mean()
    alike = np.fft.irfft(spectrum(y) * np.conj(spectrum(x)), size)
    lags = np.arange(size)
    lags = np.where(lags > size // 2, lags - size, lags)
    # As many moments as lie over one another, some at least: short overlaps agree by chance.
    shared = np.minimum(len(x), len(y) - lags) - np.maximum(0, -lags)
    power = np.sqrt(np.square(x).mean() * np.square(y).mean()) * np.maximum(shared, 1)
    score = np.where(shared >= min(len(x), len(y)) // 2, alike / np.maximum(power, 1e-12), -np.inf)
    found: list[int] = []
    for at in np.argsort(score)[::-1][:400]:
        if np.isfinite(score[at]) and all(abs(int(lags[at]) - lag) > 3 for lag in found):
            found.append(int(lags[at]))
        if len(found) == _CANDIDATES:
            break
    return [lag * round(STEP_S * SAMPLE_RATE_HZ) for lag in found]


def _far_lags(source: Samples, rendition: Samples, starts: Sequence[int]) -> Iterator[int]:
    """Lags, samples, at which single windows are most like anything within a minute: levels may tell nothing."""
    for start in [starts[round(share * (len(starts) - 1))] for share in (0.5, 0.25, 0.75)]:
        window = _thinned(source[start : start + 2 * _WINDOW])
        first = max(0, start - _FAR)
        other = _thinned(rendition[first : start + 2 * _WINDOW + _FAR])
        if len(other) <= len(window):
            continue
        size = 1 << (len(other) + len(window)).bit_length()
        products = np.fft.irfft(np.fft.rfft(other, size) * np.conj(np.fft.rfft(window, size)), size)
        places = len(other) - len(window) + 1
        running = np.concatenate([[0.0], np.cumsum(np.square(other))])
        power = running[len(window) : len(window) + places] - running[:places]
        alike = np.abs(products[:places]) / np.sqrt(np.maximum(power * float(window @ window), 1e-12))
        yield first + int(alike.argmax()) * _THIN - start


def _thinned(samples: Samples) -> npt.NDArray[np.float64]:
    """A mono mix at 6 kHz."""
    mono = _mono(samples)
    return np.asarray(mono[: len(mono) // _THIN * _THIN].reshape(-1, _THIN).mean(axis=1))


def _lags(source: Samples, rendition: Samples, starts: Sequence[int], rough: int) -> list[tuple[int, int, float]]:
    """Of every window of the source: where it starts, its lag near the rough one, and how alike it is there."""
    found = []
    for start in starts:
        window = _mono(source[start : start + _WINDOW])
        first = start + rough - _REACH
        part = rendition[max(0, first) : max(0, first + len(window) + 2 * _REACH)]
        other = np.zeros(len(window) + 2 * _REACH)
        other[max(0, -first) : max(0, -first) + len(part)] = _mono(part)
        size = 1 << (len(other) + len(window)).bit_length()
        products = np.fft.irfft(np.fft.rfft(other, size) * np.conj(np.fft.rfft(window, size)), size)[: 2 * _REACH + 1]
        running = np.concatenate([[0.0], np.cumsum(np.square(other))])
        power = running[len(window) : len(window) + 2 * _REACH + 1] - running[: 2 * _REACH + 1]
        alike = np.abs(products) / np.sqrt(np.maximum(power * float(window @ window), 1e-12))
        at = int(alike.argmax())
        found.append((start, rough + at - _REACH, float(alike[at])))
    return found


def _mono(samples: Samples) -> npt.NDArray[np.float64]:
    mono = samples.mean(axis=1, dtype=np.float64)
    side = samples[:, 0].astype(np.float64) - samples[:, 1]
    # Sound that is the same on both sides but for its sign has no middle.
    mono = mono if mono @ mono > 1e-3 * (side @ side) else side
    return np.asarray(mono - mono.mean() if len(mono) else mono)


def _agreeing(found: Sequence[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """The largest group of windows whose lags agree."""
    alike = [item for item in found if item[2] >= _ALIKE]
    groups = [[item for item in alike if abs(item[1] - lag) <= _AGREE] for _, lag, _ in alike]
    return max(groups, key=lambda group: (len(group), sum(item[2] for item in group)), default=[])
