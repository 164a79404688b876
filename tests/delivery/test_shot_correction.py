"""A shot is asked for another rate along its own slope, as the rungs of its ladder tell it."""

from __future__ import annotations

import dataclasses
import math

import pytest

from abr_alloc.delivery.shot_correction import asked_for, rate_slope
from abr_alloc.encoder_settings import settings_of
from abr_alloc.encoders import default_encoder
from abr_alloc.formats.delivery_record import Delivery, ShotOrder, VideoOrder
from abr_alloc.targets import Target


def with_shots(order: Delivery, *videos: list[tuple[str, float]], codec: str = "h264") -> Delivery:
    """The order with these targets and rates of its two videos' shots, each of a hundred frames."""
    made = []
    for video, shots in zip(order.videos, videos, strict=True):
        found = tuple(
            ShotOrder(first_frame=104 * i, num_frames=104, width_px=64, height_px=36, target=t, planned_kbps=kbps)
            for i, (t, kbps) in enumerate(shots)
        )
        preset = default_encoder(codec).preset
        made.append(dataclasses.replace(video, codec=codec, preset=preset, shots=found))
    return dataclasses.replace(order, videos=tuple(made))


def asked(order: VideoOrder) -> list[float]:
    return [Target(shot.asked).number for shot in order.shots]


def test_the_slope_is_that_between_two_rungs(order):
    ladder = with_shots(order, [("crf=30", 100.0), ("crf=30", 50.0)], [("crf=26", 200.0), ("crf=24", 100.0)])
    low, high = ladder.videos
    assert rate_slope(ladder, low, 0) == rate_slope(ladder, high, 0) == pytest.approx(-math.log(2) / 4)
    assert rate_slope(ladder, low, 1) == pytest.approx(-math.log(2) / 6)


@pytest.mark.parametrize(("codec", "half"), [("h264", 6.0), ("hevc", 6.0), ("av1", 6.0 * 63 / 51)])
def test_alone_it_is_the_usual_one(codec, half, order):
    ladder = with_shots(order, [("crf=30", 100.0)], [("crf=30", 100.0)], codec=codec)
    assert rate_slope(ladder, ladder.videos[0], 0) == pytest.approx(-math.log(2) / half)


def test_all_are_moved_by_the_factor_and_one_is_left_alone(order):
    ladder = with_shots(order, [("crf=30", 100.0), ("crf=30", 50.0)], [("crf=26", 200.0), ("crf=24", 100.0)])
    low = ladder.videos[0]
    assert asked(asked_for(ladder, low, [0.5, 0.5])) == pytest.approx([34.0, 36.0])
    assert asked(asked_for(ladder, low, [2.0, 1.0])) == pytest.approx([26.0, 30.0])
    found = asked_for(ladder, low, [1.0, 0.9])
    assert [bool(shot.corrected) for shot in found.shots] == [False, True]
    assert [shot.target for shot in found.shots] == ["crf=30", "crf=30"], "what the ladder asked for stays on record"
    again = asked_for(ladder, found, [1.0, 1 / 0.9])
    assert again == low, "the way back leaves no trace"


def test_at_most_never_rounds_towards_more(order):
    ladder = with_shots(order, [("crf=30", 100.0)], [("crf=30", 100.0)], codec="av1")
    for factor in (0.99, 0.95, 0.9, 0.8):
        (number,) = asked(asked_for(ladder, ladder.videos[0], [factor], at_most=True))
        assert number == math.ceil(30 + math.log(factor) / rate_slope(ladder, ladder.videos[0], 0))


def test_whole_numbers_come_to_the_rate_together(order):
    """A factor of less than half a step moves some shots by a step, not none."""
    ladder = with_shots(order, [("crf=30", 100.0)] * 3, [("crf=30", 100.0)] * 3, codec="av1")
    slope = rate_slope(ladder, ladder.videos[0], 0)
    moved = asked(asked_for(ladder, ladder.videos[0], [math.exp(slope / 3)] * 3))
    assert sorted(moved) == [30.0, 30.0, 31.0]


def test_rates_are_multiplied_and_the_encoder_stays_named(order):
    ladder = with_shots(order, [("b=100k@mine", 100.0)], [("b=200k@mine", 200.0)])
    mine = settings_of(dataclasses.replace(default_encoder("h264"), rate_mode="vbr"))
    ladder = dataclasses.replace(
        ladder,
        encoders={"mine": mine},
        videos=tuple(dataclasses.replace(video, encoder="mine") for video in ladder.videos),
    )
    (shot,) = asked_for(ladder, ladder.videos[0], [0.9]).shots
    assert shot.asked == "b=90k@mine"


def test_no_number_leaves_the_encoders_range(order):
    ladder = with_shots(order, [("crf=50", 10.0)], [("crf=1", 9000.0)])
    low, high = ladder.videos
    assert asked(asked_for(ladder, low, [0.01], at_most=True)) == [51.0]
    assert asked(asked_for(ladder, high, [100.0])) == [0.0]
