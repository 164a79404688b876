"""The four networks of the paper (Salaj and Biswas, 2025, Table 1), in torch: what is trained.

Axes: B batch, N temporal units, D = 512 model width, d_a and d_v input features.

    X'_v = act(X_v W_v)             (B, N, d_v) -> (B, N, D)
    J    = joint representation     (B, N, 2D), where the four differ
    AVQ  = head(mean of J over N)   (B,)

    simple      J = [X_a ; X'_v], no attention
    ca          J = [X_a^ca ; X_v^ca], cross-attention both ways
    recursive   X_m <- X_m + attention(query X_m, key/value [X_a ; X_v]), applied R times with the same weights
    attentive   J = self-attention([X_a^ca ; X_v^ca])

Cross-attention of depth L_a (audio) and L_v (video): every layer queries with what its branch has made so far and reads
the other modality's embedding. At N = 1 the last layer's value path alone matters, whatever the depth. (Layers that
read what the other branch has made would hand a modality back and forth: at N = 1 and unequal depths one of the two
would be lost.) No positional encoding; only the recursion has residuals, without
which it would forget its input. The paper does not say how N > 1 units become one score; here their joint
representations are averaged, which at N = 1 changes nothing. At N = 1 every softmax runs over one key, so queries and
keys cannot matter, J is affine in (X_a, X'_v), and `fold` gives the same numbers without them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["KINDS", "FusionNet", "FusionNetConfig", "MultiHeadAttention", "fold"]

KINDS = ("simple", "ca", "recursive", "attentive")
"""The networks, by what makes their joint representation."""

_ROUNDING = 1e-12  # of double precision

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": functional.gelu, "relu": functional.relu}


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionNetConfig:
    """Shape of a network; the defaults are the paper's Attentive AV-FusionNet."""

    kind: str = "attentive"
    """One of `KINDS`."""
    audio_dim: int = 512
    """Audio input features d_a; other than `d_model` puts a learned projection first."""
    video_dim: int = 6
    """Video input features d_v."""
    d_model: int = 512
    """Model width D."""
    num_heads: int = 4
    """Attention heads H."""
    num_audio_cross_layers: int = 1
    """Cross-attention layers of the audio branch, L_a."""
    num_video_cross_layers: int = 1
    """Cross-attention layers of the video branch, L_v."""
    num_recursions: int = 2
    """Recursions R of the recursive network."""
    num_hidden_layers: int = 3
    """Hidden layers of the head."""
    d_ff: int = 512
    """Width of the head's hidden layers."""
    activation: str = "gelu"
    """`gelu` or `relu`, in the video embedding and the head."""
    dropout: float = 0.1
    """Dropout in the head."""


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention with H heads and separately named projections."""

    def __init__(self, width: int, num_heads: int, context_width: int | None = None) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"a width of {width} does not divide into {num_heads} heads")
        context_width = context_width or width
        self.num_heads = num_heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(context_width, width)
        self.value = nn.Linear(context_width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Attend from x (B, N, W) to context (B, M, C); returns (B, N, W)."""
        if context.shape[-2] == 1:  # a softmax over one key is 1: queries and keys cannot matter
            return cast(Tensor, self.out(self.value(context))).expand(*x.shape[:-1], -1)

        def split(t: Tensor) -> Tensor:  # (B, N, W) -> (B, H, N, W/H)
            return t.reshape(*t.shape[:-1], self.num_heads, -1).transpose(1, 2)

        heads = functional.scaled_dot_product_attention(
            split(self.query(x)), split(self.key(context)), split(self.value(context))
        )
        return cast(Tensor, self.out(heads.transpose(1, 2).flatten(-2)))


class CrossAttention(nn.Module):
    """Cross-attention both ways, L_a and L_v layers deep."""

    def __init__(self, width: int, num_heads: int, num_audio_layers: int, num_video_layers: int) -> None:
        super().__init__()
        self.audio = nn.ModuleList(MultiHeadAttention(width, num_heads) for _ in range(num_audio_layers))
        self.video = nn.ModuleList(MultiHeadAttention(width, num_heads) for _ in range(num_video_layers))

    def forward(self, a: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, D), (B, N, D) -> X_a^ca, X_v^ca."""
        post_a, post_v = a, v
        for layer in self.audio:
            post_a = layer(post_a, v)
        for layer in self.video:
            post_v = layer(post_v, a)
        return post_a, post_v


class RecursiveAttention(nn.Module):
    """Each modality attends to the joint representation, again and again with the same weights."""

    def __init__(self, width: int, num_heads: int, num_recursions: int) -> None:
        super().__init__()
        self.num_recursions = num_recursions
        self.audio = MultiHeadAttention(width, num_heads, 2 * width)
        self.video = MultiHeadAttention(width, num_heads, 2 * width)

    def forward(self, a: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, D), (B, N, D) -> the attended modalities."""
        for _ in range(self.num_recursions):
            joint = torch.cat([a, v], dim=-1)  # (B, N, 2D)
            a, v = a + self.audio(a, joint), v + self.video(v, joint)
        return a, v


