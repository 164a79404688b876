"""Who chooses what is probed, as far as measuring knows: `allocation.probing` is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from abr_alloc.media.grid import VideoTarget
from abr_alloc.table.table import FeatureTable

__all__ = ["ProbeChooser"]


class ProbeChooser(Protocol):
    """Chooses which of a grid's video renditions are probed, a few at a time."""

    def first_probes(self, candidates: Sequence[VideoTarget], /) -> Sequence[VideoTarget]:
        """What is measured before anything is known of the title."""
        ...

    def next_probes(self, measured: FeatureTable, candidates: Sequence[VideoTarget], /) -> Sequence[VideoTarget]:
        """What is measured next; nothing when that is enough."""
        ...

    def completed(self, measured: FeatureTable, candidates: Sequence[VideoTarget], /) -> FeatureTable:
        """The title's table once nothing more is measured, with what is estimated of the other renditions."""
        ...
