"""What a feature table may hold: columns by kind, ranges, and the check of every row."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from abr_alloc.errors import FeatureTableError
from abr_alloc.media.codecs import AUDIO_CODECS, VIDEO_CODECS

__all__ = [
    "AUDIO_DIM",
    "AUDIO_FEATURES",
    "CODECS",
    "KEY",
    "OPTIONAL",
    "VIDEO_FEATURES",
    "check_frame",
    "columns_of",
    "feature_columns",
    "range_of",
    "stack_audio",
]

AUDIO_DIM = 512
AUDIO_FEATURES = tuple(f"audio_features_{i:03d}" for i in range(AUDIO_DIM))
"""Names of the 512 audio features, the video vector's counterpart X_a, in order."""
VIDEO_FEATURES = ("vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2", "adm2")
"""The video vector X_v, in order."""

_BOTH = ("title", "scene", "start_s", "end_s", "kind", "codec", "target", "bitrate_kbps")
_ONLY = {
    "video": ("width_px", "height_px", "fps", *VIDEO_FEATURES, "frame_diff", "vmaf"),
    "audio": ("channels", "visqol_mos", "audio_mos", "audio_features"),
}
CODECS = {"video": tuple(VIDEO_CODECS), "audio": tuple(AUDIO_CODECS)}
OPTIONAL = frozenset({"frame_diff"})
"""Columns that a table need not have; one that is there is filled like any other."""

_TINY = 1e-6
# Closed ranges. VIF and ADM may pass 1 a little on near-identical frames.
_RANGES: dict[str, tuple[float, float]] = {
    "scene": (0, np.inf),
    "start_s": (0, 1e9),
    "end_s": (_TINY, 1e9),
    "bitrate_kbps": (_TINY, 1e7),
    "width_px": (2, 65536),
    "height_px": (2, 65536),
    "fps": (_TINY, 1000),
    "channels": (1, 64),
    **dict.fromkeys(VIDEO_FEATURES[:4], (-0.01, 2.0)),
    "motion2": (0, 1000),
    "adm2": (-0.01, 2.0),
    "frame_diff": (0, 255),
    "vmaf": (0, 100),
    "visqol_mos": (1, 5),
    "audio_mos": (1, 5),
}
KEY = ("title", "scene", "kind", "codec", "width_px", "height_px", "target")


def columns_of(kind: str) -> set[str]:
    """Columns that rows of a kind, `video` or `audio`, fill, as far as the table has them (`OPTIONAL`)."""
    return {*_BOTH, *_ONLY[kind]}


def range_of(column: str) -> tuple[float, float]:
    """Least and largest value that a column may hold; no limit for a column that is not of the table."""
    return _RANGES.get(column, (-np.inf, np.inf))


def stack_audio(rows: pd.DataFrame) -> npt.NDArray[np.float32]:
    """The audio vectors of some rows, shape (n, 512)."""
    if rows.empty:
        return np.empty((0, AUDIO_DIM), dtype=np.float32)
    return np.stack(rows["audio_features"].to_list()).astype(np.float32, copy=False)


def feature_columns(rows: pd.DataFrame, names: Sequence[str]) -> npt.NDArray[np.float32]:
    """Columns of some rows by name, (n, len(names)); `AUDIO_FEATURES` name the numbers of `audio_features`.

    Raises:
        FeatureTableError: the table does not have one of them.
    """
    if tuple(names) == AUDIO_FEATURES:
        return stack_audio(rows)
    places = {name: i for i, name in enumerate(AUDIO_FEATURES)}
    require_columns([name for name in names if name not in places], rows.columns)
    vectors = stack_audio(rows) if any(name in places for name in names) else None
    columns = [rows[name] if vectors is None or name not in places else vectors[:, places[name]] for name in names]
    return np.column_stack(columns).astype(np.float32) if columns else np.empty((len(rows), 0), dtype=np.float32)


def require_columns(names: Sequence[str], present: Collection[str]) -> None:
    """Refuse a table without a column that is read.

    Raises:
        FeatureTableError: names the first.
    """
    for name in names:
        if name not in present:
            raise FeatureTableError(
                f"the table has no column {name!r}, which the model reads; choose a model that does without",
                column=name,
            )


def check_frame(frame: pd.DataFrame, *, first_row: int = 0) -> None:
    """Refuse a frame that breaks the schema.

    Args:
        frame: the rows.
        first_row: rows of the file before these, for the message.

    Raises:
        FeatureTableError: names the column and the row.
    """
    if frame.empty:
        raise FeatureTableError("the feature table has no rows; extract at least one source")

    def refuse(bad: npt.NDArray[np.bool_], column: str, what: str) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            title = frame["title"].iloc[row]
            raise FeatureTableError(
                f"row {first_row + row} (title {title!r}), column {column}: {what}; extract the table again",
                column=column,
                row=first_row + row,
            )

    for column in ("title", "kind", "codec", "target"):
        values = frame[column]
        refuse(values.isna().to_numpy() | (values == "").to_numpy(dtype=bool), column, "is empty")
        refuse(values.str.contains("\0", regex=False).to_numpy(dtype=bool), column, "holds a NUL character")
    kind = frame["kind"].to_numpy()
    refuse(~np.isin(kind, ("video", "audio")), "kind", "is neither video nor audio")
    for name, codecs in CODECS.items():
        strange = (kind == name) & ~np.isin(frame["codec"].to_numpy(), codecs)
        refuse(strange, "codec", f"is no {name} codec out of {', '.join(codecs)}")
    for column, (low, high) in _RANGES.items():
        if column in OPTIONAL and column not in frame.columns:
            continue
        mask = _expected(kind, column)
        values = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
        refuse(mask & ~np.isfinite(values), column, "is missing, NaN or infinite")
        refuse(mask & ((values < low) | (values > high)), column, f"is outside {low:g}..{high:g}")
        refuse(~mask & np.isfinite(values), column, "must be null for this kind of row")
    refuse((frame["end_s"] <= frame["start_s"]).to_numpy(), "end_s", "is not after start_s")
    vectors = frame["audio_features"]
    lengths = np.array([-1 if v is None else len(v) for v in vectors])
    refuse((kind == "audio") & (lengths != AUDIO_DIM), "audio_features", f"does not hold {AUDIO_DIM} numbers")
    refuse((kind == "video") & (lengths != -1), "audio_features", "must be null for this kind of row")
    finite = np.ones(len(frame), dtype=bool)
    if (kind == "audio").any():
        finite[kind == "audio"] = np.isfinite(stack_audio(frame[kind == "audio"])).all(axis=1)
    refuse(~finite, "audio_features", "holds NaN or infinite numbers")
    refuse(frame.duplicated(list(KEY)).to_numpy(), "target", "repeats an earlier row")
    spans = frame.groupby(["title", "scene"], sort=False)[["start_s", "end_s"]].nunique()
    if (spans > 1).to_numpy().any():
        title, scene = spans.index[(spans > 1).any(axis=1).to_numpy()][0]
        raise FeatureTableError(f"title {title!r} scene {scene} has rows with different times", column="start_s")


def _expected(kind: npt.NDArray[np.object_], column: str) -> npt.NDArray[np.bool_]:
    """Rows in which a column must have a value."""
    if column in _BOTH:
        return np.ones(len(kind), dtype=bool)
    return np.asarray(kind == ("video" if column in _ONLY["video"] else "audio"), dtype=bool)
