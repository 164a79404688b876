"""What choosing settings costs: `attentive-product` on LIVE-SJTU with its settings chosen inside every fold.

    python benchmarks/nested.py live_sjtu.csv uhd_video_ratings.csv

The settings that ship were chosen while looking at leave-one-content-out figures. Here each content is left out in
turn, the settings with the least RMSE in leave-one-content-out over the nine others are taken, and only then is it
predicted.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from abr_alloc.learning.cross_validation import cross_validate, grouped_folds
from abr_alloc.learning.dataset import TrainingSet
from abr_alloc.learning.metrics import agreement
from abr_alloc.learning.ratings import from_ratings, read_ratings, read_video_ratings
from abr_alloc.learning.scoring import judge, score
from abr_alloc.learning.systems import NetworkSystem, default_config

LIVE_RANGE = (17.93, 82.66)  # points of 100 that are 1 and 5 on the scale of AVQ


def without(data: TrainingSet, content: str) -> TrainingSet:
    """The data without a content."""
    kept = data.content != content
    return replace(data, pairs=data.pairs[kept], mos=data.mos[kept])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("live_sjtu", type=Path)
    parser.add_argument("video_ratings", type=Path)
    args = parser.parse_args()
    data = from_ratings(read_ratings(args.live_sjtu), mos_range=LIVE_RANGE)
    video = read_video_ratings(args.video_ratings)
    base = default_config(data, "attentive", of_qualities=True)
    systems = []
    for steps in (400, 800):
        for dropout in (0.1, 0.3):
            network = replace(base.network, dropout=dropout)
            config = replace(base, network=network, num_steps=steps, num_members=1)
            name = f"steps {steps}, dropout {dropout}"
            systems.append(
                NetworkSystem(
                    name=name, label=name, kind="attentive", config=config, of_qualities=True, video_ratings=video
                )
            )
    predicted = np.full(len(data.pairs), np.nan)
    for content in data.contents:
        inner = without(data, content)
        folds = grouped_folds(inner.contents, None)
        losses = [agreement(cross_validate(system, inner, folds).predicted, inner.mos).rmse for system in systems]
        best = systems[int(np.argmin(losses))]
        best = replace(best, config=replace(best.config, num_members=base.num_members))
        rows = data.pairs_of([content])
        predicted[rows] = best.fit(data, inner.contents, 0).predict(data, rows)
        print(f"{content}: {best.name} (inner RMSE {', '.join(f'{25 * loss:.2f}' for loss in losses)})", flush=True)
    found = score(judge(predicted, data, np.arange(len(data.pairs))))
    for name in ("plcc", "srcc", "rmse", "trade_off_order"):
        print(f"{name} {found[name].value:.4f} [{found[name].low:.4f}, {found[name].high:.4f}]")


if __name__ == "__main__":
    main()
