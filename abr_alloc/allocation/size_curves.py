"""The probes of a scene as curves: what AVQ is over the rate of one encoder at one size.

Axes: V video renditions, A audio renditions, R rates.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.pchip import pchip
from abr_alloc.allocation.ranges import DynamicRange
from abr_alloc.allocation.rendition import VideoIdentity
from abr_alloc.allocation.surface import Probe, QualitySurface, VideoRendition
from abr_alloc.targets import Target

__all__ = ["RATE_STEP", "SAME_RATE", "SizeCurve", "lattice_kbps", "size_curves"]

Floats = npt.NDArray[np.float64]

RATE_STEP = 1.02
"""Ratio of neighbouring rates that are offered: what rounding to them costs is far below the interpolation's error."""

_LOG_STEP = np.log(RATE_STEP)

SAME_RATE = 1e-3
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
    measured: tuple[VideoRendition, ...]
    """The same as renditions."""
    kbps: npt.NDArray[np.float64]
    """Their rates, rising, (R,)."""
    avq_mos: npt.NDArray[np.float64]
    """Their AVQ, (R, A)."""

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The probes as what renditions between them name."""
        return tuple(_probe(video) for video in self.measured)

    @property
    def short_side_px(self) -> int:
        return min(self.width_px, self.height_px)

    @property
    def is_label(self) -> bool:
        """Whether its only probe was there before."""
        return len(self.measured) == 1 and Target(self.measured[0].target).is_label

    def at(self, kbps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """AVQ at rates between the first and the last probe's, (R, A); NaN elsewhere."""
        if len(self.kbps) == 1:
            same = np.isclose(kbps, self.kbps[0], rtol=SAME_RATE, atol=0.0)
            return np.where(same[:, None], self.avq_mos[0], np.nan)
        return pchip(np.log(self.kbps), self.avq_mos, np.log(kbps))

    def vmaf_at(self, kbps: float) -> float | None:
        """VMAF at a rate, held beyond the probes, linear in its logarithm; it decides nothing and stands beside AVQ."""
        scores = [video.vmaf for video in self.measured]
        known = [score for score in scores if score is not None]
        if len(known) < len(scores):
            return None
        return float(np.interp(np.log(kbps), np.log(self.kbps), known))

    def around(self, kbps: float) -> tuple[Probe, Probe]:
        """The probes below and above a rate within the range."""
        above = min(max(int(self.kbps.searchsorted(kbps)), 1), len(self.kbps) - 1)
        return _probe(self.measured[above - 1]), _probe(self.measured[above])

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


def _probe(video: VideoRendition) -> Probe:
    return Probe(target=video.target, bitrate_kbps=video.bitrate_kbps, vmaf=video.vmaf)


def size_curves(surface: QualitySurface, *, labels_apart: bool = True) -> list[SizeCurve]:
    """A curve per encoder and size, sizes rising; of probes with one rate the best is kept.

    Args:
        surface: measured renditions.
        labels_apart: whether what was there before has a curve of its own, a point; else it counts to the codec's usual
            encoder, to tell what a rate is worth and not to encode it.
    """
    groups = _groups(tuple(v.identity for v in surface.video), labels_apart)
    curves = []
    for (codec, width, height, encoder, _), members in groups:
        kept = _of_unlike_rates(surface, members)
        chosen = [surface.video[i] for i in kept]
        curves.append(
            SizeCurve(
                codec=codec,
                encoder=encoder,
                width_px=width,
                height_px=height,
                dynamic_range=chosen[0].dynamic_range,
                index=np.array(kept, dtype=np.intp),
                measured=tuple(chosen),
                kbps=np.array([v.bitrate_kbps for v in chosen]),
                avq_mos=surface.avq_mos[kept].astype(np.float64),
            )
        )
    return curves


@functools.lru_cache(maxsize=1024)
def _groups(
    identities: tuple[VideoIdentity, ...], labels_apart: bool
) -> list[tuple[tuple[str, int, int, str, str], list[int]]]:
    """Video renditions of one encoder and size: codec, width, height, encoder and label, and their places. Scenes of a
    title hold the same renditions, so this is asked again and again; not to be written to."""
    groups: dict[tuple[str, int, int, str, str], list[int]] = {}
    for i, (codec, width, height, target) in enumerate(identities):
        encoder, is_label = _maker(target)
        groups.setdefault((codec, width, height, encoder, target if labels_apart and is_label else ""), []).append(i)
    return sorted(groups.items(), key=lambda g: (g[0][0], g[0][1] * g[0][2], *g[0][3:]))


@functools.lru_cache(maxsize=4096)
def _maker(target: str) -> tuple[str, bool]:
    """The encoder of a target, and whether it is a label."""
    found = Target(target)
    return found.encoder, found.is_label


def _of_unlike_rates(surface: QualitySurface, members: list[int]) -> list[int]:
    """Video renditions by rate, of those of one rate the best."""
    rate = {i: surface.video[i].bitrate_kbps for i in members}
    by_rate = sorted(members, key=rate.__getitem__)
    if all(rate[b] > rate[a] * (1.0 + SAME_RATE) for a, b in itertools.pairwise(by_rate)):
        return by_rate
    mean = dict(zip(members, surface.avq_mos[members].mean(axis=1).tolist(), strict=True))
    by_rate.sort(key=lambda i: (rate[i], -mean[i]))
    kept = [by_rate[0]]
    for i in by_rate[1:]:
        if rate[i] > rate[kept[-1]] * (1.0 + SAME_RATE):
            kept.append(i)
        elif mean[i] > mean[kept[-1]]:
            kept[-1] = i
    return kept


def lattice_kbps(low: float, high: float, round_kbps: float = 1.0) -> npt.NDArray[np.float64]:
    """Rates `RATE_STEP` apart, rounded to a multiple, that lie strictly between two rates: the same for every scene."""
    first, last = np.floor(np.log(max(low, 1.0)) / _LOG_STEP), np.ceil(np.log(high) / _LOG_STEP)
    rates = _lattice(float(first), float(last), round_kbps)
    return rates[rates.searchsorted(low, side="right") : rates.searchsorted(high, side="left")]


@functools.lru_cache(maxsize=4096)
def _lattice(first: float, last: float, round_kbps: float) -> Floats:
    """Rates from one power of `RATE_STEP` to another, rounded, each once; not to be written to."""
    rates = np.unique(np.round(RATE_STEP ** np.arange(first, last + 1) / round_kbps) * round_kbps)
    rates.flags.writeable = False
    return rates
