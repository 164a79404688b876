"""The feature table: one row per rendition per scene.

`FeatureTable` holds the columns of `COLUMNS` as arrays (`columns.py`) plus what is known about their origin, and is a
pandas frame for whoever asks for one. Nothing gets in unchecked: columns, types, ranges, NaN, duplicates and missing
kinds are refused by column and row. The columns are described in docs/formats.md.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from abr_alloc.errors import FeatureTableError
from abr_alloc.location import open_binary, parse_location
from abr_alloc.table.arrow_columns import columns_of_arrow
from abr_alloc.table.columns import Columns, join_columns
from abr_alloc.table.parquet import (
    COLUMNS,
    METADATA_KEY,
    ROW_GROUP_ROWS,
    SCHEMA_VERSION,
    TableMetadata,
    check_schema,
    columns_in,
    file_schema,
    open_table,
    parquet_bytes,
)
from abr_alloc.table.row_checks import check_rows
from abr_alloc.table.schema import (
    AUDIO_DIM,
    AUDIO_FEATURES,
    MEASURED,
    NULLABLE,
    OPTIONAL,
    VIDEO_FEATURES,
    WHOLE_NUMBERS,
    columns_of,
    feature_columns,
    range_of,
    stack_audio,
    types_of,
)
from abr_alloc.writing import replace_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AUDIO_DIM",
    "AUDIO_FEATURES",
    "COLUMNS",
    "MEASURED",
    "OPTIONAL",
    "SCHEMA_VERSION",
    "VIDEO_FEATURES",
    "WHOLE_NUMBERS",
    "FeatureTable",
    "TableMetadata",
    "columns_of",
    "feature_columns",
    "is_feature_table",
    "join_tables",
    "joined_names",
    "range_of",
    "read_checked",
    "read_features",
    "stack_audio",
    "write_features",
    "write_frame",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, init=False, repr=False, eq=False)
class FeatureTable:
    """A checked feature table."""

    frame: pd.DataFrame
    """Rows as in `COLUMNS` (with or without those of `OPTIONAL`), sorted by title, scene and kind. Where they were read
    from a file it is made when somebody asks for it."""
    metadata: TableMetadata
    """Their origin."""
    columns: Columns = field(init=False)
    """The rows as arrays, which plans are made from."""

    def __init__(self, frame: pd.DataFrame, metadata: TableMetadata) -> None:
        """Check rows, and take them.

        Args:
            frame: the rows.
            metadata: their origin.

        Raises:
            FeatureTableError: a row breaks the schema; the message names column and row.
        """
        self._hold(frame=frame, metadata=metadata)
        check_rows(self.columns, metadata.audio_feature_version)

    def _hold(self, **fields: Any) -> Self:
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        return self

    def __getattr__(self, name: str) -> Any:
        """What a table has not been asked for yet: its rows in their other form."""
        held = self.__dict__
        if name == "columns" and "frame" in held:
            self._hold(columns=Columns.of_frame(held["frame"], types_of(held["frame"].columns)))
        elif name == "frame" and "columns" in held:
            self._hold(frame=held["columns"].to_frame(types_of(held["columns"])))
        else:
            raise AttributeError(name)
        return self.__dict__[name]

    @classmethod
    def checked(cls, rows: pd.DataFrame | Columns, metadata: TableMetadata) -> Self:
        """A table of rows that `read_checked` has looked at, or some of them: they are not looked at again."""
        table = object.__new__(cls)
        return table._hold(**{"columns" if isinstance(rows, Columns) else "frame": rows}, metadata=metadata)

    def of_kind(self, kind: str) -> pd.DataFrame:
        """Rows of one kind, `video` or `audio`."""
        return self.frame[self.frame["kind"] == kind]

    def titles(self) -> list[str]:
        """Its titles, in alphabetical order."""
        return self.columns.words("title").present()

    def of_title(self, title: str) -> Columns:
        """The rows of a title; none where it has no such title."""
        return self.columns.take(self.columns.words("title").isin([title]))

    def measured(self) -> Self:
        """The rows that were measured: without those that are estimated (`extract --probes auto`)."""
        if "estimated" not in self.columns:
            return self
        rows = self.columns.take(self.columns.numbers("estimated") != 1.0)
        return self.checked(Columns({name: rows[name] for name in rows if name != "estimated"}), self.metadata)

    def require_pairs(self) -> None:
        """Refuse a table in which some scene has only one kind of row.

        Raises:
            FeatureTableError: names the title, the scene and the missing kind.
        """
        rows = self.columns
        first = rows.scene_starts()
        has = {kind: np.logical_or.reduceat(rows.is_kind(kind), first) for kind in ("video", "audio") if len(first)}
        bare = [(int(scene), kind) for kind, of_scene in has.items() for scene in np.flatnonzero(~of_scene)[:1]]
        if bare:
            scene, kind = min(bare, key=lambda found: found[0])
            title, number = rows.words("title").values()[first[scene]], int(rows.numbers("scene")[first[scene]])
            raise FeatureTableError(
                f"title {title!r} scene {number} has no {kind} rows; extract it again with {kind} renditions",
                column="kind",
            )

    def to_frame(self) -> pd.DataFrame:
        """One row per rendition and scene."""
        return self.frame

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table to Parquet: whole, or not at all.

        Raises:
            OutputError: the place cannot be written to.
        """
        write_features(self, path)

    def _summary(self) -> pd.DataFrame:
        """Scenes, renditions and seconds of every title."""
        import pandas as pd

        rows = self.frame.groupby("title", sort=False)
        kinds = self.frame.groupby(["title", "kind"], sort=False).size().unstack(fill_value=0)
        counts = {kind: kinds.get(kind, 0) for kind in ("video", "audio")}
        return pd.DataFrame({"scenes": rows["scene"].nunique(), **counts, "seconds": rows["end_s"].max()}).reset_index()

    def __repr__(self) -> str:
        return f"FeatureTable(grid={self.metadata.grid!r})\n{self._summary().to_string(index=False)}"

    def _repr_html_(self) -> str:
        return str(self._summary().to_html(index=False, border=0))


