"""What a ladder costs: keeping its renditions, and sending them to whoever watches.

    storage   every distinct rendition once, however many rungs play it: rate x the title's length x months x price
    delivery  views x the title's length x the mean rate over the audience x price

A view plays the whole title at the rung that its bandwidth allows; who has the bandwidth for none is sent nothing.
Container overhead is stored and sent. Prices are the user's own, in any currency, and so is what comes out of them.
1 GB is 1e9 bytes.

Axes: K rungs, by rising total rate.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from abr_alloc import defaults
from abr_alloc.allocation.ranges import Avq, Money
from abr_alloc.allocation.rung import Ladder
from abr_alloc.arguments import require_number
from abr_alloc.units import gigabytes

__all__ = ["CostProof", "LadderCost", "Prices", "RungCost", "ladder_cost", "rung_costs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What storage and delivery cost, and how much of both a title takes."""

    storage_per_gb_month: float
    """Keeping 1 GB for a month, money."""
    delivery_per_gb: float
    """Sending 1 GB to viewers, money."""
    views: float
    """How often a title is watched from beginning to end, in all of `months`."""
    months: float = defaults.STORAGE_MONTHS
    """How long a title is kept, months."""

    def __post_init__(self) -> None:
        for name in ("storage_per_gb_month", "delivery_per_gb", "views", "months"):
            require_number(name, getattr(self, name), 0.0, _MOST)

    def storage(self, kbps: float, duration_s: float) -> float:
        """Money for keeping a rendition."""
        return gigabytes(kbps, duration_s) * self.storage_per_gb_month * self.months

    def delivery(self, kbps: float, duration_s: float) -> float:
        """Money for sending a mean rate over all viewers, those who are sent nothing among them."""
        return gigabytes(kbps, duration_s) * self.delivery_per_gb * self.views


_MOST = 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class RungCost:
    """What one rung costs."""

    storage: Money
    """Keeping those of its renditions that no rung below it plays, money."""
    delivery: Money
    """Sending it to those who play it, money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderCost:
    """What a ladder costs on a title."""

    duration_s: float
    """Length of the title, seconds; the mean over titles that share a ladder."""
    rungs: tuple[RungCost, ...]
    """Of every rung, (K,)."""

    @property
    def storage(self) -> float:
        """Keeping all renditions, money."""
        return math.fsum(rung.storage for rung in self.rungs)

    @property
    def delivery(self) -> float:
        """Sending it to the whole audience, money."""
        return math.fsum(rung.delivery for rung in self.rungs)

    @property
    def total(self) -> float:
        """Storage and delivery, money."""
        return self.storage + self.delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class CostProof:
    """How good a ladder is that was designed for money: within a budget, or for a least expected AVQ."""

    cost_budget: Money | None = None
    """Most that it may cost, money; None where AVQ is what is limited."""
    min_avq_mos: Avq | None = None
    """Least expected AVQ, MOS; None where money is what is limited."""
    bound: Money
    """No ladder within the budget has a higher expected AVQ, MOS; or none with the least AVQ costs less, money."""
    gap: Money
    """How much better a ladder could at most be: MOS within a budget, money for a least AVQ."""
    mos_per_money: Money | None
    """What a little more money would be worth, MOS; 0 where it would buy nothing, None where AVQ would cost nothing."""
    complete: bool
    """Whether the search ended by itself; False where it was cut short, and the gap may be larger than rounding."""


def rung_costs(
    prices: Prices,
    rates_kbps: Sequence[Mapping[Hashable, float]],
    shares: Sequence[float],
    duration_s: float,
) -> LadderCost:
    """What rungs of any origin cost.

    Args:
        prices: of storage and delivery.
        rates_kbps: for every rung the streams that it plays, as what tells one stream from another (an identity, a
            label, a file) and its rate with container overhead, kbps, (K,).
        shares: share of the audience that plays each, 0-1, (K,).
        duration_s: length of the title, seconds.

    Raises:
        ValueError: as many shares as rungs are needed.
    """
    stored: set[Hashable] = set()
    rungs = []
    for streams, share in zip(rates_kbps, shares, strict=True):
        new = [kbps for stream, kbps in streams.items() if stream not in stored]
        stored.update(streams)
        rungs.append(
            RungCost(
                storage=prices.storage(math.fsum(new), duration_s),
                delivery=prices.delivery(share * math.fsum(streams.values()), duration_s),
            )
        )
    return LadderCost(duration_s=duration_s, rungs=tuple(rungs))


def ladder_cost(prices: Prices, ladder: Ladder, duration_s: float) -> LadderCost:
    """What a ladder costs on a title of a length.

    Container overhead is what the rungs' totals have beyond their streams; each stream bears its part.
    """
    rates: list[Mapping[Hashable, float]] = []
    for rung in ladder.rungs:
        overhead = rung.total_kbps / (rung.video.bitrate_kbps + rung.audio.bitrate_kbps)
        video, audio = ("video", *rung.video.identity), ("audio", *rung.audio.identity)
        rates.append({video: rung.video.bitrate_kbps * overhead, audio: rung.audio.bitrate_kbps * overhead})
    return rung_costs(prices, rates, [rung.played_share for rung in ladder.rungs], duration_s)
