"""Choices over scenes: against all that there are, for every pool and under every limit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.allocation.pooling import POOLS, Candidates
from abr_alloc.allocation.relaxation import cheapest_choice
from abr_alloc.allocation.shot_problem import ShotChoice, ShotProblem
from abr_alloc.allocation.shot_search import find_choices
from abr_alloc.allocation.shot_steps import UNUSED_SHARE
from abr_alloc.allocation.shot_windows import PeakWindows

LAW = settings(deadline=None, max_examples=40, derandomize=True)
EXACT = 1e-8

mos = st.one_of(st.integers(4, 20).map(lambda i: i / 4), st.integers(100, 500).map(lambda i: i / 100))
kbps = st.one_of(st.integers(1, 9).map(float), st.integers(100, 9999).map(lambda i: i / 7))


@dataclass(frozen=True)
class Case:
    """A problem, and all choices that keep its limits."""

    problem: ShotProblem
    choices: np.ndarray
    """(N, S)."""
    pooled: np.ndarray
    rates: np.ndarray


def cases(draw: st.DrawFn, pool: str, step: float = math.inf, windows: bool = False) -> Case:
    """Up to 4 ragged scenes of unequal length; windows of 1.5 s over scenes of 0.5 to 2 s."""
    scenes = draw(st.lists(st.lists(st.tuples(mos, kbps), min_size=1, max_size=4), min_size=1, max_size=4))
    halves = np.array(draw(st.lists(st.integers(1, 4), min_size=4, max_size=4)))[: len(scenes)]
    shape = len(scenes), max(map(len, scenes))
    avq, rate = np.full(shape, -np.inf), np.full(shape, np.inf)
    for s, pairs in enumerate(scenes):
        avq[s, : len(pairs)], rate[s, : len(pairs)] = np.transpose(pairs)
    title = Candidates(avq_mos=avq, kbps=rate, time_share=halves / halves.sum())
    problem = ShotProblem(candidates=title, pool=pool, max_step_mos=step)
    if windows:
        part = st.integers(1, 9).map(float)
        spread = []
        for s, number in enumerate(halves.tolist()):
            shape_of = np.array(draw(st.lists(part, min_size=4 * number, max_size=4 * number))).reshape(4, number)
            shape_of = shape_of[: shape[1]] / shape_of[: shape[1]].sum(axis=1, keepdims=True)
            spread.append(np.where(np.isfinite(rate[s]), rate[s], np.nan)[:, None] * number / 2 * shape_of)
        starts = (np.cumsum(halves) - halves) / 2
        peaks = PeakWindows(spread, starts.tolist(), halves.sum() / 2, 1.5)
        keeper = cheapest_choice(avq, rate)
        most = np.where(np.isfinite(rate), rate, 0).argmax(axis=1)
        low, high = peaks.peak_kbps(keeper), peaks.peak_kbps(most)
        peak = low + draw(st.floats(0, 1)) * max(high - low, 0.0)
        kept = peaks.inner_peaks_kbps() <= peak
        kept[np.arange(len(keeper)), keeper] = True
        title = Candidates(
            avq_mos=np.where(kept, avq, -np.inf), kbps=np.where(kept, rate, np.inf), time_share=title.time_share
        )
        problem = replace(problem, candidates=title, windows=peaks, peak_kbps=peak, keeper=keeper)
    everything = np.indices((shape[1],) * shape[0]).reshape(shape[0], -1).T
    there = np.isfinite(problem.candidates.kbps[np.arange(shape[0]), everything]).all(axis=1)
    kept_choices = np.array([c for c in everything[there] if problem.keeps(c)]).reshape(-1, shape[0])
    return Case(
        problem=problem,
        choices=kept_choices,
        pooled=np.array([problem.pooled_mos(c) for c in kept_choices]),
        rates=np.array([problem.mean_kbps(c) for c in kept_choices]),
    )


def budgets(draw: st.DrawFn, case: Case) -> np.ndarray:
    """From too little to more than enough, and exactly what some choice takes."""
    some = draw(st.sampled_from(case.rates.tolist()))
    low, high = case.rates.min(), case.rates.max()
    parts = draw(st.lists(st.floats(-0.1, 1.1), min_size=1, max_size=4))
    return np.sort([some, *(low + part * (high - low + 1) for part in parts)])


def best_within(case: Case, budget: float) -> float:
    return case.pooled[case.rates <= budget * (1 + 1e-9)].max(initial=-math.inf)


def check_proof(case: Case, budget: float, found: ShotChoice | None) -> None:
    """What every answer must be, whatever the limits."""
    best = best_within(case, budget * (1 - 2e-9))
    if found is None:
        assert best == -math.inf
        return
    assert case.problem.keeps(found.choice)
    own = case.problem.mean_kbps(found.choice)
    assert own <= budget * (1 + 1e-9)
    assert found.pooled_mos == pytest.approx(case.problem.pooled_mos(found.choice), abs=1e-12)
    assert best_within(case, own * (1 - 2e-9)) <= found.upper_bound_mos + EXACT
    assert best <= found.budget_bound_mos + EXACT
    assert found.price_mos_per_kbps >= 0.0


def check_exact(case: Case, budget: float, found: ShotChoice | None) -> None:
    """Nothing of its own rate is better, and nothing of the budget where it leaves more than a little unused."""
    if found is None:
        return
    own = case.problem.mean_kbps(found.choice)
    assert found.pooled_mos >= best_within(case, own * (1 - 2e-9)) - EXACT
    assert found.upper_bound_mos <= found.pooled_mos + EXACT
    if own < budget * (1 - UNUSED_SHARE):
        assert found.pooled_mos >= best_within(case, budget * (1 - 2e-9)) - EXACT


@pytest.mark.parametrize("pool", POOLS)
@LAW
@given(data=st.data())
def test_choices_are_those_of_brute_force(pool, data) -> None:
    case = cases(data.draw, pool)
    rates = budgets(data.draw, case)
    for budget, found in zip(rates, find_choices(case.problem, rates), strict=True):
        check_proof(case, budget, found)
        check_exact(case, budget, found)


@pytest.mark.parametrize("pool", [pool for pool in POOLS if pool != "p5"])
@LAW
@given(data=st.data(), step=st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]))
def test_choices_whose_steps_are_bounded_are_those_of_brute_force(pool, step, data) -> None:
    case = cases(data.draw, pool, step)
    if not len(case.choices):
        assert find_choices(case.problem, np.array([1e4])) == [None]
        return
    rates = budgets(data.draw, case)
    for budget, found in zip(rates, find_choices(case.problem, rates), strict=True):
        check_proof(case, budget, found)
        check_exact(case, budget, found)


@pytest.mark.parametrize("pool", POOLS)
@LAW
@given(data=st.data())
def test_choices_keep_every_window_and_no_bound_is_too_low(pool, data) -> None:
    case = cases(data.draw, pool, windows=True)
    rates = budgets(data.draw, case)
    for budget, found in zip(rates, find_choices(case.problem, rates), strict=True):
        check_proof(case, budget, found)


@pytest.mark.parametrize("pool", ["mean", "min"])
@LAW
@given(data=st.data(), step=st.sampled_from([0.5, 2.0]))
def test_choices_keep_windows_and_steps_together(pool, step, data) -> None:
    case = cases(data.draw, pool, windows=True)
    # The keeper of a case that bounds steps is a chain: any that keeps all windows will do.
    bounded = replace(case.problem, max_step_mos=step)
    kept = np.array([bounded.keeps(choice) for choice in case.choices])
    if not kept.any():
        return
    keeper = case.choices[kept][case.rates[kept].argmin()]
    case = Case(replace(bounded, keeper=keeper), case.choices[kept], case.pooled[kept], case.rates[kept])
    rates = budgets(data.draw, case)
    for budget, found in zip(rates, find_choices(case.problem, rates), strict=True):
        if found is not None or budget >= case.problem.mean_kbps(keeper):
            check_proof(case, budget, found)


@pytest.mark.parametrize("pool", POOLS)
@LAW
@given(data=st.data(), windows=st.booleans())
def test_nothing_is_worse_than_the_best_that_is_known(pool, windows, data) -> None:
    case = cases(data.draw, pool, windows=windows)
    known = [choice for choice in case.choices if data.draw(st.booleans())]
    merits = [(case.problem.mean_kbps(choice), case.problem.pooled_mos(choice)) for choice in known]
    rates = np.sort([*budgets(data.draw, case), *(rate for rate, _ in merits)])
    for budget, found in zip(rates, find_choices(case.problem, rates, known), strict=True):
        best = max((pooled for rate, pooled in merits if rate <= budget), default=-math.inf)
        assert found is not None or best == -math.inf
        if found is not None:
            assert found.pooled_mos >= best - 1e-9
            assert found.upper_bound_mos >= best_within(case, case.problem.mean_kbps(found.choice) * (1 - 2e-9)) - EXACT


def test_of_equal_options_the_one_is_taken_that_most_of_the_title_is_asked_for() -> None:
    # The second scene is black: nothing changes with its CRF.
    title = Candidates(
        avq_mos=np.array([[2.0, 3.0, 4.0], [5.0, 5.0, 5.0], [2.0, 3.0, 4.0]]),
        kbps=np.array([[100.0, 200.0, 400.0], [10.0, 10.0, 10.0], [100.0, 200.0, 400.0]]),
        time_share=np.array([0.4, 0.2, 0.4]),
    )
    problem = ShotProblem(candidates=title, pool="mean", asked=np.array([40.0, 30.0, 20.0]))
    (found,) = find_choices(problem, np.array([162.0]))
    assert found is not None
    assert found.choice.tolist() == [1, 1, 1]
