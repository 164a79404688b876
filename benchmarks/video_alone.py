"""The video side against people: AVQ at transparent audio beside VMAF and the teacher, on panels of video alone.

    python benchmarks/video_alone.py uhd_video_ratings.csv [--model attentive]

The teacher was fitted with these ratings, and `attentive` learned from the teacher: neither is a stranger to them, VMAF
is. `abr-alloc evaluate` gives the figures on decisions; benchmarks/teacher.py those of the teacher refitted without the
source that it is judged on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from abr_alloc.learning.evaluate import evaluate
from abr_alloc.learning.metrics import agreement, map_logistic
from abr_alloc.learning.panel import without_flagged
from abr_alloc.learning.ratings import from_ratings, read_ratings
from abr_alloc.models.audio_quality import TRANSPARENT_MOS
from abr_alloc.models.checkpoint import load_model
from abr_alloc.models.teacher import load_teacher
from abr_alloc.table.table import VIDEO_FEATURES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--model", default="attentive")
    args = parser.parse_args()
    frame, _ = without_flagged(read_ratings(args.table))
    frame = frame.reset_index(drop=True)
    model, teacher, mos = load_model(args.model), load_teacher(), frame["mos"].to_numpy()
    scores = {
        "VMAF": frame["vmaf"].to_numpy(),
        "teacher": teacher.rate(frame[list(VIDEO_FEATURES)].to_numpy(), np.array([TRANSPARENT_MOS]))[:, 0],
        args.model: evaluate(model, from_ratings(frame)).judgement.predicted,
    }
    sets = frame.groupby("dataset").indices
    print("| score | set | PLCC | SRCC | RMSE mapped | SRCC within a content |\n|---|---|---|---|---|---|")
    for dataset, rows in sets.items():
        for name, score in scores.items():
            x, y = score[rows], mos[rows]
            found = agreement(x, y)
            mapped = np.sqrt(np.mean((map_logistic(x, y) - y) ** 2))
            groups = frame.iloc[rows].reset_index().groupby(["test", "content"]).indices.values()
            within = np.mean([agreement(x[i], y[i]).srcc for i in groups if len(i) > 2])
            print(f"| {name} | {dataset} | {found.plcc:.3f} | {found.srcc:.3f} | {mapped:.3f} | {within:.3f} |")
    print("\n| set | height | stimuli | people | " + " | ".join(list(scores)[1:]) + " | VMAF |\n" + "|---" * 7 + "|")
    for (dataset, height), i in frame.groupby(["dataset", "height"]).indices.items():
        cells = [f"{score[i].mean():.2f}" for score in (mos, *list(scores.values())[1:], scores["VMAF"])]
        print(f"| {dataset} | {height}p | {len(i)} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
