"""Pairs of patches, aligned once more by their samples.

Axes: T samples or frames, B bands, P patches.

ViSQOL cuts both partners out of their signals (0.6 s), aligns the pair by their envelopes, makes both spectrograms anew
and compares again; the better of the two results stands. A frame's filters start at rest, so a piece that begins where
a frame of the whole signal begins has the whole signal's frames: only what moved is filtered again.

ViSQOL reckons the cuts from times in seconds, rounded down to samples, and a frame count from the length, rounded up;
both now and then come out one off, and are reckoned here in the same steps.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from abr_alloc.visqol.gammatone import FRAME_SAMPLES, HOP_SAMPLES, SAMPLE_RATE_HZ, signal_levels
from abr_alloc.visqol.lag import Envelopes, envelopes, find_lags, is_trusted
from abr_alloc.visqol.nsim import PatchStatistics, compare
from abr_alloc.visqol.patches import FRAME_S, PATCH_S, Match, to_decibels

__all__ = ["Side", "align_finely"]

Array = npt.NDArray[np.float64]

_ROUNDING = 1e-9  # of equal results the later stands, as for ViSQOL where a view is the source's own
_BATCH = 16  # pieces that are aligned at a time: their envelopes and spectra are 7 MiB
_KEPT = 64  # of the source's that are kept for the next rendition: 28 MiB


@dataclass(frozen=True, slots=True)
class _Piece:
    """Samples start to stop of a signal, behind some zeros."""

    start: int
    stop: int
    zeros: int = 0

    def __len__(self) -> int:
        return self.zeros + self.stop - self.start

    def without_first(self, count: int) -> _Piece:
        zeros = min(count, self.zeros)
        return _Piece(self.start + count - zeros, self.stop, self.zeros - zeros)

    def only_first(self, count: int) -> _Piece:
        return _Piece(self.start, self.start + max(count - self.zeros, 0), min(count, self.zeros))


def _piece(first_frame: int, num_samples: int) -> _Piece:
    """The samples of the patch that begins with a frame, of a signal of so many samples."""
    start_s = first_frame * FRAME_S
    end = (start_s + PATCH_S) * SAMPLE_RATE_HZ
    return _Piece(int(start_s * SAMPLE_RATE_HZ), min(num_samples - 1, int(end)), zeros=max(int(end - num_samples), 0))


@dataclass(slots=True)
class Side:
    """A signal and its spectrogram."""

    samples: Array
    """Shape (T,)."""
    levels: Array
    """Of the scaled samples, shape (T', B)."""
    scale: float = 1.0
    """What the samples are multiplied with before they are compared."""
    _envelopes: dict[tuple[_Piece, int], Envelopes] = field(init=False, default_factory=dict)
    _levels: dict[_Piece, Array] = field(init=False, default_factory=dict)

    def _cut(self, piece: _Piece) -> Array:
        samples = self.samples[piece.start : piece.stop]
        return np.concatenate([np.zeros(piece.zeros), samples]) if piece.zeros else samples

    def envelopes_of(self, pieces: list[_Piece], longest: int) -> Envelopes:
        """Envelopes of pieces of one length, for `find_lags`."""
        keys = [(piece, longest) for piece in pieces]
        if not all(key in self._envelopes for key in keys):
            found = envelopes(np.stack([self._cut(piece) for piece in pieces]), longest)
            if len(self._envelopes) + len(pieces) > _KEPT:
                return found
            for key, values, spectrum in zip(keys, found.values, found.spectra, strict=True):
                self._envelopes[key] = Envelopes(values, spectrum)
        kept = [self._envelopes[key] for key in keys]
        return Envelopes(np.stack([one.values for one in kept]), np.stack([one.spectra for one in kept]))

    def levels_of(self, piece: _Piece) -> Array:
        """Levels of a piece's own frames, (F, B)."""
        num_frames = 1 + (len(piece) - FRAME_SAMPLES) // HOP_SAMPLES
        if piece.zeros == 0 and piece.start % HOP_SAMPLES == 0:
            first = piece.start // HOP_SAMPLES
            return self.levels[first : first + num_frames]
        if piece not in self._levels:
            self._levels[piece] = signal_levels(self._cut(piece)) * self.scale
        return self._levels[piece]


@dataclass(frozen=True, slots=True)
class _Again:
    """A pair that is compared once more."""

    patch: int
    """Which."""
    duration_s: float
    """How long ViSQOL says that it is then."""
    reference: Array
    """The aligned pieces, dB, each of shape (F, B)."""
    degraded: Array


def align_finely(match: Match, reference: Side, degraded: Side) -> tuple[PatchStatistics, list[int]]:
    """Compare every pair that is not lost once more, and keep the better result.

    Returns:
        The results of all pairs, and how many frames ViSQOL says each patch has.
    """
    found = match.statistics
    mean, deviation, energy = found.mean.copy(), found.deviation.copy(), found.energy.copy()
    durations_s = [(start * FRAME_S + PATCH_S) - start * FRAME_S for start in match.starts.tolist()]
    groups: dict[int, list[_Again]] = defaultdict(list)  # of one number of frames, to be compared together
    for pair in _aligned_pairs(match, reference, degraded):
        groups[len(pair.reference)].append(pair)
    for group in groups.values():
        again = compare(np.stack([pair.reference for pair in group]), np.stack([pair.degraded for pair in group]))
        for i, pair in enumerate(group):
            p = pair.patch
            if again.similarity[i] >= found.similarity[p] - _ROUNDING:
                mean[p], deviation[p], energy[p] = again.mean[i], again.deviation[i], again.energy[i]
                durations_s[p] = pair.duration_s
    return PatchStatistics(mean, deviation, energy), [math.ceil(duration_s / FRAME_S) for duration_s in durations_s]


def _aligned_pairs(match: Match, reference: Side, degraded: Side) -> Iterator[_Again]:
    by_length = defaultdict(list)  # pairs whose lags are found together
    for p in np.flatnonzero(~match.lost).tolist():
        ours = _piece(int(match.starts[p]), len(reference.samples))
        theirs = _piece(int(match.places[p]), len(degraded.samples))
        by_length[len(ours), len(theirs)].append((p, ours, theirs))
    for lengths, pairs in by_length.items():
        for batch in (pairs[i : i + _BATCH] for i in range(0, len(pairs), _BATCH)):
            lags = find_lags(
                reference.envelopes_of([ours for _, ours, _ in batch], max(lengths)),
                degraded.envelopes_of([theirs for _, _, theirs in batch], max(lengths)),
                max(lengths),
            )
            for (p, ours, theirs), lag in zip(batch, lags.tolist(), strict=True):
                ours, theirs, lag = _overlay(ours, theirs, lag)
                if len(ours) > FRAME_SAMPLES:
                    start_s = float(match.starts[p] * FRAME_S + max(lag, 0) / SAMPLE_RATE_HZ)
                    duration_s = (start_s + len(ours) / SAMPLE_RATE_HZ) - start_s
                    levels = to_decibels(reference.levels_of(ours), degraded.levels_of(theirs))
                    yield _Again(p, duration_s, *levels)


def _overlay(reference: _Piece, degraded: _Piece, lag: int) -> tuple[_Piece, _Piece, int]:
    """Move the degraded piece by its lag and cut both to what they share; the lag that was used."""
    if not is_trusted(lag, len(reference)):
        lag = 0
    if lag < 0:
        degraded = degraded.without_first(-lag)
    elif lag > 0:
        degraded = _Piece(degraded.start, degraded.stop, degraded.zeros + lag)
        if len(reference) < len(degraded):
            head = int(lag / SAMPLE_RATE_HZ * SAMPLE_RATE_HZ)
            reference, degraded = reference.without_first(head), degraded.without_first(head)
    shared = min(len(reference), len(degraded))
    return reference.only_first(shared), degraded.only_first(shared), lag
