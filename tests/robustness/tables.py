"""Damaged feature tables: columns of other types and values, rows gone or there twice, other metadata, other bytes."""

from __future__ import annotations

import functools
import io
import json
import math
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .mutation import damaged_bytes, damaged_json

_EXAMPLE = Path(__file__).parents[2] / "examples" / "clip_features.parquet"
_TITLES = ("bbb-rabbit-wakes-720p", "documentary-nasa-jwst-270p")
_FLOATS = (
    math.nan,
    math.inf,
    -math.inf,
    -1.0,
    0.0,
    1e-320,
    1e-9,
    1e-6,
    1.0,
    5.0,
    101.0,
    1e6,
    1e7,
    1e16,
    1e300,
    1.7e308,
)
_INTS = (0, 1, -1, 2, 3, 64, 65536, 2**31 - 1, -(2**31))
_TEXTS = (
    "",
    " ",
    "x",
    "video",
    "audio",
    "h264",
    "av1",
    "aac",
    "opus",
    "crf=28",
    "b=64k",
    "b=1e400k",
    "b=0k",
    "../x",
    "a\0b",
)
_MORE_TEXTS = (
    "\n",
    "\x1b[31m",
    "\u202e",
    "😀",
    "x" * 3000,
    "crf=nan",
    "=",
    "b=" + "9" * 400 + "k",
    "None",
    "nan",
    "\x85",
    "﻿t",
)
_TYPES = (
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.float32(),
    pa.float64(),
    pa.int64(),
    pa.int32(),
    pa.bool_(),
    pa.null(),
)


@functools.cache
def sound_table() -> pa.Table:
    """Three scenes of two titles of the example: 8 video and 3 audio renditions each at most."""
    table = pq.read_table(_EXAMPLE)
    kept, seen = [], {}
    for i, row in enumerate(table.select(["title", "scene", "kind", "height_px"]).to_pylist()):
        key = (row["title"], row["scene"], row["kind"], row["height_px"])
        seen[key] = seen.get(key, 0) + 1
        small = row["kind"] == "audio" or (row["height_px"] in (240, 540, 720, 270) and seen[key] in (1, 3, 4, 5))
        if row["title"] in _TITLES and small and (row["scene"] == 0 or row["title"] == _TITLES[0]):
            kept.append(i)
    return table.take(kept)


@functools.cache
def sound_bytes() -> bytes:
    """The same as a file."""
    return _written(sound_table(), 1_000_000)


def _written(table: pa.Table, rows: int) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=rows)
    return sink.getvalue()


def damaged_table(rng: Random) -> bytes:
    """A damaged feature table as Parquet bytes."""
    if rng.random() < 0.12:
        return damaged_bytes(rng, sound_bytes())
    table = sound_table()
    for _ in range(rng.choice((1, 1, 2, 3))):
        if not table.num_rows or not table.num_columns:
            break
        change = rng.choice(
            (_values, _values, _values, _values, _column, _columns, _rows, _rows, _metadata, _vectors, _scene)
        )
        try:
            table = change(rng, table)
        except (pa.ArrowException, OverflowError, TypeError, ValueError, KeyError):
            continue  # Arrow itself cannot hold that
    return _written(table, rng.choice((1_000_000, 1_000_000, 7)))


def _put(table: pa.Table, name: str, values: list[Any], kind: pa.DataType) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), pa.field(name, kind), pa.array(values, kind))


def _values(rng: Random, table: pa.Table) -> pa.Table:
    """One value, or those of a whole column or kind, to others of the same type."""
    field = table.schema.field(rng.choice(table.schema.names))
    if pa.types.is_fixed_size_list(field.type):
        return _vectors(rng, table)
    values = table[field.name].to_pylist()
    pool = (
        _FLOATS
        if pa.types.is_floating(field.type)
        else _INTS
        if pa.types.is_integer(field.type)
        else _TEXTS + _MORE_TEXTS
    )
    new = rng.choice((*pool, None))
    scope = rng.randrange(4)
    rows = [rng.randrange(len(values))] if scope < 2 else range(len(values))
    kinds = table["kind"].to_pylist() if scope == 2 and "kind" in table.schema.names else None
    for row in rows:
        if kinds is None or (values[row] is not None and kinds[row] == kinds[rows[0]]):
            factor = new if isinstance(new, float) and scope == 3 and rng.random() < 0.5 else None
            values[row] = new if factor is None or values[row] is None else values[row] * factor
    return _put(table, field.name, values, field.type)


