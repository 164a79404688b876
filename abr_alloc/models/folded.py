"""The exact NumPy form of Attentive AV-FusionNet at N = 1, for whole grids of pairs.

With one temporal unit every attention softmax runs over a single key and is 1, so attention is its value path alone,
out(value(x)): an affine map. X_a^ca then depends on the video only and X_v^ca on the audio only, and everything up to
the head's first activation folds into

    h1(a, v) = P x_a + R GELU(W_v x_v) + c

(x standardised). A scene with n_a audio and n_v video renditions costs n_a + n_v products and n_a n_v additions, plus
the head. All query and key weights (42.8 % of the network) drop out.

Axes: A audio renditions, V video renditions, D = 512 model width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["FoldedFusionNet", "Standardizer", "gelu"]

Floats = npt.NDArray[np.float32]

_SQRT_HALF = np.float32(np.sqrt(0.5))
_ERFC_P = np.float32(0.3275911)
_ERFC_A = tuple(map(np.float32, (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)))  # a5 .. a1
_BLOCK_PAIRS = 4096


def gelu(x: Floats) -> Floats:
    """x Phi(x) with Phi by Abramowitz and Stegun, 7.1.26: |error| <= 1.5e-7 |x| / 2.

    SciPy's erf would be exact to the last digit, but importing it costs a third of a plan's whole start.
    """
    u = np.abs(x) * _SQRT_HALF
    t = np.float32(1.0) / (np.float32(1.0) + _ERFC_P * u)
    tail = _ERFC_A[0] * t
    for a in _ERFC_A[1:]:
        tail = (tail + a) * t
    tail *= np.float32(0.5) * np.exp(-u * u)  # Phi(-|x|)
    return x * np.where(x < 0, tail, np.float32(1.0) - tail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standardizer:
    """Per-feature standardisation, clipped so that a strange input cannot run away."""

    mean: Floats
    """Shape (d,)."""
    std: Floats
    """Shape (d,), 1 where a feature never varied."""

    CLIP = np.float32(6.0)

    def __call__(self, x: npt.NDArray[np.floating]) -> Floats:
        """Standardise features (..., d)."""
        z = (x.astype(np.float32, copy=False) - self.mean) / self.std
        return np.clip(z, -self.CLIP, self.CLIP)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Affine:
    """x -> x weight.T + bias, as torch's Linear."""

    weight: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        return x @ self.weight.T + self.bias

    def after(self, inner: _Affine) -> _Affine:
        """self(inner(x)) as one map."""
        return _Affine(weight=self.weight @ inner.weight, bias=self.weight @ inner.bias + self.bias)

    def columns(self, part: slice) -> _Affine:
        """The map restricted to a slice of its input; the bias stays whole."""
        return _Affine(weight=self.weight[:, part], bias=self.bias)


