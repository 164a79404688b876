"""The rows of a feature table as surfaces take them: arrays and renditions, for all its titles at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.ranges import DynamicRange
from abr_alloc.allocation.rendition import AudioRendition, VideoRendition
from abr_alloc.models.audio_quality import AUDIO_QUALITY, quality_of_rows
from abr_alloc.models.checkpoint import Model
from abr_alloc.table.columns import Columns
from abr_alloc.table.table import FeatureTable

__all__ = ["SurfaceRows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceRows:
    """The rows of a table as arrays and records, for all its titles at once: a frame is slow to cut up."""

    title: npt.NDArray[np.object_]
    """Title of every row, (n,); rows of a title stand together."""
    scene: npt.NDArray[np.int64]
    """Scene of every row, (n,)."""
    start_s: npt.NDArray[np.float64]
    """Start of its scene, seconds, (n,)."""
    end_s: npt.NDArray[np.float64]
    """End of its scene, seconds, (n,)."""
    is_video: npt.NDArray[np.bool_]
    """Whether it is video, else audio, (n,)."""
    video: list[VideoRendition]
    """The video rows, (n_v,)."""
    audio: list[AudioRendition]
    """The audio rows, (n_a,)."""
    x_v: npt.NDArray[np.float32]
    """Video features, (n_v, d_v)."""
    x_a: npt.NDArray[np.float32]
    """Audio features, (n_a, d_a)."""
    half_second_kbit: list[npt.NDArray[np.float64] | None]
    """Sizes of every half second of the video rows, kbit, (n_v,); None where a row does not say."""

    @classmethod
    def of(cls, table: FeatureTable, model: Model) -> SurfaceRows:
        rows, is_video = table.columns, table.columns.is_kind("video")
        video, audio = rows.take(is_video), rows.take(~is_video)
        quality_mos = quality_of_rows(audio)
        return cls(
            title=rows.words("title").values(),
            scene=rows.whole("scene"),
            start_s=rows.numbers("start_s"),
            end_s=rows.numbers("end_s"),
            is_video=is_video,
            video=[
                VideoRendition(
                    codec=codec,
                    width_px=w,
                    height_px=h,
                    target=target,
                    bitrate_kbps=kbps,
                    vmaf=vmaf,
                    dynamic_range=dr,
                    estimated=estimated,
                )
                for codec, w, h, target, kbps, vmaf, dr, estimated in zip(
                    video.words("codec").values().tolist(),
                    video.whole("width_px").tolist(),
                    video.whole("height_px").tolist(),
                    video.words("target").values().tolist(),
                    video.numbers("bitrate_kbps").tolist(),
                    video.numbers("vmaf").tolist(),
                    _ranges(video),
                    _estimated(video),
                    strict=True,
                )
            ],
            audio=[
                AudioRendition(codec=codec, channels=n, target=target, bitrate_kbps=kbps, quality_mos=quality)
                for codec, n, target, kbps, quality in zip(
                    audio.words("codec").values().tolist(),
                    audio.whole("channels").tolist(),
                    audio.words("target").values().tolist(),
                    audio.numbers("bitrate_kbps").tolist(),
                    quality_mos.tolist(),
                    strict=True,
                )
            ],
            x_v=model.video_inputs(video),
            x_a=model.audio_inputs(audio.assign(**{AUDIO_QUALITY: quality_mos})),
            half_second_kbit=_half_seconds(video),
        )

    def title_starts(self) -> list[int]:
        """The first row of every title."""
        return [0, *(np.flatnonzero(self.title[1:] != self.title[:-1]) + 1).tolist()]


def _ranges(video: Columns) -> list[DynamicRange]:
    """The column of dynamic ranges, which is there where some are HDR."""
    if "dynamic_range" not in video:
        return ["SDR"] * len(video)
    return [found or "SDR" for found in video.words("dynamic_range").values().tolist()]


def _estimated(video: Columns) -> list[bool]:
    """The column that marks what was not measured, which is there where anything was not."""
    marks = video.numbers("estimated") if "estimated" in video else np.zeros(len(video))
    return [mark == 1.0 for mark in marks.tolist()]


def _half_seconds(video: Columns) -> list[npt.NDArray[np.float64] | None]:
    """The column of sizes over time, which older tables lack and other rows leave empty."""
    if "half_second_kbit" not in video:
        return [None] * len(video)
    found = video.lists("half_second_kbit").values().tolist()
    return [None if kbit is None else np.asarray(kbit, dtype=np.float64) for kbit in found]
