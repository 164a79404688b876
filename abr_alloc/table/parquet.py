"""Feature tables as Parquet files: columns and their types, where the numbers come from, opening and writing.

What rows may hold is `schema.py`'s matter; this module looks at what a file says of itself.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import IO, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from abr_alloc.documents import DamagedDocument, json_text, number_of, parse_json, shown, text_of
from abr_alloc.encoder_settings import encoders_of
from abr_alloc.errors import FeatureTableError
from abr_alloc.location import is_remote, open_binary, parse_location
from abr_alloc.table.schema import AUDIO_DIM, OPTIONAL, SCHEMA, SCHEMA_VERSION

__all__ = [
    "COLUMNS",
    "METADATA_KEY",
    "ROW_GROUP_ROWS",
    "SCHEMA_VERSION",
    "WRITER_OPTIONS",
    "TableMetadata",
    "check_schema",
    "columns_in",
    "file_schema",
    "open_table",
    "parquet_bytes",
]

WRITER_OPTIONS: Mapping[str, Any] = {"compression": "zstd", "compression_level": 9, "write_page_checksum": True}
"""How every Parquet file of the program is written."""
_ARROW_TYPES = {
    "string": pa.string(),
    "int32": pa.int32(),
    "double": pa.float64(),
    "vector": pa.list_(pa.float32(), AUDIO_DIM),
    "list": pa.list_(pa.float32()),
}
COLUMNS: dict[str, pa.DataType] = {column.name: _ARROW_TYPES[column.type] for column in SCHEMA}
"""Every column with its type, in order; those of `schema.OPTIONAL` need not be there."""

ROW_GROUP_ROWS = 4096
"""Rows of a row group of a feature table, at least: what is read at once, 8 MiB of audio vectors at most."""


METADATA_KEY = b"abr_alloc"
_MOST_SECONDS = 1e9


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
    """The version of visqol-python whose numbers the audio features are."""
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
    probes: str = "all"
    """Which video renditions of the grid were measured: `all`, or `auto` where they were chosen."""
    within_mos: Mapping[str, float] = field(default_factory=dict)
    """Of each title with estimated renditions: what 95 % of the predictions of AVQ lie within of those that measuring
    the whole grid gives, MOS."""
    weights_s: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Of each title that was measured as a digest: seconds of the title that each scene (as text) stands for."""
    renditions: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    """Of each title with renditions that existed: by label, what each was found to be, under `video` or `audio`."""
    encoders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of the encoders by the names that targets have for them (`encoder_settings`); a codec's usual one by the
    codec's name. Tables of before this was written say nothing."""
    loudness: Mapping[str, Mapping[str, Mapping[str, float | None]]] = field(default_factory=dict)
    """Of each title whose audio tracks were measured: by track, as text, `lufs` and `true_peak_db` (EBU R 128)."""

    tone_maps: Mapping[str, str] = field(default_factory=dict)
    """Of each title in HDR whose renditions are SDR: how it was mapped."""

    def joined(self, other: Self) -> Self:
        """What two tables say together; where their words differ, nothing.

        Raises:
            FeatureTableError: one name means two encoders.
        """
        for name in sorted(self.encoders.keys() & other.encoders.keys()):
            mine, theirs = self.encoders[name], other.encoders[name]
            if mine != theirs:
                raise FeatureTableError(
                    f"two tables mean different encoders by {name!r} ({_unlike(mine, theirs)}); rename one in its grid "
                    "and extract it again"
                )
        words = ("libvmaf_version", "visqol_version", "ffmpeg_version", "grid", "grid_hash")
        unlike: dict[str, Any] = {name: "" for name in words if getattr(self, name) != getattr(other, name)}
        return replace(
            self,
            **unlike,
            probes="auto" if "auto" in (self.probes, other.probes) else "all",
            source_hashes={**self.source_hashes, **other.source_hashes},
            credits={**self.credits, **other.credits},
            within_mos={**self.within_mos, **other.within_mos},
            weights_s={**self.weights_s, **other.weights_s},
            renditions={
                title: {**self.renditions.get(title, {}), **other.renditions.get(title, {})}
                for title in {**self.renditions, **other.renditions}
            },
            encoders={**self.encoders, **other.encoders},
            loudness={**self.loudness, **other.loudness},
            tone_maps={**self.tone_maps, **other.tone_maps},
        )


def _unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The first setting in which two encoders differ."""
    key = next(key for key in sorted({*one, *other}) if one.get(key) != other.get(key))
    return f"{key} {shown(one.get(key))} and {shown(other.get(key))}"


@contextlib.contextmanager
def open_table(path: str | os.PathLike[str]) -> Iterator[pq.ParquetFile]:
    """A Parquet file, whose pages are checked as they are read; what its bytes do not allow is told with its name.

    Raises:
        FeatureTableError: there is none, or it cannot be read.
    """
    place = parse_location(path)
    try:
        with open_binary(place) if is_remote(place) or not place.is_file() else _opened(place) as source:
            yield pq.ParquetFile(source, page_checksum_verification=True)
    except FileNotFoundError:
        raise FeatureTableError(f"{path} does not exist; make it with `abr-alloc extract`", path=str(path)) from None
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, MemoryError) or "worker thread" in str(error):  # the file is not to blame
            raise MemoryError(str(error)) from error
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        if is_remote(place) and not isinstance(error, pa.ArrowException):
            raise FeatureTableError(
                f"{path} cannot be read ({reason}); run again when its store answers", path=str(path)
            ) from error
        raise FeatureTableError(
            f"{path} is not a readable Parquet file ({reason}); make it with `abr-alloc extract`", path=str(path)
        ) from error


def _opened(path: Path) -> pa.OSFile | IO[bytes]:
    """A file of this machine; PyArrow's own way is quicker, and takes UTF-8 names alone."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return path.open("rb")
    return pa.OSFile(os.fspath(path))


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


