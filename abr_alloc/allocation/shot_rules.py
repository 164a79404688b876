"""What is asked of a ladder whose rungs give every scene its own parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

from abr_alloc.allocation.pooling import POOLS
from abr_alloc.arguments import require_number
from abr_alloc.errors import ArgumentError

__all__ = ["LIMITS", "ShotRules"]

LIMITS = ("max_rate_kbps", "peak_kbps", "max_step_mos")
"""Fields that bound scenes; infinity where they do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotRules:
    """How a rung may spread its rate over the scenes of its title."""

    free_size: bool = False
    """Whether scenes of a rung may differ in size."""
    pool: str = "mean"
    """How AVQ is pooled over time."""
    max_rate_kbps: float = math.inf
    """Largest total rate of a scene, kbps."""
    peak_kbps: float = math.inf
    """Largest rate of the video over a window of a segment's length, kbps."""
    max_step_mos: float = math.inf
    """Largest difference in AVQ between neighbouring scenes, MOS."""

    def without(self, limit: str) -> ShotRules:
        """The same without one of its limits, named by its field."""
        limits = {name: getattr(self, name) for name in LIMITS} | {limit: math.inf}
        return ShotRules(free_size=self.free_size, pool=self.pool, **limits)

    def __post_init__(self) -> None:
        if self.pool not in POOLS:
            raise ArgumentError(f"`pool` is {self.pool!r}; give one of {', '.join(POOLS)}")
        for name in ("max_rate_kbps", "peak_kbps", "max_step_mos"):
            if getattr(self, name) != math.inf:
                require_number(name, getattr(self, name), 0.0, above=True)
        if self.pool == "p5" and self.max_step_mos != math.inf:
            raise ArgumentError(
                "`pool` 'p5' lets scenes go that `max_step_mos` holds to their neighbours; give another `pool`, or no "
                "`max_step_mos`"
            )