def read_features(path: str | os.PathLike[str]) -> FeatureTable:
    """Read and check a feature table.

    Raises:
        FeatureTableError: not a Parquet file, or it breaks the schema; the message names the column and the row.
    """
    with open_table(path) as file:
        metadata = check_schema(file.schema_arrow, path)
        # Threads gain little at this size, and one that cannot be started ends the process without a word.
        table = file.read(columns=columns_in(file.schema_arrow.names), use_threads=False)
    rows = read_checked(table, path, metadata.audio_feature_version)
    found = FeatureTable.checked(rows, metadata)
    if logger.isEnabledFor(logging.INFO):
        logger.info(
            "read %s: %d titles, %d scenes, %d rows", path, len(found.titles()), len(rows.scene_starts()), len(rows)
        )
    return found


def join_tables(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Checked tables of different titles, with features of one version, as one, sorted by title.

    An optional column stays where all of them have it; a nullable one where any has it.

    Raises:
        FeatureTableError: they hold different audio features, or one name means two encoders.
    """
    if len(tables) == 1:
        return tables[0]
    first, *others = sorted({table.metadata.audio_feature_version for table in tables})
    if others:
        raise FeatureTableError(
            f"the tables hold different audio features, {first!r} and {others[0]!r}, which no table holds together; "
            "extract one of them again with the other's `audio_features`"
        )
    parts = [table.columns for table in tables]
    rows = join_columns(parts, joined_names(parts)).sorted()
    return FeatureTable.checked(rows, functools.reduce(TableMetadata.joined, (table.metadata for table in tables)))


def joined_names(parts: Sequence[Columns]) -> list[str]:
    """Columns of tables that are joined, in order: an optional one that all have, a nullable one that any has."""
    some = {name for name in NULLABLE if any(name in part for part in parts)}
    return columns_in(some | {name for name in parts[0] if all(name in part for part in parts)})


def read_checked(
    table: pa.Table, path: str | os.PathLike[str], audio_feature_version: str, *, first_row: int = 0
) -> Columns:
    """Checked rows as arrays, sorted by title, scene and kind.

    Args:
        table: columns as in `COLUMNS` (with or without those of `OPTIONAL`), in any order of rows.
        path: the file, for messages.
        audio_feature_version: of the table.
        first_row: rows of the file before these, for messages.

    Raises:
        FeatureTableError: a row breaks the schema; the message names file, column and row.
    """
    rows = columns_of_arrow(table.select(columns_in(table.column_names))).sorted()
    try:
        check_rows(rows, audio_feature_version, first_row=first_row)
    except FeatureTableError as error:
        raise FeatureTableError(f"{path}: {error}", path=str(path), column=error.column, row=error.row) from None
    return rows


def is_feature_table(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a feature table rather than any other table: it says so itself.

    Raises:
        FeatureTableError: there is no such file.
    """
    path = parse_location(path)
    try:
        with open_binary(path) as source:
            return METADATA_KEY in (pq.read_schema(source).metadata or {})
    except FileNotFoundError:
        raise FeatureTableError(f"{path} does not exist", path=str(path)) from None
    except (OSError, pa.ArrowException):
        return False


def write_features(table: FeatureTable, path: str | os.PathLike[str]) -> None:
    """Write a table to Parquet: whole, or not at all.

    Raises:
        OutputError: the place cannot be written to.
    """
    schema = file_schema(table.metadata, table.frame.columns)
    arrays = [
        pa.array(table.frame[column.name].astype(object).where(table.frame[column.name].notna(), None), column.type)
        if pa.types.is_nested(column.type)
        else pa.Array.from_pandas(table.frame[column.name], type=column.type)
        for column in schema
    ]
    arrow = pa.table(arrays, schema=schema)
    replace_file(parse_location(path), parquet_bytes(arrow, _whole_titles(table.frame["title"].to_numpy())))


def write_frame(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write any other table to Parquet, with the types that its columns have: whole, or not at all.

    Raises:
        OutputError: the place cannot be written to.
    """
    content = parquet_bytes(pa.Table.from_pandas(frame, preserve_index=False), [len(frame)])
    replace_file(parse_location(path), content)


def _whole_titles(titles: npt.NDArray[np.object_]) -> list[int]:
    """Sizes of row groups that hold whole titles, each of at least `ROW_GROUP_ROWS` but the last."""
    ends = [*np.flatnonzero(titles[1:] != titles[:-1]) + 1, len(titles)]
    sizes, start = [], 0
    for end in ends:
        if end - start >= ROW_GROUP_ROWS or end == len(titles):
            sizes.append(int(end) - start)
            start = int(end)
    return sizes
