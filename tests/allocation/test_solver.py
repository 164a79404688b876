"""The knapsack: equal to every other way of finding the optimum, and honest about what it did not find."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from abr_alloc.allocation import minimal_core
from abr_alloc.allocation.relaxation import relax
from abr_alloc.allocation.solver import FIT, TOLERANCE, Solution, solve

ROUNDING = 1e-11
"""What sums of a few dozen values may carry."""

LAW = settings(deadline=None, max_examples=50, derandomize=True)


def title(seed: int, scenes: int, pairs: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Rates and noisy saturating qualities, neither concave nor monotone; two thirds of what all would like."""
    rng = np.random.default_rng(seed)
    kbps = rng.uniform(100, 5000, (scenes, pairs))
    mos = 5 - 4 * np.exp(-kbps / rng.uniform(300, 3000, (scenes, 1))) + rng.normal(0, 0.1, kbps.shape)
    return mos, kbps, float(kbps.mean() * scenes * 2 / 3)


def best_value(values: np.ndarray, weights: np.ndarray, capacity: float, over_choices) -> float:
    """The optimum of brute force; -inf where nothing fits."""
    fits = over_choices(weights) <= capacity * (1 + FIT)
    return float(over_choices(values)[fits].max(initial=-np.inf))


def value_of(values: np.ndarray, weights: np.ndarray, capacity: float, **options) -> float:
    found = solve(values, weights, capacity, **options)
    return -math.inf if found is None else found.value


def assert_adds_up(found: Solution, values: np.ndarray, weights: np.ndarray, capacity: float) -> None:
    """The choice is what the record says of it, and fits."""
    rows = np.arange(len(values))
    assert found.value == pytest.approx(values[rows, found.choice].sum(), abs=ROUNDING)
    assert found.weight == pytest.approx(weights[rows, found.choice].sum(), rel=1e-12)
    assert found.weight <= capacity * (1 + 2 * FIT)
    assert found.bound >= found.value
    assert found.price >= 0


@LAW
@given(data=st.data())
def test_the_value_is_that_of_brute_force_and_the_bound_touches_it(data, problems, over_choices) -> None:
    values, weights, capacity = data.draw(problems)
    best = best_value(values, weights, capacity, over_choices)
    found = solve(values, weights, capacity)
    if found is None:
        assert best == -math.inf
        return
    assert_adds_up(found, values, weights, capacity)
    assert found.complete
    assert found.value == pytest.approx(best, abs=TOLERANCE)
    assert best - ROUNDING <= found.bound <= found.value + TOLERANCE


@LAW
@given(data=st.data())
def test_more_capacity_never_lowers_the_value(data, problems) -> None:
    values, weights, capacity = data.draw(problems)
    more = capacity + data.draw(st.floats(0, 10))
    assert value_of(values, weights, more) >= value_of(values, weights, capacity) - TOLERANCE


@LAW
@given(data=st.data())
def test_the_order_of_scenes_does_not_change_the_value(data, problems) -> None:
    values, weights, capacity = data.draw(problems)
    order = data.draw(st.permutations(range(len(values))))
    assert value_of(values[order], weights[order], capacity) == pytest.approx(
        value_of(values, weights, capacity), abs=TOLERANCE
    )


@LAW
@given(data=st.data())
def test_dominated_pairs_do_not_change_the_value(data, problems) -> None:
    values, weights, capacity = data.draw(problems)
    worse, heavier = data.draw(st.floats(0, 3)), data.draw(st.floats(0, 3))
    padded = np.hstack([values - worse, values]), np.hstack([weights + heavier, weights])
    assert value_of(*padded, capacity) == pytest.approx(value_of(values, weights, capacity), abs=TOLERANCE)


@LAW
@given(data=st.data())
def test_at_a_breakpoint_the_relaxation_is_attained_and_the_price_leads_to_the_next(data, problems, envelope) -> None:
    values, weights, _ = data.draw(problems)
    reached, worth = envelope(values, weights)
    found = [solve(values, weights, capacity) for capacity in reached]
    for k, at in enumerate(found):
        assert at is not None
        assert at.value == pytest.approx(worth[k], abs=TOLERANCE)
    for k, (at, after) in enumerate(itertools.pairwise(found)):
        assert at.price == pytest.approx((after.value - at.value) / (reached[k + 1] - reached[k]), abs=1e-6)
    assert found[-1].price == 0


