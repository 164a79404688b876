"""The declaration of the columns: what follows from it everywhere."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

from abr_alloc.table.schema import (
    KEY,
    NUMBERS,
    OPTIONAL,
    SCHEMA,
    SCHEMA_VERSION,
    VIDEO_FEATURES,
    WHOLE_NUMBERS,
    columns_of,
    range_of,
)
from abr_alloc.table.table import COLUMNS


def test_every_column_is_declared_once() -> None:
    names = [column.name for column in SCHEMA]
    assert len(names) == len({*names})
    assert list(COLUMNS) == names, "and a file has them in this order"


def test_a_file_has_the_types_that_are_declared() -> None:
    assert COLUMNS["title"] == pa.string() and COLUMNS["scene"] == pa.int32() and COLUMNS["fps"] == pa.float64()
    assert COLUMNS["audio_features"] == pa.list_(pa.float32(), 512)
    assert WHOLE_NUMBERS == ("scene", "width_px", "height_px", "audio_track", "channels", "estimated")


def test_every_column_is_filled_by_some_kind_of_row() -> None:
    assert columns_of("video") | columns_of("audio") == {*COLUMNS}
    assert columns_of("audio") - columns_of("video") == {
        *("audio_track", "language", "channels", "visqol_mos", "audio_mos", "audio_spread_mos", "audio_features")
    }
    assert columns_of("video") & columns_of("audio") == {
        *("title", "scene", "start_s", "end_s", "kind", "codec", "target", "bitrate_kbps")
    }


def test_the_features_of_models_keep_their_order() -> None:
    assert VIDEO_FEATURES == ("vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2", "adm2")


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_a_range(name: str) -> None:
    low, high = range_of(name)
    assert math.isfinite(low) and low < high


def test_text_and_foreign_columns_have_no_range() -> None:
    assert range_of("title") == range_of("not a column") == (-math.inf, math.inf)


def test_rows_are_told_apart_by_columns_that_are_always_there_and_by_the_track_where_several_are_measured() -> None:
    assert {*KEY} - {"audio_track"} <= {*COLUMNS} - OPTIONAL


def test_a_column_that_is_new_or_new_in_meaning_makes_a_version() -> None:
    assert all(1 <= column.since <= SCHEMA_VERSION for column in SCHEMA)
    assert SCHEMA_VERSION in {column.since for column in SCHEMA}


def test_units_are_those_of_the_names() -> None:
    for column in SCHEMA:
        for suffix, unit in (("_s", "s"), ("_px", "px"), ("_kbps", "kbps"), ("_mos", "MOS")):
            if column.name.endswith(suffix):
                assert column.unit == unit, column.name
