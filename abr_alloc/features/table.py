"""The feature table: one row per rendition per scene, and the one door to Parquet.

`FeatureTable` is a pandas frame with the columns of `COLUMNS` plus what is known about their origin. Nothing gets in
unchecked: columns, types, ranges, NaN, duplicates and missing kinds are refused by column and row. The columns are
described in docs/formats.md.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from abr_alloc.errors import FeatureTableError, OutputError
from abr_alloc.features.schema import (
    AUDIO_DIM,
    AUDIO_FEATURES,
    VIDEO_FEATURES,
    check_frame,
    columns_of,
    feature_columns,
    range_of,
    stack_audio,
)
from abr_alloc.location import is_remote, open_binary, parse_location, write_bytes

__all__ = [
    "AUDIO_DIM",
    "AUDIO_FEATURES",
    "COLUMNS",
    "SCHEMA_VERSION",
    "VIDEO_FEATURES",
    "FeatureTable",
    "TableMetadata",
    "check_schema",
    "columns_of",
    "feature_columns",
    "file_schema",
    "frame_of",
    "is_feature_table",
    "join_tables",
    "open_table",
    "range_of",
    "read_features",
    "replace_file",
    "stack_audio",
    "write_features",
    "write_frame",
]

SCHEMA_VERSION = 1
WRITER_OPTIONS: Mapping[str, Any] = {"compression": "zstd", "compression_level": 9, "write_page_checksum": True}
"""How every Parquet file of the program is written."""
COLUMNS: dict[str, pa.DataType] = {
    "title": pa.string(),
    "scene": pa.int32(),
    "start_s": pa.float64(),
    "end_s": pa.float64(),
    "kind": pa.string(),
    "codec": pa.string(),
    "width_px": pa.int32(),
    "height_px": pa.int32(),
    "fps": pa.float64(),
    "channels": pa.int32(),
    "target": pa.string(),
    "bitrate_kbps": pa.float64(),
    **dict.fromkeys(VIDEO_FEATURES, pa.float64()),
    "frame_diff": pa.float64(),
    "vmaf": pa.float64(),
    "visqol_mos": pa.float64(),
    "audio_mos": pa.float64(),
    "audio_features": pa.list_(pa.float32(), AUDIO_DIM),
}
"""Every column with its type, in order."""

logger = logging.getLogger(__name__)

_METADATA_KEY = b"abr_alloc"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMetadata:
    """Where a table's numbers come from."""

    schema_version: int = SCHEMA_VERSION
    """Version of the columns."""
    video_feature_version: str = ""
    """Which video features (VMAF model and pooling)."""
    audio_feature_version: str = ""
    """Which audio features (ViSQOL and views)."""
    libvmaf_version: str = ""
    """libvmaf's own version word."""
    visqol_version: str = ""
    """Version of visqol-python."""
    ffmpeg_version: str = ""
    """ffmpeg's own version word."""
    grid: str = ""
    """Name of the probing grid."""
    grid_hash: str = ""
    """SHA-256 of the grid's text."""
    source_hashes: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of each title's source file."""
    credits: Mapping[str, str] = field(default_factory=dict)
    """Attribution of each title, where its licence asks for one."""


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """A checked feature table."""

    frame: pd.DataFrame
    """Rows as in `COLUMNS`, sorted by title, scene and kind."""
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

    def video_matrix(self) -> npt.NDArray[np.float32]:
        """X_v of the video rows, shape (n_v, 6)."""
        return self.of_kind("video")[list(VIDEO_FEATURES)].to_numpy(dtype=np.float32)

    def audio_matrix(self) -> npt.NDArray[np.float32]:
        """X_a of the audio rows, shape (n_a, 512)."""
        return stack_audio(self.of_kind("audio"))

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


def read_features(path: str | os.PathLike[str]) -> FeatureTable:
    """Read and check a feature table.

    Raises:
        FeatureTableError: not a Parquet file, or it breaks the schema; the message names the column and the row.
    """
    with open_table(path) as file:
        metadata = check_schema(file.schema_arrow, path)
        table = file.read(columns=list(COLUMNS))
    frame = frame_of(table, path)
    found = FeatureTable.checked(frame, metadata)
    if logger.isEnabledFor(logging.INFO):
        num_scenes = len(frame[["title", "scene"]].drop_duplicates())
        logger.info("read %s: %d titles, %d scenes, %d rows", path, frame["title"].nunique(), num_scenes, len(frame))
    return found


def join_tables(tables: Sequence[FeatureTable], metadata: TableMetadata) -> FeatureTable:
    """Checked tables of different titles as one, sorted by title."""
    if len(tables) == 1:
        return tables[0]
    frame = pd.concat([table.frame for table in tables], ignore_index=True)
    frame = frame.sort_values(["title", "scene", "kind"], kind="stable", ignore_index=True)
    return FeatureTable.checked(frame, metadata)


@contextlib.contextmanager
def open_table(path: str | os.PathLike[str]) -> Iterator[pq.ParquetFile]:
    """A Parquet file, whose pages are checked as they are read; what its bytes do not allow is told with its name.

    Raises:
        FeatureTableError: there is none, or it cannot be read.
    """
    place = parse_location(path)
    try:
        with open_binary(place) if is_remote(place) else pa.OSFile(os.fspath(place)) as source:
            yield pq.ParquetFile(source, page_checksum_verification=True)
    except FileNotFoundError:
        raise FeatureTableError(f"{path} does not exist; make it with `abr-alloc extract`", path=str(path)) from None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise FeatureTableError(
            f"{path} is not a readable Parquet file ({reason}); make it with `abr-alloc extract`", path=str(path)
        ) from error


