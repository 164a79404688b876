"""A second attempt at video that missed what its rungs promise.

A rung promises a rate to players and an AVQ to nobody but its designer. So a rate that is beyond the tolerance is put
right first, by asking for as much less or more as it was off. An AVQ that is beyond it moves the rate along the
ladder's own slope of AVQ over the logarithm of the rate, but never out of the rate's tolerance. Audio is not encoded
again: what is delivered is what was probed, by the same encoder to the same target. Of a rendition whose shots are
encoded each by itself, every shot is asked for the same factor.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from abr_alloc.delivery.deviation import LadderDeviation, RungDeviation, Tolerance
from abr_alloc.delivery.shot_correction import asked_for
from abr_alloc.formats.delivery_record import Delivery, VideoOrder

__all__ = ["better_orders", "corrected_orders"]

_LEAST_CHANGE = 0.005
"""Relative change of a rate below which another encode is not worth its time."""

_MOST_FACTOR = 4.0
"""No correction is larger: an encoder that is so far off is held by something else, such as its finest quantiser."""

_INSIDE = 0.8
"""Part of the rate's tolerance that a correction of AVQ may use, so that the encoder's own miss does not leave it."""


def corrected_orders(delivery: Delivery, found: LadderDeviation, tolerance: Tolerance) -> list[VideoOrder]:
    """Orders with a corrected rate for every video rendition of a rung beyond the tolerance.

    A rendition that serves several rungs is corrected for the one that misses by most.
    """
    orders = []
    for order in delivery.videos:
        rungs = [rung for rung in found.rungs if rung.video == order.name]
        worst = max(rungs, key=lambda rung: rung.misses(tolerance))
        if worst.misses(tolerance) <= 1.0:
            continue
        factor = _factor(worst, found.rungs, tolerance)
        if abs(factor - 1.0) <= _LEAST_CHANGE:
            continue
        moved = asked_for(delivery, order, [factor] * len(order.shots))
        if moved != order or not order.shots:  # an encoder may have no number that comes nearer
            orders.append(dataclasses.replace(moved, asked_kbps=order.asked_kbps * factor))
    return orders


def _factor(rung: RungDeviation, rungs: Sequence[RungDeviation], tolerance: Tolerance) -> float:
    """What to multiply the video's rate by."""
    wanted_kbps = rung.predicted_kbps
    if abs(rung.rate_deviation) <= tolerance.rate and rung.avq_deviation_mos is not None:
        slope = _slope(rung, rungs)
        if slope <= 0.0:
            return 1.0
        low, high = (math.log1p(sign * _INSIDE * tolerance.rate) for sign in (-1, 1))
        shift = math.log1p(rung.rate_deviation) - rung.avq_deviation_mos / slope
        wanted_kbps *= math.exp(min(max(shift, low), high))
    factor = (wanted_kbps - rung.audio_kbps) / rung.video_kbps
    return min(max(factor, 1.0 / _MOST_FACTOR), _MOST_FACTOR)


def _slope(rung: RungDeviation, rungs: Sequence[RungDeviation]) -> float:
    """MOS per unit of ln(total rate) around a rung of the ladder, as predicted; 0 where it has no neighbour."""
    near = [other for other in rungs if abs(other.number - rung.number) == 1]
    slopes = [
        (other.predicted_mos - rung.predicted_mos) / math.log(other.predicted_kbps / rung.predicted_kbps)
        for other in near
        if other.predicted_kbps != rung.predicted_kbps
    ]
    return sum(slopes) / len(slopes) if slopes else 0.0


def better_orders(
    orders: Sequence[VideoOrder], before: LadderDeviation, after: LadderDeviation, tolerance: Tolerance
) -> list[VideoOrder]:
    """Those second attempts that come nearer to what was predicted.

    Args:
        orders: second attempts, corrected.
        before: the ladder as it was.
        after: the ladder with all second attempts.
        tolerance: in which misses are counted.
    """

    def misses(found: LadderDeviation, name: str) -> float:
        return max(rung.misses(tolerance) for rung in found.rungs if rung.video == name)

    return [order for order in orders if misses(after, order.name) < misses(before, order.name)]
