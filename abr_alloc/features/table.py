"""The feature table: one row per rendition per scene, and the one door to Parquet.

`FeatureTable` is a pandas frame with the columns of `COLUMNS` plus what is known about their origin. Nothing gets in
unchecked: columns, types, ranges, NaN, duplicates and missing kinds are refused by column and row. The columns are
described in docs/formats.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from abr_alloc.errors import FeatureTableError, OutputError

__all__ = [
    "AUDIO_DIM",
    "COLUMNS",
    "SCHEMA_VERSION",
    "VIDEO_FEATURES",
    "FeatureTable",
    "TableMetadata",
    "read_features",
    "replace_file",
    "write_features",
]

SCHEMA_VERSION = 1
AUDIO_DIM = 512
VIDEO_FEATURES = ("vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2", "adm2")
"""The video vector X_v, in order."""

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

_BOTH = ("title", "scene", "start_s", "end_s", "kind", "codec", "target", "bitrate_kbps")
_ONLY = {
    "video": ("width_px", "height_px", "fps", *VIDEO_FEATURES, "frame_diff", "vmaf"),
    "audio": ("channels", "visqol_mos", "audio_mos", "audio_features"),
}
_CODECS = {"video": ("h264", "hevc", "av1"), "audio": ("aac", "heaac", "heaacv2", "opus", "ac3", "eac3")}
_TINY = 1e-6
# Closed ranges. VIF and ADM may pass 1 a little on near-identical frames.
_RANGES: dict[str, tuple[float, float]] = {
    "scene": (0, np.inf),
    "start_s": (0, np.inf),
    "end_s": (_TINY, np.inf),
    "bitrate_kbps": (_TINY, 1e7),
    "width_px": (2, 65536),
    "height_px": (2, 65536),
    "fps": (_TINY, 1000),
    "channels": (1, 64),
    **dict.fromkeys(VIDEO_FEATURES[:4], (-0.01, 2.0)),
    "motion2": (0, 1000),
    "adm2": (-0.01, 2.0),
    "frame_diff": (0, 255),
    "vmaf": (0, 100),
    "visqol_mos": (1, 5),
    "audio_mos": (1, 5),
}
_KEY = ("title", "scene", "kind", "codec", "width_px", "height_px", "target")
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
        _check(self.frame)

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


def stack_audio(rows: pd.DataFrame) -> npt.NDArray[np.float32]:
    """The audio vectors of some rows, shape (n, 512)."""
    if rows.empty:
        return np.empty((0, AUDIO_DIM), dtype=np.float32)
    return np.stack(rows["audio_features"].to_list()).astype(np.float32, copy=False)


def _refuse(frame: pd.DataFrame, bad: npt.NDArray[np.bool_], column: str, what: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise FeatureTableError(
            f"row {row} (title {frame['title'].iloc[row]!r}), column {column}: {what}; extract the table again",
            column=column,
            row=row,
        )


def _check(frame: pd.DataFrame) -> None:
    """Refuse a frame that breaks the schema.

    Raises:
        FeatureTableError: names the column and the row.
    """
    if frame.empty:
        raise FeatureTableError("the feature table has no rows; extract at least one source")
    for column in ("title", "kind", "codec", "target"):
        values = frame[column]
        _refuse(frame, values.isna().to_numpy() | (values == "").to_numpy(dtype=bool), column, "is empty")
    kind = frame["kind"].to_numpy()
    _refuse(frame, ~np.isin(kind, ("video", "audio")), "kind", "is neither video nor audio")
    for name, codecs in _CODECS.items():
        strange = (kind == name) & ~np.isin(frame["codec"].to_numpy(), codecs)
        _refuse(frame, strange, "codec", f"is no {name} codec out of {', '.join(codecs)}")
    for column, (low, high) in _RANGES.items():
        mask = _expected(kind, column)
        values = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
        _refuse(frame, mask & ~np.isfinite(values), column, "is missing, NaN or infinite")
        _refuse(frame, mask & ((values < low) | (values > high)), column, f"is outside {low:g}..{high:g}")
        _refuse(frame, ~mask & np.isfinite(values), column, "must be null for this kind of row")
    _refuse(frame, (frame["end_s"] <= frame["start_s"]).to_numpy(), "end_s", "is not after start_s")
    vectors = frame["audio_features"]
    lengths = np.array([-1 if v is None else len(v) for v in vectors])
    _refuse(frame, (kind == "audio") & (lengths != AUDIO_DIM), "audio_features", f"does not hold {AUDIO_DIM} numbers")
    _refuse(frame, (kind == "video") & (lengths != -1), "audio_features", "must be null for this kind of row")
    finite = np.ones(len(frame), dtype=bool)
    if (kind == "audio").any():
        finite[kind == "audio"] = np.isfinite(stack_audio(frame[kind == "audio"])).all(axis=1)
    _refuse(frame, ~finite, "audio_features", "holds NaN or infinite numbers")
    _refuse(frame, frame.duplicated(list(_KEY)).to_numpy(), "target", "repeats an earlier row")
    spans = frame.groupby(["title", "scene"], sort=False)[["start_s", "end_s"]].nunique()
    if (spans > 1).to_numpy().any():
        title, scene = spans.index[(spans > 1).any(axis=1).to_numpy()][0]
        raise FeatureTableError(f"title {title!r} scene {scene} has rows with different times", column="start_s")


def _expected(kind: npt.NDArray[np.object_], column: str) -> npt.NDArray[np.bool_]:
    """Rows in which a column must have a value."""
    if column in _BOTH:
        return np.ones(len(kind), dtype=bool)
    return np.asarray(kind == ("video" if column in _ONLY["video"] else "audio"), dtype=bool)


def read_features(path: str | os.PathLike[str]) -> FeatureTable:
    """Read and check a feature table.

    Raises:
        FeatureTableError: not a Parquet file, or it breaks the schema; the message names the column and the row.
    """
    try:
        with pa.OSFile(os.fspath(path)) as source:
            table = pq.read_table(source, page_checksum_verification=True)
    except FileNotFoundError:
        raise FeatureTableError(f"{path} does not exist; make it with `abr-alloc extract`", path=str(path)) from None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise FeatureTableError(
            f"{path} is not a readable Parquet file ({reason}); make it with `abr-alloc extract`", path=str(path)
        ) from error
    try:
        metadata = _read_metadata(table.schema.metadata or {})
        _check_columns(table.schema)
        frame = table.select(list(COLUMNS)).to_pandas(types_mapper=_PANDAS_TYPES.get)
        frame = frame.sort_values(["title", "scene", "kind"], kind="stable", ignore_index=True)
        return FeatureTable(frame, metadata)
    except FeatureTableError as error:
        raise FeatureTableError(f"{path}: {error}", path=str(path), column=error.column, row=error.row) from None


# Nullable integers stay integers; strings stay Python objects, which compare fastest at this size.
_PANDAS_TYPES = {pa.int32(): pd.Int32Dtype()}


def _check_columns(schema: pa.Schema) -> None:
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
    text = json.dumps(asdict(table.metadata), sort_keys=True)
    arrow = pa.table(arrays, schema=pa.schema(list(COLUMNS.items()), metadata={_METADATA_KEY: text.encode()}))
    sink = pa.BufferOutputStream()
    pq.write_table(arrow, sink, compression="zstd", compression_level=9, write_page_checksum=True)
    replace_file(Path(path), sink.getvalue().to_pybytes())


def replace_file(path: Path, content: bytes) -> None:
    """Write a file under a temporary name beside its own and rename it.

    Raises:
        OutputError: the place cannot be written to.
    """
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True) if partial.parent.is_dir() else None
        raise OutputError(f"{path} cannot be written: {error.strerror}; choose another place with -o") from error
