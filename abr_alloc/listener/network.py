"""The listener's forward pass in NumPy; `abr_alloc/learning/listener_network.py` says what it works out, and trains it.

Axes: N sounds, C channels, B bands, F frames; H = 512 features. Inside, channels lie last, so that a convolution is one
matrix product over all places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.listener.spectrograms import FLOOR_DB
from abr_alloc.models.stored import StoredTensors

__all__ = ["BLOCKS", "FEATURES", "HIDDEN", "NUM_BANDS", "STEM_CHANNELS", "TOP_LOGIT", "Network"]

Floats = npt.NDArray[np.float32]

FEATURES = 512
HIDDEN = 64
NUM_BANDS = 32
STEM_CHANNELS = 24
BLOCKS = (
    ((12, 20, 12, 8), True),
    ((16, 28, 16, 8), False),
    ((24, 40, 24, 12), True),
    ((32, 56, 32, 16), False),
    ((40, 72, 40, 16), False),
)
"""Of every block the channels of 1 x 1, 3 x 3, 1 x 7 and mean, and whether a maximum over 2 x 2 follows."""
LEVEL_DB, DIFFERENCE_DB = 25.0, 10.0
"""What levels and differences are divided by."""
TOP_LOGIT = 3.178
"""Logit of a sound that has lost nothing: 4.65 MOS, what panels give hidden references."""

_PIECES_AT_ONCE = 8  # bounds memory: the widest arrays of one piece are 1.5 MB


@dataclass(frozen=True, slots=True)
class _Convolution:
    """A convolution and what follows it: over the nearest places, relu."""

    matrix: Floats
    """Shape (height * width * C, outputs)."""
    bias: Floats
    """Shape (outputs,)."""
    size: tuple[int, int]
    stride: int = 1

    def __call__(self, x: Floats) -> Floats:
        """(N, B, F, C) -> (N, B / stride, F / stride, outputs); beyond the edges there are zeros."""
        height, width = self.size
        if (height, width) != (1, 1):
            x = np.pad(x, ((0, 0), (height // 2, height // 2), (width // 2, width // 2), (0, 0)))
            # (N, B, F, C, height, width), strided like x, into one row for each place
            x = np.lib.stride_tricks.sliding_window_view(x, self.size, axis=(1, 2))
            x = x[:, :: self.stride, :: self.stride].transpose(0, 1, 2, 4, 5, 3)
            x = np.ascontiguousarray(x).reshape(*x.shape[:3], -1)
        found: Floats = x @ self.matrix
        found += self.bias
        return np.maximum(found, np.float32(0.0), out=found)


@dataclass(frozen=True, slots=True)
class _Block:
    """An Inception block, its gate and its maximum."""

    point: _Convolution
    three: tuple[_Convolution, _Convolution]
    seven: tuple[_Convolution, _Convolution]
    mean: _Convolution
    squeeze: tuple[Floats, Floats]
    excite: tuple[Floats, Floats]
    halves: bool

    def __call__(self, x: Floats) -> Floats:
        branches = [self.point(x), self.three[1](self.three[0](x)), self.seven[1](self.seven[0](x))]
        branches.append(self.mean(_mean_of_nine(x)))
        x = np.concatenate(branches, axis=3)
        squeezed = np.maximum(x.mean(axis=(1, 2)) @ self.squeeze[0].T + self.squeeze[1], np.float32(0.0))
        x *= sigmoid(squeezed @ self.excite[0].T + self.excite[1])[:, None, None, :]
        return _halved(x) if self.halves else x


def sigmoid(z: Floats) -> Floats:
    """1 / (1 + exp(-z)), without overflow."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(z, -40.0, 40.0))), dtype=np.float32)


