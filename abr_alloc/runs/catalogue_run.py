"""A catalogue's results, written as they come: what plans, ladders and relevance share.

A task (a chunk of a catalogue, `table/catalogue.py`) is small, and so is what it returns: rows of results, never
features. Results are taken in the order of the tasks, so they do not depend on who does them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from abr_alloc.allocation.filters import NO_ROWS, Filters, codecs_of, narrow, require_present, video_encoders
from abr_alloc.disk import scratch_folder
from abr_alloc.errors import FeatureTableError, InfeasibleBudgetError, InfeasibleLimits, InfeasibleScene
from abr_alloc.parameters import with_options
from abr_alloc.table.catalogue import Catalogue, Chunk, open_catalogue, read_narrow, read_table
from abr_alloc.table.row_writer import RowWriter
from abr_alloc.table.table import FeatureTable, join_tables, read_features
from abr_alloc.table.typed_rows import TypedRows
from abr_alloc.workers.in_order import in_order
from abr_alloc.workers.task import Task
from abr_alloc.writing import is_written_through

__all__ = [
    "Infeasible",
    "Results",
    "Write",
    "check_filters",
    "chunks_of",
    "infeasible_path",
    "read_chunk",
    "read_whole",
    "results_of",
    "table_of",
    "write_rows",
]

INFEASIBLE_COLUMNS = {"title": "str", "scene": "int", "budget_kbps": "float", "needed_kbps": "float", "reason": "str"}
_MOST_KEPT = 20
_T = TypeVar("_T", bound=Task)

Infeasibles = Sequence[InfeasibleScene | InfeasibleLimits]


class Write(Protocol):
    """Take rows of a part of the output, and what has no result in it."""

    def __call__(self, part: int, rows: TypedRows, infeasible: Infeasibles) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Who does the tasks of a run, and who is told how far it is."""

    jobs: int = 1
    """Processes of this machine; 1 for none beside this one."""
    scheduler: str | None = None
    """Address of a cluster's scheduler, instead."""
    on_progress: Callable[[float, float, str], None] | None = None
    """Called with tasks done, tasks in all, and the label of the last one."""


def table_of(features: FeatureTable | str | os.PathLike[str]) -> FeatureTable:
    """A feature table, or all tables of a file, folder or pattern as one.

    Raises:
        FeatureTableError: there is none, or it breaks the schema.
    """
    return features if isinstance(features, FeatureTable) else read_whole(open_catalogue(features))


def read_whole(catalogue: Catalogue) -> FeatureTable:
    """All rows in memory, sorted by title, for what needs them together."""
    return join_tables([read_features(path) for path in catalogue.paths])


def read_chunk(chunk: Chunk, filters: Filters, *, half_seconds: bool = False) -> FeatureTable | None:
    """The rows of a chunk that pass; None where no row does. With `half_second_kbit` only where it is asked for."""
    return narrow(read_table(chunk, half_seconds=half_seconds), filters)


def chunks_of(catalogue: Catalogue, filters: Filters, scheduler: str | None = None) -> list[Chunk]:
    """The chunks that may hold rows which pass; with names of files that other machines understand too."""
    chunks = [
        chunk
        for chunk in catalogue.chunks
        if not filters.titles or any(chunk.first_title <= title <= chunk.last_title for title in filters.titles)
    ]
    if scheduler is None:
        return chunks
    return [c if "://" in c.path else dataclasses.replace(c, path=str(Path(c.path).absolute())) for c in chunks]


def check_filters(catalogue: Catalogue, filters: Filters) -> None:
    """Refuse a filter that asks for what no file holds; reads narrow columns only.

    Raises:
        FeatureTableError: names the value and what there is.
    """
    if not filters:
        return
    titles: set[str] = set()
    scenes: set[int] = set()
    codecs: dict[str, set[str]] = {"video": set(), "audio": set()}
    encoders: set[str] = set()
    columns = ("title", "scene", "kind", "codec", *(("target",) if filters.video_encoders else ()))
    for chunk in catalogue.chunks:
        rows = read_narrow(chunk, columns)
        encoders |= video_encoders(rows.of_kind("video")) if filters.video_encoders else set()
        titles |= set(rows.words("title").present()) if filters.titles else set()
        scenes |= set(rows.whole("scene").tolist())
        for kind in rows.words("kind").present():
            codecs.setdefault(kind, set()).update(codecs_of(rows.of_kind(kind)))
    require_present(filters, titles, scenes, codecs, encoders)


