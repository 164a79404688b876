"""Relevance of a table, and of a catalogue chunk by chunk.

A scene's relevance does not depend on its company: what Eq. 8 normalises with is stored in the model. Only the budget,
where none is given, is a catalogue's own; it takes a first pass over the rates alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from abr_alloc import defaults
from abr_alloc.allocation.filters import NO_ROWS, Filters, narrow
from abr_alloc.allocation.plan import (
    choose_in_table,
    middle_of_kbps,
    middling_budget_kbps,
    plan_surfaces,
    planning_surfaces,
)
from abr_alloc.allocation.results import Allocation, Plan
from abr_alloc.allocation.surface import build_surfaces
from abr_alloc.arguments import require_budgets
from abr_alloc.codecs import AUDIO_CODECS
from abr_alloc.documents import json_text
from abr_alloc.errors import FeatureTableError, InfeasibleBudgetError, InfeasibleLimits, InfeasibleScene
from abr_alloc.formats.plan_document import relevance_document
from abr_alloc.formats.result_rows import RELEVANCE_COLUMNS, relevance_frame, rows_of_relevance
from abr_alloc.models.checkpoint import Model
from abr_alloc.runs.catalogue_run import (
    Infeasible,
    Results,
    check_filters,
    chunks_of,
    read_chunk,
    results_of,
    table_of,
    write_rows,
)
from abr_alloc.runs.notebook import TableView
from abr_alloc.runs.plan_run import ChunkPlan
from abr_alloc.runs.shared_model import as_model, sent_model, shared_model
from abr_alloc.table.catalogue import Catalogue, Chunk, read_narrow
from abr_alloc.table.columns import Columns
from abr_alloc.table.table import FeatureTable
from abr_alloc.table.typed_rows import TypedRows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RelevanceResult", "RelevanceSummary", "RelevanceTask", "relevance", "relevance_catalogue"]

_RATES = ("title", "scene", "kind", "codec", "height_px", "channels", "target", "bitrate_kbps")
_SHARES = ("audio_share", "video_share", "ablation_audio_share", "eq8_audio_share")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RelevanceResult(TableView):
    """How much each modality matters per scene, at the pairs planned for one budget."""

    plan: Plan
    """The pairs, each with its relevance."""
    budget_kbps: float
    """The budget, kbps."""
    model: Model
    """Model that predicted."""

    @property
    def scenes(self) -> tuple[Allocation, ...]:
        """The scenes that some pair fits; `.relevance` of each is what was asked for."""
        return self.plan.allocations

    @property
    def infeasible(self) -> tuple[InfeasibleScene | InfeasibleLimits, ...]:
        """The other scenes."""
        return self.plan.infeasible

    def to_frame(self) -> pd.DataFrame:
        """One row per scene."""
        return relevance_frame(self.scenes)

    def to_json(self) -> str:
        """The JSON object of `abr-alloc relevance --json` (docs/formats.md)."""
        return json_text(relevance_document(self.plan, self.model, self.budget_kbps))

    def _view(self) -> tuple[pd.DataFrame, str, dict[str, str]]:
        caption = f"Relevance at the pairs planned for {self.budget_kbps:g} kbps (model {self.model.described})"
        shown = {"title": "", "scene": "", "start_s": ".1f", **dict.fromkeys(_SHARES, ".0%")}
        return self.to_frame(), caption, shown


def relevance(
    features: FeatureTable | str | os.PathLike[str],
    budget_kbps: float | None = None,
    model: Model | str | None = None,
    *,
    overhead: float = defaults.OVERHEAD,
    measured_only: bool = False,
    phones: float = 0.0,
) -> RelevanceResult:
    """Estimate, for every scene, the share of the judgement that rests on audio and on video.

    Args:
        features: a feature table, or where tables are: a file, a folder, or a pattern.
        budget_kbps: relevance is that of the pair planned for it, kbps; None for a middling budget.
        model: a model, its name, or its folder; None for the default.
        overhead: container overhead as a share of the streams' rate.
        measured_only: as in `plan`.
        phones: as in `plan`.

    Raises:
        CheckpointError: there is no such model, or it was trained on other features.
        FeatureTableError: the table breaks the schema, or a scene lacks audio or video rows.
        InfeasibleBudgetError: the budget fits no scene.
    """
    budgets = [] if budget_kbps is None else require_budgets("budget_kbps", budget_kbps)
    model = as_model(model, phones)
    surfaces = list(build_surfaces(table_of(features), model, overhead=overhead))
    budget = budgets[0] if budgets else middling_budget_kbps(surfaces)
    plan = plan_surfaces(planning_surfaces(surfaces, overhead=overhead, measured_only=measured_only), [budget], model)
    if not plan.allocations:
        raise InfeasibleBudgetError(plan.infeasible)
    return RelevanceResult(plan=plan, budget_kbps=budget, model=model)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelevanceTask:
    """Estimate relevance in the scenes of a chunk, at the pairs planned for one budget."""

    chunk: Chunk
    """Where they are."""
    model: str
    """Name or folder of the model."""
    budget_kbps: float
    """The budget."""
    measured_only: bool = False
    """Whether rates between the measured ones may not be chosen."""
    overhead: float = defaults.OVERHEAD
    """Container overhead as a share of the streams' rate."""
    filters: Filters = field(default_factory=Filters)
    """Which rows to look at."""
    model_sha256: str = ""
    """Which model it must be, wherever this runs."""
    phones: float = 0.0
    """Share of the audience that watches on phones, 0-1."""

    @property
    def label(self) -> str:
        return f"relevance {self.chunk.first_title}"

    def run(self, _: Any) -> ChunkPlan:
        """Relevance of every scene that something fits.

        Raises:
            FeatureTableError: a row breaks the schema, or a scene lacks a kind of rows.
        """
        model = shared_model(self.model, self.model_sha256, self.phones)
        table = read_chunk(self.chunk, self.filters)
        parts, infeasible = [rows_of_relevance((), self.budget_kbps, model)], []
        if table is not None:
            for (chosen,) in choose_in_table(
                table, [self.budget_kbps], model, overhead=self.overhead, measured_only=self.measured_only
            ):
                parts.append(rows_of_relevance(chosen.choices, self.budget_kbps, model))
                infeasible += chosen.infeasible
        return ChunkPlan(rows=TypedRows.joined(parts), infeasible=tuple(infeasible))


