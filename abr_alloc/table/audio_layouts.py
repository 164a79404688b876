"""Rows of a feature table by the layout of their audio.

A table may hold stereo and 5.1 of a title. What chooses one sound per rung looks at stereo and mono, as if the others
were not there; of a title that was measured in surround alone, at that.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from abr_alloc.errors import FeatureTableError
from abr_alloc.table.table import FeatureTable

__all__ = ["is_surround_row", "only_stereo", "only_surround"]


def is_surround_row(table: FeatureTable) -> npt.NDArray[np.bool_]:
    """Which rows are audio of more than two channels, (n,)."""
    channels = table.frame["channels"].to_numpy(dtype=np.float64, na_value=0.0)
    return np.asarray(channels > 2.0)


def only_stereo(table: FeatureTable) -> FeatureTable:
    """The rows but those of surround; of titles that have no other audio all."""
    surround = is_surround_row(table)
    if not surround.any():
        return table
    is_plain = (table.frame["kind"] == "audio").to_numpy() & ~surround
    titles = set(table.frame["title"][is_plain])
    return _kept(table, ~(surround & table.frame["title"].isin(titles).to_numpy()))


def only_surround(table: FeatureTable) -> FeatureTable:
    """The rows but those of stereo and mono.

    Raises:
        FeatureTableError: a title has no other audio.
    """
    surround = is_surround_row(table)
    with_it = set(table.frame["title"][surround])
    without = next((title for title in table.frame["title"].unique() if title not in with_it), None)
    if without is not None:
        raise FeatureTableError(
            f"title {without!r} has no audio of 5.1; extract it with `surround_codecs`, or leave it out with `titles`",
            column="channels",
        )
    return _kept(table, (table.frame["kind"] == "video").to_numpy() | surround)


def _kept(table: FeatureTable, rows: npt.NDArray[np.bool_]) -> FeatureTable:
    if rows.all():
        return table
    return FeatureTable.checked(table.frame[rows].reset_index(drop=True), table.metadata)
