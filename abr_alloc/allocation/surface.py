"""Surfaces: the AVQ and the rate of every pair of a scene.

Axes: V video renditions, A audio renditions of one scene; surfaces are (V, A).
"""

from __future__ import annotations

import itertools
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from abr_alloc.allocation.prediction import pair_up, predict_title, shares_of
from abr_alloc.features.table import FeatureTable
from abr_alloc.models.audio_quality import is_transparent, quality_of_rows
from abr_alloc.models.checkpoint import Model
from abr_alloc.models.relevance import SceneShares

__all__ = [
    "DEFAULT_OVERHEAD",
    "AudioRendition",
    "LazyVideo",
    "Probe",
    "QualitySurface",
    "VideoRendition",
    "build_surfaces",
    "by_title",
    "drop_wasted_audio",
]

logger = logging.getLogger(__name__)

DEFAULT_OVERHEAD = 0.02
"""Container overhead, as a share of the streams' own rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A measured video rendition that another one is interpolated from."""

    target: str
    """What the encoder was asked for."""
    bitrate_kbps: float
    """Measured rate, kbps."""
    vmaf: float | None = None
    """Its VMAF; None where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRendition:
    """One encoded video stream over one scene."""

    codec: str
    """h264, hevc or av1."""
    width_px: int
    """Width, pixels."""
    height_px: int
    """Height, pixels."""
    target: str
    """What the encoder was asked for; `b=712k` where it is interpolated: what to ask of it."""
    bitrate_kbps: float
    """Measured rate, kbps; a rate between measured ones where it is interpolated."""
    nearest_probes: tuple[Probe, ...] = ()
    """The measured renditions below and above; empty where the rendition was measured itself."""
    vmaf: float | None = None
    """VMAF (vmaf_v0.6.1), interpolated where the rendition is; None where it is not known."""

    @property
    def interpolated(self) -> bool:
        return bool(self.nearest_probes)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioRendition:
    """One encoded audio stream over one scene."""

    codec: str
    """aac, opus, heaac, heaacv2, ac3 or eac3."""
    channels: int
    """Channels."""
    target: str
    """What the encoder was asked for."""
    bitrate_kbps: float
    """Measured rate, kbps."""
    quality_mos: float | None = None
    """Audio quality as the models believe it (`models.audio_quality`), MOS; None where it is not known."""


class LazyVideo(Sequence[VideoRendition], ABC):
    """Video renditions that are written out when somebody asks for one: a scene offers thousands and takes a few."""

    kbps: npt.NDArray[np.float64]
    """Their rates, (V,)."""
    side_px: npt.NDArray[np.int64]
    """Their short sides, (V,)."""
    codecs: npt.NDArray[np.str_]
    """Their codecs, (V,)."""

    @abstractmethod
    def rendition(self, place: int) -> VideoRendition:
        """One of them, 0 <= place < V."""

    def __len__(self) -> int:
        return len(self.kbps)

    @overload
    def __getitem__(self, place: int) -> VideoRendition: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[VideoRendition, ...]: ...
    def __getitem__(self, place: int | slice) -> VideoRendition | tuple[VideoRendition, ...]:
        found = range(len(self))[place]
        return self.rendition(found) if isinstance(found, int) else tuple(self.rendition(i) for i in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualitySurface:
    """Every pair of one scene."""

    title: str
    """Title."""
    scene: int
    """Index of the scene in its title."""
    start_s: float
    """First instant, seconds."""
    end_s: float
    """First instant after it, seconds."""
    video: Sequence[VideoRendition]
    """V video renditions."""
    audio: tuple[AudioRendition, ...]
    """A audio renditions."""
    avq_mos: npt.NDArray[np.float32]
    """Predicted AVQ, MOS, (V, A)."""
    total_kbps: npt.NDArray[np.float64]
    """Video + audio + container overhead, kbps, (V, A)."""
    x_v: npt.NDArray[np.float32]
    """Video features, (V, d_v)."""
    x_a: npt.NDArray[np.float32]
    """Audio features, (A, d_a)."""
    stands_for_s: float | None = None
    """Time of the title that it stands for where the title was measured as a digest, seconds."""
    shares: SceneShares | None = None
    """Audio's share of the scene, over all its measured pairs; None where it has not been worked out."""

    @property
    def video_side_px(self) -> npt.NDArray[np.int64]:
        """Short side of every video rendition, (V,)."""
        if isinstance(self.video, LazyVideo):
            return self.video.side_px
        return np.array([min(v.width_px, v.height_px) for v in self.video], dtype=np.int64)

    @property
    def video_codecs(self) -> npt.NDArray[np.str_]:
        """Codec of every video rendition, (V,)."""
        return self.video.codecs if isinstance(self.video, LazyVideo) else np.array([v.codec for v in self.video])

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def weight_s(self) -> float:
        """What it counts in a mean over the title's time, seconds."""
        return self.duration_s if self.stands_for_s is None else self.stands_for_s


