"""What an audience can expect of rungs, and the rules that a ladder of any origin is held to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from abr_alloc.allocation.audience import lognormal, weighted
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.rung import expected_avq_mos, keeps_rules, make_ladder
from abr_alloc.allocation.surface import AudioRendition, VideoRendition

QUARTERS = weighted(np.array([150.0, 250.0, 500.0, 900.0]), np.ones(4), "quarters")


def rung(total: float, avq: float, *, side: int = 360, video: float | None = None, audio: float = 64.0):
    return (
        VideoRendition(
            codec="h264",
            width_px=2 * side,
            height_px=side,
            target="b",
            bitrate_kbps=total - audio if video is None else video,
        ),
        AudioRendition(codec="aac", channels=2, target=f"b={audio:g}k", bitrate_kbps=audio),
        total,
        avq,
        "",
    )


def ladder(*rungs):
    return make_ladder("t", rungs, QUARTERS, (-0.2, 0.3))


def played(total: np.ndarray, avq: np.ndarray, kbps: float) -> float:
    """AVQ of one viewer: that of the highest rung that fits, or the foot of the scale."""
    fitting = np.flatnonzero(total <= kbps)
    return float(avq[fitting[-1]]) if len(fitting) else 1.0


@st.composite
def some_rungs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    total = sorted(draw(st.sets(st.integers(50, 5000), min_size=1, max_size=6)))
    avq = sorted(draw(st.lists(st.integers(10, 50), min_size=len(total), max_size=len(total))))
    return np.array(total, dtype=float), np.array(avq) / 10


@settings(deadline=None, max_examples=100)
@given(some_rungs(), st.dictionaries(st.integers(20, 6000), st.integers(1, 9), min_size=1, max_size=8))
def test_expected_avq_is_the_sum_over_viewers_of_the_highest_rung_that_fits(rungs, masses) -> None:
    total, avq = rungs
    kbps = np.array(sorted(masses), dtype=float)
    weights = np.array([masses[int(b)] for b in kbps], dtype=float)
    by_hand = sum(w * played(total, avq, b) for b, w in zip(kbps, weights, strict=True)) / weights.sum()
    assert expected_avq_mos(total, avq, weighted(kbps, weights, "n")) == pytest.approx(by_hand, abs=1e-12)


@settings(deadline=None, max_examples=20)
@given(some_rungs(), st.integers(200, 4000), st.sampled_from([0.3, 0.9, 1.5]))
def test_expected_avq_is_the_integral_over_a_lognormal_bandwidth(rungs, median, sigma) -> None:
    total, avq = rungs
    # The quantile at the middle of each of 20 000 equal shares: an integral in which no formula for tails occurs.
    bandwidth = stats.lognorm(s=sigma, scale=median).ppf((np.arange(20_000) + 0.5) / 20_000)
    index = np.searchsorted(total, bandwidth, side="right")
    by_hand = np.append(1.0, avq)[index].mean()
    assert expected_avq_mos(total, avq, lognormal(median, sigma)) == pytest.approx(by_hand, abs=1e-3)


def test_shares_of_rungs_and_of_those_below_add_up_to_one() -> None:
    found = ladder(rung(100, 2.0), rung(250, 3.0), rung(600, 4.0))
    assert [r.played_share for r in found.rungs] == pytest.approx([0.25, 0.5, 0.25])
    assert found.unreached_share == pytest.approx(0.0)
    higher = ladder(rung(200, 2.0), rung(600, 4.0))
    assert higher.unreached_share == pytest.approx(0.25)
    assert sum(r.played_share for r in higher.rungs) + higher.unreached_share == pytest.approx(1.0)
    assert higher.expected_avq_mos == pytest.approx((1 + 2 + 2 + 4) / 4)


def test_intervals_stay_on_the_scale() -> None:
    assert [r.interval_mos for r in ladder(rung(100, 1.1), rung(200, 4.9)).rungs] == [
        pytest.approx((1.0, 1.4)),
        pytest.approx((4.7, 5.0)),
    ]


SOUND = (rung(200, 2.0, side=240), rung(400, 3.0, side=360, audio=96.0), rung(900, 4.0, side=720, audio=128.0))
BREAKING = {
    "a ratio too small": (SOUND, {"min_ratio": 2.1}),
    "a ratio too large": (SOUND, {"max_ratio": 2.2}),
    "a lowest rung too low": (SOUND, {"min_kbps": 201.0}),
    "a top rung too high": (SOUND, {"max_kbps": 899.0}),
    "a size not allowed": (SOUND, {"sides_px": ((240, 359), (361, 1080))}),
    "too many audio renditions": (SOUND, {"max_audio": 2}),
    "a rung above one that is good enough": (SOUND, {"top_avq_mos": 3.0}),
    "a size that falls": ((rung(200, 2.0, side=720), rung(400, 3.0, side=360)), {}),
    "a video rate that falls": ((rung(200, 2.0), rung(400, 3.0, video=100.0, audio=300.0)), {}),
    "an audio rate that falls": ((rung(300, 2.0, audio=128.0), rung(600, 3.0, audio=64.0)), {}),
    "an AVQ that falls": ((rung(200, 3.0), rung(400, 2.9)), {}),
}


def test_a_sound_ladder_keeps_the_rules() -> None:
    assert keeps_rules(ladder(*SOUND), LadderRules())
    bounds = LadderRules(min_kbps=200, max_kbps=900, min_ratio=2.0, max_ratio=2.25, sides_px=((240, 360), (720, 720)))
    assert keeps_rules(ladder(*SOUND), bounds), "every bound itself is allowed"
    assert keeps_rules(ladder(*SOUND), LadderRules(max_audio=None))


@pytest.mark.parametrize("fault", BREAKING)
def test_a_ladder_breaks_the_rules_by(fault: str) -> None:
    rungs, rules = BREAKING[fault]
    assert not keeps_rules(ladder(*rungs), LadderRules(**rules))


def test_ratios_may_carry_rounding() -> None:
    assert keeps_rules(ladder(rung(100, 2.0), rung(100 * (1.3 - 1e-12), 3.0)), LadderRules(min_ratio=1.3))
