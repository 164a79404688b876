"""Ladders for money: from the surface of a title and prices to the best ladder within a budget, or the cheapest that is
good enough, with its proof.

A rung costs what it stores and sends, so their number is at most what is asked for: a rung that is not worth its money
is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from abr_alloc.allocation.candidates import Candidates
from abr_alloc.allocation.cost import CostProof, Prices
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.priced_search import BestLadder, Limit, search
from abr_alloc.allocation.priced_steps import Path, PricedSteps
from abr_alloc.allocation.rung import Ladder
from abr_alloc.errors import InfeasibleLadderError

__all__ = ["PricedLadders"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedLadders:
    """All ladders of a title, at given prices."""

    candidates: Candidates
    """What rungs may be."""
    steps: PricedSteps
    """From rung to rung."""
    rules: LadderRules
    """What every ladder keeps."""
    interval_mos: tuple[float, float]
    """What to add to a prediction for its interval, MOS."""

    @classmethod
    def of(
        cls,
        candidates: Candidates,
        prices: Prices,
        duration_s: float,
        max_rungs: int,
        rules: LadderRules,
        *,
        interval_mos: tuple[float, float] = (0.0, 0.0),
    ) -> PricedLadders:
        """Look through the candidates of a title.

        Args:
            candidates: what rungs may be.
            prices: of storage and delivery.
            duration_s: length of the title, seconds.
            max_rungs: most rungs.
            rules: what every ladder must keep.
            interval_mos: what to add to a prediction for its interval, MOS.
        """
        audio = candidates.most_audio(rules)
        return cls(
            candidates=candidates,
            steps=PricedSteps.of(candidates, prices, duration_s, rules, max_rungs, audio),
            rules=rules,
            interval_mos=interval_mos,
        )

    def within(self, cost_budget: float) -> tuple[Ladder, CostProof]:
        """The ladder with the highest expected AVQ that costs no more; of several the cheapest.

        Raises:
            InfeasibleLadderError: the cheapest ladder costs more; the message says how much.
        """
        found = self._found(Limit(budget=cost_budget))
        if isinstance(found, Path):
            raise InfeasibleLadderError(
                f"no ladder of title {self.candidates.title!r} costs at most `cost_budget` {cost_budget:g}; the "
                f"cheapest costs {_rounded_up(found.cost)} (expected AVQ {found.avq_mos:.3f}): raise `cost_budget`",
                missing=found.cost - cost_budget,
            )
        return self._ladder(found.found), CostProof(
            cost_budget=cost_budget,
            bound=found.bound,
            gap=max(found.bound - found.found.avq_mos, 0.0),
            mos_per_money=found.mos_per_money,
            complete=found.complete,
        )

    def reaching(self, min_avq_mos: float) -> tuple[Ladder, CostProof]:
        """The cheapest ladder that has at least an expected AVQ; of several the best.

        Raises:
            InfeasibleLadderError: none has; the message says how much can be had.
        """
        found = self._found(Limit(least_avq_mos=min_avq_mos))
        if isinstance(found, Path):
            most = math.floor(found.avq_mos * 1000.0) / 1000.0
            raise InfeasibleLadderError(
                f"no ladder of title {self.candidates.title!r} has an expected AVQ of `min_avq_mos` {min_avq_mos:g}; "
                f"the most is {most:.3f}, for {_rounded_up(found.cost)}: lower `min_avq_mos`, or allow more rungs "
                "with `num_rungs`",
                missing=min_avq_mos - found.avq_mos,
            )
        return self._ladder(found.found), CostProof(
            min_avq_mos=min_avq_mos,
            bound=found.bound,
            gap=max(found.found.cost - found.bound, 0.0),
            mos_per_money=found.mos_per_money if math.isfinite(found.mos_per_money) else None,
            complete=found.complete,
        )

    def _found(self, limit: Limit) -> BestLadder | Path:
        found = search(self.steps, limit)
        if found is None:
            raise InfeasibleLadderError(
                f"no rung of title {self.candidates.title!r} is played by {100 * self.rules.min_played_share:g} % of "
                "the audience; lower `min_kbps`, or choose another `network`"
            )
        return found

    def _ladder(self, one: Path) -> Ladder:
        return self.candidates.ladder_of(one.path, self.interval_mos)


def _rounded_up(cost: float) -> str:
    """Money to six digits, so that it is enough when it is given as a budget."""
    if cost <= 0.0:
        return "0"
    scale = 10.0 ** (5 - math.floor(math.log10(cost)))
    return f"{math.ceil(cost * scale) / scale:.10g}"
