"""Rows written as they come, to CSV or Parquet: under a temporary name, renamed at the end.

What comes budget by budget for every chunk stands budget after budget in the file: every part but the first is kept in
a file of its own until the end. Row groups are cut at fixed numbers of rows, so that a file does not depend on how its
rows came in.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from abr_alloc.disk import cannot_write
from abr_alloc.table.arrow_columns import arrow_of_cells
from abr_alloc.table.parquet import WRITER_OPTIONS
from abr_alloc.table.spreadsheet import csv_text
from abr_alloc.table.typed_rows import TypedRows
from abr_alloc.writing import put_aside, remove_partials_beside, written_whole

__all__ = ["ROW_GROUP_ROWS", "RowWriter"]

ROW_GROUP_ROWS = 65_536
"""Rows of a row group of results."""

_TYPES: Mapping[str, pa.DataType] = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}


class RowWriter:
    """A file of rows in the making. Leaving the `with` block by an error leaves what was there before."""

    def __init__(self, path: Path, columns: Mapping[str, str], num_parts: int) -> None:
        """Begin a file.

        Args:
            path: `.parquet`, or CSV.
            columns: type of every column, `str`, `int`, `float` or `bool`, in order.
            num_parts: parts that stand one after the other.

        Raises:
            OutputError: the place cannot be written to.
        """
        self._path, self._columns = path, dict(columns)
        open_part = self._parquet if path.suffix.lower() == ".parquet" else self._csv
        self._stack = contextlib.ExitStack()
        self._parts: list[_ParquetPart | _CsvPart] = []

        def open_all() -> None:
            remove_partials_beside(path)
            # The first is the file; the others are thrown away when it has taken them in.
            places = [self._stack.enter_context(written_whole(path))]
            places += [self._stack.enter_context(put_aside(path, f"{i}.")) for i in range(1, num_parts)]
            self._paths = places
            self._parts.extend(open_part(part, i) for i, part in enumerate(places))

        try:
            self._guard(open_all)
        except BaseException as error:
            self._abandon(error)
            raise

    def _parquet(self, path: Path, _: int) -> _ParquetPart:
        return _ParquetPart(path, pa.schema([(name, _TYPES[kind]) for name, kind in self._columns.items()]))

    def _csv(self, path: Path, index: int) -> _CsvPart:
        return _CsvPart(path, ",".join(self._columns) + "\n" if index == 0 else "")

    def write(self, part: int, rows: TypedRows) -> None:
        """Add rows to a part.

        Raises:
            OutputError: the place cannot be written to.
        """
        if len(rows):
            self._guard(lambda: self._parts[part].write(rows))

    def _guard(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._abandon(error)
            return
        try:
            self._guard(self._finish)
        except BaseException as failure:
            self._abandon(failure)
            raise

    def _abandon(self, error: BaseException) -> None:
        for part in self._parts:
            with contextlib.suppress(OSError):  # a full disk has been told of
                part.abandon()
        self._stack.__exit__(type(error), error, error.__traceback__)

    def _finish(self) -> None:
        first, *others = self._parts
        for part, path in zip(others, self._paths[1:], strict=True):
            part.close()
            first.append(path)
            path.unlink()
        first.close()
        self._stack.close()


class _ParquetPart:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._file = path.open("wb")  # whose name may not be UTF-8, as PyArrow wants it
        self._writer = pq.ParquetWriter(self._file, schema, **WRITER_OPTIONS)
        self._waiting: list[pa.Table] = []
        self._num_waiting = 0

    def write(self, rows: TypedRows) -> None:
        arrays = [arrow_of_cells(rows.columns[field.name], field.type) for field in self._schema]
        self._add(pa.table(arrays, schema=self._schema))

    def _add(self, table: pa.Table) -> None:
        self._waiting.append(table)
        self._num_waiting += len(table)
        while self._num_waiting >= ROW_GROUP_ROWS:
            self._flush(ROW_GROUP_ROWS)

    def _flush(self, number: int) -> None:
        together = pa.concat_tables(self._waiting).combine_chunks()
        self._writer.write_table(together.slice(0, number), row_group_size=number)
        rest = together.slice(number)
        self._waiting, self._num_waiting = [rest] if len(rest) else [], len(rest)

    def append(self, path: Path) -> None:
        """Add the rows of another file."""
        with path.open("rb") as source, pq.ParquetFile(source) as file:
            for group in range(file.num_row_groups):
                self._add(file.read_row_group(group))

    def close(self) -> None:
        if self._num_waiting:
            self._flush(self._num_waiting)
        self._writer.close()
        self._file.close()

    def abandon(self) -> None:
        try:
            self._writer.close()
        finally:
            self._file.close()


class _CsvPart:
    def __init__(self, path: Path, header: str) -> None:
        self._file: IO[bytes] = path.open("wb")
        self._file.write(header.encode())

    def write(self, rows: TypedRows) -> None:
        self._file.write(csv_text(rows, header=False).encode())

    def append(self, path: Path) -> None:
        """Add the text of another file."""
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                self._file.write(block)

    def close(self) -> None:
        self._file.close()

    def abandon(self) -> None:
        self._file.close()
