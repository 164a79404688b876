"""`abr-alloc ladder` over a catalogue: a ladder per title, as they come."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.design import DesignOptions, TitleLadder, design_titles
from abr_alloc.allocation.filters import NO_ROWS, Filters
from abr_alloc.allocation.reference import ReferenceLadder
from abr_alloc.allocation.surface import by_title
from abr_alloc.cli.ladder_table import LADDER_COLUMNS, ladder_frame
from abr_alloc.cli.parameters import with_options
from abr_alloc.cli.printing import echo
from abr_alloc.cli.streaming import check_filters, chunks_of, results_of
from abr_alloc.documents import json_text
from abr_alloc.errors import FeatureTableError, InfeasibleLadderError
from abr_alloc.formats.ladder_file import ladder_document
from abr_alloc.runs.chunk_tasks import chunk_surfaces, sent_model, shared_model
from abr_alloc.table.catalogue import Chunk
from abr_alloc.table.row_writer import RowWriter
from abr_alloc.table.table import FeatureTable
from abr_alloc.writing import replace_file

if TYPE_CHECKING:
    from abr_alloc.table.catalogue import Catalogue

__all__ = ["FileNames", "LadderTask", "design_catalogue_titles", "features_object"]

_MOST_TOLD = 20


class FileNames:
    """A name per title, without what a file system may not take; numbered where two would be equal."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, title: str) -> str:
        """The name of the next title."""
        stem = re.sub(r"[^\w.-]+", "-", title).strip(".") or "title"
        choices = itertools.chain([f"{stem}.json"], (f"{stem}-{i}.json" for i in itertools.count(2)))
        name = next(name for name in choices if name.casefold() not in self._taken)
        self._taken.add(name.casefold())
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignedTitle:
    """What became of a title."""

    title: str
    """The title."""
    rows: pd.DataFrame | None = None
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

    @property
    def label(self) -> str:
        return f"ladder {self.chunk.first_title}"

    def run(self, _: Any) -> list[DesignedTitle]:
        """One result per title.

        Raises:
            FeatureTableError: a row breaks the schema, or the scenes of a title share no rendition.
        """
        model = shared_model(self.model, self.model_sha256)
        table, surfaces = chunk_surfaces(self.chunk, model, self.filters, self.options.overhead)
        return [] if table is None else [self._design(table, scenes) for scenes in by_title(surfaces)]

    def _design(self, table: FeatureTable, scenes: Sequence[Any]) -> DesignedTitle:
        title = scenes[0].title
        try:
            (found,) = design_titles(scenes, self.audience, self.options, self.reference)
        except InfeasibleLadderError as error:
            return DesignedTitle(title=title, reason=str(error))
        return DesignedTitle(
            title=title,
            rows=ladder_frame([found]),
            document=self._document(table, found) if self.provenance else None,
            expected_avq_mos=found.ladder.expected_avq_mos,
        )

    def _document(self, table: FeatureTable, found: TitleLadder) -> str:
        about = self.provenance | {"features": features_object(table, found.ladder.title)}
        return json_text(ladder_document([found], about))


def features_object(table: FeatureTable, title: str | None = None) -> dict[str, Any]:
    """What a ladder file says of the feature table: of all its titles, or of one."""
    about = table.metadata
    own = table.frame if title is None else table.frame[table.frame["title"] == title]
    rows = table.frame if own.empty else own  # a shared ladder is of all titles
    titles = set(rows["title"])
    return {
        "grid": about.grid,
        "grid_hash": about.grid_hash,
        "libvmaf_version": about.libvmaf_version,
        "visqol_version": about.visqol_version,
        "ffmpeg_version": about.ffmpeg_version,
        "source_hashes": {name: value for name, value in about.source_hashes.items() if name in titles},
        "credits": {name: value for name, value in about.credits.items() if name in titles},
        "titles": {
            name: _title_object(of_title, about.weights_s.get(name, {})) for name, of_title in rows.groupby("title")
        },
    }


def _title_object(rows: pd.DataFrame, weights_s: Mapping[str, float]) -> dict[str, Any]:
    """What exporting and verifying need to know of a title beside its rungs."""
    spans = rows[["scene", "start_s", "end_s"]].drop_duplicates("scene").sort_values("scene")
    found = {"fps": float(rows["fps"].max()), "scenes_s": spans[["start_s", "end_s"]].to_numpy().tolist()}
    if weights_s:  # of a digest: the title's time that each scene stands for, its own where nothing is said
        own_s = (spans["end_s"] - spans["start_s"]).tolist()
        found["weights_s"] = [weights_s.get(str(n), own) for n, own in zip(spans["scene"], own_s, strict=True)]
    return found


def design_catalogue_titles(
    task: LadderTask, catalogue: Catalogue, output: Path | None, folder: Path | None, jobs: int, scheduler: str | None
) -> None:
    """Design a ladder per title, write them as they come, and print how many there are.

    Args:
        task: what to do with every chunk.
        catalogue: the chunks.
        output: CSV or Parquet, a row per rung.
        folder: where a ladder file per title goes, instead.
        jobs: processes.
        scheduler: address of a cluster's scheduler.

    Raises:
        InfeasibleLadderError: a title has no ladder; the others are written.
    """
    model, sha256 = sent_model(task.model, catalogue.metadata)
    task = dataclasses.replace(task, model=model, model_sha256=sha256)
    check_filters(catalogue, task.filters)
    tasks = [dataclasses.replace(task, chunk=chunk) for chunk in chunks_of(catalogue, task.filters, scheduler)]
    names, reasons = FileNames(), list[str]()
    num_ladders = num_rungs = num_without = 0
    total_mos = 0.0
    with contextlib.ExitStack() as stack:
        writer = None if output is None else stack.enter_context(RowWriter(output, LADDER_COLUMNS, 1))
        results = stack.enter_context(results_of(tasks, "designing", jobs, scheduler))
        for _, designed in results:
            for found in designed:
                if found.reason is not None:
                    num_without += 1
                    reasons += [found.reason] if len(reasons) < _MOST_TOLD else []
                    continue
                num_ladders, num_rungs = num_ladders + 1, num_rungs + len(found.rows)
                total_mos += found.expected_avq_mos
                if writer is not None:
                    writer.write(0, found.rows)
                if folder is not None:
                    replace_file(folder / names.of(found.title), found.document.encode(), log_level=logging.DEBUG)
        if not (num_ladders or num_without):
            raise FeatureTableError(NO_ROWS)  # before what was there is replaced
    if num_ladders:
        echo(
            f"{num_ladders} ladders, {num_rungs / num_ladders:.1f} rungs and an expected AVQ of "
            f"{total_mos / num_ladders:.3f} on average; {num_without} titles without one"
        )
    for reason in reasons[:-1]:
        echo(f"infeasible: {with_options(reason)}", err=True)
    if reasons:
        more = f" (and {num_without - len(reasons)} more)" if num_without > len(reasons) else ""
        raise InfeasibleLadderError(reasons[-1] + more)
