"""Training a fusion network on some contents of a training set.

Standardisation is fitted on the training rows only. AdamW, batches of 32, a one-cycle learning rate over a fixed number
of steps: no step is chosen by looking at contents that are held out. The loss is the paper's. What comes back is the
folded network at N = 1, rounded to half precision as it is stored, so that what is measured is what ships.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from abr_alloc.documents import number_of, parse_json, shown, whole_of
from abr_alloc.errors import TuningError
from abr_alloc.learning.dataset import TrainingSet
from abr_alloc.learning.fusionnet import KINDS, FusionNet, FusionNetConfig, fold
from abr_alloc.learning.loss import LAMBDA, fusion_loss
from abr_alloc.location import read_bytes
from abr_alloc.models.audio_quality import AUDIO_QUALITY
from abr_alloc.models.folded import FoldedFusionNet, FusionEnsemble, Standardizer, power_transform
from abr_alloc.models.teacher import mos_of_points
from abr_alloc.table.table import VIDEO_FEATURES

__all__ = ["TrainingConfig", "read_settings", "settings_of", "train_ensemble", "train_network"]

_LOG_MOTION = (float(np.log(0.02)), float(np.log(40.0)))  # of mixed stimuli; still slides to fast action
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
    learning_rate: float = 5e-4
    """Peak of the one-cycle schedule."""
    weight_decay: float = 0.05
    """AdamW's weight decay."""
    num_steps: int = 2000
    """Steps of the schedule."""
    batch_size: int = 32
    """Pairs per step."""
    audio_noise: float = 0.3
    """Standard deviation of noise on standardised audio features."""
    video_noise: float = 0.0
    """Standard deviation of noise on standardised video features."""
    lam: float = LAMBDA
    """Weight of 1 - CCC in the loss."""
    power_transform: bool = True
    """Transform features that quality depends on unevenly (square root of VIF, logarithm of motion)."""
    mixing: float = 0.5
    """Share of the stimuli of a batch that are mixed from several and labelled anew; needs a teacher."""
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
        found = parse_json(read_bytes(path))
        if not isinstance(found, dict) or not isinstance(found.get("network"), dict):
            raise ValueError("it does not describe a network")
        network = settings_of(FusionNetConfig, found.pop("network"))
        config = settings_of(TrainingConfig, {"network": network, **found})
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TuningError(f"settings {path} cannot be used ({reason}); write them with `abr-alloc tune`") from error
    if network.kind != kind:
        raise TuningError(f"settings {path} are of the network {network.kind!r}, not {kind!r}; choose another `system`")
    return config


_FEW, _MANY = (1, 64), (1, 65536)
# What the numbers of settings may be, ends included; whole numbers where the default is one.
_RANGES: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("num_heads", "num_audio_cross_layers", "num_video_cross_layers", "num_recursions"), _FEW),
    **dict.fromkeys(("num_hidden_layers", "num_members"), _FEW),
    **dict.fromkeys(("audio_dim", "video_dim", "d_model", "d_ff", "batch_size"), _MANY),
    **dict.fromkeys(("dropout", "lam", "mixing"), (0.0, 1.0)),
    **dict.fromkeys(("audio_noise", "video_noise", "weight_decay"), (0.0, 100.0)),
    "learning_rate": (1e-12, 10.0),
    "num_steps": (1, 100_000_000),
    "seed": (0, 2**31),
}
_WORDS: Mapping[str, Sequence[str]] = {"kind": KINDS, "activation": ("gelu", "relu")}
_Settings = TypeVar("_Settings", FusionNetConfig, TrainingConfig)


def settings_of(of: type[_Settings], found: Mapping[str, Any]) -> _Settings:
    """Settings whose names are known and whose values are what they can be.

    Raises:
        ValueError: one is not; the message names it.
    """
    known = {item.name: item for item in fields(of)}
    for name, value in found.items():
        if name not in known:
            raise ValueError(f"there is no setting {name!r}")
        default = known[name].default
        if name in _WORDS:
            if value not in _WORDS[name]:
                raise ValueError(f"{name} is {shown(value)}, not one of {', '.join(_WORDS[name])}")
        elif isinstance(default, bool):
            if not isinstance(value, bool):
                raise ValueError(f"{name} is {shown(value)}, not true or false")
        elif name in _RANGES:
            low, high = _RANGES[name]
            if isinstance(default, int):
                whole_of(found, name, int(low), int(high))
            else:
                number_of(found, name, low, high)
    settings = of(**found)
    if isinstance(settings, FusionNetConfig) and settings.d_model % settings.num_heads:
        raise ValueError(f"d_model {settings.d_model} does not divide into num_heads {settings.num_heads}")
    return settings