@contextlib.contextmanager
def results_of(tasks: Sequence[_T], how: Results) -> Iterator[Iterator[tuple[_T, Any]]]:
    """Results in the order of the tasks; processes only where they are asked for."""
    with contextlib.ExitStack() as stack:
        workers = None
        if how.scheduler is not None or how.jobs > 1:
            from abr_alloc.workers.open import open_workers  # processes take long to import

            workers = stack.enter_context(open_workers(how.jobs, how.scheduler))

        def results() -> Iterator[tuple[_T, Any]]:
            for i, (task, result) in enumerate(in_order(tasks, workers)):
                yield task, result
                if how.on_progress is not None:
                    how.on_progress(i + 1, len(tasks), task.label)

        yield results()


def infeasible_path(output: Path) -> Path:
    """Where what has no result is listed: plans.parquet -> plans.infeasible.csv."""
    return output.with_name(f"{output.stem}.infeasible.csv")


class Infeasible:
    """What nothing fits: all of it counted, the first few kept to be shown."""

    def __init__(self) -> None:
        self.number = 0
        self.first: list[InfeasibleScene | InfeasibleLimits] = []

    def add(self, scenes: Infeasibles) -> None:
        self.number += len(scenes)
        self.first += scenes[: _MOST_KEPT - len(self.first)]

    def require_any(self, num_planned: int) -> None:
        """Refuse to go on without anything, before what was there is replaced.

        Raises:
            FeatureTableError: there was nothing at all.
        """
        if not (self.number or num_planned):
            raise FeatureTableError(NO_ROWS)

    def raise_any(self) -> None:
        """End a run whose other results are written.

        Raises:
            InfeasibleBudgetError: something has no result.
        """
        if self.number:
            raise InfeasibleBudgetError(self.first, number=self.number)


def _infeasible_rows(scenes: Infeasibles) -> TypedRows:
    """What nothing fits as rows of `INFEASIBLE_COLUMNS`."""
    rows = [
        {
            "title": s.title,
            "scene": s.scene,
            "budget_kbps": s.budget_kbps,
            "needed_kbps": s.total_kbps if isinstance(s, InfeasibleScene) else s.needed_kbps,
            "reason": with_options(str(s)),
        }
        for s in scenes
    ]
    return TypedRows.of(rows, INFEASIBLE_COLUMNS)


@contextlib.contextmanager
def write_rows(
    output: Path | None,
    *,
    columns: Mapping[str, str],
    num_parts: int = 1,
    list_infeasible: bool = True,
    take_csv: Callable[[str], None] | None = None,
) -> Iterator[Write]:
    """Somewhere for results and for what has none.

    Args:
        output: CSV or Parquet; None for nowhere, or for `take_csv`.
        columns: names and types.
        num_parts: parts that rows come in; part after part is written.
        list_infeasible: list what has no result beside the output (`infeasible_path`).
        take_csv: takes blocks of CSV at the end where there is no output: parts come mixed, and wait on disk.

    Raises:
        OutputError: the output cannot be written.
    """
    if output is None and take_csv is None:
        yield lambda part, rows, infeasible: None
        return
    with contextlib.ExitStack() as waiting:
        # A name of its own: several runs, and threads of one, may print at once.
        target = output or waiting.enter_context(scratch_folder()) / "stdout.csv"
        with contextlib.ExitStack() as stack:
            writer = stack.enter_context(RowWriter(target, columns, num_parts))
            others = None
            # Beside a device no file can stand.
            if output is not None and list_infeasible and not is_written_through(output):
                others = stack.enter_context(RowWriter(infeasible_path(output), INFEASIBLE_COLUMNS, num_parts))

            def write(part: int, rows: TypedRows, infeasible: Infeasibles) -> None:
                writer.write(part, rows)
                if others is not None and infeasible:
                    others.write(part, _infeasible_rows(infeasible))

            yield write
        if output is None and take_csv is not None:
            with target.open(encoding="utf-8", newline="") as text:
                while block := text.read(1 << 20):
                    take_csv(block)
