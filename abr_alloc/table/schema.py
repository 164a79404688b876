"""What a feature table may hold: its columns, declared once. `row_checks.py` holds rows to it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from abr_alloc.codecs import AUDIO_CODECS, VIDEO_CODECS
from abr_alloc.errors import FeatureTableError
from abr_alloc.table.columns import Columns, Lists

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AUDIO_DIM",
    "AUDIO_FEATURES",
    "CODECS",
    "KEY",
    "MEASURED",
    "NULLABLE",
    "NUMBERS",
    "OPTIONAL",
    "SCHEMA",
    "SCHEMA_VERSION",
    "VIDEO_FEATURES",
    "WHOLE_NUMBERS",
    "Column",
    "columns_of",
    "feature_columns",
    "range_of",
    "stack_audio",
    "types_of",
]

AUDIO_DIM = 512
AUDIO_FEATURES = tuple(f"audio_features_{i:03d}" for i in range(AUDIO_DIM))
"""Names of the 512 audio features, the video vector's counterpart X_a, in order."""

CODECS = {"video": tuple(VIDEO_CODECS), "audio": tuple(AUDIO_CODECS)}
"""Codecs of each kind of row."""

_EVERY = (-math.inf, math.inf)
_TINY = 1e-6  # ranges are closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the feature table. Reading, checking, writing and docs/formats.md follow from what stands here."""

    name: str
    """Its name."""
    type: Literal["string", "int32", "double", "vector", "list"]
    """What its cells hold; a vector is `AUDIO_DIM` numbers, a list a number for every half second of the scene."""
    kinds: tuple[str, ...] = ("video", "audio")
    """Kinds of rows that fill it; a row of another kind holds null."""
    unit: str = ""
    """Unit; empty for text, counts and what has none."""
    range: tuple[float, float] = _EVERY
    """Least and largest number."""
    optional: bool = False
    """Whether a table may be without it; one that is there is filled like any other, unless it is nullable."""
    nullable: bool = False
    """Whether a row of its kinds may hold null: tables with and without it are joined, and keep what there is."""
    measured: bool = True
    """Whether `extract` and `measure` fill it."""
    is_feature: bool = False
    """Whether it is a number of the video vector X_v, which has the order of the columns."""
    since: int = 1
    """Version of the schema in which it came, or came to mean what it does."""
    meaning: str
    """A line for docs/formats.md."""


_VIDEO, _AUDIO = ("video",), ("audio",)
_LIBVMAF = "libvmaf, mean over the scene"
_DYNAMIC_RANGE = "of the rendition: `SDR`, `HLG` or `PQ`; null, or no column, for SDR"
_FPS = "constant frame rate at which it was compared"
_ESTIMATED = (
    "1 where it was estimated from the title's probes (`--probes auto`); 0, null or no column where it was measured"
)

SCHEMA = (
    Column(name="title", type="string", meaning="file stem of the source (its name, where two stems are equal)"),
    Column(name="scene", type="int32", range=(0, math.inf), meaning="index of the scene in its title"),
    Column(name="start_s", type="double", unit="s", range=(0, 1e9), meaning="start of the scene"),
    Column(name="end_s", type="double", unit="s", range=(_TINY, 1e9), meaning="end of the scene, not part of it"),
    Column(name="kind", type="string", meaning="`video` or `audio`"),
    Column(name="codec", type="string", meaning=" or ".join(f"`{' '.join(codecs)}`" for codecs in CODECS.values())),
    Column(name="dynamic_range", type="string", kinds=_VIDEO, optional=True, nullable=True, meaning=_DYNAMIC_RANGE),
    Column(name="width_px", type="int32", kinds=_VIDEO, unit="px", range=(2, 65536), meaning="width of the rendition"),
    Column(name="height_px", type="int32", kinds=_VIDEO, unit="px", range=(2, 65536), meaning="its height"),
    Column(name="fps", type="double", kinds=_VIDEO, unit="frames/s", range=(_TINY, 1000), meaning=_FPS),
    Column(
        name="audio_track",
        type="int32",
        kinds=_AUDIO,
        range=(1, 1000),
        optional=True,
        nullable=True,
        meaning="number of the source's audio track, from 1, where several are measured; else null, or no column",
    ),
    Column(
        name="language",
        type="string",
        kinds=_AUDIO,
        optional=True,
        nullable=True,
        meaning="language of that track, an RFC 5646 tag; null likewise",
    ),
    Column(name="channels", type="int32", kinds=_AUDIO, range=(1, 64), meaning="channels of the rendition"),
    Column(
        name="target",
        type="string",
        meaning="what the encoder was asked for: `crf=28` or `b=500k`, with `@NAME` behind it where a grid names the "
        "encoder; other text is the label of a rendition that was there before",
    ),
    Column(
        name="bitrate_kbps",
        type="double",
        unit="kbps",
        range=(_TINY, 1e7),
        meaning="measured on the stream's packets over the scene",
    ),
    # VIF and ADM may pass 1 a little on near-identical frames.
    *(
        Column(name=f"vif_scale{i}", type="double", kinds=_VIDEO, range=(-0.01, 2.0), is_feature=True, meaning=_LIBVMAF)
        for i in range(4)
    ),
    Column(name="motion2", type="double", kinds=_VIDEO, range=(0, 1000), is_feature=True, meaning=_LIBVMAF),
    Column(name="adm2", type="double", kinds=_VIDEO, range=(-0.01, 2.0), is_feature=True, meaning=_LIBVMAF),
    Column(
        name="frame_diff",
        type="double",
        kinds=_VIDEO,
        unit="8-bit steps",
        range=(0, 255),
        optional=True,
        measured=False,
        meaning="only in tables of earlier versions, mean absolute luma difference of successive frames of the "
        "rendition. `extract` no longer measures it; tables with and without it are read alike, and joined where all "
        "have it",
    ),
    Column(name="vmaf", type="double", kinds=_VIDEO, range=(0, 100), meaning="`vmaf_v0.6.1`, mean over the scene"),
    Column(
        name="half_second_kbit",
        type="list",
        kinds=_VIDEO,
        unit="kbit",
        range=(0, math.inf),
        optional=True,
        nullable=True,
        meaning="size of every half second of the scene, from its first frame on: the k-th, from 0, holds frames "
        "round(k fps / 2) to round((k + 1) fps / 2), and the last may be shorter; together all bits of the scene. Null "
        "where a rendition that was there before has not the whole scene. Tables of earlier versions do not have it; "
        "extracting again fills it from the cache, without encoding",
    ),
    Column(
        name="estimated", type="int32", kinds=_VIDEO, range=(0, 1), optional=True, nullable=True, meaning=_ESTIMATED
    ),
    Column(
        name="visqol_mos",
        type="double",
        kinds=_AUDIO,
        unit="MOS",
        range=(1, 5),
        optional=True,
        meaning="ViSQOL v3 MOS-LQO; a table of the listener's features has none",
    ),
    Column(
        name="audio_mos",
        type="double",
        kinds=_AUDIO,
        unit="MOS",
        range=(1, 5),
        meaning="MOS of whoever made `audio_features`: ViSQOL pooled over four stereo views, or the listener",
    ),
    Column(
        name="audio_spread_mos",
        type="double",
        kinds=_AUDIO,
        unit="MOS",
        range=(0, 4),
        optional=True,
        nullable=True,  # so that it stays where a table without audio is joined: rows are told apart by it
        meaning="standard deviation about `audio_mos`, in tables of the listener's features alone",
    ),
    Column(
        name="audio_features",
        type="vector",
        kinds=_AUDIO,
        meaning="512 numbers of one family (`audio_feature_version`): ViSQOL's by view (L, R, M, S), then statistic "
        "(`fvnsim fvnsim10 fstdnsim fvdegenergy`), then band (32); or the listener's, a layer of its network less that "
        "of the source beside itself",
    ),
)
"""Every column, in the order of a file."""

