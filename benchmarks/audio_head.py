"""Fit A_head, the regression from ViSQOL's statistics to what codec and rate say; hold audio quality against people.

    python benchmarks/audio_head.py audio_encoder_rows.parquet [FEATURES.parquet ...] [--write]

The first table has rows of encoders that `extract` does not run (ffmpeg 4.1's AAC, which LIVE-SJTU's panel heard, and
others): `item`, `encoder`, `target`, `kbps`, `audio_features`; it does not ship. The others are feature tables,
benchmarks/features/*.parquet when absent. Rows of the first weigh 4, of the others 1. Every figure is of contents left
out (eight folds). `--write` stores the fit in abr_alloc/models/weights.
"""

from __future__ import annotations

import argparse
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import save

from abr_alloc.audio_families import VISQOL
from abr_alloc.learning.ratings import read_contents
from abr_alloc.models.audio_quality import AudioHead, audio_quality_mos, prior_mos, target_kbps
from abr_alloc.models.p1203 import aac_mos
from abr_alloc.models.teacher import load_teacher
from abr_alloc.table.table import read_features, stack_audio

FEATURES = Path(__file__).parent / "features"
FOLDS, RIDGE, ENCODER_WEIGHT = 8, 1.0, 4.0
CODECS = {"HE-AACv2": "heaacv2", "HE-AAC": "heaac", "opus": "opus", "LC": "aac", "aac": "aac"}
HEARD = "ffmpeg 4.1 aac (default coder fast)"  # by LIVE-SJTU's panel
RATES = (8, 16, 32, 64, 128)


def read_encoders(path: Path) -> pd.DataFrame:
    rows = pd.read_parquet(path)
    codec = rows["encoder"].map(lambda name: next(codec for key, codec in CODECS.items() if name.endswith(key)
                                                  or key in name))  # fmt: skip
    kbps = rows["kbps"].fillna(rows["target"].astype(float))
    return pd.DataFrame(
        {"title": rows["item"], "scene": 0, "codec": codec, "encoder": rows["encoder"], "channels": 2}
        | {"bitrate_kbps": kbps, "target_kbps": rows["target"].astype(float), "weight": ENCODER_WEIGHT}
        | {"audio_features": rows["audio_features"]}
    )


def read_rows(paths: list[Path]) -> pd.DataFrame:
    tables = {path: read_features(path) for path in paths}
    for path, table in tables.items():
        if table.metadata.audio_feature_version != VISQOL.version:
            raise SystemExit(f"{path} has no features of ViSQOL's; extract it again with --audio-features visqol")
    rows = pd.concat([table.of_kind("audio") for table in tables.values()], ignore_index=True)
    columns = ["title", "scene", "codec", "channels", "bitrate_kbps", "audio_features"]
    return rows[columns].assign(target_kbps=target_kbps(rows["target"].to_list()), encoder="", weight=1.0)


def fit(x: np.ndarray, prior: np.ndarray, weight: np.ndarray) -> AudioHead:
    """Weighted ridge regression on standardised statistics."""
    mean, std = x.mean(axis=0), x.std(axis=0)
    std = np.where(std > 1e-4, std, 1.0)
    z = np.clip((x - mean) / std, -6.0, 6.0)
    share = weight / weight.sum()
    centre, level = share @ z, share @ prior
    z = z - centre
    coefficients = np.linalg.solve((z.T * share) @ z + RIDGE * np.eye(z.shape[1]), (z.T * share) @ (prior - level))
    return AudioHead(mean=mean, std=std, coefficients=coefficients, intercept=float(level - centre @ coefficients))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoders", type=Path)
    parser.add_argument("features", type=Path, nargs="*", default=sorted(FEATURES.glob("*.parquet")))
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    rows = pd.concat([read_rows(args.features), read_encoders(args.encoders)], ignore_index=True)
    x, weight = stack_audio(rows).astype(np.float64), rows["weight"].to_numpy()
    numbers = (rows[name].to_numpy(np.float64) for name in ("bitrate_kbps", "channels", "target_kbps"))
    prior = prior_mos(rows["codec"].to_list(), *numbers)
    contents = read_contents(FEATURES.parent / "training_contents.csv")
    content = rows["title"].map(lambda title: contents.get(title, title)).to_numpy()
    names = np.random.default_rng(0).permutation(sorted(set(content)))
    head, believed = np.zeros(len(rows)), np.zeros(len(rows))
    for k in range(FOLDS):
        test = np.isin(content, names[k::FOLDS])
        fitted = fit(x[~test], prior[~test], weight[~test])
        head[test], believed[test] = fitted(x[test]), audio_quality_mos(prior[test], x[test], fitted)
    print(f"{len(rows)} rows of {len(names)} contents; head against prior, contents out: "
          f"r {np.corrcoef(head, prior)[0, 1]:.3f}, RMSE {np.sqrt(np.mean((head - prior) ** 2)):.3f} MOS")  # fmt: skip
    teacher = load_teacher()
    gain = {"A": teacher.audio_gain(believed), "prior": teacher.audio_gain(prior)}
    gain |= {"head alone": teacher.audio_gain(head)}
    print("\nGain of the AAC that LIVE-SJTU's panel heard, mean over items (people .473, .891 and 1 at 8, 32 and 128k)")
    print("| kbps | " + " | ".join(map(str, RATES)) + " |\n" + "|---" * (len(RATES) + 1) + "|")
    heard = rows["encoder"] == HEARD
    print("| P.1203.2 | " + " | ".join(f"{g:.3f}" for g in teacher.audio_gain(aac_mos(np.array(RATES, float)))) + " |")
    for name, values in gain.items():
        means = [values[heard & (rows["target_kbps"] == rate)].mean() for rate in RATES]
        print(f"| {name} | " + " | ".join(f"{g:.3f}" for g in means) + " |")
    for codec, low, high in (("aac", 24, 48), ("opus", 16, 48), ("heaac", 24, 96), ("heaacv2", 16, 48)):
        part = (rows["codec"] == codec) & rows["target_kbps"].between(low, high) & (rows["encoder"] == "")
        if part.any():
            off = np.abs(gain["A"] - gain["prior"])[part]
            print(f"{codec} {low}-{high}k: gain within .05 of the curve's {np.mean(off <= 0.05):.3f} of {part.sum()}")
    falls = []
    for _, group in rows[rows["encoder"] == ""].groupby(["title", "scene", "codec"]):
        order = group.sort_values("bitrate_kbps").index
        falls += list(-np.diff(gain["A"][order]))
    print(f"steps up in rate that lower the gain by more than .005: {np.mean(np.array(falls) > 0.005):.4f} of "
          f"{len(falls)}; worst {max(falls):.4f}")  # fmt: skip
    if args.write:
        found = fit(x, prior, weight)
        tensors = {name: getattr(found, name).astype(np.float32) for name in ("mean", "std", "coefficients")}
        tensors["intercept"] = np.array([found.intercept], dtype=np.float32)
        path = Path(str(resources.files("abr_alloc.models").joinpath("weights/audio_quality.safetensors")))
        path.write_bytes(save(tensors))


if __name__ == "__main__":
    main()
