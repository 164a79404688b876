"""Plans, budget sweeps and relevance as JSON objects (docs/formats.md)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from abr_alloc.allocation.rendition import VideoRendition
from abr_alloc.allocation.results import Plan
from abr_alloc.allocation.sensitivity import BudgetPoint
from abr_alloc.errors import InfeasibleLimits
from abr_alloc.models.checkpoint import Model
from abr_alloc.models.screens import screen_object
from abr_alloc.parameters import infeasible_object

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["model_object", "plan_document", "relevance_document", "sweep_document", "sweep_frame", "video_object"]


def model_object(model: Model) -> dict[str, Any]:
    """Which model predicted."""
    return {
        "name": model.name,
        "labels": model.card["labels"],
        "video_feature_version": model.card["video_feature_version"],
        "audio_feature_version": model.card["audio_feature_version"],
        "weights_sha256": model.card["weights_sha256"],
        **screen_object(model.phones),
    }


def video_object(video: VideoRendition) -> dict[str, Any]:
    """A video rendition; where it was interpolated, between which probes."""
    fields = dataclasses.asdict(video)
    probes = fields.pop("nearest_probes")
    del fields["estimated"]  # what is estimated is never chosen
    if not video.shots:
        del fields["shots"]
    if video.dynamic_range == "SDR":
        del fields["dynamic_range"]
    if video.interpolated:
        fields |= {"interpolated": True, "nearest_probes": list(probes)}
    return fields


def plan_document(plan: Plan, model: Model, overhead: float, *, per_title: bool) -> dict[str, Any]:
    """The object of `plan`, with certificates where a budget is a title's."""
    plans = []
    for allocation in plan.allocations:
        row = dataclasses.asdict(allocation)
        row.pop("extra_budget_gain_mos")
        row["video"] = video_object(allocation.video)
        row["interval_mos"] = list(row["interval_mos"])
        row["cheaper"]["video"] = video_object(allocation.cheaper.video)
        plans.append(row)
    document = {
        "schema_version": 2,
        "command": "plan",
        "model": model_object(model),
        "overhead": overhead,
        "plans": plans,
        "infeasible": [infeasible_object(scene) for scene in plan.infeasible],
    }
    if per_title:
        document["certificates"] = [{**dataclasses.asdict(c), "gap_mos": c.gap_mos} for c in plan.certificates]
    return document


def sweep_document(
    points: Sequence[BudgetPoint], infeasible: Sequence[InfeasibleLimits], model: Model, overhead: float, pool: str
) -> dict[str, Any]:
    """The object of `plan --sensitivity`."""
    return {
        "schema_version": 1,
        "command": "plan --sensitivity",
        "model": model_object(model),
        "overhead": overhead,
        "pool": pool,
        "points": _sweep_rows(points),
        "infeasible": [infeasible_object(title) for title in infeasible],
    }


def sweep_frame(points: Sequence[BudgetPoint]) -> pd.DataFrame:
    """One row per title and budget."""
    import pandas as pd

    columns = [*(field.name for field in dataclasses.fields(BudgetPoint)), "audio_share"]
    return pd.DataFrame(_sweep_rows(points), columns=columns)


def _sweep_rows(points: Sequence[BudgetPoint]) -> list[dict[str, Any]]:
    return [{**dataclasses.asdict(point), "audio_share": point.audio_share} for point in points]


def relevance_document(plan: Plan, model: Model, budget_kbps: float) -> dict[str, Any]:
    """The object of `relevance`, from the plan at its operating point."""
    return {
        "schema_version": 1,
        "command": "relevance",
        "model": {"name": model.name, "labels": model.card["labels"], **screen_object(model.phones)},
        "budget_kbps": budget_kbps,
        "scenes": [
            {
                "title": a.title,
                "scene": a.scene,
                "start_s": a.start_s,
                "end_s": a.end_s,
                **dataclasses.asdict(a.relevance),
                "video_share": a.relevance.video_share,
            }
            for a in plan.allocations
        ],
        "infeasible": [infeasible_object(scene) for scene in plan.infeasible],
    }
