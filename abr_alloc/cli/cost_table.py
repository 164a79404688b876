"""What ladders cost, as text: money beside MOS. In whatever currency the prices are in."""

from __future__ import annotations

import math

from abr_alloc.allocation.cost import CostProof, LadderCost, Prices
from abr_alloc.allocation.reference import Comparison
from abr_alloc.allocation.rung import Ladder
from abr_alloc.cli.layout import new_table, render_table

__all__ = ["compared_cost", "cost_lines", "money", "prices_text", "proof_text"]

_DIGITS = 4
_SHOWN_GAP = 1e-6


def money(value: float, of: float | None = None) -> str:
    """Money, with as many decimals as `of` (a total) needs for four digits; as many as it needs itself if absent."""
    scale = value if of is None else of
    decimals = _DIGITS - 1 - math.floor(math.log10(scale)) if scale > 0.0 else 0
    return f"{value:.{max(decimals, 0)}f}"


def cost_lines(cost: LadderCost, ladder: Ladder) -> list[str]:
    """A table of the rungs, and of the ladder."""
    table = new_table("rung", "played", "storage", "delivery", "total")
    most = cost.total
    for i, (rung, own) in enumerate(zip(ladder.rungs, cost.rungs, strict=True), 1):
        parts = own.storage, own.delivery, own.storage + own.delivery
        table.add_row(str(i), f"{100 * rung.played_share:.1f} %", *(money(part, most) for part in parts))
    reached = 1.0 - ladder.unreached_share
    table.add_row("all", f"{100 * reached:.1f} %", *(money(part, most) for part in (cost.storage, cost.delivery, most)))
    return [render_table(table)]


def proof_text(proof: CostProof, ladder: Ladder, cost: LadderCost) -> str:
    """What was asked for, how good the answer is, and what a little more would cost."""
    worth = proof.mos_per_money
    if proof.cost_budget is not None:
        said = f"The best within {proof.cost_budget:g}: "
        if proof.gap > _SHOWN_GAP:
            said += f"another ladder could be better by {proof.gap:.4f} MOS at most (the search was cut short)"
        else:
            said += "no other ladder within it has a higher expected AVQ"
        if not worth:
            return f"{said}; more money would buy nothing"
        return f"{said}; 1 % more money would buy about {0.01 * proof.cost_budget * worth:+.4f} MOS"
    said = f"The cheapest with an expected AVQ of {proof.min_avq_mos:g}: "
    if proof.gap > _SHOWN_GAP * cost.total:
        said += f"another ladder could cost {money(proof.gap, cost.total)} less at most (the search was cut short)"
    else:
        said += "no other ladder with that costs less"
    return f"{said}; 0.01 MOS more would cost about {money(0.01 / worth, cost.total)}" if worth else said


def compared_cost(comparison: Comparison, designed: LadderCost) -> list[str]:
    """Money of a fixed ladder beside that of the designed one, and what else it would buy."""
    fixed = comparison.cost
    if fixed is None:
        return []
    said = [f"{comparison.reference} costs {_parts(fixed)}: designed {_change(designed.total, fixed.total)}"]
    if comparison.same_cost_gain_mos is not None:
        said.append(f"for its money {comparison.same_cost_gain_mos:+.3f} MOS could be had")
    if comparison.same_avq_cost is not None:
        least = comparison.same_avq_cost
        said.append(f"its AVQ for {money(least, fixed.total)}, {_change(least, fixed.total)}")
    return ["; ".join(said)]


def _parts(cost: LadderCost) -> str:
    storage, delivery = (money(part, cost.total) for part in (cost.storage, cost.delivery))
    return f"{money(cost.total)} (storage {storage}, delivery {delivery})"


def _change(value: float, base: float) -> str:
    return f"{100.0 * (value / base - 1.0):+.1f} %" if base > 0.0 else "as much"


def prices_text(prices: Prices, duration_s: float | None) -> str:
    """What money is for."""
    length = "" if duration_s is None else f" of {duration_s:g} s"
    return (
        f"money: a title{length} kept for {prices.months:g} months at {prices.storage_per_gb_month:g} per GB-month and "
        f"watched {prices.views:g} times at {prices.delivery_per_gb:g} per GB (1e9 bytes). storage: renditions that no "
        "rung below has already."
    )
