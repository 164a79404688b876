"""LIVE-SJTU through whole models: its pictures with the sound of its encoder, as either family of features hears it.

    python -m benchmarks.listener.whole_model WORK_FOLDER live_sjtu.csv MODEL [MODEL ...]

The ratings' own sound is not public. In its place every real sound of the material, encoded by the encoder that the
panel heard (ffmpeg 4.1's AAC at 8, 32 and 128 kbps), is put beside every picture, and a stimulus is predicted as the
mean over sounds. A model reads what its card says: ViSQOL's statistics (`visqol_scores.py`), or the features of the
listener that was trained on everything (WORK_FOLDER/all.safetensors), these sounds among it, but never this encoder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from abr_alloc.audio_families import LISTENER
from abr_alloc.learning.imputation import load_imputation
from abr_alloc.learning.metrics import agreement, trade_off_order
from abr_alloc.listener.network import Network
from abr_alloc.models.audio_quality import audio_quality_mos, heard_quality_mos, prior_mos
from abr_alloc.models.audio_reading import family_read
from abr_alloc.models.checkpoint import load_model
from abr_alloc.models.teacher import points_of_mos
from abr_alloc.table.table import VIDEO_FEATURES
from benchmarks.listener.encodes import OLD_AAC
from benchmarks.listener.judge import LIVE_RATES, PREFERENCE


def prior_of(rate: float) -> np.ndarray:
    return prior_mos(["aac"], np.array([rate]), np.array([2.0]), np.array([rate]))


def visqol_inputs(work: Path, rate: float) -> np.ndarray:
    """X_a of every sound at a rate, (n, 513)."""
    rows = []
    for path in sorted(work.glob("*.visqol.npz")):
        with np.load(path) as found:
            rows.append(found["features"][(found["encoder"] == OLD_AAC.name) & (found["asked"] == rate)])
    x = np.concatenate(rows).astype(np.float64)
    return np.column_stack([x, audio_quality_mos(np.repeat(prior_of(rate), len(x)), x)]).astype(np.float32)


def listener_inputs(work: Path, rate: float) -> np.ndarray:
    """The same, of the listener."""
    tensors = load_file(work / "all.safetensors")
    tensors.pop("worst")
    network, rows = Network(tensors), []
    for path in sorted(work.glob("*.visqol.npz")):
        with np.load(work / path.name.replace(".visqol", "")) as found:
            (at,) = np.flatnonzero((found["encoder"] == OLD_AAC.name) & (found["asked"] == rate))
            reference, coded = (side.astype(np.float32) for side in (found["reference"], found["coded"][at]))
        rows.append((network.embed(reference, coded) - network.embed(reference, reference)).mean(axis=0))
    x = np.stack(rows)
    quality = heard_quality_mos(np.repeat(prior_of(rate), len(x)), network.judge(x)[0])
    return np.column_stack([x, quality]).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("live_sjtu", type=Path)
    parser.add_argument("models", nargs="+")
    args = parser.parse_args()
    live = load_imputation()(pd.read_csv(args.live_sjtu))
    x_v, mos = live[list(VIDEO_FEATURES)].to_numpy(np.float32), live["mos"].to_numpy()
    content, kbps = live["content"].to_numpy(), live["audio_kbps"].to_numpy()
    quality = live.groupby(["content", "video_condition"])["mos"].transform("mean").to_numpy()
    for name in args.models:
        model = load_model(name)
        inputs = listener_inputs if family_read(model.card) is LISTENER else visqol_inputs
        said = np.zeros(len(live))
        for rate in LIVE_RATES:
            rows = np.flatnonzero(kbps == rate)
            said[rows] = model.predictor.predict_grid(inputs(args.work, rate), x_v[rows]).mean(axis=1)
        found = agreement(points_of_mos(said), mos)
        order, num = trade_off_order(said, mos, content.tolist(), quality, kbps, threshold=PREFERENCE)
        print(f"{name}: PLCC {found.plcc:.3f}, SRCC {found.srcc:.3f}, RMSE {found.rmse:.2f} of 100, "
              f"trade-off order {order:.3f} of {num}")  # fmt: skip


if __name__ == "__main__":
    main()
