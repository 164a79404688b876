"""Rows made of choices are those of the plan: every cell, to the last bit."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

import abr_alloc
from abr_alloc.allocation.chosen_rows import chosen_rows
from abr_alloc.allocation.plan import choose_in_table, plan_table
from abr_alloc.formats.result_rows import relevance_rows, rows_of_relevance
from abr_alloc.table.typed_rows import TypedRows

EXAMPLE = Path(__file__).parents[2] / "examples" / "clip_features.parquet"
BUDGETS = (40.0, 600.0, 2500.0)


@pytest.fixture(scope="module")
def example() -> abr_alloc.FeatureTable:
    return abr_alloc.read_features(EXAMPLE)


@pytest.mark.parametrize("name", [None, "svr-8f"])  # one has the feature change of Eq. 7, the other has not
@pytest.mark.parametrize("measured_only", [False, True])
def test_rows_of_choices_are_those_of_the_plan(
    example: abr_alloc.FeatureTable, name: str | None, measured_only: bool
) -> None:
    model = abr_alloc.load_model(name) if name else abr_alloc.load_model()
    plan = plan_table(example, BUDGETS, model, measured_only=measured_only)
    batches = list(choose_in_table(example, BUDGETS, model, measured_only=measured_only))
    rows, relevance = (
        TypedRows.joined(
            [rows_of(batch[i].choices, budget, model) for i, budget in enumerate(BUDGETS) for batch in batches]
        )
        for rows_of in (chosen_rows, rows_of_relevance)
    )
    assert len(rows) > len(BUDGETS)
    assert_equal(rows, plan.to_rows())
    assert_equal(relevance, relevance_rows(plan.allocations))
    left = itertools.chain.from_iterable(batch[i].infeasible for i in range(len(BUDGETS)) for batch in batches)
    assert tuple(left) == plan.infeasible != ()


def assert_equal(rows: TypedRows, expected: TypedRows) -> None:
    assert list(rows.columns) == list(expected.columns) == list(expected.types) == list(rows.types)
    for name in expected.types:
        assert [_cell(cell) for cell in rows.columns[name]] == [_cell(cell) for cell in expected.columns[name]], name


def _cell(cell: object) -> object:
    """What it is as well as what it says: 1 is no 1.0, and a NaN is equal to another."""
    return type(cell), repr(cell)


def test_no_choices_are_no_rows_of_the_same_columns() -> None:
    none: Sequence[object] = ()
    model = abr_alloc.load_model()
    for rows_of in (chosen_rows, rows_of_relevance):
        found = rows_of(none, 600.0, model)  # type: ignore[arg-type]
        assert len(found) == 0
        assert set(found.columns) == set(found.types)
