"""The feature table: one row per rendition per scene.

`FeatureTable` is a pandas frame with the columns of `COLUMNS` plus what is known about their origin. Nothing gets in
unchecked: columns, types, ranges, NaN, duplicates and missing kinds are refused by column and row. The columns are
described in docs/formats.md.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from abr_alloc.errors import FeatureTableError
from abr_alloc.location import open_binary, parse_location
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
from abr_alloc.table.schema import (
    AUDIO_DIM,
    AUDIO_FEATURES,
    MEASURED,
    NULLABLE,
    OPTIONAL,
    VIDEO_FEATURES,
    WHOLE_NUMBERS,
    check_frame,
    columns_of,
    feature_columns,
    range_of,
    stack_audio,
)
from abr_alloc.writing import replace_file

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
    "frame_of",
    "is_feature_table",
    "join_tables",
    "range_of",
    "read_features",
    "stack_audio",
    "write_features",
    "write_frame",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class FeatureTable:
    """A checked feature table."""

    frame: pd.DataFrame
    """Rows as in `COLUMNS` (with or without those of `OPTIONAL`), sorted by title, scene and kind."""
    metadata: TableMetadata
    """Their origin."""

    def __post_init__(self) -> None:
        check_frame(self.frame)

    @classmethod
    def checked(cls, frame: pd.DataFrame, metadata: TableMetadata) -> Self:
        """A table of rows that `frame_of` has looked at, or some of them: they are not looked at again."""
        table = object.__new__(cls)
        object.__setattr__(table, "frame", frame)
        object.__setattr__(table, "metadata", metadata)
        return table

    def of_kind(self, kind: str) -> pd.DataFrame:
        """Rows of one kind, `video` or `audio`."""
        return self.frame[self.frame["kind"] == kind]

    def measured(self) -> Self:
        """The rows that were measured: without those that are estimated (`extract --probes auto`)."""
        if "estimated" not in self.frame:
            return self
        is_measured = (self.frame["estimated"].fillna(0) == 0).to_numpy(dtype=bool)
        return self.checked(self.frame[is_measured].drop(columns="estimated").reset_index(drop=True), self.metadata)

    def require_pairs(self) -> None:
        """Refuse a table in which some scene has only one kind of row.

        Raises:
            FeatureTableError: names the title, the scene and the missing kind.
        """
        counts = self.frame.groupby(["title", "scene"], sort=False)["kind"].agg(set)
        for (title, scene), kinds in counts.items():
            for kind in ("video", "audio"):
                if kind not in kinds:
                    raise FeatureTableError(
                        f"title {title!r} scene {scene} has no {kind} rows; extract it again with {kind} renditions",
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
        table = file.read(columns=columns_in(file.schema_arrow.names))
    frame = frame_of(table, path)
    found = FeatureTable.checked(frame, metadata)
    if logger.isEnabledFor(logging.INFO):
        num_scenes = len(frame[["title", "scene"]].drop_duplicates())
        logger.info("read %s: %d titles, %d scenes, %d rows", path, frame["title"].nunique(), num_scenes, len(frame))
    return found


def join_tables(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Checked tables of different titles, with features of one version, as one, sorted by title.

    An optional column stays where all of them have it; a nullable one where any has it.
    """
    if len(tables) == 1:
        return tables[0]
    some = {name for name in NULLABLE if any(name in table.frame for table in tables)}
    frames = [table.frame.assign(**dict.fromkeys(some - {*table.frame})) for table in tables]
    frame = pd.concat(frames, ignore_index=True, join="inner")
    frame = frame[columns_in(frame.columns)]
    frame = frame.sort_values(["title", "scene", "kind"], kind="stable", ignore_index=True)
    return FeatureTable.checked(frame, functools.reduce(TableMetadata.joined, (table.metadata for table in tables)))


def frame_of(table: pa.Table, path: str | os.PathLike[str], *, first_row: int = 0) -> pd.DataFrame:
    """Checked rows as a frame, sorted by title, scene and kind.

    Args:
        table: columns as in `COLUMNS` (with or without those of `OPTIONAL`), in any order of rows.
        path: the file, for messages.
        first_row: rows of the file before these, for messages.

    Raises:
        FeatureTableError: a row breaks the schema; the message names file, column and row.
    """
    frame = table.select(columns_in(table.column_names)).to_pandas(types_mapper=_PANDAS_TYPES.get)
    frame = frame.sort_values(["title", "scene", "kind"], kind="stable", ignore_index=True)
    try:
        check_frame(frame, first_row=first_row)
    except FeatureTableError as error:
        raise FeatureTableError(f"{path}: {error}", path=str(path), column=error.column, row=error.row) from None
    return frame


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


# Nullable integers stay integers; strings stay Python objects, which compare fastest at this size.
_PANDAS_TYPES = {pa.int32(): pd.Int32Dtype()}


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
