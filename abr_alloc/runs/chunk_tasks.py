"""Planning a chunk of a catalogue as a task: what a worker reads, decides and sends back.

A task is small (where to read, what to decide) and so is what it returns: rows of results, never features. Tasks return
in the order in which they were made, whoever does them, so that results do not depend on the workers.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from abr_alloc.allocation.filters import Filters, narrow
from abr_alloc.allocation.plan import plan_surfaces, planning_surfaces
from abr_alloc.allocation.results import FLAT_TYPES, Plan
from abr_alloc.allocation.surface import DEFAULT_OVERHEAD, QualitySurface, build_surfaces, by_title
from abr_alloc.allocation.title_plan import Limits, plan_titles
from abr_alloc.errors import CheckpointError, InfeasibleLimits, InfeasibleScene
from abr_alloc.models.checkpoint import Model, load_model, model_sha256
from abr_alloc.shipped import model_names
from abr_alloc.table.catalogue import Chunk, read_table
from abr_alloc.table.table import FeatureTable, TableMetadata

if TYPE_CHECKING:
    from abr_alloc.workers.task import Task, Workers

__all__ = [
    "PLAN_COLUMNS",
    "RELEVANCE_COLUMNS",
    "ChunkResult",
    "PlanTask",
    "RelevanceTask",
    "chunk_surfaces",
    "in_order",
    "sent_model",
    "shared_model",
]


PLAN_COLUMNS = FLAT_TYPES
"""Columns of plans as rows, with their types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nowhere:
    """The place of tasks that leave nothing behind."""

    def remove_leftovers(self) -> None:
        """There is nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkResult:
    """What came of the scenes of a chunk under one budget."""

    rows: pd.DataFrame
    """One row per scene that something fits."""
    infeasible: tuple[InfeasibleScene | InfeasibleLimits, ...]
    """The other scenes or titles, each with what it would cost."""


def shared_model(name: str, sha256: str = "") -> Model:
    """A model, loaded once per process as long as its files stay the same.

    Args:
        name: what `load_model` takes.
        sha256: `Model.sha256` that is wanted, of a worker by whoever sends it; whatever is there when empty.

    Raises:
        CheckpointError: it cannot be loaded, or is another one here.
    """
    model = _loaded(name, model_sha256(name))
    if sha256 and model.sha256 != sha256:
        raise CheckpointError(
            f"model {name!r} is not the one with which the run began: its folder was replaced, or a worker has "
            "another; give all the same, and run again"
        )
    return model


@functools.lru_cache(maxsize=2)
def _loaded(name: str, _: str) -> Model:
    return load_model(name)


def chunk_surfaces(
    chunk: Chunk, model: Model, filters: Filters, overhead: float
) -> tuple[FeatureTable | None, Iterator[QualitySurface]]:
    """The rows of a chunk that pass, and their surfaces; None where no row does."""
    table = narrow(read_table(chunk), filters)
    return table, iter(()) if table is None else build_surfaces(table, model, overhead=overhead)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTask:
    """Plan the titles of a chunk."""

    chunk: Chunk
    """Where they are."""
    model: str
    """Name or folder of the model."""
    budgets_kbps: tuple[float, ...]
    """Budgets."""
    per_title: bool = False
    """Whether a budget is for a title's mean."""
    limits: Limits = field(default_factory=Limits)
    """What else must hold."""
    measured_only: bool = False
    """Whether rates between the measured ones may not be chosen."""
    overhead: float = DEFAULT_OVERHEAD
    """Container overhead as a share of the streams' rate."""
    filters: Filters = field(default_factory=Filters)
    """Which rows to choose from."""
    model_sha256: str = ""
    """Which model it must be, wherever this runs."""

    @property
    def label(self) -> str:
        return f"plan {self.chunk.first_title}"

    def run(self, _: Any) -> list[ChunkResult]:
        """One result per budget.

        Raises:
            FeatureTableError: a row breaks the schema, a scene lacks a kind of rows, or the scenes of a title share no
                rendition.
        """
        model = shared_model(self.model, self.model_sha256)
        _, measured = chunk_surfaces(self.chunk, model, self.filters, self.overhead)
        surfaces = planning_surfaces(measured, overhead=self.overhead, measured_only=self.measured_only)
        plan = plan_titles if self.per_title else plan_surfaces
        # Title after title, so that no more than one title's surfaces are held at a time.
        plans = [plan(scenes, self.budgets_kbps, model, self.limits) for scenes in by_title(surfaces)]
        return [_of_budget(plans, budget) for budget in self.budgets_kbps]


