"""Rows written as they come."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq
import pytest

from abr_alloc.errors import OutputError
from abr_alloc.table import row_writer
from abr_alloc.table.row_writer import RowWriter
from abr_alloc.table.spreadsheet import csv_text
from abr_alloc.table.typed_rows import TypedRows

COLUMNS = {"title": "str", "rung": "int", "avq_mos": "float", "interpolated": "bool"}


def rows(*numbers: int) -> TypedRows:
    records = [{"title": f"t{n}", "rung": n, "avq_mos": n / 3, "interpolated": True} for n in numbers]
    return TypedRows.of(records, COLUMNS)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_does_not_depend_on_how_its_rows_came_in(tmp_path, monkeypatch, suffix) -> None:
    monkeypatch.setattr(row_writer, "ROW_GROUP_ROWS", 3)
    with RowWriter(tmp_path / f"a{suffix}", COLUMNS, 2) as writer:
        for n in range(5):
            writer.write(1, rows(10 + n))
            writer.write(0, rows(n))
    with RowWriter(tmp_path / f"b{suffix}", COLUMNS, 1) as writer:
        writer.write(0, rows(0, 1, 2, 3, 4, 10, 11))
        writer.write(0, rows(12, 13, 14))
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a{suffix}", f"b{suffix}"]


def test_parquet_and_csv_hold_the_parts_one_after_the_other(tmp_path) -> None:
    for name in ("t.csv", "t.parquet"):
        with RowWriter(tmp_path / name, COLUMNS, 2) as writer:
            writer.write(1, rows(2))
            writer.write(0, rows(1))
    assert pq.read_table(tmp_path / "t.parquet").to_pandas()["rung"].tolist() == [1, 2]
    assert (
        tmp_path / "t.csv"
    ).read_text() == "title,rung,avq_mos,interpolated\nt1,1,0.333333,True\nt2,2,0.666667,True\n"


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_interrupted_file_leaves_the_old_one_and_nothing_else(tmp_path, suffix) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_text("what was there")
    with pytest.raises(KeyboardInterrupt), RowWriter(path, COLUMNS, 2) as writer:
        writer.write(0, rows(1))
        writer.write(1, rows(1))
        raise KeyboardInterrupt
    assert path.read_text() == "what was there"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path) -> None:
    with pytest.raises(OutputError, match="none"), RowWriter(tmp_path / "none" / "t.csv", COLUMNS, 1):
        pass


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_no_rows_are_a_file_with_its_columns(tmp_path, suffix) -> None:
    with RowWriter(tmp_path / f"t{suffix}", COLUMNS, 1):
        pass
    read = pd.read_csv if suffix == ".csv" else pd.read_parquet
    assert list(read(tmp_path / f"t{suffix}").columns) == list(COLUMNS)


def test_rows_read_the_same_from_csv_parquet_and_pandas(tmp_path) -> None:
    records = [
        {"title": '=a "b", c', "rung": 12345678, "avq_mos": None, "interpolated": False},
        {"title": None, "rung": -3, "avq_mos": float("nan"), "interpolated": True},
        {"title": "\u00e4\n\U0001f600", "rung": 0, "avq_mos": 1234567.891, "interpolated": True},
        {"title": "", "rung": 1, "avq_mos": -1e-7, "interpolated": False},
        {"title": "d", "rung": 2, "avq_mos": float("inf"), "interpolated": False},
    ]
    found = TypedRows.of(records, COLUMNS)
    assert csv_text(found) == csv_text(found.to_frame())  # which is pandas' own
    with RowWriter(tmp_path / "t.parquet", COLUMNS, 1) as writer:
        writer.write(0, found)
    back = pq.read_table(tmp_path / "t.parquet").to_pylist()
    records[1]["avq_mos"] = None
    assert back == records