@LAW
@given(data=st.data())
def test_halving_scenes_leaves_the_relaxation_and_its_breakpoints_and_never_lowers_the_value(
    data, problems, envelope
) -> None:
    values, weights, capacity = data.draw(problems)
    halves = np.repeat(values / 2, 2, axis=0), np.repeat(weights / 2, 2, axis=0)
    room = capacity * (1 + FIT)  # halves add up in another order
    whole, split = relax(values, weights, room), relax(*halves, room)
    if whole is not None and split is not None:
        assert split.bound == pytest.approx(whole.bound, abs=1e-8)
        assert split.price == pytest.approx(whole.price, abs=1e-8)
    # Two halves may choose differently, and so between breakpoints reach what the whole could not.
    assert value_of(*halves, capacity) >= value_of(values, weights, capacity) - TOLERANCE
    for at, worth in zip(*envelope(values, weights), strict=True):
        assert value_of(*halves, at) == pytest.approx(worth, abs=TOLERANCE)


@LAW
@given(data=st.data())
def test_with_a_floor_the_search_finds_what_is_above_it_and_rules_out_what_is_not(data, problems, over_choices) -> None:
    values, weights, capacity = data.draw(problems)
    best = best_value(values, weights, capacity, over_choices)
    if best == -math.inf:
        return
    floor = best + data.draw(st.sampled_from([-math.inf, -1.0, -1e-3, 0.0, 1e-3, 1.0, 100.0]))
    found = solve(values, weights, capacity, floor=floor)
    assert found is not None
    assert_adds_up(found, values, weights, capacity)
    assert found.complete
    assert best - ROUNDING <= found.bound <= max(found.value, floor) + TOLERANCE + ROUNDING
    if floor < best - TOLERANCE:
        assert found.value == pytest.approx(best, abs=TOLERANCE)


@pytest.mark.parametrize(("seed", "scenes", "pairs"), [(1, 20, 20), (2, 30, 40), (3, 40, 20), (4, 60, 40)])
def test_the_value_is_that_of_branch_and_bound(seed: int, scenes: int, pairs: int) -> None:
    values, weights, capacity = title(seed, scenes, pairs)
    one_each = csr_array(np.kron(np.eye(scenes), np.ones(pairs)))
    other = milp(
        -values.ravel(),
        constraints=[LinearConstraint(one_each, 1, 1), LinearConstraint(weights.reshape(1, -1), -np.inf, capacity)],
        integrality=np.ones(values.size),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0},
    )
    chosen = np.arange(scenes), other.x.reshape(scenes, pairs).argmax(axis=1)
    assert weights[chosen].sum() <= capacity
    found = solve(values, weights, capacity)
    assert found is not None
    assert_adds_up(found, values, weights, capacity)
    assert found.complete
    assert found.value >= values[chosen].sum() - TOLERANCE
    # HiGHS stops within 1e-6 of its own bound.
    assert found.value <= -other.mip_dual_bound + 1e-6
    assert found.bound <= found.value + TOLERANCE


def test_a_deadline_in_the_past_leaves_a_choice_that_fits_and_a_bound_that_holds() -> None:
    for seed in range(5):
        values, weights, capacity = title(seed, 20, 20)
        best = solve(values, weights, capacity)
        found = solve(values, weights, capacity, deadline=0.0)
        assert best is not None
        assert found is not None
        assert_adds_up(found, values, weights, capacity)
        assert not found.complete
        assert found.value <= best.value + TOLERANCE
        assert found.bound >= best.value - ROUNDING


