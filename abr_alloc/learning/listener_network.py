"""The listener in torch: what is trained. `abr_alloc/listener/network.py` is the same in NumPy.

Axes: N sounds, C channels, B bands, F frames; H = 512.

    x        = [(reference + 70) / 25 ; (coded + 70) / 25 ; (coded - reference) / 10] of four views, dB (N, 12, B, F)
    stem     : 3 x 3 convolution, every second band and frame                     (N, 24, B/2, F/2)
    inception: side by side 1 x 1, 3 x 3, 1 x 7 (over frames) and a mean, each behind a 1 x 1 convolution; every block
               is followed by squeeze-and-excitation, some by a maximum over 2 x 2
    e        = relu(W [mean over frames ; deviation over frames] + b)             (N, H)
    features = e(reference, coded) - e(reference, reference)                      (N, H), 0 where nothing is lost
    h        = relu(U features)                                                   (N, 64)
    quality  = 1.05 + 3.75 sigmoid(3.178 - v . h)                                 1.05-4.8 MOS
    spread   = 0.1 + 0.9 sigmoid(s + w . h)                                       MOS, a standard deviation

Convolutions are followed by batch normalisation, which `to_tensors` folds into them. That the layer of the source
beside itself is taken away puts the source at the top of the scale for every content, and its features at zero.

The blocks are Inception's (Szegedy et al., 2015) with the gates of squeeze-and-excitation (Hu et al., 2018).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from abr_alloc.listener.network import (
    BLOCKS,
    DIFFERENCE_DB,
    FEATURES,
    HIDDEN,
    LEVEL_DB,
    NUM_BANDS,
    STEM_CHANNELS,
    TOP_LOGIT,
)
from abr_alloc.listener.spectrograms import FLOOR_DB

__all__ = ["ListenerNet", "to_tensors"]

_EPSILON = 1e-5


class _Convolution(nn.Module):
    """A convolution without bias, batch normalisation, relu."""

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int], stride: int = 1) -> None:
        super().__init__()
        padding = (size[0] // 2, size[1] // 2)
        self.weights = nn.Conv2d(inputs, outputs, size, stride=stride, padding=padding, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = torch.relu(self.norm(self.weights(x)))
        return found


class _Inception(nn.Module):
    """One block, its gate and its maximum."""

    def __init__(self, inputs: int, widths: tuple[int, int, int, int], *, halves: bool) -> None:
        super().__init__()
        one, three, seven, mean = widths
        self.point = _Convolution(inputs, one, (1, 1))
        self.three = nn.Sequential(_Convolution(inputs, three // 2, (1, 1)), _Convolution(three // 2, three, (3, 3)))
        self.seven = nn.Sequential(_Convolution(inputs, seven // 2, (1, 1)), _Convolution(seven // 2, seven, (1, 7)))
        self.mean = _Convolution(inputs, mean, (1, 1))
        width = sum(widths)
        self.squeeze, self.excite = nn.Linear(width, width // 8), nn.Linear(width // 8, width)
        self.halves = halves

    def forward(self, x: Tensor) -> Tensor:
        around = nn.functional.avg_pool2d(x, 3, stride=1, padding=1)
        x = torch.cat([self.point(x), self.three(x), self.seven(x), self.mean(around)], dim=1)
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean(dim=(2, 3))))))
        x = x * gate[:, :, None, None]
        return nn.functional.max_pool2d(x, 2) if self.halves else x


class ListenerNet(nn.Module):
    """The network. In evaluation mode a sound's answer depends on nothing but the sound."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Convolution(12, STEM_CHANNELS, (3, 3), stride=2)
        blocks, inputs, bands = [], STEM_CHANNELS, NUM_BANDS // 2
        for widths, halves in BLOCKS:
            blocks.append(_Inception(inputs, widths, halves=halves))
            inputs, bands = sum(widths), bands // 2 if halves else bands
        self.blocks = nn.Sequential(*blocks)
        self.layer = nn.Linear(2 * inputs * bands, FEATURES)
        self.hidden = nn.Linear(FEATURES, HIDDEN, bias=False)
        self.quality = nn.Linear(HIDDEN, 1, bias=False)
        self.spread = nn.Linear(HIDDEN, 1)
        self.auxiliary = nn.Linear(HIDDEN, 1)  # ViSQOL's MOS; for training alone
        with torch.no_grad():
            self.quality.weight.abs_()
            self.spread.bias.fill_(-1.5)

    def embed(self, reference: Tensor, coded: Tensor) -> Tensor:
        """e of sounds, (N, 4, B, F) each, dB -> (N, H)."""
        sides = [(side - FLOOR_DB) / LEVEL_DB for side in (reference, coded)]
        x = torch.cat([*sides, (coded - reference) / DIFFERENCE_DB], dim=1).contiguous(
            memory_format=torch.channels_last
        )
        x = self.blocks(self.stem(x))
        pooled = torch.cat([x.mean(dim=3), x.std(dim=3, unbiased=False)], dim=1).flatten(1)
        found: Tensor = torch.relu(self.layer(pooled))
        return found

    def judge(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quality, spread and the auxiliary answer of features, (N, H) -> (N,) each, MOS."""
        h = torch.relu(self.hidden(features))
        quality = 1.05 + 3.75 * torch.sigmoid(TOP_LOGIT - self.quality(h)[:, 0])
        spread = 0.1 + 0.9 * torch.sigmoid(self.spread(h)[:, 0])
        auxiliary = 1.0 + 3.75 * torch.sigmoid(TOP_LOGIT - self.auxiliary(h)[:, 0])
        return quality, spread, auxiliary


def _folded(convolution: _Convolution) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    norm = convolution.norm
    assert norm.running_var is not None and norm.running_mean is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weights = convolution.weights.weight * scale[:, None, None, None]
    return weights.detach().numpy(), (norm.bias - norm.running_mean * scale).detach().numpy()


def to_tensors(network: ListenerNet) -> dict[str, npt.NDArray[np.float16]]:
    """Tensors of a trained network as `abr_alloc.listener.network` reads them, in half precision."""
    found: dict[str, npt.NDArray[np.float32]] = {}
    for name, part in network.named_modules():
        if isinstance(part, _Convolution):
            found[f"{name}.weights"], found[f"{name}.bias"] = _folded(part)
        elif isinstance(part, nn.Linear) and name != "auxiliary":
            found[f"{name}.weights"] = part.weight.detach().numpy()
            if part.bias is not None:
                found[f"{name}.bias"] = part.bias.detach().numpy()
    return {name: np.ascontiguousarray(tensor, dtype=np.float16) for name, tensor in found.items()}
