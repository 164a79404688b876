"""Plans: for every scene, the pair with the best AVQ that a budget allows.

One scene under one budget is a maximum over its pairs, so every pair is looked at and the answer is exact.
"""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from abr_alloc.allocation.surface import (
    DEFAULT_OVERHEAD,
    AudioRendition,
    QualitySurface,
    VideoRendition,
    build_surfaces,
)
from abr_alloc.errors import InfeasibleScene
from abr_alloc.features.table import FeatureTable
from abr_alloc.models.checkpoint import Model, load_model
from abr_alloc.models.relevance import Relevance, estimate_relevance

__all__ = ["Allocation", "Plan", "best_pair", "middling_budget_kbps", "plan", "plan_surfaces"]

TIE_MOS = 1e-6
"""Pairs whose AVQ differs by no more are equal, and the cheaper one is taken."""

EXTRA_BUDGET = 0.10
"""Share of the budget whose worth every plan states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """The pair chosen for one scene under one budget."""

    title: str
    """Title."""
    scene: int
    """Index of the scene in its title."""
    start_s: float
    """First instant, seconds."""
    end_s: float
    """First instant after it, seconds."""
    budget_kbps: float
    """What the pair may cost with overhead, kbps."""
    video: VideoRendition
    """Chosen video rendition."""
    audio: AudioRendition
    """Chosen audio rendition."""
    total_kbps: float
    """What the pair costs with overhead, kbps."""
    avq_mos: float
    """Predicted AVQ, MOS."""
    interval_mos: tuple[float, float]
    """90 % interval of a listener panel's MOS, 1-5."""
    relevance: Relevance
    """How much each modality matters at this pair."""
    extra_budget_gain_mos: float
    """What 10 % more budget would add to AVQ, MOS."""
    num_pairs: int
    """Pairs of the scene."""
    num_feasible: int
    """Pairs that fit the budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Allocations for every scene that has one."""

    allocations: tuple[Allocation, ...]
    """By budget, then in the table's order."""
    infeasible: tuple[InfeasibleScene, ...]
    """Scenes that no pair fits, each with its cheapest pair."""

    def to_frame(self) -> pd.DataFrame:
        """One row per allocation, flat: for pandas, CSV and tables."""
        return pd.DataFrame([_flatten(allocation) for allocation in self.allocations], columns=_FLAT_COLUMNS)


def best_pair(surface: QualitySurface, budget_kbps: float) -> tuple[int, int] | None:
    """Indices (video, audio) of the best feasible pair; None where none fits.

    Pairs within `TIE_MOS` of the best are equal; the cheapest of them is taken.
    """
    feasible = surface.total_kbps <= budget_kbps
    if not feasible.any():
        return None
    avq = np.where(feasible, surface.avq_mos, -np.inf)
    tied = avq >= avq.max() - TIE_MOS
    cheapest = int(np.argmin(np.where(tied, surface.total_kbps, np.inf)))
    video, audio = np.unravel_index(cheapest, avq.shape)
    return int(video), int(audio)


def plan_surfaces(surfaces: Iterable[QualitySurface], budgets_kbps: Sequence[float], model: Model) -> Plan:
    """Choose a pair for every surface and budget."""
    allocations: list[list[Allocation]] = [[] for _ in budgets_kbps]
    infeasible: list[list[InfeasibleScene]] = [[] for _ in budgets_kbps]
    for surface in surfaces:
        for i, budget_kbps in enumerate(budgets_kbps):
            pair = best_pair(surface, budget_kbps)
            if pair is None:
                infeasible[i].append(_cheapest(surface, budget_kbps))
            else:
                allocations[i].append(_allocate(surface, budget_kbps, pair, model))
    return Plan(allocations=tuple(itertools.chain(*allocations)), infeasible=tuple(itertools.chain(*infeasible)))


