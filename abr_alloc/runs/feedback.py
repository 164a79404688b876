"""What a long run says while it works; silent where nobody listens."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from abr_alloc.measure.steps import Progress

__all__ = ["Feedback", "Update", "follow"]

logger = logging.getLogger(__name__)


class Update(Protocol):
    """Called with how much of how much is done, and what was done last."""

    def __call__(self, done: float, total: float, label: str) -> None: ...


@contextlib.contextmanager
def _unseen(label: str) -> Iterator[Update]:
    yield lambda done, total, label: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Who listens."""

    note: Callable[[str], None] = logger.info
    """Takes a line about what was met, which is no error."""
    stage: Callable[[str], AbstractContextManager[Update]] = _unseen
    """Opens a stage of the work by its name; what it gives is called as the stage goes on."""


def follow(steps: Generator[Any, None, None], label: str, feedback: Feedback) -> Iterator[Any]:
    """What a stage yields besides its progress, which is shown.

    Closing it stops the stage's workers at once, wherever an interrupt lands.
    """
    with contextlib.closing(steps), feedback.stage(label) as update:
        for step in steps:
            if isinstance(step, Progress):
                update(step.done, step.total, step.label)
            else:
                yield step
