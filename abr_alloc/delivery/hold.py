"""Hold the rates of short titles: what was encoded is measured, and video that missed is encoded once more.

An encoder makes good what it has overspent over some seconds that follow (x264's second pass over about two), and a
short title is over before; what the head of a segment takes is spread over less time, too. Of longer titles the rates
come out as asked (docs/deliver.md), and a second encode would take long.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction

from abr_alloc.delivery.deviation import LadderDeviation, Tolerance, compare_rungs
from abr_alloc.delivery.encode import Encoded, EncodeSetup, encode_videos
from abr_alloc.delivery.folder import DeliveryFolder
from abr_alloc.delivery.publish import read_variants
from abr_alloc.delivery.refine import better_orders, corrected_orders
from abr_alloc.exporting.presentation import SEGMENT_S
from abr_alloc.formats.delivery_record import Delivery, VideoOrder
from abr_alloc.measure.steps import Progress

__all__ = ["SHORT_TITLE_S", "HeldRates", "hold_rates"]

SHORT_TITLE_S = 2 * SEGMENT_S
"""Titles under this, two segments, are looked at."""

_MOST_CHANGE = 0.5
"""No rate is corrected by more: a picture that takes half of what it is given, or twice, needs no more, or no less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRates:
    """What came of a second look at a short title."""

    delivery: Delivery
    """The order as it stands now."""
    orders: tuple[VideoOrder, ...]
    """Video that was encoded again, with the rates that were asked for; empty where nothing had missed."""
    before: LadderDeviation
    """Rates of the first encode."""
    after: LadderDeviation
    """Rates of what was kept."""


def hold_rates(
    delivery: Delivery,
    setup: EncodeSetup,
    folder: DeliveryFolder,
    *,
    tolerance: Tolerance = Tolerance(),  # noqa: B008  frozen
) -> Generator[Progress | HeldRates, None, None]:
    """Encode video of a short title once more where a rung's rate is beyond the tolerance, and keep what is nearer.

    The folder is held, all its streams are there, and nothing is published yet. Yields progress and, last, what came
    of it; nothing for titles of `SHORT_TITLE_S` and more, and where scenes are encoded each by itself: they are mostly
    asked for a quality, and no rate is held. AVQ is not looked at: it takes longer than the encode.

    Raises:
        MediaError: an encode failed, or a stream cannot be read.
        OutputError: the disk takes no more.
    """
    if delivery.per_shot or delivery.num_frames / Fraction(delivery.fps) >= SHORT_TITLE_S:
        return
    before = compare_rungs(delivery, read_variants(delivery, folder.root), {})
    asked_kbps = {order.name: order.asked_kbps for order in delivery.videos}
    orders = [
        order
        for order in corrected_orders(delivery, before, tolerance)
        if abs(order.asked_kbps / asked_kbps[order.name] - 1.0) <= _MOST_CHANGE
    ]
    after = before
    if orders:
        folder.forget_refined()
        for step in encode_videos(orders, delivery, setup, folder, below=folder.refined):
            if isinstance(step, Encoded):
                orders = [step.delivery.video(order.name) for order in orders]
            else:
                yield step
        places = {order.name: folder.refined / order.name for order in orders}
        second = compare_rungs(delivery, read_variants(delivery, folder.root, places), {})
        for order in better_orders(orders, before, second, tolerance):
            delivery = delivery.with_video(order)
            folder.exchange(order.name, delivery)
        after = compare_rungs(delivery, read_variants(delivery, folder.root), {})
    yield HeldRates(delivery=delivery, orders=tuple(orders), before=before, after=after)