def _column(rng: Random, table: pa.Table) -> pa.Table:
    """A column of another type, or with the values of another."""
    name = rng.choice(table.schema.names)
    if rng.random() < 0.4:
        other = rng.choice(table.schema.names)
        return _put(table, name, table[other].to_pylist(), table.schema.field(name).type)
    kind = rng.choice(_TYPES)
    if rng.random() < 0.2:
        encoded = table[name].dictionary_encode()
        return table.set_column(table.schema.get_field_index(name), name, encoded)
    values = table[name].to_pylist()
    return _put(table, name, [None if v is None else str(v) if kind in _TYPES[:2] else v for v in values], kind)


def _columns(rng: Random, table: pa.Table) -> pa.Table:
    """A column gone, renamed, there twice, new, or in another place."""
    name, kind = rng.choice(table.schema.names), rng.randrange(5)
    if kind == 0:
        return table.drop_columns([name])
    if kind == 1:
        return table.rename_columns(
            [rng.choice(("x", "", "Title", "scene")) if n == name else n for n in table.schema.names]
        )
    if kind == 2:
        return table.append_column(name, table[name])
    if kind == 3:
        return table.append_column(rng.choice(("comment", "", "frame_diff")), pa.array([1.0] * table.num_rows))
    names = list(table.schema.names)
    rng.shuffle(names)
    return table.select(names)


def _rows(rng: Random, table: pa.Table) -> pa.Table:
    """Rows gone, there twice, or in another order."""
    rows, kind = list(range(table.num_rows)), rng.randrange(6)
    if kind == 0:
        del rows[rng.randrange(len(rows))]
    elif kind == 1:
        rows.insert(rng.randrange(len(rows)), rng.choice(rows))
    elif kind == 2:
        rng.shuffle(rows)
    elif kind == 3:
        rows = rows[: rng.randrange(len(rows))]
    elif kind == 4:
        rows = sorted(rng.sample(rows, rng.randrange(1, len(rows) + 1)))
    else:
        kept = rng.choice(("video", "audio"))
        rows = (
            [i for i, word in enumerate(table["kind"].to_pylist()) if word == kept]
            if "kind" in table.schema.names
            else rows
        )
    return table.take(rows) if rows else table.slice(0, 0)


def _metadata(rng: Random, table: pa.Table) -> pa.Table:
    document = json.loads(table.schema.metadata[b"abr_alloc"])
    if rng.random() < 0.6:
        scenes = {
            rng.choice(("0", "1", "x", "-1", "00", "²")): rng.choice((1.0, 5.0, 1e-300, 1e308, 0, -1, True, None))
        }
        document["weights_s"] = {_TITLES[0]: scenes | ({"1": 3.0} if rng.random() < 0.5 else {})}
    key = rng.choice((b"abr_alloc",) * 9 + (b"other",))
    return table.replace_schema_metadata({key: damaged_json(rng, document)})


def _vectors(rng: Random, table: pa.Table) -> pa.Table:
    """Audio vectors with other numbers, of another length, or of the wrong kind of row."""
    values = table["audio_features"].to_pylist()
    row = rng.choice([i for i, vector in enumerate(values) if vector is not None] or [0])
    vector = list(values[row] or [0.0] * 512)
    kind = rng.randrange(5)
    if kind == 0:
        vector[rng.randrange(len(vector))] = rng.choice((math.nan, math.inf, -1e38, 3e38, 1e-45, None))
    elif kind == 1:
        vector = [rng.choice((0.0, 1.0, -1e38, 3e38, math.nan))] * len(vector)
    elif kind == 2:
        values[rng.randrange(len(values))] = vector
    elif kind == 3:
        return _put(table, "audio_features", [None if v is None else v[:5] for v in values], pa.list_(pa.float32(), 5))
    values[row] = None if kind == 4 else vector
    return _put(table, "audio_features", values, pa.list_(pa.float32(), 512))


def _scene(rng: Random, table: pa.Table) -> pa.Table:
    """Other times or numbers of all rows of a scene, which stay a whole scene."""
    titles, scenes = table["title"].to_pylist(), table["scene"].to_pylist()
    own = rng.randrange(len(titles))
    same = [i for i in range(len(titles)) if (titles[i], scenes[i]) == (titles[own], scenes[own])]
    name = rng.choice(
        ("start_s", "end_s", "scene", "title", "fps", "bitrate_kbps", "vmaf", "motion2", "adm2", "target", "channels")
    )
    kind = table.schema.field(name).type
    pool = _FLOATS if pa.types.is_floating(kind) else _INTS if pa.types.is_integer(kind) else _TEXTS + _MORE_TEXTS
    new, values = rng.choice(pool), table[name].to_pylist()
    for row in same:
        values[row] = None if values[row] is None else new
    return _put(table, name, values, kind)