@pytest.mark.parametrize("most", [1, 2, 5])
def test_a_limit_on_states_leaves_a_choice_that_fits_and_a_bound_that_holds(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(5):
        values, weights, capacity = title(seed, 20, 20)
        best = solve(values, weights, capacity)
        with monkeypatch.context() as patch:
            patch.setattr(minimal_core, "_MAX_STATES", most)
            found = solve(values, weights, capacity)
        assert best is not None
        assert found is not None
        assert_adds_up(found, values, weights, capacity)
        assert not found.complete
        assert found.value <= best.value + TOLERANCE
        assert found.bound >= best.value - ROUNDING


def test_of_states_with_equal_bounds_those_that_fill_the_capacity_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    # Every pair is worth its weight: no bound tells states apart, and there are far more of them than are kept.
    monkeypatch.setattr(minimal_core, "_MAX_STATES", 1024)
    for seed in range(6):
        weights = np.random.default_rng(seed).uniform(0, 1, (15, 10))
        found = solve(weights, weights, 7.5)
        assert found is not None
        assert found.weight <= 7.5 * (1 + 2 * FIT)
        assert found.bound >= 7.5 - ROUNDING
        assert found.value >= 7.5 - 1e-3


def test_the_same_problem_has_the_same_answer() -> None:
    problem = title(7, 40, 30)
    first, second = solve(*problem), solve(*problem)
    assert first is not None
    assert second is not None
    assert first.choice.tolist() == second.choice.tolist()
    assert (first.value, first.bound, first.price) == (second.value, second.bound, second.price)


def test_thousands_of_identical_scenes_are_solved() -> None:
    scenes, capacity = 2000, 4_939
    values, weights = np.tile([0.0, 3.0, 4.0], (scenes, 1)), np.tile([0.0, 3.0, 5.0], (scenes, 1))
    found = solve(values, weights, capacity)
    # As many 3s as fit, the rest at 0; then, where that leaves weight over, 5s in place of 3s.
    most = max(
        3 * threes + 4 * fives
        for fives in range(capacity // 5 + 1)
        for threes in [min((capacity - 5 * fives) // 3, scenes - fives)]
    )
    assert found is not None
    assert found.complete
    assert found.value == most


@pytest.mark.parametrize("unit", [1, 2], ids=["any sum", "even sums, odd capacity"])
def test_where_every_pair_is_worth_its_weight_the_capacity_is_filled_as_far_as_it_can_be(unit: int) -> None:
    rng = np.random.default_rng(9)
    weights = unit * rng.integers(0, 1000, (25, 10))
    capacity = int(weights.mean() * 25) | 1
    sums = 1  # bit i: the scenes so far can weigh i
    for scene in weights.tolist():
        sums = sum_of_shifts(sums, scene)
    fullest = (sums & ((1 << (capacity + 1)) - 1)).bit_length() - 1
    found = solve(0.001 * weights, weights.astype(float), capacity)
    assert found is not None
    assert found.complete
    assert found.weight == fullest


def sum_of_shifts(sums: int, moves: list[int]) -> int:
    reached = 0
    for move in moves:
        reached |= sums << move
    return reached


def test_steps_too_fine_to_matter_one_by_one_still_add_up() -> None:
    # Every pair is worth its weight. The best choice takes the 1 and 1000 of 2000 steps of 1e-10.
    table = np.full((3, 2001), np.inf)
    table[0] = np.arange(2001) * 1e-10
    table[1, :2] = 0, 1
    table[2, :2] = 0, 10
    values = np.where(np.isfinite(table), table, -np.inf)
    found = solve(values, table, 1 + 1e-7)
    assert found is not None
    assert found.value == pytest.approx(1 + 1e-7, abs=TOLERANCE)
    assert found.bound >= 1 + 1e-7 - ROUNDING


def test_a_base_that_fills_the_capacity_is_the_answer() -> None:
    found = solve(np.array([[0.0, 1.0, 2.0]]), np.array([[0.0, 1.0, 3.0]]), 1.0)
    assert found is not None
    assert found.choice.tolist() == [1]
    assert (found.value, found.price, found.complete) == (1.0, 0.5, True)


def test_what_cannot_fit_has_no_solution() -> None:
    assert solve(np.array([[5.0]]), np.array([[2.0]]), 1.999) is None
