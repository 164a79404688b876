"""A title as one surface, and its AVQ at any size and rate.

An encode of a whole title at one target spends what each scene takes, so the probes at one target, taken together over
the scenes, are one rendition of the title: its rate and its AVQ are means over time. That is what a rung of a ladder
is.

Axes: V video renditions, A audio renditions, R rates.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.interpolation import SizeCurve, size_curves
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.errors import FeatureTableError
from abr_alloc.targets import Target

__all__ = ["SAME_SIZE", "TitleCurves", "encoder_names", "merge_scenes"]

SAME_SIZE = 0.1
"""Relative difference of short sides up to which two sizes are one: 234p and 240p."""

Floats = npt.NDArray[np.float64]


def merge_scenes(scenes: Sequence[QualitySurface]) -> QualitySurface:
    """The surface of a title: the renditions that all its scenes have, with means over time.

    Raises:
        FeatureTableError: a scene has no duration, or the scenes share no video or no audio rendition.
    """
    title = scenes[0].title
    for scene in scenes:
        if not scene.duration_s > 0.0:
            raise FeatureTableError(
                f"title {title!r} scene {scene.scene} lasts {scene.duration_s:g} s; a scene must last longer than 0"
            )
    video = [{v.identity: i for i, v in enumerate(s.video)} for s in scenes]
    audio = [{a.identity: i for i, a in enumerate(s.audio)} for s in scenes]
    video_keys = [key for key in video[0] if all(key in other for other in video)]
    audio_keys = [key for key in audio[0] if all(key in other for other in audio)]
    for kind, keys in (("video", video_keys), ("audio", audio_keys)):
        if not keys:
            raise FeatureTableError(
                f"the scenes of title {title!r} share no {kind} rendition; extract them with one grid"
            )
    seconds = np.array([scene.weight_s for scene in scenes])
    share = seconds / seconds.sum()
    rows = [np.array([found[key] for key in video_keys]) for found in video]
    columns = [np.array([found[key] for key in audio_keys]) for found in audio]

    cells = list(zip(scenes, rows, columns, strict=True))

    def mean(parts: Sequence[npt.NDArray[np.floating]]) -> Floats:
        return np.asarray(sum(weight * part for weight, part in zip(share, parts, strict=True)))

    def mean_or_none(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return None if len(known) < len(values) else float(share @ np.array(known))

    video_kbps = mean([np.array([s.video[i].bitrate_kbps for i in r]) for s, r in zip(scenes, rows, strict=True)])
    audio_kbps = mean([np.array([s.audio[i].bitrate_kbps for i in c]) for s, c in zip(scenes, columns, strict=True)])

    def mean_cells(parts: Sequence[npt.NDArray[np.floating]]) -> npt.NDArray[np.float32]:
        return mean([mos[np.ix_(r, c)] for mos, (_, r, c) in zip(parts, cells, strict=True)]).astype(np.float32)

    by_screen = [s.on_screens_mos for s in scenes if s.on_screens_mos is not None]
    return dataclasses.replace(
        scenes[0],
        scene=-1,
        end_s=scenes[-1].end_s,
        video=tuple(
            dataclasses.replace(
                scenes[0].video[i],
                bitrate_kbps=float(kbps),
                vmaf=mean_or_none([s.video[r[j]].vmaf for s, r in zip(scenes, rows, strict=True)]),
            )
            for j, (i, kbps) in enumerate(zip(rows[0], video_kbps, strict=True))
        ),
        audio=tuple(
            dataclasses.replace(
                scenes[0].audio[i],
                bitrate_kbps=float(kbps),
                quality_mos=mean_or_none([s.audio[c[j]].quality_mos for s, c in zip(scenes, columns, strict=True)]),
            )
            for j, (i, kbps) in enumerate(zip(columns[0], audio_kbps, strict=True))
        ),
        avq_mos=mean_cells([s.avq_mos for s in scenes]),
        total_kbps=mean([s.total_kbps[np.ix_(r, c)] for s, r, c in cells]),
        x_v=mean([s.x_v[r] for s, r in zip(scenes, rows, strict=True)]).astype(np.float32),
        x_a=mean([s.x_a[c] for s, c in zip(scenes, columns, strict=True)]).astype(np.float32),
        stands_for_s=float(seconds.sum()),
        half_second_kbit=None,
        on_screens_mos=(mean_cells([tv for tv, _ in by_screen]), mean_cells([phone for _, phone in by_screen]))
        if len(by_screen) == len(scenes)
        else None,
    )


def encoder_names(surface: QualitySurface, codec: str) -> list[str]:
    """Names in targets of a codec's encoders, each once; not of what was there before."""
    targets = [Target(v.target) for v in surface.video if v.codec == codec]
    return list(dict.fromkeys(target.encoder for target in targets if not target.is_label))


