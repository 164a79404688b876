"""The group of commands, how errors end a run, and nothing else.

Commands are imported when they are asked for, so that each starts with only what it needs.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import itertools
import os
import resource
import signal
import sys
from pathlib import Path

import click

from abr_alloc import __version__
from abr_alloc.cli.printing import cut, echo, safe_streams
from abr_alloc.cli.signals import ended_by_signals, signal_of
from abr_alloc.cli.verbosity import add_flags, start_logging
from abr_alloc.errors import AbrAllocError, FailedTitlesError, InfeasibleBudgetError, InfeasibleLadderError
from abr_alloc.extras import extra_missing
from abr_alloc.location import make_scratch_dir
from abr_alloc.parameters import with_options

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS = {
    "audit": "Judge the ladder that you ship: wasted rungs, better pairs.",
    "compare": "Train and test systems on the same held-out contents.",
    "doctor": "Check what is installed, and what is missing for which command.",
    "encode": "Encode a ladder and package it as HLS and DASH.",
    "evaluate": "Measure how far a model agrees with ratings.",
    "export": "Hand a ladder to other programs: HLS, DASH, ffmpeg, MediaConvert, Shaka Streamer.",
    "extract": "Measure sources: encode a grid of renditions and write the feature table.",
    "figure": "Draw relevance, surface, ladder or split as SVG or PNG.",
    "ladder": "Design the rungs that serve an audience best.",
    "lint": "Check an HLS stream against Apple's authoring rules, offline.",
    "measure": "Measure renditions that exist against their source, without an encode.",
    "plan": "Choose the best audio/video pairs under a budget.",
    "relevance": "Estimate how much audio and video matter per scene.",
    "report": "Make a page with budget slider, relevance and ladder.",
    "train": "Train a model on feature tables or on your own ratings.",
    "tune": "Search the paper's settings of a network.",
    "verify": "Measure a delivered ladder beside what was predicted.",
}
"""Every command, with its line in the overview."""

_MAX_INFEASIBLE = 20
_WIDEST_NAME = 60
EXIT_FAILURE, EXIT_INFEASIBLE = 1, 3


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"abr_alloc.cli.{cmd_name}")
        return add_flags(module.command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):  # from the table above: no command is imported for an overview
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show the traceback of an error, and log more.")
@click.version_option(__version__, prog_name="abr-alloc")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Decide audio and video bitrate together.

    -q and -v may also stand after the command. Shell completion: docs/cli.md.
    """
    ctx.obj = debug
    start_logging(debug=debug)


add_flags(cli)


def main() -> None:
    """Run a command; end with exit code 0, 1 (failure), 2 (usage), 3 (infeasible), or 128 and the signal's number.

    130 is Ctrl-C.
    """
    # Known before click has read the line, whose reading may fail already.
    debug = "--debug" in itertools.takewhile(lambda word: word.startswith("-"), sys.argv[1:])
    safe_streams()
    gc.set_threshold(20_000, 20, 20)  # importing and planning make many records and no circles
    try:
        _have_home()
        _spare_memory()
        with ended_by_signals():
            code = cli(standalone_mode=False)
            if sys.stdout is not None:
                sys.stdout.flush()  # what a full disk refuses is told here, not by the interpreter at its end
    except (click.exceptions.Abort, KeyboardInterrupt) as error:
        number = signal_of(error)
        word = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
        _end(f"{word}; run the same command again to go on where it stopped", 128 + number, debug)
    except click.ClickException as error:
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            error.show()
            sys.exit(error.exit_code)
        _end(error.format_message(), error.exit_code, debug)
    except InfeasibleBudgetError as error:
        shown = error.scenes[:_MAX_INFEASIBLE]
        for scene in shown[:-1]:
            echo(f"infeasible: {_line(str(scene))}", err=True)
        rest = error.number - len(shown)
        more = f" (and {rest} more)" if rest else ""
        last = f"{shown[-1]}{more}; {shown[-1].hint}"
        _end(last, EXIT_INFEASIBLE, debug, word="infeasible")
    except FailedTitlesError as error:
        width = max(len(name) for name, _ in error.failures)
        for name, reason in error.failures:
            echo(f"failed: {name:{min(width, _WIDEST_NAME)}}  {_line(reason)}", err=True)
        _end(str(error), EXIT_FAILURE, debug)
    except InfeasibleLadderError as error:
        _end(str(error), EXIT_INFEASIBLE, debug, word="infeasible")
    except AbrAllocError as error:
        _end(str(error), EXIT_FAILURE, debug)
    except ModuleNotFoundError as error:
        missing = extra_missing(error)
        if missing is None:
            raise
        _end(str(missing), EXIT_FAILURE, debug)
    except BrokenPipeError:
        # The reader has gone (`| head`): not an error, and the interpreter must not complain at exit either.
        _forget_stdout()
        sys.exit(EXIT_FAILURE)
    except OSError as error:
        # Outputs, inputs and caches tell of their own trouble: this is stdout's, or the system's.
        if error.filename is None:
            _forget_stdout()
        what = "stdout cannot be written" if error.filename is None else str(error.filename)
        _end(f"{what}: {error.strerror or error}", EXIT_FAILURE, debug)
    except BaseException as error:
        if not _is_want_of_memory(error):
            raise
        reason = cut(str(error)) or type(error).__name__
        _end(f"not enough memory ({reason}); allow more (ulimit -v), or give less at a time", EXIT_FAILURE, debug)
    sys.exit(code if isinstance(code, int) else 0)


def _have_home() -> None:
    """Libraries ask for a home folder as they are imported; in a container nobody may have one."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(make_scratch_dir())


def _is_want_of_memory(error: BaseException) -> bool:
    """Whether that is what an error tells of: libraries say it in many ways, those in Rust by a panic."""
    told = ("can't start new thread", "failed to map segment", "cannot allocate memory", "unable to allocate")
    panic = type(error).__name__ == "PanicException"
    return panic or isinstance(error, MemoryError) or any(text in str(error).lower() for text in told)


def _spare_memory() -> None:
    """Where memory is limited (ulimit -v), libraries that reserve some per thread have one thread."""
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        for library in ("OPENBLAS", "MKL", "OMP"):
            os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def _forget_stdout() -> None:
    """What waits to be written to a stdout that takes nothing goes nowhere."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _line(message: str) -> str:
    return cut(with_options(message))


def _end(message: str, code: int, debug: bool, *, word: str = "error") -> None:
    if debug:
        raise  # noqa: PLE0704 - called from an except block
    echo(f"{word}: {_line(message)}", err=True)
    sys.exit(code)
