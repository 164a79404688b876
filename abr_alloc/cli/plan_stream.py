"""`abr-alloc plan` over a catalogue: rows as they come, and a summary."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from abr_alloc.cli.layout import wrap
from abr_alloc.cli.printing import echo
from abr_alloc.cli.streaming import Infeasible, check_filters, chunks_of, infeasible_path, results_of, write_streams
from abr_alloc.cli.verbosity import notes

if TYPE_CHECKING:
    from abr_alloc.runs.chunk_tasks import ChunkResult, PlanTask
    from abr_alloc.table.catalogue import Catalogue

__all__ = ["plan_catalogue", "plan_text"]


@dataclass(slots=True)
class _Tally:
    """What one budget came to."""

    num_scenes: int = 0
    num_infeasible: int = 0
    titles: int = 0
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("avq_mos", "total_kbps", "audio_kbps"), 0.0))

    def add(self, plan: ChunkResult) -> None:
        self.num_scenes += len(plan.rows)
        self.num_infeasible += len(plan.infeasible)
        self.titles += plan.rows["title"].nunique()
        for name in self.sums:
            self.sums[name] += float(plan.rows[name].sum())

    def line(self, budget_kbps: float, *, per_title: bool) -> str:
        each = " for the mean of each title" if per_title else ""
        head = f"Budget {budget_kbps:g} kbps{each}: {self.num_scenes} scenes of {self.titles} titles"
        if self.num_scenes:
            avq, total, audio = (self.sums[name] / self.num_scenes for name in self.sums)
            head += f", mean AVQ {avq:.2f} at {total:.0f} kbps, of which audio {audio:.0f}"
        what = "titles" if per_title else "scenes"
        return wrap(head + (f"; nothing fits {self.num_infeasible} {what}" if self.num_infeasible else ""))


def plan_text(task: PlanTask, catalogue: Catalogue) -> tuple[str, Infeasible]:
    """CSV of a table that is read at once, and what nothing fits, budget after budget."""
    import pandas as pd

    from abr_alloc.table.spreadsheet import csv_text

    check_filters(catalogue, task.filters)
    found = [dataclasses.replace(task, chunk=chunk).run(None) for chunk in chunks_of(catalogue, task.filters, None)]
    infeasible = Infeasible()
    rows = []
    for plans in zip(*found, strict=True):
        for plan in plans:
            rows.append(plan.rows)
            infeasible.add(plan.infeasible)
    if all(frame.empty for frame in rows):
        return (csv_text(rows[0]) if rows else ""), infeasible
    return csv_text(pd.concat([frame for frame in rows if len(frame)])), infeasible


def plan_catalogue(
    task: PlanTask, catalogue: Catalogue, output: Path | None, *, to_stdout: bool, jobs: int, scheduler: str | None
) -> None:
    """Plan all titles, write rows as they come, and print what each budget came to.

    Args:
        task: what to do with every chunk.
        catalogue: the chunks.
        output: CSV or Parquet; None for a summary alone.
        to_stdout: print CSV instead of the summary.
        jobs: processes.
        scheduler: address of a cluster's scheduler.

    Raises:
        FeatureTableError: a table breaks the schema, or the filters leave nothing.
        InfeasibleBudgetError: something has no plan; everything else is written.
        OutputError: the output cannot be written.
    """
    from abr_alloc.runs.chunk_tasks import PLAN_COLUMNS, sent_model

    model, sha256 = sent_model(task.model, catalogue.metadata)
    task = dataclasses.replace(task, model=model, model_sha256=sha256)
    check_filters(catalogue, task.filters)
    tasks = [dataclasses.replace(task, chunk=chunk) for chunk in chunks_of(catalogue, task.filters, scheduler)]
    tallies = [_Tally() for _ in task.budgets_kbps]
    infeasible = Infeasible()
    with (
        write_streams(output, to_stdout=to_stdout, columns=PLAN_COLUMNS, num_parts=len(tallies)) as write,
        results_of(tasks, "planning", jobs, scheduler) as results,
    ):
        for _, plans in results:
            for i, (tally, plan) in enumerate(zip(tallies, plans, strict=True)):
                write(i, plan.rows, plan.infeasible)
                tally.add(plan)
                infeasible.add(plan.infeasible)
        infeasible.require_any(sum(tally.num_scenes for tally in tallies))
    if not to_stdout:
        lines = [
            tally.line(budget, per_title=task.per_title)
            for budget, tally in zip(task.budgets_kbps, tallies, strict=True)
        ]
        echo("\n".join([*lines, *_where(output, infeasible)]))
    infeasible.end()


def _where(output: Path | None, infeasible: Infeasible) -> Sequence[str]:
    if output is None:
        return filter(None, [notes("-o FILE.parquet or .csv writes a row per scene.")])  # type: ignore[return-value]
    return [f"Nothing fits what {infeasible_path(output)} lists."] if infeasible.number else []
