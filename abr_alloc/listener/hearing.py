"""Renditions as the listener hears them: 512 features, a MOS and its spread per scene.

Axes: T samples, V = 4 views, B bands, F frames, W windows of at most 224 frames, H = 512 features.

A scene is heard in windows of 4.54 s, spread evenly over it; its features are their mean. A rendition that lies behind
or before its source is put where the source is, however far (`alignment`), and heard where both are. A frame in which
the source sounds is lost where none of its loudest bands, those within 10 dB of the loudest, is left within 25 dB; so
is the beginning that a shorter rendition lacks. Where a share s of a window's frames is lost, its features are

    (1 - g) features + g worst,    g = min(1, 2 s)

with `worst` those of another sound altogether. No encoder leaves gaps, so training holds none; what has lost half of a
sound has lost it.
"""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt

from abr_alloc.audio_families import LISTENER
from abr_alloc.documents import parse_json
from abr_alloc.errors import ArgumentError, CheckpointError
from abr_alloc.listener.alignment import AlignmentReference
from abr_alloc.listener.network import FEATURES, Network
from abr_alloc.listener.spectrograms import PIECE_FRAMES, frame_count, loudness, spectrograms
from abr_alloc.visqol.gammatone import FRAME_SAMPLES, HOP_SAMPLES

__all__ = [
    "IDENTITY_MOS",
    "WORST_MOS",
    "ListenerReference",
    "ListenerScore",
    "load_network",
]

Floats = npt.NDArray[np.float32]

IDENTITY_MOS = LISTENER.identity_mos
"""Of a sound beside itself: what panels give hidden references."""
WORST_MOS = 1.1
"""Of nothing beside a sound, and about what the network makes of `worst`."""

_WEIGHTS, _CARD = "weights/listener.safetensors", "weights/listener.json"
_SILENT_PEAK = 1.5 / 32768.0  # as `visqol.score`: dither, not sound
_SOUND_PEAK = 0.01  # -40 dB: what no dither and no encoder puts into silence
_UNHEARD_DB = 1e-3  # a difference by rounding
_SOUNDS_DB, _LOUD_DB, _LOST_DB = -20.0, 10.0, 25.0  # of a frame's loudest band, beside the loudness; of a lost frame
_LEAST_FRAMES = 32  # what is shorter is repeated, or nothing would be left behind the network's maxima
_SIDE = 3  # of the views
_SURE_MOS = 0.1  # the least spread


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerScore:
    """One audio rendition of one scene."""

    mos: float
    """Quality beside the source, 1.05-4.65."""
    spread_mos: float
    """Standard deviation of what it was trained on about that, MOS."""
    features: Floats
    """The 512-d layer less that of the source beside itself, (H,): 0 where nothing is lost."""


