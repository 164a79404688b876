"""Ask the shots of a rendition for other rates than the ladder did, once it is known what came of it.

What a shot is asked for is moved along its own slope, of the logarithm of its rate over the encoder's number, as the
ladder's rungs tell it: the same scene stands there at several numbers. All shots that are moved for one reason are
moved by the same factor of rate, so that what the ladder gave one beside another stays.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from abr_alloc.delivery.shot_orders import shot_ask
from abr_alloc.formats.delivery_record import Delivery, ShotOrder, VideoOrder
from abr_alloc.targets import Target

__all__ = ["asked_for", "rate_slope"]

_USUAL_SLOPE = -math.log(2.0) / 6.0
"""Of ln(rate) over CRF where only one point is known: six steps of H.264's 0 to 51 are half the rate."""

_USUAL_RANGE = 51.0

_STEEPEST, _FLATTEST = 4.0, 0.25
"""No measured slope is believed beyond these multiples of the usual one."""

_FINE_STEP = 0.05
"""Of a quality that may be any number: two hundredths of its rate are about a fifth of a CRF."""


def rate_slope(delivery: Delivery, order: VideoOrder, index: int) -> float:
    """d ln(rate) / d number of a shot around what it is asked for, from the rungs of its ladder.

    Args:
        delivery: the ladder's orders.
        order: one of its videos.
        index: of the shot.
    """
    shot, encoder = order.shots[index], delivery.encoder_of(order)
    target = Target(shot.target)
    _, highest = encoder.value_range(shot_ask(encoder, shot.target).mode)
    usual = _USUAL_SLOPE * _USUAL_RANGE / (highest if 1.0 <= highest <= 1000.0 else _USUAL_RANGE)
    near = [other for other in _same_scene(delivery, order, index) if Target(other.target).number != target.number]
    if not near:
        return usual
    other = min(near, key=lambda other: abs(Target(other.target).number - target.number))
    found = math.log(other.planned_kbps / shot.planned_kbps) / (Target(other.target).number - target.number)
    if target.kind == "value":  # of a program, which may count either way
        return found or usual
    return min(max(found, _STEEPEST * usual), _FLATTEST * usual)


def _same_scene(delivery: Delivery, order: VideoOrder, index: int) -> list[ShotOrder]:
    """The same scene in the same size by the same encoder, in all videos."""
    shot = order.shots[index]
    return [
        other
        for video in delivery.videos
        if (video.codec, video.encoder, video.preset) == (order.codec, order.encoder, order.preset) and video.shots
        for other in [video.shots[index]]
        if (other.width_px, other.height_px) == (shot.width_px, shot.height_px)
        and Target(other.target).kind == Target(shot.target).kind
    ]


def asked_for(delivery: Delivery, order: VideoOrder, factors: Sequence[float], *, at_most: bool = False) -> VideoOrder:
    """The same rendition with every shot asked for so many times the rate that it came to.

    Where an encoder takes whole numbers only, what one shot cannot be moved by is left to those that follow, so that
    the rendition's rate is as wanted.

    Args:
        delivery: the ladder's orders.
        order: one of its videos.
        factors: of the rate of every shot; 1 leaves a shot as it is.
        at_most: whether no shot may come to more than wanted: then numbers are rounded so.
    """
    shots, left = [], 0.0
    for index, (shot, factor) in enumerate(zip(order.shots, factors, strict=True)):
        if factor == 1.0:
            shots.append(shot)
            continue
        bits = shot.planned_kbps * shot.num_frames
        wanted = math.log(factor) + (0.0 if at_most else left / bits)
        corrected, moved = _moved(delivery, order, index, wanted, at_most=at_most)
        left = bits * (wanted - moved)
        shots.append(dataclasses.replace(shot, corrected="" if corrected == shot.target else corrected))
    return dataclasses.replace(order, shots=tuple(shots))


def _moved(delivery: Delivery, order: VideoOrder, index: int, wanted: float, *, at_most: bool) -> tuple[str, float]:
    """What to ask a shot for so that ln(rate) moves as wanted, and by how much that is expected to move it."""
    asked, encoder = order.shots[index].asked, delivery.encoder_of(order)
    target = Target(asked)
    if target.is_rate:
        return Target.of_kbps(round(target.kbps * math.exp(wanted), 3), target.encoder).text, wanted
    mode, slope = shot_ask(encoder, asked).mode, rate_slope(delivery, order, index)
    step = max(encoder.step_of(mode), _FINE_STEP)
    steps = wanted / slope / step
    steps = (math.ceil(steps - 1e-9) if slope < 0.0 else math.floor(steps + 1e-9)) if at_most else round(steps)
    number = encoder.nearest_value(mode, target.number + steps * step)
    return Target.of_value(target.kind, number, target.encoder).text, (number - target.number) * slope