def _of_budget(plans: Sequence[Plan], budget_kbps: float) -> ChunkResult:
    """What plans of titles, one after the other, have for one of their budgets."""
    together = Plan(
        allocations=tuple(a for plan in plans for a in plan.allocations if a.budget_kbps == budget_kbps),
        infeasible=tuple(i for plan in plans for i in plan.infeasible if i.budget_kbps == budget_kbps),
    )
    return ChunkResult(rows=together.to_frame(), infeasible=together.infeasible)


RELEVANCE_COLUMNS = {
    **{"title": "str", "scene": "int", "start_s": "float", "end_s": "float", "budget_kbps": "float"},
    **dict.fromkeys(("audio_share", "video_share", "ablation_audio_share", "eq8_audio_share"), "float"),
    **dict.fromkeys(("audio_ablation", "video_ablation", "audio_change_norm", "video_change_norm"), "float"),
}
"""Columns of relevance as rows, with their types."""


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
    overhead: float = DEFAULT_OVERHEAD
    """Container overhead as a share of the streams' rate."""
    filters: Filters = field(default_factory=Filters)
    """Which rows to look at."""
    model_sha256: str = ""
    """Which model it must be, wherever this runs."""

    @property
    def label(self) -> str:
        return f"relevance {self.chunk.first_title}"

    def run(self, _: Any) -> ChunkResult:
        """Relevance of every scene that something fits.

        Raises:
            FeatureTableError: a row breaks the schema, or a scene lacks a kind of rows.
        """
        model = shared_model(self.model, self.model_sha256)
        _, measured = chunk_surfaces(self.chunk, model, self.filters, self.overhead)
        surfaces = planning_surfaces(measured, overhead=self.overhead, measured_only=self.measured_only)
        plans = [plan_surfaces(scenes, [self.budget_kbps], model) for scenes in by_title(surfaces)]
        rows = [
            {
                "title": a.title,
                "scene": a.scene,
                "start_s": a.start_s,
                "end_s": a.end_s,
                "budget_kbps": a.budget_kbps,
                "audio_share": a.relevance.audio_share,
                "video_share": a.relevance.video_share,
                "ablation_audio_share": a.relevance.ablation_audio_share,
                "eq8_audio_share": a.relevance.eq8_audio_share,
                "audio_ablation": a.relevance.ablation["audio"],
                "video_ablation": a.relevance.ablation["video"],
                "audio_change_norm": (a.relevance.change_norm or {}).get("audio"),
                "video_change_norm": (a.relevance.change_norm or {}).get("video"),
            }
            for plan in plans
            for a in plan.allocations
        ]
        return ChunkResult(
            rows=pd.DataFrame(rows, columns=list(RELEVANCE_COLUMNS)),
            infeasible=tuple(itertools.chain(*(plan.infeasible for plan in plans))),
        )


def sent_model(name: str, metadata: TableMetadata) -> tuple[str, str]:
    """A model for tables of some origin as tasks carry it: its name, as other folders understand it, and its digest.

    Raises:
        CheckpointError: it cannot be loaded, or does not fit the tables.
    """
    model = shared_model(name)
    model.check_versions(metadata)
    place = name if name in model_names() else str(Path(name).absolute())
    return place, model.sha256


T = TypeVar("T", bound="Task")


def in_order(tasks: Sequence[T], workers: Workers | None) -> Iterator[tuple[T, Any]]:
    """Every task with its result, in the given order; in this process where there are no workers.

    No more tasks are handed over than are soon to be done, so that results never pile up behind a slow one.

    Raises:
        AbrAllocError: a task failed; the others are given up.
    """
    if workers is None:
        for task in tasks:
            yield task, task.run(Nowhere())
        return
    place, done, told, handed_over = Nowhere(), {}, 0, 0

    def hand_over() -> None:
        nonlocal handed_over
        while handed_over < min(len(tasks), told + 4 * max(1, workers.num_workers)):
            workers.submit(tasks[handed_over], place)
            handed_over += 1

    hand_over()
    for finished in workers.finished():
        if finished is None:
            continue
        if finished.error is not None:
            raise finished.error
        done[id(finished.task)] = finished.result
        while told < len(tasks) and id(tasks[told]) in done:
            yield tasks[told], done.pop(id(tasks[told]))
            told += 1
        hand_over()
