"""Surfaces between probes: an encoder can hit any rate, so AVQ is interpolated between the measured ones.

For one codec, one size and one audio rendition, AVQ over the logarithm of the video rate is a shape-preserving
piecewise cubic through the probes (PCHIP; Fritsch and Carlson, SIAM J. Numer. Anal. 17, 1980): where the
probes rise it rises, and it never swings beyond two neighbours. Nothing is extrapolated: a size offers rates from its
cheapest to its dearest probe and no others. Across sizes the best one at each rate counts, the upper envelope; where
the best size changes is a crossover. docs/allocation.md has the measured error.

Axes: V video renditions, A audio renditions, R rates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.pchip import pchip
from abr_alloc.allocation.surface import DEFAULT_OVERHEAD, Probe, QualitySurface, VideoRendition

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
    """AVQ over the rate of one codec at one size, with its probes."""

    codec: str
    """Video codec."""
    width_px: int
    """Width, pixels."""
    height_px: int
    """Height, pixels."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossover:
    """A video rate from which on another size is the better one."""

    kbps: float
    """Video rate, kbps."""
    below_px: tuple[int, int]
    """Width and height of the best size below."""
    above_px: tuple[int, int]
    """Width and height of the best size from there on."""


def size_curves(surface: QualitySurface) -> list[SizeCurve]:
    """A curve per codec and size, sizes rising; of probes with one rate the best is kept."""
    groups: dict[tuple[str, int, int], list[int]] = {}
    for i, v in enumerate(surface.video):
        groups.setdefault((v.codec, v.width_px, v.height_px), []).append(i)
    curves = []
    for (codec, width, height), members in sorted(groups.items(), key=lambda g: (g[0][0], g[0][1] * g[0][2])):
        by_rate = sorted(members, key=lambda i: (surface.video[i].bitrate_kbps, -float(surface.avq_mos[i].mean())))
        kept = [by_rate[0]]
        for i in by_rate[1:]:
            if surface.video[i].bitrate_kbps > surface.video[kept[-1]].bitrate_kbps * (1.0 + _SAME_RATE):
                kept.append(i)
            elif surface.avq_mos[i].mean() > surface.avq_mos[kept[-1]].mean():
                kept[-1] = i
        chosen = [surface.video[i] for i in kept]
        curves.append(
            SizeCurve(
                codec=codec,
                width_px=width,
                height_px=height,
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
    overhead: float = DEFAULT_OVERHEAD,
    rates_kbps: npt.NDArray[np.float64] | None = None,
    keep_probes: bool = True,
    every_size: bool = False,
) -> QualitySurface:
    """The surface with video renditions between its probes.

    Args:
        surface: measured renditions.
        overhead: container overhead as a share of the streams' rate.
        rates_kbps: video rates to offer; the lattice of whole kbps when absent.
        keep_probes: offer the measured renditions too. A size with one probe always keeps it, and all are kept where
            no rate lies between any two.
        every_size: offer every size at every rate of its range, not only the best one of each rate.
    """
    curves = size_curves(surface)
    offered = list(_between(curves, rates_kbps, every_size))
    kept = list(range(len(surface.video)))
    if offered and not keep_probes:
        kept = [int(c.index[0]) for c in curves if len(c.kbps) == 1]
    video = [surface.video[i] for i in kept] + [rendition for _, rendition, _ in offered]
    x_v = [surface.x_v[i] for i in kept] + [_features(surface, curve, v.bitrate_kbps) for curve, v, _ in offered]
    avq = [surface.avq_mos[i] for i in kept] + [column for _, _, column in offered]
    video_kbps = [v.bitrate_kbps for v in video]
    audio_kbps = [a.bitrate_kbps for a in surface.audio]
    return dataclasses.replace(
        surface,
        video=tuple(video),
        avq_mos=np.array(avq, dtype=np.float32).reshape(len(video), len(surface.audio)),
        total_kbps=np.add.outer(video_kbps, audio_kbps) * (1.0 + overhead),
        x_v=np.array(x_v, dtype=np.float32).reshape(len(video), surface.x_v.shape[1]),
    )


def _between(
    curves: Sequence[SizeCurve], rates_kbps: npt.NDArray[np.float64] | None, every_size: bool
) -> Iterator[tuple[SizeCurve, VideoRendition, npt.NDArray[np.float64]]]:
    """Renditions on the upper envelope of all sizes of a codec, for some audio rendition; or all of them.

    Yields:
        Curve, rendition, and its AVQ (A,).
    """
    for codec in dict.fromkeys(curve.codec for curve in curves):
        own = [curve for curve in curves if curve.codec == codec and len(curve.kbps) > 1]
        if not own:
            continue
        rates = rates_kbps
        if rates is None:
            rates = lattice_kbps(min(c.kbps[0] for c in own), max(c.kbps[-1] for c in own))
        if not len(rates):
            continue
        avq = np.stack([curve.at(rates) for curve in own])  # (sizes, R, A)
        best = np.nan_to_num(avq, nan=-np.inf).max(axis=0)
        wanted = ~np.isnan(avq).any(axis=2) if every_size else (avq >= best).any(axis=2)  # NaN never is
        for c, r in zip(*np.nonzero(wanted), strict=True):
            curve, kbps = own[c], float(rates[r])
            if np.isclose(curve.kbps, kbps, rtol=_SAME_RATE, atol=0.0).any() and rates_kbps is None:
                continue  # the probe itself is offered
            rendition = VideoRendition(
                codec=codec,
                width_px=curve.width_px,
                height_px=curve.height_px,
                target=f"b={kbps:g}k",
                bitrate_kbps=kbps,
                nearest_probes=curve.around(kbps),
                vmaf=curve.vmaf_at(kbps),
            )
            yield curve, rendition, avq[c, r]


def _features(surface: QualitySurface, curve: SizeCurve, kbps: float) -> npt.NDArray[np.float64]:
    """Video features between two probes, for relevance only: linear in the logarithm of the rate."""
    x_v = surface.x_v[curve.index]
    log_kbps = np.log(curve.kbps)
    return np.array([np.interp(np.log(kbps), log_kbps, column) for column in x_v.T])


def find_crossovers(surface: QualitySurface, audio: int, codec: str) -> list[Crossover]:
    """Video rates at which the best size changes, with one audio rendition of a measured surface.

    A size stays at its last AVQ beyond its dearest probe: where its curve merely ends, no other becomes better. A
    change counts once the new size leads by `_LEAD_MOS`; curves that lie on each other do not change places.
    """
    curves = [curve for curve in size_curves(surface) if curve.codec == codec and len(curve.kbps) > 1]
    if not curves:
        return []
    rates = lattice_kbps(min(c.kbps[0] for c in curves), max(c.kbps[-1] for c in curves), 0.1)
    avq = np.stack(
        [
            np.where(rates > c.kbps[-1], c.avq_mos[-1, audio], np.nan_to_num(c.at(rates)[:, audio], nan=-np.inf))
            for c in curves
        ]
    )  # (sizes, R)
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
                    below_px=(curves[current].width_px, curves[current].height_px),
                    above_px=(curves[rival].width_px, curves[rival].height_px),
                )
            )
            current = rival
    return found