class FusionNet(nn.Module):
    """Embeddings, a joint representation, a head."""

    def __init__(self, config: FusionNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or FusionNetConfig()
        if config.kind not in KINDS:
            raise ValueError(f"no network {config.kind!r}; there are {', '.join(KINDS)}")
        d = config.d_model
        self.activation = _ACTIVATIONS[config.activation]
        self.audio_projection = nn.Linear(config.audio_dim, d) if config.audio_dim != d else None
        self.video_embedding = nn.Linear(config.video_dim, d)
        self.cross: nn.Module | None = None
        if config.kind in ("ca", "attentive"):
            self.cross = CrossAttention(
                d, config.num_heads, config.num_audio_cross_layers, config.num_video_cross_layers
            )
        elif config.kind == "recursive":
            self.cross = RecursiveAttention(d, config.num_heads, config.num_recursions)
        self.joint = MultiHeadAttention(2 * d, config.num_heads) if config.kind == "attentive" else None
        widths = [2 * d, *[config.d_ff] * config.num_hidden_layers]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(widths[-1], 1)

    def attend(self, a: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, N, D), (B, N, D) -> what the cross-attention makes of them."""
        return cast(tuple[Tensor, Tensor], self.cross(a, v)) if self.cross else (a, v)

    def forward(self, x_a: Tensor, x_v: Tensor) -> Tensor:
        """Predict AVQ from standardised features.

        Args:
            x_a: audio features, shape (B, N, d_a), or (B, d_a) for N = 1.
            x_v: video features, shape (B, N, d_v), or (B, d_v) for N = 1.

        Returns:
            AVQ in MOS, shape (B,).
        """
        if x_a.dim() == 2:
            x_a, x_v = x_a.unsqueeze(1), x_v.unsqueeze(1)
        a = self.audio_projection(x_a) if self.audio_projection else x_a  # (B, N, D)
        v = self.activation(self.video_embedding(x_v))  # (B, N, D)
        joint = torch.cat(self.attend(a, v), dim=-1)  # (B, N, 2D)
        if self.joint:
            joint = self.joint(joint, joint)
        hidden = joint.mean(dim=1)  # (B, 2D)
        for layer in self.hidden:
            hidden = self.dropout(self.activation(layer(hidden)))
        return cast(Tensor, self.output(hidden)).squeeze(-1)  # (B,)


@torch.inference_mode()
def fold(network: FusionNet) -> dict[str, npt.NDArray[np.float32]]:
    """The weights of `folded.FoldedFusionNet`, exact at N = 1.

    Everything between the embeddings and the head's first activation is affine at N = 1, whatever the network, so its
    map is read off by sending zero and the unit vectors through it, in double precision.
    """
    network = network.eval()
    was = next(network.parameters()).dtype
    network.double()
    try:
        config, d = network.config, network.config.d_model
        num_a = config.audio_dim
        inputs = torch.cat([torch.zeros(1, num_a + d), torch.eye(num_a + d)]).double()  # [z_a ; X'_v], (1 + d_a + D, .)
        a = inputs[:, None, :num_a]  # (B, 1, d_a)
        a = network.audio_projection(a) if network.audio_projection else a
        post_a, post_v = network.attend(a, inputs[:, None, num_a:])
        joint = torch.cat([post_a, post_v], dim=-1)
        if network.joint:
            joint = network.joint(joint, joint)
        first = network.hidden[0](joint[:, 0])  # (B, d_ff)
        maps = {"first": first}
        if network.cross is not None:
            maps |= {"audio_post": post_a[:, 0], "video_post": post_v[:, 0]}
        weights: dict[str, npt.NDArray[np.float32]] = {}
        for name, image in maps.items():
            bias, matrix = image[0], (image[1:] - image[0]).T  # (out,), (out, d_a + D)
            weights[f"{name}.bias"] = bias.float().numpy()
            for side, part in (("audio", matrix[:, :num_a]), ("video", matrix[:, num_a:])):
                if (
                    part.abs().max() > _ROUNDING * image.abs().max()
                ):  # a modality that a map does not read costs nothing
                    weights[f"{name}.{side}"] = part.float().contiguous().numpy()
        kept: dict[str, nn.Linear | None] = {"audio_projection": network.audio_projection}
        kept |= {"video_embedding": network.video_embedding, "output": network.output}
        kept |= {f"hidden.{i}": cast(nn.Linear, layer) for i, layer in enumerate(network.hidden) if i > 0}
        for name, layer in kept.items():
            if layer is not None:
                weights[f"{name}.weight"] = layer.weight.float().numpy()
                weights[f"{name}.bias"] = layer.bias.float().numpy()
        return weights
    finally:
        network.to(was)
