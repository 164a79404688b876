"""An audit of every title of a catalogue, written as they come; what could be won is told title by title."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.audit import audit_title
from abr_alloc.allocation.audit_results import AuditOptions, TitleAudit
from abr_alloc.allocation.filters import NO_ROWS, Filters
from abr_alloc.allocation.surface import QualitySurface, build_surfaces, by_title
from abr_alloc.errors import AbrAllocError, FeatureTableError, LadderFormatError
from abr_alloc.formats.audit_document import AUDIT_COLUMNS, audit_rows
from abr_alloc.runs.catalogue_run import Results, check_filters, chunks_of, read_chunk, results_of
from abr_alloc.runs.shared_model import sent_model, shared_model
from abr_alloc.runs.shipped_ladders import ShippedLadders
from abr_alloc.table.catalogue import Catalogue, Chunk
from abr_alloc.table.row_writer import RowWriter
from abr_alloc.table.typed_rows import TypedRows

__all__ = ["AuditSummary", "AuditTask", "CouldWin", "audit_catalogue", "could_win"]

_MOST_KEPT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CouldWin:
    """What a title's ladder gives, and what could be won, in a line."""

    title: str
    """Title."""
    num_rungs: int
    """Rungs that were judged."""
    num_left_out: int
    """Rungs that were not."""
    expected_avq_mos: float
    """Expected AVQ of the audience, of the family that could win most, MOS."""
    mean_kbps: float
    """What the audience is sent on average, of the same, kbps."""
    re_paired_mos: float
    """What its own encodes, paired otherwise, would add, MOS."""
    could_win_mos: float
    """The largest gain of all that could be done, MOS."""
    saved_share: float
    """What could be saved of what is sent for no less expected AVQ, 0-1."""

    @property
    def mostly_left_out(self) -> bool:
        """Whether more than half of the rungs were not judged, so that what could be won is hardly known."""
        return self.num_left_out > self.num_rungs

    @property
    def order(self) -> tuple[bool, float]:
        """Titles that could win most first; those of which too little is known last."""
        return self.mostly_left_out, -self.could_win_mos


def could_win(audit: TitleAudit) -> CouldWin:
    """The line of a title; of several families, of the one that could win most."""
    best = max(audit.families, key=lambda family: family.could_win_mos)
    return CouldWin(
        title=audit.title,
        num_rungs=sum(len(family.rungs) for family in audit.families),
        num_left_out=len(audit.unmatched),
        expected_avq_mos=best.ladder.expected_avq_mos,
        mean_kbps=best.mean_kbps,
        re_paired_mos=0.0 if best.re_paired is None else best.re_paired.gain_mos,
        could_win_mos=best.could_win_mos,
        saved_share=best.saved_share,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedTitle:
    """What became of a title of a catalogue."""

    title: str
    """The title."""
    rows: TypedRows | None = None
    """Its rungs as rows."""
    line: CouldWin | None = None
    """What could be won."""
    reason: str | None = None
    """Why it could not be audited; None where it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTask:
    """Audit every title of a chunk."""

    chunk: Chunk
    """Where they are."""
    model: str
    """Name or folder of the model."""
    audience: Audience
    """Who plays."""
    ladders: ShippedLadders
    """What is shipped."""
    options: AuditOptions
    """What it is held against."""
    filters: Filters = field(default_factory=Filters)
    """Which rows to look at."""
    model_sha256: str = ""
    """Which model it must be, wherever this runs."""
    phones: float = 0.0
    """Share of the audience that watches on phones, 0-1."""

    @property
    def label(self) -> str:
        return f"audit {self.chunk.first_title}"

    def run(self, _: Any) -> list[AuditedTitle]:
        """One result per title.

        Raises:
            FeatureTableError: a row breaks the schema.
        """
        model = shared_model(self.model, self.model_sha256, self.phones)
        table = read_chunk(self.chunk, self.filters)
        if table is None:
            return []
        surfaces = build_surfaces(table, model, overhead=self.options.overhead)
        return [self._audit(scenes) for scenes in by_title(surfaces)]

    def _audit(self, scenes: Sequence[QualitySurface]) -> AuditedTitle:
        title, model = scenes[0].title, shared_model(self.model, self.model_sha256, self.phones)
        try:
            found = audit_title(scenes, self.ladders.of(title), self.audience, model, self.options)
        except AbrAllocError as error:
            return AuditedTitle(title=title, reason=str(error))
        return AuditedTitle(title=title, rows=audit_rows([found]), line=could_win(found))


@dataclass(slots=True)
class AuditSummary:
    """What a catalogue's audits came to."""

    lines: list[CouldWin] = field(default_factory=list)
    """Titles, by what could be won."""
    num_failed: int = 0
    """Titles that could not be audited."""
    reasons: list[str] = field(default_factory=list)
    """Why not: the first few, with their titles."""

    def raise_any(self) -> None:
        """End a run whose other titles are written.

        Raises:
            LadderFormatError: a title could not be audited; told for the last of `reasons`.
        """
        if self.reasons:
            rest = self.num_failed - len(self.reasons)
            raise LadderFormatError(self.reasons[-1] + (f" (and {rest} more)" if rest else ""))


def audit_catalogue(task: AuditTask, catalogue: Catalogue, output: Path | None, how: Results) -> AuditSummary:
    """Audit every title, and write rungs as they come.

    Args:
        task: what to do with every chunk.
        catalogue: the chunks.
        output: CSV or Parquet, a row per rung.
        how: who does the tasks.

    Raises:
        FeatureTableError: a table breaks the schema, or the filters leave nothing.
        OutputError: the output cannot be written.
    """
    model, sha256 = sent_model(task.model, catalogue.metadata)
    task = dataclasses.replace(task, model=model, model_sha256=sha256)
    check_filters(catalogue, task.filters)
    tasks = [dataclasses.replace(task, chunk=chunk) for chunk in chunks_of(catalogue, task.filters, how.scheduler)]
    summary = AuditSummary()
    with contextlib.ExitStack() as stack:
        writer = None if output is None else stack.enter_context(RowWriter(output, AUDIT_COLUMNS, 1))
        for _, titles in stack.enter_context(results_of(tasks, how)):
            for title in titles:
                if title.rows is None or title.line is None:
                    summary.num_failed += 1
                    told = f"{title.title}: {title.reason}"
                    summary.reasons += [told] if len(summary.reasons) < _MOST_KEPT else []
                    continue
                summary.lines.append(title.line)
                if writer is not None:
                    writer.write(0, title.rows)
        if not (summary.lines or summary.num_failed):
            raise FeatureTableError(NO_ROWS)  # before what was there is replaced
    summary.lines.sort(key=lambda line: line.order)
    return summary
