"""A catalogue: feature tables in one file, in a folder or under a pattern, read a few titles at a time.

A chunk is a run of whole titles of one file, small enough to be held, large enough to be worth a visit. Chunks come
from the files' footers alone: the titles of a row group lie between its least and its largest, so titles that begin in
one row group and end in another are known before a row is read. A file that is not sorted by title is one chunk, and
is sorted when it is read.
"""

from __future__ import annotations

import functools
import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from abr_alloc.errors import FeatureTableError
from abr_alloc.location import fingerprint, is_remote, list_files, parse_location
from abr_alloc.table.arrow_columns import columns_of_arrow
from abr_alloc.table.columns import Columns
from abr_alloc.table.parquet import COLUMNS, TableMetadata, check_schema, open_table
from abr_alloc.table.table import FeatureTable, read_checked

__all__ = [
    "CHUNK_ROWS",
    "Catalogue",
    "Chunk",
    "find_tables",
    "open_catalogue",
    "read_narrow",
    "read_table",
]

CHUNK_ROWS = 16_384
"""Rows of a chunk, at least, where its file goes on: 32 MiB of audio vectors were all of them audio."""

_MAGIC = "*?["
_TRUSTED_LENGTH = 60  # some writers cut longer words short in their statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some whole titles of one file."""

    path: str
    """The file."""
    row_groups: tuple[int, ...]
    """Its row groups that hold rows of these titles."""
    after_title: str | None
    """The titles come after this one, in alphabetical order; None from the beginning."""
    last_title: str
    """The last of the titles."""
    first_title: str
    """The first title of the first row group, by which chunks are ordered."""
    first_row: int
    """Rows of the file before its row groups, for messages."""
    num_rows: int
    """Rows of its row groups; some may be of titles of the chunks beside it."""
    size_bytes: int = -1
    """Size of the file when it was looked at; -1 where nobody looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Feature tables that are read as one."""

    source: str
    """What the user named."""
    paths: tuple[str, ...]
    """The files, sorted by name."""
    metadata: TableMetadata
    """Origin of the rows: versions, hashes and credits of all files; a word that differs between files is empty."""
    chunks: tuple[Chunk, ...]
    """All titles, by their first, in the order in which results are written."""
    num_rows: int
    """Rows of all files."""

    @property
    def is_one_table(self) -> bool:
        """Whether it is a single file of no more rows than are read at once anyway."""
        return len(self.paths) == 1 and self.paths[0] == self.source and self.num_rows <= 4 * CHUNK_ROWS


def find_tables(source: str | os.PathLike[str]) -> list[str]:
    """The Parquet files that a path or URL, a folder or a pattern names, sorted by name.

    Folders are searched through; names that begin with `.` or `_` are passed over, as they are by other readers of
    partitioned tables.

    Raises:
        FeatureTableError: there is none.
    """
    text = str(source)
    place = parse_location(text)
    if is_remote(place) and any(sign in text for sign in _MAGIC):
        raise FeatureTableError(f"{text} is a pattern, and patterns are of files here; give the folder", path=text)
    if is_remote(place) and place.suffix == ".parquet":
        return [text]
    if not is_remote(place) and os.path.isfile(place):  # noqa: PTH113 - a name may be too long to ask for
        return [text]
    if is_remote(place) or os.path.isdir(place):  # noqa: PTH112 - a name may be too long to ask for
        try:
            inside = [path for path, _ in list_files(place)]
        except OSError as error:
            raise FeatureTableError(f"{text} cannot be looked through: {error.strerror}", path=text) from error
        found = [str(place / path) for path in inside if path.suffix == ".parquet" and not _hidden(path)]
        where = f"the folder {text} holds no .parquet file"
    elif any(sign in text for sign in _MAGIC):
        found = [path for path in glob.glob(text, recursive=True) if os.path.isfile(path)]  # noqa: PTH113, PTH207
        where = f"no file matches {text}"
    elif os.path.exists(place):  # noqa: PTH110 - a name may be too long to ask for
        raise FeatureTableError(f"{text} is a pipe, socket or device; write it to a file first", path=text)
    else:
        raise FeatureTableError(f"{text} does not exist; make it with `abr-alloc extract`", path=text)
    if not found:
        raise FeatureTableError(f"{where}; make feature tables with `abr-alloc extract`", path=text)
    return sorted(found)


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def open_catalogue(source: str | os.PathLike[str]) -> Catalogue:
    """Look at all files, at their footers only, and lay out how they are read.

    Raises:
        FeatureTableError: a file is no feature table, two differ in the versions of their features, or two hold the
            same title; the message names the files.
    """
    paths = find_tables(source)
    chunks: list[Chunk] = []
    metadata: TableMetadata | None = None
    num_rows = 0
    for path in paths:
        with open_table(path) as file:
            own = check_schema(file.schema_arrow, path)
            if file.metadata.num_rows == 0:
                raise FeatureTableError(
                    f"{path}: the feature table has no rows; extract at least one source", path=path
                )
            metadata = own if metadata is None else _agree(metadata, paths[0], own, path)
            num_rows += file.metadata.num_rows
            chunks += _chunks(path, file)
    assert metadata is not None
    _refuse_repeated_titles(chunks)
    chunks.sort(key=lambda chunk: (chunk.first_title, chunk.path))
    return Catalogue(source=str(source), paths=tuple(paths), metadata=metadata, chunks=tuple(chunks), num_rows=num_rows)


