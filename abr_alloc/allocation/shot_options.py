"""What the scenes of a title can be encoded as: for every encoder and size, a lattice of values to ask for.

A scene was probed at a few values (CRF, another quality, a rate). Between its first and its last probe it offers every
value of a lattice that all scenes share, so that one value for the whole title is one of the choices. There

    ln(rate)   is a shape-preserving cubic over the value (PCHIP); over ln(rate asked for) where rates were asked for;
    AVQ        is one over ln(rate), as everywhere between probes (`interpolation.py`). Where rates of a scene do not
               move with the value (black, a still), a rate has no one AVQ: there it is one over the value.

What was there before (its target is a label) cannot be asked for and is no option.

Axes: S scenes, A audio renditions, P options (the sizes one after the other, each with the whole lattice), n probes of
a scene at a size, B half seconds of a scene.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.interpolation import lattice_kbps
from abr_alloc.allocation.pchip import pchip
from abr_alloc.allocation.rendition import AudioIdentity, VideoIdentity, VideoRendition
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.encoders import VideoEncoder
from abr_alloc.targets import QUALITIES, Target

__all__ = ["VALUE_STEP", "ShotOptions", "list_options"]

Floats = npt.NDArray[np.float64]

VALUE_STEP = 0.25
"""Distance of the qualities that are offered: a step moves the rate by about 3 %."""

_NUM_VALUES = 100
"""About how many values of a program's own scale are offered: nobody knows how wide it is."""

_KINDS = (*QUALITIES, "value", "b")

_SAME_RATE = 1e-3
"""Relative difference below which two probes have the same rate."""

_LEAST_KBIT = 1e-6
"""Half seconds without any bit count as this, so that they have a logarithm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotOptions:
    """Options of all scenes of a title with one encoder."""

    codec: str
    """Video codec."""
    encoder: str
    """Name of the encoder in targets; empty for the codec's usual one."""
    kind: str
    """Kind of its targets: `crf`, `cq`, `qp`, `value` or `b`."""
    sizes_px: tuple[tuple[int, int], ...]
    """Width and height of the sizes, rising."""
    size: npt.NDArray[np.intp]
    """Which size an option has, (P,)."""
    value: Floats
    """What is asked for, in the encoder's scale, or kbps, (P,)."""
    audio: tuple[AudioIdentity, ...]
    """The audio renditions that all scenes have."""
    avq_mos: Floats
    """AVQ, MOS, (A, S, P); -inf where a scene does not offer an option."""
    kbps: Floats
    """Video rate, kbps, (S, P); inf where a scene does not offer an option."""
    vmaf: Floats
    """VMAF, (S, P); NaN where it is not known."""
    half_second_kbit: tuple[Floats, ...] | None
    """Sizes over time of every scene, kbit, (P, B) each, NaN where it does not offer an option; None where the table
    does not tell."""

    def of_size(self, size: int) -> npt.NDArray[np.intp]:
        """The options of one size."""
        return np.flatnonzero(self.size == size)

    def target(self, option: int) -> Target:
        """What the encoder is asked for."""
        if self.kind == "b":
            return Target.of_kbps(float(self.value[option]), self.encoder)
        return Target.of_value(self.kind, float(self.value[option]), self.encoder)


@dataclass(frozen=True, slots=True)
class _Probe:
    """One measured rendition of a scene that an encoder can be asked for."""

    row: int
    value: float
    kind: str


