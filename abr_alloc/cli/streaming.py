"""A catalogue's results, written as they come: what `plan`, `ladder` and `relevance` share."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from abr_alloc.cli.parameters import with_options
from abr_alloc.cli.printing import echo
from abr_alloc.disk import scratch_folder
from abr_alloc.errors import FeatureTableError, InfeasibleBudgetError, InfeasibleLimits, InfeasibleScene
from abr_alloc.location import is_remote
from abr_alloc.writing import is_written_through

if TYPE_CHECKING:
    import pandas as pd

    from abr_alloc.allocation.filters import Filters
    from abr_alloc.table.catalogue import Catalogue, Chunk
    from abr_alloc.table.table import FeatureTable
    from abr_alloc.workers.task import Task

__all__ = [
    "Infeasible",
    "check_filters",
    "check_place",
    "chunks_of",
    "infeasible_path",
    "one_blas_thread",
    "read_whole",
    "refuse_scheduler",
    "results_of",
    "write_streams",
]

INFEASIBLE_COLUMNS = {"title": "str", "scene": "int", "budget_kbps": "float", "needed_kbps": "float", "reason": "str"}
_MOST_TOLD = 20
_T = TypeVar("_T", bound="Task")


def one_blas_thread() -> None:
    """Leave cores to processes: matrix products of a title are too small to share. Before NumPy is imported."""
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def check_place(catalogue: Catalogue, output: Path | None) -> None:
    """Refuse, before any work, an output among the feature tables.

    Raises:
        click.UsageError: it is one of them, or lies in their folder, where it would be read as one.
    """
    if output is None or is_remote(output):
        return
    folder = Path(catalogue.source)
    if str(output) in catalogue.paths or (folder.is_dir() and output.resolve().is_relative_to(folder.resolve())):
        raise click.UsageError(f"the output {output} lies among the feature tables; choose another place with -o")


def chunks_of(catalogue: Catalogue, filters: Filters, scheduler: str | None) -> list[Chunk]:
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
    from abr_alloc.allocation.filters import require_present
    from abr_alloc.table.catalogue import read_narrow

    titles: set[str] = set()
    scenes: set[int] = set()
    codecs: dict[str, set[str]] = {"video": set(), "audio": set()}
    for chunk in catalogue.chunks:
        frame = read_narrow(chunk, ("title", "scene", "kind", "codec"))
        titles |= set(frame["title"].unique()) if filters.titles else set()
        scenes |= {int(scene) for scene in frame["scene"].unique()}
        for kind, codec in frame[["kind", "codec"]].drop_duplicates().itertuples(index=False):
            codecs.setdefault(kind, set()).add(codec)
    require_present(filters, titles, scenes, codecs)


def refuse_scheduler(scheduler: str | None) -> None:
    """Refuse a cluster for what is done here in one go.

    Raises:
        click.UsageError: one is given.
    """
    if scheduler is not None:
        raise click.UsageError(
            "--scheduler is for results that are written as they come: of a folder or pattern of tables, or with "
            "-o FILE.parquet; leave it out"
        )


def read_whole(catalogue: Catalogue, scheduler: str | None) -> FeatureTable:
    """All rows in memory, sorted by title, for what needs them together, and no cluster for it.

    Raises:
        click.UsageError: a cluster is asked for.
    """
    refuse_scheduler(scheduler)
    from abr_alloc.table.table import join_tables, read_features

    return join_tables([read_features(path) for path in catalogue.paths])


@contextlib.contextmanager
def results_of(tasks: Sequence[_T], label: str, jobs: int, scheduler: str | None) -> Iterator[Iterator[tuple[_T, Any]]]:
    """Results in the order of the tasks, with progress on stderr; processes only where they are asked for."""
    from abr_alloc.cli.progress import progress
    from abr_alloc.runs.chunk_tasks import in_order

    with contextlib.ExitStack() as stack:
        workers = None
        if scheduler is not None or jobs > 1:
            from abr_alloc.workers.open import open_workers

            workers = stack.enter_context(open_workers(jobs, scheduler))
        update = stack.enter_context(progress(label))

        def told() -> Iterator[tuple[_T, Any]]:
            for i, (task, result) in enumerate(in_order(tasks, workers)):
                yield task, result
                update(i + 1, len(tasks), task.label)

        yield told()


def infeasible_path(output: Path) -> Path:
    """Where what has no result is listed: plans.parquet -> plans.infeasible.csv."""
    return output.with_name(f"{output.stem}.infeasible.csv")


class Infeasible:
    """What nothing fits: all of it counted, the first few kept to be told."""

    def __init__(self) -> None:
        self.number = 0
        self.first: list[InfeasibleScene | InfeasibleLimits] = []

    def add(self, scenes: Sequence[InfeasibleScene | InfeasibleLimits]) -> None:
        self.number += len(scenes)
        self.first += scenes[: _MOST_TOLD - len(self.first)]

    def require_any(self, num_planned: int) -> None:
        """Refuse to go on without anything, before what was there is replaced.

        Raises:
            FeatureTableError: there was nothing at all.
        """
        if not (self.number or num_planned):
            from abr_alloc.allocation.filters import NO_ROWS

            raise FeatureTableError(NO_ROWS)

    def end(self) -> None:
        """End the command as what was found asks for.

        Raises:
            InfeasibleBudgetError: something has no result.
        """
        if self.number:
            raise InfeasibleBudgetError(self.first, number=self.number)


def rows_of(scenes: Sequence[InfeasibleScene | InfeasibleLimits]) -> pd.DataFrame:
    """What nothing fits as rows of `INFEASIBLE_COLUMNS`."""
    import pandas as pd

    rows = [
        (
            s.title,
            s.scene,
            s.budget_kbps,
            s.total_kbps if isinstance(s, InfeasibleScene) else s.needed_kbps,
            with_options(str(s)),
        )
        for s in scenes
    ]
    frame = pd.DataFrame(rows, columns=list(INFEASIBLE_COLUMNS))
    return frame.astype({"scene": "Int64", "needed_kbps": "float64"})


@contextlib.contextmanager
def write_streams(output: Path | None, *, to_stdout: bool, columns: Mapping[str, str], num_parts: int) -> Iterator[Any]:
    """Somewhere for results and for what has none: `write(part, rows, infeasible)`.

    Without an output, CSV for stdout waits on disk until all is there, as its parts come mixed; other rows go nowhere.
    """
    from abr_alloc.table.row_writer import RowWriter

    if output is None and not to_stdout:
        yield lambda part, rows, infeasible: None
        return
    with contextlib.ExitStack() as waiting:
        # A name of its own: several runs, and threads of one, may print at once.
        target = output or waiting.enter_context(scratch_folder()) / "stdout.csv"
        with contextlib.ExitStack() as stack:
            writer = stack.enter_context(RowWriter(target, columns, num_parts))
            others = None
            if output is not None and not is_written_through(output):  # beside a device no file can stand
                others = stack.enter_context(RowWriter(infeasible_path(output), INFEASIBLE_COLUMNS, num_parts))

            def write(part: int, rows: pd.DataFrame, infeasible: Sequence[InfeasibleScene | InfeasibleLimits]) -> None:
                writer.write(part, rows)
                if others is not None and infeasible:
                    others.write(part, rows_of(infeasible))

            yield write
        if output is None:
            with target.open(encoding="utf-8", newline="") as text:
                while block := text.read(1 << 20):
                    echo(block, nl=False, exact=True)
