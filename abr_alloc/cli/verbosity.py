"""How much a command says: `-q` results and errors only, `-v` also what is being done.

Both flags are declared once and added to every command, so that they may stand before and after its name. What they
say is kept in click's context, which a command shares with its group.
"""

from __future__ import annotations

import logging
import sys

import click

from abr_alloc.cli.printing import echo, printable
from abr_alloc.parameters import with_options

__all__ = ["add_flags", "inform", "is_quiet", "is_verbose", "notes", "start_logging"]

_KEY = "abr_alloc.verbosity"
_FLAGS = {
    "quiet": ("-q", "Results and errors only: no progress, notes or warnings."),
    "verbose": ("-v", "Say what is being done, on stderr."),
}


def _choose(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value:
        return
    if ctx.meta.setdefault(_KEY, param.name) != param.name:
        raise click.UsageError("--quiet and --verbose exclude each other; give one", ctx)
    _set_level(logging.ERROR if param.name == "quiet" else logging.INFO)


def add_flags(command: click.Command) -> click.Command:
    """Give a command `-q` and `-v`, before its other flags of that kind."""
    if not any(param.name in _FLAGS for param in command.params):
        command.params += [
            click.Option([short, f"--{name}"], is_flag=True, expose_value=False, callback=_choose, help=text)
            for name, (short, text) in _FLAGS.items()
        ]
    return command


def _chosen() -> str | None:
    ctx = click.get_current_context(silent=True)
    return None if ctx is None else ctx.meta.get(_KEY)


def is_quiet() -> bool:
    """Whether only results and errors are wanted."""
    return _chosen() == "quiet"


def is_verbose() -> bool:
    """Whether it shall be said what is being done."""
    return _chosen() == "verbose"


def notes(text: str) -> str:
    """Text that explains a result; empty where only results are wanted."""
    return "" if is_quiet() else text


def inform(message: str) -> None:
    """A line on stderr that is no error, unless only errors are wanted."""
    if not is_quiet():
        echo(message, err=True)


class _Stderr(logging.Handler):
    """Writes to what `sys.stderr` is at the time: a progress bar stands in for it and keeps lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{printable(with_options(self.format(record)))}\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


def _set_level(level: int) -> None:
    # --debug, which came first, says more than either flag.
    root, ours = logging.getLogger(), logging.getLogger("abr_alloc")
    if ours.level != logging.DEBUG:
        ours.setLevel(level)
        root.setLevel(max(level, logging.WARNING))


def start_logging(*, debug: bool) -> None:
    """Log to stderr: warnings; what is being done with `-v`; everything with `--debug`."""
    handler = _Stderr()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    chosen = _chosen()
    level = {"quiet": logging.ERROR, "verbose": logging.INFO, None: logging.WARNING}[chosen]
    logging.getLogger("abr_alloc").setLevel(logging.DEBUG if debug else level)
    logging.getLogger().setLevel(max(level, logging.WARNING))
