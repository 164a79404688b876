"""Options of ladders whose rungs give every scene its own parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from abr_alloc.cli import options

if TYPE_CHECKING:
    from abr_alloc.allocation.shot_rules import ShotRules

__all__ = ["per_shot_options", "shots_of"]

_NAMES = {
    "free_size": "--free-size",
    "pool": "--pool",
    "max_rate_kbps": "--max-rate",
    "peak_kbps": "--peak",
    "max_step_mos": "--max-step",
}


def per_shot_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that spread a rung's rate over scenes, for `shots_of`."""
    for decorator in reversed(
        (
            click.option(
                "--per-shot",
                is_flag=True,
                help="Every scene of a rung gets parameters of its own, so that the rung's mean rate is spent where "
                "the title needs it; says beforehand what that saves.",
            ),
            click.option(
                "--free-size", is_flag=True, help="With --per-shot: scenes of a rung may also differ in size."
            ),
            click.option(
                "--pool",
                type=click.Choice(["mean", "harmonic", "min", "p5"]),
                default=None,
                help="With --per-shot: how AVQ is pooled over time. [default: mean]",
            ),
            click.option(
                "--max-rate",
                "max_rate_kbps",
                type=options.BITRATE,
                help="With --per-shot: largest total rate of any scene.",
            ),
            click.option(
                "--peak",
                "peak_kbps",
                type=options.BITRATE,
                help="With --per-shot: largest rate of the video over any 6 seconds, a segment's length.",
            ),
            click.option(
                "--max-step",
                "max_step_mos",
                type=options.FiniteRange(0, 4, min_open=True),
                help="With --per-shot: largest difference in AVQ between neighbouring scenes, MOS.",
            ),
        )
    ):
        command = decorator(command)
    return command


def shots_of(
    *,
    per_shot: bool,
    free_size: bool,
    pool: str | None,
    max_rate_kbps: float | None,
    peak_kbps: float | None,
    max_step_mos: float | None,
) -> ShotRules | None:
    """What is asked of the scenes; None where one target serves the whole title.

    Raises:
        click.UsageError: an option needs `--per-shot`, or two exclude each other.
    """
    given = {
        "free_size": free_size or None,
        "pool": pool,
        "max_rate_kbps": max_rate_kbps,
        "peak_kbps": peak_kbps,
        "max_step_mos": max_step_mos,
    }
    if not per_shot:
        stray = [_NAMES[name] for name, value in given.items() if value is not None]
        if stray:
            raise click.UsageError(f"{stray[0]} is for scenes with parameters of their own; add --per-shot")
        return None
    if pool == "p5" and max_step_mos is not None:
        raise click.UsageError("--pool p5 lets scenes go that --max-step holds; leave one of them out")

    from abr_alloc.allocation.shot_rules import ShotRules

    return ShotRules(
        free_size=free_size,
        pool=pool or "mean",
        max_rate_kbps=max_rate_kbps or math.inf,
        peak_kbps=peak_kbps or math.inf,
        max_step_mos=max_step_mos or math.inf,
    )