def _mean_of_nine(x: Floats) -> Floats:
    """Over 3 x 3 places; beyond the edges there are zeros, which count."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return np.asarray((rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / np.float32(9.0))


def _halved(x: Floats) -> Floats:
    """Maxima over 2 x 2 places; an odd one at the end is left out."""
    x = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
    bands = np.maximum(x[:, ::2], x[:, 1::2])
    return np.maximum(bands[:, :, ::2], bands[:, :, 1::2])


class Network:
    """A trained listener."""

    def __init__(self, tensors: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Take its tensors, as `learning.listener_network.to_tensors` names them.

        Raises:
            KeyError: one is missing.
            ValueError: one is of another type or shape, or one too many is there.
        """
        stored = StoredTensors(tensors)
        self._stem = _convolution(stored, "stem", 12, STEM_CHANNELS, (3, 3), stride=2)
        self._blocks, inputs, bands = [], STEM_CHANNELS, NUM_BANDS // 2
        for i, (widths, halves) in enumerate(BLOCKS):
            self._blocks.append(_block(stored, f"blocks.{i}", inputs, widths, halves=halves))
            inputs, bands = sum(widths), bands // 2 if halves else bands
        self._layer = _linear(stored, "layer", 2 * inputs * bands, FEATURES)
        self._hidden = stored.take("hidden.weights", HIDDEN, FEATURES, dtype=np.float32)
        self._quality = stored.take("quality.weights", 1, HIDDEN, dtype=np.float32)[0]
        self._spread = _linear(stored, "spread", HIDDEN, 1)
        stored.end()

    def embed(self, reference: Floats, coded: Floats) -> Floats:
        """e of sounds, dB: (N, V, B, F) each -> (N, H)."""
        found = [np.empty((0, FEATURES), dtype=np.float32)]
        for first in range(0, len(coded), _PIECES_AT_ONCE):
            pieces = slice(first, first + _PIECES_AT_ONCE)
            found.append(self._embed(reference[pieces], coded[pieces]))
        return np.concatenate(found)

    def _embed(self, reference: Floats, coded: Floats) -> Floats:
        sides = [(side - FLOOR_DB) / np.float32(LEVEL_DB) for side in (reference, coded)]
        x = np.concatenate([*sides, (coded - reference) / np.float32(DIFFERENCE_DB)], axis=1)
        x = self._stem(np.ascontiguousarray(x.transpose(0, 2, 3, 1), dtype=np.float32))
        for block in self._blocks:
            x = block(x)
        x = x.transpose(0, 3, 1, 2)  # (N, C, B, F)
        pooled = np.concatenate([x.mean(axis=3), x.std(axis=3)], axis=1).reshape(len(x), -1)
        return np.maximum(pooled @ self._layer[0].T + self._layer[1], np.float32(0.0))

    def judge(self, features: Floats) -> tuple[Floats, Floats]:
        """Quality and spread of features, (N, H) -> (N,) each, MOS."""
        h = np.maximum(features @ self._hidden.T, np.float32(0.0))
        quality = 1.05 + 3.75 * sigmoid(TOP_LOGIT - h @ self._quality)
        spread = 0.1 + 0.9 * sigmoid(h @ self._spread[0][0] + self._spread[1])
        return quality, spread


def _convolution(
    stored: StoredTensors, name: str, inputs: int, outputs: int, size: tuple[int, int], stride: int = 1
) -> _Convolution:
    weights = stored.take(f"{name}.weights", outputs, inputs, *size, dtype=np.float32)
    matrix = np.ascontiguousarray(weights.transpose(2, 3, 1, 0).reshape(-1, outputs))
    return _Convolution(matrix, stored.take(f"{name}.bias", outputs, dtype=np.float32), size, stride)


def _linear(stored: StoredTensors, name: str, inputs: int, outputs: int) -> tuple[Floats, Floats]:
    weights = stored.take(f"{name}.weights", outputs, inputs, dtype=np.float32)
    return weights, stored.take(f"{name}.bias", outputs, dtype=np.float32)


def _block(stored: StoredTensors, name: str, inputs: int, widths: tuple[int, int, int, int], *, halves: bool) -> _Block:
    one, three, seven, mean = widths
    width, gate = sum(widths), sum(widths) // 8

    def two(branch: str, outputs: int, size: tuple[int, int]) -> tuple[_Convolution, _Convolution]:
        first = _convolution(stored, f"{name}.{branch}.0", inputs, outputs // 2, (1, 1))
        return first, _convolution(stored, f"{name}.{branch}.1", outputs // 2, outputs, size)

    return _Block(
        _convolution(stored, f"{name}.point", inputs, one, (1, 1)),
        two("three", three, (3, 3)),
        two("seven", seven, (1, 7)),
        _convolution(stored, f"{name}.mean", inputs, mean, (1, 1)),
        _linear(stored, f"{name}.squeeze", width, gate),
        _linear(stored, f"{name}.excite", gate, width),
        halves,
    )
