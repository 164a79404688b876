"""What a budget buys: from the cheapest allocation to saturation, each point the plan at its budget."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from abr_alloc.allocation.sensitivity import NUM_POINTS, BudgetPoint, sweep_budgets
from abr_alloc.allocation.surface import QualitySurface, build_surfaces
from abr_alloc.allocation.title_plan import Limits, plan_titles
from abr_alloc.models.checkpoint import load_model
from abr_alloc.table.table import read_features

POOLS = ["mean", "harmonic", "min", "p5"]


@pytest.fixture(scope="module")
def scenes(example) -> list[QualitySurface]:
    """A title of two scenes and one of six."""
    found = build_surfaces(read_features(example), load_model())
    return [s for s in found if s.title in ("bbb-rabbit-wakes-720p", "tos-battle-action-332p")]


@pytest.fixture(scope="module", params=POOLS)
def swept(request, scenes) -> tuple[Limits, list[BudgetPoint]]:
    limits = Limits(pool=request.param)
    points, infeasible = sweep_budgets(scenes, limits)
    assert not infeasible
    return limits, points


def of_titles(points: list[BudgetPoint]) -> list[list[BudgetPoint]]:
    return [list(own) for _, own in itertools.groupby(points, key=lambda p: p.title)]


def test_every_title_has_its_points_with_rising_budgets(swept) -> None:
    assert [len(own) for own in of_titles(swept[1])] == [NUM_POINTS] * 2
    for own in of_titles(swept[1]):
        assert (np.diff([p.budget_kbps for p in own]) > 0).all()


def test_avq_never_falls_with_budget_and_no_price_is_negative(swept) -> None:
    for own in of_titles(swept[1]):
        assert (np.diff([p.avq_mos for p in own]) >= -1e-9).all()
        assert all(p.price_mos_per_kbps >= 0 for p in own)


def test_the_parts_add_up_and_no_budget_is_overspent(swept) -> None:
    for p in swept[1]:
        assert p.video_kbps + p.audio_kbps + p.overhead_kbps == pytest.approx(p.mean_kbps)
        assert p.overhead_kbps == pytest.approx(0.02 * (p.video_kbps + p.audio_kbps))
        assert p.audio_share == pytest.approx(p.audio_kbps / (p.audio_kbps + p.video_kbps))
        assert p.mean_kbps <= p.budget_kbps * (1 + 1e-6)


def test_the_first_point_is_the_cheapest_allocation(swept, scenes) -> None:
    for own in of_titles(swept[1]):
        title = [s for s in scenes if s.title == own[0].title]
        seconds = [s.duration_s for s in title]
        # One audio rendition for the title; every scene its cheapest video rendition.
        cheapest = min(
            math.fsum(t * s.total_kbps[:, a].min() for t, s in zip(seconds, title, strict=True)) / sum(seconds)
            for a in range(len(title[0].audio))
        )
        assert own[0].budget_kbps == pytest.approx(cheapest)
        assert own[0].mean_kbps == pytest.approx(cheapest)


def test_the_last_point_is_saturated(swept, scenes) -> None:
    limits, points = swept
    plan = plan_titles(scenes, [1e6], load_model(), limits)
    for own, certificate in zip(of_titles(points), plan.certificates, strict=True):
        assert own[-1].avq_mos == pytest.approx(certificate.objective_mos, abs=1e-8)
        assert own[-2].avq_mos <= own[-1].avq_mos


def test_each_point_is_the_plan_at_its_budget(swept, scenes) -> None:
    limits, points = swept
    model = load_model()
    for own in of_titles(points):
        title = [s for s in scenes if s.title == own[0].title]
        for p in own[::6]:
            plan = plan_titles(title, [p.budget_kbps * (1 + 1e-9)], model, limits)
            (certificate,) = plan.certificates
            assert p.avq_mos == pytest.approx(certificate.objective_mos, abs=1e-8)
            assert p.mean_kbps == pytest.approx(certificate.mean_kbps)
            assert p.price_mos_per_kbps == pytest.approx(certificate.price_mos_per_kbps)


def test_the_last_budget_is_the_least_that_buys_the_best_avq(scenes) -> None:
    # The two dearest video renditions of a scene are equally good: saturation needs only the cheaper of them.
    one = scenes[0]
    order = np.argsort([v.bitrate_kbps for v in one.video])[-2:]
    avq = one.avq_mos.copy()
    avq[order] = 4.9
    points, _ = sweep_budgets([replace(one, avq_mos=avq)])
    assert points[-1].avq_mos == pytest.approx(4.9)
    assert points[-1].mean_kbps == pytest.approx(one.total_kbps[order[0]].min())


def test_a_title_with_one_pair_has_one_point(scenes) -> None:
    one = scenes[0]
    only = replace(
        one,
        video=one.video[:1],
        audio=one.audio[:1],
        avq_mos=one.avq_mos[:1, :1],
        total_kbps=one.total_kbps[:1, :1],
        x_v=one.x_v[:1],
        x_a=one.x_a[:1],
    )
    (point,), infeasible = sweep_budgets([only])
    assert not infeasible
    assert point.budget_kbps == point.mean_kbps == pytest.approx(one.total_kbps[0, 0])


def test_limits_hold_at_every_budget_and_what_cannot_be_had_is_named(scenes) -> None:
    limits = Limits(min_avq_mos=3.5, max_rate_kbps=1500.0)
    free, _ = sweep_budgets(scenes)
    points, infeasible = sweep_budgets(scenes, limits)
    assert not infeasible
    for own, all_ in zip(of_titles(points), of_titles(free), strict=True):
        assert own[0].avq_mos >= 3.5
        assert own[0].budget_kbps >= all_[0].budget_kbps
        assert own[-1].avq_mos <= all_[-1].avq_mos + 1e-9
    points, infeasible = sweep_budgets(scenes, Limits(min_avq_mos=4.9))
    assert not points
    assert [title.title for title in infeasible] == list(dict.fromkeys(s.title for s in scenes))


def test_the_number_of_points_can_be_chosen(scenes) -> None:
    points, _ = sweep_budgets(scenes, num_points=3)
    assert [len(own) for own in of_titles(points)] == [3, 3]
    budgets = [p.budget_kbps for p in of_titles(points)[0]]
    assert budgets[1] == pytest.approx(math.sqrt(budgets[0] * budgets[2])), "evenly spaced in their logarithm"


def test_a_stretch_of_a_digest_counts_like_a_scene_of_the_length_that_it_stands_for(scenes) -> None:
    weights = [30.0 / (i + 1) for i in range(len(scenes))]
    standing = [replace(s, stands_for_s=w) for s, w in zip(scenes, weights, strict=True)]
    longer = [replace(s, start_s=0.0, end_s=w) for s, w in zip(scenes, weights, strict=True)]
    assert sweep_budgets(standing, Limits()) == sweep_budgets(longer, Limits())
    assert sweep_budgets(standing, Limits()) != sweep_budgets(scenes, Limits())
    one, other = (plan_titles(found, [300.0], load_model(), Limits()) for found in (standing, longer))
    assert one.certificates == other.certificates
