"""The check of every row of a feature table against its declaration (`schema.py`)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from abr_alloc.audio_families import LISTENER, family_of
from abr_alloc.errors import FeatureTableError
from abr_alloc.table.columns import Columns
from abr_alloc.table.half_seconds import check_half_seconds
from abr_alloc.table.schema import AUDIO_DIM, CODECS, KEY, NULLABLE, NUMBERS, OPTIONAL, SCHEMA, range_of, stack_audio

__all__ = ["check_rows"]

_KINDS = {column.name: column.kinds for column in SCHEMA}


def check_rows(rows: Columns, audio_feature_version: str = "", *, first_row: int = 0) -> None:
    """Refuse rows that break the schema.

    Args:
        rows: the rows.
        audio_feature_version: of their table.
        first_row: rows of the file before these, for the message.

    Raises:
        FeatureTableError: names the column and the row.
    """
    if not len(rows):
        raise FeatureTableError("the feature table has no rows; extract at least one source")

    def refuse(bad: npt.NDArray[np.bool_], column: str, what: str) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            title = rows.words("title").values()[row]
            raise FeatureTableError(
                f"row {first_row + row} (title {title!r}), column {column}: {what}; extract the table again",
                column=column,
                row=first_row + row,
            )

    for text in (column for column in SCHEMA if column.type == "string" and column.name in rows):
        words = rows.words(text.name)
        empty = words.isin([""])
        refuse(empty if text.nullable else empty | (words.codes < 0), text.name, "is empty")
        refuse(words.isin([word for word in words.words if "\0" in word]), text.name, "holds a NUL character")
    is_of = {kind: rows.is_kind(kind) for kind in ("video", "audio")}

    def of_kinds(column: str) -> npt.NDArray[np.bool_]:
        return np.logical_or.reduce([is_of[kind] for kind in _KINDS[column]])

    for name in ("dynamic_range", "language"):
        if name in rows:
            refuse(~of_kinds(name) & (rows.words(name).codes >= 0), name, "must be null for this kind of row")
    if "dynamic_range" in rows:
        ranges = rows.words("dynamic_range")
        strange = (ranges.codes >= 0) & ~ranges.isin(("SDR", "HLG", "PQ"))
        refuse(strange, "dynamic_range", "is none of SDR, HLG, PQ")
    refuse(~(is_of["video"] | is_of["audio"]), "kind", "is neither video nor audio")
    for name, codecs in CODECS.items():
        strange = is_of[name] & ~rows.words("codec").isin(codecs)
        refuse(strange, "codec", f"is no {name} codec out of {', '.join(codecs)}")
    for column in sorted(NUMBERS, key=lambda name: len(_KINDS[name]), reverse=True):  # what all rows fill first
        if column in OPTIONAL and column not in rows:
            continue
        low, high = range_of(column)
        mask, values = of_kinds(column), rows.numbers(column)
        missing = np.isinf(values) if column in NULLABLE else ~np.isfinite(values)
        refuse(mask & missing, column, "is missing, NaN or infinite")
        refuse(mask & ((values < low) | (values > high)), column, f"is outside {low:g}..{high:g}")
        refuse(~mask & np.isfinite(values), column, "must be null for this kind of row")
    refuse(rows.numbers("end_s") <= rows.numbers("start_s"), "end_s", "is not after start_s")
    lengths = rows.lists("audio_features").lengths
    refuse(is_of["audio"] & (lengths != AUDIO_DIM), "audio_features", f"does not hold {AUDIO_DIM} numbers")
    refuse(is_of["video"] & (lengths != -1), "audio_features", "must be null for this kind of row")
    finite = np.ones(len(rows), dtype=bool)
    finite[is_of["audio"]] = np.isfinite(stack_audio(rows.take(is_of["audio"]))).all(axis=1)
    refuse(~finite, "audio_features", "holds NaN or infinite numbers")
    spread = rows.numbers("audio_spread_mos") if "audio_spread_mos" in rows else np.full(len(rows), np.nan)
    if family_of(audio_feature_version) is LISTENER:
        missing = is_of["audio"] & np.isnan(spread)
        refuse(missing, "audio_spread_mos", f"is missing in a table of {audio_feature_version}")
    else:
        refuse(np.isfinite(spread), "audio_spread_mos", "is there, and the table is not of the listener's features")
        # Optional, as a table of the listener has none; whoever was heard by ViSQOL has its MOS.
        if "visqol_mos" not in rows:
            raise FeatureTableError(
                "the feature table has no column visqol_mos, and its audio features are ViSQOL's; extract it again",
                column="visqol_mos",
            )
    if "half_second_kbit" in rows:
        check_half_seconds(rows, "half_second_kbit", refuse)
    refuse(~rows.is_first([column for column in KEY if column in rows]), "target", "repeats an earlier row")
    _check_times(rows)


def _check_times(rows: Columns) -> None:
    """Refuse scenes whose rows differ in their times."""
    first = rows.is_first(("title", "scene"))
    twice = rows.is_first(("title", "scene", "start_s", "end_s")) & ~first
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        title, scene = rows.words("title").values()[row], int(rows.numbers("scene")[row])
        raise FeatureTableError(f"title {title!r} scene {scene} has rows with different times", column="start_s")