class FoldedFusionNet:
    """Attentive AV-FusionNet at N = 1."""

    def __init__(self, weights: Mapping[str, Floats], audio: Standardizer, video: Standardizer) -> None:
        """Fold a network's weights.

        Args:
            weights: the state of `fusionnet.AttentiveFusionNet` by name; query and key weights are not needed.
            audio: standardisation of the audio features.
            video: standardisation of the video features.

        Raises:
            KeyError: a weight is missing.
        """

        def affine(name: str) -> _Affine:
            return _Affine(
                weight=weights[f"{name}.weight"].astype(np.float32), bias=weights[f"{name}.bias"].astype(np.float32)
            )

        self._standardize_audio, self._standardize_video = audio, video
        self._project = affine("audio_projection") if "audio_projection.weight" in weights else None
        self._embed = affine("video_embedding")
        self._a_ca = affine("audio_cross.out").after(affine("audio_cross.value"))  # X'_v -> X_a^ca
        self._v_ca = affine("video_cross.out").after(affine("video_cross.value"))  # X_a  -> X_v^ca
        d = self._embed.weight.shape[0]
        num_hidden = sum(name.startswith("hidden.") and name.endswith(".weight") for name in weights)
        first = affine("hidden.0").after(affine("joint.out")).after(affine("joint.value"))  # J -> h1
        self._from_video = _Affine(weight=first.weight[:, :d], bias=first.bias).after(self._a_ca)
        no_bias = np.zeros_like(first.bias)
        self._from_audio = _Affine(weight=first.weight[:, d:], bias=no_bias).after(self._v_ca)
        self._hidden = [affine(f"hidden.{i}") for i in range(1, num_hidden)]
        self._output = affine("output")

    # Stages: features -> embeddings -> parts of h1 -> AVQ.

    def embed_audio(self, x_a: npt.NDArray[np.floating]) -> Floats:
        """Standardised (and, where d_a is not D, projected) audio features X_a: (A, d_a) -> (A, D)."""
        z = self._standardize_audio(x_a)
        return self._project(z) if self._project else z

    def embed_video(self, x_v: npt.NDArray[np.floating]) -> Floats:
        """X'_v = GELU(X_v W_v): (V, d_v) -> (V, D)."""
        return gelu(self._embed(self._standardize_video(x_v)))

    def _head(self, h1: Floats) -> Floats:
        """First pre-activations (n, d_ff) -> AVQ (n,)."""
        hidden = gelu(h1)
        for layer in self._hidden:
            hidden = gelu(layer(hidden))
        return self._output(hidden)[:, 0]

    def predict(self, x_a: npt.NDArray[np.floating], x_v: npt.NDArray[np.floating]) -> Floats:
        """AVQ of stimuli: (n, d_a), (n, d_v) -> (n,) MOS."""
        return self._head(self._from_audio(self.embed_audio(x_a)) + self._from_video(self.embed_video(x_v)))

    def predict_grid(self, x_a: npt.NDArray[np.floating], x_v: npt.NDArray[np.floating]) -> Floats:
        """AVQ of every pair: (A, d_a), (V, d_v) -> (V, A) MOS."""
        from_audio = self._from_audio(self.embed_audio(x_a))  # (A, d_ff)
        from_video = self._from_video(self.embed_video(x_v))  # (V, d_ff)
        step = max(1, _BLOCK_PAIRS // max(1, len(from_audio)))
        blocks = [
            self._head((from_video[i : i + step, None, :] + from_audio[None, :, :]).reshape(-1, from_audio.shape[1]))
            for i in range(0, len(from_video), step)
        ]
        return np.concatenate(blocks).reshape(len(from_video), len(from_audio))

    def ablation(self, x_a: npt.NDArray[np.floating], x_v: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Ablation sensitivity |f(x) - f(x without m)| / |f(x)| of audio and of video, each (n,) (paper, Eq. 6).

        A modality is taken away by setting its standardised features to 0, their mean over the training set.
        """
        z_a, e_v = self.embed_audio(x_a), self.embed_video(x_v)
        without_a = self._project(np.zeros_like(x_a, dtype=np.float32)) if self._project else np.zeros_like(z_a)
        without_v = np.broadcast_to(gelu(self._embed.bias), e_v.shape)
        full = self._head(self._from_audio(z_a) + self._from_video(e_v))
        no_audio = self._head(self._from_audio(without_a) + self._from_video(e_v))
        no_video = self._head(self._from_audio(z_a) + self._from_video(without_v))
        scale = np.maximum(np.abs(full), np.float32(1e-6))
        return np.abs(full - no_audio) / scale, np.abs(full - no_video) / scale

    def change_norm(self, x_a: npt.NDArray[np.floating], x_v: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Feature change ||pre - post|| / ||pre|| by cross-attention, of audio and of video, each (n,) (paper, Eq. 7).

        At N = 1 `post` of one modality depends on the other alone: the norm compares two modalities.
        """
        z_a, e_v = self.embed_audio(x_a), self.embed_video(x_v)
        return _relative_change(z_a, self._a_ca(e_v)), _relative_change(e_v, self._v_ca(z_a))


def _relative_change(pre: Floats, post: Floats) -> Floats:
    norm = np.linalg.norm(pre, axis=1)
    return np.asarray(np.linalg.norm(pre - post, axis=1) / np.maximum(norm, 1e-6), dtype=np.float32)
