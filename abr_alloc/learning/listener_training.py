"""How the listener is trained: on orders, on what is known of codecs and rates, and on ViSQOL where people agree.

Axes: P pieces, each with N_p conditions; V = 4 views, B bands, F frames; G pieces of a batch, K conditions of each.

    loss = L + R + 0.3 X

L, likelihood: quality and spread are a normal distribution of the label; -log p, over the conditions of which something
is known (`label_mos`). R, order: of two rates of one encoder the larger is no worse,

    mean softplus((q_low - q_high + 0.02) / 0.1) 0.1

X, auxiliary: the squared error of the network's third answer, ViSQOL's MOS over four views, over HE-AAC and Opus.

Batches are heard with left and right exchanged, somewhat louder or softer, later by some frames, and without what lies
above some band; labels are left out there, because nobody has rated codecs on such sources.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import softplus

from abr_alloc.learning.listener_network import ListenerNet
from abr_alloc.listener.spectrograms import FLOOR_DB
from abr_alloc.models.audio_quality import prior_mos
from abr_alloc.models.p1203 import p1203_audio_mos

__all__ = ["ListenerConfig", "Piece", "judge_pieces", "label_mos", "train_listener"]

Floats = npt.NDArray[np.floating]

_WORST_MOS = 1.05
_ORDERED_STEP = 1.05  # two rates that differ by less are not ordered
_MARGIN_MOS, _SOFTNESS_MOS = 0.02, 0.1
_AUXILIARY = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of one sound in all conditions."""

    sound: str
    """Name of the sound."""
    content: str
    """What is never on both sides of a split."""
    is_real: bool
    """Whether the sound was recorded."""
    reference: npt.NDArray[np.float16]
    """(V, B, F), dB."""
    coded: npt.NDArray[np.float16]
    """(N, V, B, F), dB."""
    encoder: npt.NDArray[np.str_]
    """Name of each condition's encoder, (N,)."""
    asked: Floats
    """What it was asked for, (N,)."""
    order: Floats
    """What rises with quality within an encoder: the delivered rate, or how little a sound was spoilt, (N,)."""
    label_mos: Floats
    """`label_mos` of each condition, (N,); NaN for none."""
    visqol_mos: Floats
    """ViSQOL's MOS over four views, (N,); NaN where it is not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerConfig:
    """How long and how fast."""

    steps: int = 400
    """Batches."""
    pieces: int = 6
    """G."""
    ordered: int = 6
    """Conditions of each piece that are of one encoder."""
    others: int = 5
    """Conditions of each piece besides."""
    learning_rate: float = 3e-3
    """The highest of a one-cycle schedule."""
    weight_decay: float = 0.02
    """Of AdamW."""
    seed: int = 0
    """Of weights and batches."""


def label_mos(encoder: str, codec: str, asked: float, kbps: float) -> float:
    """What is known of a condition: the curve of its codec at its rate (ITU-T P.1203.2; Opus' as in `audio_quality`).

    Modulated noise, asked for by its signal-to-noise ratio Q in dB, has the MOS of ITU-T G.107, which is of telephones;
    another content altogether is worst; whatever else has no curve has no label, NaN.
    """
    if encoder == "other":
        return _WORST_MOS
    if encoder == "mnru":
        return _mnru_mos(asked)
    if codec == "mp2":  # nothing that plans has a curve of it
        return float(p1203_audio_mos(codec, np.array([max(kbps, asked)]))[0])
    return float(prior_mos([codec], np.array([kbps]), np.array([2.0]), np.array([asked]))[0])


def _mnru_mos(q_db: float) -> float:
    """ITU-T G.107 (2015), Eq. 7-19 to 7-22 and Annex B: impairment Iq by modulated noise, and the MOS of 93.2 - Iq."""
    g = 1.07 + 0.258 * q_db + 0.0602 * q_db**2
    y = (94.77 - 100) / 15 + 46 / 8.4 - g / 9
    r = 93.2 - 15 * math.log10(1 + 10**y + 10 ** (46 / 30 - g / 40))
    return max(_WORST_MOS, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def _draw(piece: Piece, config: ListenerConfig, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    names = sorted(set(piece.encoder.tolist()) - {"source", "other", "mono"})
    own = np.flatnonzero(piece.encoder == names[rng.integers(len(names))])
    rest = rng.permutation(len(piece.encoder))
    own = rng.permutation(own)[: config.ordered]
    rest = rest[~np.isin(rest, own)]
    return np.concatenate([own, rest])[: config.ordered + config.others]


def _alter(sides: npt.NDArray[np.float32], label: Floats, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A piece's reference and coded spectrograms, (K + 1, V, B, F), altered alike; labels in place."""
    if rng.random() < 0.5:
        sides = sides[:, [1, 0, 2, 3]]
    if rng.random() < 0.5:
        sides = np.maximum(sides + np.where(sides > FLOOR_DB, rng.uniform(-4, 4), 0), FLOOR_DB).astype(np.float32)
    if rng.random() < 0.5:
        sides = np.roll(sides, int(rng.integers(1, sides.shape[-1])), axis=-1)
    if rng.random() < 0.1:
        sides = sides.copy()
        sides[:, :, int(rng.integers(14, 30)) :] = FLOOR_DB
        label[:] = np.nan
    return sides


def _order_loss(quality: Tensor, encoder: npt.NDArray[np.str_], order: Floats) -> tuple[Tensor, int]:
    """R of one piece's conditions: sum over pairs, and how many."""
    low, high = np.nonzero(
        (encoder[:, None] == encoder[None, :]) & (np.maximum(order, 0)[:, None] * _ORDERED_STEP < order[None, :])
    )
    if not len(low):
        return quality.new_zeros(()), 0
    gap = quality[torch.from_numpy(low)] - quality[torch.from_numpy(high)]
    return (softplus((gap + _MARGIN_MOS) / _SOFTNESS_MOS) * _SOFTNESS_MOS).sum(), len(low)


def _nan_mean(x: Tensor, known: Tensor) -> Tensor:
    return torch.where(known, x, torch.zeros_like(x)).sum() / known.sum().clamp(min=1)


def train_listener(
    pieces: Sequence[Piece], config: ListenerConfig, tell: Callable[[str], None] = lambda _: None
) -> ListenerNet:
    """Train a listener.

    Args:
        pieces: what it hears.
        config: how.
        tell: hears how it goes, every fifty batches.
    """
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    network = ListenerNet()
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, total_steps=config.steps)
    contents: dict[str, list[Piece]] = {}
    for piece in pieces:
        contents.setdefault(piece.content, []).append(piece)
    groups = list(contents.values())
    begun, told = time.monotonic(), []
    for step in range(config.steps):
        batch = []
        for _ in range(config.pieces):
            of_content = groups[rng.integers(len(groups))]
            piece = of_content[rng.integers(len(of_content))]
            rows = _draw(piece, config, rng)
            label = np.array(piece.label_mos[rows], dtype=np.float32)
            sides = np.concatenate([piece.reference[None], piece.coded[rows]]).astype(np.float32)
            batch.append((piece, rows, label, _alter(sides, label, rng)))
        reference = np.concatenate([np.repeat(sides[:1], len(sides), axis=0) for *_, sides in batch])
        coded = np.concatenate([sides for *_, sides in batch])
        embedded = network.embed(torch.from_numpy(reference), torch.from_numpy(coded))
        labels = torch.from_numpy(np.concatenate([label for _, _, label, _ in batch]))
        visqol = torch.from_numpy(np.concatenate([p.visqol_mos[rows] for p, rows, *_ in batch]).astype(np.float32))
        features, at = [], 0
        for _, rows, *_ in batch:
            features.append(embedded[at + 1 : at + 1 + len(rows)] - embedded[at])
            at += 1 + len(rows)
        quality, spread, auxiliary = network.judge(torch.cat(features))
        known = ~torch.isnan(labels)
        likelihood = _nan_mean(0.5 * ((torch.nan_to_num(labels) - quality) / spread) ** 2 + torch.log(spread), known)
        heard = ~torch.isnan(visqol)
        aside = _nan_mean((torch.nan_to_num(visqol) - auxiliary) ** 2, heard)
        total, count, at = quality.new_zeros(()), 0, 0
        for piece, rows, *_ in batch:
            part, pairs = _order_loss(quality[at : at + len(rows)], piece.encoder[rows], piece.order[rows])
            total, count, at = total + part, count + pairs, at + len(rows)
        order = total / max(count, 1)
        loss = likelihood + order + _AUXILIARY * aside
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        error = _nan_mean((torch.nan_to_num(labels) - quality) ** 2, known)
        told.append([float(x.detach()) for x in (likelihood, order, aside, error.sqrt())])
        if (step + 1) % 50 == 0:
            words = "likelihood {:.3f}, order {:.4f}, auxiliary {:.3f}, RMSE {:.3f}".format(*np.mean(told, axis=0))
            tell(f"{step + 1} of {config.steps} batches, {time.monotonic() - begun:.0f} s: {words}")
            told = []
    return network.eval()


@torch.no_grad()
def judge_pieces(network: ListenerNet, pieces: Sequence[Piece]) -> tuple[Floats, Floats, Floats]:
    """Quality, spread and features of one sound in all conditions, (N,), (N,), (N, H): features are pieces' means."""
    found = []
    for piece in pieces:
        coded = torch.from_numpy(piece.coded.astype(np.float32))
        reference = torch.from_numpy(piece.reference.astype(np.float32))[None]
        own = network.embed(reference, reference)
        parts = [network.embed(reference.expand(len(part), -1, -1, -1), part) for part in torch.split(coded, 64)]
        found.append(torch.cat(parts) - own)
    features = torch.stack(found).mean(dim=0)
    quality, spread, _ = network.judge(features)
    return quality.numpy(), spread.numpy(), features.numpy()
