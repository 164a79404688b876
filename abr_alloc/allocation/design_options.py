"""What is asked of a ladder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from abr_alloc import defaults
from abr_alloc.allocation.cost import Prices
from abr_alloc.allocation.ladder import MAX_RUNGS
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.shot_rules import ShotRules
from abr_alloc.arguments import require_number
from abr_alloc.errors import ArgumentError
from abr_alloc.models.checkpoint import Model

__all__ = ["DesignOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignOptions:
    """What a ladder should be like."""

    num_rungs: int | None = defaults.NUM_RUNGS
    """Rungs; None for as many as are worth having."""
    jnd_mos: float = defaults.JND_MOS
    """What a rung must add for it to be worth having, MOS; only where the number is free."""
    rules: LadderRules = field(default_factory=LadderRules)
    """What every ladder must keep."""
    round_kbps: float = defaults.ROUND_KBPS
    """Video rates are multiples of this, kbps."""
    overhead: float = defaults.OVERHEAD
    """Container overhead as a share of the streams' rate."""
    mix_audio: bool = False
    """Whether the rungs of one ladder may have different audio codecs."""
    interval_mos: tuple[float, float] = (0.0, 0.0)
    """What to add to a prediction for its interval, MOS."""
    difference_mos: float = 0.0
    """Half of the 90 % interval of a predicted difference, MOS; 0 where it is not known."""
    prices: Prices | None = None
    """What storage and delivery cost; None where money does not matter."""
    cost_budget: float | None = None
    """Most that a title's ladder may cost, money; then `num_rungs` is the most rungs."""
    min_avq_mos: float | None = None
    """Least expected AVQ, MOS, to be had for as little money as possible; then `num_rungs` is the most rungs."""
    surround_share: float | None = None
    """Share of the audience that plays surround, within 0 and 1, for whom every rung has surround too; None where all
    play stereo."""
    shots: ShotRules | None = None
    """How rungs spread their rate over scenes; None where one target serves the whole title."""

    def __post_init__(self) -> None:
        if self.num_rungs is not None and not isinstance(self.num_rungs, int):
            raise ArgumentError(f"`num_rungs` is {self.num_rungs!r}; give a whole number, or None for any")
        require_number("num_rungs", 1 if self.num_rungs is None else self.num_rungs, 1, MAX_RUNGS)
        require_number("jnd_mos", self.jnd_mos, 0.0, 4.0)
        require_number("round_kbps", self.round_kbps, 0.0, above=True)
        require_number("overhead", self.overhead, 0.0, 1.0)
        if self.cost_budget is not None:
            require_number("cost_budget", self.cost_budget, 0.0, 1e30)
        if self.min_avq_mos is not None:
            require_number("min_avq_mos", self.min_avq_mos, 1.0, 5.0)
        self._check_surround()
        if self.for_money and self.prices is None:
            raise ArgumentError("`cost_budget` and `min_avq_mos` need to know the `prices` of storage and delivery")
        if self.cost_budget is not None and self.min_avq_mos is not None:
            raise ArgumentError("`cost_budget` and `min_avq_mos` exclude each other; give what is limited, not both")

    def _check_surround(self) -> None:
        if self.surround_share is None:
            return
        if not 0.0 < self.surround_share < 1.0:
            raise ArgumentError(
                f"`surround_share` is {self.surround_share:g}; give a share of the audience above 0 and below 1, and "
                "leave it out where all play stereo"
            )
        other = "shots" if self.shots is not None else "prices" if self.prices is not None else ""
        if other:
            raise ArgumentError(
                f"`surround_share` and `{other}` exclude each other: stereo and surround are chosen together for one "
                "target per rung, and without prices; leave one out"
            )

    @property
    def for_money(self) -> bool:
        """Whether a budget of money, or a least AVQ for little money, is what the ladder is designed for."""
        return self.cost_budget is not None or self.min_avq_mos is not None

    def known_to(self, model: Model) -> DesignOptions:
        """The same with the model's intervals."""
        return dataclasses.replace(self, interval_mos=model.interval_mos, difference_mos=model.intervals.difference_mos)