def _agree(first: TableMetadata, first_path: str, other: TableMetadata, path: str) -> TableMetadata:
    """What two files say together of their origin."""
    for name in ("video_feature_version", "audio_feature_version"):
        mine, theirs = getattr(first, name), getattr(other, name)
        if mine != theirs:
            raise FeatureTableError(
                f"{path} holds {name.replace('_', ' ')} {theirs!r}, but {first_path} {mine!r}; "
                "extract one of them again" + (" with the other's `audio_features`" if "audio" in name else ""),
                path=path,
            )
    return first.joined(other)


def _chunks(path: str, file: pq.ParquetFile) -> Iterator[Chunk]:
    """Row groups in order, joined until they are worth a visit; all together where they are not sorted by title."""
    about = file.metadata
    size_bytes = _size_of(_version(path))
    spans = [_span(file, i) for i in range(about.num_row_groups) if about.row_group(i).num_rows]
    groups = [i for i in range(about.num_row_groups) if about.row_group(i).num_rows]
    rows = [about.row_group(i).num_rows for i in groups]
    if any(spans[i][0] < spans[i - 1][1] for i in range(1, len(spans))):
        first, last = min(low for low, _ in spans), max(high for _, high in spans)
        yield Chunk(
            path=path,
            row_groups=tuple(groups),
            after_title=None,
            last_title=last,
            first_title=first,
            first_row=0,
            num_rows=about.num_rows,
            size_bytes=size_bytes,
        )
        return
    start, after = 0, None
    while start < len(groups):
        if after is not None and spans[start][1] <= after:  # it ends a title that was begun before
            start += 1
            continue
        stop, held = start + 1, rows[start]
        while stop < len(groups) and held + rows[stop] <= CHUNK_ROWS:
            held, stop = held + rows[stop], stop + 1
        last = spans[stop - 1][1]
        through = stop  # the last title may go on in the next groups
        while through < len(groups) and spans[through][0] == last:
            through += 1
        yield Chunk(
            path=path,
            row_groups=tuple(groups[start:through]),
            after_title=after,
            last_title=last,
            first_title=spans[start][0],
            first_row=sum(rows[:start]),
            num_rows=sum(rows[start:through]),
            size_bytes=size_bytes,
        )
        start, after = stop, last


def _refuse_repeated_titles(chunks: Sequence[Chunk]) -> None:
    """A title lies in one file. Only files that share a stretch of the alphabet can break that: those are read."""
    spans: dict[str, tuple[str, str]] = {}
    for chunk in chunks:
        low, high = spans.get(chunk.path, (chunk.first_title, chunk.last_title))
        spans[chunk.path] = min(low, chunk.first_title), max(high, chunk.last_title)
    shared: list[str] = []
    furthest: tuple[str, str] | None = None  # the largest title so far, and its file
    for path, (low, high) in sorted(spans.items(), key=lambda item: (item[1], item[0])):
        if furthest is not None and low <= furthest[0]:
            shared += [furthest[1], path]
        if furthest is None or high > furthest[0]:
            furthest = high, path
    home: dict[str, str] = {}
    for path in dict.fromkeys(shared):
        with open_table(path) as file:
            titles = _compute().unique(file.read(columns=["title"])["title"]).to_pylist()
        for title in titles:
            if title in home:
                raise FeatureTableError(
                    f"title {title!r} lies in both {home[title]} and {path}; remove it from one of them", path=path
                )
            home[title] = path


