"""What workers are given and what comes back: the one description of work, wherever it is done.

A task is a small record that is pickled and sent to a worker; it reads its inputs itself and leaves what is bulky in
its place (the cache, a delivery folder). Running one twice leaves the same thing, so that a task whose worker died is
run again elsewhere. What a task returns is small and goes back to whoever asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from abr_alloc.errors import AbrAllocError

__all__ = ["Finished", "Place", "Task", "Workers"]


class Place(Protocol):
    """Where tasks leave their results."""

    def remove_leftovers(self) -> None:
        """Remove what workers left half done."""
        ...


class Task(Protocol):
    """A unit of work."""

    @property
    def label(self) -> str:
        """What a person reads while it runs."""
        ...

    def run(self, place: Any, /) -> Any:
        """Do the work, leave the results in `place`, and return what is small."""
        ...


T = TypeVar("T", bound=Task)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Generic[T]):
    """A task that has come to its end."""

    task: T
    """Which."""
    result: Any = None
    """What it returned."""
    error: AbrAllocError | None = None
    """Why it failed; None where it did not."""


class Workers(Protocol):
    """Worker processes, here or elsewhere. Leaving the `with` block stops what still runs."""

    @property
    def num_workers(self) -> int:
        """How many tasks run side by side, now."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether they are processes of this machine."""
        ...

    def submit(self, task: Task, place: Place) -> None:
        """Hand over a task. Those handed over first start first."""
        ...

    def take_back(self, tasks: Sequence[Task]) -> None:
        """Forget tasks: those that have not started never will, and none is told of any more."""
        ...

    def finished(self, *, tick_s: float | None = None) -> Iterator[Finished[Any] | None]:
        """Every task as it finishes, whether it failed or not, until none is left; more may be submitted meanwhile.

        Args:
            tick_s: yield None whenever so many seconds pass without one that finishes.

        Raises:
            MediaError: the workers themselves are lost.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