@dataclass(frozen=True, slots=True, kw_only=True)
class RelevanceSummary:
    """Relevance over a catalogue."""

    budget_kbps: float
    """The budget, kbps."""
    num_scenes: int
    """Scenes with a pair."""
    mean_audio_share: float
    """Mean over them, 0-1."""
    low_share: float
    """Share of the scenes in which audio has less than a quarter."""
    high_share: float
    """Share of the scenes in which audio has more than half."""


def relevance_catalogue(
    catalogue: Catalogue,
    budget_kbps: float | None,
    model_name: str,
    output: Path | None,
    how: Results,
    *,
    overhead: float = defaults.OVERHEAD,
    measured_only: bool = False,
    filters: Filters | None = None,
    phones: float = 0.0,
) -> tuple[RelevanceSummary | None, Infeasible]:
    """Estimate relevance in all scenes, and write rows as they come.

    Returns:
        A summary, None where nothing fits any scene; and what nothing fits.

    Raises:
        FeatureTableError: a table breaks the schema, or the filters leave nothing.
        OutputError: the output cannot be written.
    """
    filters = filters or Filters()
    model, sha256 = sent_model(model_name, catalogue.metadata)
    check_filters(catalogue, filters)
    budget = _middling_budget_kbps(catalogue, filters, overhead) if budget_kbps is None else budget_kbps
    tasks = [
        RelevanceTask(
            chunk=chunk,
            model=model,
            model_sha256=sha256,
            phones=phones,
            budget_kbps=budget,
            measured_only=measured_only,
            overhead=overhead,
            filters=filters,
        )
        for chunk in chunks_of(catalogue, filters, how.scheduler)
    ]
    infeasible = Infeasible()
    num_scenes, sums = 0, np.zeros(3)
    with write_rows(output, columns=RELEVANCE_COLUMNS) as write, results_of(tasks, how) as results:
        for _, chunk in results:
            write(0, chunk.rows, chunk.infeasible)
            infeasible.add(chunk.infeasible)
            num_scenes += len(chunk.rows)
            share = chunk.rows.numbers("audio_share")
            sums += share.sum(), (share < 0.25).sum(), (share > 0.5).sum()
        infeasible.require_any(num_scenes)
    if not num_scenes:
        return None, infeasible
    mean, low, high = (sums / num_scenes).tolist()
    return (
        RelevanceSummary(
            budget_kbps=budget, num_scenes=num_scenes, mean_audio_share=mean, low_share=low, high_share=high
        ),
        infeasible,
    )


def _middling_budget_kbps(catalogue: Catalogue, filters: Filters, overhead: float) -> float:
    """`plan.middling_budget_kbps` from the rates alone."""
    least: list[npt.NDArray[np.float64]] = []
    most: list[npt.NDArray[np.float64]] = []
    for chunk in chunks_of(catalogue, filters):
        table = narrow(FeatureTable.checked(read_narrow(chunk, _RATES).sorted(), catalogue.metadata), filters)
        if table is not None:
            table.require_pairs()
            low, high = _spans_kbps(table.columns)
            least.append(low * (1.0 + overhead))
            most.append(high * (1.0 + overhead))
    if not least:
        raise FeatureTableError(NO_ROWS)
    return middle_of_kbps(np.concatenate(least), np.concatenate(most))


def _spans_kbps(rows: Columns) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Rates of the cheapest and the most expensive pair of every scene, (scenes,) each, kbps, without lossless audio as
    `surface.drop_references`."""
    first, kbps, is_video = rows.scene_starts(), rows.numbers("bitrate_kbps"), rows.is_kind("video")
    lossless = rows.words("codec").isin([codec.name for codec in AUDIO_CODECS.values() if codec.is_lossless])
    lossy = np.logical_or.reduceat(~is_video & ~lossless, first)  # scenes
    scene = np.repeat(np.arange(len(first)), np.diff([*first, len(rows)]))
    kept = is_video | ~lossless | ~lossy[scene]
    low, high = np.zeros(len(first)), np.zeros(len(first))
    for own in (is_video & kept, ~is_video & kept):
        low += np.minimum.reduceat(np.where(own, kbps, np.inf), first)
        high += np.maximum.reduceat(np.where(own, kbps, -np.inf), first)
    return low, high
