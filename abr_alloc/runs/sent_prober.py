"""Who chooses the probes of a title, as tasks carry it: the name of a model and its digest, not its weights."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from abr_alloc.allocation.probing import Prober
from abr_alloc.measure.probe_chooser import ProbeChooser
from abr_alloc.media.grid import VideoTarget
from abr_alloc.models.checkpoint import Model
from abr_alloc.runs.shared_model import as_model, shared_model
from abr_alloc.shipped import model_names
from abr_alloc.table.table import FeatureTable

__all__ = ["SentProber", "probe_chooser"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentProber:
    """`Prober` of a model that is loaded where it chooses, once per process: weights are megabytes, and sent with every
    title they would be most of what a catalogue's client sends."""

    model: str
    """Its name, or its folder as other folders understand it."""
    sha256: str
    """`Model.sha256` that is wanted."""

    def first_probes(self, candidates: Sequence[VideoTarget], /) -> Sequence[VideoTarget]:
        """See `ProbeChooser`; raises CheckpointError where the model is not there, or is another one."""
        return _prober(self).first_probes(candidates)

    def next_probes(self, measured: FeatureTable, candidates: Sequence[VideoTarget], /) -> Sequence[VideoTarget]:
        """See `ProbeChooser`; raises CheckpointError where the model is not there, or is another one."""
        return _prober(self).next_probes(measured, candidates)

    def completed(self, measured: FeatureTable, candidates: Sequence[VideoTarget], /) -> FeatureTable:
        """See `ProbeChooser`; raises CheckpointError where the model is not there, or is another one."""
        return _prober(self).completed(measured, candidates)


@functools.lru_cache(maxsize=2)
def _prober(sent: SentProber) -> Prober:
    return Prober(shared_model(sent.model, sent.sha256))


def probe_chooser(model: Model | str | None) -> ProbeChooser:
    """Who chooses the probes whose plans a model makes.

    Args:
        model: itself, its name or folder, or None for the default.

    Raises:
        CheckpointError: it cannot be loaded.
    """
    found = as_model(model)
    if isinstance(model, Model):
        return Prober(found)  # there may be no folder of it
    name = model or found.name
    place = name if name in model_names() else str(Path(name).absolute())
    return SentProber(model=place, sha256=found.sha256)
