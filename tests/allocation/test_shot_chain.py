"""Chains: the best at every price, the envelope around a capacity, and the search between; against all chains."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.allocation.shot_chain import StepChain, find_chains
from abr_alloc.allocation.shot_labels import search_chain

LAW = settings(deadline=None, max_examples=60, derandomize=True)

mos = st.integers(4, 20).map(lambda i: i / 4)
kbps = st.one_of(st.integers(1, 9).map(float), st.integers(100, 9999).map(lambda i: i / 7))


@dataclass(frozen=True)
class Case:
    """Options by rising AVQ, and every chain of them."""

    chain: StepChain
    values: np.ndarray
    weights: np.ndarray
    chains: np.ndarray
    """(N, S)."""

    def summed(self, table: np.ndarray) -> np.ndarray:
        return table[np.arange(len(table)), self.chains].sum(axis=1)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    scenes = draw(st.lists(st.lists(st.tuples(mos, kbps), min_size=1, max_size=5), min_size=1, max_size=4))
    step = draw(st.sampled_from([0.0, 0.25, 1.0, 2.0, 9.0]))
    shape = len(scenes), max(map(len, scenes))
    avq, weight = np.full(shape, -np.inf), np.full(shape, np.inf)
    for s, pairs in enumerate(scenes):
        avq[s, : len(pairs)], weight[s, : len(pairs)] = np.transpose(pairs)
    chain = StepChain(avq, step)
    values, weights = chain.sorted(avq), chain.sorted(weight)
    everything = np.indices((shape[1],) * shape[0]).reshape(shape[0], -1).T
    chosen = values[np.arange(shape[0]), everything]
    with np.errstate(invalid="ignore"):
        kept = np.isfinite(chosen).all(axis=1) & (np.abs(np.diff(chosen, axis=1)) <= step).all(axis=1)
    return Case(chain, values, weights, everything[kept])


@LAW
@given(case=cases(), prices=st.lists(st.floats(0, 2), min_size=1, max_size=3))
def test_the_best_chain_at_a_price_is_the_best_of_all(case, prices) -> None:
    finite = np.isfinite(case.weights)
    scores = np.stack(
        [
            np.where(finite, np.where(finite, case.values, 0) - p * np.where(finite, case.weights, 0), -np.inf)
            for p in prices
        ],
        axis=2,
    )
    choices, sums = case.chain.best(scores)
    for k, p in enumerate(prices):
        best = (case.summed(case.values) - p * case.summed(case.weights)).max(initial=-math.inf)
        assert sums[k] == pytest.approx(best, abs=1e-9)
        if len(case.chains):
            assert choices[k].tolist() in case.chains.tolist()
        onwards, so_far = case.chain.completions(scores)[..., k], case.chain.prefixes(scores)[..., k]
        assert onwards[0].max() == pytest.approx(best, abs=1e-9)
        assert so_far[-1].max() == pytest.approx(best, abs=1e-9)


@LAW
@given(case=cases())
def test_the_least_step_is_the_smallest_that_some_choice_keeps(case) -> None:
    least = case.chain.least_step_mos()
    for step in (least - 1e-6, least):
        finite = np.isfinite(case.chain.avq_mos)
        looser = StepChain(case.chain.avq_mos, max(step, 0.0))
        _, (found,) = looser.best(np.where(finite, 0.0, -np.inf)[..., None])
        assert (found > -math.inf) == (step >= least or least == 0.0)


@LAW
@given(case=cases(), data=st.data())
def test_brackets_are_on_the_envelope_and_searches_find_the_best_within(case, data) -> None:
    if not len(case.chains):
        assert find_chains(case.chain, case.values, case.weights, np.array([1e9])) == [None]
        return
    values, weights = case.summed(case.values), case.summed(case.weights)
    capacities = np.sort([data.draw(st.sampled_from(weights.tolist())), *np.linspace(weights.min(), weights.max(), 5)])
    brackets = find_chains(case.chain, case.values, case.weights, capacities)
    for capacity, bracket in zip(capacities.tolist(), brackets, strict=True):
        best = values[weights <= capacity * (1 + 1e-9)].max()
        assert bracket is not None
        assert bracket.weight <= capacity * (1 + 1e-9)
        assert bracket.value == pytest.approx(values[weights <= bracket.weight * (1 + 1e-9)].max(), abs=1e-9)
        assert bracket.bound(capacity) >= best - 1e-9
        for labels in (1, 3, 4096):
            found = search_chain(case.chain, case.values, case.weights, capacity, bracket, max_labels=labels)
            assert found.choice.tolist() in case.chains.tolist()
            assert found.value <= best + 1e-9
            assert found.bound >= best - 1e-8
            if labels == 4096:
                assert found.complete
                assert found.value == pytest.approx(best, abs=1e-8)


@LAW
@given(case=cases(), data=st.data())
def test_only_allowed_options_are_used(case, data) -> None:
    allowed = np.array([[data.draw(st.booleans()) for _ in row] for row in case.values])
    kept = case.chains[allowed[np.arange(len(allowed)), case.chains].all(axis=1)]
    own = Case(case.chain, case.values, case.weights, kept)
    capacity = data.draw(st.floats(1, 5000))
    (bracket,) = find_chains(case.chain, case.values, case.weights, np.array([capacity]), allowed=allowed[None])
    weights = own.summed(case.weights)
    assert (bracket is None) == (not (weights <= capacity).any())
    if bracket is not None:
        found = search_chain(case.chain, case.values, case.weights, capacity, bracket, allowed=allowed)
        assert found.value == pytest.approx(own.summed(case.values)[weights <= capacity].max(), abs=1e-8)


def test_a_long_chain_is_as_good_as_its_proof_says() -> None:
    rng = np.random.default_rng(5)
    kbps = np.geomspace(80, 6000, 40) * rng.uniform(0.8, 1.25, (60, 1))
    avq = 5 - 4 / (1 + kbps / rng.lognormal(6, 0.7, (60, 1)))
    chain = StepChain(avq, 0.2)
    values, weights = chain.sorted(avq), chain.sorted(kbps)
    capacities = np.geomspace(60 * 200, 60 * 3000, 12)
    for capacity, bracket in zip(capacities.tolist(), find_chains(chain, values, weights, capacities), strict=True):
        assert bracket is not None
        found = search_chain(chain, values, weights, capacity, bracket)
        rows = np.arange(60)
        assert (np.abs(np.diff(values[rows, found.choice])) <= 0.2 + 1e-9).all()
        assert weights[rows, found.choice].sum() <= capacity * (1 + 1e-9)
        assert found.bound - found.value < 60 * 1e-4