def _standardizer(x: npt.NDArray[np.float32], names: Sequence[str], config: TrainingConfig) -> Standardizer:
    power = np.array([_POWERS.get(name, 1.0) for name in names], dtype=np.float32) if config.power_transform else None
    if power is not None:
        x = power_transform(x, power)
    std = x.std(axis=0, dtype=np.float64)
    # A feature that hardly varies carries no information; dividing by its spread would make noise of it.
    std = np.where(std > 1e-4, std, 1.0)
    mean = x.mean(axis=0, dtype=np.float64)
    return Standardizer(mean=mean.astype(np.float32), std=std.astype(np.float32), power=power)


Batch = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float64]]
"""Audio features (B, d_a), video features (B, d_v), labels (B,)."""


def _rated_batches(
    data: TrainingSet, contents: Sequence[str], batch_size: int, rng: np.random.Generator
) -> Iterator[Batch]:
    """Endless batches of rated pairs of the given contents, in shuffled epochs."""
    x_a, x_v = data.audio(data.audio_names), data.video(data.video_names)
    pairs = data.pairs_of(contents)
    while True:
        order = rng.permutation(pairs)
        for i in range(0, max(1, len(order) - batch_size + 1), batch_size):
            chosen = order[i : i + batch_size]
            audio, video = data.pairs[chosen].T
            yield x_a[audio], x_v[video], data.mos[chosen]


def _labelled_batches(
    data: TrainingSet, contents: Sequence[str], config: TrainingConfig, rng: np.random.Generator
) -> Iterator[Batch]:
    """Endless batches with the teacher's labels.

    Audio and video are drawn apart, each first by content, so that a content with many scenes does not drown the
    others. A share of the stimuli is mixed and labelled anew, so that a network learns the formula and not which
    features came together in a dozen contents: video features of two renditions in a random proportion, with motion
    from anywhere, and the audio quality of another rendition than the statistics'.
    """
    teacher = data.teacher
    assert teacher is not None
    x_a, x_v = data.audio(data.audio_names), data.video(data.video_names)
    draw_audio, draw_video = (data.row_sampler(side, contents) for side in ("audio", "video"))
    size = config.batch_size
    known_video = data.video_names == VIDEO_FEATURES and config.mixing > 0.0
    known_audio = AUDIO_QUALITY in data.audio_names and config.mixing > 0.0
    motion = data.video_names.index("motion2") if known_video else 0
    quality = data.audio_names.index(AUDIO_QUALITY) if known_audio else 0
    while True:
        audio, video = draw_audio(size, rng), draw_video(size, rng)
        audio_features, video_features = x_a[audio], x_v[video]
        if not (known_audio and known_video):
            yield audio_features, video_features, data.label(audio, video)
            continue
        mixed = rng.random(size) < config.mixing
        share = np.where(mixed, rng.random(size), 1.0)[:, None].astype(np.float32)
        video_features = share * video_features + (1.0 - share) * x_v[draw_video(size, rng)]
        moved = rng.random(size) < config.mixing
        video_features[moved, motion] = np.exp(rng.uniform(*_LOG_MOTION, size=size))[moved]
        swapped = rng.random(size) < config.mixing
        audio_features[swapped, quality] = x_a[draw_audio(size, rng), quality][swapped]
        gain = teacher.video_gain(video_features) * teacher.audio_gain(audio_features[:, quality])
        yield audio_features, video_features, mos_of_points(teacher.c0 + gain)


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
    network = FusionNet(replace(config.network, audio_dim=len(audio_names), video_dim=len(video_names)))
    nn.init.constant_(network.output.bias, float(data.mos[data.pairs_of(contents)].mean()))
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=config.learning_rate, total_steps=config.num_steps + 1, pct_start=_WARM_UP
    )
    batches = (
        _rated_batches(data, contents, config.batch_size, rng)
        if data.teacher is None
        else _labelled_batches(data, contents, config, rng)
    )
    network.train()
    # What is known of codec and rate is exact; noise is for the statistics, of which no two contents have the same.
    audio_noise = torch.tensor([0.0 if name == AUDIO_QUALITY else config.audio_noise for name in audio_names])
    for step in range(1, config.num_steps + 1):
        batch_a, batch_v, mos = next(batches)
        z_a, z_v = torch.from_numpy(audio(batch_a)), torch.from_numpy(video(batch_v))
        noisy_a = z_a + audio_noise * torch.randn_like(z_a)
        noisy_v = z_v + config.video_noise * torch.randn_like(z_v)
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
