"""The relaxation: the linear programme's own value, and its slope."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from abr_alloc.allocation.relaxation import cheapest_choice, relax, total

ROUNDING = 1e-8
LAW = settings(deadline=None, max_examples=60, derandomize=True)

ONE_SCENE = np.array([[1.0, 3.0, 3.5]]), np.array([[1.0, 2.0, 4.0]])
"""Worth 2 per unit of weight up to 2, then 0.25 up to 4."""


def linear_programme(values: np.ndarray, weights: np.ndarray, capacity: float) -> float | None:
    """Most value of shares of pairs that add up to 1 in every scene."""
    scene, _ = there = np.nonzero(np.isfinite(weights))
    found = linprog(
        -values[there],
        A_ub=weights[there][None, :],
        b_ub=[capacity],
        A_eq=scene == np.arange(len(values))[:, None],
        b_eq=np.ones(len(values)),
    )
    return -found.fun if found.status == 0 else None


@LAW
@given(data=st.data())
def test_no_choice_within_the_capacity_is_worth_more_than_the_bound(data, problems, over_choices) -> None:
    values, weights, capacity = data.draw(problems)
    fits = over_choices(weights) <= capacity
    relaxed = relax(values, weights, capacity)
    if relaxed is None:
        # Sums in another order: what only just fits may not.
        assert not (over_choices(weights) <= capacity * (1 - ROUNDING)).any()
    else:
        assert over_choices(values)[fits].max(initial=-np.inf) <= relaxed.bound + ROUNDING


@LAW
@given(data=st.data())
def test_the_bound_is_that_of_the_linear_programme(data, problems) -> None:
    values, weights, capacity = data.draw(problems)
    relaxed = relax(values, weights, capacity * (1 + 1e-12))
    if relaxed is not None:
        assert relaxed.bound == pytest.approx(linear_programme(values, weights, capacity), abs=1e-6)


@LAW
@given(data=st.data())
def test_the_price_is_the_slope_of_the_bound_above_the_capacity(data, problems, envelope) -> None:
    values, weights, _ = data.draw(problems)
    reached, worth = envelope(values, weights)
    slopes = np.append(np.diff(worth) / np.diff(reached), 0.0)
    for k, slope in enumerate(slopes):
        at = relax(values, weights, reached[k] * (1 + 1e-12))
        assert at is not None
        assert at.bound == pytest.approx(worth[k], abs=ROUNDING)
        assert at.price == pytest.approx(slope, abs=ROUNDING)
        if k + 1 < len(reached):
            midway = relax(values, weights, (reached[k] + reached[k + 1]) / 2)
            assert midway is not None
            assert midway.bound == pytest.approx((worth[k] + worth[k + 1]) / 2, abs=ROUNDING)
            assert midway.price == pytest.approx(slope, abs=ROUNDING)


@LAW
@given(data=st.data())
def test_the_two_choices_enclose_the_capacity_and_are_both_best_at_the_price(data, problems) -> None:
    values, weights, capacity = data.draw(problems)
    relaxed = relax(values, weights, capacity)
    if relaxed is None:
        return
    assert total(weights, relaxed.within) <= capacity
    assert relaxed.price == 0.0 or total(weights, relaxed.beyond) > capacity
    score = values - relaxed.price * np.where(np.isfinite(weights), weights, 0.0)
    for choice in (relaxed.within, relaxed.beyond):
        assert total(score, choice) == pytest.approx(score.max(axis=1).sum(), abs=ROUNDING)


@LAW
@given(data=st.data())
def test_scenes_and_pairs_in_any_order_with_padding_and_duplicates_change_nothing(data, problems) -> None:
    values, weights, capacity = data.draw(problems)
    capacity *= 1 + 1e-12
    plain = relax(values, weights, capacity)
    rng = np.random.default_rng(3)
    scenes = rng.permutation(len(values))
    pairs = rng.permutation(2 * values.shape[1] + 1)
    nothing = np.full((len(values), 1), np.inf)
    shuffled = relax(
        np.hstack([values, -nothing, values])[scenes][:, pairs],
        np.hstack([weights, nothing, weights])[scenes][:, pairs],
        capacity,
    )
    assert (plain is None) == (shuffled is None)
    if plain is not None and shuffled is not None:
        assert shuffled.bound == pytest.approx(plain.bound, abs=ROUNDING)
        assert shuffled.price == pytest.approx(plain.price, abs=ROUNDING)


@pytest.mark.parametrize(
    ("capacity", "price", "bound"), [(1.0, 2.0, 1.0), (1.5, 2.0, 2.0), (2.0, 0.25, 3.0), (3.0, 0.25, 3.25)]
)
def test_one_scene_is_priced_by_hand(capacity: float, price: float, bound: float) -> None:
    relaxed = relax(*ONE_SCENE, capacity)
    assert relaxed is not None
    assert (relaxed.price, relaxed.bound) == (price, bound)


@pytest.mark.parametrize("capacity", [4.0, 5.0, 1e9])
def test_an_ample_capacity_has_no_price(capacity: float) -> None:
    relaxed = relax(*ONE_SCENE, capacity)
    assert relaxed is not None
    assert (relaxed.price, relaxed.bound) == (0.0, 3.5)
    assert relaxed.within.tolist() == relaxed.beyond.tolist() == [2]


def test_what_cannot_fit_has_no_relaxation() -> None:
    assert relax(*ONE_SCENE, 0.999) is None


def test_of_the_lightest_pairs_the_most_valuable_is_the_cheapest_choice() -> None:
    values = np.array([[1.0, 2.0, 2.0, 9.0], [5.0, -np.inf, -np.inf, -np.inf]])
    weights = np.array([[1.0, 1.0, 1.0, 3.0], [7.0, np.inf, np.inf, np.inf]])
    assert cheapest_choice(values, weights).tolist() == [1, 0]


@pytest.mark.parametrize(
    "weights",
    [
        [[4866.0, 6838.0, 7938.0]],
        [[146.0, 981.0], [779.0, 58.0]],
        np.random.default_rng(4).uniform(0, 1e6, (50, 8)).tolist(),
    ],
    ids=["one scene", "two scenes", "fifty scenes"],
)
def test_pairs_on_one_line_end_the_steps_however_large_their_values(weights: list[list[float]], in_time) -> None:
    # At the price every pair scores 0 but for rounding, which is that of the values.
    table = np.array(weights)
    lightest, heaviest = table.min(axis=1).sum(), table.max(axis=1).sum()
    for price in (0.1, 0.3, 0.7, 1 / 7):
        for capacity in np.linspace(lightest, heaviest, 12)[1:-1].round():
            with in_time():
                relaxed = relax(price * table, table, float(capacity))
            assert relaxed is not None
            assert relaxed.price == pytest.approx(price, rel=1e-9)
            assert relaxed.bound == pytest.approx(price * capacity, rel=1e-9)
