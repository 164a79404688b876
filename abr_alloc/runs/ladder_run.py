"""Ladders of a table, and of a catalogue title by title."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from abr_alloc import defaults
from abr_alloc.allocation.audience import Audience, read_audience
from abr_alloc.allocation.design import DesignOptions, TitleLadder, design_catalogue, design_titles
from abr_alloc.allocation.layouts import build_for
from abr_alloc.allocation.reference import ReferenceLadder, load_reference
from abr_alloc.codecs import VIDEO_CODECS
from abr_alloc.disk import scratch_folder
from abr_alloc.documents import json_text
from abr_alloc.encoder_settings import encoders_of
from abr_alloc.encoders import VideoEncoder, default_encoder
from abr_alloc.errors import LadderFormatError
from abr_alloc.formats.ladder_basis import features_object, options_object
from abr_alloc.formats.ladder_file import as_reference, ladder_document, read_ladders
from abr_alloc.formats.plan_document import model_object
from abr_alloc.formats.result_rows import ladder_frame, ladder_rows
from abr_alloc.models.checkpoint import Model
from abr_alloc.runs.catalogue_run import table_of
from abr_alloc.runs.file_names import FileNames
from abr_alloc.runs.notebook import TableView
from abr_alloc.runs.shared_model import as_model
from abr_alloc.shipped import NETWORKS
from abr_alloc.table.table import FeatureTable
from abr_alloc.table.typed_rows import TypedRows
from abr_alloc.writing import replace_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Ladders",
    "described_network",
    "encoders_in",
    "find_reference",
    "ladder",
    "ladder_path",
    "ladder_provenance",
]

_SHOWN = {
    **{"title": "", "rung": "", "video_codec": "", "width_px": "", "height_px": "", "video_kbps": ".0f"},
    **{"audio_codec": "", "audio_kbps": ".0f", "total_kbps": ".0f", "avq_mos": ".2f", "avq_low_mos": ".1f"},
    **{"avq_high_mos": ".1f", "vmaf": ".0f", "played_share": ".1%"},
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Ladders(TableView, Sequence[TitleLadder]):
    """A ladder per title, or one that all titles share, with what they rest on."""

    designed: tuple[TitleLadder, ...]
    """By title, in the table's order."""
    provenance: dict[str, Any]
    """What a ladder file says of their making: model, features, options."""
    features: FeatureTable
    """What they were designed from."""

    @overload
    def __getitem__(self, index: int) -> TitleLadder: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[TitleLadder, ...]: ...

    def __getitem__(self, index: int | slice) -> TitleLadder | tuple[TitleLadder, ...]:
        return self.designed[index]

    def __len__(self) -> int:
        return len(self.designed)

    def to_frame(self) -> pd.DataFrame:
        """One row per rung."""
        return ladder_frame(self.designed)

    def to_rows(self) -> TypedRows:
        """The same without pandas: for files."""
        return ladder_rows(self.designed)

    def to_json(self) -> str:
        """A ladder file (docs/formats.md)."""
        return json_text(ladder_document(self.designed, self.provenance))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a ladder file, or a file per title into a folder that is there.

        Raises:
            OutputError: it cannot be written.
        """
        if not Path(path).is_dir():
            replace_file(Path(path), self.to_json().encode())
            return
        names = FileNames()
        for one in self.designed:
            title = one.ladder.title
            about = self.provenance | {"features": features_object(self.features, title)}
            text = json_text(ladder_document([one], about))
            replace_file(Path(path) / names.of(title), text.encode())

    def _view(self) -> tuple[pd.DataFrame, str, dict[str, str]]:
        means = ", ".join(f"{one.ladder.title}: {one.ladder.expected_avq_mos:.3f}" for one in self.designed[:5])
        more = "..." if len(self.designed) > 5 else ""
        caption = f"Expected AVQ of the audience ({self.provenance['options']['network']}): {means}{more}"
        return self.to_frame(), caption, _SHOWN


def ladder(
    features: FeatureTable | str | os.PathLike[str],
    network: str | Audience = defaults.NETWORK,
    model: Model | str | None = None,
    *,
    options: DesignOptions | None = None,
    shared: bool = False,
    compare: str | ReferenceLadder | None = None,
    phones: float = 0.0,
) -> Ladders:
    """Design a ladder per title, or one for all: the rungs with the highest expected AVQ of an audience.

    Args:
        features: a feature table, or where tables are: a file, a folder, or a pattern.
        network: bandwidth of the audience, as `read_audience` reads it.
        model: a model, its name, or its folder; None for the default.
        options: what a ladder should be like; the model's intervals are filled in.
        shared: one ladder for all titles; not with `options.shots`.
        compare: a fixed ladder to hold it against: one that ships, by name, or a ladder file.
        phones: as in `plan`: what the rungs are worth is the mean over both screens.

    Raises:
        ArgumentError: `shared` and `options.shots`, which is of one title.
        AudienceError: the network cannot be read.
        CheckpointError: there is no such model, or it was trained on other features.
        FeatureTableError: the table breaks the schema, a scene lacks audio or video rows, or scenes or titles share no
            rendition.
        InfeasibleLadderError: no ladder keeps the rules.
        LadderFormatError: there is no such fixed ladder.
    """
    model, table = as_model(model, phones), table_of(features)
    options = (options or DesignOptions()).known_to(model)
    audience = network if isinstance(network, Audience) else read_audience(network)
    name = compare if isinstance(compare, str) else None if compare is None else compare.name
    reference = find_reference(compare) if isinstance(compare, str) else compare
    surfaces = build_for(table, model, overhead=options.overhead, surround_share=options.surround_share)
    if shared:
        designed = [design_catalogue(surfaces, audience, options, reference)]
    else:
        designed = design_titles(surfaces, audience, options, reference, encoders=encoders_in(table))
    described = described_network(network) if isinstance(network, str) else network.network
    provenance = ladder_provenance(model, options, described, name, shared=shared)
    return Ladders(
        designed=tuple(designed), provenance=provenance | {"features": features_object(table)}, features=table
    )


def encoders_in(table: FeatureTable) -> dict[str, VideoEncoder]:
    """Video encoders by the names that a table's targets have for them, and every codec's usual one by the codec's."""
    known = {name: e for name, e in encoders_of(table.metadata.encoders).items() if isinstance(e, VideoEncoder)}
    return {codec: default_encoder(codec) for codec in VIDEO_CODECS} | known