class TitleCurves:
    """AVQ of one title and encoder at sizes and rates that were not probed, and where that leaves the probes."""

    def __init__(
        self, surface: QualitySurface, codec: str, round_kbps: float = 0.0, *, encoder: str | None = None
    ) -> None:
        """`round_kbps`: rates of designed rungs are its multiples; what is held, is held at the largest of them.
        `encoder`: its name in targets; the codec's usual one when None, where it was probed, else another that was."""
        self.title = surface.title
        self._round_kbps = round_kbps
        names = encoder_names(surface, codec)
        self.encoder = encoder if encoder is not None else "" if "" in names else next(iter(names), "")
        """The encoder's name in targets."""
        self.curves: list[SizeCurve] = [
            curve
            for curve in size_curves(surface, labels_apart=bool(names))
            if curve.codec == codec and curve.encoder == self.encoder and not (names and curve.is_label)
        ]
        """By size, rising. Of a table that holds nothing else, what was there before."""
        if not self.curves:
            raise FeatureTableError(f"title {surface.title!r} has no {codec} renditions; choose another `video_codecs`")
        self._log_side = np.log([curve.short_side_px for curve in self.curves])

    @property
    def largest_px(self) -> int:
        """Short side of the largest size."""
        return self.curves[-1].short_side_px

    def at(self, side_px: int, kbps: Floats, *, cap_at_source: bool = False) -> Floats:
        """AVQ at a size (its short side) and rates, (R, A).

        A size that was not probed is taken between its neighbours, linear in the logarithm of the short side. Above
        the most expensive probe AVQ is held at that probe's. NaN below the cheapest probe, and for sizes beyond the
        source's unless `cap_at_source` gives them the source's.
        """
        low, high, weight = self._neighbours(side_px, cap_at_source)
        if low is None or high is None:
            return np.full((len(kbps), self.curves[0].avq_mos.shape[1]), np.nan)
        if low is high:
            return self._held(low, kbps)
        return (1.0 - weight) * self._held(low, kbps) + weight * self._held(high, kbps)

    def range_kbps(self, side_px: int) -> tuple[float, float]:
        """Least and largest rate that was measured at a size: where it lies between two, what both were measured at.

        Raises:
            FeatureTableError: it is larger than the source, or smaller than the smallest probe.
        """
        low, high, _ = self._neighbours(side_px, cap_at_source=False)
        if low is None or high is None:
            raise FeatureTableError(f"title {self.title!r} has no renditions near {side_px}p")
        return float(max(low.kbps[0], high.kbps[0])), float(min(low.kbps[-1], high.kbps[-1]))

    def vmaf_at(self, side_px: int, kbps: float, *, cap_at_source: bool = False) -> float | None:
        """VMAF at a size and a rate, between and beyond the probes as `at` takes AVQ.

        None where that is NaN, or where a probe's VMAF is not known.
        """
        low, high, weight = self._neighbours(side_px, cap_at_source)
        if low is None or high is None or kbps < max(low.kbps[0], high.kbps[0]):
            return None
        ends = [curve.vmaf_at(min(kbps, self._held_kbps(curve))) for curve in (low, high)]
        known = [vmaf for vmaf in ends if vmaf is not None]
        return (1.0 - weight) * known[0] + weight * known[1] if len(known) == 2 else None

    def describe(self, side_px: int, kbps: float, *, cap_at_source: bool = False) -> tuple[SizeCurve | None, str]:
        """The probed size that stands for a size, and in words what is not quite as measured."""
        low, high, weight = self._neighbours(side_px, cap_at_source)
        if low is None or high is None:
            smallest = self.curves[0].short_side_px
            if side_px < smallest:
                return None, f"smaller than the smallest probe ({smallest}p)"
            return None, f"larger than the source ({self.largest_px}p)"
        nearest = low if weight < 0.5 else high
        notes = []
        if low is not high:
            notes.append(f"size between {low.short_side_px}p and {high.short_side_px}p")
        elif low.short_side_px != side_px:
            notes.append(f"as {low.short_side_px}p")
        if kbps > max(low.kbps[-1], high.kbps[-1]):
            notes.append(f"rate above the dearest probe, {nearest.kbps[-1]:.0f}k: AVQ held there")
        return nearest, "; ".join(notes)

    def _held_kbps(self, curve: SizeCurve) -> float:
        """The rate from which on a curve stays at its value: its last probe's, or the last multiple below that."""
        most = float(curve.kbps[-1])
        rounded = math.floor(most / self._round_kbps) * self._round_kbps if self._round_kbps > 0.0 else most
        return rounded if curve.kbps[0] <= rounded else most

    def _held(self, curve: SizeCurve, kbps: Floats) -> Floats:
        """A curve that stays at its last value beyond its last rate."""
        most = self._held_kbps(curve)
        highest = curve.avq_mos[-1] if most == curve.kbps[-1] else curve.at(np.array([most]))[0]
        return np.where((kbps >= most)[:, None], highest, curve.at(np.minimum(kbps, most)))

    def _neighbours(self, side_px: int, cap_at_source: bool) -> tuple[SizeCurve | None, SizeCurve | None, float]:
        log_side = math.log(side_px)
        nearest = int(np.abs(self._log_side - log_side).argmin())
        if abs(side_px / self.curves[nearest].short_side_px - 1.0) <= SAME_SIZE:
            return self.curves[nearest], self.curves[nearest], 0.0
        above = int(np.searchsorted(self._log_side, log_side))
        if above == len(self.curves):
            return (self.curves[-1], self.curves[-1], 0.0) if cap_at_source else (None, None, 0.0)
        if above == 0:
            return None, None, 0.0
        low, high = self._log_side[above - 1], self._log_side[above]
        return self.curves[above - 1], self.curves[above], float((log_side - low) / (high - low))
