"""Trainings of the listener on the material: per fold of contents, without families of encoders, and on everything.

Each leaves `NAME.run` in the work folder, what it says of the sounds of its folds (`sound`, `encoder`, `asked`, `mos`,
`spread`), and `NAME.safetensors`; one whose run is there is not trained again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save

from abr_alloc.audio_families import LISTENER
from abr_alloc.learning.listener_network import to_tensors
from abr_alloc.learning.listener_training import ListenerConfig, Piece, judge_pieces, label_mos, train_listener
from abr_alloc.listener.hearing import WORST_MOS
from abr_alloc.listener.network import TOP_LOGIT, Network
from benchmarks.listener.encodes import OLD_AAC

FOLDS = 5
LEFT_OUT = {"opus": ("opus", "opus-voip"), "sbr": ("fdk-he", "fdk-hev2")}
"""Families of encoders, each of which one listener never hears; it never hears the contents of fold 0 and 1 either."""
SPEECH = ("speech", "narration", "nasa")
"""Words in the names of sounds that are speech."""
AGREED = ("fdk-he", "fdk-hev2", "opus", "opus-voip")
"""Encoders of which ViSQOL's MOS agrees with people."""


def read_material(work: Path) -> list[list[Piece]]:
    """The pieces of every sound."""
    sounds = []
    for path in sorted(work.glob("*.npz")):
        if path.name.endswith(".visqol.npz"):
            continue
        with np.load(path) as found:
            arrays = {name: found[name] for name in found.files}
        encoder, codec, asked, kbps = (arrays[name] for name in ("encoder", "codec", "asked", "kbps"))
        label = np.array([label_mos(*row) for row in zip(encoder, codec, asked, kbps, strict=True)])
        if not any(word in path.stem for word in SPEECH):
            label[encoder == "mnru"] = np.nan  # its MOS is of speech; in hiss nobody hears it
        order = np.where(np.isnan(kbps), asked, np.where(encoder == "vorbis", asked + 1, kbps))
        visqol = np.full(len(encoder), np.nan)
        scored = path.with_suffix(".visqol.npz")
        if scored.is_file():
            with np.load(scored) as found:
                known = dict(zip(zip(found["encoder"], found["asked"], strict=True), found["audio_mos"], strict=True))
            for i, key in enumerate(zip(encoder, asked, strict=True)):
                if key[0] in AGREED:
                    visqol[i] = known.get(key, np.nan)
        sounds.append(
            [
                Piece(
                    sound=path.stem, content=str(arrays["content"]), is_real=bool(arrays["is_real"]),
                    reference=arrays["reference"][p], coded=arrays["coded"][:, p], encoder=encoder, asked=asked,
                    order=order, label_mos=label, visqol_mos=visqol,
                )
                for p in range(len(arrays["reference"]))
            ]
        )  # fmt: skip
    return sounds


def fold_of_contents(work: Path) -> dict[str, int]:
    """The fold of each content: real ones first, so that every fold has as many."""
    kinds: dict[str, bool] = {}
    for path in sorted(work.glob("*.npz")):
        if not path.name.endswith(".visqol.npz"):
            with np.load(path) as found:
                kinds[str(found["content"])] = kinds.get(str(found["content"]), False) or bool(found["is_real"])
    real, rest = (sorted(name for name, is_real in kinds.items() if is_real == kind) for kind in (True, False))
    rng = np.random.default_rng(0)
    return {str(name): i % FOLDS for names in (real, rest) for i, name in enumerate(rng.permutation(names))}


def _without(piece: Piece, encoders: Sequence[str]) -> Piece:
    kept = ~np.isin(piece.encoder, [*encoders, OLD_AAC.name])
    return replace(
        piece, coded=piece.coded[kept],
        **{name: getattr(piece, name)[kept] for name in ("encoder", "asked", "order", "label_mos", "visqol_mos")},
    )  # fmt: skip


def train_one(name: str, folds: Sequence[int], encoders: Sequence[str], work: Path, config: ListenerConfig) -> None:
    """Train without some folds and encoders; keep what it says of the contents that were left out."""
    path = work / f"{name}.run"
    if path.is_file():
        return
    torch.set_num_threads(1)  # two trainings side by side are quicker than one on two cores
    sounds = read_material(work)
    fold = fold_of_contents(work)
    heard = [_without(piece, encoders) for pieces in sounds for piece in pieces if fold[piece.content] not in folds]
    network = train_listener(heard, config, lambda line: print(f"{name}: {line}", flush=True))
    rows: dict[str, list[np.ndarray]] = {key: [] for key in ("sound", "encoder", "asked", "mos", "spread")}
    features = []
    for pieces in sounds:
        if folds and fold[pieces[0].content] not in folds:
            continue
        mos, spread, layer = judge_pieces(network, pieces)
        count = len(mos)
        rows["sound"].append(np.full(count, pieces[0].sound))
        said = {"encoder": pieces[0].encoder, "asked": pieces[0].asked, "mos": mos, "spread": spread}
        for key, values in said.items():
            rows[key].append(values)
        features.append(layer[pieces[0].encoder == "other"])
    tensors = {**to_tensors(network), "worst": np.concatenate(features).mean(axis=0).astype(np.float16)}
    (work / f"{name}.safetensors").write_bytes(save(tensors))
    with path.with_suffix(".part").open("wb") as file:
        np.savez(file, **{key: np.concatenate(values) for key, values in rows.items()})
    path.with_suffix(".part").replace(path)


def with_worst(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Tensors with the features of other sounds, `worst`, as many times as long as makes the network say `WORST_MOS`.

    Behind the features everything but the last logit is linear where it is not 0, so that this is one division.
    """
    kept = dict(tensors)
    worst = kept.pop("worst").astype(np.float32)
    quality, _ = Network(kept).judge(worst[None])
    logits = [-np.log(3.75 / (mos - 1.05) - 1) for mos in (float(quality[0]), WORST_MOS)]
    return {**kept, "worst": (worst * (TOP_LOGIT - logits[1]) / (TOP_LOGIT - logits[0])).astype(np.float16)}


def describe(sounds: Sequence[Sequence[Piece]], config: ListenerConfig, content: bytes) -> dict[str, object]:
    """The card of the listener that ships."""
    real = [pieces for pieces in sounds if pieces[0].is_real]
    return {
        "version": LISTENER.version,
        "weights_sha256": hashlib.sha256(content).hexdigest(),
        "labels": "curves of codecs by rate (ITU-T P.1203.2; Opus' assumed), modulated noise (ITU-T G.107), order",
        "training": {
            "recorded": sorted(pieces[0].sound for pieces in real),
            "contents": sorted({pieces[0].content for pieces in real}),
            "synthesised": len(sounds) - len(real),
            "pieces": sum(map(len, sounds)),
            "encoders": sorted(set().union(*(pieces[0].encoder.tolist() for pieces in sounds)) - {OLD_AAC.name}),
            "settings": asdict(config),
        },
    }
