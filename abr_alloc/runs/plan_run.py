"""Plans of a table, and of a catalogue chunk by chunk."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abr_alloc import defaults
from abr_alloc.allocation.chosen_rows import chosen_rows
from abr_alloc.allocation.filters import Filters
from abr_alloc.allocation.plan import choose_in_table, plan_table
from abr_alloc.allocation.results import FLAT_TYPES, Plan
from abr_alloc.allocation.title_plan import Limits
from abr_alloc.documents import json_text
from abr_alloc.errors import InfeasibleLimits, InfeasibleScene
from abr_alloc.formats.plan_document import plan_document
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
from abr_alloc.runs.shared_model import as_model, sent_model, shared_model
from abr_alloc.table.catalogue import Catalogue, Chunk
from abr_alloc.table.table import FeatureTable
from abr_alloc.table.typed_rows import TypedRows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BudgetSummary", "ChunkPlan", "PlanResult", "PlanTask", "plan", "plan_catalogue"]

_SHOWN = {
    **{"title": "", "scene": "", "start_s": ".1f", "video_codec": "", "width_px": "", "height_px": ""},
    **{"video_kbps": ".0f", "audio_codec": "", "audio_kbps": ".0f", "total_kbps": ".0f", "avq_mos": ".2f"},
    **{"avq_low_mos": ".1f", "avq_high_mos": ".1f", "vmaf": ".0f", "audio_share": ".0%"},
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PlanResult(TableView, Plan):
    """A plan, with what it rests on."""

    model: Model
    """Model that predicted."""
    overhead: float
    """Container overhead as a share of the streams' rate."""
    per: str
    """`scene` or `title`: whose every budget is."""

    def to_json(self) -> str:
        """The JSON object of `abr-alloc plan --json` (docs/formats.md)."""
        return json_text(plan_document(self, self.model, self.overhead, per_title=self.per == "title"))

    def _view(self) -> tuple[pd.DataFrame, str, dict[str, str]]:
        budgets = dict.fromkeys(f"{a.budget_kbps:g}" for a in self.allocations)
        caption = f"Plan per {self.per} for {', '.join(budgets)} kbps (model {self.model.described})"
        if self.infeasible:
            caption += f"; nothing fits {len(self.infeasible)}"
        return self.to_frame(), caption, _SHOWN


