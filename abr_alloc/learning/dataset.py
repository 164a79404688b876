"""What a model is trained on: renditions or stimuli, true pairs of them, and their labels.

Axes: A audio rows, V video rows, P true pairs (an audio and a video row of one scene, or one rated stimulus).

From feature tables the labels are the teacher's. They are a product of a video and an audio term, so any audio row may
be paired with any video row in training; validation uses true pairs only. From ratings (`ratings.py`), pairs are what
was rated. Every row keeps all columns that some system reads; a system takes its own by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from abr_alloc.errors import FeatureTableError
from abr_alloc.learning.panel import Panel
from abr_alloc.models.audio_quality import AUDIO_QUALITY, quality_of_rows
from abr_alloc.models.teacher import TEACHER_SCALE, TEACHER_VALIDITY, Teacher, mos_of_points
from abr_alloc.table.table import AUDIO_FEATURES, VIDEO_FEATURES, FeatureTable, stack_audio

__all__ = ["TrainingSet", "from_tables"]

Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """Rows, pairs and labels."""

    x_a: npt.NDArray[np.float32]
    """Audio columns, (A, .)."""
    x_v: npt.NDArray[np.float32]
    """Video columns, (V, .)."""
    audio_columns: tuple[str, ...]
    """Names of the columns of `x_a`."""
    video_columns: tuple[str, ...]
    """Names of the columns of `x_v`."""
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
    """The audio columns that networks read, X_a."""
    video_names: tuple[str, ...]
    """The video columns that networks read, X_v."""
    condition_a: npt.NDArray[np.object_]
    """What was done to the audio, the same word in every content, (A,)."""
    condition_v: npt.NDArray[np.object_]
    """What was done to the video, (V,)."""
    scene: npt.NDArray[np.object_] | None = None
    """Scene of each video row, (V,); None for ratings."""
    scale: tuple[float, float] = TEACHER_SCALE
    """Worst and best rating of the scale that `mos` was mapped to 1-5 from."""
    validity: Mapping[str, object] = field(default_factory=dict)
    """What the labels cover, as `plan` checks it: codecs, `audio_kbps`, `fps`, `max_height_px`."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of the `audio` and `video` features; empty for ratings."""
    panel: Panel | None = None
    """Data set, size and rate of each rated stimulus, (P,); None for teacher labels."""

    @property
    def contents(self) -> list[str]:
        """Contents with true pairs, sorted."""
        return sorted(set(self.content.tolist()))

    def pairs_of(self, contents: Sequence[str]) -> Ints:
        """Indices of the true pairs of some contents."""
        return np.flatnonzero(np.isin(self.content, list(contents)))

    def audio(self, names: Sequence[str]) -> npt.NDArray[np.float32]:
        """Audio columns by name, (A, len(names)).

        Raises:
            FeatureTableError: there is no such column.
        """
        return _take(self.x_a, self.audio_columns, names, "audio")

    def video(self, names: Sequence[str]) -> npt.NDArray[np.float32]:
        """Video columns by name, (V, len(names)).

        Raises:
            FeatureTableError: there is no such column.
        """
        return _take(self.x_v, self.video_columns, names, "video")

    @property
    def content(self) -> npt.NDArray[np.object_]:
        """Content of each true pair, (P,)."""
        return self.content_v[self.pairs[:, 1]]

    @property
    def group(self) -> npt.NDArray[np.object_]:
        """What pairs are compared within, (P,): the scene, or for ratings the content."""
        return self.content if self.scene is None else self.scene[self.pairs[:, 1]]

    def label(self, audio: Ints, video: Ints) -> npt.NDArray[np.float64]:
        """The teacher's MOS of any audio rows with any video rows, (n,), (n,) -> (n,)."""
        if self.teacher is None or self.video_terms is None or self.audio_terms is None:
            raise ValueError("only a teacher labels pairs that were not rated")
        return mos_of_points(self.teacher.c0 + self.video_terms[video] * self.audio_terms[audio])

    def row_sampler(self, side: str, contents: Sequence[str]) -> Callable[[int, np.random.Generator], Ints]:
        """Draws so many `audio` or `video` rows of some contents, each content as likely as any other.

        Contents of one kind only (audio-only material, say) are never held out.
        """
        names = self.content_a if side == "audio" else self.content_v
        paired = set(self.contents)
        known = [name for name in dict.fromkeys(names.tolist()) if name in contents or name not in paired]
        groups = [np.flatnonzero(names == name) for name in known]

        def draw(num: int, rng: np.random.Generator) -> Ints:
            return np.array([rng.choice(groups[i]) for i in rng.integers(len(groups), size=num)], dtype=np.intp)

        return draw

    def without_audio_below(self, kbps: float) -> TrainingSet:
        """The same without pairs whose audio takes less than a rate; measured rates may fall short of it by 5 %.

        Raises:
            FeatureTableError: the audio's rate is not known, or nothing is left.
        """
        kept = self.audio(["bitrate_kbps"])[self.pairs[:, 0], 0] >= 0.95 * kbps
        if not kept.any():
            raise FeatureTableError(f"no audio takes {kbps:g} kbps or more; lower `exclude_audio_below`")
        panel = None if self.panel is None else self.panel.take(kept)
        return replace(self, pairs=self.pairs[kept], mos=self.mos[kept], panel=panel)


