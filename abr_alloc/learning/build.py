"""From a training set to a checkpoint: cross-validate, train on everything, measure, write.

Every figure in the card comes from systems that did not see the content they are judged on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from abr_alloc.errors import UnknownSystemError
from abr_alloc.learning.conformal import fit_intervals, measure_coverage
from abr_alloc.learning.cross_validation import HeldOut, check_trainable, cross_validate, grouped_folds
from abr_alloc.learning.dataset import TrainingSet
from abr_alloc.learning.decisions import measure_decisions
from abr_alloc.learning.relevance_fit import fit_ranges
from abr_alloc.learning.scoring import judge, score
from abr_alloc.learning.systems import Fitted, NetworkSystem, System, TrainedSystem, default_config
from abr_alloc.models.checkpoint import save_model
from abr_alloc.models.intervals import LEVEL, Intervals
from abr_alloc.models.teacher import TEACHER_INTERVALS
from abr_alloc.table.table import FeatureTable

__all__ = ["build_model"]

_RANGE_PAIRS = 20_000  # pairs over which relevance is normalised


def build_model(
    data: TrainingSet,
    tables: Sequence[FeatureTable],
    system: System,
    folder: Path,
    *,
    num_folds: int | None = 5,
    seed: int = 0,
    on_fold: Callable[[int, int], None] | None = None,
) -> Mapping[str, Any]:
    """Train and write a checkpoint; returns its card.

    Args:
        data: what to train on.
        tables: the feature tables it was made of; empty for ratings.
        system: what to train.
        folder: where the checkpoint goes.
        num_folds: folds, grouped by content; None to leave one content out at a time.
        seed: seed of the fits.
        on_fold: told each finished fold, and their number.

    Raises:
        FeatureTableError: there are too few contents, or nothing to learn.
        UnknownSystemError: the system has no form that a checkpoint can hold.
        OutputError: the folder cannot be written.
    """
    folds = grouped_folds(data.contents, num_folds, seed)
    check_trainable(data)
    fitted_on: list[Fitted] = []

    def keep(fitted: Fitted) -> None:
        if not isinstance(fitted, TrainedSystem):
            raise UnknownSystemError(
                f"system {system.name!r} cannot be stored or planned with; compare it, or choose another `system`",
                name=system.name,
            )
        fitted_on.append(fitted)

    held = cross_validate(
        system,
        data,
        folds,
        seed,
        on_fitted=keep,
        on_fold=lambda k: on_fold(k, len(folds)) if on_fold else None,
    )
    final = system.fit(data, data.contents, seed)
    assert isinstance(final, TrainedSystem)  # the folds were
    card = {
        "system": system.name,
        "labels": _labels(system, data),
        "video_features": list(final.video_features),
        "audio_features": list(final.audio_features),
        "video_feature_version": data.versions.get("video"),
        "audio_feature_version": data.versions.get("audio"),
        "rating_scale": list(data.scale),
        **_intervals(held, data),
        "relevance_ranges": _ranges(final, data),
        "validity": dict(data.validity) if getattr(system, "learns", True) else {},
        "training": {
            **_settings(system, data),
            "seed": seed,
            "num_pairs": len(data.pairs),
            "contents": data.contents,
            **_titles(tables),
        },
        "evaluation": _evaluation(held, data, tables, folds, fitted_on),
    }
    save_model(folder, final.predictor, card)
    return card


def _titles(tables: Sequence[FeatureTable]) -> dict[str, list[str]]:
    """Titles of the feature tables, several of which may be one content."""
    return {"titles": sorted({title for table in tables for title in table.frame["title"]})} if tables else {}


def _labels(system: System, data: TrainingSet) -> str:
    """What the system was trained on."""
    if data.teacher and not getattr(system, "learns", True):
        return "no labels: a fixed formula"
    return "labels of a human-fitted teacher" if data.teacher else "human ratings"


def _intervals(held: HeldOut, data: TrainingSet) -> dict[str, Any]:
    """Conformal intervals of held-out residuals; teacher labels add the teacher's own error against people."""
    residual = data.mos - held.predicted
    own = fit_intervals(residual, data.group, data.content)
    coverage, difference_coverage = measure_coverage(residual, data.group, data.content)
    found = {
        **_rounded(own),
        "interval_level": LEVEL,
        "interval_coverage": {"ratings": _number(coverage), "differences": _number(difference_coverage)},
    }
    if data.teacher:
        # The system's error against its labels and the labels' against people are independent: squares add.
        low, high = (math.hypot(a, b) for a, b in zip(own.interval_mos, TEACHER_INTERVALS.interval_mos, strict=True))
        difference = math.hypot(own.difference_mos, TEACHER_INTERVALS.difference_mos)
        both = Intervals(interval_mos=(-low, high), difference_mos=difference)
        found |= _rounded(both)
        found["interval_parts"] = {"system": _rounded(own), "labels": _rounded(TEACHER_INTERVALS)}
    return found


def _rounded(intervals: Intervals) -> dict[str, Any]:
    return {
        "interval_mos": [round(bound, 4) for bound in intervals.interval_mos],
        "difference_mos": round(intervals.difference_mos, 4),
    }


def _ranges(final: TrainedSystem, data: TrainingSet) -> dict[str, Any]:
    rows = np.arange(len(data.pairs))[:: max(1, len(data.pairs) // _RANGE_PAIRS)]
    return asdict(fit_ranges(final.predictor, *final.inputs(data, rows)))


def _settings(system: System, data: TrainingSet) -> dict[str, Any]:
    """How a network was trained; other systems choose their few settings themselves, and store them."""
    if not isinstance(system, NetworkSystem):
        return {}
    config = system.config or default_config(data, system.kind, of_qualities=system.of_qualities)
    settings = asdict(config)
    del settings["seed"], settings["network"]["audio_dim"], settings["network"]["video_dim"]
    return settings


def _evaluation(
    held: HeldOut,
    data: TrainingSet,
    tables: Sequence[FeatureTable],
    folds: Sequence[Sequence[str]],
    fitted_on: Sequence[Fitted],
) -> dict[str, Any]:
    every = np.arange(len(data.pairs))
    judged = judge(held.predicted, data, every, ablated=held.ablated, changed=held.changed, weight=held.weight)
    found: dict[str, Any] = {
        "held_out": {
            name: {key: _number(value) for key, value in asdict(estimate).items()}
            for name, estimate in score(judged).items()
        },
        "num_pairs": len(every),
        "folds": [sorted(fold) for fold in folds],
    }
    if data.teacher:
        videos = [table.of_kind("video")["title"] for table in tables]
        content_of = dict(zip([title for part in videos for title in part], data.content_v.tolist(), strict=True))

        def system_of(title: str) -> TrainedSystem | None:
            """The system that did not see a title."""
            for fold, fitted in zip(folds, fitted_on, strict=True):
                if content_of.get(title) in fold and isinstance(fitted, TrainedSystem):
                    return fitted
            return None

        found["decisions"] = asdict(measure_decisions(tables, data.teacher, system_of))
    return found


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return round(value, 6) if math.isfinite(value) else None
