"""What a network is trained on: renditions or stimuli, true pairs of them, and their labels.

Axes: A audio rows, V video rows, P true pairs (an audio and a video row of one scene, or one rated stimulus).

From feature tables the labels are the teacher's. They are a product of a video and an audio term, so any audio row may
be paired with any video row in training; validation uses true pairs only. From ratings, pairs are what was rated.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from abr_alloc.errors import FeatureTableError
from abr_alloc.features.table import AUDIO_DIM, VIDEO_FEATURES, FeatureTable, stack_audio
from abr_alloc.models.checkpoint import AUDIO_FEATURES
from abr_alloc.models.teacher import VIDEO_COLUMNS, Teacher, scale_to_mos

__all__ = ["TrainingSet", "from_ratings", "from_tables", "read_contents", "read_ratings"]

Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """Rows, pairs and labels."""

    x_a: npt.NDArray[np.float32]
    """Audio features, (A, d_a)."""
    x_v: npt.NDArray[np.float32]
    """Video features, (V, d_v)."""
    content_a: npt.NDArray[np.object_]
    """Content of each audio row, (A,)."""
    content_v: npt.NDArray[np.object_]
    """Content of each video row, (V,)."""
    pairs: Ints
    """True pairs, (P, 2): audio row, video row."""
    mos: npt.NDArray[np.float64]
    """Label of each true pair, MOS 1-5, (P,)."""
    teacher: Teacher | None
    """Whose labels they are; None for human ratings."""
    video_terms: npt.NDArray[np.float64] | None = None
    """The teacher's g_v of each video row, (V,)."""
    audio_terms: npt.NDArray[np.float64] | None = None
    """The teacher's g_a of each audio row, (A,)."""
    audio_names: tuple[str, ...]
    """Names of the audio features."""
    video_names: tuple[str, ...]
    """Names of the video features."""

    @property
    def contents(self) -> list[str]:
        """Contents with true pairs, sorted."""
        return sorted(set(self.content_v[self.pairs[:, 1]].tolist()))

    def pairs_of(self, contents: Sequence[str]) -> Ints:
        """Indices of the true pairs of some contents."""
        return np.flatnonzero(np.isin(self.content_v[self.pairs[:, 1]], list(contents)))

    def label(self, audio: Ints, video: Ints) -> npt.NDArray[np.float64]:
        """The teacher's MOS of any audio rows with any video rows, (n,), (n,) -> (n,)."""
        if self.teacher is None or self.video_terms is None or self.audio_terms is None:
            raise ValueError("only a teacher labels pairs that were not rated")
        return scale_to_mos(self.teacher.c0 + self.video_terms[video] * self.audio_terms[audio])


def from_tables(tables: Sequence[FeatureTable], teacher: Teacher, contents: Mapping[str, str]) -> TrainingSet:
    """A training set from feature tables; tables of one kind only add rows of that kind.

    Args:
        tables: feature tables; no title may be in two of them.
        teacher: who labels.
        contents: content of each title; a title that is not there is a content of its own.

    Raises:
        FeatureTableError: a title is in two tables, feature versions differ, or no scene has audio and video.
    """
    seen: set[str] = set()
    for table in tables:
        titles = set(table.frame["title"])
        if titles & seen:
            raise FeatureTableError(f"title {min(titles & seen)!r} is in two of the tables; give each title once")
        seen |= titles
        for kind in ("video", "audio"):
            versions = {getattr(t.metadata, f"{kind}_feature_version") for t in tables if not t.of_kind(kind).empty}
            if len(versions) > 1:
                raise FeatureTableError(f"the tables hold different {kind} features: {', '.join(sorted(versions))}")
    frame = pd.concat([table.frame for table in tables], ignore_index=True)
    audio = frame[frame["kind"] == "audio"].reset_index(drop=True)
    video = frame[frame["kind"] == "video"].reset_index(drop=True)
    keys = ["title", "scene"]
    joined = (
        audio[keys].assign(audio_row=range(len(audio))).merge(video[keys].assign(video_row=range(len(video))), on=keys)
    )
    if joined.empty:
        raise FeatureTableError("no scene of the tables has both audio and video rows; there is nothing to validate on")
    pairs = joined[["audio_row", "video_row"]].to_numpy(dtype=np.intp)
    video_terms = teacher.video_gain(video[list(VIDEO_COLUMNS)].to_numpy(dtype=np.float64))
    audio_terms = teacher.audio_gain(audio["audio_mos"].to_numpy(dtype=np.float64))
    return TrainingSet(
        x_a=stack_audio(audio),
        x_v=video[list(VIDEO_FEATURES)].to_numpy(dtype=np.float32),
        content_a=audio["title"].map(lambda title: contents.get(title, title)).to_numpy(dtype=object),
        content_v=video["title"].map(lambda title: contents.get(title, title)).to_numpy(dtype=object),
        pairs=pairs,
        mos=scale_to_mos(teacher.c0 + video_terms[pairs[:, 1]] * audio_terms[pairs[:, 0]]),
        teacher=teacher,
        video_terms=video_terms,
        audio_terms=audio_terms,
        audio_names=AUDIO_FEATURES,
        video_names=VIDEO_FEATURES,
    )


