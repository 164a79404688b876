"""From a training set to a checkpoint: cross-validate, train on everything, measure, write.

Every figure in the card comes from networks that did not see the content they are judged on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from abr_alloc.features.table import FeatureTable
from abr_alloc.models.checkpoint import save_model
from abr_alloc.models.dataset import TrainingSet
from abr_alloc.models.decisions import measure_decisions
from abr_alloc.models.evaluation import agreement
from abr_alloc.models.folded import FoldedFusionNet
from abr_alloc.models.relevance import fit_ranges
from abr_alloc.models.teacher import TEACHER_INTERVAL_MOS, TEACHER_VALIDITY
from abr_alloc.models.training import CrossValidation, TrainedNetwork, TrainingConfig, cross_validate, train_network

__all__ = ["build_model"]

_INTERVAL = (0.05, 0.95)


def build_model(
    data: TrainingSet,
    tables: Sequence[FeatureTable],
    config: TrainingConfig,
    folder: Path,
    *,
    on_fold: Callable[[int, int, TrainedNetwork], None] | None = None,
) -> Mapping[str, Any]:
    """Train and write a checkpoint; returns its card.

    Args:
        data: what to train on.
        tables: the feature tables it was made of; empty for ratings.
        config: how to train.
        folder: where the checkpoint goes.
        on_fold: told each finished fold.

    Raises:
        FeatureTableError: there are too few contents.
        OutputError: the folder cannot be written.
    """
    validation = cross_validate(data, config, on_fold=on_fold)
    stop_at = int(np.median([network.best_step for network in validation.networks]))
    final = train_network(data, data.contents, [], config, stop_at=stop_at)
    network = final.fold()
    pairs = data.pairs
    ranges = fit_ranges(network, data.x_a[pairs[:, 0]], data.x_v[pairs[:, 1]])
    residuals = data.mos - validation.predicted
    own = np.quantile(residuals, _INTERVAL)
    # The network's error against its labels and the labels' against people are independent: squares add.
    label_error = np.array(TEACHER_INTERVAL_MOS if data.teacher else (0.0, 0.0))
    interval = np.array([-1.0, 1.0]) * np.hypot(own, label_error)
    evaluation: dict[str, Any] = {
        "held_out": asdict(agreement(validation.predicted, data.mos)),
        "folds": [sorted(fold) for fold in validation.folds],
    }
    if data.teacher:
        decisions = measure_decisions(tables, data.teacher, _network_of(data, tables, validation))
        evaluation["decisions"] = asdict(decisions)
    metadata = tables[0].metadata if tables else None
    card = {
        "labels": "labels of a human-fitted teacher" if data.teacher else "human ratings",
        "video_features": list(data.video_names),
        "audio_features": list(data.audio_names),
        "video_feature_version": metadata.video_feature_version if metadata else None,
        "audio_feature_version": metadata.audio_feature_version if metadata else None,
        "interval_mos": interval.round(4).tolist(),
        "interval_parts_mos": {"network": own.round(4).tolist(), "labels": label_error.tolist()},
        "relevance_ranges": asdict(ranges),
        "validity": TEACHER_VALIDITY if data.teacher else {},
        "training": {**asdict(config), "stop_at": stop_at, "num_pairs": len(pairs), "contents": data.contents},
        "evaluation": evaluation,
    }
    save_model(folder, final.state, {"audio": final.audio, "video": final.video}, card)
    return card


def _network_of(
    data: TrainingSet, tables: Sequence[FeatureTable], validation: CrossValidation
) -> Callable[[str], FoldedFusionNet | None]:
    """The network that did not see a title."""
    videos = [table.of_kind("video")["title"] for table in tables]
    content_of = dict(zip([title for part in videos for title in part], data.content_v.tolist(), strict=True))
    folded = [network.fold() for network in validation.networks]

    def find(title: str) -> FoldedFusionNet | None:
        for fold, network in zip(validation.folds, folded, strict=True):
            if content_of.get(title) in fold:
                return network
        return None

    return find
