"""Tables of rated stimuli: one row per stimulus, with its content, its MOS and its features.

What every system needs beyond features is derived where it is missing: `bitrate_kbps` is `audio_kbps`; `audio_mos`,
where the audio was not measured, is ITU-T P.1203.2's curve of the codec and rate; `audio_quality_mos` follows from
codec, rate and the 512 statistics as in feature tables (`audio_quality.py`), or is `audio_mos` where none is known;
`motion2` and `adm2` are estimated where a table has `frame_diff` instead (`imputation.py`).
"""

from __future__ import annotations

import fnmatch
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from abr_alloc.documents import shown
from abr_alloc.errors import FeatureTableError
from abr_alloc.learning.dataset import TrainingSet
from abr_alloc.learning.imputation import IMPUTED, READ, impute
from abr_alloc.learning.panel import panel_of, without_flagged
from abr_alloc.learning.rated_columns import derive_audio, numbers_of, place_of
from abr_alloc.models.audio_quality import AUDIO_QUALITY
from abr_alloc.table.table import AUDIO_DIM, AUDIO_FEATURES, VIDEO_FEATURES

__all__ = ["from_ratings", "read_contents", "read_ratings", "read_video_ratings"]

logger = logging.getLogger(__name__)

AUTO_SCALES = ((1.0, 5.0), (0.0, 100.0))
"""Rating scales that are recognised by themselves, worst and best."""

_LOWEST_TOP = 10.0  # ratings on 0-100 whose best is no better are on another scale

# The first of these that the table has is what a network reads.
_AUDIO_PATTERNS = (("audio_features_*",), ("vif1d_scale?",), ("audio_mos",))
_VIDEO_PATTERNS = (VIDEO_FEATURES, READ)
# Kept beside a network's features, where the table has them: what the other systems read.
_AUDIO_EXTRAS = (AUDIO_QUALITY, "audio_mos", "bitrate_kbps")
_VIDEO_EXTRAS = ("vmaf", *VIDEO_FEATURES)

Floats = npt.NDArray[np.float64]


