"""Surfaces between probes: an encoder can hit any rate, so AVQ is interpolated between the measured ones.

For one encoder, one size and one audio rendition, AVQ over the logarithm of the video rate is a shape-preserving
piecewise cubic through the probes (PCHIP; Fritsch and Carlson, SIAM J. Numer. Anal. 17, 1980): where the
probes rise it rises, and it never swings beyond two neighbours. Nothing is extrapolated: a size offers rates from its
cheapest to its most expensive probe and no others. Across sizes, and encoders of one codec, the best one at each rate
counts, the upper envelope; where the best size changes is a crossover. What was there before (its target is a label)
stays a point: nobody could encode what lies between. docs/allocation.md has the measured error.

Axes: V video renditions, A audio renditions, R rates.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc import defaults
from abr_alloc.allocation.pchip import pchips, places_on
from abr_alloc.allocation.ranges import Kbps, Px
from abr_alloc.allocation.size_curves import SAME_RATE, SizeCurve, lattice_kbps, size_curves
from abr_alloc.allocation.surface import LazyVideo, QualitySurface, VideoRendition

__all__ = ["Crossover", "SizeCurve", "find_crossovers", "interpolate", "interpolate_all", "lattice_kbps", "size_curves"]

Floats = npt.NDArray[np.float64]
Sides = npt.NDArray[np.int64]

_LEAD_MOS = 0.01
"""What a size must be better by for the best size to have changed: far below what anyone sees, above rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossover:
    """A video rate from which on another size is the better one."""

    kbps: Kbps
    """Video rate, kbps."""
    below_px: tuple[Px, Px]
    """Width and height of the best size below."""
    above_px: tuple[Px, Px]
    """Width and height of the best size from there on."""


def interpolate(
    surface: QualitySurface,
    *,
    overhead: float = defaults.OVERHEAD,
    rates_kbps: npt.NDArray[np.float64] | None = None,
    keep_probes: bool = True,
    every_size: bool = False,
) -> QualitySurface:
    """The surface with video renditions between its probes.

    Args:
        surface: measured renditions.
        overhead: container overhead as a share of the streams' rate.
        rates_kbps: video rates to offer, rising; the lattice of whole kbps when absent.
        keep_probes: offer the measured renditions too, none that is estimated. A size with one probe always keeps it;
            all measured ones are kept where no rate lies between any two.
        every_size: offer every size at every rate of its range, not only the best one of each rate.
    """
    return interpolate_all(
        [surface], overhead=overhead, rates_kbps=rates_kbps, keep_probes=keep_probes, every_size=every_size
    )[0]