def described_network(text: str) -> str:
    """A network as it was given, and what it stands for where it is a preset."""
    return " = ".join([text, *NETWORKS.get(text, ())[:1]])


def ladder_provenance(
    model: Model, options: DesignOptions, network: str, reference: str | None, *, shared: bool
) -> dict[str, Any]:
    """What a ladder file says of its making but for the features, whose place is kept."""
    return {
        "model": model_object(model),
        "features": {},
        "options": options_object(options, network, reference, shared=shared, phones=model.phones),
    }


def find_reference(name: str) -> ReferenceLadder:
    """A fixed ladder that ships, by name, or that of a ladder file (.json) of one ladder.

    Raises:
        LadderFormatError: there is none, the file cannot be read, or holds several.
    """
    if not name.lower().endswith(".json"):
        return load_reference(name)
    ladders = read_ladders(Path(name))
    if len(ladders) > 1:
        raise LadderFormatError(
            f"{name} holds {len(ladders)} ladders; compare with a file of one (-o FOLDER writes them)"
        )
    if any(rung.video.per_shot for rung in ladders[0].rungs):
        raise LadderFormatError(
            f"{name} gives every scene its own parameters, and a fixed ladder has one target per rung; compare the "
            "other way round: design with `shots`, and `compare` a ladder of one target per rung"
        )
    return as_reference(ladders[0], Path(name).stem)


@contextlib.contextmanager
def ladder_path(ladders: Ladders | str | os.PathLike[str]) -> Iterator[Path]:
    """A ladder file: the one that is named, or one of ladders that lasts as long as the block."""
    if not isinstance(ladders, Ladders):
        yield Path(ladders)
        return
    with scratch_folder() as folder:
        ladders.save(folder / "ladder.json")
        yield folder / "ladder.json"
