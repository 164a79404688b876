"""Surfaces: the AVQ and the rate of every pair of a scene.

Axes: V video renditions, A audio renditions of one scene; surfaces are (V, A).
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from abr_alloc import defaults
from abr_alloc.allocation.language_policy import one_language
from abr_alloc.allocation.prediction import pair_up, predict_title, shares_of
from abr_alloc.allocation.rendition import AudioRendition, LazyVideo, Probe, VideoIdentity, VideoRendition
from abr_alloc.allocation.surface_rows import SurfaceRows
from abr_alloc.arguments import require_number
from abr_alloc.models.checkpoint import Model
from abr_alloc.models.relevance import SceneShares
from abr_alloc.models.screens import OnPhones
from abr_alloc.table.audio_layouts import only_stereo, only_surround
from abr_alloc.table.table import FeatureTable

__all__ = [
    "AudioRendition",
    "LazyVideo",
    "Probe",
    "QualitySurface",
    "VideoRendition",
    "build_surfaces",
    "by_title",
    "many_titles",
]

logger = logging.getLogger(__name__)

_SCENES_TOGETHER = 50
"""Scenes whose pairs fit a core's cache, and are enough to make a call's own cost small."""


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
    half_second_kbit: Mapping[VideoIdentity, npt.NDArray[np.float64]] | None = None
    """Sizes of measured video renditions, kbit of every half second from the scene's first frame on, (B,) each; None
    where the table does not hold them."""
    on_screens_mos: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None = None
    """AVQ on televisions and on phones, MOS, (V, A) each, where `avq_mos` is the mean over an audience that watches on
    both; None for one screen, and on surfaces that hold other renditions than were measured."""

    @property
    def video_side_px(self) -> npt.NDArray[np.int64]:
        """Short side of every video rendition, (V,)."""
        if isinstance(self.video, LazyVideo):
            return self.video.side_px
        return np.array([min(v.width_px, v.height_px) for v in self.video], dtype=np.int64)

    @property
    def video_kbps(self) -> npt.NDArray[np.float64]:
        """Rate of every video rendition, kbps, (V,)."""
        return self.video.kbps if isinstance(self.video, LazyVideo) else np.array([v.bitrate_kbps for v in self.video])

    @property
    def video_codecs(self) -> npt.NDArray[np.str_]:
        """Codec of every video rendition, (V,)."""
        return self.video.codecs if isinstance(self.video, LazyVideo) else np.array([v.codec for v in self.video])

    def measured(self) -> QualitySurface:
        """Itself without the renditions that are estimated: points to interpolate from, never to choose."""
        rows = [i for i, video in enumerate(self.video) if not video.estimated]
        if len(rows) == len(self.video):
            return self
        on_screens = self.on_screens_mos
        return dataclasses.replace(
            self,
            video=tuple(self.video[i] for i in rows),
            avq_mos=self.avq_mos[rows],
            total_kbps=self.total_kbps[rows],
            x_v=self.x_v[rows],
            on_screens_mos=None if on_screens is None else (on_screens[0][rows], on_screens[1][rows]),
        )

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def weight_s(self) -> float:
        """What it counts in a mean over the title's time, seconds."""
        return self.duration_s if self.stands_for_s is None else self.stands_for_s


def by_title(surfaces: Iterable[QualitySurface]) -> Iterator[list[QualitySurface]]:
    """The scenes of one title after the other; surfaces of one title stand together."""
    for _, scenes in itertools.groupby(surfaces, key=lambda surface: surface.title):
        yield list(scenes)


def many_titles(surfaces: Iterable[QualitySurface]) -> Iterator[list[QualitySurface]]:
    """The scenes of as many whole titles as come to `_SCENES_TOGETHER`: what is the same alone and in company costs far
    less in company, where a call of NumPy serves more than one title's handful of scenes."""
    together: list[QualitySurface] = []
    for scenes in by_title(surfaces):
        together += scenes
        if len(together) >= _SCENES_TOGETHER:
            yield together
            together = []
    if together:
        yield together


