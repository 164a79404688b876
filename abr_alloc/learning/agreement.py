"""Agreement with ratings as JSON objects (docs/formats.md): of one model, and of systems beside each other."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from abr_alloc.learning.cross_validation import Result
from abr_alloc.learning.dataset import TrainingSet
from abr_alloc.learning.evaluate import Verdict
from abr_alloc.learning.scoring import (
    FIXED_METRICS,
    METRICS,
    RELEVANCE_MEASURES,
    Estimate,
    Judgement,
    choices,
    of_dataset,
    score,
)
from abr_alloc.models.checkpoint import Model

__all__ = ["comparison_document", "evaluation_document", "number"]

_DATASET_METRICS = ("plcc", "srcc", "rmse", "rmse_mapped")
"""Agreement that is given for each data set of a table."""


def _choice_objects(judgement: Judgement) -> dict[str, dict[str, float | int | None] | None]:
    """`hull_regret` and `right_pairs`; null where the stimuli leave no choice."""
    found = choices(judgement)
    if found is None:
        return {"hull_regret": None, "right_pairs": None}
    return {
        name: {key: value if isinstance(value, int) else number(value) for key, value in figure.items()}
        if figure["num"]
        else None
        for name, figure in dataclasses.asdict(found).items()
    }


def _dataset_objects(judgement: Judgement, *, on_scale: bool = True) -> list[dict[str, Any]]:
    """The figures of each data set, where a table has several.

    Args:
        judgement: of all stimuli.
        on_scale: whether predictions are on the ratings' scale, so that their RMSE says something.
    """
    found = []
    for name in () if judgement.panel is None else judgement.panel.datasets:
        part = of_dataset(judgement, name)
        scores = score(part, resamples=0)
        figures = {m: number(scores[m].value) if on_scale or m in FIXED_METRICS else None for m in _DATASET_METRICS}
        found.append({"name": name, "num_stimuli": len(part.target), **_choice_objects(part), **figures})
    return found


def _fixed_object(judgement: Judgement) -> dict[str, Any]:
    """A score that learns nothing, as it is, beside a model: what can be said of it without a scale."""
    scores = score(judgement, resamples=0)
    return {
        **_choice_objects(judgement),
        **{name: number(scores[name].value) for name in FIXED_METRICS},
        "datasets": _dataset_objects(judgement, on_scale=False),
    }


def evaluation_document(model: Model, data: TrainingSet, path: Path, verdict: Verdict) -> dict[str, Any]:
    """The object of `evaluate`.

    Args:
        model: what was judged.
        data: the ratings, or the teacher's labels.
        path: where they came from.
        verdict: what came of it.
    """
    scores = score(verdict.judgement)
    return {
        "schema_version": 1,
        "command": "evaluate",
        "model": {"name": model.name, "labels": model.card["labels"], "weights_sha256": model.card["weights_sha256"]},
        "data": _describe(data, path),
        **_choice_objects(verdict.judgement),
        **{name: _estimate_object(scores[name]) for name in METRICS},
        "relevance": {name: _estimate_object(scores[f"relevance_spearman:{name}"]) for name in RELEVANCE_MEASURES},
        "coverage": {"ratings": number(verdict.coverage[0]), "differences": number(verdict.coverage[1])},
        "datasets": _dataset_objects(verdict.judgement),
        "vmaf": None if verdict.vmaf is None else _fixed_object(verdict.vmaf),
        "notes": _notes(model, data, verdict.transparent_audio),
    }


def _describe(data: TrainingSet, path: Path) -> dict[str, Any]:
    return {
        "path": str(path),
        "labels": "teacher" if data.teacher else "ratings",
        "num_stimuli": len(data.pairs),
        "num_contents": len(data.contents),
        "scale": list(data.scale),
    }


def _notes(model: Model, data: TrainingSet, transparent_audio: bool) -> list[str]:
    """What the figures must not be taken for."""
    notes = []
    seen = sorted(model.trained_on & set(data.contents))
    if seen:
        notes.append(
            f"the model was trained on {len(seen)} of the {len(data.contents)} contents ({', '.join(seen[:5])}"
            f"{', ...' if len(seen) > 5 else ''}): these figures are not held out; the model's card has those that are"
        )
    if transparent_audio:
        notes.append("the ratings have no audio: every stimulus is judged at transparent audio")
    if data.teacher:
        notes.append("the labels are the teacher's, not people's; the intervals allow for its own error too")
    return notes


def comparison_document(
    paths: Sequence[Path],
    data: TrainingSet,
    results: Sequence[Result],
    vmaf: Judgement | None,
    *,
    fold_kind: str,
    folds: Sequence[Sequence[str]],
    num_seeds: int,
    least_audio_kbps: float | None,
    transparent_audio: bool,
) -> dict[str, Any]:
    """The object of `compare`: `table.json`.

    Args:
        paths: where the data came from.
        data: what systems were trained and tested on.
        results: of every system.
        vmaf: VMAF as it is, where the data have it.
        fold_kind: `content` or `leave-one-out`.
        folds: contents of every fold.
        num_seeds: how often each system was trained.
        least_audio_kbps: least audio rate of a stimulus; None for any.
        transparent_audio: whether the ratings have no audio, and were judged at transparent audio.
    """
    systems = [_row(result) for result in results]
    if vmaf is not None:
        systems.append(_fixed_row("vmaf", "VMAF, as it is", vmaf))
    return {
        "schema_version": 1,
        "command": "compare",
        "data": {
            "paths": [str(path) for path in paths],
            "labels": "teacher" if data.teacher else "ratings",
            "num_stimuli": len(data.pairs),
            "num_contents": len(data.contents),
            "scale": list(data.scale),
            "audio_features": list(data.audio_names),
            "video_features": list(data.video_names),
            "exclude_audio_below_kbps": least_audio_kbps,
            "transparent_audio": transparent_audio,
        },
        "folds": {"kind": fold_kind, "num": len(folds), "contents": folds},
        "num_seeds": num_seeds,
        "systems": systems,
    }


def _row(result: Result) -> dict[str, Any]:
    scores = result.scores
    return {
        "name": result.name,
        "label": result.label,
        **_choice_objects(result.judgement),
        **{name: _estimate_object(scores[name]) for name in METRICS},
        "relevance": {name: _estimate_object(scores[f"relevance_spearman:{name}"]) for name in RELEVANCE_MEASURES},
        "coverage": {"ratings": number(result.coverage[0]), "differences": number(result.coverage[1])},
        "by_seed": [{name: number(seed[name]) for name in METRICS} for seed in result.by_seed],
        "datasets": _dataset_objects(result.judgement),
    }


def _fixed_row(name: str, label: str, judgement: Judgement) -> dict[str, Any]:
    """The row of a score that learns nothing: what it has no scale for is null."""
    scores, nothing = score(judgement), {"value": None, "low": None, "high": None}
    return {
        "name": name,
        "label": label,
        **_choice_objects(judgement),
        **{metric: _estimate_object(scores[metric]) if metric in FIXED_METRICS else nothing for metric in METRICS},
        "relevance": dict.fromkeys(RELEVANCE_MEASURES, nothing),
        "coverage": {"ratings": None, "differences": None},
        "by_seed": [],
        "datasets": _dataset_objects(judgement, on_scale=False),
    }


def number(value: float, digits: int = 6) -> float | None:
    """A figure for JSON, which has no NaN."""
    return round(value, digits) if math.isfinite(value) else None


def _estimate_object(estimate: Estimate) -> dict[str, float | None]:
    """`{"value", "low", "high"}`."""
    return {name: number(value) for name, value in dataclasses.asdict(estimate).items()}
