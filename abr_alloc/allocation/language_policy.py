"""Of several audio tracks that were measured of a title, the one whose rows its ladder is decided on.

A rung's audio rate holds in all languages. By `first` it is chosen for the film's own sound; by `worst`, scene by scene
and rendition by rendition, for the language that sounds worst there, so that no other gets less than is promised.
"""

from __future__ import annotations

from typing import Literal

import pandas as pd

from abr_alloc.models.audio_quality import quality_of_rows
from abr_alloc.table.table import FeatureTable

__all__ = ["LANGUAGE_POLICIES", "LanguagePolicy", "one_language"]

LanguagePolicy = Literal["first", "worst"]
LANGUAGE_POLICIES: tuple[LanguagePolicy, ...] = ("first", "worst")

_RENDITION = ["title", "scene", "codec", "channels", "target"]


def one_language(table: FeatureTable, policy: LanguagePolicy = "first") -> FeatureTable:
    """A table with one row of every audio rendition of a scene; the same one where it has no more.

    Args:
        table: checked rows.
        policy: whose rows remain: the first track's, or those of the lowest audio quality.
    """
    if "audio_track" not in table.frame:
        return table
    audio = table.of_kind("audio")
    if not audio.duplicated(_RENDITION).any():
        return table
    order = audio["audio_track"].astype("float64").fillna(0.0)
    if policy == "worst":
        # Of equal ones the first track's.
        keys = pd.DataFrame({"quality": quality_of_rows(audio), "track": order}, index=audio.index)
        order = keys.sort_values(["quality", "track"]).assign(place=range(len(keys)))["place"].reindex(audio.index)
    kept = audio.assign(_order=order).sort_values("_order", kind="stable").drop_duplicates(_RENDITION).index
    frame = table.frame
    keep = (frame["kind"] != "audio") | frame.index.isin(kept)
    return FeatureTable.checked(frame[keep].reset_index(drop=True), table.metadata)
