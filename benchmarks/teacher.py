"""Fit the teacher and say how well it agrees with people: on ratings, and on decisions, leaving contents out.

    python benchmarks/teacher.py live_sjtu.csv uhd_video_ratings.csv [--write]

The rating tables are research data and do not ship; docs/model.md names their sources. LIVE-SJTU's missing `motion2`
and `adm2` are imputed by regressions that are fitted here first, on benchmarks/features/clips.parquet and the UHD
table. `--write` stores both fits in abr_alloc/models/weights.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from abr_alloc.learning.conformal import fit_intervals, measure_coverage
from abr_alloc.learning.hull import judge_choices
from abr_alloc.learning.imputation import Imputation, fit_imputation
from abr_alloc.learning.metrics import agreement, trade_off_order
from abr_alloc.learning.ratings import read_contents, read_video_ratings
from abr_alloc.learning.teacher_fit import fit_teacher
from abr_alloc.models.p1203 import aac_mos
from abr_alloc.models.teacher import Teacher, mos_of_points
from abr_alloc.table.table import VIDEO_FEATURES, read_features

FEATURES = Path(__file__).parent / "features"
PREFERENCE = 5.0  # points of 100 by which ratings must differ to count as a preference


def points(teacher: Teacher, rows: pd.DataFrame) -> np.ndarray:
    """Predicted points of 100 of LIVE-SJTU's stimuli."""
    return teacher.points(rows[list(VIDEO_FEATURES)].to_numpy(), aac_mos(rows["audio_kbps"].to_numpy()))


def fit(rows: pd.DataFrame, video: pd.DataFrame) -> Teacher:
    return fit_teacher(
        rows[list(VIDEO_FEATURES)].to_numpy(),
        aac_mos(rows["audio_kbps"].to_numpy()),
        rows["mos"].to_numpy(),
        rows["content"].to_numpy(),
        video,
    )


def fit_estimates(video: pd.DataFrame) -> Imputation:
    """The imputation, and how well it does on sources that were left out."""
    clips = read_features(FEATURES / "clips.parquet").of_kind("video")
    if "frame_diff" not in clips.columns:
        raise SystemExit("benchmarks/features/clips.parquet has no frame_diff; the imputation needs it")
    contents = read_contents(FEATURES.parent / "training_contents.csv")
    clips = clips.assign(source=clips["title"].map(lambda title: contents.get(title, title)))
    both = pd.concat([clips, video], ignore_index=True)
    for name, rows in (("adm2", both), ("motion2", clips)):
        estimate = pd.Series(np.nan, index=rows.index)
        for source in rows["source"].unique():
            test = rows["source"] == source
            without = fit_imputation(both[both["source"] != source], clips[clips["source"] != source])
            estimate[test] = without(rows[test].assign(frame_diff=rows[test].get("frame_diff", 1.0)))[name]
        print(f"imputed {name}, one source out: r {np.corrcoef(estimate, rows[name])[0, 1]:.3f}")
    return fit_imputation(both, clips)


def judge_ratings(live: pd.DataFrame, video: pd.DataFrame) -> None:
    held_out = np.zeros(len(live))
    for content in live["content"].unique():
        test = (live["content"] == content).to_numpy()
        held_out[test] = points(fit(live[~test], video), live[test])
    mos = live["mos"].to_numpy()
    found = agreement(held_out, mos)
    quality = live.groupby(["content", "video_condition"])["mos"].transform("mean").to_numpy()
    order, num = trade_off_order(
        held_out, mos, live["content"].to_list(), quality, live["audio_kbps"].to_numpy(), threshold=PREFERENCE
    )
    print(f"LIVE-SJTU, one of {live['content'].nunique()} contents out, {found.num} stimuli:")
    print(f"  PLCC {found.plcc:.3f}  SRCC {found.srcc:.3f}  RMSE {found.rmse:.2f}/100  trade-off {order:.3f} of {num}")
    residual, content = mos_of_points(mos) - mos_of_points(held_out), live["content"].to_numpy(dtype=object)
    intervals, (held, held_differences) = (f(residual, content, content) for f in (fit_intervals, measure_coverage))
    low, high = intervals.interval_mos
    print(f"  90 % interval {low:+.4f} {high:+.4f}, of a difference {intervals.difference_mos:.4f} AVQ")
    print(f"  coverage on contents left out: ratings {held:.3f}, differences {held_differences:.3f}")
    for name in live["content"].unique():
        error = (mos - held_out)[content == name]
        print(f"    {name:16} RMSE {np.sqrt(np.mean(error**2)):.2f}  mean {error.mean():+.2f}")


def judge_decisions(live: pd.DataFrame, video: pd.DataFrame) -> None:
    held_out = np.zeros(len(video))
    for source in video["source"].unique():
        test = (video["source"] == source).to_numpy()
        held_out[test] = fit(live, video[~test]).video_logit(video.loc[test, list(VIDEO_FEATURES)].to_numpy())
    print(f"UHD panels, one of {video['source'].nunique()} sources out (refitted without it):")
    for name, score in (("teacher", held_out), ("VMAF", video["vmaf"].to_numpy())):
        for dataset, rows in video.groupby("dataset").indices.items():
            part = video.iloc[rows]
            found = judge_choices(
                part.groupby(["test", "content", "codec"]).ngroup().to_numpy(),
                part["source"].to_numpy(dtype=object),
                *(part[column].to_numpy() for column in ("height", "bitrate_kbps", "mos")),
                score[rows],
                scale=(1.0, 5.0),
            )
            regret, right = found.hull_regret, found.right_pairs
            print(
                f"  {name:8} {dataset:8} hull regret {regret.mean:.4f} [{regret.low:.3f}, {regret.high:.3f}], 95 % "
                f"{regret.p95:.3f}, worst {regret.worst:.2f}; right pairs {right.share:.3f} of {right.num}; "
                f"PLCC {agreement(score[rows], part['mos'].to_numpy()).plcc:.3f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("live_sjtu", type=Path)
    parser.add_argument("video_ratings", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    video = read_video_ratings(args.video_ratings)
    imputation = fit_estimates(video)
    live = imputation(pd.read_csv(args.live_sjtu))
    judge_ratings(live, video)
    judge_decisions(live, video)
    teacher = fit(live, video)
    for name, found in (("teacher", teacher), ("imputation", imputation)):
        rounded = json.loads(json.dumps(asdict(found)), parse_float=lambda text: round(float(text), 6))
        text = json.dumps(rounded, indent=2) + "\n"
        print(name, text, end="")
        if args.write:
            Path(str(resources.files("abr_alloc.models").joinpath(f"weights/{name}.json"))).write_text(text)


if __name__ == "__main__":
    main()
