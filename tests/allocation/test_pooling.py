"""Pooling: the best choice for every pool, against all choices there are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.allocation.pooling import LOW_SHARE, POOLS, Candidates, Optimum, highest_pooled, is_additive, optimise
from abr_alloc.allocation.solver import FIT, TOLERANCE

ROUNDING = 1e-11
LAW = settings(deadline=None, max_examples=40, derandomize=True)

mos = st.one_of(st.integers(4, 20).map(lambda i: i / 4), st.integers(100, 500).map(lambda i: i / 100))
kbps = st.one_of(st.integers(1, 9).map(float), st.integers(100, 9999).map(lambda i: i / 7))


@st.composite
def titles(draw: st.DrawFn) -> Candidates:
    """Up to 5 ragged scenes of unequal length, some shorter than 5 % of the title."""
    scenes = draw(st.lists(st.lists(st.tuples(mos, kbps), min_size=1, max_size=4), min_size=1, max_size=5))
    seconds = np.array(draw(st.lists(st.sampled_from([1, 2, 5, 20, 35]), min_size=5, max_size=5)))[: len(scenes)]
    shape = len(scenes), max(map(len, scenes))
    avq, rate = np.full(shape, -np.inf), np.full(shape, np.inf)
    for s, pairs in enumerate(scenes):
        avq[s, : len(pairs)], rate[s, : len(pairs)] = np.transpose(pairs)
    return Candidates(avq_mos=avq, kbps=rate, time_share=seconds / seconds.sum())


@st.composite
def budgets(draw: st.DrawFn, title: Candidates) -> float:
    """From the cheapest choice to a little more than the dearest."""
    dearest = title.time_share @ np.where(np.isfinite(title.kbps), title.kbps, 0.0).max(axis=1)
    return title.least_kbps() + draw(st.floats(0, 1.1)) * (dearest - title.least_kbps())


def within(title: Candidates, budget_kbps: float) -> np.ndarray:
    """AVQ of the scenes in every choice within the budget, (N, S)."""
    scenes, pairs = title.avq_mos.shape
    choices = np.indices((pairs,) * scenes).reshape(scenes, -1).T
    fits = title.kbps[np.arange(scenes), choices] @ title.time_share <= budget_kbps * (1 + FIT)
    return title.avq_mos[np.arange(scenes), choices[fits]]


def p5(avq: np.ndarray, time_share: np.ndarray) -> np.ndarray:
    """The highest AVQ below which lies at most 5 % of the time, (N,)."""
    below = (avq[:, None, :] < avq[:, :, None]) @ time_share  # (N, S)
    return np.where(below <= LOW_SHARE * (1 + 1e-9), avq, -np.inf).max(axis=1)


def pooled(avq: np.ndarray, time_share: np.ndarray, pool: str) -> np.ndarray:
    """Pooled AVQ of many choices, (N,), from its definition."""
    if pool == "mean":
        return avq @ time_share
    if pool == "harmonic":
        return 1 / ((1 / avq) @ time_share)
    return avq.min(axis=1) if pool == "min" else p5(avq, time_share)


def chosen_avq(title: Candidates, found: Optimum) -> np.ndarray:
    return title.avq_mos[np.arange(len(found.choice)), found.choice]


@pytest.mark.parametrize("pool", POOLS)
@LAW
@given(data=st.data())
def test_the_pooled_avq_is_that_of_brute_force(pool, data) -> None:
    title = data.draw(titles())
    budget_kbps = data.draw(budgets(title))
    found = optimise(title, budget_kbps, pool)
    assert found is not None
    assert found.complete
    best = pooled(within(title, budget_kbps), title.time_share, pool).max()
    avq = chosen_avq(title, found)
    assert found.objective_mos == pytest.approx(best, abs=TOLERANCE * 100)
    assert found.objective_mos == pytest.approx(pooled(avq[None], title.time_share, pool)[0], abs=ROUNDING)
    assert best - ROUNDING <= found.upper_bound_mos <= found.objective_mos + TOLERANCE * 100
    assert found.mean_mos == pytest.approx(title.time_share @ avq, abs=ROUNDING)
    assert found.mean_kbps <= budget_kbps * (1 + 1e-9)
    assert found.price_mos_per_kbps >= 0


@LAW
@given(data=st.data())
def test_of_the_choices_with_the_best_minimum_the_highest_mean_is_taken(data) -> None:
    title = data.draw(titles())
    budget_kbps = data.draw(budgets(title))
    found = optimise(title, budget_kbps, "min")
    assert found is not None
    avq = within(title, budget_kbps)
    best = avq[avq.min(axis=1) == avq.min(axis=1).max()]
    assert found.mean_mos == pytest.approx((best @ title.time_share).max(), abs=TOLERANCE)


@LAW
@given(data=st.data())
def test_for_the_scenes_that_p5_lets_go_the_highest_mean_is_taken(data) -> None:
    # Only for these: another set of scenes let go, with the same p5, may have a higher mean.
    title = data.draw(titles())
    budget_kbps = data.draw(budgets(title))
    found = optimise(title, budget_kbps, "p5")
    assert found is not None
    avq = within(title, budget_kbps)
    held = chosen_avq(title, found) >= found.objective_mos
    alike = avq[((avq >= found.objective_mos) == held).all(axis=1)]
    assert found.mean_mos == pytest.approx((alike @ title.time_share).max(), abs=TOLERANCE)


@pytest.mark.parametrize("pool", POOLS)
@LAW
@given(data=st.data())
def test_no_choice_pools_more_than_the_bound_without_a_search(pool, data) -> None:
    title = data.draw(titles())
    budget_kbps = data.draw(budgets(title))
    best = pooled(within(title, budget_kbps), title.time_share, pool).max()
    assert best <= highest_pooled(title, budget_kbps, pool) + ROUNDING
    assert highest_pooled(title, title.least_kbps() * 0.99, pool) == -np.inf


def test_without_a_budget_the_bound_of_sums_is_the_best_choice_itself() -> None:
    title = Candidates(
        avq_mos=np.array([[2.0, 4.0], [1.0, 3.0]]), kbps=np.array([[1.0, 2.0], [1.0, 2.0]]), time_share=np.full(2, 0.5)
    )
    assert [pool for pool in POOLS if is_additive(pool)] == ["mean", "harmonic"]
    assert highest_pooled(title, 100.0, "mean") == pytest.approx(3.5)
    assert highest_pooled(title, 100.0, "harmonic") == pytest.approx(2 / (1 / 4 + 1 / 3))
    assert highest_pooled(title, 100.0, "min") == 3.0


@pytest.mark.parametrize("pool", POOLS)
@LAW
@given(data=st.data())
def test_more_budget_never_lowers_the_pooled_avq(pool, data) -> None:
    title = data.draw(titles())
    budget_kbps = data.draw(budgets(title))
    less, more = (optimise(title, b, pool) for b in (budget_kbps, budget_kbps * data.draw(st.floats(1, 2))))
    assert less is not None
    assert more is not None
    assert more.objective_mos >= less.objective_mos - TOLERANCE * 100


@pytest.mark.parametrize("pool", ["min", "p5"])
@LAW
@given(data=st.data())
def test_the_price_of_a_floor_is_what_a_tenth_more_budget_adds(pool, data) -> None:
    title = data.draw(titles())
    budget_kbps = data.draw(budgets(title))
    found, more = (optimise(title, b, pool) for b in (budget_kbps, budget_kbps * 1.1))
    assert found is not None
    assert more is not None
    gain = more.objective_mos - found.objective_mos
    assert found.price_mos_per_kbps == pytest.approx(gain / (0.1 * budget_kbps), abs=ROUNDING)


@pytest.mark.parametrize("pool", POOLS)
@LAW
@given(data=st.data())
def test_what_is_known_already_hides_nothing_that_beats_it(pool, data) -> None:
    title = data.draw(titles())
    budget_kbps = data.draw(budgets(title))
    best = optimise(title, budget_kbps, pool)
    assert best is not None
    beat_mos = best.objective_mos + data.draw(st.sampled_from([-1.0, -0.01, 0.0, 0.01]))
    found = optimise(title, budget_kbps, pool, beat_mos=beat_mos)
    assert found is not None
    assert found.upper_bound_mos >= best.objective_mos - ROUNDING
    if beat_mos < best.objective_mos:
        assert found.objective_mos == pytest.approx(best.objective_mos, abs=TOLERANCE * 100)


@pytest.mark.parametrize("pool", POOLS)
def test_a_deadline_in_the_past_leaves_a_choice_and_a_bound_that_are_what_they_say(pool: str) -> None:
    rng = np.random.default_rng(2)
    rate = rng.uniform(100, 5000, (20, 20))
    avq = 5 - 4 * np.exp(-rate / rng.uniform(300, 3000, (20, 1))) + rng.normal(0, 0.1, rate.shape)
    seconds = rng.uniform(1, 9, 20)
    title = Candidates(avq_mos=avq.clip(1, 5), kbps=rate, time_share=seconds / seconds.sum())
    best, found = optimise(title, 1000, pool), optimise(title, 1000, pool, deadline=0.0)
    assert best is not None
    assert found is not None
    assert not found.complete
    assert found.mean_kbps <= 1000
    assert found.upper_bound_mos >= best.objective_mos - ROUNDING
    of_choice = pooled(chosen_avq(title, found)[None], title.time_share, pool)[0]
    assert found.objective_mos == pytest.approx(of_choice, abs=ROUNDING)


def test_p5_lets_a_twentieth_of_the_time_go_and_no_more() -> None:
    # To lift the short scene would cost the long one its better pair.
    avq, rate = np.array([[1.0, 4.0], [3.0, 4.0]]), np.array([[10.0, 400.0], [10.0, 100.0]])
    for short, expected in ((0.05, 4.0), (0.051, 3.0)):
        title = Candidates(avq_mos=avq, kbps=rate, time_share=np.array([short, 1 - short]))
        found = optimise(title, 96.0, "p5")
        assert found is not None
        assert found.objective_mos == expected
        low = optimise(title, 96.0, "min")
        assert low is not None
        assert low.objective_mos == 3.0


def test_p5_is_found_where_every_scene_saves_at_the_same_rate(in_time) -> None:
    # A table of constant bitrates: letting go saves 5600 kbps of any scene's time, whichever it is.
    seconds = np.array([19, 20, 30, 38, 2, 6, 33, 37, 10, 13, 34, 17, 11, 33, 11, 16, 26, 22, 4, 2])
    title = Candidates(
        avq_mos=np.tile([3.0, 4.0], (20, 1)), kbps=np.tile([400.0, 6000.0], (20, 1)), time_share=seconds / 384
    )
    with in_time():
        found = optimise(title, 400 + 0.96 * 5600, "p5")
    assert found is not None
    assert found.objective_mos == 4.0


def test_nothing_fits_a_budget_below_the_cheapest_choice() -> None:
    title = Candidates(
        avq_mos=np.array([[2.0], [3.0]]), kbps=np.array([[100.0], [300.0]]), time_share=np.array([0.5, 0.5])
    )
    assert title.least_kbps() == 200.0
    for pool in POOLS:
        assert optimise(title, 199.9, pool) is None
        assert optimise(title, 200.0, pool) is not None


def test_only_pairs_within_a_rate_and_above_a_floor_are_kept() -> None:
    title = Candidates(
        avq_mos=np.array([[1.0, 2.0, 3.0], [4.0, 5.0, -np.inf]]),
        kbps=np.array([[10.0, 20.0, 30.0], [10.0, 20.0, np.inf]]),
        time_share=np.array([0.5, 0.5]),
    )
    kept = title.restricted(max_kbps=20.0, min_mos=np.array([2.0, -np.inf]))
    assert np.isfinite(kept.kbps).tolist() == [[False, True, False], [True, True, False]]
    assert (np.isfinite(kept.avq_mos) == np.isfinite(kept.kbps)).all()
    assert title.restricted(max_kbps=5.0).least_kbps() == np.inf
