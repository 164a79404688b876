"""Audio features: ViSQOL v3 on four stereo views, 512 numbers per scene.

Axes: T samples, V = 4 views (L, R, M = (L+R)/2, S = (L-R)/2), K = 4 statistics (fvnsim, fvnsim10, fstdnsim,
fvdegenergy), B = 32 gammatone bands. The vector runs V-K-B, last axis fastest: 4 x 4 x 32 = 512.

ViSQOL alone scores a mono mix, to which a codec that folds stereo to mono looks perfect; the side view shows it.

ViSQOL v3 is worked out here, not called: the source's side once per scene, the filter bank as spectra and matrix
products (`gammatone`), the search for partners (`patches`, `search`) and their fine alignment (`realignment`) on what
that leaves. visqol-python, whose `regression` this has, is the reference: every number equals its own within 1e-4, and
mostly to the sixth digit, the last that is kept, so the version of the features is the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.audio_families import VISQOL
from abr_alloc.visqol.gammatone import NUM_BANDS, SAMPLE_RATE_HZ, signal_levels, stereo_levels
from abr_alloc.visqol.lag import Envelopes, envelopes, find_lags, hilbert, is_trusted
from abr_alloc.visqol.nsim import PatchStatistics
from abr_alloc.visqol.patches import find_places, patch_starts, to_decibels
from abr_alloc.visqol.realignment import Side, align_finely
from abr_alloc.visqol.regression import VISQOL_VERSION, WORST_MOS, predict_mos

__all__ = ["AUDIO_FEATURE_VERSION", "IDENTITY_MOS", "AudioReference", "AudioScore", "visqol_version"]

AUDIO_FEATURE_VERSION = VISQOL.version
"""Changes whenever the same media would give other numbers."""

Array = npt.NDArray[np.float64]

IDENTITY_MOS = VISQOL.identity_mos
"""ViSQOL's score of a signal against itself."""

_KEPT_SAMPLES = 60 * SAMPLE_RATE_HZ  # of longer scenes the source's envelope is made anew for each rendition
_SILENT_PEAK = 1.5 / 32768.0  # at most one step of 16-bit audio: dither, not sound
_MONO_VIEW = 2  # M is the down-mix that ViSQOL itself scores


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioScore:
    """One audio rendition of one scene."""

    visqol_mos: float
    """ViSQOL's own MOS-LQO, 1-5."""
    audio_mos: float
    """MOS-LQO of the four views, weighted by the reference views' energy, 1-5."""
    features: npt.NDArray[np.float32]
    """Shape (512,), order V-K-B."""


def visqol_version() -> str:
    """Version of visqol-python that the numbers are those of; feature tables name it."""
    return VISQOL_VERSION


def _views(pcm: npt.NDArray[np.floating]) -> list[npt.NDArray[np.float64]]:
    """L, R, M, S, each (T,), of stereo samples (T, 2)."""
    left, right = pcm[:, 0].astype(np.float64), pcm[:, 1].astype(np.float64)
    return [left, right, (left + right) / 2, (left - right) / 2]


def _is_silent(samples: npt.NDArray[np.float64]) -> bool:
    return float(np.abs(samples).max()) < _SILENT_PEAK


def _constant_statistics(nsim: float) -> npt.NDArray[np.float64]:
    """Statistics (K, B) of a view that has nothing to compare: one NSIM everywhere, no spread, no energy."""
    statistics = np.zeros((4, NUM_BANDS))
    statistics[:2] = nsim
    return statistics


class _View:
    """One view of the source."""

    def __init__(self, samples: Array, levels: Array) -> None:
        self._side = Side(samples, levels)
        self._starts = patch_starts(len(levels))
        self._energy = float(np.square(samples).sum())
        self._envelope: Envelopes | None = None

    def find_lag(self, samples: Array, turned: Array) -> int:
        """Samples by which the source lies behind a rendition, given its Hilbert transform too; 0 for a mistake."""
        num_samples = len(self._side.samples)
        longest = max(num_samples, len(samples))
        envelope = self._envelope
        if envelope is None:
            envelope = envelopes(self._side.samples[None], longest)
            if num_samples == len(samples) <= _KEPT_SAMPLES:
                self._envelope = envelope
        lag = int(find_lags(envelope, envelopes(samples[None], longest, turned[None]), longest)[0])
        return lag if is_trusted(lag, num_samples) else 0

    def compare(self, samples: Array, levels: Array) -> tuple[Array, float]:
        """Statistics (K, B) and MOS of a rendition's view that lies where the source does."""
        energy = float(np.square(samples).sum())
        if energy == 0 or len(levels) == 0:
            return _constant_statistics(0.0), WORST_MOS
        # Both as loud, by root mean square.
        scale = math.sqrt(self._energy / len(self._side.samples)) / math.sqrt(energy / len(samples))
        rendition = Side(samples, levels * scale, scale)
        match = find_places(self._starts, *to_decibels(self._side.levels, rendition.levels))
        statistics, num_frames = align_finely(match, self._side, rendition)
        pooled = _pool(statistics, np.array(num_frames, dtype=np.float64)[:, None])
        return pooled, predict_mos(pooled[0])


