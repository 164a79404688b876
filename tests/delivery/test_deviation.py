"""How far apart predicted and measured are, by hand."""

from __future__ import annotations

import pytest

from abr_alloc.delivery.deviation import LadderDeviation, RungDeviation, Tolerance, compare_rungs
from abr_alloc.delivery.publish import read_variants
from abr_alloc.formats.delivery_record import read_delivery


def rung(measured_kbps=100.0, measured_mos: float | None = 3.0, number=1) -> RungDeviation:
    """Predicted: 100 kbps and 3.0."""
    return RungDeviation(
        number=number,
        video="video/a",
        audio="audio/b",
        predicted_kbps=100.0,
        measured_kbps=measured_kbps,
        video_kbps=measured_kbps - 20.0,
        audio_kbps=20.0,
        peak_kbps=measured_kbps,
        predicted_mos=3.0,
        measured_mos=measured_mos,
    )


TOLERANCE = Tolerance(rate=0.05, avq=0.1)


@pytest.mark.parametrize(
    ("measured_kbps", "measured_mos", "misses"),
    [
        (100.0, 3.0, 0.0),
        (105.0, 3.0, 1.0),
        (90.0, 3.0, 2.0),
        (100.0, 3.25, 2.5),
        (100.0, 2.9, 1.0),
        (110.0, 2.7, 3.0),
        (110.0, None, 2.0),
    ],
)
def test_a_miss_is_the_larger_deviation_in_tolerances(measured_kbps, measured_mos, misses):
    assert rung(measured_kbps, measured_mos).misses(TOLERANCE) == pytest.approx(misses)


def test_a_ladder_keeps_a_tolerance_when_every_rung_does():
    assert LadderDeviation(rungs=(rung(104.0), rung(96.0, 3.09))).keeps(TOLERANCE)
    assert not LadderDeviation(rungs=(rung(104.0), rung(94.0))).keeps(TOLERANCE)
    assert LadderDeviation(rungs=(rung(104.0), rung(94.0))).keeps(Tolerance(rate=0.07))


def test_the_largest_deviation_is_the_farthest_from_zero_whichever_way():
    found = LadderDeviation(rungs=(rung(103.0, 3.05), rung(92.0, 2.8), rung(101.0, 3.1)))
    assert found.largest_rate_deviation == pytest.approx(-0.08)
    assert found.largest_avq_deviation_mos == pytest.approx(-0.2)
    assert LadderDeviation(rungs=(rung(103.0, None),)).largest_avq_deviation_mos is None


def test_rungs_are_set_beside_their_streams(delivered):
    delivery = read_delivery(delivered / "delivery.json")
    variants = read_variants(delivery, delivered)
    first, second, third = compare_rungs(delivery, variants, {("video/64x36-40k", "audio/aac-32k"): 2.5}).rungs
    assert (first.number, first.measured_mos, first.predicted_mos) == (1, 2.5, 3.0)
    assert second.measured_mos is None
    assert (third.video, third.audio) == ("video/128x72-160k", "audio/aac-64k")
    assert third.predicted_kbps == pytest.approx(1.02 * 224)
    assert third.measured_kbps == pytest.approx(third.video_kbps + third.audio_kbps)
    assert third.peak_kbps == pytest.approx(variants[2].peak_bits_per_s / 1000)
    assert third.measured_kbps <= third.peak_kbps
