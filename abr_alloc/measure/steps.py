"""What an extraction tells while it runs, besides the tables themselves."""

from __future__ import annotations

from dataclasses import dataclass

from abr_alloc.errors import AbrAllocError, MediaError, ToolMissingError

__all__ = ["FailedTitle", "Progress", "stops_all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an extraction is."""

    done: float
    """Work done, in units of `total`."""
    total: float
    """All work, cached work not counted."""
    label: str
    """What was finished last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTitle:
    """A title that could not be measured."""

    name: str
    """Title."""
    error: AbrAllocError
    """Why."""


def stops_all(error: AbrAllocError) -> bool:
    """Whether an error ends a run: what is wrong with a source is its own; a missing encoder or a full disk is not."""
    return not isinstance(error, MediaError) or isinstance(error, ToolMissingError)