def list_options(
    scenes: Sequence[QualitySurface],
    codec: str,
    *,
    encoders: Mapping[str, VideoEncoder] | None = None,
    sides_px: Sequence[tuple[int, int]] = (),
) -> list[ShotOptions]:
    """The options of a title, for every encoder of a codec that was probed.

    Args:
        scenes: measured surfaces of one title, in order.
        codec: video codec.
        encoders: encoders by the names that targets have for them, a codec's usual one by the codec's name.
        sides_px: allowed ranges of the short side, pixels, inclusive; empty for all.
    """
    # (encoder, size) -> scene -> its probes
    found: dict[str, dict[tuple[int, int], list[list[_Probe]]]] = {}
    for s, scene in enumerate(scenes):
        for row, v in enumerate(scene.video):
            read = _read(v.target)
            if v.codec != codec or read is None or not _is_allowed(min(v.width_px, v.height_px), sides_px):
                continue
            name, kind, value = read
            of_size = found.setdefault(name, {}).setdefault((v.width_px, v.height_px), [[] for _ in scenes])
            of_size[s].append(_Probe(row, value, kind))
    made = []
    for name, sizes in sorted(found.items()):
        encoder = (encoders or {}).get(name or codec)
        kind = _usual_kind(sizes, encoder)
        of_kind = {
            size: [sorted((p for p in own if p.kind == kind), key=lambda p: p.value) for own in probes]
            for size, probes in sizes.items()
        }
        made.append(_options(scenes, codec, name, kind, dict(sorted(of_kind.items(), key=_by_area)), encoder))
    return made


@functools.lru_cache(maxsize=4096)
def _read(target: str) -> tuple[str, str, float] | None:
    """Encoder, kind and value of a target; None for what cannot be asked for as it is, or asks for no number."""
    read = Target(target)
    if read.is_label or read.is_lossless or read.kind not in _KINDS:
        return None
    return read.encoder, read.kind, read.kbps if read.is_rate else read.number


def _by_area(item: tuple[tuple[int, int], list[list[_Probe]]]) -> tuple[int, int]:
    return item[0][0] * item[0][1], item[0][0]


def _is_allowed(side_px: int, sides_px: Sequence[tuple[int, int]]) -> bool:
    return not sides_px or any(least <= side_px <= most for least, most in sides_px)


def _usual_kind(sizes: Mapping[tuple[int, int], list[list[_Probe]]], encoder: VideoEncoder | None) -> str:
    """How an encoder was mostly asked: an allocation asks it in one way."""
    number = Counter(p.kind for probes in sizes.values() for own in probes for p in own)
    if encoder is not None and number[encoder.kind]:
        return encoder.kind
    return max(number, key=lambda kind: (number[kind], -_KINDS.index(kind)))


def _lattice(probed: Floats, kind: str, encoder: VideoEncoder | None) -> Floats:
    """Values to offer, rising: steps that the encoder can make, and all probes."""
    low, high = float(probed.min()), float(probed.max())
    if kind == "b":
        return np.unique(np.concatenate([lattice_kbps(low, high), probed]))
    step = VALUE_STEP
    if kind == "value":
        span = max(high - low, 1e-9) / _NUM_VALUES
        step = 10.0 ** math.floor(math.log10(span))
        step = next(step * times for times in (1.0, 2.0, 5.0, 10.0) if step * times >= span * (1.0 - 1e-9))
    values = np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1) * step
    if encoder is not None:
        values = np.array([encoder.nearest_value(kind, v) for v in values.tolist()])
    values = np.round(values, 9)
    return np.unique(np.concatenate([values[(values >= low) & (values <= high)], probed]))


