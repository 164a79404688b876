"""Rows of a feature table as arrays."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from abr_alloc.table import arrow_columns
from abr_alloc.table.arrow_columns import columns_of_arrow
from abr_alloc.table.columns import Columns, Lists, Words, join_columns
from abr_alloc.table.schema import types_of
from abr_alloc.table.table import read_features


def some(**columns) -> Columns:
    """Columns of lists of cells: text where one is text."""
    return Columns(
        {
            name: Words.of_values(cells)
            if any(isinstance(cell, str) for cell in cells)
            else Lists.of_values(cells)
            if any(isinstance(cell, list) for cell in cells)
            else np.array(cells, dtype=np.float64)
            for name, cells in columns.items()
        }
    )


def test_words_stand_for_numbers_in_alphabetical_order() -> None:
    words = Words.of_values(["b", None, "a", "b", float("nan")])
    assert words.words == ("a", "b")
    assert words.values().tolist() == ["b", None, "a", "b", None]
    assert words.isin(["b"]).tolist() == [True, False, False, True, False]
    assert Words(words.codes[2:3], words.words).present() == ["a"]


def test_lists_keep_their_numbers_where_rows_are_taken() -> None:
    lists = Lists.of_values([[1.0, 2.0], None, [], [3.0, 4.0]])
    assert [None if v is None else v.tolist() for v in lists.values()] == [[1.0, 2.0], None, [], [3.0, 4.0]]
    taken = some(a=[[1.0, 2.0], None, [5.0, 6.0], [3.0, 4.0]]).take(np.array([3, 0])).lists("a")
    assert taken.stacked(2).tolist() == [[3.0, 4.0], [1.0, 2.0]]


@pytest.mark.parametrize("few_rows", [0, 4096])
@pytest.mark.parametrize("offset", [0, 3])
def test_columns_of_arrow_are_its_cells(offset, few_rows, monkeypatch) -> None:
    monkeypatch.setattr(arrow_columns, "_FEW_ROWS", few_rows)
    cells = {
        "text": pa.array(["b", None, "a", "", "b", None, "c"]),
        "whole": pa.array([1, None, 3, 4, 5, 6, None], pa.int32()),
        "number": pa.array([0.5, None, float("nan"), 1.0, 2.0, None, 3.0]),
        "full": pa.array([float(i) for i in range(7)]),
        "vector": pa.array([[1, 2], None, [3, 4], None, [5, 6], [7, 8], None], pa.list_(pa.float32(), 2)),
        "list": pa.array([[1], None, [], [2, 3], None, [4, None], [5]], pa.list_(pa.float32())),
    }
    table = pa.table(cells).slice(offset)
    found = columns_of_arrow(table)
    for name in ("whole", "number", "full"):
        due = [np.nan if cell is None else cell for cell in table[name].to_pylist()]
        assert np.array_equal(found.numbers(name), due, equal_nan=True), name
    assert found.words("text").values().tolist() == table["text"].to_pylist()
    for name in ("vector", "list"):
        due = [None if cell is None else [np.nan if x is None else x for x in cell] for cell in table[name].to_pylist()]
        for mine, theirs in zip(found.lists(name).values(), due, strict=True):
            assert (mine is None) == (theirs is None)
            assert mine is None or np.array_equal(mine, theirs, equal_nan=True)


def test_rows_are_sorted_and_told_apart_by_several_columns() -> None:
    rows = some(title=["b", "a", "b", "a"], scene=[1, 0, 0, 0], kind=["video", "video", "audio", "audio"])
    ordered = rows.sorted()
    assert ordered.words("title").values().tolist() == ["a", "a", "b", "b"]
    assert ordered.words("kind").values().tolist() == ["audio", "video", "audio", "video"]
    assert ordered.scene_starts().tolist() == [0, 2, 3]
    assert rows.is_first(("title",)).tolist() == [True, True, False, False]
    assert rows.is_first(("title", "scene")).tolist() == [True, True, True, False]
    gaps = some(title=["a", "a", None, None], scene=[np.nan, np.nan, 1, 1])
    assert gaps.is_first(("title", "scene")).tolist() == [True, False, True, False]


def test_many_columns_of_many_values_do_not_run_over() -> None:
    n = 5000
    rows = Columns({f"c{i}": np.arange(n, dtype=np.float64) % (n - i) for i in range(6)})
    twice = rows.take(np.concatenate([np.arange(n), np.arange(n)]))
    assert twice.is_first([*rows]).tolist() == [True] * n + [False] * n


def test_tables_below_each_other_hold_nothing_where_one_lacks_a_column() -> None:
    first, second = some(title=["b", "a"], language=["de", None]), some(title=["a", "c"], fps=[25.0, 50.0])
    joined = join_columns([first, second], ["title", "language", "fps"])
    assert joined.words("title").values().tolist() == ["b", "a", "a", "c"]
    assert joined.words("language").values().tolist() == ["de", None, None, None]
    assert np.array_equal(joined.numbers("fps"), [np.nan, np.nan, 25.0, 50.0], equal_nan=True)


def test_a_frame_and_its_arrays_are_the_same_rows(example) -> None:
    table = read_features(example)
    types = types_of([*table.columns])
    back = Columns.of_frame(table.frame, types)
    for name, kind in types.items():
        if kind in ("int32", "double"):
            assert np.array_equal(back.numbers(name), table.columns.numbers(name), equal_nan=True), name
        elif kind == "string":
            assert back.words(name).values().tolist() == table.columns.words(name).values().tolist(), name
    audio = table.columns.is_kind("audio")
    assert np.array_equal(*(rows.take(audio).lists("audio_features").stacked(512) for rows in (back, table.columns)))