_BY_NAME = {column.name: column for column in SCHEMA}
VIDEO_FEATURES = tuple(column.name for column in SCHEMA if column.is_feature)
"""The video vector X_v, in order."""
NUMBERS = tuple(column.name for column in SCHEMA if column.type in ("int32", "double"))
"""Columns of numbers."""
WHOLE_NUMBERS = tuple(column.name for column in SCHEMA if column.type == "int32")
"""Columns of whole numbers."""
OPTIONAL = frozenset(column.name for column in SCHEMA if column.optional)
"""Columns that a table need not have."""
NULLABLE = frozenset(column.name for column in SCHEMA if column.nullable)
"""Columns of which a table may have some cells only."""
MEASURED = tuple(column.name for column in SCHEMA if column.measured)
"""Columns that are filled today."""
SCHEMA_VERSION = max(column.since for column in SCHEMA)
"""Version of the columns."""
KEY = ("title", "scene", "kind", "codec", "width_px", "height_px", "channels", "audio_track", "target")
"""Columns by which rows are told apart, as far as a table has them."""


def columns_of(kind: str) -> set[str]:
    """Columns that rows of a kind, `video` or `audio`, fill, as far as the table has them (`OPTIONAL`)."""
    return {column.name for column in SCHEMA if kind in column.kinds}


def range_of(column: str) -> tuple[float, float]:
    """Least and largest value that a column may hold; no limit for a column that is not of the table."""
    return _BY_NAME[column].range if column in _BY_NAME else _EVERY


def types_of(names: Collection[str]) -> dict[str, str]:
    """Types of those columns of the table that are named, in its order."""
    return {column.name: column.type for column in SCHEMA if column.name in names}


def stack_audio(rows: Columns | pd.DataFrame) -> npt.NDArray[np.float32]:
    """The audio vectors of some rows, shape (n, 512)."""
    vectors = rows["audio_features"]
    return (vectors if isinstance(vectors, Lists) else Lists.of_values(vectors.to_list())).stacked(AUDIO_DIM)  # type: ignore[union-attr]


def feature_columns(rows: Columns | pd.DataFrame, names: Sequence[str]) -> npt.NDArray[np.float32]:
    """Columns of some rows by name, (n, len(names)); `AUDIO_FEATURES` name the numbers of `audio_features`.

    Raises:
        FeatureTableError: the table does not have one of them.
    """
    if tuple(names) == AUDIO_FEATURES:
        return stack_audio(rows)
    places = {name: i for i, name in enumerate(AUDIO_FEATURES)}
    require_columns([name for name in names if name not in places], list(rows))
    vectors = stack_audio(rows) if any(name in places for name in names) else None
    columns = [rows[name] if vectors is None or name not in places else vectors[:, places[name]] for name in names]
    return np.column_stack(columns).astype(np.float32) if columns else np.empty((len(rows), 0), dtype=np.float32)  # type: ignore[arg-type]


def require_columns(names: Sequence[str], present: Collection[str]) -> None:
    """Refuse a table without a column that is read.

    Raises:
        FeatureTableError: names the first.
    """
    for name in names:
        if name not in present:
            raise FeatureTableError(
                f"the table has no column {name!r}, which the model reads; choose a model that does without",
                column=name,
            )
