"""What commands say of a judgement, as parts of a JSON object."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from abr_alloc.cli.training_data import number

if TYPE_CHECKING:
    from abr_alloc.learning.scoring import Judgement

__all__ = ["DATASET_METRICS", "choice_objects", "dataset_objects", "fixed_object"]

DATASET_METRICS = ("plcc", "srcc", "rmse", "rmse_mapped")
"""Agreement that is given for each data set of a table."""


def choice_objects(judgement: Judgement) -> dict[str, dict[str, float | int | None] | None]:
    """`hull_regret` and `right_pairs`; null where the stimuli leave no choice."""
    from abr_alloc.learning.scoring import choices

    found = choices(judgement)
    if found is None:
        return {"hull_regret": None, "right_pairs": None}
    return {
        name: {key: value if isinstance(value, int) else number(value) for key, value in figure.items()}
        if figure["num"]
        else None
        for name, figure in dataclasses.asdict(found).items()
    }


def dataset_objects(judgement: Judgement, *, on_scale: bool = True) -> list[dict[str, Any]]:
    """The figures of each data set, where a table has several.

    Args:
        judgement: of all stimuli.
        on_scale: whether predictions are on the ratings' scale, so that their RMSE says something.
    """
    from abr_alloc.learning.scoring import FIXED_METRICS, of_dataset, score

    found = []
    for name in () if judgement.panel is None else judgement.panel.datasets:
        part = of_dataset(judgement, name)
        scores = score(part, resamples=0)
        figures = {m: number(scores[m].value) if on_scale or m in FIXED_METRICS else None for m in DATASET_METRICS}
        found.append({"name": name, "num_stimuli": len(part.target), **choice_objects(part), **figures})
    return found


def fixed_object(judgement: Judgement) -> dict[str, Any]:
    """A score that learns nothing, as it is, beside a model: what can be said of it without a scale."""
    from abr_alloc.learning.scoring import FIXED_METRICS, score

    scores = score(judgement, resamples=0)
    return {
        **choice_objects(judgement),
        **{name: number(scores[name].value) for name in FIXED_METRICS},
        "datasets": dataset_objects(judgement, on_scale=False),
    }
