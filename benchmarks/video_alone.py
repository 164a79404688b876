"""The video side against people: AVQ at transparent audio beside VMAF and the teacher, on AVT-VQDB-UHD-1.

    python benchmarks/video_alone.py avt_vqdb_uhd1.csv [--model attentive]

The table's features are libvmaf's at 2160p. It has no `frame_diff`; for the teacher, and for models that read it, 1.5
times `motion2` stands in. The teacher was fitted with these ratings as a second term, and `attentive` learned from the
teacher, so neither is a stranger to them; VMAF is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from abr_alloc.models.checkpoint import load_model
from abr_alloc.models.evaluation import agreement, map_logistic
from abr_alloc.models.ratings import from_ratings, read_ratings
from abr_alloc.models.teacher import VIDEO_COLUMNS, load_teacher, scale_to_mos
from abr_alloc.models.verdict import evaluate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--model", default="attentive")
    args = parser.parse_args()
    frame = read_ratings(args.table)
    frame = frame.assign(frame_diff=1.5 * frame["motion2"])
    model, teacher, mos = load_model(args.model), load_teacher(), frame["mos"].to_numpy()
    columns = [name for name in model.video_features if name in frame.columns]
    scores = {
        "VMAF": frame["vmaf"].to_numpy(),
        "teacher": scale_to_mos(teacher.c0 + teacher.video_gain(frame[list(VIDEO_COLUMNS)].to_numpy())),
        args.model: evaluate(model, from_ratings(frame, (), columns)).judgement.predicted,
    }
    print("| score | PLCC | SRCC | RMSE mapped | SRCC within a content |\n|---|---|---|---|---|")
    contents = frame.groupby("content").indices.values()
    for name, score in scores.items():
        found = agreement(score, mos)
        mapped = np.sqrt(np.mean((map_logistic(score, mos) - mos) ** 2))
        within = np.mean([agreement(score[i], mos[i]).srcc for i in contents])
        print(f"| {name} | {found.plcc:.3f} | {found.srcc:.3f} | {mapped:.3f} | {within:.3f} |")
    print("\n| height | stimuli | people | " + " | ".join(list(scores)[1:]) + " | VMAF |\n|---|---|---|---|---|---|")
    for height, i in frame.groupby("height").indices.items():
        cells = [f"{score[i].mean():.2f}" for score in (mos, *list(scores.values())[1:], scores["VMAF"])]
        print(f"| {height}p | {len(i)} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
