"""What ladders cost: sums that can be done by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr_alloc.allocation.audience import weighted
from abr_alloc.allocation.cost import Prices, ladder_cost, rung_costs
from abr_alloc.allocation.rung import Ladder, make_ladder
from abr_alloc.errors import ArgumentError

HOUR_S = 3600.0
PRICES = Prices(storage_per_gb_month=0.02, delivery_per_gb=0.05, views=1000.0, months=10.0)


def test_a_rate_is_kept_once_and_sent_to_everyone_who_plays_it() -> None:
    """1 Mbit/s for an hour is 0.45 GB."""
    cost = rung_costs(PRICES, [{"video": 800.0, "audio": 200.0}], [0.5], HOUR_S)
    assert cost.storage == pytest.approx(0.45 * 0.02 * 10)
    assert cost.delivery == pytest.approx(0.45 * 0.05 * 1000 * 0.5)
    assert cost.total == cost.storage + cost.delivery and cost.duration_s == HOUR_S


def test_what_rungs_share_is_stored_by_the_lowest_alone() -> None:
    cost = rung_costs(
        PRICES,
        [{"v1": 300.0, "a1": 50.0}, {"v2": 600.0, "a1": 50.0}, {"v2": 600.0, "a2": 100.0}],
        [0.2, 0.3, 0.4],
        HOUR_S,
    )
    per_kbps = 0.45 / 1000 * 0.02 * 10
    assert [rung.storage for rung in cost.rungs] == pytest.approx([350 * per_kbps, 600 * per_kbps, 100 * per_kbps])
    assert cost.storage == pytest.approx((300 + 600 + 50 + 100) * per_kbps)
    assert cost.delivery == pytest.approx(0.45 / 1000 * 0.05 * 1000 * (0.2 * 350 + 0.3 * 650 + 0.4 * 700))


@pytest.fixture
def ladder(make_surface) -> Ladder:
    """Two rungs with one audio rendition, 2 % overhead; a quarter of the audience has the bandwidth for neither."""
    surface = make_surface([[2.0], [4.0]], [100.0, 900.0], [50.0])
    audience = weighted(np.array([100.0, 500.0, 2000.0]), np.array([1.0, 1.0, 2.0]), "n")
    rungs = [(v, surface.audio[0], (v.bitrate_kbps + 50.0) * 1.02, 3.0, "") for v in surface.video]
    return make_ladder("t", rungs, audience, (0.0, 0.0))


def test_a_ladder_is_stored_and_sent_with_its_overhead_and_not_to_whom_it_does_not_reach(ladder: Ladder) -> None:
    cost = ladder_cost(PRICES, ladder, HOUR_S)
    gb_per_kbps = 0.45 / 1000
    assert cost.storage == pytest.approx(1.02 * (100 + 900 + 50) * gb_per_kbps * 0.02 * 10)
    assert cost.delivery == pytest.approx(1.02 * (0.25 * 150 + 0.5 * 950) * gb_per_kbps * 0.05 * 1000)


@given(factor=st.floats(0.1, 10.0), name=st.sampled_from(["views", "months"]))
def test_delivery_goes_with_views_and_storage_with_months(factor: float, name: str) -> None:
    streams = [{"v": 100.0, "a": 30.0}, {"w": 500.0, "a": 30.0}]
    before = rung_costs(PRICES, streams, [0.4, 0.6], HOUR_S)
    after = rung_costs(replace(PRICES, **{name: getattr(PRICES, name) * factor}), streams, [0.4, 0.6], HOUR_S)
    grows, stays = ("delivery", "storage") if name == "views" else ("storage", "delivery")
    assert getattr(after, grows) == pytest.approx(factor * getattr(before, grows))
    assert getattr(after, stays) == getattr(before, stays)


def test_nothing_watched_and_nothing_charged_cost_nothing(ladder: Ladder) -> None:
    assert ladder_cost(replace(PRICES, views=0.0), ladder, HOUR_S).delivery == 0.0
    assert ladder_cost(replace(PRICES, storage_per_gb_month=0.0), ladder, HOUR_S).storage == 0.0


@pytest.mark.parametrize("value", [-0.01, math.nan, math.inf, "0.02", True, None])
@pytest.mark.parametrize("name", ["storage_per_gb_month", "delivery_per_gb", "views", "months"])
def test_a_price_is_a_number_of_at_least_nothing(name: str, value: object) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}` is"):
        replace(PRICES, **{name: value})
