"""What the report page is given about the whole report, as a JSON object: stops, model, table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from abr_alloc import __version__
from abr_alloc.allocation.preference import NOTICED_MOS
from abr_alloc.allocation.results import SLIGHT_LOSS_MOS
from abr_alloc.models.checkpoint import Model
from abr_alloc.reporting.budget_sweep import EXTRA_KBPS
from abr_alloc.reporting.style import SHARE_LABEL
from abr_alloc.table.table import FeatureTable

__all__ = ["about_data"]


def about_data(
    table: FeatureTable,
    model: Model,
    budgets_kbps: Sequence[float],
    *,
    start_kbps: float,
    middling_kbps: float,
    overhead: float,
    measured_only: bool,
    plan_command: Sequence[str],
    plan_scenes: Sequence[int],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """What holds for the whole report.

    Args:
        table: what it was made from.
        model: who predicted.
        budgets_kbps: stops of the slider, (B,).
        start_kbps: the stop at which the page opens.
        middling_kbps: as for `title_data`.
        overhead: as for `title_data`.
        measured_only: as for `title_data`.
        plan_command: words of the command that plans the same, but for budget, title and scenes.
        plan_scenes: scenes that the report was restricted to; empty for all.
        warnings: what to know about all of it.
    """
    versions = ("video_feature_version", "audio_feature_version", "libvmaf_version", "visqol_version", "ffmpeg_version")
    return {
        "version": __version__,
        "budgets_kbps": list(budgets_kbps),
        "start": list(budgets_kbps).index(start_kbps),
        "relevance_budget_kbps": middling_kbps,
        "extra_kbps": EXTRA_KBPS,
        "overhead": overhead,
        "measured_only": measured_only,
        "share_label": SHARE_LABEL,
        "slight_loss_mos": SLIGHT_LOSS_MOS,
        "noticed_mos": NOTICED_MOS,
        "plan_command": list(plan_command),
        "plan_scenes": list(plan_scenes),
        "model": _model(model),
        "table": {name: getattr(table.metadata, name) for name in (*versions, "grid")},
        "credits": dict(table.metadata.credits),
        "warnings": list(warnings),
    }


def _model(model: Model) -> dict[str, Any]:
    """What the trust section says about the model, from its card."""
    card = model.card
    held_out = card.get("evaluation", {}).get("held_out", {})
    coverage = card.get("interval_coverage", {})
    return {
        "name": model.described,
        "system": card["system"],
        "labels": card["labels"],
        "interval_mos": list(model.interval_mos),
        "difference_mos": model.intervals.difference_mos,
        "human_labels": card["labels"] == "human ratings",
        "held_out": {
            name: round(held_out[name]["value"], 3)
            for name in ("plcc", "srcc", "rmse")
            if name in held_out and held_out[name]["value"] is not None
        },
        "scale": card.get("rating_scale", [1.0, 5.0]),
        "coverage": {name: round(value, 3) for name, value in coverage.items() if value is not None},
        "contents": len(card.get("training", {}).get("contents", ())),
        "validity": card.get("validity", {}),
        "weights_sha256": card["weights_sha256"],
    }
