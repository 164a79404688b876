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
    return table.columns.numbers("channels") > 2.0


def only_stereo(table: FeatureTable) -> FeatureTable:
    """The rows but those of surround; of titles that have no other audio all."""
    surround = is_surround_row(table)
    if not surround.any():
        return table
    return _kept(table, ~(surround & _has(table, table.columns.is_kind("audio") & ~surround)))


def only_surround(table: FeatureTable) -> FeatureTable:
    """The rows but those of stereo and mono.

    Raises:
        FeatureTableError: a title has no other audio.
    """
    surround = is_surround_row(table)
    without = ~_has(table, surround)
    if without.any():
        title = table.columns.words("title").values()[int(np.argmax(without))]
        raise FeatureTableError(
            f"title {title!r} has no audio of 5.1; extract it with `surround_codecs`, or leave it out with `titles`",
            column="channels",
        )
    return _kept(table, table.columns.is_kind("video") | surround)


def _has(table: FeatureTable, rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which rows are of a title that has one of some rows, (n,)."""
    title = table.columns.words("title")
    has = np.zeros(len(title.words), dtype=bool)
    has[title.codes[rows]] = True
    return has[title.codes]


def _kept(table: FeatureTable, rows: npt.NDArray[np.bool_]) -> FeatureTable:
    return table if rows.all() else FeatureTable.checked(table.columns.take(rows), table.metadata)