def _options(
    scenes: Sequence[QualitySurface],
    codec: str,
    name: str,
    kind: str,
    sizes: Mapping[tuple[int, int], list[list[_Probe]]],
    encoder: VideoEncoder | None,
) -> ShotOptions:
    probed = np.unique([p.value for probes in sizes.values() for own in probes for p in own])
    lattice = _lattice(probed, kind, encoder)
    audio = [a.identity for a in scenes[0].audio]
    audio = [key for key in audio if all(key in {a.identity for a in scene.audio} for scene in scenes[1:])]
    shape = len(scenes), len(sizes) * len(lattice)
    avq, kbps = np.full((len(audio), *shape), -np.inf), np.full(shape, np.inf)
    vmaf = np.full(shape, np.nan)
    half_second_kbit: list[Floats] | None = []
    for s, scene in enumerate(scenes):
        columns = [[a.identity for a in scene.audio].index(key) for key in audio]
        mos = scene.avq_mos[:, columns].astype(np.float64)
        num_bins = max(map(len, (scene.half_second_kbit or {}).values()), default=0)
        sizes_over_time = np.full((shape[1], num_bins), np.nan)
        for z, probes in enumerate(sizes.values()):
            if not probes[s]:
                continue
            value, row = np.array([p.value for p in probes[s]]), [p.row for p in probes[s]]
            rows = [scene.video[r] for r in row]
            measured = np.array([v.bitrate_kbps for v in rows])
            inside = np.flatnonzero((lattice >= value[0]) & (lattice <= value[-1]))
            at, own = lattice[inside], z * len(lattice) + inside
            kbps[s, own], avq[:, s, own], vmaf[s, own] = _between(value, measured, mos[row], rows, at, kind)
            sizes_over_time[own] = _sizes_over_time(scene, [v.identity for v in rows], value, at, kbps[s, own])
        # Every option of the scene must say how its size is spread over time, or none does.
        told = num_bins > 0 and np.isfinite(sizes_over_time[np.isfinite(kbps[s])]).all()
        half_second_kbit = [*half_second_kbit, sizes_over_time] if told and half_second_kbit is not None else None
    return ShotOptions(
        codec=codec,
        encoder=name,
        kind=kind,
        sizes_px=tuple(sizes),
        size=np.repeat(np.arange(len(sizes)), len(lattice)),
        value=np.tile(lattice, len(sizes)),
        audio=tuple(audio),
        avq_mos=avq,
        kbps=kbps,
        vmaf=vmaf,
        half_second_kbit=None if half_second_kbit is None else tuple(half_second_kbit),
    )


def _between(
    value: Floats, kbps: Floats, mos: Floats, rows: Sequence[VideoRendition], at: Floats, kind: str
) -> tuple[Floats, Floats, Floats]:
    """Rate (R,), AVQ (A, R) and VMAF (R,) at values between a scene's probes, (n,) each; `mos` (n, A)."""
    known = np.array([np.nan if v.vmaf is None else v.vmaf for v in rows])
    if len(value) == 1:
        return np.full(len(at), kbps[0]), np.repeat(mos[0][:, None], len(at), axis=1), np.full(len(at), known[0])
    x, x_at = (np.log(value), np.log(at)) if kind == "b" else (value, at)
    x_at = np.clip(x_at, x[0], x[-1])  # the logarithm of an end may round past it
    log_kbps = np.log(kbps)
    log_at = np.clip(pchip(x, log_kbps[:, None], x_at)[:, 0], log_kbps.min(), log_kbps.max())
    rising = np.argsort(log_kbps, kind="stable")
    steps = np.diff(log_kbps)
    if (steps > _SAME_RATE).all() or (steps < -_SAME_RATE).all():
        x, x_at = log_kbps[rising], log_at
        mos, known = mos[rising], known[rising]
    return np.exp(log_at), pchip(x, mos, x_at).T, np.interp(x_at, x, known)


def _sizes_over_time(
    scene: QualitySurface, identities: Sequence[VideoIdentity], value: Floats, at: Floats, kbps: Floats
) -> Floats:
    """Sizes of the half seconds, kbit, (R, B): logarithms linear between two probes, then scaled to the option's rate.
    NaN where some probe does not say."""
    told = scene.half_second_kbit or {}
    num_bins = max(map(len, told.values()), default=0)
    if any(identity not in told or len(told[identity]) != num_bins for identity in identities):
        return np.full((len(at), num_bins), np.nan)
    log_kbit = np.log(np.maximum([told[i] for i in identities], _LEAST_KBIT))  # (n, B)
    if len(value) == 1:
        shape = np.repeat(np.exp(log_kbit), len(at), axis=0)
    else:
        below = np.clip(np.searchsorted(value, at, side="right") - 1, 0, len(value) - 2)
        past = ((at - value[below]) / (value[below + 1] - value[below]))[:, None]
        shape = np.exp((1.0 - past) * log_kbit[below] + past * log_kbit[below + 1])
    found: Floats = shape * (kbps * scene.duration_s / shape.sum(axis=1))[:, None]
    return found
