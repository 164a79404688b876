"""Options of money: prices, how often a title is watched, and what is limited."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from abr_alloc import defaults
from abr_alloc.cli import options
from abr_alloc.documents import shown

if TYPE_CHECKING:
    from abr_alloc.allocation.cost import Prices

__all__ = ["prices_of", "pricing", "pricing_and_limits"]

_KEYS = {"storage": "storage_per_gb_month", "delivery": "delivery_per_gb"}


class _Rates(click.ParamType):
    """storage=RATE,delivery=RATE, both at least 0."""

    name = "prices"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, float]:
        if isinstance(value, dict):
            return value
        found: dict[str, float] = {}
        for part in str(value).split(","):
            key, equals, text = (piece.strip() for piece in part.partition("="))
            if not equals or key not in _KEYS:
                self.fail(f"{shown(part)} is no price; write storage=0.023,delivery=0.05", param, ctx)
            if key in found:
                self.fail(f"{key} stands there twice; give it once", param, ctx)
            try:
                found[key] = float(text)
            except ValueError:
                self.fail(f"{shown(text)} is no number; write {key}=0.05", param, ctx)
            if not 0.0 <= found[key] < math.inf:
                self.fail(f"{key} is {text}; a price is 0 or more, and finite", param, ctx)
        missing = [key for key in _KEYS if key not in found]
        if missing:
            self.fail(f"there is no price for {missing[0]}; add {missing[0]}=RATE, 0 where it is free", param, ctx)
        return found


def pricing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say what storage and delivery cost: `cost`, `views` and `months`, for `prices_of`."""
    for decorator in reversed(
        (
            click.option(
                "--cost",
                type=_Rates(),
                metavar="storage=RATE,delivery=RATE",
                help="Show money beside MOS: prices per GB-month kept and per GB sent (1 GB is 1e9 bytes), in any "
                "currency; needs --views.",
            ),
            click.option(
                "--views",
                type=options.FiniteRange(0),
                help="With --cost: how often a title is watched whole, in all of --months.",
            ),
            click.option(
                "--months",
                type=options.FiniteRange(0),
                default=defaults.STORAGE_MONTHS,
                show_default=True,
                help="With --cost: how long a title is kept.",
            ),
        )
    ):
        command = decorator(command)
    return command


def pricing_and_limits(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same, and what to design for: `cost_budget` or `min_avq_mos`."""
    for decorator in reversed(
        (
            pricing,
            click.option(
                "--cost-budget",
                type=options.FiniteRange(0),
                help="The best ladder that costs a title no more than this; then --rungs is the most rungs.",
            ),
            click.option(
                "--min-avq",
                "min_avq_mos",
                type=options.FiniteRange(1, 5),
                help="The cheapest ladder with at least this expected AVQ; then --rungs is the most rungs.",
            ),
        )
    ):
        command = decorator(command)
    return command


def prices_of(
    cost: dict[str, float] | None, views: float | None, months: float, *limits: float | None
) -> Prices | None:
    """The prices, None where none are given.

    Args:
        cost: prices by their name on the command line.
        views: how often a title is watched.
        months: how long it is kept.
        limits: what needs prices: a budget of money, a least AVQ.

    Raises:
        click.UsageError: one option needs another.
    """
    from abr_alloc.allocation.cost import Prices

    if cost is None:
        if views is not None or any(limit is not None for limit in limits):
            raise click.UsageError("--views, --cost-budget and --min-avq need --cost storage=RATE,delivery=RATE")
        return None
    if views is None:
        raise click.UsageError("--cost needs --views: how often a title is watched; 0 for storage alone")
    if sum(limit is not None for limit in limits) > 1:
        raise click.UsageError("--cost-budget and --min-avq exclude each other; give what is limited")
    return Prices(**{_KEYS[key]: value for key, value in cost.items()}, views=views, months=months)