def from_tables(tables: Sequence[FeatureTable], teacher: Teacher, contents: Mapping[str, str]) -> TrainingSet:
    """A training set from feature tables; tables of one kind only add rows of that kind.

    Args:
        tables: feature tables, of which rows that are estimated are left out; no title may be in two of them.
        teacher: who labels.
        contents: content of each title; a title that is not there is a content of its own.

    Raises:
        FeatureTableError: a title is in two tables, feature versions differ, or no scene has audio and video.
    """
    tables = [table.measured() for table in tables]
    seen: set[str] = set()
    for table in tables:
        titles = set(table.frame["title"])
        if titles & seen:
            raise FeatureTableError(f"title {min(titles & seen)!r} is in two of the tables; give each title once")
        seen |= titles
        for kind in ("video", "audio"):
            versions = {getattr(t.metadata, f"{kind}_feature_version") for t in tables if not t.of_kind(kind).empty}
            if len(versions) > 1:
                again = "with one `audio_features`" if kind == "audio" else "with this version"
                raise FeatureTableError(
                    f"the tables hold different {kind} features: {', '.join(sorted(versions))}; train on those of one, "
                    f"or extract all of them {again}"
                )
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
    audio = audio.assign(**{AUDIO_QUALITY: quality_of_rows(audio)})
    video_terms = teacher.video_gain(video[list(VIDEO_FEATURES)].to_numpy(dtype=np.float64))
    audio_terms = teacher.audio_gain(audio[AUDIO_QUALITY].to_numpy(dtype=np.float64))
    audio_extras, video_extras = (AUDIO_QUALITY, "audio_mos", "bitrate_kbps"), ("vmaf",)
    feature_versions = {
        kind: str(getattr(table.metadata, f"{kind}_feature_version"))
        for kind in ("audio", "video")
        for table in tables
        if not table.of_kind(kind).empty
    }
    height = video.groupby(["title", "scene"])["height_px"].transform("max").astype(float)
    size = (video["height_px"].astype(float) / height).round(2).astype(str)
    return TrainingSet(
        x_a=np.hstack([stack_audio(audio), audio[list(audio_extras)].to_numpy(dtype=np.float32)]),
        x_v=video[[*VIDEO_FEATURES, *video_extras]].to_numpy(dtype=np.float32),
        audio_columns=(*AUDIO_FEATURES, *audio_extras),
        video_columns=(*VIDEO_FEATURES, *video_extras),
        content_a=audio["title"].map(lambda title: contents.get(title, title)).to_numpy(dtype=object),
        content_v=video["title"].map(lambda title: contents.get(title, title)).to_numpy(dtype=object),
        pairs=pairs,
        mos=mos_of_points(teacher.c0 + video_terms[pairs[:, 1]] * audio_terms[pairs[:, 0]]),
        teacher=teacher,
        video_terms=video_terms,
        audio_terms=audio_terms,
        audio_names=(*AUDIO_FEATURES, AUDIO_QUALITY),
        video_names=VIDEO_FEATURES,
        condition_a=(audio["codec"] + " " + audio["target"]).to_numpy(dtype=object),
        condition_v=(video["codec"] + " " + video["target"] + " x" + size).to_numpy(dtype=object),
        scene=(video["title"] + " " + video["scene"].astype(str)).to_numpy(dtype=object),
        validity=TEACHER_VALIDITY,
        versions=feature_versions,
    )


def _take(
    x: npt.NDArray[np.float32], columns: Sequence[str], names: Sequence[str], kind: str
) -> npt.NDArray[np.float32]:
    places = {column: i for i, column in enumerate(columns)}
    for name in names:
        if name not in places:
            raise FeatureTableError(
                f"the data have no {kind} column {name!r}; add it, or choose a system that does without", column=name
            )
    return x[:, [places[name] for name in names]]
