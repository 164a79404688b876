"""Which family of audio features a model reads, and the refusal of tables of another one.

`audio_quality_mos` and rates mean the same whoever heard the audio. A model that reads nothing else of audio is bound
to no family, whatever it was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

from abr_alloc import defaults
from abr_alloc.audio_families import VISQOL, AudioFamily, family_of
from abr_alloc.documents import parse_json
from abr_alloc.errors import CheckpointError
from abr_alloc.shipped import model_names
from abr_alloc.table.table import AUDIO_FEATURES

__all__ = [
    "does_read",
    "family_read",
    "is_bound",
    "read_version",
    "reads_features",
    "refuse_other_family",
    "shipped_readers",
]

_MOST_NAMES = 4
_OWN_NUMBERS = frozenset((*AUDIO_FEATURES, "audio_mos", "audio_spread_mos", "visqol_mos"))
"""Columns whose numbers mean what the family of their table says."""


def reads_features(card: Mapping[str, Any]) -> bool:
    """Whether a model reads any of the 512 numbers themselves."""
    return not {*AUDIO_FEATURES}.isdisjoint(card["audio_features"])


def is_bound(card: Mapping[str, Any]) -> bool:
    """Whether a model reads any column whose numbers are those of one family."""
    return not _OWN_NUMBERS.isdisjoint(card["audio_features"])


def read_version(card: Mapping[str, Any]) -> str | None:
    """The version of audio features that a model reads; None where any will do.

    Of ratings nobody says a version. What a model reads of a family there is ViSQOL's.
    """
    return str(card.get("audio_feature_version") or VISQOL.version) if is_bound(card) else None


def family_read(card: Mapping[str, Any]) -> AudioFamily:
    """The family of audio features that a model reads; ViSQOL's where any will do."""
    return family_of(read_version(card))


def does_read(card: Mapping[str, Any], version: str) -> bool:
    """Whether a model reads audio features of the family of a version."""
    wanted = read_version(card)
    return wanted is None or family_of(wanted) is family_of(version)


def refuse_other_family(name: str, card: Mapping[str, Any], found: str) -> None:
    """Refuse audio features of a family that a model does not read; versions of one family are not compared.

    Args:
        name: the model's.
        card: the model's.
        found: version of the features.

    Raises:
        CheckpointError: says which family the model reads, which there is, and what to do.
    """
    if does_read(card, found):
        return
    version, mine, theirs = read_version(card), family_read(card), family_of(found)
    readers = shipped_readers(found)
    others = f"; of those that ship: {', '.join(readers[:_MOST_NAMES])}{', ...' * (len(readers) > _MOST_NAMES)}"
    raise CheckpointError(
        f"model {name!r} reads the audio features {version} ({mine.name}) and the table holds {found or 'others'} "
        f"({theirs.name}); extract again with `audio_features` {mine.name}, or choose a `model` that reads "
        f"{found or 'them'}{others if readers else ': none ships, so train one with `abr-alloc train`'}"
    )


def shipped_readers(version: str) -> list[str]:
    """Names of the models that ship and can plan a table of some audio features; the default one first.

    Besides those that read just this version, those that read any.
    """
    folder = resources.files("abr_alloc.models").joinpath("weights")
    cards = {name: parse_json(folder.joinpath(name, "model.json").read_bytes()) for name in model_names()}
    found = [name for name, card in cards.items() if does_read(card, version) and read_version(card) in (None, version)]
    return sorted(found, key=lambda name: (name != defaults.MODEL, name))
