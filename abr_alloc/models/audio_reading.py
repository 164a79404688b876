"""Which family of audio features a model reads, and the refusal of tables of another one."""

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

__all__ = ["does_read", "family_read", "read_version", "reads_features", "refuse_other_family", "shipped_readers"]

_MOST_NAMES = 4


def reads_features(card: Mapping[str, Any]) -> bool:
    """Whether a model reads any of the 512 numbers themselves."""
    return not {*AUDIO_FEATURES}.isdisjoint(card["audio_features"])


def read_version(card: Mapping[str, Any]) -> str | None:
    """The version of audio features that a model reads; None where any will do.

    Of ratings nobody says a version. Their 512 numbers, where a model reads them, are ViSQOL's.
    """
    version = card.get("audio_feature_version")
    if version is None and reads_features(card):
        return VISQOL.version
    return None if version is None else str(version)


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
    readers = shipped_readers(theirs.version)
    others = f"; of those that ship: {', '.join(readers[:_MOST_NAMES])}{', ...' * (len(readers) > _MOST_NAMES)}"
    raise CheckpointError(
        f"model {name!r} reads the audio features {version} ({mine.name}) and the table holds {found or 'others'} "
        f"({theirs.name}); extract again with `audio_features` {mine.name}, or choose a `model` that reads "
        f"{theirs.version}{others if readers else ': none ships, so train one with `abr-alloc train`'}"
    )


def shipped_readers(version: str) -> list[str]:
    """Names of the models that ship and were trained on some audio features; the default one first."""
    folder = resources.files("abr_alloc.models").joinpath("weights")
    cards = {name: parse_json(folder.joinpath(name, "model.json").read_bytes()) for name in model_names()}
    found = [name for name, card in cards.items() if card.get("audio_feature_version") == version]
    return sorted(found, key=lambda name: (name != defaults.MODEL, name))