def plan(
    features: FeatureTable,
    budget_kbps: float | Sequence[float],
    model: Model | None = None,
    *,
    overhead: float = DEFAULT_OVERHEAD,
) -> Plan:
    """Plan every scene of a table.

    Args:
        features: a table, from `read_features`.
        budget_kbps: one budget or several, kbps, overhead included.
        model: from `load_model`; None for the default.
        overhead: container overhead as a share of the streams' rate.

    Raises:
        CheckpointError: the model was trained on other features.
        FeatureTableError: a scene lacks audio or video rows.
        TypeError, ValueError: a budget is no positive number.
    """
    model = model or load_model()
    given = [budget_kbps] if isinstance(budget_kbps, numbers.Real) else budget_kbps
    if isinstance(given, str):
        raise TypeError(f"budget_kbps is a number in kbps or several, not {given!r}")
    budgets = [float(budget) for budget in given]  # type: ignore[union-attr]
    for budget in budgets:
        if not 0.0 < budget < np.inf:
            raise ValueError(f"a budget of {budget} kbps is not positive and finite")
    return plan_surfaces(build_surfaces(features, model, overhead=overhead), budgets, model)


def middling_budget_kbps(surfaces: Sequence[QualitySurface]) -> float:
    """A budget in the middle of what a table holds: the median over scenes of the geometric mean of the cheapest and
    the dearest pair, never below the dearest scene's cheapest pair; rounded up to two digits."""
    middle = float(np.median([np.sqrt(s.total_kbps.min() * s.total_kbps.max()) for s in surfaces]))
    least = max(float(s.total_kbps.min()) for s in surfaces)
    value = max(middle, least)
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(np.ceil(value / unit) * unit)


def _allocate(surface: QualitySurface, budget_kbps: float, pair: tuple[int, int], model: Model) -> Allocation:
    video, audio = pair
    avq = float(surface.avq_mos[pair])
    more = best_pair(surface, budget_kbps * (1.0 + EXTRA_BUDGET))
    low, high = model.interval_mos
    (relevance,) = estimate_relevance(
        model.network, model.relevance_ranges, surface.x_a[audio : audio + 1], surface.x_v[video : video + 1]
    )
    return Allocation(
        title=surface.title,
        scene=surface.scene,
        start_s=surface.start_s,
        end_s=surface.end_s,
        budget_kbps=budget_kbps,
        video=surface.video[video],
        audio=surface.audio[audio],
        total_kbps=float(surface.total_kbps[pair]),
        avq_mos=avq,
        interval_mos=(min(max(avq + low, 1.0), 5.0), min(max(avq + high, 1.0), 5.0)),
        relevance=relevance,
        extra_budget_gain_mos=max(float(surface.avq_mos[more]) - avq, 0.0) if more else 0.0,
        num_pairs=surface.avq_mos.size,
        num_feasible=int((surface.total_kbps <= budget_kbps).sum()),
    )


def _cheapest(surface: QualitySurface, budget_kbps: float) -> InfeasibleScene:
    video, audio = np.unravel_index(int(np.argmin(surface.total_kbps)), surface.total_kbps.shape)
    return InfeasibleScene(
        title=surface.title,
        scene=surface.scene,
        budget_kbps=budget_kbps,
        video_kbps=surface.video[int(video)].bitrate_kbps,
        audio_kbps=surface.audio[int(audio)].bitrate_kbps,
        total_kbps=float(surface.total_kbps[video, audio]),
    )


_FLAT_COLUMNS = [
    *("title", "scene", "start_s", "end_s", "budget_kbps", "video_codec", "width_px", "height_px", "video_target"),
    *("video_kbps", "audio_codec", "channels", "audio_target", "audio_kbps", "total_kbps", "avq_mos", "avq_low_mos"),
    *("avq_high_mos", "audio_share", "extra_budget_gain_mos", "num_pairs", "num_feasible"),
]


def _flatten(a: Allocation) -> dict[str, object]:
    return {
        "title": a.title,
        "scene": a.scene,
        "start_s": a.start_s,
        "end_s": a.end_s,
        "budget_kbps": a.budget_kbps,
        "video_codec": a.video.codec,
        "width_px": a.video.width_px,
        "height_px": a.video.height_px,
        "video_target": a.video.target,
        "video_kbps": a.video.bitrate_kbps,
        "audio_codec": a.audio.codec,
        "channels": a.audio.channels,
        "audio_target": a.audio.target,
        "audio_kbps": a.audio.bitrate_kbps,
        "total_kbps": a.total_kbps,
        "avq_mos": a.avq_mos,
        "avq_low_mos": a.interval_mos[0],
        "avq_high_mos": a.interval_mos[1],
        "audio_share": a.relevance.audio_share,
        "extra_budget_gain_mos": a.extra_budget_gain_mos,
        "num_pairs": a.num_pairs,
        "num_feasible": a.num_feasible,
    }
