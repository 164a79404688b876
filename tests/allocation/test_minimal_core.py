"""The core's search: the least shortfall of all choices, and never a promise it cannot keep."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.allocation import minimal_core
from abr_alloc.allocation.minimal_core import CoreScene, CoreSearch, group_moves

TOLERANCE = 1e-6
ROUNDING = 1e-9
LAW = settings(deadline=None, max_examples=100, derandomize=True)


@st.composite
def cores(draw: st.DrawFn) -> tuple[list[CoreScene], float, float]:
    """Scenes with up to 4 moves to either side, weight left over, and a price."""
    move = st.integers(-9, 9).filter(bool).map(float)
    loss = st.integers(0, 30).map(lambda i: i / 7)
    scenes = draw(st.lists(st.lists(st.tuples(move, loss), min_size=1, max_size=4), min_size=1, max_size=5))
    number = np.repeat(np.arange(len(scenes)), [len(moves) for moves in scenes])
    moves, losses = np.transpose([pair for scene in scenes for pair in scene])
    item = np.concatenate([10 + np.arange(len(moves)) for moves in scenes])
    slack, price = draw(st.integers(0, 20).map(float)), draw(st.integers(1, 30).map(lambda i: i / 10))
    return group_moves(number, item, moves, losses), slack, price


def shortfalls(core: list[CoreScene], slack: float, price: float, over_choices) -> np.ndarray:
    """Value lost and weight left over at the price, of every choice that fits."""
    widest = 1 + max(len(c.moves) for c in core)
    moved, lost = np.full((2, len(core), widest), math.inf)
    for k, scene in enumerate(core):
        moved[k, : len(scene.moves) + 1] = 0.0, *scene.moves
        lost[k, : len(scene.moves) + 1] = 0.0, *scene.losses
    left = slack - over_choices(moved)
    fits = left >= 0
    return over_choices(lost)[fits] + price * left[fits]


def search_of(core: list[CoreScene], slack: float, price: float, **options) -> CoreSearch:
    """A finished search that starts from staying at the base."""
    deadline = options.pop("deadline", math.inf)
    search = CoreSearch(core, slack=slack, price=price, goal=price * slack, tolerance=TOLERANCE, deadline=deadline)
    search.run()
    return search


def assert_the_winner_is_what_it_says(search: CoreSearch, core: list[CoreScene], slack: float, price: float) -> None:
    if search.winner is None:
        assert search.goal == price * slack
        return
    scenes = {c.scene: c for c in core}
    assert len({scene for scene, _ in search.winner}) == len(search.winner)
    lost, left = 0.0, slack
    for scene, item in search.winner:
        at = scenes[scene].items.tolist().index(item)
        lost, left = lost + scenes[scene].losses[at], left - scenes[scene].moves[at]
    assert left >= 0
    assert search.goal == pytest.approx(lost + price * left, abs=ROUNDING)


@LAW
@given(problem=cores())
def test_the_least_shortfall_is_that_of_brute_force(problem, over_choices) -> None:
    core, slack, price = problem
    search = search_of(core, slack, price)
    least = shortfalls(core, slack, price, over_choices).min()
    assert search.complete
    assert_the_winner_is_what_it_says(search, core, slack, price)
    assert least - ROUNDING <= search.goal <= least + TOLERANCE
    assert min(search.least, search.goal) <= least + ROUNDING
    # What was left out falls short by no less than the answer, to within the tolerance.
    assert search.least >= search.goal - TOLERANCE - ROUNDING


@LAW
@given(problem=cores(), most=st.integers(1, 3))
def test_whatever_a_limit_on_states_leaves_out_is_bounded(problem, most, over_choices) -> None:
    core, slack, price = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minimal_core, "_MAX_STATES", most)
        search = search_of(core, slack, price)
    least = shortfalls(core, slack, price, over_choices).min()
    assert_the_winner_is_what_it_says(search, core, slack, price)
    assert search.goal >= least - ROUNDING
    assert min(search.least, search.goal) <= least + ROUNDING
    if search.complete:
        assert search.goal <= least + TOLERANCE


@LAW
@given(problem=cores())
def test_whatever_a_deadline_leaves_out_is_bounded(problem, over_choices) -> None:
    core, slack, price = problem
    search = search_of(core, slack, price, deadline=0.0)
    least = shortfalls(core, slack, price, over_choices).min()
    assert search.winner is None
    assert min(search.least, search.goal) <= least + ROUNDING


@LAW
@given(problem=cores())
def test_the_size_of_a_block_does_not_change_the_answer(problem) -> None:
    whole = search_of(*problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minimal_core, "_BLOCK", 2)
        parts = search_of(*problem)
    assert parts.goal == pytest.approx(whole.goal, abs=TOLERANCE)
    assert_the_winner_is_what_it_says(parts, *problem)


def test_scenes_that_lose_least_per_unit_of_weight_are_decided_first() -> None:
    core = group_moves(
        np.array([0, 0, 2, 5]), np.array([1, 2, 3, 4]), np.array([1.0, -4.0, 2.0, 10.0]), np.array([3.0, 4.0, 1.0, 9.0])
    )
    assert [c.scene for c in core] == [2, 5, 0]
    assert core[2].items.tolist() == [1, 2]
    assert core[2].moves.tolist() == [1.0, -4.0]
    assert core[2].losses.tolist() == [3.0, 4.0]


def test_without_a_choice_left_the_base_stands() -> None:
    search = search_of([], 3.0, 2.0)
    assert (search.winner, search.goal, search.complete, search.least) == (None, 6.0, True, math.inf)
