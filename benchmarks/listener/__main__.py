"""Train the listener from media, by one command, and write what ships.

    python -m benchmarks.listener MEDIA_FOLDER WORK_FOLDER [--old-ffmpeg FFMPEG] [--write]

makes the material (`material.py`), has ViSQOL hear it (`visqol_scores.py`), trains one listener per fold of contents,
one per family of encoders that it never hears, and one on everything, which `--write` stores in
abr_alloc/listener/weights. All of it is kept in WORK_FOLDER and resumes; docs/model.md says how long it takes.
`python -m benchmarks.listener.judge` makes the tables. Speech needs espeak-ng, and HE-AAC fdkaac.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save

from abr_alloc.audio_families import LISTENER
from abr_alloc.learning.listener_network import to_tensors
from abr_alloc.learning.listener_training import ListenerConfig, Piece, judge_pieces, label_mos, train_listener
from benchmarks.listener.encodes import OLD_AAC
from benchmarks.listener.material import make_material
from benchmarks.listener.visqol_scores import score_material

FOLDS = 5
LEFT_OUT = {"opus": ("opus", "opus-voip"), "sbr": ("fdk-he", "fdk-hev2"), "mp3": ("mp3", "mp2")}
"""Families of encoders, each of which one listener never hears; it never hears the contents of fold 0 and 1 either."""
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


def train_one(name: str, sounds: Sequence[Sequence[Piece]], folds: Sequence[int], encoders: Sequence[str], work: Path,
              config: ListenerConfig) -> None:  # fmt: skip
    """Train without some folds and encoders; keep what it says of the contents that were left out."""
    path = work / f"{name}.run"
    if path.is_file():
        return
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("media", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--old-ffmpeg", default="", help="ffmpeg 4.1, whose AAC LIVE-SJTU's panel heard: judged alone")
    parser.add_argument("--runs", nargs="*", help="only these, on material that is there: one core each, side by side")
    parser.add_argument("--steps", type=int, default=ListenerConfig().steps)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.runs is None:
        make_material(args.media, args.work, args.old_ffmpeg)
        score_material(args.media, args.work, args.old_ffmpeg)
    sounds = read_material(args.work)
    config = ListenerConfig(steps=args.steps)
    runs = [(f"fold-{k}", (k,), ()) for k in range(FOLDS)]
    runs += [("all", (), ()), *((f"without-{name}", (0, 1), encoders) for name, encoders in LEFT_OUT.items())]
    for name, folds, encoders in runs:
        if args.runs is None or name in args.runs:
            train_one(name, sounds, folds, encoders, args.work, config)
    if args.write:
        tensors = load_file(args.work / "all.safetensors")
        folder, content = Path(str(resources.files("abr_alloc.listener").joinpath("weights"))), save(tensors)
        folder.mkdir(exist_ok=True)
        (folder / "listener.safetensors").write_bytes(content)
        (folder / "listener.json").write_text(json.dumps(describe(sounds, config, content), indent=2) + "\n")


if __name__ == "__main__":
    main()