def read_ratings(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file of rated stimuli.

    Raises:
        FeatureTableError: it cannot be read or has no rows.
    """
    if not os.path.isfile(path):  # noqa: PTH113 - a name may be too long to ask for
        what = "are no regular file; write them to one" if os.path.exists(path) else "do not exist; check the path"  # noqa: PTH110
        raise FeatureTableError(f"ratings {path} {what}", path=str(path))
    kind, read = ("Parquet", pd.read_parquet) if path.suffix.lower() == ".parquet" else ("CSV", pd.read_csv)
    try:
        frame = read(path)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise FeatureTableError(
            f"ratings {path} cannot be read as {kind} ({reason}); give a table with a header row", path=str(path)
        ) from error
    if len(frame.columns) == 1 and ";" in str(frame.columns[0]):
        raise FeatureTableError(f"ratings {path} are separated by semicolons; separate them by commas", path=str(path))
    if frame.empty:
        raise FeatureTableError(f"ratings {path} have no rows; add rated stimuli", path=str(path))
    for column in frame.columns:
        _refuse_objects(frame, column, path)
    logger.info("read %s: %d rated stimuli", path, len(frame))
    return frame


def _refuse_objects(frame: pd.DataFrame, column: str, path: Path) -> None:
    """Refuse cells that are neither text nor a number, as a Parquet file may hold them."""
    if frame[column].dtype != object:
        return
    for row, value in enumerate(frame[column]):
        if not (value is None or isinstance(value, (str, int, float))):
            raise FeatureTableError(
                f"ratings {path}, row {row}, column {column}: {shown(value)} is neither text nor a number; correct it",
                path=str(path),
                column=column,
                row=row,
            )


def read_video_ratings(path: Path) -> pd.DataFrame:
    """Read the second table of the product form: video ratings, `mos` 1-5, and the six VMAF features. Rows that the
    table itself flags (`panel.FLAGS`) are left out.

    Raises:
        FeatureTableError: it cannot be read, or a column is missing, not numeric or out of its range.
    """
    frame = read_ratings(path)
    frame, _ = without_flagged(frame)
    columns = ["mos", *VIDEO_FEATURES]
    for column in columns:
        if column not in frame.columns:
            raise FeatureTableError(
                f"the video ratings {path} have no column {column!r}; they need {', '.join(columns)}", column=column
            )
        frame[column] = numbers_of(frame, column)
    _scale(frame["mos"].to_numpy(), AUTO_SCALES[0])
    return frame


def from_ratings(
    frame: pd.DataFrame,
    audio_columns: Sequence[str] = (),
    video_columns: Sequence[str] = (),
    mos_range: tuple[float, float] | None = None,
) -> TrainingSet:
    """A training set from rated stimuli, one per row.

    Args:
        frame: columns `content`, `mos` and features.
        audio_columns: patterns (`vif1d_*`) of the audio features that networks read; when empty, the 512 features, the
            1-D VIF scales or `audio_mos`, whichever is there first. A table without audio has none.
        video_columns: the same for video; when empty, the six VMAF features, or else the VIF scales and `frame_diff`.
        mos_range: worst and best possible rating, mapped linearly to 1 and 5; None to recognise 1-5 and 0-100.

    Raises:
        FeatureTableError: a column is missing, not numeric or not finite, a rating is out of range, or a row is there
            twice.
    """
    for column in ("content", "mos"):
        if column not in frame.columns:
            raise FeatureTableError(
                f"the ratings have no column {column!r}; they need content, mos and features", column=column
            )
    frame = frame.reset_index(drop=True)
    panel = panel_of(frame)
    frame = derive_audio(frame)
    audio = _choose(frame, audio_columns, _AUDIO_PATTERNS, "audio")
    video = _choose(frame, video_columns, _VIDEO_PATTERNS, "video")
    if not video:
        raise FeatureTableError(
            f"the ratings have neither {', '.join(VIDEO_FEATURES)} nor {', '.join(READ)}; name the video "
            "features with `video_columns`"
        )
    for column in ("content", "mos"):
        if column in (*audio, *video):
            raise FeatureTableError(f"column {column!r} is the label or the content, no feature", column=column)
    shared = sorted(set(audio) & set(video))
    if shared:
        raise FeatureTableError(f"column {shared[0]!r} is named as audio and as video feature", column=shared[0])
    if set(video) >= set(READ) and not set(IMPUTED) <= set(frame.columns):
        logger.info("motion2 and adm2 are estimated from the VIF scales and frame_diff (docs/model.md)")
        frame = impute(frame.assign(**{column: numbers_of(frame, column) for column in READ}))
    every_audio = [*audio, *(c for c in _AUDIO_EXTRAS if c in frame.columns and c not in audio)]
    every_video = [*video, *(c for c in _VIDEO_EXTRAS if c in frame.columns and c not in video)]
    for column in ("mos", *every_audio, *every_video):
        frame[column] = numbers_of(frame, column)
    scale = _scale(frame["mos"].to_numpy(), mos_range)
    content = _texts(frame, "content")
    _refuse_copies(frame, ["content", "mos", *every_audio, *every_video])
    rows = np.arange(len(frame), dtype=np.intp)
    low, high = scale
    return TrainingSet(
        x_a=frame[every_audio].to_numpy(dtype=np.float32),
        x_v=frame[every_video].to_numpy(dtype=np.float32),
        audio_columns=tuple(every_audio),
        video_columns=tuple(every_video),
        content_a=content,
        content_v=content,
        pairs=np.column_stack([rows, rows]),
        mos=1.0 + 4.0 * (frame["mos"].to_numpy() - low) / (high - low),
        teacher=None,
        audio_names=tuple(audio),
        video_names=tuple(video),
        condition_a=_conditions(frame, ("audio_codec", "audio_kbps"), every_audio),
        condition_v=_conditions(frame, ("video_condition",), every_video),
        scale=scale,
        validity=_validity(frame),
        panel=panel,
    )


def _validity(frame: pd.DataFrame) -> dict[str, object]:
    """What the rated stimuli cover, where the table says so."""
    found: dict[str, object] = {}
    if "audio_codec" in frame.columns:
        found["audio_codecs"] = sorted({str(codec) for codec in frame["audio_codec"].dropna()})
    if "audio_kbps" in frame.columns:
        # Encoders deliver a little more or less than their nominal rate.
        kbps = numbers_of(frame, "audio_kbps")
        found["audio_kbps"] = [round(float(kbps.min()), 1), round(1.1 * float(kbps.max()), 1)]
    if "fps" in frame.columns and frame["fps"].notna().any():
        fps = numbers_of(frame.assign(fps=frame["fps"].ffill().bfill()), "fps")  # known of some rows only
        found["fps"] = [float(fps.min()) - 1.0, float(fps.max()) + 1.0]
    return found


def _choose(frame: pd.DataFrame, patterns: Sequence[str], known: Sequence[Sequence[str]], kind: str) -> list[str]:
    """Columns that match the patterns given, or else the first known set that is there whole."""
    if not patterns:
        for candidate in known:
            if all(fnmatch.filter(frame.columns, pattern) for pattern in candidate):
                return _choose(frame, candidate, (), kind)
        return []
    found: list[str] = []
    for pattern in patterns:
        columns = fnmatch.filter(frame.columns, pattern)
        if not columns:
            raise FeatureTableError(
                f"the ratings have no column that matches {pattern!r}; name the {kind} features with `{kind}_columns`",
                column=pattern,
            )
        found += [column for column in columns if column not in found]
    if len(found) == AUDIO_DIM and set(found) == set(AUDIO_FEATURES):
        return list(AUDIO_FEATURES)
    return found


def _scale(mos: Floats, mos_range: tuple[float, float] | None) -> tuple[float, float]:
    if mos_range is not None:
        low, high = mos_range
        if not -np.inf < low < high < np.inf:
            raise FeatureTableError(
                f"a MOS range of {low:g} to {high:g} is empty; give `mos_range` WORST BEST", column="mos"
            )
        scale = mos_range
    else:
        # A few ratings outside 1-5 are mistakes; many are another scale.
        on_five = np.mean((mos >= 1.0) & (mos <= 5.0)) > 0.5
        scale = AUTO_SCALES[0] if on_five else AUTO_SCALES[1]
        if not on_five and mos.min() >= 0.0 and mos.max() <= _LOWEST_TOP:
            raise FeatureTableError(
                f"ratings of {mos.min():g}..{mos.max():g} are neither on 1-5 nor on 0-100; give their scale with "
                "`mos_range`",
                column="mos",
            )
    bad = (mos < scale[0]) | (mos > scale[1])
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise FeatureTableError(
            f"{place_of(row)}, column mos: {mos[row]:g} is outside {scale[0]:g}..{scale[1]:g}; correct it, or give "
            "the scale with `mos_range`",
            column="mos",
            row=row,
        )
    return scale


def _refuse_copies(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse rows that are there twice; one stimulus that was rated in two tests has two ratings and may stay."""
    copies = np.flatnonzero(frame.duplicated(list(columns)).to_numpy())
    if len(copies):
        row = int(copies[0])
        same = (frame[list(columns)] == frame.loc[row, list(columns)]).all(axis=1).to_numpy()
        raise FeatureTableError(
            f"{place_of(row)} repeats row {int(np.flatnonzero(same)[0])} (content {frame['content'].iloc[row]!r}), "
            "features and rating; remove it",
            row=row,
        )


def _conditions(frame: pd.DataFrame, named: Sequence[str], features: Sequence[str]) -> npt.NDArray[np.object_]:
    """What was done to each stimulus: the named columns where they are there, or else its features."""
    columns = [column for column in named if column in frame.columns] or list(features)
    if not columns:
        return np.full(len(frame), "", dtype=object)
    return np.array([" ".join(map(str, row)) for row in frame[columns].itertuples(index=False)], dtype=object)


def _texts(frame: pd.DataFrame, column: str) -> npt.NDArray[np.object_]:
    """A column as text; empty cells are refused."""
    empty = frame[column].isna().to_numpy()
    if empty.any():
        row = int(np.flatnonzero(empty)[0])
        raise FeatureTableError(f"row {row}, column {column}: empty; fill it in", column=column, row=row)
    return np.array([str(value) for value in frame[column]], dtype=object)


def read_contents(path: Path) -> dict[str, str]:
    """Read which content each title belongs to, from a CSV file with columns `title` and `content`.

    Raises:
        FeatureTableError: it cannot be read or lacks a column.
    """
    frame = read_ratings(path)
    for column in ("title", "content"):
        if column not in frame.columns:
            raise FeatureTableError(f"{path} has no column {column!r}; it needs title and content", column=column)
    return dict(zip(_texts(frame, "title"), _texts(frame, "content"), strict=True))