def _span(file: pq.ParquetFile, group: int) -> tuple[str, str]:
    """First and last title of a row group."""
    about = file.metadata.row_group(group)
    place = next(i for i in range(about.num_columns) if about.column(i).path_in_schema == "title")
    known = about.column(place).statistics
    if known is not None and known.has_min_max and max(len(known.min), len(known.max)) < _TRUSTED_LENGTH:
        return known.min, known.max
    found = _compute().min_max(file.read_row_group(group, columns=["title"])["title"])
    return found["min"].as_py() or "", found["max"].as_py() or ""


@functools.lru_cache(maxsize=1)
def _read_group(path: str, group: int, columns: tuple[str, ...], version: object) -> pa.Table:
    """One row group. The last one stays: a title that goes on into the next chunk does not cost a second reading."""
    with open_table(path) as file:
        present = [name for name in columns if name in file.schema_arrow.names]  # an optional one may not be there
        return file.read_row_group(group, columns=present, use_threads=False)


def _size_of(version: tuple[int | str, ...] | None) -> int:
    """Size of a file, bytes, which is the same on every machine that sees it; -1 where it is not known."""
    return -1 if version is None else int(version[0])


def _version(path: str) -> tuple[int | str, ...] | None:
    """What changes when a file is replaced under its name; its size, bytes, first."""
    place = parse_location(path)
    try:
        if is_remote(place):
            return fingerprint(place)
        about = place.stat()
    except OSError:
        return None  # opening it says why
    return about.st_size, about.st_ino, about.st_mtime_ns


def _compute() -> Any:
    """PyArrow's functions, whose import takes longer than reading a table: one table needs none of them."""
    import pyarrow.compute

    return pyarrow.compute


def _read(chunk: Chunk, columns: Sequence[str] = tuple(COLUMNS)) -> pa.Table:
    version = _version(chunk.path)
    if chunk.size_bytes not in (-1, _size_of(version)):
        raise FeatureTableError(f"{chunk.path} changed while it was read; run again", path=chunk.path)
    parts = [_read_group(chunk.path, group, tuple(columns), version) for group in chunk.row_groups]
    pc = _compute()
    if chunk.after_title is not None and pc.min(parts[0]["title"]).as_py() <= chunk.after_title:
        parts[0] = parts[0].filter(pc.greater(parts[0]["title"], chunk.after_title))
    if pc.max(parts[-1]["title"]).as_py() > chunk.last_title:
        parts[-1] = parts[-1].filter(pc.less_equal(parts[-1]["title"], chunk.last_title))
    return pa.concat_tables(parts)


def read_narrow(chunk: Chunk, columns: Sequence[str]) -> Columns:
    """Some columns of the rows of a chunk, unchecked; `title` must be one of them."""
    return columns_of_arrow(_read(chunk, columns))


def read_metadata(chunk: Chunk) -> TableMetadata:
    """What the file of a chunk says of its origin."""
    with open_table(chunk.path) as file:
        return check_schema(file.schema_arrow, chunk.path)


def read_table(chunk: Chunk, *, half_seconds: bool = False) -> FeatureTable:
    """The checked rows of a chunk as a table.

    Args:
        chunk: which rows.
        half_seconds: read `half_second_kbit` too, where the file has it: most of the numbers of a long scene's video
            rows, which only limits on peaks need.

    Raises:
        FeatureTableError: a row breaks the schema; the message names file, column and row.
    """
    metadata = read_metadata(chunk)
    columns = [name for name in COLUMNS if half_seconds or name != "half_second_kbit"]
    table, version = _read(chunk, columns), metadata.audio_feature_version
    return FeatureTable.checked(read_checked(table, chunk.path, version, first_row=chunk.first_row), metadata)
