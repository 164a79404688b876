"""What a rated table says of its stimuli besides features: which of them to leave out, and what can be chosen between.

Renditions of one content and codec that were rated in one test can be chosen between, as a ladder does. A table says
which they are by `content`, `codec` (or `video_codec`), `height` (or `height_px`) and the video's bitrate: `video_kbps`
or, where the table has no audio, `bitrate_kbps`. Columns `dataset` and `test` part further, and so does the audio.

Axes: n stimuli.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from abr_alloc.errors import FeatureTableError

__all__ = ["FLAGS", "Panel", "panel_of", "without_flagged"]

FLAGS = ("broken", "lowfps")
"""Columns that flag rows whose features contradict their ratings, where they are not 0."""

_CODEC = ("video_codec", "codec")
_HEIGHT = ("height", "height_px")
_AUDIO = ("audio_", "vif1d_")  # how columns of audio begin
_PARTS = ("dataset", "test", "content")


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Stimuli as their panels saw them, row by row."""

    dataset: npt.NDArray[np.object_]
    """Data set of each, (n,); empty where the table does not say."""
    group: npt.NDArray[np.intp]
    """What each can be chosen within, (n,); -1 where that, or its size or rate, is not known."""
    height_px: npt.NDArray[np.float64]
    """Size of the rendition, (n,); NaN where it is not known."""
    bitrate_kbps: npt.NDArray[np.float64]
    """The video's rate, (n,); NaN where it is not known."""

    @property
    def datasets(self) -> tuple[str, ...]:
        """Data sets, sorted; none where the table knows a single one."""
        names = sorted(set(self.dataset.tolist()))
        return tuple(names) if len(names) > 1 else ()

    @property
    def has_choices(self) -> bool:
        """Whether some group holds renditions of two sizes."""
        known = self.group >= 0
        pairs = set(zip(self.group[known].tolist(), self.height_px[known].tolist(), strict=True))
        return len(pairs) > len(set(self.group[known].tolist()))

    def take(self, rows: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> Self:
        """Some of the stimuli."""
        return type(self)(
            dataset=self.dataset[rows],
            group=self.group[rows],
            height_px=self.height_px[rows],
            bitrate_kbps=self.bitrate_kbps[rows],
        )


def panel_of(frame: pd.DataFrame) -> Panel:
    """What a rated table, as it was read, says of its stimuli."""
    codec, height = _first(frame, _CODEC), _first(frame, _HEIGHT)
    audio = [name for name in frame.columns if str(name).startswith(_AUDIO)]
    kbps = _first(frame, ("video_kbps",) if audio else ("video_kbps", "bitrate_kbps"))
    height_px, bitrate_kbps = (
        np.full(len(frame), np.nan) if column is None else _positive(frame[column]) for column in (height, kbps)
    )
    known = np.isfinite(height_px) & np.isfinite(bitrate_kbps)
    group = np.full(len(frame), -1, dtype=np.intp)
    if codec is not None:
        parts = [name for name in (*_PARTS, codec, *audio) if name in frame.columns]
        known &= frame[codec].notna().to_numpy() & frame["content"].notna().to_numpy()
        group[known] = frame.loc[known, parts].groupby(parts, dropna=False, sort=False).ngroup().to_numpy()
    dataset = frame["dataset"].fillna("").astype(str) if "dataset" in frame.columns else [""] * len(frame)
    return Panel(
        dataset=np.array(list(dataset), dtype=object), group=group, height_px=height_px, bitrate_kbps=bitrate_kbps
    )


def _first(frame: pd.DataFrame, names: Sequence[str]) -> str | None:
    return next((name for name in names if name in frame.columns), None)


def _positive(column: pd.Series) -> npt.NDArray[np.float64]:
    """A column as numbers above 0; NaN elsewhere."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(numbers) & (numbers > 0.0), numbers, np.nan)


def without_flagged(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows that no column of `FLAGS` flags, and how many each column flags; a row counts for the first that does.

    Raises:
        FeatureTableError: every row is flagged.
    """
    kept, counts = np.ones(len(frame), dtype=bool), {}
    for name in FLAGS:
        if name in frame.columns:
            flagged = pd.to_numeric(frame[name], errors="coerce").fillna(0.0).to_numpy() != 0.0
            counts[name] = int((flagged & kept).sum())
            kept &= ~flagged
    counts = {name: number for name, number in counts.items() if number}
    if not counts:
        return frame, {}
    if not kept.any():
        raise FeatureTableError(
            f"every row of the ratings is flagged ({', '.join(counts)}): features contradict ratings throughout; "
            "correct the flags, or drop their columns",
            column=next(iter(counts)),
        )
    return frame[kept].reset_index(drop=True), counts