def read_ratings(path: Path) -> pd.DataFrame:
    """Read a CSV file of rated stimuli.

    Raises:
        FeatureTableError: it cannot be read or has no rows.
    """
    try:
        frame = pd.read_csv(path)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise FeatureTableError(f"ratings {path} cannot be read as CSV: {reason}", path=str(path)) from error
    if frame.empty:
        raise FeatureTableError(f"ratings {path} have no rows", path=str(path))
    return frame


def from_ratings(
    frame: pd.DataFrame,
    audio_columns: Sequence[str],
    video_columns: Sequence[str],
    mos_range: tuple[float, float] = (1.0, 5.0),
) -> TrainingSet:
    """A training set from rated stimuli, one per row.

    Args:
        frame: columns `content`, `mos` and features.
        audio_columns: patterns (`vif1d_*`) of the audio feature columns.
        video_columns: patterns of the video feature columns.
        mos_range: worst and best possible rating; mapped linearly to 1 and 5.

    Raises:
        FeatureTableError: a column is missing, not numeric or not finite, or a rating is out of range.
    """
    for column in ("content", "mos"):
        if column not in frame.columns:
            raise FeatureTableError(f"the ratings have no column {column!r}; they need content, mos and features")
    audio, video = _matching(frame, audio_columns, "audio"), _matching(frame, video_columns, "video")
    shared = sorted(set(audio) & set(video))
    if shared:
        raise FeatureTableError(f"column {shared[0]!r} is named as audio and as video feature", column=shared[0])
    for column in ("mos", *audio, *video):
        numbers = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64)
        if not np.isfinite(numbers).all():
            row = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise FeatureTableError(f"ratings row {row}, column {column}: no finite number", column=column, row=row)
    low, high = mos_range
    if not -np.inf < low < high < np.inf:
        raise FeatureTableError(
            f"a MOS range of {low:g} to {high:g} is empty; give --mos-range WORST BEST", column="mos"
        )
    mos = frame["mos"].to_numpy(dtype=np.float64)
    if mos.min() < low or mos.max() > high:
        raise FeatureTableError(
            f"ratings lie in {mos.min():g}..{mos.max():g}, outside {low:g}..{high:g}; "
            "give their scale with --mos-range",
            column="mos",
        )
    content = _texts(frame, "content")
    rows = np.arange(len(frame), dtype=np.intp)
    return TrainingSet(
        x_a=frame[audio].to_numpy(dtype=np.float32),
        x_v=frame[video].to_numpy(dtype=np.float32),
        content_a=content,
        content_v=content,
        pairs=np.column_stack([rows, rows]),
        mos=1.0 + 4.0 * (mos - low) / (high - low),
        teacher=None,
        audio_names=tuple(audio),
        video_names=tuple(video),
    )


def _texts(frame: pd.DataFrame, column: str) -> npt.NDArray[np.object_]:
    """A column as text; empty cells are refused."""
    empty = frame[column].isna().to_numpy()
    if empty.any():
        row = int(np.flatnonzero(empty)[0])
        raise FeatureTableError(f"row {row}, column {column}: empty; fill it in", column=column, row=row)
    return np.array([str(value) for value in frame[column]], dtype=object)


def _matching(frame: pd.DataFrame, patterns: Sequence[str], kind: str) -> list[str]:
    found = []
    for pattern in patterns:
        columns = fnmatch.filter(frame.columns, pattern)
        if not columns:
            raise FeatureTableError(
                f"the ratings have no column that matches {pattern!r}; name the {kind} features with --{kind}-columns",
                column=pattern,
            )
        found += [column for column in columns if column not in found]
    if len(found) == AUDIO_DIM and set(found) == set(AUDIO_FEATURES):
        return list(AUDIO_FEATURES)
    return found


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