def check_schema(schema: pa.Schema, path: str | os.PathLike[str]) -> TableMetadata:
    """What a file says of its origin, once its columns are those of a feature table.

    Raises:
        FeatureTableError: they are not, or it says nothing; the message names the file and the column.
    """
    try:
        metadata = _read_metadata(schema.metadata or {})
        _check_columns(schema)
    except FeatureTableError as error:
        raise FeatureTableError(f"{path}: {error}", path=str(path), column=error.column) from None
    return metadata


def frame_of(table: pa.Table, path: str | os.PathLike[str], *, first_row: int = 0) -> pd.DataFrame:
    """Checked rows as a frame, sorted by title, scene and kind.

    Args:
        table: columns as in `COLUMNS`, in any order of rows.
        path: the file, for messages.
        first_row: rows of the file before these, for messages.

    Raises:
        FeatureTableError: a row breaks the schema; the message names file, column and row.
    """
    frame = table.select(list(COLUMNS)).to_pandas(types_mapper=_PANDAS_TYPES.get)
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
    if not path.is_file():
        raise FeatureTableError(f"{path} does not exist", path=str(path))
    try:
        with open_binary(path) as source:
            return _METADATA_KEY in (pq.read_schema(source).metadata or {})
    except (OSError, pa.ArrowException):
        return False


# Nullable integers stay integers; strings stay Python objects, which compare fastest at this size.
_PANDAS_TYPES = {pa.int32(): pd.Int32Dtype()}


def _check_columns(schema: pa.Schema) -> None:
    twice = [name for name in COLUMNS if schema.names.count(name) > 1]
    if twice:
        raise FeatureTableError(f"column {twice[0]} is there twice; extract the table again", column=twice[0])
    missing = [name for name in COLUMNS if name not in schema.names]
    if missing:
        raise FeatureTableError(f"column {missing[0]} is missing; extract the table again", column=missing[0])
    extra = [name for name in schema.names if name not in COLUMNS]
    if extra:
        raise FeatureTableError(f"column {extra[0]} is not part of the schema; drop it", column=extra[0])
    for name, expected in COLUMNS.items():
        if schema.field(name).type != expected:
            raise FeatureTableError(
                f"column {name} has type {schema.field(name).type}, not {expected}; extract the table again",
                column=name,
            )


def _read_metadata(raw: Mapping[bytes, bytes]) -> TableMetadata:
    try:
        found = json.loads(raw[_METADATA_KEY])
        known = {item.name for item in fields(TableMetadata)}
        metadata = TableMetadata(**{key: value for key, value in found.items() if key in known})
    except (KeyError, ValueError, TypeError, AttributeError):
        raise FeatureTableError("the file carries no abr_alloc metadata; make it with `abr-alloc extract`") from None
    if metadata.schema_version != SCHEMA_VERSION:
        raise FeatureTableError(
            f"the table has schema version {metadata.schema_version}, this program reads {SCHEMA_VERSION}; "
            "extract it again"
        )
    return metadata


def write_features(table: FeatureTable, path: str | os.PathLike[str]) -> None:
    """Write a table to Parquet: whole, or not at all.

    Raises:
        OutputError: the place cannot be written to.
    """
    arrays = [
        pa.array([None if v is None else v for v in table.frame[name]], type=kind)
        if name == "audio_features"
        else pa.Array.from_pandas(table.frame[name], type=kind)
        for name, kind in COLUMNS.items()
    ]
    arrow = pa.table(arrays, schema=file_schema(table.metadata))
    _write_parquet(arrow, parse_location(path), _whole_titles(table.frame["title"].to_numpy()))


def file_schema(metadata: TableMetadata) -> pa.Schema:
    """Columns and origin as a file holds them."""
    text = json.dumps(asdict(metadata), sort_keys=True)
    return pa.schema(list(COLUMNS.items()), metadata={_METADATA_KEY: text.encode()})


def write_frame(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write any other table to Parquet, with the types that its columns have: whole, or not at all.

    Raises:
        OutputError: the place cannot be written to.
    """
    _write_parquet(pa.Table.from_pandas(frame, preserve_index=False), parse_location(path), [len(frame)])


ROW_GROUP_ROWS = 4096
"""Rows of a row group of a feature table, at least: what is read at once, 8 MiB of audio vectors at most."""


def _whole_titles(titles: npt.NDArray[np.object_]) -> list[int]:
    """Sizes of row groups that hold whole titles, each of at least `ROW_GROUP_ROWS` but the last."""
    ends = [*np.flatnonzero(titles[1:] != titles[:-1]) + 1, len(titles)]
    sizes, start = [], 0
    for end in ends:
        if end - start >= ROW_GROUP_ROWS or end == len(titles):
            sizes.append(int(end) - start)
            start = int(end)
    return sizes


def _write_parquet(table: pa.Table, path: Path, row_groups: Sequence[int]) -> None:
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, **WRITER_OPTIONS) as writer:
        start = 0
        for size in row_groups:
            writer.write_table(table.slice(start, size), row_group_size=max(size, 1))
            start += size
    replace_file(path, sink.getvalue().to_pybytes())


def replace_file(path: Path, content: bytes, *, log_level: int = logging.INFO) -> None:
    """Write a file, here or remote: whole, or not at all.

    Raises:
        OutputError: the place cannot be written to.
    """
    try:
        write_bytes(path, content)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}; choose another place with -o") from error
    logger.log(log_level, "wrote %s (%d bytes)", path, len(content))
