"""Stops of the slider hold what the planner chooses, and what more budget is worth."""

import dataclasses
import math

import numpy as np
import pytest

from abr_alloc import defaults
from abr_alloc.allocation.plan import plan_surfaces, planning_surfaces, scene_path
from abr_alloc.allocation.surface import build_surfaces, by_title
from abr_alloc.allocation.title_plan import plan_titles
from abr_alloc.models.checkpoint import load_model
from abr_alloc.reporting.budget_sweep import (
    EXTRA_KBPS,
    budget_stops,
    mean_rates_kbps,
    stops_per_scene,
    stops_per_title,
)
from abr_alloc.table.table import read_features


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def scenes(example, model):
    """The six scenes of one title."""
    *_, last = by_title(build_surfaces(read_features(example), model))
    return list(planning_surfaces(last, overhead=defaults.OVERHEAD))


BUDGETS = [60.0, 130.0, 300.0, 800.0, 3000.0]


def test_stops_are_round_numbers_about_five_percent_apart_from_the_cheapest_pair_to_saturation(scenes) -> None:
    stops = budget_stops(scenes, [333.0])
    assert 333.0 in stops
    assert stops == sorted(set(stops))
    assert stops[0] <= min(s.total_kbps.min() for s in scenes) * 1.05
    assert stops[-1] >= max(scene_path(s).path.from_kbps[-1] for s in scenes) * 0.95
    ratios = np.array(stops[1:]) / stops[:-1]
    assert ratios.max() < 1.12
    for kbps in set(stops) - {333.0}:
        unit = max(10 ** (math.floor(math.log10(kbps)) - 1) / 2, 1)
        assert kbps % unit == 0


def test_a_stop_per_scene_is_the_plan(scenes, model) -> None:
    plan = plan_surfaces(scenes, BUDGETS, model)
    for budget_kbps, stop in zip(BUDGETS, stops_per_scene(scenes, BUDGETS), strict=True):
        chosen = {a.scene: (a.video, a.audio) for a in plan.allocations if a.budget_kbps == budget_kbps}
        for surface, pair in zip(scenes, stop.scenes, strict=True):
            found = None if pair is None else (surface.video[pair.video], surface.audio[pair.audio])
            assert found == chosen.get(surface.scene)


def test_a_stop_per_title_is_the_plan_with_its_certificate(scenes, model) -> None:
    plan = plan_titles(scenes, BUDGETS, model)
    certificates = {c.budget_kbps: c for c in plan.certificates}
    for budget_kbps, stop in zip(BUDGETS, stops_per_title(scenes, BUDGETS), strict=True):
        if budget_kbps not in certificates:
            assert stop.avq_mos is None
            assert set(stop.scenes) == {None}
            assert mean_rates_kbps(scenes, stop) is None
            continue
        certificate = certificates[budget_kbps]
        assert stop.avq_mos == certificate.objective_mos
        assert stop.price_mos_per_kbps == certificate.price_mos_per_kbps
        rates = mean_rates_kbps(scenes, stop)
        assert rates is not None
        assert sum(rates) * 1.02 == pytest.approx(certificate.mean_kbps)


def test_extra_budget_is_worth_what_the_dearer_plan_has_more(scenes) -> None:
    for solve in (stops_per_scene, stops_per_title):
        now, more = solve(scenes, [300.0, 300.0 + EXTRA_KBPS])
        assert now.extra_gain_mos == pytest.approx(more.avq_mos - now.avq_mos, abs=1e-6)


def test_a_scenes_price_is_the_slope_of_its_hull(scenes) -> None:
    (surface, *_) = scenes
    taken = scene_path(surface).path.pair  # what plans take
    kbps, avq = surface.total_kbps.ravel()[taken], surface.avq_mos.ravel()[taken].astype(float)
    order = np.argsort(kbps)
    kbps, avq = kbps[order], np.maximum.accumulate(avq[order])
    for budget_kbps, (stop,) in ((b, stops_per_scene([surface], [b])) for b in (150.0, 200.0, 300.0)):
        # The tangent to the concave envelope at the budget: the least slope from any point within to any beyond.
        within, beyond = kbps <= budget_kbps, kbps > budget_kbps
        slopes = (avq[beyond] - avq[within][:, None]) / (kbps[beyond] - kbps[within][:, None])
        assert stop.price_mos_per_kbps == pytest.approx(max(slopes.max(axis=1).min(), 0.0), rel=1e-9)


def test_beyond_saturation_more_budget_has_no_price(scenes) -> None:
    for solve in (stops_per_scene, stops_per_title):
        (stop,) = solve(scenes, [1e6])
        assert stop.price_mos_per_kbps == 0.0
        assert stop.extra_gain_mos == 0.0


def test_a_stretch_of_a_digest_counts_like_a_scene_of_the_length_that_it_stands_for(scenes, model) -> None:
    weights = [30.0 / (i + 1) for i in range(len(scenes))]
    standing = [dataclasses.replace(s, stands_for_s=w) for s, w in zip(scenes, weights, strict=True)]
    longer = [dataclasses.replace(s, start_s=0.0, end_s=w) for s, w in zip(scenes, weights, strict=True)]
    for stops in (stops_per_scene, lambda found, budgets: stops_per_title(found, budgets)):
        one, other, plain = (stops(found, BUDGETS) for found in (standing, longer, scenes))
        assert one == other
        assert one != plain
    found = stops_per_title(standing, BUDGETS)[2]
    assert mean_rates_kbps(standing, found) == mean_rates_kbps(longer, found) != mean_rates_kbps(scenes, found)
