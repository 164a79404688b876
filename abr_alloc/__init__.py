"""Decide audio and video bitrate together.

features = abr_alloc.read_features("clip_features.parquet")
plan = abr_alloc.plan(features, budget_kbps=2000)
plan.to_frame()
abr_alloc.plan(features, budget_kbps=2000, per="title").certificates
abr_alloc.ladder(features, network="4g")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from abr_alloc.allocation.design import DesignOptions, ladder
    from abr_alloc.allocation.ladder_rules import LadderRules
    from abr_alloc.allocation.plan import Allocation, Certificate, Limits, Plan, plan
    from abr_alloc.models.checkpoint import Model, load_model
    from abr_alloc.table.table import FeatureTable, read_features

__version__ = "0.1.0"

# The package's names are loaded on first use, so that `abr-alloc --help` does not wait for pandas.
_HOMES = {
    "Allocation": "abr_alloc.allocation.plan",
    "Certificate": "abr_alloc.allocation.plan",
    "DesignOptions": "abr_alloc.allocation.design",
    "FeatureTable": "abr_alloc.table.table",
    "LadderRules": "abr_alloc.allocation.ladder_rules",
    "Limits": "abr_alloc.allocation.plan",
    "Model": "abr_alloc.models.checkpoint",
    "Plan": "abr_alloc.allocation.plan",
    "ladder": "abr_alloc.allocation.design",
    "load_model": "abr_alloc.models.checkpoint",
    "plan": "abr_alloc.allocation.plan",
    "read_features": "abr_alloc.table.table",
}
__all__ = [
    "Allocation",
    "Certificate",
    "DesignOptions",
    "FeatureTable",
    "LadderRules",
    "Limits",
    "Model",
    "Plan",
    "__version__",
    "ladder",
    "load_model",
    "plan",
    "read_features",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