def drop_wasted_audio(surface: QualitySurface) -> QualitySurface:
    """The surface without audio that is dearer than some rendition of its codec and channels that is transparent by
    the codec's curve already (`audio_quality.is_transparent`): nobody hears what it costs."""
    enough: dict[tuple[str, int], float] = {}
    for a in surface.audio:
        if is_transparent(a.codec, a.bitrate_kbps, a.channels, a.target):
            key = a.codec, a.channels
            enough[key] = min(a.bitrate_kbps, enough.get(key, math.inf))
    kept = [i for i, a in enumerate(surface.audio) if a.bitrate_kbps <= enough.get((a.codec, a.channels), math.inf)]
    if len(kept) == len(surface.audio):
        return surface
    return replace(
        surface,
        audio=tuple(surface.audio[i] for i in kept),
        avq_mos=surface.avq_mos[:, kept],
        total_kbps=surface.total_kbps[:, kept],
        x_a=surface.x_a[kept],
    )


def by_title(surfaces: Iterable[QualitySurface]) -> Iterator[list[QualitySurface]]:
    """The scenes of one title after the other; surfaces of one title stand together."""
    for _, scenes in itertools.groupby(surfaces, key=lambda surface: surface.title):
        yield list(scenes)


def build_surfaces(
    table: FeatureTable, model: Model, *, overhead: float = DEFAULT_OVERHEAD
) -> Iterator[QualitySurface]:
    """Predict every pair of every scene, in the table's order.

    Args:
        table: checked rows.
        model: who predicts.
        overhead: container overhead as a share of the streams' rate.

    Raises:
        CheckpointError: the model was trained on other features.
        FeatureTableError: a scene lacks audio or video rows.
    """
    model.check_table(table)
    table.require_pairs()
    num_scenes = num_pairs = 0
    for title, rows in table.frame.groupby("title", sort=False):
        for surface in _title_surfaces(rows, model, overhead, table.metadata.weights_s.get(title, {})):
            num_scenes, num_pairs = num_scenes + 1, num_pairs + surface.avq_mos.size
            yield surface
    logger.info("model %s predicted %d pairs of %d scenes", model.name, num_pairs, num_scenes)


def _title_surfaces(
    rows: pd.DataFrame, model: Model, overhead: float, weights_s: Mapping[str, float]
) -> Iterator[QualitySurface]:
    """The scenes of one title, which are predicted together."""
    is_video = (rows["kind"] == "video").to_numpy()
    video, audio = rows[is_video], rows[~is_video]
    x_v, x_a = model.video_inputs(video), model.audio_inputs(audio)
    scene = rows["scene"].to_numpy(dtype=np.int64)
    first = np.flatnonzero(np.concatenate([[True], scene[1:] != scene[:-1]]))
    num_video = np.add.reduceat(is_video, first, dtype=np.intp)
    num_audio = np.add.reduceat(~is_video, first, dtype=np.intp)
    pairs = pair_up(num_video, num_audio)
    found = predict_title(model.predictor, x_a, x_v, pairs.audio, pairs.video)
    avq = found.pairs_mos
    video_renditions = [
        VideoRendition(
            codec=codec,
            width_px=int(w),
            height_px=int(h),
            target=target,
            bitrate_kbps=float(kbps),
            vmaf=float(vmaf),
        )
        for codec, w, h, target, kbps, vmaf in zip(
            *(video[c] for c in ("codec", "width_px", "height_px", "target", "bitrate_kbps", "vmaf")), strict=True
        )
    ]
    audio_renditions = [
        AudioRendition(
            codec=codec,
            channels=int(channels),
            target=target,
            bitrate_kbps=float(kbps),
            quality_mos=float(quality),
        )
        for codec, channels, target, kbps, quality in zip(
            *(audio[c] for c in ("codec", "channels", "target", "bitrate_kbps")),
            quality_of_rows(audio),
            strict=True,
        )
    ]
    start_s, end_s = rows["start_s"].to_numpy(), rows["end_s"].to_numpy()
    title = str(rows["title"].iloc[0])
    stop_v, stop_a = np.cumsum(num_video), np.cumsum(num_audio)
    for s, row in enumerate(first.tolist()):
        v, a = slice(stop_v[s] - num_video[s], stop_v[s]), slice(stop_a[s] - num_audio[s], stop_a[s])
        own_video, own_audio = tuple(video_renditions[v]), tuple(audio_renditions[a])
        video_kbps, audio_kbps = ([r.bitrate_kbps for r in own] for own in (own_video, own_audio))
        own_avq = avq[pairs.first[s] : pairs.first[s + 1]].reshape(len(own_video), len(own_audio))
        yield QualitySurface(
            title=title,
            scene=int(scene[row]),
            start_s=float(start_s[row]),
            end_s=float(end_s[row]),
            video=own_video,
            audio=own_audio,
            avq_mos=own_avq,
            total_kbps=np.add.outer(video_kbps, audio_kbps) * (1.0 + overhead),
            x_v=x_v[v],
            x_a=x_a[a],
            stands_for_s=weights_s.get(str(int(scene[row]))),
            shares=shares_of(own_avq, found.without_audio_mos[v], found.without_video_mos[a]),
        )
