"""Of several audio tracks that were measured of a title, the one whose rows its ladder is decided on.

A rung's audio rate holds in all languages. By `first` it is chosen for the film's own sound; by `worst`, scene by scene
and rendition by rendition, for the language that sounds worst there, so that no other gets less than is promised.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from abr_alloc.models.audio_quality import quality_of_rows
from abr_alloc.table.table import FeatureTable

__all__ = ["LANGUAGE_POLICIES", "LanguagePolicy", "one_language"]

LanguagePolicy = Literal["first", "worst"]
LANGUAGE_POLICIES: tuple[LanguagePolicy, ...] = ("first", "worst")

_RENDITION = ("title", "scene", "codec", "channels", "target")


def one_language(table: FeatureTable, policy: LanguagePolicy = "first") -> FeatureTable:
    """A table with one row of every audio rendition of a scene; the same one where it has no more.

    Args:
        table: checked rows.
        policy: whose rows remain: the first track's, or those of the lowest audio quality.
    """
    if "audio_track" not in table.columns:
        return table
    places = np.flatnonzero(table.columns.is_kind("audio"))
    audio = table.columns.take(places)
    if audio.is_first(_RENDITION).all():
        return table
    order = np.nan_to_num(audio.numbers("audio_track"), nan=0.0)
    # Of equal ones the first track's.
    by_preference = np.lexsort((order, quality_of_rows(audio)) if policy == "worst" else (order,))
    kept = by_preference[audio.take(by_preference).is_first(_RENDITION)]
    keep = table.columns.is_kind("video")
    keep[places[kept]] = True
    return FeatureTable.checked(table.columns.take(keep), table.metadata)
