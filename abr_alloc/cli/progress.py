"""The progress of commands that take long, on stderr.

Somebody at a terminal sees a bar that goes away when it is done; where colours are not wanted (`NO_COLOR`, a dumb
terminal) it is one line of plain characters. A log gets nothing, or with `-v` a plain line now and then.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import rich.console
import rich.progress as parts
import rich.table

from abr_alloc.cli.printing import printable
from abr_alloc.cli.verbosity import is_quiet, is_verbose

__all__ = ["progress"]

_MAX_WIDTH = 79  # one less than a terminal has: in the last column some wrap
_LABEL_WIDTH = 40
_LINE_EVERY_S, _LINE_EVERY_SHARE = 10.0, 0.05


class Update(Protocol):
    """Told how much of how much is done, and what was done last."""

    def __call__(self, done: float, total: float, label: str) -> None: ...


@contextlib.contextmanager
def progress(label: str, *, now: Callable[[], float] = time.monotonic) -> Iterator[Update]:
    """Show how far a command is, as the place and the flags ask for.

    Args:
        label: what is done first, before any share of the work is known.
        now: a clock, seconds.
    """
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") in ("dumb", "unknown")
    seen = sys.stderr is not None and sys.stderr.isatty()
    if sys.stderr is None or is_quiet() or not (seen or is_verbose()):
        yield lambda done, total, label: None
    elif seen and not plain:
        with _bar() as bar:
            task = bar.add_task(label, total=None)
            yield lambda done, total, label: bar.update(task, completed=done, total=total, description=_end(label))
    elif is_verbose():
        yield _lines(now)
    else:
        try:
            yield _redraw
        finally:
            sys.stderr.write(f"\r{'':{_width()}}\r")
            sys.stderr.flush()


def _width() -> int:
    return min(_MAX_WIDTH, shutil.get_terminal_size().columns - 1)


def _bar() -> parts.Progress:
    console = rich.console.Console(stderr=True)
    console.width = _width()
    return parts.Progress(
        parts.TextColumn("{task.description}", table_column=rich.table.Column(ratio=1, no_wrap=True), markup=False),
        parts.BarColumn(bar_width=20),
        parts.TaskProgressColumn(),
        parts.TimeRemainingColumn(),
        console=console,
        transient=True,
        expand=True,
    )


def _end(label: str) -> str:
    """The end of a label: what was done stands there, after a title that may be long."""
    label = printable(label).replace("\n", "\\n")
    return label if len(label) <= _LABEL_WIDTH else f"…{label[1 - _LABEL_WIDTH :]}"


def _share(done: float, total: float) -> float:
    return min(1.0, done / total) if total > 0 else 1.0


def _redraw(done: float, total: float, label: str) -> None:
    share = _share(done, total)
    line = f"{100 * share:3.0f} % [{'#' * int(20 * share):20}] {_end(label)}"
    sys.stderr.write(f"\r{line[: _width()]:{_width()}}")
    sys.stderr.flush()


def _lines(now: Callable[[], float]) -> Update:
    """A line when 5 % more is done, but not within ten seconds of the last one."""
    last_s, last_share = -math.inf, -1.0

    def update(done: float, total: float, label: str) -> None:
        nonlocal last_s, last_share
        share, at_s = _share(done, total), now()
        # A share may fall: another stage begins.
        if at_s - last_s >= _LINE_EVERY_S and not 0.0 <= share - last_share < _LINE_EVERY_SHARE:
            last_s, last_share = at_s, share
            sys.stderr.write(f"{100 * share:.0f} %: {printable(label)}\n")
            sys.stderr.flush()

    return update
