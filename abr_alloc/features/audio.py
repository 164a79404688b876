"""Audio features: ViSQOL v3 on four stereo views, 512 numbers per scene.

Axes: T samples, V = 4 views (L, R, M = (L+R)/2, S = (L-R)/2), K = 4 statistics (fvnsim, fvnsim10, fstdnsim,
fvdegenergy), B = 32 gammatone bands. The vector runs V-K-B, last axis fastest: 4 x 4 x 32 = 512.

ViSQOL alone scores a mono mix, to which a codec that folds stereo to mono looks perfect; the side view shows it.
The reference's spectrograms are the same for every rendition, so they are built once per scene.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.resources
import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from visqol.analysis_window import AnalysisWindow
from visqol.audio_utils import AudioSignal
from visqol.gammatone import GammatoneSpectrogramBuilder, Spectrogram
from visqol.visqol_manager import VisqolManager

logging.getLogger("visqol").setLevel(logging.ERROR)  # it warns of every patch at the end that has no partner

__all__ = ["AUDIO_FEATURE_VERSION", "IDENTITY_MOS", "AudioReference", "AudioScore", "visqol_version"]

AUDIO_FEATURE_VERSION = "visqol_v3_lrms/1"
"""Changes whenever the same media would give other numbers."""

SAMPLE_RATE_HZ = 48_000
NUM_BANDS = 32
IDENTITY_MOS = 4.732101
"""ViSQOL's score of a signal against itself (conformance value of castanets against itself)."""

_WORST_MOS = 1.0
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


class _ReferenceOnce:
    """A spectrogram builder that builds one signal only once."""

    def __init__(self, builder: GammatoneSpectrogramBuilder, remembered: AudioSignal) -> None:
        self._builder = builder
        self._remembered = remembered
        self._spectrogram: Spectrogram | None = None

    def build(self, signal: AudioSignal, window: AnalysisWindow) -> Spectrogram:
        if signal is not self._remembered:
            return self._builder.build(signal, window)
        if self._spectrogram is None:
            self._spectrogram = self._builder.build(signal, window)
        return self._spectrogram


def visqol_version() -> str:
    """Version of the installed `visqol-python`."""
    return importlib.metadata.version("visqol-python")


@functools.lru_cache(maxsize=1)
def _model_path() -> str:
    return str(importlib.resources.files("visqol").joinpath("model/libsvm_nu_svr_model.txt"))


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


class AudioReference:
    """The source's audio of one scene, ready to be compared with its renditions."""

    def __init__(self, pcm: npt.NDArray[np.floating]) -> None:
        """Take the scene's samples.

        Args:
            pcm: stereo samples at 48 kHz, full scale 1, shape (T, 2), at least 0.96 s of them.
        """
        self._views: list[tuple[AudioSignal, VisqolManager | None]] = []
        energies = []
        for samples in _views(pcm):
            signal = AudioSignal(samples, SAMPLE_RATE_HZ)
            energies.append(float(np.square(samples).sum()))
            manager = None
            if not _is_silent(samples):
                manager = VisqolManager()
                manager.init(_model_path())
                assert manager.spect_builder is not None  # `init` makes it
                manager.spect_builder = _ReferenceOnce(manager.spect_builder, signal)  # type: ignore[assignment]
            self._views.append((signal, manager))
        self._energies = np.array(energies)

    def score(self, pcm: npt.NDArray[np.floating]) -> AudioScore:
        """Compare a rendition's samples, shape (T, 2), with the scene's.

        A view that is silent in the reference counts as kept (NSIM 1): ViSQOL scales the rendition to the reference's
        level, here to nothing. A view that is silent in the rendition only counts as lost (NSIM 0, MOS 1).
        """
        statistics, mos = [], []
        for (reference, manager), samples in zip(self._views, _views(pcm), strict=True):
            if manager is None:
                statistics.append(_constant_statistics(1.0))
                mos.append(IDENTITY_MOS)
            elif _is_silent(samples):
                statistics.append(_constant_statistics(0.0))
                mos.append(_WORST_MOS)
            else:
                result = manager.run_from_signals(reference, AudioSignal(samples, SAMPLE_RATE_HZ))
                statistics.append(
                    np.stack([result.fvnsim, result.fvnsim10, result.fstdnsim, result.fvdegenergy])  # (K, B)
                )
                mos.append(min(max(result.moslqo, 1.0), 5.0))
        total = self._energies.sum()
        weights = self._energies / total if total > 0 else np.full(4, 0.25)
        return AudioScore(
            # ViSQOL's last digits vary between runs; what is stored must not.
            visqol_mos=round(mos[_MONO_VIEW], 6),
            audio_mos=round(float(weights @ np.array(mos)), 6),
            features=np.stack(statistics).round(6).astype(np.float32).reshape(-1),  # (V, K, B) -> (512,)
        )
