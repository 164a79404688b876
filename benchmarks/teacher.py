"""Fit the teacher and say how well it agrees with people, leaving one content out at a time.

python benchmarks/teacher.py live_sjtu.csv avt_vqdb_uhd1.csv [--alone] [--write]

The rating tables are research data and do not ship; docs/model.md names their sources. `--write` stores the fit as
abr_alloc/models/weights/teacher.json.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from abr_alloc.models.conformal import fit_intervals, measure_coverage
from abr_alloc.models.evaluation import agreement, trade_off_order
from abr_alloc.models.p1203 import aac_mos
from abr_alloc.models.teacher import VIDEO_COLUMNS, Teacher, fit_teacher

PREFERENCE = 5.0  # points of 100 by which ratings must differ to count as a preference


def predict(teacher: Teacher, rows: pd.DataFrame) -> np.ndarray:
    audio = teacher.audio_gain(aac_mos(rows["audio_kbps"].to_numpy()))
    return teacher.c0 + teacher.video_gain(rows[list(VIDEO_COLUMNS)].to_numpy()) * audio


def fit(rows: pd.DataFrame, avt: pd.DataFrame | None) -> Teacher:
    return fit_teacher(
        rows[list(VIDEO_COLUMNS)].to_numpy(), aac_mos(rows["audio_kbps"].to_numpy()), rows["mos"].to_numpy(), avt
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("live_sjtu", type=Path)
    parser.add_argument("avt_vqdb", type=Path)
    parser.add_argument("--alone", action="store_true", help="leave the second table out of the fit")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    live, avt = pd.read_csv(args.live_sjtu), None if args.alone else pd.read_csv(args.avt_vqdb)
    held_out = np.zeros(len(live))
    for content in live["content"].unique():
        test = (live["content"] == content).to_numpy()
        held_out[test] = predict(fit(live[~test], avt), live[test])
    mos = live["mos"].to_numpy()
    found = agreement(held_out, mos)
    video = live.groupby(["content", "video_condition"])["mos"].transform("mean").to_numpy()
    order, num = trade_off_order(
        held_out, mos, live["content"].to_list(), video, live["audio_kbps"].to_numpy(), threshold=PREFERENCE
    )
    print(f"leave one content out, {live['content'].nunique()} contents, {found.num} stimuli:")
    print(f"PLCC {found.plcc:.3f}  SRCC {found.srcc:.3f}  RMSE {found.rmse:.2f}/100  trade-off {order:.3f} of {num}")
    residual, content = (mos - held_out) * 4 / 100, live["content"].to_numpy(dtype=object)
    intervals, (held, held_differences) = (f(residual, content, content) for f in (fit_intervals, measure_coverage))
    low, high = intervals.interval_mos
    print(f"90 % interval {low:+.4f} {high:+.4f}, of a difference {intervals.difference_mos:.4f} MOS (1-5)")
    print(f"coverage on contents left out: ratings {held:.3f}, differences {held_differences:.3f}")
    for content in live["content"].unique():
        rows = (live["content"] == content).to_numpy()
        error = mos[rows] - held_out[rows]
        print(f"  {content:16} RMSE {np.sqrt(np.mean(error**2)):.2f}  mean {error.mean():+.2f}")
    teacher = fit(live, avt)
    rounded = json.loads(json.dumps(asdict(teacher)), parse_float=lambda text: round(float(text), 6))
    print(json.dumps(rounded, indent=2))
    if args.write:
        path = Path(str(resources.files("abr_alloc.models").joinpath("weights/teacher.json")))
        path.write_text(json.dumps(rounded, indent=2) + "\n")


if __name__ == "__main__":
    main()
