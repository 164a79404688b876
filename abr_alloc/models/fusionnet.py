"""Attentive AV-FusionNet (Salaj and Biswas, 2025), in torch: what is trained.

Axes: B batch, N temporal units, D = 512 model width, d_a and d_v input features.

    X'_v   = GELU(X_v W_v)                        (B, N, d_v) -> (B, N, D)
    X_a^ca = attention(query X_a,  key/value X'_v)        cross-attention, both ways
    X_v^ca = attention(query X'_v, key/value X_a)
    J      = [X_a^ca ; X_v^ca]                    (B, N, 2D)
    J'     = self-attention(J)                    (B, N, 2D)
    AVQ    = head(mean of J' over N)              (B,)

No residual connections, no positional encoding. The paper does not say how N > 1 units become one score; here their
self-attended representations are averaged, which at N = 1 changes nothing. At N = 1 every softmax runs over one key,
so queries and keys cannot matter and `folded.py` gives the same numbers without them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["AttentiveFusionNet", "FusionNetConfig", "MultiHeadAttention"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionNetConfig:
    """Shape of an Attentive AV-FusionNet; the defaults are the paper's."""

    audio_dim: int = 512
    """Audio input features d_a; other than `d_model` puts a learned projection first."""
    video_dim: int = 6
    """Video input features d_v."""
    d_model: int = 512
    """Model width D."""
    num_heads: int = 4
    """Attention heads H."""
    num_hidden_layers: int = 3
    """Hidden layers of the head."""
    d_ff: int = 512
    """Width of the head's hidden layers."""
    dropout: float = 0.1
    """Dropout in the head."""


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention with H heads and separately named projections."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"a width of {width} does not divide into {num_heads} heads")
        self.num_heads = num_heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Attend from x (B, N, W) to context (B, M, W); returns (B, N, W)."""
        if context.shape[-2] == 1:  # a softmax over one key is 1: queries and keys cannot matter
            return self.out(self.value(context)).expand(*x.shape[:-1], -1)

        def split(t: Tensor) -> Tensor:  # (B, N, W) -> (B, H, N, W/H)
            return t.reshape(*t.shape[:-1], self.num_heads, -1).transpose(1, 2)

        heads = functional.scaled_dot_product_attention(
            split(self.query(x)), split(self.key(context)), split(self.value(context))
        )
        return self.out(heads.transpose(1, 2).flatten(-2))


class AttentiveFusionNet(nn.Module):
    """Attentive AV-FusionNet: cross-attention both ways, self-attention over the joint representation, a head."""

    def __init__(self, config: FusionNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or FusionNetConfig()
        d = config.d_model
        self.audio_projection = nn.Linear(config.audio_dim, d) if config.audio_dim != d else None
        self.video_embedding = nn.Linear(config.video_dim, d)
        self.audio_cross = MultiHeadAttention(d, config.num_heads)
        self.video_cross = MultiHeadAttention(d, config.num_heads)
        self.joint = MultiHeadAttention(2 * d, config.num_heads)
        widths = [2 * d, *[config.d_ff] * config.num_hidden_layers]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(widths[-1], 1)

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
        if self.audio_projection is not None:
            x_a = self.audio_projection(x_a)  # (B, N, D)
        x_v = functional.gelu(self.video_embedding(x_v))  # (B, N, D)
        a_ca = self.audio_cross(x_a, x_v)
        v_ca = self.video_cross(x_v, x_a)
        joint = torch.cat([a_ca, v_ca], dim=-1)  # (B, N, 2D)
        hidden = self.joint(joint, joint).mean(dim=1)  # (B, 2D)
        for layer in self.hidden:
            hidden = self.dropout(functional.gelu(layer(hidden)))
        return self.output(hidden).squeeze(-1)  # (B,)
