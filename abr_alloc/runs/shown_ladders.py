"""The ladders that reports and figures show: those of a ladder file, or the default design."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from abr_alloc import defaults
from abr_alloc.allocation.audience import read_audience
from abr_alloc.allocation.design import DesignOptions, TitleLadder, design_titles
from abr_alloc.allocation.reference import load_reference
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.errors import InfeasibleLadderError, LadderFormatError
from abr_alloc.formats.ladder_file import read_designed, read_provenance
from abr_alloc.models.checkpoint import Model
from abr_alloc.models.screens import screen_text
from abr_alloc.parameters import with_options
from abr_alloc.shipped import reference_names
from abr_alloc.table.table import FeatureTable

__all__ = ["LadderOf", "find_ladders"]


LadderOf = Callable[[Sequence[QualitySurface]], TitleLadder | str]
"""From the scenes of a title to its ladder, or to why it has none."""


def find_ladders(
    path: Path | None,
    names: Sequence[str],
    table: FeatureTable,
    model: Model,
    overhead: float,
    *,
    mix_audio: bool = False,
) -> tuple[LadderOf, list[str]]:
    """Where the ladders of some titles come from, and what to know about a file's.

    A folder stands for all ladder files in it. Without a file, ladders are designed as `abr-alloc ladder` does by
    default, beside the fixed ladder that ships for their codec.

    Args:
        path: a ladder file, or a folder of them; None to design.
        names: the titles.
        table: what the ladders are shown beside.
        model: the model that predicts.
        overhead: container overhead as a share of the streams' rate.
        mix_audio: as in `DesignOptions`, for ladders that are designed.

    Raises:
        LadderFormatError: the file cannot be read, or has none of the titles.
    """
    if path is None:
        wanted = DesignOptions(overhead=overhead, mix_audio=mix_audio).known_to(model)
        return lambda scenes: _design(scenes, wanted), []
    files = sorted(path.glob("*.json")) if os.path.isdir(path) else [path]  # noqa: PTH112
    if not files:
        raise LadderFormatError(f"the folder {path} holds no ladder file (.json); make some with `abr-alloc ladder -o`")
    found = _by_title([ladder for file in files for ladder in read_designed(file)])
    if not any(name in found for name in names):
        listed = ", ".join(list(found)[:5]) or "no titles"
        raise LadderFormatError(f"{path} has no ladder for {', '.join(names[:5])}; it has {listed}")
    missing = f"{path.name} has no ladder for this title."
    told = [text for file in files for text in _differences(file, table, model, overhead)]
    return lambda scenes: found.get(scenes[0].title, missing), told


def _design(scenes: Sequence[QualitySurface], wanted: DesignOptions) -> TitleLadder | str:
    codecs = {v.codec for v in scenes[0].video}
    fixed = [reference for reference in map(load_reference, reference_names()) if {reference.codec} == codecs]
    try:
        (found,) = design_titles(scenes, read_audience(defaults.NETWORK), wanted, fixed[0] if fixed else None)
    except InfeasibleLadderError as error:
        return f"No ladder by default: {with_options(str(error))}."
    return found


def _by_title(ladders: Sequence[TitleLadder]) -> dict[str, TitleLadder]:
    shared = {at.title: found for found in ladders for at in found.ladder.rungs[0].titles}
    return shared | {found.ladder.title: found for found in ladders if not found.ladder.rungs[0].titles}


def _differences(path: Path, table: FeatureTable, model: Model, overhead: float) -> list[str]:
    """Where a ladder file rests on something else than what it is shown beside."""
    told = []
    provenance = read_provenance(path)
    if provenance.get("weights_sha256") not in (None, model.card["weights_sha256"]):
        told.append(
            f"{path.name} was designed with another model ({provenance.get('model')}) than this page's ({model.name}): "
            "their AVQ are not comparable."
        )
    if provenance.get("overhead") not in (None, overhead):
        told.append(
            f"{path.name} was designed for {100 * provenance['overhead']:g} % container overhead, this page counts "
            f"{100 * overhead:g} %: its totals are not this page's."
        )
    if provenance["phones"] != model.phones:
        designed, shown = (screen_text(phones) or "on televisions" for phones in (provenance["phones"], model.phones))
        told.append(
            f"{path.name} was designed for people {designed}, and this page's AVQ is for people {shown}: they are not "
            "comparable; give the same `phones` to both."
        )
    designed_from, hashes = provenance.get("source_hashes", {}), table.metadata.source_hashes
    changed = [name for name, value in hashes.items() if designed_from.get(name, value) != value]
    if changed:
        told.append(f"{path.name} was designed from other sources of {', '.join(changed)}.")
    return told