@functools.cache
def load_network() -> tuple[Network, Floats]:
    """The listener that ships, and its features of another sound altogether, (H,).

    Raises:
        CheckpointError: its file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    folder = resources.files("abr_alloc.listener")
    try:
        content, card = folder.joinpath(_WEIGHTS).read_bytes(), parse_json(folder.joinpath(_CARD).read_bytes())
        if hashlib.sha256(content).hexdigest() != card["weights_sha256"] or card["version"] != LISTENER.version:
            raise ValueError("it is not the one that its card describes")
        tensors = load(content)
        worst = np.asarray(tensors.pop("worst"), dtype=np.float32)
        if worst.shape != (FEATURES,):
            raise ValueError(f"tensor worst has the shape {worst.shape}, not ({FEATURES},)")
        return Network(tensors), worst
    except (KeyError, TypeError, ValueError, OSError, SafetensorError) as error:
        raise CheckpointError(f"{_WEIGHTS} is damaged ({error}); install the package again") from error


def _peak(pcm: npt.NDArray[np.floating]) -> float:
    return float(np.abs(pcm).max()) if pcm.size else 0.0


def _windows(num_frames: int) -> list[slice]:
    """Windows spread evenly over so many frames."""
    count = max(1, math.ceil(num_frames / PIECE_FRAMES))
    firsts = np.linspace(0, max(0, num_frames - PIECE_FRAMES), count).round().astype(int).tolist()
    return [slice(first, min(first + PIECE_FRAMES, num_frames)) for first in firsts]


def _cut(sides: Floats) -> Floats:
    """(V, B, F) -> (W, V, B, F')."""
    if 0 < sides.shape[2] < _LEAST_FRAMES:
        sides = np.tile(sides, math.ceil(_LEAST_FRAMES / sides.shape[2]))
    return np.stack([sides[:, :, window] for window in _windows(sides.shape[2])])


def _lost(reference: Floats, theirs: Floats) -> Floats:
    """g of each window: (W, V, B, F) twice -> (W,)."""
    ours, theirs = reference[:, :_SIDE], theirs[:, :_SIDE]  # a side that is gone is what a codec may do
    loudest = ours.max(axis=(1, 2))
    kept = np.where(ours >= loudest[:, None, None] - _LOUD_DB, theirs - ours, -np.inf).max(axis=(1, 2))
    sounds = loudest > _SOUNDS_DB
    share = (sounds & (kept < -_LOST_DB)).sum(axis=1) / np.maximum(sounds.sum(axis=1), 1)
    return np.minimum(1.0, 2.0 * share).astype(np.float32)


class ListenerReference:
    """The source's audio of one scene, ready to be compared with its renditions."""

    def __init__(self, pcm: npt.NDArray[np.floating]) -> None:
        """Take the scene's samples.

        Args:
            pcm: stereo samples at 48 kHz, full scale 1, shape (T, 2), at least 80 ms of them.

        Raises:
            ArgumentError: they are of another shape, too few, or not finite.
        """
        self._pcm = _checked(pcm, "the source's samples")
        if frame_count(len(pcm)) == 0:
            raise ArgumentError(f"the source has {len(pcm)} samples, less than the {FRAME_SAMPLES} of 80 ms")
        self._is_silent = _peak(pcm) < _SILENT_PEAK
        self._alignment = AlignmentReference(pcm)
        self._whole: tuple[Floats, Floats] | None = None

    def score(self, pcm: npt.NDArray[np.floating]) -> ListenerScore:
        """Compare a rendition's samples, (T', 2), with the scene's; what it lacks at its end is silent.

        A silent source has nothing to lose, unless sound is put into it; a silent rendition of a sound lost all.

        Raises:
            ArgumentError: the samples are of another shape, or not finite.
        """
        count, given = len(self._pcm), len(_checked(pcm, "the rendition's samples"))
        pcm = _fitted(pcm, count)
        if self._is_silent:
            return _score_at(IDENTITY_MOS if _peak(pcm) < _SOUND_PEAK else WORST_MOS)
        if _peak(pcm) < _SILENT_PEAK:
            return _score_at(WORST_MOS)
        lag = self._alignment.lag(pcm)
        (reference, own), theirs = self._sides(pcm, lag)
        beginning = min(max(0, -lag), count - min(given, count)) / count  # what a shorter rendition lacks of it
        if not beginning and float(np.abs(theirs - reference).max()) < _UNHEARD_DB:
            return _score_at(IDENTITY_MOS)
        network, worst = load_network()
        lost = np.maximum(_lost(reference, theirs), min(1.0, 2.0 * beginning))[:, None]
        features = ((1 - lost) * (network.embed(reference, theirs) - own) + lost * worst).mean(axis=0).round(4)
        (quality,), (spread,) = network.judge(features[None])
        return ListenerScore(
            mos=round(min(float(quality), IDENTITY_MOS), 4), spread_mos=round(float(spread), 4), features=features
        )

    def _sides(self, pcm: npt.NDArray[np.floating], lag: int) -> tuple[tuple[Floats, Floats], Floats]:
        """Windows of the source, (W, V, B, F), with its own layer, (W, H); and those of the rendition, beside."""
        count = len(self._pcm)
        # Whole frames of the source that the rendition has too, once it lies where the source does.
        first = math.ceil(max(0, -lag) / HOP_SAMPLES) * HOP_SAMPLES
        stop = min(count, count - lag)
        theirs = pcm[first + lag : stop + lag]
        heard = _cut(spectrograms(theirs, loudness(theirs) or 1.0))
        if lag != 0 and frame_count(count) != frame_count(stop - first):
            return self._own(self._pcm[first:stop]), heard
        if self._whole is None:
            self._whole = self._own(self._pcm)
        return self._whole, heard

    def _own(self, pcm: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
        reference = _cut(spectrograms(pcm, loudness(pcm) or 1.0))
        return reference, load_network()[0].embed(reference, reference)


def _fitted(pcm: npt.NDArray[np.floating], count: int) -> npt.NDArray[np.floating]:
    if len(pcm) >= count:
        return pcm[:count]
    return np.concatenate([pcm, np.zeros((count - len(pcm), 2), dtype=pcm.dtype)])


def _score_at(mos: float) -> ListenerScore:
    """Of what needs no listening: `IDENTITY_MOS` or `WORST_MOS`."""
    features = np.zeros(FEATURES, dtype=np.float32) if mos == IDENTITY_MOS else load_network()[1]
    return ListenerScore(mos=mos, spread_mos=_SURE_MOS, features=features)


def _checked(pcm: npt.NDArray[np.floating], what: str) -> npt.NDArray[np.floating]:
    if np.ndim(pcm) != 2 or np.shape(pcm)[1] != 2:
        raise ArgumentError(f"{what} have the shape {np.shape(pcm)}, not (T, 2) of a stereo sound", "pcm")
    if not np.isfinite(pcm).all():
        raise ArgumentError(f"{what} hold NaN or infinite numbers; decode the sound again")
    return pcm