def plan(
    features: FeatureTable | str | os.PathLike[str],
    budget_kbps: float | Sequence[float],
    model: Model | str | None = None,
    *,
    per: str = "scene",
    limits: Limits | None = None,
    overhead: float = defaults.OVERHEAD,
    measured_only: bool = False,
    phones: float = 0.0,
) -> PlanResult:
    """Choose the audio/video pairs with the best AVQ under a budget.

    Args:
        features: a feature table, or where tables are: a file, a folder, or a pattern.
        budget_kbps: one budget or several, kbps, overhead included.
        model: a model, its name, or its folder; None for the default.
        per: `scene` gives the budget to every scene; `title` to the title's mean over time.
        limits: what else must hold, and how AVQ is pooled over a title.
        overhead: container overhead as a share of the streams' rate.
        measured_only: choose among the measured video renditions alone, instead of rates between them too.
        phones: share of the audience that watches on phones, 0-1; the others watch on televisions (docs/screens.md).

    Raises:
        CheckpointError: there is no such model, or it was trained on other features.
        FeatureTableError: the table breaks the schema, a scene lacks audio or video rows, or the scenes of a title
            share no rendition.
        ArgumentError: a budget is no positive number, or `per` is unknown.
        TypeError: the budget is text.
    """
    model = as_model(model, phones)
    chosen = plan_table(
        table_of(features),
        budget_kbps,
        model,
        per=per,
        limits=limits,
        overhead=overhead,
        measured_only=measured_only,
    )
    return PlanResult(
        allocations=chosen.allocations,
        infeasible=chosen.infeasible,
        certificates=chosen.certificates,
        model=model,
        overhead=overhead,
        per=per,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPlan:
    """What came of the scenes of a chunk under one budget."""

    rows: TypedRows
    """One row per scene that something fits."""
    infeasible: tuple[InfeasibleScene | InfeasibleLimits, ...]
    """The other scenes or titles, each with what it would cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTask:
    """Plan the titles of a chunk."""

    chunk: Chunk
    """Where they are."""
    model: str
    """Name or folder of the model."""
    budgets_kbps: tuple[float, ...]
    """Budgets, each once."""
    per: str = "scene"
    """Whose every budget is."""
    limits: Limits = field(default_factory=Limits)
    """What else must hold."""
    measured_only: bool = False
    """Whether rates between the measured ones may not be chosen."""
    overhead: float = defaults.OVERHEAD
    """Container overhead as a share of the streams' rate."""
    filters: Filters = field(default_factory=Filters)
    """Which rows to choose from."""
    model_sha256: str = ""
    """Which model it must be, wherever this runs."""
    phones: float = 0.0
    """Share of the audience that watches on phones, 0-1."""

    @property
    def label(self) -> str:
        return f"plan {self.chunk.first_title}"

    def run(self, _: Any) -> list[ChunkPlan]:
        """One result per budget.

        Raises:
            FeatureTableError: a row breaks the schema, a scene lacks a kind of rows, or the scenes of a title share no
                rendition.
        """
        model = shared_model(self.model, self.model_sha256, self.phones)
        table = read_chunk(self.chunk, self.filters)
        if table is None:
            return [ChunkPlan(rows=chosen_rows((), budget, model), infeasible=()) for budget in self.budgets_kbps]
        if self.per == "scene":
            return self._per_scene(table, model)
        chosen = plan_table(
            table,
            self.budgets_kbps,
            model,
            per=self.per,
            limits=self.limits,
            overhead=self.overhead,
            measured_only=self.measured_only,
        )
        return [_of_budget(chosen, budget_kbps) for budget_kbps in self.budgets_kbps]

    def _per_scene(self, table: FeatureTable, model: Model) -> list[ChunkPlan]:
        """`plan_table` per scene, straight to rows."""
        rows = [[chosen_rows((), budget, model)] for budget in self.budgets_kbps]
        infeasible: list[list[InfeasibleScene | InfeasibleLimits]] = [[] for _ in rows]
        for batch in choose_in_table(
            table,
            self.budgets_kbps,
            model,
            limits=self.limits,
            overhead=self.overhead,
            measured_only=self.measured_only,
        ):
            for i, (chosen, budget_kbps) in enumerate(zip(batch, self.budgets_kbps, strict=True)):
                rows[i].append(chosen_rows(chosen.choices, budget_kbps, model))
                infeasible[i] += chosen.infeasible
        return [
            ChunkPlan(rows=TypedRows.joined(parts), infeasible=tuple(left))
            for parts, left in zip(rows, infeasible, strict=True)
        ]


def _of_budget(chosen: Plan, budget_kbps: float) -> ChunkPlan:
    of_budget = Plan(
        allocations=tuple(a for a in chosen.allocations if a.budget_kbps == budget_kbps),
        infeasible=tuple(i for i in chosen.infeasible if i.budget_kbps == budget_kbps),
    )
    return ChunkPlan(rows=of_budget.to_rows(), infeasible=of_budget.infeasible)


@dataclass(slots=True)
class BudgetSummary:
    """What one budget came to over a catalogue."""

    budget_kbps: float
    """The budget, kbps."""
    num_scenes: int = 0
    """Scenes with a pair."""
    num_titles: int = 0
    """Titles with one."""
    num_infeasible: int = 0
    """Scenes, or titles where the budget is a title's, that nothing fits."""
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("avq_mos", "total_kbps", "audio_kbps"), 0.0))
    """Sums over scenes."""

    def add(self, chunk: ChunkPlan) -> None:
        """Count a chunk in."""
        self.num_scenes += len(chunk.rows)
        self.num_infeasible += len(chunk.infeasible)
        self.num_titles += len(set(chunk.rows.columns["title"]))
        for name in self.sums:
            self.sums[name] += float(chunk.rows.numbers(name).sum())


def plan_catalogue(
    task: PlanTask,
    catalogue: Catalogue,
    output: Path | None,
    how: Results,
    *,
    list_infeasible: bool = True,
    take_csv: Callable[[str], None] | None = None,
) -> tuple[list[BudgetSummary], Infeasible]:
    """Plan all titles, and write rows as they come.

    Args:
        task: what to do with every chunk.
        catalogue: the chunks.
        output: CSV or Parquet; None for none.
        how: who does the tasks.
        list_infeasible: list what has no plan beside the output.
        take_csv: takes CSV at the end where there is no output.

    Returns:
        What each budget came to, and what has no plan.

    Raises:
        FeatureTableError: a table breaks the schema, or the filters leave nothing.
        OutputError: the output cannot be written.
    """
    model, sha256 = sent_model(task.model, catalogue.metadata)
    task = dataclasses.replace(task, model=model, model_sha256=sha256)
    check_filters(catalogue, task.filters)
    tasks = [dataclasses.replace(task, chunk=chunk) for chunk in chunks_of(catalogue, task.filters, how.scheduler)]
    summaries = [BudgetSummary(budget_kbps) for budget_kbps in task.budgets_kbps]
    infeasible = Infeasible()
    rows = write_rows(
        output, columns=FLAT_TYPES, num_parts=len(summaries), list_infeasible=list_infeasible, take_csv=take_csv
    )
    with rows as write, results_of(tasks, how) as results:
        for _, plans in results:
            for i, (summary, chunk) in enumerate(zip(summaries, plans, strict=True)):
                write(i, chunk.rows, chunk.infeasible)
                summary.add(chunk)
                infeasible.add(chunk.infeasible)
        infeasible.require_any(sum(summary.num_scenes for summary in summaries))
    return summaries, infeasible