def build_surfaces(
    table: FeatureTable,
    model: Model,
    *,
    overhead: float = defaults.OVERHEAD,
    layout: Literal["stereo", "surround", "all"] = "stereo",
    with_shares: bool = True,
) -> Iterator[QualitySurface]:
    """Predict every pair of every scene, in the table's order.

    Args:
        table: checked rows.
        model: the model that predicts.
        overhead: container overhead as a share of the streams' rate.
        layout: which audio renditions count: stereo and mono, of a table that has any; those of more channels; all.
        with_shares: whether to work out `shares`, which relevance is estimated from.

    Raises:
        ArgumentError: the overhead is no share.
        CheckpointError: the model was trained on other features.
        FeatureTableError: a scene lacks audio or video rows, or a title surround.
    """
    require_number("overhead", overhead, 0.0, 1.0)
    table = one_language(table)
    model.check_table(table)
    if layout != "all":
        table = (only_stereo if layout == "stereo" else only_surround)(table)
    table.require_pairs()
    rows = SurfaceRows.of(table, model)
    num_scenes = num_pairs = 0
    for first, stop in itertools.pairwise([*rows.title_starts(), len(rows.is_video)]):
        own = slice(first, stop)
        for surface in _title_surfaces(rows, own, model, overhead, table.metadata.weights_s, with_shares=with_shares):
            num_scenes, num_pairs = num_scenes + 1, num_pairs + surface.avq_mos.size
            yield surface
    logger.info("model %s predicted %d pairs of %d scenes", model.name, num_pairs, num_scenes)


def _title_surfaces(
    rows: SurfaceRows,
    own: slice,
    model: Model,
    overhead: float,
    weights_s: Mapping[str, Mapping[str, float]],
    *,
    with_shares: bool,
) -> Iterator[QualitySurface]:
    """The scenes of one title, which are predicted together."""
    is_video, scene = rows.is_video[own], rows.scene[own]
    before_v = int(rows.is_video[: own.start].sum())
    before_a = own.start - before_v
    first = np.flatnonzero(np.concatenate([[True], scene[1:] != scene[:-1]]))
    num_video = np.add.reduceat(is_video, first, dtype=np.intp)
    num_audio = np.add.reduceat(~is_video, first, dtype=np.intp)
    pairs = pair_up(num_video, num_audio)
    x_v = rows.x_v[before_v : before_v + num_video.sum()]
    x_a = rows.x_a[before_a : before_a + num_audio.sum()]
    found = predict_title(model.predictor, x_a, x_v, pairs.audio, pairs.video)
    on_both: tuple[npt.NDArray[np.floating], ...] = ()
    if isinstance(model.predictor, OnPhones) and model.phones < 1.0:
        on_both = model.predictor.on_both(x_a, x_v, pairs.audio, pairs.video)
    title = str(rows.title[own.start])
    cells = [slice(start, stop) for start, stop in itertools.pairwise(pairs.first.tolist())]
    videos, audios = (
        [slice(start, stop) for start, stop in itertools.pairwise([0, *np.cumsum(number).tolist()])]
        for number in (num_video, num_audio)
    )
    grids = [
        [mos[cell].reshape(n_v, n_a) for mos in (found.pairs_mos, *on_both)]
        for cell, n_v, n_a in zip(cells, num_video.tolist(), num_audio.tolist(), strict=True)
    ]
    shares: Sequence[SceneShares | None] = [None] * len(grids)
    if with_shares:
        shares = shares_of(
            [grid[0] for grid in grids],
            [found.without_audio_mos[v] for v in videos],
            [found.without_video_mos[a] for a in audios],
        )
    for s, row in enumerate((own.start + first).tolist()):
        v, a = videos[s], audios[s]
        video = rows.video[before_v + v.start : before_v + v.stop]
        audio = rows.audio[before_a + a.start : before_a + a.stop]
        video_kbps, audio_kbps = [r.bitrate_kbps for r in video], [r.bitrate_kbps for r in audio]
        avq, *of_screens = grids[s]
        yield QualitySurface(
            title=title,
            scene=int(rows.scene[row]),
            start_s=float(rows.start_s[row]),
            end_s=float(rows.end_s[row]),
            video=tuple(video),
            audio=tuple(audio),
            avq_mos=avq,
            total_kbps=np.add.outer(video_kbps, audio_kbps) * (1.0 + overhead),
            x_v=x_v[v],
            x_a=x_a[a],
            stands_for_s=weights_s.get(title, {}).get(str(int(rows.scene[row]))),
            shares=shares[s],
            on_screens_mos=(of_screens[0], of_screens[1]) if of_screens else None,
            half_second_kbit=_sizes_of(video, rows.half_second_kbit[before_v + v.start : before_v + v.stop]),
        )


def _sizes_of(
    video: Sequence[VideoRendition], kbit: Sequence[npt.NDArray[np.float64] | None]
) -> Mapping[VideoIdentity, npt.NDArray[np.float64]] | None:
    return {v.identity: sizes for v, sizes in zip(video, kbit, strict=True) if sizes is not None} or None
