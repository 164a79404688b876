"""Which model plans: loaded once, and the same wherever a run's tasks are done."""

from __future__ import annotations

import functools
from pathlib import Path

from abr_alloc import defaults
from abr_alloc.errors import CheckpointError
from abr_alloc.models.checkpoint import Model, load_model, model_sha256
from abr_alloc.shipped import model_names
from abr_alloc.table.table import TableMetadata

__all__ = ["as_model", "sent_model", "shared_model"]


def shared_model(name: str, sha256: str = "", phones: float = 0.0) -> Model:
    """A model, loaded once per process as long as its files stay the same.

    Args:
        name: what `load_model` takes.
        sha256: `Model.sha256` that is wanted, of a worker by whoever sends it; whatever is there when empty.
        phones: share of the audience that watches on phones, 0-1.

    Raises:
        ArgumentError: `phones` is no share.
        CheckpointError: it cannot be loaded, or is another one here.
    """
    model = _loaded(name, model_sha256(name))
    if sha256 and model.sha256 != sha256:
        raise CheckpointError(
            f"model {name!r} is not the one with which the run began: its folder was replaced, or a worker has "
            "another; give all the same, and run again"
        )
    return model.on_phones(phones) if phones else model


@functools.lru_cache(maxsize=2)
def _loaded(name: str, _: str) -> Model:
    return load_model(name)


def sent_model(name: str, metadata: TableMetadata) -> tuple[str, str]:
    """A model for tables of some origin as tasks carry it: its name, as other folders understand it, and its digest.

    Raises:
        CheckpointError: it cannot be loaded, or does not fit the tables.
    """
    model = shared_model(name)
    model.check_versions(metadata)
    place = name if name in model_names() else str(Path(name).absolute())
    return place, model.sha256


def as_model(model: Model | str | None, phones: float = 0.0) -> Model:
    """A model as callers give it: itself, its name or folder, or None for the default; for an audience of whom a share
    watches on phones, unless the model itself is for another one.

    Raises:
        ArgumentError: `phones` is no share.
        CheckpointError: it cannot be loaded.
    """
    found = model if isinstance(model, Model) else shared_model(model or defaults.MODEL)
    return found.on_phones(phones) if phones else found
