"""The exact NumPy form of the fusion networks at N = 1, for whole grids of pairs.

With one temporal unit every attention softmax runs over a single key and is 1, so attention is its value path alone,
out(value(x)): an affine map. Everything up to the head's first activation is then affine in the embeddings, whatever
the network (`fusionnet.fold` reads the map off), and folds into

    h1(a, v) = P z_a + R act(W_v z_v) + c

with z the standardised features. A scene with n_a audio and n_v video renditions costs n_a + n_v products and n_a n_v
additions, plus the head. All query and key weights (42.8 % of the Attentive network) drop out. Checkpoints hold this
form, of one network or of several whose predictions are averaged.

Axes: A audio renditions, V video renditions, D = 512 model width.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from abr_alloc.documents import shown, whole_of
from abr_alloc.models.activations import ACTIVATIONS, gelu
from abr_alloc.models.standardizer import Standardizer, power_transform
from abr_alloc.models.stored import StoredTensors

__all__ = ["FoldedFusionNet", "FusionEnsemble", "Standardizer", "gelu", "power_transform"]

Floats = npt.NDArray[np.float32]

_BLOCK_PAIRS = 288  # a block's activations, 576 KiB, stay in a core's second-level cache
_MOST_MEMBERS = 64
_MOST_AVERAGES = 16
_MANY_ROWS, _LARGE_PRODUCT = 16, 1_000_000


class FoldedFusionNet:
    """One fusion network at N = 1."""

    def __init__(
        self, weights: Mapping[str, Floats], audio: Standardizer, video: Standardizer, activation: str = "gelu"
    ) -> None:
        """Take a folded network.

        Args:
            weights: what `fusionnet.fold` gives, by name.
            audio: standardisation of the audio features.
            video: standardisation of the video features.
            activation: `gelu` or `relu`.

        Raises:
            KeyError: a weight is missing, or the activation is unknown.
        """
        self.weights = {name: np.asarray(weight, dtype=np.float32) for name, weight in weights.items()}
        self.audio, self.video, self.activation = audio, video, activation
        self._act = ACTIVATIONS[activation]
        self._averages: dict[int, tuple[Floats, Floats]] = {}
        self._columns: dict[str, Floats] = {}
        self._num_hidden = sum(name.startswith("hidden.") and name.endswith(".weight") for name in weights)
        for name in ("video_embedding.weight", "video_embedding.bias", "first.bias", "output.weight", "output.bias"):
            if name not in self.weights:
                raise KeyError(name)

    # Stages: features -> embeddings -> parts of h1 -> AVQ.

    def _affine(self, name: str, x: Floats) -> Floats:
        return self._product(f"{name}.weight", x) + self.weights[f"{name}.bias"]

    def _product(self, name: str, x: Floats, out: Floats | None = None) -> Floats:
        """Rows (n, d) times a matrix (e, d), (n, e). The matrix is kept column by column too, which BLAS need not turn
        over, for products so large that it adds them up in the same order; small ones have ways of their own."""
        matrix = self.weights[name]
        if len(x) < _MANY_ROWS and len(x) * matrix.size <= _LARGE_PRODUCT:
            return np.matmul(x, matrix.T, out=out)
        if name not in self._columns:
            self._columns[name] = np.ascontiguousarray(matrix.T)
        return np.matmul(x, self._columns[name], out=out)

    def _part(self, name: str, side: str, x: Floats) -> Floats | np.float32:
        """One modality's share of a folded map; 0 where the map does not read it."""
        own = f"{name}.{side}"
        return self._product(own, x) if own in self.weights else np.float32(0.0)

    def _embed_video(self, x_v: npt.NDArray[np.floating]) -> Floats:
        """X'_v = act(z_v W_v): (V, d_v) -> (V, D)."""
        e_v = self._affine("video_embedding", self.video(x_v))
        return self._act(e_v, np.empty((2, *e_v.shape), dtype=np.float32))

    def _parts(self, x_a: npt.NDArray[np.floating], x_v: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
        """What each rendition adds to h1: (A, d_a), (V, d_v) -> (A, d_ff) with the bias, (V, d_ff)."""
        from_audio = self._part("first", "audio", self.audio(x_a)) + self.weights["first.bias"]
        from_video = self._part("first", "video", self._embed_video(x_v))
        width = from_audio.shape[-1]
        return np.broadcast_to(from_audio, (len(x_a), width)), np.broadcast_to(from_video, (len(x_v), width))

    def predict_pairs(
        self,
        x_a: npt.NDArray[np.floating],
        x_v: npt.NDArray[np.floating],
        audio: npt.NDArray[np.intp],
        video: npt.NDArray[np.intp],
    ) -> Floats:
        """AVQ of pairs of renditions: (A, d_a), (V, d_v), indices (n,) of rows of each -> (n,) MOS.

        Block after block of pairs, in place, so that activations never leave the cache.
        """
        return self._head(*self._parts(x_a, x_v), audio, video)

    def _head(
        self, from_audio: Floats, from_video: Floats, audio: npt.NDArray[np.intp], video: npt.NDArray[np.intp]
    ) -> Floats:
        """AVQ of pairs, (n,), from what renditions add to h1."""
        avq = np.empty(len(audio), dtype=np.float32)
        size = -(-len(avq) // max(1, -(-len(avq) // _BLOCK_PAIRS)))  # blocks of nearly equal size
        room = np.empty((4, size, from_audio.shape[1]), dtype=np.float32)
        for first in range(0, len(avq), max(1, size)):
            chosen = slice(first, first + size)
            own = room[:, : len(avq[chosen])]
            hidden, other, scratch = own[0], own[1], own[2:]
            np.take(from_video, video[chosen], axis=0, out=hidden, mode="clip")
            np.take(from_audio, audio[chosen], axis=0, out=other, mode="clip")
            hidden += other  # h1
            self._act(hidden, scratch)
            for i in range(1, self._num_hidden + 1):
                self._product(f"hidden.{i}.weight", hidden, out=other)
                other += self.weights[f"hidden.{i}.bias"]
                hidden, other = self._act(other, scratch), hidden
            avq[chosen] = (hidden @ self.weights["output.weight"].T + self.weights["output.bias"])[:, 0]
        return avq

    def predict(self, x_a: npt.NDArray[np.floating], x_v: npt.NDArray[np.floating]) -> Floats:
        """AVQ of stimuli: (n, d_a), (n, d_v) -> (n,) MOS."""
        rows = np.arange(len(x_a))
        return self.predict_pairs(x_a, x_v, rows, rows)

    def predict_ablated(
        self, x_a: npt.NDArray[np.floating], x_v: npt.NDArray[np.floating]
    ) -> tuple[Floats, Floats, Floats]:
        """AVQ of stimuli, (n,) MOS, and of each beside the average audio and the average video: what a rendition adds
        is worked out once for the three."""
        own, rows = self._parts(x_a, x_v), np.arange(len(x_a))
        average = self._average_parts(len(x_a))
        pairs = ((own[0], own[1]), (average[0], own[1]), (own[0], average[1]))
        full, no_audio, no_video = (self._head(*parts, rows, rows) for parts in pairs)
        return full, no_audio, no_video

    def _average_parts(self, n: int) -> tuple[Floats, Floats]:
        """`_parts` of the average stimulus, n times over: a product of so many rows rounds in its own way."""
        if n not in self._averages:
            if len(self._averages) >= _MOST_AVERAGES:
                self._averages.clear()
            neutral = (np.broadcast_to(z.neutral, (n, len(z.neutral))) for z in (self.audio, self.video))
            self._averages[n] = self._parts(*neutral)
        return self._averages[n]

    def predict_grid(self, x_a: npt.NDArray[np.floating], x_v: npt.NDArray[np.floating]) -> Floats:
        """AVQ of every pair: (A, d_a), (V, d_v) -> (V, A) MOS."""
        video, audio = np.divmod(np.arange(len(x_v) * len(x_a)), max(1, len(x_a)))
        return self.predict_pairs(x_a, x_v, audio, video).reshape(len(x_v), len(x_a))

    def change_norm(self, x_a: npt.NDArray[np.floating], x_v: npt.NDArray[np.floating]) -> tuple[Floats, Floats] | None:
        """Feature change ||pre - post|| / ||pre|| by cross-attention, of audio and of video, each (n,) (paper, Eq. 7);
        None where there is no cross-attention.

        At N = 1 `post` of one modality depends on the other alone: the norm compares two modalities.
        """
        if "audio_post.bias" not in self.weights:
            return None
        z_a, e_v = self.audio(x_a), self._embed_video(x_v)
        e_a = self._affine("audio_projection", z_a) if "audio_projection.weight" in self.weights else z_a
        changes = []
        for name, pre in (("audio_post", e_a), ("video_post", e_v)):
            post = self._part(name, "audio", z_a) + self._part(name, "video", e_v) + self.weights[f"{name}.bias"]
            norm = np.maximum(np.linalg.norm(pre, axis=1), 1e-6)
            changes.append(np.asarray(np.linalg.norm(pre - post, axis=1) / norm, dtype=np.float32))
        return changes[0], changes[1]


class FusionEnsemble:
    """Fusion networks of one kind whose predictions are averaged; one network is an ensemble of one."""

    architecture = "fusionnet"

    def __init__(self, members: Sequence[FoldedFusionNet]) -> None:
        if not members:
            raise ValueError("an ensemble has at least one member")
        self.members = tuple(members)

    @property
    def neutral(self) -> tuple[Floats, Floats]:
        """Audio features (d_a,) and video features (d_v,) of the average training stimulus."""
        first = self.members[0]
        return first.audio.neutral, first.video.neutral

    def predict(self, x_a: npt.NDArray[np.floating], x_v: npt.NDArray[np.floating]) -> Floats:
        """AVQ of stimuli: (n, d_a), (n, d_v) -> (n,) MOS."""
        return _mean([member.predict(x_a, x_v) for member in self.members])

    def predict_pairs(
        self,
        x_a: npt.NDArray[np.floating],
        x_v: npt.NDArray[np.floating],
        audio: npt.NDArray[np.intp],
        video: npt.NDArray[np.intp],
    ) -> Floats:
        """AVQ of pairs of renditions: (A, d_a), (V, d_v), indices (n,) of rows of each -> (n,) MOS."""
        return _mean([member.predict_pairs(x_a, x_v, audio, video) for member in self.members])

    def predict_grid(self, x_a: npt.NDArray[np.floating], x_v: npt.NDArray[np.floating]) -> Floats:
        """AVQ of every pair: (A, d_a), (V, d_v) -> (V, A) MOS."""
        return _mean([member.predict_grid(x_a, x_v) for member in self.members])

    def predict_ablated(
        self, x_a: npt.NDArray[np.floating], x_v: npt.NDArray[np.floating]
    ) -> tuple[Floats, Floats, Floats]:
        """AVQ of stimuli, (n,) MOS, and of each beside the average audio and the average video."""
        full, no_audio, no_video = zip(*(member.predict_ablated(x_a, x_v) for member in self.members), strict=True)
        return _mean(full), _mean(no_audio), _mean(no_video)

    def change_norm(self, x_a: npt.NDArray[np.floating], x_v: npt.NDArray[np.floating]) -> tuple[Floats, Floats] | None:
        """Mean over the members of `FoldedFusionNet.change_norm`."""
        found = [change for member in self.members if (change := member.change_norm(x_a, x_v)) is not None]
        return (_mean([audio for audio, _ in found]), _mean([video for _, video in found])) if found else None

    def state(self) -> tuple[dict[str, npt.NDArray[np.floating]], dict[str, Any]]:
        """Tensors, in half precision but for the standardisation, and settings: what `restore` takes."""
        tensors: dict[str, npt.NDArray[np.floating]] = {}
        for i, member in enumerate(self.members):
            tensors |= {f"{i}.{name}": weight.astype(np.float16) for name, weight in member.weights.items()}
            for kind, standardizer in (("audio", member.audio), ("video", member.video)):
                tensors |= {f"{i}.{kind}.mean": standardizer.mean, f"{i}.{kind}.std": standardizer.std}
                if standardizer.power is not None:
                    tensors[f"{i}.{kind}.power"] = standardizer.power
        return tensors, {"members": len(self.members), "activation": self.members[0].activation}

    @classmethod
    def restore(cls, tensors: Mapping[str, npt.NDArray[np.generic]], settings: Mapping[str, Any]) -> FusionEnsemble:
        """The inverse of `state`; raises KeyError and ValueError as `StoredTensors.take`."""
        if (activation := settings["activation"]) not in ("gelu", "relu"):
            raise ValueError(f"activation is {shown(activation)}, not gelu or relu")
        stored, num = StoredTensors(tensors), whole_of(settings, "members", 1, _MOST_MEMBERS)
        members = [_member(stored, f"{i}.", activation) for i in range(num)]
        stored.end()
        return cls(members)


def _member(stored: StoredTensors, prefix: str, activation: str) -> FoldedFusionNet:
    """One network of an ensemble; all read the same columns, and widths are each one's own."""
    width, hidden = f"{prefix}D", f"{prefix}d_ff"

    def standardizer(kind: str, columns: str) -> Standardizer:
        return Standardizer(
            mean=stored.take(f"{prefix}{kind}.mean", columns, dtype=np.float32),
            std=stored.take(f"{prefix}{kind}.std", columns, dtype=np.float32, above=0.0),
            power=stored.take_any(f"{prefix}{kind}.power", columns, dtype=np.float32),
        )

    weights: dict[str, npt.NDArray[np.floating]] = {}

    def take(name: str, *axes: str | int) -> None:
        weights[name] = stored.take(prefix + name, *axes, dtype=np.float32)

    def take_layer(name: str, rows: str | int, columns: str) -> None:
        take(f"{name}.weight", rows, columns)
        take(f"{name}.bias", rows)

    audio, video = standardizer("audio", "d_a"), standardizer("video", "d_v")
    take_layer("video_embedding", width, "d_v")
    if f"{prefix}audio_projection.weight" in stored:
        take_layer("audio_projection", width, "d_a")
    crossed = ("audio_post", "video_post") if f"{prefix}audio_post.bias" in stored else ()
    maps = {"first": hidden} | dict.fromkeys(crossed, width)
    for name, rows in maps.items():
        take(f"{name}.bias", rows)
        for side, columns in (("audio", "d_a"), ("video", width)):
            if f"{prefix}{name}.{side}" in stored:  # a modality that a map does not read is not there
                take(f"{name}.{side}", rows, columns)
    for number in itertools.takewhile(lambda n: f"{prefix}hidden.{n}.weight" in stored, itertools.count(1)):
        take_layer(f"hidden.{number}", hidden, hidden)
    take_layer("output", 1, hidden)
    return FoldedFusionNet(weights, audio, video, activation)


def _mean(parts: Sequence[Floats]) -> Floats:
    return parts[0] if len(parts) == 1 else np.asarray(np.mean(parts, axis=0), dtype=np.float32)
