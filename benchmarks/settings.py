"""Choices behind the network that ships, each against held-out contents: size of the head, what it hears, mixing.

    python benchmarks/settings.py [--variant NAME ...] [--ratings uhd_video_ratings.csv] [--folds 4] [--features FOLDER]

Every variant is trained on the same folds of benchmarks/features, or of benchmarks/features/listener. Printed are error
against the teacher's labels, steps up in rate that lower AVQ, regret of decisions by the labels, and with --ratings
people's hull regret and right pairs, as the mean over the folds' networks, judged at transparent audio.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from abr_alloc.learning.cross_validation import grouped_folds
from abr_alloc.learning.dataset import TrainingSet, from_tables
from abr_alloc.learning.decisions import measure_decisions
from abr_alloc.learning.evaluate import transparent_audio
from abr_alloc.learning.panel import without_flagged
from abr_alloc.learning.ratings import from_ratings, read_contents, read_ratings
from abr_alloc.learning.scoring import choices, judge
from abr_alloc.learning.systems import TrainedSystem, default_config
from abr_alloc.learning.training import TrainingConfig, train_ensemble
from abr_alloc.models.teacher import load_teacher
from abr_alloc.table.table import AUDIO_FEATURES, read_features

HERE = Path(__file__).parent


def variants(data: TrainingSet) -> dict[str, tuple[TrainingSet, TrainingConfig]]:
    base = default_config(data, "attentive")
    wide = replace(base, network=replace(base.network, d_ff=512))
    return {
        "ships": (data, base),
        "d_ff 512": (data, wide),
        "512 features alone": (replace(data, audio_names=AUDIO_FEATURES), base),
        "no mixing": (data, replace(base, mixing=0.0)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", action="append")
    parser.add_argument("--ratings", type=Path)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--features", type=Path, default=HERE / "features")
    args = parser.parse_args()
    torch.set_num_threads(1)
    tables = [read_features(path) for path in sorted(args.features.glob("*.parquet"))]
    contents, teacher = read_contents(HERE / "training_contents.csv"), load_teacher()
    data = from_tables(tables, teacher, contents)
    rated = None if args.ratings is None else from_ratings(without_flagged(read_ratings(args.ratings))[0])
    print(
        "| variant | RMSE | video falls | audio falls | regret mean, worst (300 to 4000k) | hull regret | right | s |"
    )
    print("|---" * 8 + "|")
    for name, (own, config) in variants(data).items():
        if args.variant and name not in args.variant:
            continue
        started, predicted, systems = time.process_time(), np.zeros(len(own.pairs)), []
        for fold in grouped_folds(own.contents, args.folds, 0):
            kept = [content for content in own.contents if content not in fold]
            predictor = train_ensemble(own, kept, config)
            system = TrainedSystem(predictor=predictor, audio_features=own.audio_names, video_features=own.video_names)
            rows = own.pairs_of(fold)
            predicted[rows] = system.predict(own, rows)
            systems.append((fold, system))

        def system_of(title: str, systems=systems) -> TrainedSystem | None:  # type: ignore[no-untyped-def]
            return next((system for fold, system in systems if contents.get(title, title) in fold), None)

        found = measure_decisions(tables, teacher, system_of)
        regret = "; ".join(f"{r.mean:.4f}, {r.worst:.4f}" for r in found.regret)
        people = ["-", "-"]
        if rated is not None:
            scores = [judge_people(system, rated, data.versions["audio"]) for _, system in systems]
            people = [f"{np.mean([score[i] for score in scores]):.4f}" for i in (0, 1)]
        print(
            f"| {name} | {np.sqrt(np.mean((predicted - own.mos) ** 2)):.4f} | {100 * found.video_drop_share:.2f} % | "
            f"{100 * found.audio_drop_share:.2f} % | {regret} | {' | '.join(people)} | "
            f"{time.process_time() - started:.0f} |",
            flush=True,
        )


def judge_people(system: TrainedSystem, rated: TrainingSet, audio_version: str) -> tuple[float, float]:
    """Mean hull regret and share of right pairs on a rated table without audio."""
    x_v = rated.video(system.video_features)
    card = {"audio_features": system.audio_features, "audio_feature_version": audio_version}
    model = SimpleNamespace(name="variant", predictor=system.predictor, audio_features=system.audio_features, card=card)
    x_a = np.broadcast_to(transparent_audio(model), (len(x_v), len(system.audio_features)))
    predicted = np.asarray(system.predictor.predict(x_a, x_v), dtype=np.float64)
    found = choices(judge(predicted, rated, np.arange(len(rated.pairs))), resamples=0)
    return found.hull_regret.mean, found.right_pairs.share


if __name__ == "__main__":
    main()
