"""A ladder per title of a catalogue, written as they come."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.design import DesignOptions, TitleLadder, design_titles
from abr_alloc.allocation.filters import NO_ROWS, Filters
from abr_alloc.allocation.layouts import build_for
from abr_alloc.allocation.reference import ReferenceLadder
from abr_alloc.allocation.surface import QualitySurface, by_title
from abr_alloc.documents import json_text
from abr_alloc.encoders import VideoEncoder
from abr_alloc.errors import FeatureTableError, InfeasibleLadderError
from abr_alloc.formats.ladder_basis import features_object
from abr_alloc.formats.ladder_file import ladder_document
from abr_alloc.formats.result_rows import ladder_columns, ladder_rows
from abr_alloc.runs.catalogue_run import Results, check_filters, chunks_of, read_chunk, results_of
from abr_alloc.runs.file_names import FileNames
from abr_alloc.runs.ladder_run import encoders_in
from abr_alloc.runs.shared_model import sent_model, shared_model
from abr_alloc.table.catalogue import Catalogue, Chunk
from abr_alloc.table.row_writer import RowWriter
from abr_alloc.table.table import FeatureTable
from abr_alloc.table.typed_rows import TypedRows
from abr_alloc.writing import replace_file

__all__ = ["CatalogueSummary", "LadderTask", "ladder_catalogue"]

_MOST_KEPT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignedTitle:
    """What became of a title of a catalogue."""

    title: str
    """The title."""
    rows: TypedRows | None = None
    """Its rungs as rows."""
    document: str | None = None
    """Its ladder file, where ladder files are wanted."""
    expected_avq_mos: float = 0.0
    """Expected AVQ of the audience."""
    reason: str | None = None
    """Why it has no ladder; None where it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderTask:
    """Design a ladder for every title of a chunk."""

    chunk: Chunk
    """Where they are."""
    model: str
    """Name or folder of the model."""
    audience: Audience
    """Who plays."""
    options: DesignOptions
    """What a ladder should be like."""
    reference: ReferenceLadder | None
    """A fixed ladder to hold them against."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """What ladder files say of their making; empty where rows are wanted instead of files."""
    filters: Filters = field(default_factory=Filters)
    """Which rows to choose from."""
    model_sha256: str = ""
    """Which model it must be, wherever this runs."""
    phones: float = 0.0
    """Share of the audience that watches on phones, 0-1."""

    @property
    def label(self) -> str:
        return f"ladder {self.chunk.first_title}"

    def run(self, _: Any) -> list[DesignedTitle]:
        """One result per title.

        Raises:
            FeatureTableError: a row breaks the schema, or the scenes of a title share no rendition.
        """
        model = shared_model(self.model, self.model_sha256, self.phones)
        table = read_chunk(self.chunk, self.filters, half_seconds=self.options.shots is not None)
        if table is None:
            return []
        surfaces = build_for(table, model, overhead=self.options.overhead, surround_share=self.options.surround_share)
        encoders = encoders_in(table)
        return [self._design(table, scenes, encoders) for scenes in by_title(surfaces)]

    def _design(
        self, table: FeatureTable, scenes: Sequence[QualitySurface], encoders: Mapping[str, VideoEncoder]
    ) -> DesignedTitle:
        title = scenes[0].title
        try:
            (designed,) = design_titles(scenes, self.audience, self.options, self.reference, encoders=encoders)
        except InfeasibleLadderError as error:
            return DesignedTitle(title=title, reason=str(error))
        return DesignedTitle(
            title=title,
            rows=ladder_rows([designed]),
            document=self._document(table, designed) if self.provenance else None,
            expected_avq_mos=designed.ladder.expected_avq_mos,
        )

    def _document(self, table: FeatureTable, designed: TitleLadder) -> str:
        about = self.provenance | {"features": features_object(table, designed.ladder.title)}
        return json_text(ladder_document([designed], about))


@dataclass(slots=True)
class CatalogueSummary:
    """What a catalogue's ladders came to."""

    num_ladders: int = 0
    """Titles with a ladder."""
    num_rungs: int = 0
    """Their rungs."""
    num_without: int = 0
    """Titles without one."""
    sum_mos: float = 0.0
    """Sum of the ladders' expected AVQ."""
    reasons: list[str] = field(default_factory=list)
    """Why titles have none: the first few."""

    def add(self, title: DesignedTitle) -> None:
        """Count a title."""
        if title.rows is None:
            self.num_without += 1
            self.reasons += [title.reason or ""] if len(self.reasons) < _MOST_KEPT else []
            return
        self.num_ladders, self.num_rungs = self.num_ladders + 1, self.num_rungs + len(title.rows)
        self.sum_mos += title.expected_avq_mos

    def raise_any(self) -> None:
        """End a run whose other ladders are written.

        Raises:
            InfeasibleLadderError: a title has none; told for the last of `reasons`.
        """
        if self.reasons:
            rest = self.num_without - len(self.reasons)
            raise InfeasibleLadderError(self.reasons[-1] + (f" (and {rest} more)" if rest else ""))


def ladder_catalogue(
    task: LadderTask, catalogue: Catalogue, output: Path | None, folder: Path | None, how: Results
) -> CatalogueSummary:
    """Design a ladder per title, and write them as they come.

    Args:
        task: what to do with every chunk.
        catalogue: the chunks.
        output: CSV or Parquet, a row per rung.
        folder: where a ladder file per title goes, instead.
        how: who does the tasks.

    Raises:
        FeatureTableError: a table breaks the schema, or the filters leave nothing.
        OutputError: the output cannot be written.
    """
    model, sha256 = sent_model(task.model, catalogue.metadata)
    task = dataclasses.replace(task, model=model, model_sha256=sha256)
    check_filters(catalogue, task.filters)
    tasks = [dataclasses.replace(task, chunk=chunk) for chunk in chunks_of(catalogue, task.filters, how.scheduler)]
    names, summary = FileNames(), CatalogueSummary()
    on_screens = 0.0 < task.phones < 1.0 and task.options.shots is None
    columns = ladder_columns(on_screens=on_screens, with_surround=task.options.surround_share is not None)
    with contextlib.ExitStack() as stack:
        writer = None if output is None else stack.enter_context(RowWriter(output, columns, 1))
        for _, titles in stack.enter_context(results_of(tasks, how)):
            parts = [title.rows for title in titles if title.rows is not None]
            if writer is not None and parts:
                writer.write(0, TypedRows.joined(parts))
            for title in titles:
                summary.add(title)
                if folder is not None and title.document is not None:
                    replace_file(folder / names.of(title.title), title.document.encode(), log_level=logging.DEBUG)
        if not (summary.num_ladders or summary.num_without):
            raise FeatureTableError(NO_ROWS)  # before what was there is replaced
    return summary
