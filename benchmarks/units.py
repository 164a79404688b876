"""Does attention over time predict better? N = 5 units against their mean (N = 1), on contents not trained on.

    abr-alloc extract CLIPS... --grid dense --probes all --preset veryfast --max-scene 1s --audio-codec aac \\
        -o units.parquet
    python benchmarks/units.py units.parquet --contents benchmarks/training_contents.csv

Every row of the table is a unit of one to two seconds. A stimulus is a window of five consecutive units of one video
and one audio rendition. Nobody rated windows, so there are two labels, both the teacher's: of the window's mean
features, which is what the models that ship learn, and the mean over the window of each unit's own label, which only a
model that sees the units could know in full. Both networks are the Attentive one, see windows drawn in the same way and
take the same steps; one gets the five units, the other their mean.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from abr_alloc.learning.cross_validation import grouped_folds
from abr_alloc.learning.fusionnet import FusionNet, FusionNetConfig
from abr_alloc.learning.loss import fusion_loss
from abr_alloc.learning.metrics import agreement
from abr_alloc.learning.ratings import read_contents
from abr_alloc.models.audio_quality import quality_of_rows
from abr_alloc.models.teacher import load_teacher, mos_of_points
from abr_alloc.table.table import VIDEO_FEATURES, read_features, stack_audio

WINDOW = 5  # units
BATCH = 32


class Sequences:
    """Units of every rendition in their order: features (T, d), and what the teacher reads."""

    def __init__(self, rows, kind: str, content_of: dict[str, str]) -> None:
        keys = ["title", "codec", "target"] + (["height_px"] if kind == "video" else [])
        self.features, self.teacher, self.content, self.title = [], [], [], []
        for (title, *_), part in rows[rows["kind"] == kind].groupby(keys, sort=False):
            part = part.sort_values("scene")
            if len(part) < WINDOW:
                continue
            x = part[list(VIDEO_FEATURES)].to_numpy(np.float32) if kind == "video" else stack_audio(part)
            read = (
                part[list(VIDEO_FEATURES)].to_numpy(np.float64) if kind == "video" else quality_of_rows(part)[:, None]
            )
            self.features.append(x)
            self.teacher.append(read)
            self.content.append(content_of.get(title, title))
            self.title.append(title)
        self.content = np.array(self.content, dtype=object)
        self.title = np.array(self.title, dtype=object)

    def window(self, i: int, start: int) -> tuple[np.ndarray, np.ndarray]:
        return self.features[i][start : start + WINDOW], self.teacher[i][start : start + WINDOW]


def label(kind: str, video: np.ndarray, audio: np.ndarray) -> np.ndarray:
    """MOS of windows: what the teacher reads of video (n, W, 6) and audio (n, W, 1) -> (n,)."""
    teacher = load_teacher()
    if kind == "mean features":
        gain = teacher.video_gain(video.mean(axis=1)) * teacher.audio_gain(audio.mean(axis=1)[:, 0])
        return mos_of_points(teacher.c0 + gain)
    n = len(video)
    gain = teacher.video_gain(video.reshape(-1, 6)) * teacher.audio_gain(audio.reshape(-1))
    return mos_of_points(teacher.c0 + gain).reshape(n, -1).mean(axis=1)


def stack(pairs, audio: Sequences, video: Sequences):
    """Windows (audio index, its start, video index, its start) as arrays."""
    a = [audio.window(i, s) for i, s, _, _ in pairs]
    v = [video.window(j, t) for _, _, j, t in pairs]
    return tuple(np.stack(part) for part in (*zip(*a, strict=True), *zip(*v, strict=True)))


def draw(audio: Sequences, video: Sequences, kept: set[str], num: int, rng: np.random.Generator):
    """Random windows, audio and video drawn apart, each first by content."""
    pairs = []
    for side in (audio, video):
        groups = [np.flatnonzero(side.content == name) for name in sorted(kept) if (side.content == name).any()]
        chosen = [int(rng.choice(groups[k])) for k in rng.integers(len(groups), size=num)]
        pairs.append([(i, int(rng.integers(len(side.features[i]) - WINDOW + 1))) for i in chosen])
    return [(*a, *v) for a, v in zip(*pairs, strict=True)]


def true_pairs(audio: Sequences, video: Sequences, held_out: set[str]):
    """Every window of every true pair of the held-out contents, in steps of a window."""
    pairs = []
    for j in np.flatnonzero(np.isin(video.content, list(held_out))):
        for i in np.flatnonzero(audio.title == video.title[j]):
            last = min(len(audio.features[i]), len(video.features[j])) - WINDOW
            pairs += [(int(i), s, int(j), s) for s in range(0, last + 1, WINDOW)]
    return pairs


def train(units: bool, kind: str, audio: Sequences, video: Sequences, kept: set[str], steps: int, seed: int):
    """One network, its standardisation, and what turns windows into its inputs."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    scale = []
    for side in (audio, video):
        x = np.concatenate([side.features[i] for i in np.flatnonzero(np.isin(side.content, list(kept)))])
        scale.append((x.mean(axis=0), np.maximum(x.std(axis=0), 1e-4)))

    def inputs(x_a: np.ndarray, x_v: np.ndarray) -> list[torch.Tensor]:
        z = [np.clip((x - m) / s, -6, 6).astype(np.float32) for x, (m, s) in zip((x_a, x_v), scale, strict=True)]
        return [torch.from_numpy(part if units else part.mean(axis=1, keepdims=True)) for part in z]

    network = FusionNet(FusionNetConfig(num_hidden_layers=3))
    torch.nn.init.constant_(network.output.bias, 3.0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-4, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-4, total_steps=steps + 1, pct_start=0.3)
    network.train()
    for _ in range(steps):
        x_a, read_a, x_v, read_v = stack(draw(audio, video, kept, BATCH, rng), audio, video)
        z_a, z_v = inputs(x_a, x_v)
        z_a, z_v = z_a + 0.05 * torch.randn(z_a.shape), z_v + 0.02 * torch.randn(z_v.shape)
        loss = fusion_loss(network(z_a, z_v), torch.from_numpy(label(kind, read_v, read_a)).float())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval(), inputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--contents", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    rows, content_of = read_features(args.table).frame, read_contents(args.contents)
    audio, video = (Sequences(rows, kind, content_of) for kind in ("audio", "video"))
    contents = sorted(set(video.content) & set(audio.content))
    folds = grouped_folds(contents, args.folds)
    print(f"{len(contents)} contents, {len(video.features)} video and {len(audio.features)} audio sequences")
    print("| label | input | fold RMSE | PLCC | RMSE | seconds |\n|---|---|---|---|---|---|")
    for kind in ("mean features", "mean of the units' labels"):
        for units in (False, True):
            began, predicted, truth, by_fold = time.monotonic(), [], [], []
            for k, held_out in enumerate(folds):
                pairs = true_pairs(audio, video, set(held_out))
                x_a, read_a, x_v, read_v = stack(pairs, audio, video)
                target = label(kind, read_v, read_a)
                found = []
                for seed in range(args.seeds):
                    network, inputs = train(
                        units, kind, audio, video, set(contents) - set(held_out), args.steps, 100 * seed + k
                    )
                    with torch.inference_mode():
                        z_a, z_v = inputs(x_a, x_v)
                        parts = [
                            network(z_a[i : i + 1024], z_v[i : i + 1024]).numpy() for i in range(0, len(z_a), 1024)
                        ]
                    found.append(np.concatenate(parts))
                mean = np.mean(found, axis=0)
                predicted.append(mean)
                truth.append(target)
                by_fold.append(agreement(mean, target).rmse)
            all_of = agreement(np.concatenate(predicted), np.concatenate(truth))
            cells = " ".join(f"{rmse:.4f}" for rmse in by_fold)
            print(
                f"| {kind} | {'N = 5 units' if units else 'N = 1, their mean'} | {cells} | {all_of.plcc:.4f} | "
                f"{all_of.rmse:.4f} | {time.monotonic() - began:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