def columns_in(names: Collection[str]) -> list[str]:
    """Those of `COLUMNS` that are there, in order."""
    return [name for name in COLUMNS if name in names]


def _check_columns(schema: pa.Schema) -> None:
    twice = [name for name in COLUMNS if schema.names.count(name) > 1]
    if twice:
        raise FeatureTableError(f"column {twice[0]} is there twice; extract the table again", column=twice[0])
    missing = [name for name in COLUMNS if name not in schema.names and name not in OPTIONAL]
    if missing:
        raise FeatureTableError(f"column {missing[0]} is missing; extract the table again", column=missing[0])
    extra = [name for name in schema.names if name not in COLUMNS]
    if extra:
        raise FeatureTableError(f"column {extra[0]} is not part of the schema; drop it", column=extra[0])
    for name in columns_in(schema.names):
        if schema.field(name).type != COLUMNS[name]:
            raise FeatureTableError(
                f"column {name} has type {schema.field(name).type}, not {COLUMNS[name]}; extract the table again",
                column=name,
            )


def _read_metadata(raw: Mapping[bytes, bytes]) -> TableMetadata:
    try:
        found = parse_json(raw[METADATA_KEY])
    except DamagedDocument as error:
        raise FeatureTableError(f"the abr_alloc metadata is damaged ({error}); extract the table again") from None
    except (KeyError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise FeatureTableError("the file carries no abr_alloc metadata; make it with `abr-alloc extract`")
    version = found.get("schema_version", SCHEMA_VERSION)
    if type(version) is not int or version != SCHEMA_VERSION:
        raise FeatureTableError(
            f"the table has schema version {shown(version)}, this program reads {SCHEMA_VERSION}; extract it again"
        )
    try:
        for item in fields(TableMetadata):
            if item.name in found:
                _check_field(found, item.name)
    except ValueError as error:
        raise FeatureTableError(f"the abr_alloc metadata is damaged: {error}; extract the table again") from None
    return TableMetadata(**{item.name: found[item.name] for item in fields(TableMetadata) if item.name in found})


def _check_field(found: Mapping[str, Any], name: str) -> None:
    """Refuse a field of the metadata that is not what `TableMetadata` says."""
    value = found[name]
    if name == "weights_s":
        for title, weights in _texts_to(found, name).items():
            for scene in _texts_to({title: weights}, title):
                if not scene.isdecimal():
                    raise ValueError(f"title {title!r} has a scene {shown(scene)}, which is no number")
                number_of({f"the weight of title {title!r} scene {scene}": weights[scene]},
                          f"the weight of title {title!r} scene {scene}", 0.0, _MOST_SECONDS, above=0.0)  # fmt: skip
    elif name == "within_mos":
        for title, number in _texts_to(found, name).items():
            number_of({f"the error bound of {title!r}": number}, f"the error bound of {title!r}", 0.0, 4.0)
    elif name == "renditions":
        for title, labels in _texts_to(found, name).items():
            for label in _texts_to({title: labels}, title):
                _texts_to(labels, label)
    elif name == "loudness":
        for title, tracks in _texts_to(found, name).items():
            for track, values in _texts_to({title: tracks}, title).items():
                for key, number in _texts_to({track: values}, track).items():
                    if number is not None:
                        number_of({f"{key} of {title!r}, track {track}": number},
                                  f"{key} of {title!r}, track {track}", -200.0, 200.0)  # fmt: skip
    elif name == "encoders":
        encoders_of(value)
    elif name in ("source_hashes", "credits", "tone_maps"):
        for title in _texts_to(found, name):
            text_of(value, title)
    elif name != "schema_version":
        text_of(found, name)


def _texts_to(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = found[name]
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {shown(value)}, not an object")
    return value


def file_schema(metadata: TableMetadata, names: Collection[str]) -> pa.Schema:
    """Columns, those of `COLUMNS` that are named, and origin as a file holds them.

    Raises:
        FeatureTableError: the origin holds a number that is not finite.
    """
    about = asdict(metadata)
    if not metadata.loudness:  # as tables of before it was measured
        del about["loudness"]
    if not metadata.tone_maps:  # likewise
        del about["tone_maps"]
    if not metadata.within_mos:  # where nothing is estimated
        del about["within_mos"]
    try:
        text = json_text(about, indent=None, sort_keys=True)
    except ValueError as error:
        raise FeatureTableError(f"the table's metadata cannot be written: {error}") from error
    return pa.schema([(name, COLUMNS[name]) for name in columns_in(names)], metadata={METADATA_KEY: text.encode()})


def parquet_bytes(table: pa.Table, row_groups: Sequence[int]) -> bytes:
    """A file with row groups of so many rows."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, **WRITER_OPTIONS) as writer:
        start = 0
        for size in row_groups:
            writer.write_table(table.slice(start, size), row_group_size=max(size, 1))
            start += size
    return bytes(sink.getvalue().to_pybytes())
