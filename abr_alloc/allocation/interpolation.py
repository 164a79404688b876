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

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc import defaults
from abr_alloc.allocation.pchip import pchip
from abr_alloc.allocation.ranges import DynamicRange, Kbps, Px
from abr_alloc.allocation.surface import LazyVideo, Probe, QualitySurface, VideoRendition
from abr_alloc.targets import Target

__all__ = ["Crossover", "SizeCurve", "find_crossovers", "interpolate", "lattice_kbps", "size_curves"]

Floats = npt.NDArray[np.float64]

RATE_STEP = 1.02
"""Ratio of neighbouring rates that are offered: what rounding to them costs is far below the interpolation's error."""

_LEAD_MOS = 0.01
"""What a size must be better by for the best size to have changed: far below what anyone sees, above rounding."""

_SAME_RATE = 1e-3
"""Relative difference below which two probes have the same rate, or a lattice rate is a probe's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeCurve:
    """AVQ over the rate of one encoder at one size, with its probes."""

    codec: str
    """Video codec."""
    encoder: str = ""
    """Name of the encoder in targets; empty for the codec's usual one."""
    width_px: int
    """Width, pixels."""
    height_px: int
    """Height, pixels."""
    dynamic_range: DynamicRange = "SDR"
    """SDR, HLG or PQ."""
    index: npt.NDArray[np.intp]
    """The probes in their surface, by rate, (R,)."""
    probes: tuple[Probe, ...]
    """The same as records."""
    kbps: npt.NDArray[np.float64]
    """Their rates, rising, (R,)."""
    avq_mos: npt.NDArray[np.float64]
    """Their AVQ, (R, A)."""

    @property
    def short_side_px(self) -> int:
        return min(self.width_px, self.height_px)

    @property
    def is_label(self) -> bool:
        """Whether its only probe was there before."""
        return len(self.probes) == 1 and Target(self.probes[0].target).is_label

    def at(self, kbps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """AVQ at rates between the first and the last probe's, (R, A); NaN elsewhere."""
        if len(self.kbps) == 1:
            same = np.isclose(kbps, self.kbps[0], rtol=_SAME_RATE, atol=0.0)
            return np.where(same[:, None], self.avq_mos[0], np.nan)
        return pchip(np.log(self.kbps), self.avq_mos, np.log(kbps))

    def vmaf_at(self, kbps: float) -> float | None:
        """VMAF at a rate, held beyond the probes, linear in its logarithm; it decides nothing and stands beside AVQ."""
        scores = [probe.vmaf for probe in self.probes]
        known = [score for score in scores if score is not None]
        if len(known) < len(scores):
            return None
        return float(np.interp(np.log(kbps), np.log(self.kbps), known))

    def around(self, kbps: float) -> tuple[Probe, Probe]:
        """The probes below and above a rate within the range."""
        above = int(np.clip(np.searchsorted(self.kbps, kbps), 1, len(self.kbps) - 1))
        return self.probes[above - 1], self.probes[above]

    def rendition(self, kbps: float) -> VideoRendition:
        """What an encoder is asked for at a rate within the range."""
        return VideoRendition(
            codec=self.codec,
            width_px=self.width_px,
            height_px=self.height_px,
            target=str(Target.of_kbps(kbps, self.encoder)),
            bitrate_kbps=kbps,
            nearest_probes=self.around(kbps),
            vmaf=self.vmaf_at(kbps),
            dynamic_range=self.dynamic_range,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossover:
    """A video rate from which on another size is the better one."""

    kbps: Kbps
    """Video rate, kbps."""
    below_px: tuple[Px, Px]
    """Width and height of the best size below."""
    above_px: tuple[Px, Px]
    """Width and height of the best size from there on."""


def size_curves(surface: QualitySurface, *, labels_apart: bool = True) -> list[SizeCurve]:
    """A curve per encoder and size, sizes rising; of probes with one rate the best is kept.

    Args:
        surface: measured renditions.
        labels_apart: whether what was there before has a curve of its own, a point; else it counts to the codec's usual
            encoder, to tell what a rate is worth and not to encode it.
    """
    mean = surface.avq_mos.mean(axis=1).tolist()
    groups: dict[tuple[str, int, int, str, str], list[int]] = {}
    for i, v in enumerate(surface.video):
        target = Target(v.target)
        label = v.target if labels_apart and target.is_label else ""
        groups.setdefault((v.codec, v.width_px, v.height_px, target.encoder, label), []).append(i)
    curves = []
    for (codec, width, height, encoder, _), members in sorted(
        groups.items(), key=lambda g: (g[0][0], g[0][1] * g[0][2], *g[0][3:])
    ):
        by_rate = sorted(members, key=lambda i: (surface.video[i].bitrate_kbps, -mean[i]))
        kept = [by_rate[0]]
        for i in by_rate[1:]:
            if surface.video[i].bitrate_kbps > surface.video[kept[-1]].bitrate_kbps * (1.0 + _SAME_RATE):
                kept.append(i)
            elif mean[i] > mean[kept[-1]]:
                kept[-1] = i
        chosen = [surface.video[i] for i in kept]
        curves.append(
            SizeCurve(
                codec=codec,
                encoder=encoder,
                width_px=width,
                height_px=height,
                dynamic_range=chosen[0].dynamic_range,
                index=np.array(kept, dtype=np.intp),
                probes=tuple(Probe(target=v.target, bitrate_kbps=v.bitrate_kbps, vmaf=v.vmaf) for v in chosen),
                kbps=np.array([v.bitrate_kbps for v in chosen]),
                avq_mos=surface.avq_mos[kept].astype(np.float64),
            )
        )
    return curves


def lattice_kbps(low: float, high: float, round_kbps: float = 1.0) -> npt.NDArray[np.float64]:
    """Rates `RATE_STEP` apart, rounded to a multiple, that lie strictly between two rates: the same for every scene."""
    first, last = np.floor(np.log(max(low, 1.0)) / np.log(RATE_STEP)), np.ceil(np.log(high) / np.log(RATE_STEP))
    rates = np.unique(np.round(RATE_STEP ** np.arange(first, last + 1) / round_kbps) * round_kbps)
    return rates[(rates > low) & (rates < high)]


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
    curves = size_curves(surface)
    offered = [o for o in _between(curves, rates_kbps, every_size) if len(o.kbps)]
    audio_kbps = [a.bitrate_kbps for a in surface.audio]
    if not offered:
        video_kbps = [v.bitrate_kbps for v in surface.video]
        return dataclasses.replace(surface, total_kbps=np.add.outer(video_kbps, audio_kbps) * (1.0 + overhead))
    kept = [i for i, v in enumerate(surface.video) if not v.estimated]
    if not keep_probes:
        kept = [int(c.index[0]) for c in curves if len(c.kbps) == 1]
    video = _Video([surface.video[i] for i in kept], offered)
    return dataclasses.replace(
        surface,
        video=video,
        on_screens_mos=None,
        avq_mos=np.concatenate([surface.avq_mos[kept], *(o.avq_mos.astype(np.float32) for o in offered)]),
        total_kbps=np.add.outer(video.kbps, audio_kbps) * (1.0 + overhead),
        x_v=np.concatenate([surface.x_v[kept], *(_features(surface, o) for o in offered)]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offered:
    """Rates of one curve that are offered."""

    curve: SizeCurve
    """The curve."""
    kbps: Floats
    """The rates, (R,)."""
    avq_mos: Floats
    """AVQ there, (R, A)."""


class _Video(LazyVideo):
    """Measured renditions, and after them those between: each is written out when somebody asks for it."""

    def __init__(self, measured: Sequence[VideoRendition], offered: Sequence[_Offered]) -> None:
        self._measured, self._curves = measured, [o.curve for o in offered]
        number = [len(o.kbps) for o in offered]
        self._curve = np.repeat(np.arange(len(offered)), number)
        self.kbps = np.concatenate([[v.bitrate_kbps for v in measured], *(o.kbps for o in offered)])
        self.side_px = np.concatenate(
            [
                np.array([min(v.width_px, v.height_px) for v in measured], dtype=np.int64),
                np.repeat([o.curve.short_side_px for o in offered], number),
            ]
        )
        self.codecs = np.concatenate(
            [np.array([v.codec for v in measured], dtype=np.str_), np.repeat([o.curve.codec for o in offered], number)]
        )

    def rendition(self, place: int) -> VideoRendition:
        if place < len(self._measured):
            return self._measured[place]
        curve: SizeCurve = self._curves[self._curve[place - len(self._measured)]]
        return curve.rendition(float(self.kbps[place]))


def _between(
    curves: Sequence[SizeCurve], rates_kbps: npt.NDArray[np.float64] | None, every_size: bool
) -> list[_Offered]:
    """Rates on the upper envelope of all sizes and encoders of a codec, for some audio rendition; or all of them."""
    found = []
    for codec in dict.fromkeys(curve.codec for curve in curves):
        own = [curve for curve in curves if curve.codec == codec and len(curve.kbps) > 1]
        if not own:
            continue
        rates = rates_kbps
        if rates is None:
            rates = lattice_kbps(min(c.kbps[0] for c in own), max(c.kbps[-1] for c in own))
        avq = np.full((len(own), len(rates), own[0].avq_mos.shape[1]), np.nan)  # (sizes, R, A)
        for c, curve in enumerate(own):
            inside = (rates >= curve.kbps[0]) & (rates <= curve.kbps[-1])
            avq[c, inside] = curve.at(rates[inside])
        wanted = ~np.isnan(avq).any(axis=2)
        if not every_size:
            wanted &= (avq >= np.nan_to_num(avq, nan=-np.inf).max(axis=0)).any(axis=2)
        for c, curve in enumerate(own):
            if rates_kbps is None:  # the probes themselves are offered
                wanted[c] &= ~np.isclose(rates, curve.kbps[:, None], rtol=_SAME_RATE, atol=0.0).any(axis=0)
            found.append(_Offered(curve=curve, kbps=rates[wanted[c]], avq_mos=avq[c, wanted[c]]))
    return found


def _features(surface: QualitySurface, offered: _Offered) -> npt.NDArray[np.float32]:
    """Video features between two probes, (R, d_v), for relevance only: linear in the logarithm of the rate."""
    x_v, log_kbps = surface.x_v[offered.curve.index].astype(np.float64), np.log(offered.curve.kbps)
    at = np.log(offered.kbps)
    below = np.clip(np.searchsorted(log_kbps, at, side="right") - 1, 0, len(log_kbps) - 2)
    past = ((at - log_kbps[below]) / (log_kbps[below + 1] - log_kbps[below]))[:, None]
    return np.asarray((1.0 - past) * x_v[below] + past * x_v[below + 1], dtype=np.float32)


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
