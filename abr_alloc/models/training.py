"""Training a fusion network on some contents of a training set.

Standardisation is fitted on the training rows only. AdamW, batches of 32, a one-cycle learning rate over a fixed number
of steps: no step is chosen by looking at contents that are held out. The loss is the paper's. What comes back is the
folded network at N = 1, rounded to half precision as it is stored, so that what is measured is what ships.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from abr_alloc.errors import TuningError
from abr_alloc.models.dataset import TrainingSet
from abr_alloc.models.folded import FoldedFusionNet, FusionEnsemble, Standardizer, power_transform
from abr_alloc.models.fusionnet import FusionNet, FusionNetConfig, fold
from abr_alloc.models.loss import LAMBDA, fusion_loss

__all__ = ["TrainingConfig", "read_settings", "train_ensemble", "train_network"]

_WARM_UP = 0.3  # share of the schedule in which the learning rate rises
# Exponents that make a feature's effect on quality more even; the features of 512 are even enough.
_POWERS = {
    **{f"vif_scale{i}": 0.5 for i in range(4)},
    **{f"vif1d_scale{i}": 0.5 for i in range(4)},
    "frame_diff": 0.0,
    "motion2": 0.0,
    "bitrate_kbps": 0.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How to train; the defaults are those of the model that ships."""

    network: FusionNetConfig = field(default_factory=FusionNetConfig)
    """Shape of the network; the numbers of its inputs follow from the data."""
    learning_rate: float = 3e-4
    """Peak of the one-cycle schedule."""
    weight_decay: float = 0.05
    """AdamW's weight decay."""
    num_steps: int = 3000
    """Steps of the schedule."""
    batch_size: int = 32
    """Pairs per step."""
    audio_noise: float = 0.05
    """Standard deviation of noise on standardised audio features."""
    video_noise: float = 0.02
    """Standard deviation of noise on standardised video features."""
    lam: float = LAMBDA
    """Weight of 1 - CCC in the loss."""
    power_transform: bool = False
    """Transform features that quality depends on unevenly (square root of VIF, logarithm of motion)."""
    num_members: int = 1
    """Networks, of different seeds, whose predictions are averaged."""
    seed: int = 0
    """Seed of everything random."""


def read_settings(path: Path, kind: str) -> TrainingConfig:
    """Settings of a network from JSON, as `tune` writes them.

    Raises:
        TuningError: the file cannot be read, is of another network, or has a setting that there is not.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        network = FusionNetConfig(**found.pop("network"))
        config = TrainingConfig(network=network, **found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TuningError(f"settings {path} cannot be used: {error}; write them with `abr-alloc tune`") from error
    if network.kind != kind:
        raise TuningError(f"settings {path} are of the network {network.kind!r}, not {kind!r}; choose another --system")
    return config


def _standardizer(x: npt.NDArray[np.float32], names: Sequence[str], config: TrainingConfig) -> Standardizer:
    power = np.array([_POWERS.get(name, 1.0) for name in names], dtype=np.float32) if config.power_transform else None
    if power is not None:
        x = power_transform(x, power)
    std = x.std(axis=0, dtype=np.float64)
    # A feature that hardly varies carries no information; dividing by its spread would make noise of it.
    std = np.where(std > 1e-4, std, 1.0)
    mean = x.mean(axis=0, dtype=np.float64)
    return Standardizer(mean=mean.astype(np.float32), std=std.astype(np.float32), power=power)


def _batches(
    data: TrainingSet, contents: Sequence[str], batch_size: int, rng: np.random.Generator
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]]:
    """Endless batches (audio rows, video rows, labels) of the given contents.

    Rated pairs come in shuffled epochs. Teacher labels let audio and video be drawn apart, each first by content, so
    that a content with many scenes does not drown the others.
    """
    if data.teacher is None:
        pairs = data.pairs_of(contents)
        while True:
            order = rng.permutation(pairs)
            for i in range(0, max(1, len(order) - batch_size + 1), batch_size):
                chosen = order[i : i + batch_size]
                yield data.pairs[chosen, 0], data.pairs[chosen, 1], data.mos[chosen]
    samplers = [data.row_sampler(side, contents) for side in ("audio", "video")]
    while True:
        audio, video = (draw(batch_size, rng) for draw in samplers)
        yield audio, video, data.label(audio, video)


def train_network(
    data: TrainingSet,
    contents: Sequence[str],
    config: TrainingConfig,
    *,
    on_step: Callable[[int, float], None] | None = None,
) -> FoldedFusionNet:
    """Train one network.

    Args:
        data: rows, pairs and labels.
        contents: contents to train on.
        config: how.
        on_step: told the step and the loss, every hundred steps.
    """
    rng = np.random.default_rng(config.seed)
    torch.manual_seed(config.seed)
    audio_names, video_names = data.audio_names, data.video_names
    x_a, x_v = data.audio(audio_names), data.video(video_names)
    skip = list(set(data.contents) - set(contents))
    audio = _standardizer(x_a[~np.isin(data.content_a, skip)], audio_names, config)
    video = _standardizer(x_v[~np.isin(data.content_v, skip)], video_names, config)
    z_a, z_v = torch.from_numpy(audio(x_a)), torch.from_numpy(video(x_v))
    network = FusionNet(replace(config.network, audio_dim=len(audio_names), video_dim=len(video_names)))
    nn.init.constant_(network.output.bias, float(data.mos[data.pairs_of(contents)].mean()))
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=config.learning_rate, total_steps=config.num_steps + 1, pct_start=_WARM_UP
    )
    batches = _batches(data, contents, config.batch_size, rng)
    network.train()

    for step in range(1, config.num_steps + 1):
        rows_a, rows_v, mos = next(batches)
        noisy_a = z_a[rows_a] + config.audio_noise * torch.randn(len(rows_a), z_a.shape[1])
        noisy_v = z_v[rows_v] + config.video_noise * torch.randn(len(rows_v), z_v.shape[1])
        loss = fusion_loss(network(noisy_a, noisy_v), torch.from_numpy(mos).float(), config.lam)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if on_step and (step % 100 == 0 or step == config.num_steps):
            on_step(step, float(loss.detach()))
    weights = {name: weight.astype(np.float16).astype(np.float32) for name, weight in fold(network).items()}
    return FoldedFusionNet(weights, audio, video, config.network.activation)


def train_ensemble(data: TrainingSet, contents: Sequence[str], config: TrainingConfig) -> FusionEnsemble:
    """Train `num_members` networks that differ in their seeds; arguments as in `train_network`."""
    seeds = [config.num_members * config.seed + i for i in range(config.num_members)]
    return FusionEnsemble([train_network(data, contents, replace(config, seed=seed)) for seed in seeds])
