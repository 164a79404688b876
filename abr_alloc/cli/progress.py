"""The progress bar of commands that take long: on stderr, and only where somebody looks at it."""

from __future__ import annotations

import sys

import rich.console
import rich.progress as parts

__all__ = ["progress_bar"]


def progress_bar() -> parts.Progress | None:
    """A bar that goes away when it is done; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        return None
    return parts.Progress(
        parts.TextColumn("{task.description}"),
        parts.BarColumn(),
        parts.TaskProgressColumn(),
        parts.TimeRemainingColumn(),
        console=rich.console.Console(stderr=True),
        transient=True,
    )
