"""Ladders for money: the best that can be paid, and the cheapest that is good enough, found by trying all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.allocation import priced_search
from abr_alloc.allocation.audience import Audience, lognormal, weighted
from abr_alloc.allocation.candidates import list_candidates
from abr_alloc.allocation.cost import Prices, ladder_cost
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.priced_search import BestLadder, Limit, search
from abr_alloc.allocation.priced_steps import Path, PricedSteps
from abr_alloc.allocation.rung import keeps_rules
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.errors import InfeasibleLadderError

HOUR_S = 3600.0
MAX_RUNGS = 4
LAW = settings(deadline=None, max_examples=80)
LOOSE = LadderRules(max_audio=None, min_ratio=1.001, max_ratio=1000.0, tie_mos=0.0)


@dataclass(frozen=True)
class Tried:
    """A ladder with what it comes to, by the functions that any ladder is judged by."""

    avq_mos: float
    cost: float


def try_all(
    surface: QualitySurface, audience: Audience, prices: Prices, rules: LadderRules, max_rungs: int
) -> Iterator[Tried]:
    """Every lawful ladder of up to some rungs: every subset of the candidates."""
    c = list_candidates(surface, audience, rules)
    for size in range(1, max_rungs + 1):
        for chosen in itertools.combinations(range(len(c.video)), size):
            found = c.ladder_of(chosen, (0.0, 0.0))
            twins = any(
                a.video != b.video
                and a.video.bitrate_kbps == b.video.bitrate_kbps
                and a.video.height_px == b.video.height_px
                for a, b in itertools.pairwise(found.rungs)
            )
            if keeps_rules(found, rules) and not twins:
                yield Tried(found.expected_avq_mos, ladder_cost(prices, found, HOUR_S).total)


@st.composite
def surfaces(draw: st.DrawFn) -> dict:
    """Few pairs of any shape, with repeated rates, ties and shared audio."""
    video = draw(st.lists(st.sampled_from([90.0, 100.0, 150.0, 300.0, 700.0, 1100.0]), min_size=1, max_size=4))
    audio = draw(st.lists(st.sampled_from([30.0, 60.0, 60.0, 90.0]), min_size=1, max_size=3))
    few = st.sampled_from([1.0, 2.0, 2.5, 4.0]) if draw(st.booleans()) else st.integers(100, 500).map(lambda i: i / 100)
    rising = 5 - 4 * np.exp(-np.add.outer(np.array(video), 2 * np.array(audio)) / draw(st.sampled_from([100, 400])))
    avq = rising if draw(st.booleans()) else np.array([[draw(few) for _ in audio] for _ in video])
    sides = [draw(st.sampled_from([240, 360])) for _ in video]
    return {
        "avq_mos": avq,
        "video_kbps": video,
        "audio_kbps": audio,
        "sides_px": sides,
        "overhead": draw(st.sampled_from([0.0, 0.02])),
    }


@st.composite
def audiences(draw: st.DrawFn) -> Audience:
    if draw(st.booleans()):
        return lognormal(draw(st.sampled_from([60.0, 300.0, 1500.0])), draw(st.sampled_from([0.2, 1.0])))
    kbps = np.array(sorted(draw(st.sets(st.integers(50, 1500), min_size=1, max_size=5))), dtype=float)
    return weighted(kbps, np.array([draw(st.integers(1, 5)) for _ in kbps], dtype=float), "n")


PRICES = st.builds(
    Prices,
    storage_per_gb_month=st.sampled_from([0.0, 0.02, 5.0]),
    delivery_per_gb=st.sampled_from([0.0, 0.05]),
    views=st.sampled_from([0.0, 3.0, 1e6]),
    months=st.sampled_from([1.0, 12.0]),
)
RULES = st.builds(
    lambda **changed: replace(LOOSE, **changed),
    max_audio=st.sampled_from([None, 1, 2]),
    min_ratio=st.sampled_from([1.001, 1.25, 2.0]),
    min_step_mos=st.sampled_from([0.0, 0.1]),
    min_played_share=st.sampled_from([0.0, 0.01]),
)


def solve(
    surface: QualitySurface, audience: Audience, prices: Prices, rules: LadderRules, limit: Limit, max_rungs: int
) -> BestLadder | Path | None:
    c = list_candidates(surface, audience, rules)
    audio = len(surface.audio) if rules.max_audio is None else min(rules.max_audio, len(surface.audio))
    return search(PricedSteps.of(c, prices, HOUR_S, rules, max_rungs, audio), limit)


def assert_cheapest(found: Path, tried: list[Tried], avq_mos: float) -> None:
    """None with as high an AVQ costs less, but for what differs by rounding."""
    nearly = min(one.cost for one in tried if one.avq_mos >= avq_mos - 1e-8)
    quite = min((one.cost for one in tried if one.avq_mos >= avq_mos), default=math.inf)
    assert nearly * (1.0 - 1e-9) <= found.cost <= quite * (1.0 + 1e-9)


def same(cost: float) -> object:
    return pytest.approx(cost, rel=1e-9, abs=1e-12)


@LAW
@given(data=st.data(), max_rungs=st.integers(1, MAX_RUNGS))
def test_the_best_ladder_for_a_budget_is_that_of_brute_force(make_surface, data: st.DataObject, max_rungs: int) -> None:
    surface, audience = make_surface(**data.draw(surfaces())), data.draw(audiences())
    prices, rules = data.draw(PRICES), data.draw(RULES)
    tried = list(try_all(surface, audience, prices, rules, max_rungs))
    costs = sorted({one.cost for one in tried}) or [1.0]
    # What some ladder costs to the last bit, or anything from too little to more than enough.
    budget = data.draw(st.one_of(st.sampled_from(costs), st.floats(0.5 * costs[0], 1.5 * costs[-1] + 1e-9)))
    found = solve(surface, audience, prices, rules, Limit(budget=budget), max_rungs)
    paid = [one for one in tried if one.cost <= budget * (1.0 + 1e-10)]
    if not tried:
        assert found is None
    elif not paid:
        assert isinstance(found, Path) and found.cost == same(costs[0])
    else:
        assert isinstance(found, BestLadder) and found.complete
        best = max(one.avq_mos for one in paid)
        assert found.found.avq_mos == pytest.approx(best, abs=1e-8) and found.bound == pytest.approx(best, abs=1e-8)
        assert found.found.cost <= budget * (1.0 + 1e-9)
        assert_cheapest(found.found, paid, best)


@LAW
@given(data=st.data(), max_rungs=st.integers(1, MAX_RUNGS))
def test_the_cheapest_ladder_that_is_good_enough_is_that_of_brute_force(
    make_surface, data: st.DataObject, max_rungs: int
) -> None:
    surface, audience = make_surface(**data.draw(surfaces())), data.draw(audiences())
    prices, rules = data.draw(PRICES), data.draw(RULES)
    tried = list(try_all(surface, audience, prices, rules, max_rungs))
    reached = sorted({one.avq_mos for one in tried}) or [1.0]
    floor = data.draw(st.one_of(st.sampled_from(reached), st.floats(1.0, 5.0)))
    found = solve(surface, audience, prices, rules, Limit(least_avq_mos=floor), max_rungs)
    good = [one for one in tried if one.avq_mos >= floor - 1e-9]
    if not tried:
        assert found is None
    elif not good:
        assert isinstance(found, Path) and found.avq_mos == pytest.approx(reached[-1], abs=1e-8)
    else:
        assert isinstance(found, BestLadder) and found.complete
        assert_cheapest(found.found, tried, floor)
        assert found.found.avq_mos >= floor - 1e-8 and found.bound == same(found.found.cost)


def test_what_rungs_share_is_paid_once(make_surface) -> None:
    """Both rungs for the price of two videos and one audio rendition, to the last digit; a little less buys one."""
    surface = make_surface([[2.0], [4.0]], [100.0, 900.0], [50.0])
    audience = weighted(np.array([200.0, 2000.0]), np.ones(2), "n")
    prices = Prices(storage_per_gb_month=1.0, delivery_per_gb=0.0, views=10.0, months=1.0)
    both = prices.storage(1050.0, HOUR_S)
    for budget, rungs in ((both, 2), (both * 0.999, 1)):
        found = solve(surface, audience, prices, LOOSE, Limit(budget=budget), 4)
        assert isinstance(found, BestLadder) and len(found.found.path) == rungs


@pytest.fixture(scope="module")
def rough(make_surface) -> tuple[PricedSteps, float, float]:
    """Ladders with little order to their quality, so that the relaxation says little; a budget and its answer."""
    rng = np.random.default_rng(5)
    video, audio = rng.uniform(50, 5000, 40), rng.uniform(20, 200, 5)
    rising = 4.5 - 3.0 * np.exp(-np.add.outer(video, 5.0 * audio) / 2000.0)
    surface = make_surface(rising + rng.uniform(-0.5, 0.5, rising.shape), video, audio)
    audience, rules = lognormal(1000, 1), LadderRules(tie_mos=0.0)
    prices = Prices(storage_per_gb_month=0.02, delivery_per_gb=0.05, views=100.0)
    steps = PricedSteps.of(list_candidates(surface, audience, rules), prices, HOUR_S, rules, 6, 3)
    found = search(steps, Limit(budget=2.0))
    assert isinstance(found, BestLadder) and found.complete and found.mos_per_money > 0.0
    return steps, 2.0, found.found.avq_mos


@pytest.mark.parametrize(("easy", "most"), [(0, 10_000_000), (3, 10_000_000), (3, 3), (0, 0)])
def test_a_search_that_is_cut_short_says_what_it_has_proven(
    rough, easy: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, budget, best = rough
    monkeypatch.setattr(priced_search, "_EASY_LABELS", easy)
    monkeypatch.setattr(priced_search, "MAX_LABELS", most)
    found = search(steps, Limit(budget=budget))
    assert isinstance(found, BestLadder) and found.complete == (most > 3)
    assert found.found.cost <= budget and found.found.avq_mos <= best <= found.bound + 1e-9
    assert found.found.avq_mos == best or not found.complete
    assert math.isfinite(found.bound)


def test_more_money_never_buys_less_and_a_higher_floor_never_costs_less(rough) -> None:
    steps, _, _ = rough
    bought = [search(steps, Limit(budget=money)) for money in np.geomspace(0.3, 10.0, 12)]
    avq_mos = [one.found.avq_mos for one in bought if isinstance(one, BestLadder)]
    assert len(avq_mos) > 8 and avq_mos == sorted(avq_mos)
    paid = [search(steps, Limit(least_avq_mos=floor)) for floor in avq_mos]
    costs = [one.found.cost for one in paid if isinstance(one, BestLadder)]
    assert len(costs) == len(avq_mos) and costs == sorted(costs)


def test_few_views_pay_for_few_rungs_and_many_for_cheaper_ones(make_surface) -> None:
    """Of a third of what the best ladder costs: storage is most of it, or hardly any."""
    video, audio = np.geomspace(100, 5000, 30), [64.0]
    surface = make_surface(4.6 - 3.6 * np.exp(-np.add.outer(video, np.array(audio)) / 500.0), video, audio)
    ladders = {}
    for views in (1.0, 1e6):
        prices = Prices(storage_per_gb_month=0.02, delivery_per_gb=0.05, views=views)
        most = solve(surface, lognormal(3000, 0.9), prices, LadderRules(), Limit(least_avq_mos=4.0), 6)
        assert isinstance(most, BestLadder)
        found = solve(surface, lognormal(3000, 0.9), prices, LadderRules(), Limit(budget=0.75 * most.found.cost), 6)
        assert isinstance(found, BestLadder)
        ladders[views] = found.found.path
    assert len(ladders[1.0]) < len(ladders[1e6]) and ladders[1.0][-1] > ladders[1e6][-1]


def test_where_no_rung_is_played_there_is_no_ladder(make_surface) -> None:
    surface = make_surface([[2.0]], [900.0], [50.0])
    rules = replace(LOOSE, min_played_share=0.5)
    prices = Prices(storage_per_gb_month=1.0, delivery_per_gb=1.0, views=1.0)
    assert solve(surface, lognormal(100, 0.5), prices, rules, Limit(budget=1.0), 2) is None
    with pytest.raises(InfeasibleLadderError):
        list_candidates(surface, lognormal(100, 0.5), replace(rules, max_kbps=10.0))
