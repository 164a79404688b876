"""SIGTERM and SIGHUP end a command as Ctrl-C does: what runs is stopped, half-done files go, and one line says so."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["Ended", "ended_by_signals", "signal_of"]

_NUMBERS = (signal.SIGTERM, signal.SIGHUP)


class Ended(KeyboardInterrupt):
    """A signal that asks this process to end; caught by whatever cleans up after Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise `Ended` in this thread when such a signal comes; one that is ignored already (nohup) stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    try:
        for number, handler in before.items():
            if handler is signal.SIG_DFL:
                signal.signal(number, _end)
        yield
    finally:
        for number, handler in before.items():
            if handler is signal.SIG_DFL:
                signal.signal(number, signal.SIG_DFL)


def _end(number: int, _: FrameType | None) -> None:
    for one in _NUMBERS:  # cleaning up is not interrupted by the next; SIGKILL always is there
        signal.signal(one, signal.SIG_IGN)
    raise Ended(number)


def signal_of(error: BaseException | None) -> int:
    """The signal behind an interruption; SIGINT where it is none of those above."""
    while error is not None:
        if isinstance(error, Ended):
            return error.number
        error = error.__cause__ or error.__context__
    return int(signal.SIGINT)
