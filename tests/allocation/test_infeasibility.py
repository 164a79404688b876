"""Shortages: every reason names the scene to blame and what it would cost, and what it says is so."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.allocation.infeasibility import explain_shortage
from abr_alloc.allocation.pooling import Candidates
from abr_alloc.errors import InfeasibleBudgetError, InfeasibleLimits

NO_FLOOR = -math.inf
NO_RATE = math.inf

SECONDS = [1.0, 3.0]
SCENES = [4, 9]
CASE = [[(100.0, 2.0), (400.0, 3.0), (900.0, 4.0)], [(60.0, 1.5), (200.0, 3.5)]]
"""(kbps, MOS) of the pairs of two scenes, which are numbered 4 and 9 and last 1 and 3 s."""


def candidates(scenes: list[list[tuple[float, float]]], seconds: list[float]) -> Candidates:
    shape = len(scenes), max(map(len, scenes))
    avq, kbps = np.full(shape, -np.inf), np.full(shape, np.inf)
    for s, pairs in enumerate(scenes):
        kbps[s, : len(pairs)], avq[s, : len(pairs)] = np.transpose(pairs)
    return Candidates(avq_mos=avq, kbps=kbps, time_share=np.array(seconds) / sum(seconds))


@pytest.fixture
def explain(make_surface):
    """The shortage of two scenes that have these cases."""
    title = [
        make_surface(np.ones((1, 1)), [1.0], [1.0], scene=scene, time_s=(0.0, seconds))
        for scene, seconds in zip(SCENES, SECONDS, strict=True)
    ]

    def of(*cases, budget: float = 1e9, rate: float = NO_RATE, floor: float = NO_FLOOR) -> InfeasibleLimits:
        return explain_shortage(title, [candidates(case, SECONDS) for case in cases], budget, rate, floor)

    return of


def test_a_budget_below_the_cheapest_allocation_blames_no_scene(explain) -> None:
    found = explain(CASE, budget=50.0)
    # 1/4 x 100 + 3/4 x 60
    assert (found.scene, found.needed_kbps, found.budget_kbps) == (None, 70.0, 50.0)
    assert str(found) == "'t': a mean of 50 kbps is below the title's cheapest allocation, 70.0 kbps"
    assert found.hint == "raise `budget_kbps` or add a cheaper rendition to the grid"


def test_of_several_cases_the_cheapest_allocation_is_named(explain) -> None:
    cheaper = [[(80.0, 1.0)], [(60.0, 1.5)]]
    assert explain(CASE, cheaper, budget=50.0).needed_kbps == 65.0


def test_a_floor_over_the_budget_blames_the_scene_that_takes_most_of_it(explain) -> None:
    found = explain(CASE, budget=200.0, floor=3.0)
    # 1/4 x 400 + 3/4 x 200: the second scene has the lower rate and takes more.
    assert (found.scene, found.needed_kbps) == (9, 250.0)
    assert str(found) == (
        "'t' scene 9: keeping `min_avq_mos` 3 in every scene costs a mean of 250.0 kbps, over the budget of 200; "
        "scene 9 takes the most, 200.0 kbps for 3.0 s"
    )
    assert found.hint == "raise `budget_kbps` or lower `min_avq_mos`"


def test_a_floor_that_no_pair_reaches_names_the_scene_and_its_best(explain) -> None:
    found = explain(CASE, floor=3.75)
    assert (found.scene, found.needed_kbps) == (9, None)
    assert str(found) == "'t' scene 9: no pair reaches `min_avq_mos` 3.75; the scene's best has an AVQ of 3.50"
    assert found.hint == "lower `min_avq_mos` or add better renditions to the grid"


def test_a_rate_below_the_cheapest_pair_names_the_scene_and_the_pair(explain) -> None:
    found = explain(CASE, rate=99.0)
    assert (found.scene, found.needed_kbps) == (4, 100.0)
    assert str(found) == "'t' scene 4: the cheapest pair takes 100.0 kbps, over `max_rate_kbps` 99k"
    assert found.hint == "raise `max_rate_kbps` or add a cheaper rendition to the grid"


def test_a_floor_and_a_rate_that_contradict_each_other_name_the_scene_and_what_the_floor_takes(explain) -> None:
    found = explain(CASE, rate=300.0, floor=2.5)
    assert (found.scene, found.needed_kbps) == (4, 400.0)
    assert str(found) == (
        "'t' scene 4: `min_avq_mos` 2.5 and `max_rate_kbps` 300k contradict each other: that AVQ takes 400.0 kbps"
    )
    assert found.hint == "raise `max_rate_kbps` or lower `min_avq_mos`"


def test_a_scene_that_no_case_serves_is_blamed_before_one_that_another_case_serves(explain) -> None:
    # The first case fails at both scenes, the second at scene 9 only; the best and the cheapest are of both.
    first, second = [[(100.0, 1.0)], [(60.0, 1.5)]], [[(100.0, 4.0)], [(300.0, 2.5)]]
    found = explain(first, second, floor=3.0)
    assert (found.scene, found.needed_kbps) == (9, None)
    assert found.reason.endswith("the scene's best has an AVQ of 2.50")
    assert explain(first, second, rate=50.0).needed_kbps == 100.0
    assert explain(first[::-1], second[::-1], rate=50.0).needed_kbps == 60.0
    # One case has the AVQ and not the rate, the other the rate and not the AVQ.
    assert explain(first, second, rate=200.0, floor=2.0).needed_kbps == 300.0


def test_where_every_case_fails_at_another_scene_the_one_that_comes_closest_is_explained(explain) -> None:
    good, poor = [(100.0, 4.0)], [(60.0, 2.0)]
    assert explain([poor, good], [good, poor], floor=3.0).scene == 4
    assert explain([good, poor], [poor, good], floor=3.0).scene == 9


def test_what_another_audio_rendition_reaches_is_not_said_to_be_out_of_reach(explain) -> None:
    # With one rendition scene 4 fails and scene 9 does not, with the other it is the reverse: only together they fail.
    good, poor = [(100.0, 4.0)], [(600.0, 2.0)]
    for limit in ({"floor": 3.0}, {"rate": 500.0}):
        reason = explain([poor, good], [good, poor], **limit).reason
        assert "no pair reaches `min_avq_mos` 3; the scene's best has an AVQ of 2.00" not in reason
        assert reason != "the cheapest pair takes 600.0 kbps, over `max_rate_kbps` 500k"


@settings(deadline=None, max_examples=100, derandomize=True)
@given(
    scenes=st.lists(
        st.lists(st.tuples(st.integers(10, 900).map(float), st.integers(4, 20).map(lambda i: i / 4)), min_size=1),
        min_size=1,
        max_size=4,
    ),
    budget=st.integers(1, 500).map(float),
    rate=st.sampled_from([NO_RATE, 500.0, 100.0]),
    floor=st.sampled_from([NO_FLOOR, 1.0, 3.0, 4.5]),
)
def test_what_is_said_to_be_needed_suffices_where_it_is_said_to_be_missing(
    make_surface, scenes, budget, rate, floor
) -> None:
    title = [make_surface(np.ones((1, 1)), [1.0], [1.0], scene=i) for i in range(len(scenes))]
    case = candidates(scenes, [1.0] * len(scenes))
    both = case.restricted(max_kbps=rate, min_mos=floor)
    if both.least_kbps() <= budget:
        return
    found = explain_shortage(title, [case], budget, rate, floor)
    if math.isfinite(both.least_kbps()):
        assert found.needed_kbps == both.least_kbps()
        return
    assert found.scene is not None
    assert not np.isfinite(both.kbps[found.scene]).any()
    reached = [kbps for kbps, mos in scenes[found.scene] if mos >= floor]
    if found.needed_kbps is None:
        assert not reached
    else:
        # The rate opens the scene, or, where the floor stands in the way as well, its cheapest pair.
        assert found.needed_kbps > rate
        assert found.needed_kbps in (min(reached), min(kbps for kbps, _ in scenes[found.scene]))


def test_the_error_of_a_whole_plan_names_the_first_shortage_and_counts_the_rest(explain) -> None:
    found = explain(CASE, budget=50.0)
    error = InfeasibleBudgetError([found, replace(found, title="u")])
    assert str(error) == f"{found} (and 1 more); {found.hint}"