def interpolate_all(
    surfaces: Sequence[QualitySurface],
    *,
    overhead: float = defaults.OVERHEAD,
    rates_kbps: npt.NDArray[np.float64] | None = None,
    keep_probes: bool = True,
    every_size: bool = False,
) -> list[QualitySurface]:
    """`interpolate` of every surface, whose curves are worked out together."""
    found: dict[int, QualitySurface] = {}
    by_audio: dict[int, list[int]] = {}  # curves of as many audio renditions are worked out together
    for s, surface in enumerate(surfaces):
        by_audio.setdefault(len(surface.audio), []).append(s)
    for own in by_audio.values():
        scenes = [surfaces[s] for s in own]
        curves = [size_curves(surface) for surface in scenes]
        offered = _between(scenes, curves, rates_kbps, every_size)
        kept = []
        for surface, each, more in zip(scenes, curves, offered, strict=True):
            rows = [i for i, v in enumerate(surface.video) if not v.estimated]
            if not keep_probes and len(more.kbps):
                single = {int(c.index[0]) for c in each if len(c.kbps) == 1}
                rows = [i for i in rows if i in single]
            kept.append(rows)
        found |= zip(own, _with_rates(scenes, kept, offered, overhead), strict=True)
    return [found[s] for s in range(len(surfaces))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offered:
    """Video between the probes of a scene."""

    curves: list[SizeCurve]
    """Curves that offer any, one after the other."""
    number: list[int]
    """How many rates each offers; their sum is R."""
    kbps: Floats
    """The rates, (R,)."""
    avq_mos: npt.NDArray[np.float32]
    """AVQ there, (R, A)."""
    x_v: npt.NDArray[np.float32]
    """Video features there, (R, d_v), for relevance only: linear in the logarithm of the rate."""


def _with_rates(
    surfaces: Sequence[QualitySurface], kept: Sequence[list[int]], offered: Sequence[_Offered], overhead: float
) -> list[QualitySurface]:
    """Surfaces, all with as many audio renditions, with the rows that are kept and what is offered between them."""
    video = [[surface.video[i] for i in rows] for surface, rows in zip(surfaces, kept, strict=True)]
    every = [len(rows) == len(surface.video) for surface, rows in zip(surfaces, kept, strict=True)]
    sides = [
        side
        for measured, more in zip(video, offered, strict=True)
        for side in (*(min(v.width_px, v.height_px) for v in measured), *(c.short_side_px for c in more.curves))
    ]
    repeats = [[1] * len(measured) + more.number for measured, more in zip(video, offered, strict=True)]
    number = [len(measured) + len(more.kbps) for measured, more in zip(video, offered, strict=True)]
    # Row after row of all scenes at once; every scene takes its stretch of them.
    side_px = np.repeat(np.array(sides, dtype=np.int64), list(itertools.chain(*repeats)))
    kbps, avq_mos, x_v = (
        np.concatenate([part for parts in zip(measured, between, strict=True) for part in parts])
        for measured, between in (
            ([np.array([v.bitrate_kbps for v in rows]) for rows in video], [more.kbps for more in offered]),
            (_rows_of([s.avq_mos for s in surfaces], kept, every), [more.avq_mos for more in offered]),
            (_rows_of([s.x_v for s in surfaces], kept, every), [more.x_v for more in offered]),
        )
    )
    audio_kbps = np.array([[a.bitrate_kbps for a in surface.audio] for surface in surfaces])
    total_kbps = (kbps[:, None] + np.repeat(audio_kbps, number, axis=0)) * (1.0 + overhead)
    found = []
    stretches = itertools.pairwise(itertools.accumulate(number, initial=0))
    for surface, measured, more, own_repeats, (start, stop) in zip(
        surfaces, video, offered, repeats, stretches, strict=True
    ):
        own = slice(start, stop)
        if not len(more.kbps):
            found.append(dataclasses.replace(surface.measured(), total_kbps=total_kbps[own]))
            continue
        found.append(
            dataclasses.replace(
                surface,
                video=_Video(measured, more, own_repeats, kbps[own], side_px[own]),
                on_screens_mos=None,
                avq_mos=avq_mos[own],
                total_kbps=total_kbps[own],
                x_v=x_v[own],
            )
        )
    return found


def _rows_of(
    arrays: Sequence[npt.NDArray[np.float32]], kept: Sequence[list[int]], every: Sequence[bool]
) -> list[npt.NDArray[np.float32]]:
    return [array if whole else array[rows] for array, rows, whole in zip(arrays, kept, every, strict=True)]


class _Video(LazyVideo):
    """Measured renditions, and after them those between: each is written out when somebody asks for it."""

    def __init__(
        self, measured: Sequence[VideoRendition], offered: _Offered, repeats: list[int], kbps: Floats, side_px: Sides
    ) -> None:
        self._measured, self._curves, self._repeats = measured, offered.curves, repeats
        self._ends = list(itertools.accumulate(offered.number, initial=len(measured)))[1:]
        self.kbps, self.side_px = kbps, side_px

    @functools.cached_property
    def codecs(self) -> npt.NDArray[np.str_]:  # type: ignore[override]
        """Their codecs, (V,)."""
        return np.repeat([*(v.codec for v in self._measured), *(c.codec for c in self._curves)], self._repeats)

    def rendition(self, place: int) -> VideoRendition:
        if place < len(self._measured):
            return self._measured[place]
        curve: SizeCurve = self._curves[bisect.bisect_right(self._ends, place)]
        return curve.rendition(float(self.kbps[place]))


def _between(
    surfaces: Sequence[QualitySurface],
    curves: Sequence[Sequence[SizeCurve]],
    rates_kbps: npt.NDArray[np.float64] | None,
    every_size: bool,
) -> list[_Offered]:
    """Rates on the upper envelope of all sizes and encoders of a codec, for some audio rendition; or all of them. Of
    every scene, of which all have as many audio renditions."""
    own: list[SizeCurve] = []  # of all scenes, codec by codec
    rates: list[Floats] = []  # of each curve
    spans: list[tuple[int, int, Floats]] = []  # curves of one codec of a scene, and the rates of all of them
    num_curves = [0]
    features: list[npt.NDArray[np.float32]] = []  # of the probes of each curve
    for surface, of_scene in zip(surfaces, curves, strict=True):
        for codec in dict.fromkeys(curve.codec for curve in of_scene):
            first = len(own)
            own += [curve for curve in of_scene if curve.codec == codec and len(curve.kbps) > 1]
            if first == len(own):
                continue
            asked = rates_kbps
            if asked is None:
                asked = lattice_kbps(
                    min(float(c.kbps[0]) for c in own[first:]), max(float(c.kbps[-1]) for c in own[first:])
                )
            for c in own[first:]:
                low, high = asked.searchsorted(c.kbps[0]), asked.searchsorted(c.kbps[-1], side="right")
                rates.append(asked[low:high])
                features.append(surface.x_v[c.index])
            spans.append((first, len(own), asked))
        num_curves.append(len(own))
    num_audio, d_v = surfaces[0].avq_mos.shape[1], surfaces[0].x_v.shape[1]
    if not own:
        nothing = np.empty((0, num_audio), dtype=np.float32), np.empty((0, d_v), dtype=np.float32)
        return [_Offered(curves=[], number=[], kbps=np.empty(0), avq_mos=nothing[0], x_v=nothing[1])] * len(surfaces)
    first_point = np.cumsum([0, *(len(c.kbps) for c in own)])
    first_rate = np.cumsum([0, *map(len, rates)])
    kbps, at = np.concatenate([c.kbps for c in own]), np.concatenate(rates)
    log_kbps, log_at = np.log(kbps), np.log(at)
    places = places_on(log_kbps, first_point, log_at, first_rate)
    avq = pchips(log_kbps, np.concatenate([c.avq_mos for c in own]), first_point, places)
    wanted = np.ones(len(at), dtype=bool)
    if not every_size:
        for first, stop, asked in spans:
            wanted[first_rate[first] : first_rate[stop]] = _on_envelope(
                asked, rates[first:stop], avq, first_rate[first]
            )
    if rates_kbps is None:  # the probes themselves are offered
        for probe in (kbps[places.piece], kbps[places.piece + 1]):
            wanted &= ~(np.abs(at - probe) <= SAME_RATE * probe)
    x_v = np.concatenate(features).astype(np.float64)
    past = (places.past / np.diff(log_kbps)[places.piece])[:, None]
    between = (1.0 - past) * x_v[places.piece] + past * x_v[places.piece + 1]
    number = np.add.reduceat(np.append(wanted, False), first_rate[:-1], dtype=np.intp)
    number[np.diff(first_rate) == 0] = 0
    chosen = np.flatnonzero(wanted)
    at, avq_mos, features_at = at[chosen], avq[chosen].astype(np.float32), between[chosen].astype(np.float32)
    ends = np.concatenate([[0], np.cumsum(number)])[num_curves].tolist()
    found = []
    for (first, stop), (start, end) in zip(itertools.pairwise(num_curves), itertools.pairwise(ends), strict=True):
        some = [(c, n) for c, n in zip(own[first:stop], number[first:stop].tolist(), strict=True) if n]
        found.append(
            _Offered(
                curves=[c for c, _ in some],
                number=[n for _, n in some],
                kbps=at[start:end],
                avq_mos=avq_mos[start:end],
                x_v=features_at[start:end],
            )
        )
    return found


def _on_envelope(asked: Floats, rates: Sequence[Floats], avq_mos: Floats, first: int) -> npt.NDArray[np.bool_]:
    """Which rates of the curves of one codec, curve after curve, are some audio's best of all sizes.

    Args:
        asked: the rates of all of them, (R,).
        rates: those of each, a stretch of the others.
        avq_mos: AVQ at the rates of many curves, (all, A).
        first: where these begin there.
    """
    avq = np.full((len(rates), len(asked), avq_mos.shape[1]), np.nan)  # (sizes, R, A)
    inside = np.zeros(avq.shape[:2], dtype=bool)
    for c, own in enumerate(rates):
        start = int(np.searchsorted(asked, own[0])) if len(own) else 0
        inside[c, start : start + len(own)] = True
        avq[c, start : start + len(own)] = avq_mos[first : first + len(own)]
        first += len(own)
    best = (avq >= np.nan_to_num(avq, nan=-np.inf).max(axis=0)).any(axis=2)
    return np.asarray(best[inside])


def find_crossovers(surface: QualitySurface, audio: int, codec: str) -> list[Crossover]:
    """Video rates at which the best size changes, with one audio rendition of a measured surface.

    A size is as good as the best encoder makes it, and stays at its last AVQ beyond its most expensive probe: where its
    curve merely ends, no other becomes better.
    A change counts once the new size leads by `_LEAD_MOS`; curves that lie on each other do not change places.
    """
    curves = [curve for curve in size_curves(surface) if curve.codec == codec and len(curve.kbps) > 1]
    if not curves:
        return []
    rates = lattice_kbps(min(c.kbps[0] for c in curves), max(c.kbps[-1] for c in curves), 0.1)
    sizes = list(dict.fromkeys((c.width_px, c.height_px) for c in curves))
    avq = np.full((len(sizes), len(rates)), -np.inf)  # (sizes, R)
    for c in curves:
        held = np.where(rates > c.kbps[-1], c.avq_mos[-1, audio], np.nan_to_num(c.at(rates)[:, audio], nan=-np.inf))
        size = sizes.index((c.width_px, c.height_px))
        avq[size] = np.maximum(avq[size], held)
    best = avq.argmax(axis=0)
    found: list[Crossover] = []
    current, since = int(best[0]), 0
    for i, rival in enumerate(best.tolist()):
        if rival == current or rival != best[since]:
            since = i  # where the present leader took the lead
        if rival != current and avq[rival, i] - avq[current, i] >= _LEAD_MOS:
            found.append(
                Crossover(
                    kbps=float(rates[since]),
                    below_px=sizes[current],
                    above_px=sizes[rival],
                )
            )
            current = rival
    return found
