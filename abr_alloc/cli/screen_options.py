"""Options that say what people watch on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from abr_alloc.cli.printing import echo
from abr_alloc.defaults import SCREENS
from abr_alloc.documents import shown

__all__ = ["Share", "phones_given", "say_screen", "screen_options"]


class Share(click.ParamType):
    """A share as 60% or 0.6."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
        except ValueError:
            share = -1.0
        if not 0.0 <= share <= 1.0:
            self.fail(f"{shown(value)} is no share of an audience; write 60% or 0.6", param, ctx)
        return share


def screen_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--screen`, and `--phones` for an audience that watches on both: for `phones_given`."""
    screen = click.option(
        "--screen",
        type=click.Choice(SCREENS),
        default=None,
        help="What it is watched on. On a phone the same picture is rated higher (docs/screens.md). [default: tv]",
    )
    phones = click.option(
        "--phones",
        type=Share(),
        metavar="SHARE",
        help="Share of the audience that watches on phones: AVQ is the mean over both screens.",
    )
    return screen(phones(command))


def phones_given(screen: str | None, phones: float | None = None) -> float:
    """The share of the audience on phones, 0-1, of what was given of the two options.

    Raises:
        click.UsageError: both were.
    """
    if screen is None:
        return phones or 0.0
    if phones is not None:
        raise click.UsageError("--screen and --phones exclude each other; give one")
    return float(SCREENS.index(screen))


def say_screen(phones: float) -> None:
    """Print what the AVQ above is watched on, where that is not a television."""
    if phones:
        from abr_alloc.models.screens import screen_text

        echo(f"AVQ is that {screen_text(phones)}.")
