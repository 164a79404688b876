"""Training: grouped cross-validation, early stopping, then one network on everything.

Folds never split a content. Standardisation is fitted on a fold's training rows only. AdamW, batches of 32, a one-cycle
learning rate; the loss is the paper's. The final network trains on all contents for the median of the folds' best
steps, and everything that is said about its accuracy comes from the folds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from abr_alloc.errors import FeatureTableError
from abr_alloc.models.dataset import TrainingSet
from abr_alloc.models.folded import FoldedFusionNet, Standardizer
from abr_alloc.models.fusionnet import AttentiveFusionNet, FusionNetConfig
from abr_alloc.models.loss import LAMBDA, fusion_loss

__all__ = ["CrossValidation", "TrainedNetwork", "TrainingConfig", "cross_validate", "grouped_folds", "train_network"]

_WARM_UP = 0.3  # share of the schedule in which the learning rate rises

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How to train; the defaults are those of the shipped model."""

    num_hidden_layers: int = 3
    """Hidden layers of the head."""
    dropout: float = 0.1
    """Dropout in the head."""
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
    num_folds: int = 5
    """Folds, grouped by content."""
    patience: int = 6
    """Checks without a better validation loss before a fold stops."""
    check_every: int = 250
    """Steps between checks."""
    seed: int = 0
    """Seed of everything random."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedNetwork:
    """A network with its standardisation."""

    state: dict[str, npt.NDArray[np.float32]]
    """Weights by name, rounded to half precision as they are stored."""
    audio: Standardizer
    """Standardisation of the audio features."""
    video: Standardizer
    """Standardisation of the video features."""
    best_step: int
    """Step that was kept."""
    validation_loss: float
    """Loss on the validation pairs at that step; NaN without any."""

    def fold(self) -> FoldedFusionNet:
        """The network as it will predict."""
        return FoldedFusionNet(self.state, self.audio, self.video)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidation:
    """Held-out predictions of all true pairs."""

    predicted: npt.NDArray[np.float64]
    """Prediction of each pair by the network that did not see its content, (P,)."""
    networks: list[TrainedNetwork]
    """One per fold."""
    folds: list[list[str]]
    """Held-out contents of each fold."""


def grouped_folds(contents: Sequence[str], num_folds: int, seed: int) -> list[list[str]]:
    """Deal contents into folds.

    Raises:
        FeatureTableError: there are fewer than two contents.
    """
    if len(contents) < 2:
        raise FeatureTableError(
            f"training needs at least two contents to validate on unseen ones, not {len(contents)}; add sources"
        )
    order = np.random.default_rng(seed).permutation(sorted(contents)).tolist()
    return [order[i :: min(num_folds, len(order))] for i in range(min(num_folds, len(order)))]


def _standardizer(x: npt.NDArray[np.float32]) -> Standardizer:
    std = x.std(axis=0, dtype=np.float64)
    # A feature that hardly varies carries no information; dividing by its spread would make noise of it.
    std = np.where(std > 1e-4, std, 1.0)
    return Standardizer(mean=x.mean(axis=0, dtype=np.float64).astype(np.float32), std=std.astype(np.float32))


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
    paired = set(data.contents)
    rows = []
    for names in (data.content_a, data.content_v):
        # Contents of one kind only (audio-only material, say) are never held out.
        known = [name for name in dict.fromkeys(names.tolist()) if name in contents or name not in paired]
        rows.append([np.flatnonzero(names == name) for name in known])

    def draw(groups: list[npt.NDArray[np.intp]]) -> npt.NDArray[np.intp]:
        return np.array([rng.choice(groups[i]) for i in rng.integers(len(groups), size=batch_size)])

    while True:
        audio, video = draw(rows[0]), draw(rows[1])
        yield audio, video, data.label(audio, video)


def train_network(
    data: TrainingSet,
    contents: Sequence[str],
    held_out: Sequence[str],
    config: TrainingConfig,
    *,
    stop_at: int | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> TrainedNetwork:
    """Train one network.

    Args:
        data: rows, pairs and labels.
        contents: contents to train on.
        held_out: contents whose true pairs decide when to stop; empty to run to `stop_at`.
        config: how.
        stop_at: last step; None for the whole schedule.
        on_step: told the step and the loss, every `check_every` steps.
    """
    rng = np.random.default_rng(config.seed)
    torch.manual_seed(config.seed)
    skip = set(data.contents) - set(contents)
    audio = _standardizer(data.x_a[~np.isin(data.content_a, list(skip))])
    video = _standardizer(data.x_v[~np.isin(data.content_v, list(skip))])
    z_a, z_v = torch.from_numpy(audio(data.x_a)), torch.from_numpy(video(data.x_v))
    network = AttentiveFusionNet(
        FusionNetConfig(
            audio_dim=data.x_a.shape[1],
            video_dim=data.x_v.shape[1],
            num_hidden_layers=config.num_hidden_layers,
            dropout=config.dropout,
        )
    )
    nn.init.constant_(network.output.bias, float(data.mos.mean()))
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=config.learning_rate, total_steps=config.num_steps + 1, pct_start=_WARM_UP
    )
    validation = data.pairs_of(held_out) if held_out else np.zeros(0, dtype=np.intp)
    best: tuple[float, int, dict[str, torch.Tensor]] | None = None
    # A network that is still warming up is no candidate, however lucky: the final one will have warmed up too.
    warm_up = _WARM_UP * config.num_steps
    last = min(stop_at or config.num_steps, config.num_steps)
    batches = _batches(data, contents, config.batch_size, rng)
    network.train()
    for step in range(1, last + 1):
        rows_a, rows_v, mos = next(batches)
        x_a = z_a[rows_a] + config.audio_noise * torch.randn(len(rows_a), z_a.shape[1])
        x_v = z_v[rows_v] + config.video_noise * torch.randn(len(rows_v), z_v.shape[1])
        loss = fusion_loss(network(x_a, x_v), torch.from_numpy(mos).float(), config.lam)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % config.check_every and step != last:
            continue
        value = float(loss.detach())
        if len(validation):
            value = _validation_loss(network, z_a, z_v, data, validation, config.lam)
            if step > warm_up or step == last:
                if best is None or value < best[0]:
                    best = value, step, {name: t.clone() for name, t in network.state_dict().items()}
                elif step - best[1] >= config.patience * config.check_every:
                    break
        if on_step:
            on_step(step, value)
    loss_at_best, best_step, state = best or (float("nan"), last, network.state_dict())
    return TrainedNetwork(
        state={name: t.numpy().astype(np.float16).astype(np.float32) for name, t in state.items()},
        audio=audio,
        video=video,
        best_step=best_step,
        validation_loss=loss_at_best,
    )


def _validation_loss(
    network: AttentiveFusionNet,
    z_a: torch.Tensor,
    z_v: torch.Tensor,
    data: TrainingSet,
    pairs: npt.NDArray[np.intp],
    lam: float,
) -> float:
    network.eval()
    with torch.inference_mode():
        rows = data.pairs[pairs]
        parts = [network(z_a[part[:, 0]], z_v[part[:, 1]]) for part in np.array_split(rows, len(rows) // 2048 + 1)]
        value = float(fusion_loss(torch.cat(parts), torch.from_numpy(data.mos[pairs]).float(), lam))
    network.train()
    return value


def cross_validate(
    data: TrainingSet, config: TrainingConfig, *, on_fold: Callable[[int, int, TrainedNetwork], None] | None = None
) -> CrossValidation:
    """Train one network per fold and predict what it did not see.

    Raises:
        FeatureTableError: there are fewer than two contents.
    """
    folds = grouped_folds(data.contents, config.num_folds, config.seed)
    predicted = np.full(len(data.pairs), np.nan)
    networks = []
    for i, held_out in enumerate(folds):
        kept = [name for name in data.contents if name not in held_out]
        trained = train_network(data, kept, held_out, replace(config, seed=config.seed + i))
        rows = data.pairs_of(held_out)
        pairs = data.pairs[rows]
        predicted[rows] = trained.fold().predict(data.x_a[pairs[:, 0]], data.x_v[pairs[:, 1]])
        networks.append(trained)
        logger.info("fold %d: best step %d, validation loss %.4f", i, trained.best_step, trained.validation_loss)
        if on_fold:
            on_fold(i + 1, len(folds), trained)
    return CrossValidation(predicted=predicted, networks=networks, folds=folds)
