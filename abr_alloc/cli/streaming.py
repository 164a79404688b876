"""Results that are written as they come: what `plan`, `ladder` and `relevance` share of it on the command line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abr_alloc.cli.printing import echo
from abr_alloc.location import is_remote

if TYPE_CHECKING:
    from abr_alloc.runs.catalogue_run import Results
    from abr_alloc.table.catalogue import Catalogue
    from abr_alloc.table.table import FeatureTable

__all__ = ["check_place", "comes_in_rows", "one_blas_thread", "print_csv", "read_whole", "refuse_scheduler", "shown"]

_ROWS = (".csv", ".parquet")


def one_blas_thread() -> None:
    """Leave cores to processes: matrix products of a title are too small to share. Before NumPy is imported."""
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def comes_in_rows(catalogue: Catalogue, output: Path | None, *, as_csv: bool, as_document: bool) -> bool:
    """Whether results are rows, written as they come, and not a document that needs all of them together.

    Rows are CSV and Parquet, and the summary that stands for several tables on a terminal. Documents are JSON, pictures
    and tables of text.
    """
    if as_document:
        return False
    if as_csv or (output is not None and output.suffix.lower() in _ROWS):
        return True
    return output is None and not catalogue.is_one_table


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
    """All rows in memory, for what needs them together, and no cluster for it.

    Raises:
        click.UsageError: a cluster is asked for.
    """
    refuse_scheduler(scheduler)
    from abr_alloc.runs import catalogue_run

    return catalogue_run.read_whole(catalogue)


@contextlib.contextmanager
def shown(label: str, jobs: int, scheduler: str | None) -> Iterator[Results]:
    """Who does the tasks of a run, with progress on stderr."""
    from abr_alloc.cli.progress import progress
    from abr_alloc.runs.catalogue_run import Results

    with progress(label) as update:
        yield Results(jobs=jobs, scheduler=scheduler, on_progress=update)


def print_csv(block: str) -> None:
    """Print a block of CSV as it is."""
    echo(block, nl=False, exact=True)