def _moved(samples: Array, lag: int) -> Array:
    if lag <= 0:
        return samples[-lag:]
    return np.concatenate([np.zeros(lag), samples])


def _pool(patches: PatchStatistics, num_frames: Array) -> Array:
    """Over the patches: mean NSIM, mean of its lowest tenth, its deviation over all frames, mean energy. (K, B)."""
    mean = patches.mean.mean(axis=0)
    lowest = np.sort(patches.mean, axis=0)[: max(1, len(patches.mean) // 10)].mean(axis=0)
    total = float(num_frames.sum())
    squares = ((num_frames - 1) * patches.deviation**2 + num_frames * patches.mean**2).sum(axis=0)
    variance = (squares - total * mean * mean) / (total - 1)  # pooled over patches of different means
    return np.stack([mean, lowest, np.sqrt(np.maximum(variance, 0)), patches.energy.mean(axis=0)])


class AudioReference:
    """The source's audio of one scene, ready to be compared with its renditions."""

    def __init__(self, pcm: npt.NDArray[np.floating]) -> None:
        """Take the scene's samples.

        Args:
            pcm: stereo samples at 48 kHz, full scale 1, shape (T, 2), at least 0.96 s of them.
        """
        views = _views(pcm)
        self._is_mono = np.array_equal(views[0], views[1])
        self._energies = np.array([float(np.square(samples).sum()) for samples in views])
        self._views = [
            None if _is_silent(samples) else _View(samples, levels)
            for samples, levels in zip(views, stereo_levels(*views[:2]), strict=True)
        ]

    def _align(self, samples: list[Array]) -> list[tuple[Array, Array] | None]:
        """A rendition's views where the source lies, (T',), and their levels, (T'', B); None for what is silent."""
        heard = [view is not None and not _is_silent(part) for view, part in zip(self._views, samples, strict=True)]
        turned = _views(hilbert(np.stack(samples[:2])).T)  # linear, as levels are: what is done for two serves four
        lags = {
            i: view.find_lag(samples[i], turned[i])
            for i, view in enumerate(self._views)
            if view is not None and heard[i]
        }
        if len(set(lags.values())) == 1:
            moved = [_moved(part, next(iter(lags.values()))) for part in samples]
            levels = list(stereo_levels(*moved[:2]))
        else:
            moved = [_moved(part, lags.get(i, 0)) for i, part in enumerate(samples)]
            levels = [signal_levels(part if heard[i] else part[:0]) for i, part in enumerate(moved)]
        return [pair if heard[i] else None for i, pair in enumerate(zip(moved, levels, strict=True))]

    def score(self, pcm: npt.NDArray[np.floating]) -> AudioScore:
        """Compare a rendition's samples, shape (T, 2), with the scene's.

        A view that is silent in the reference counts as kept (NSIM 1): ViSQOL scales the rendition to the reference's
        level, here to nothing. A view that is silent in the rendition only counts as lost (NSIM 0, MOS 1).
        """
        samples = _views(pcm)
        results: list[tuple[Array, float]] = []
        for i, (view, levels) in enumerate(zip(self._views, self._align(samples), strict=True)):
            if view is None:
                results.append((_constant_statistics(1.0), IDENTITY_MOS))
            elif levels is None:
                results.append((_constant_statistics(0.0), WORST_MOS))
            elif i in (1, 2) and self._is_mono and np.array_equal(samples[0], samples[1]):
                results.append(results[0])
            else:
                results.append(view.compare(*levels))
        mos = [of_view for _, of_view in results]
        total = self._energies.sum()
        weights = self._energies / total if total > 0 else np.full(4, 0.25)
        return AudioScore(
            # ViSQOL's last digits vary between runs; what is stored must not.
            visqol_mos=round(mos[_MONO_VIEW], 6),
            audio_mos=round(float(weights @ np.array(mos)), 6),
            features=np.stack([statistics for statistics, _ in results])
            .round(6)
            .astype(np.float32)
            .reshape(-1),  # (V, K, B) -> (512,)
        )
