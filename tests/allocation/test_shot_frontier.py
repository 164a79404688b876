"""The frontier: the concave envelope, vertex by vertex, each a choice that proves itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.allocation.relaxation import relax, total
from abr_alloc.allocation.shot_frontier import find_frontier
from abr_alloc.allocation.solver import FIT

LAW = settings(deadline=None, max_examples=60, derandomize=True)


@LAW
@given(data=st.data())
def test_it_is_the_concave_envelope_of_all_choices(problems, envelope, data) -> None:
    values, weights, _ = data.draw(problems)
    frontier = find_frontier(values, weights)
    assert frontier is not None
    weight, value = envelope(values, weights)
    at = np.linspace(weight[0], weight[-1], 23)
    assert [frontier.bound(x * (1 + 1e-12)) for x in at] == pytest.approx(np.interp(at, weight, value), abs=1e-7)
    assert frontier.bound(weight[0] - 0.1) == -np.inf
    assert frontier.bound(weight[-1] + 9.0) == pytest.approx(value[-1])
    assert (np.diff(frontier.price) <= 0.0).all()


@LAW
@given(data=st.data())
def test_every_vertex_is_a_choice_with_its_weight_and_value(problems, data) -> None:
    values, weights, _ = data.draw(problems)
    frontier = find_frontier(values, weights)
    assert frontier is not None
    for k in range(len(frontier.weight)):
        choice = frontier.choice(k)
        assert total(weights, choice) == pytest.approx(frontier.weight[k], abs=1e-9)
        assert total(values, choice) == pytest.approx(frontier.value[k], abs=1e-9)
        assert frontier.below(float(frontier.weight[k])) >= k


@LAW
@given(data=st.data())
def test_its_relaxation_is_that_of_the_knapsack(problems, data) -> None:
    values, weights, capacity = data.draw(problems)
    capacity *= 1.0 + FIT  # as callers do: sums of one choice round in different ways
    frontier, relaxed = find_frontier(values, weights), relax(values, weights, capacity)
    assert frontier is not None
    k = frontier.below(capacity)
    assert (k < 0) == (relaxed is None)
    if relaxed is not None:
        own = frontier.relaxation(k, capacity)
        assert own.bound == pytest.approx(relaxed.bound, abs=1e-9)
        assert total(weights, own.within) <= capacity
        last = k == len(frontier.weight) - 1
        assert last == (own.within is own.beyond)
        assert last or total(weights, own.beyond) > capacity


def test_there_is_none_where_a_scene_has_no_option() -> None:
    assert find_frontier(np.array([[1.0], [-np.inf]]), np.array([[1.0], [np.inf]])) is None
