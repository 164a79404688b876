"""The cases of a title: its video codec, and its audio rendition where that is shared, decided.

A case holds every pair that its scenes may take, and the paths of its scenes over those pairs (`path.py`).

Axes: S scenes, V video renditions, A audio renditions; P pairs in a case (V, or V x A where audio is the scene's own),
N pairs on the longest path.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.path import find_paths
from abr_alloc.allocation.pooling import Candidates
from abr_alloc.allocation.rendition import AudioIdentity
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.errors import FeatureTableError

__all__ = ["CasePaths", "TitleCase", "list_cases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleCase:
    """A title with its video codec, and its audio rendition where that is shared, decided."""

    codec: str
    """Video codec."""
    audio: str
    """The shared audio rendition, or `audio per scene`."""
    candidates: Candidates
    """AVQ and rate of every pair, before limits."""
    video: npt.NDArray[np.intp]
    """Index of the video rendition in its surface, (S, P)."""
    audio_index: npt.NDArray[np.intp]
    """Index of the audio rendition in its surface, (S, P)."""
    side_px: npt.NDArray[np.int64]
    """Short side of the picture, (S, P)."""
    _paths: dict[float, CasePaths] = field(default_factory=dict, repr=False, compare=False)
    """Paths that have been walked, by the least AVQ."""

    def paths(self, min_mos: float) -> CasePaths:
        """The paths of all scenes over their pairs with a least AVQ; walked once."""
        if min_mos not in self._paths:
            self._paths[min_mos] = _walk(self, min_mos)
        return self._paths[min_mos]


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePaths:
    """The pairs of a case that lie on its scenes' paths, padded at the end."""

    candidates: Candidates
    """AVQ and rate of every one, (S, N)."""
    from_kbps: npt.NDArray[np.float64]
    """Least rate from which on it is on the path, (S, N); inf in the padding."""
    pair: npt.NDArray[np.intp]
    """Which of the case's pairs it is, (S, N)."""
    falls: npt.NDArray[np.bool_]
    """Whether a smaller rate has a larger picture, (S, N)."""

    def up_to(self, max_kbps: float) -> Candidates:
        """The pairs that a largest rate of a scene leaves: paths end there, and change nothing before."""
        within = self.from_kbps <= max_kbps
        return dataclasses.replace(
            self.candidates,
            avq_mos=np.where(within, self.candidates.avq_mos, -np.inf),
            kbps=np.where(within, self.candidates.kbps, np.inf),
        )


def _walk(case: TitleCase, min_mos: float) -> CasePaths:
    avq, kbps = case.candidates.avq_mos, case.candidates.kbps
    allowed = np.isfinite(avq) & (avq >= min_mos)
    places = [np.flatnonzero(row) for row in allowed]
    found = find_paths([(avq[s, p], kbps[s, p], case.side_px[s, p]) for s, p in enumerate(places)])
    shape = len(found), max(len(path.pair) for path in found)
    pair, falls = np.zeros(shape, dtype=np.intp), np.zeros(shape, dtype=np.bool_)
    from_kbps = np.full(shape, np.inf)
    for s, (path, place) in enumerate(zip(found, places, strict=True)):
        n = len(path.pair)
        pair[s, :n], falls[s, :n], from_kbps[s, :n] = place[path.pair], path.falls, path.from_kbps
    on_path = np.isfinite(from_kbps)
    return CasePaths(
        candidates=dataclasses.replace(
            case.candidates,
            avq_mos=np.where(on_path, np.take_along_axis(avq, pair, axis=1), -np.inf),
            kbps=np.where(on_path, np.take_along_axis(kbps, pair, axis=1), np.inf),
        ),
        from_kbps=from_kbps,
        pair=pair,
        falls=falls,
    )


def list_cases(title: Sequence[QualitySurface], audio: str) -> list[TitleCase]:
    """Every video codec, and every shared audio rendition, that all scenes of a title have.

    Raises:
        FeatureTableError: there is none, or a scene has no duration.
    """
    name = title[0].title
    for surface in title:
        if not surface.duration_s > 0.0:
            raise FeatureTableError(
                f"title {name!r} scene {surface.scene} lasts {surface.duration_s:g} s; a scene must last longer than 0"
            )
    codecs = _shared([surface.video_codecs.tolist() for surface in title])
    if not codecs:
        raise FeatureTableError(
            f"the scenes of title {name!r} share no video codec; extract them with one, or use `per` scene"
        )
    renditions: list[AudioIdentity | None] = [None]
    if audio == "shared":
        renditions = list(_shared([[a.identity for a in surface.audio] for surface in title]))
        if not renditions:
            raise FeatureTableError(
                f"the scenes of title {name!r} share no audio rendition; use `audio` scene, or extract them again"
            )
    return [_case(title, codec, key) for codec in codecs for key in renditions]


def _shared(lists: Sequence[Sequence]) -> list:  # type: ignore[type-arg]
    """What is in every list, in the order of the first."""
    common = set.intersection(*map(set, lists))
    return [item for item in dict.fromkeys(lists[0]) if item in common]


def _case(title: Sequence[QualitySurface], codec: str, key: AudioIdentity | None) -> TitleCase:
    pairs = []  # of every scene: indices of video and audio, (P,) each
    for surface in title:
        video = np.flatnonzero(surface.video_codecs == codec)
        audio = np.array([a for a, r in enumerate(surface.audio) if key is None or r.identity == key], dtype=np.intp)
        pairs.append((np.repeat(video, len(audio)), np.tile(audio, len(video))))
    shape = len(title), max(len(video) for video, _ in pairs)
    avq, kbps = np.full(shape, -np.inf), np.full(shape, np.inf)
    video_index, audio_index = np.zeros(shape, dtype=np.intp), np.zeros(shape, dtype=np.intp)
    side_px = np.zeros(shape, dtype=np.int64)
    for s, (surface, (video, audio)) in enumerate(zip(title, pairs, strict=True)):
        n = len(video)
        video_index[s, :n], audio_index[s, :n], side_px[s, :n] = video, audio, surface.video_side_px[video]
        avq[s, :n], kbps[s, :n] = surface.avq_mos[video, audio], surface.total_kbps[video, audio]
    weight_s = np.array([surface.weight_s for surface in title])
    return TitleCase(
        codec=codec,
        audio="audio per scene" if key is None else f"{key[0]} {key[2]}",
        candidates=Candidates(avq_mos=avq, kbps=kbps, time_share=weight_s / math.fsum(weight_s.tolist())),
        video=video_index,
        audio_index=audio_index,
        side_px=side_px,
    )
