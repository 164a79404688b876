"""A ladder per shot of a title of one scene: the ordinary ladder, with the values that its rates lie at.

One scene has nothing to spread over, so its pairs and its rungs are those of `ladder.py`; a rung says besides what
value its encoder is asked for: where ln(rate) over the value, a shape-preserving cubic through the probes as in
`shot_options.py`, comes to the rung's rate.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.candidates import SurfacePairs, list_candidates
from abr_alloc.allocation.design_options import DesignOptions
from abr_alloc.allocation.interpolation import SizeCurve, interpolate, size_curves
from abr_alloc.allocation.pchip import pchip
from abr_alloc.allocation.rendition import Shot, VideoRendition
from abr_alloc.allocation.rung import Ladder, Rung, ShotProof
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.encoders import VideoEncoder
from abr_alloc.targets import QUALITIES, Target

__all__ = ["OneShot", "is_exact", "one_shot_pairs"]

Floats = npt.NDArray[np.float64]

_FINE_STEP = 0.05
"""Distance of the values of an encoder up to which a rate between two is as good as reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShot(SurfacePairs):
    """Pairs of a title that is one scene: rungs say what value their rate lies at."""

    curves: tuple[SizeCurve, ...]
    """Of the title, by size."""
    encoders: Mapping[str, VideoEncoder]
    """By the names that targets have for them, a codec's usual one by the codec's name."""
    overhead: float
    """Container overhead as a share of the streams' rate."""
    pool: str
    """How AVQ is pooled over time: of one scene it is the scene's."""

    def ladder_of(self, chosen: Sequence[int], interval_mos: tuple[float, float]) -> Ladder:
        ladder = SurfacePairs.ladder_of(self, chosen, interval_mos)
        return dataclasses.replace(ladder, rungs=tuple(self._with_shot(rung) for rung in ladder.rungs))

    def _with_shot(self, rung: Rung) -> Rung:
        v, size = rung.video, (rung.video.width_px, rung.video.height_px)
        name = Target(v.target).encoder
        curve = next(c for c in self.curves if c.encoder == name and (c.width_px, c.height_px) == size)
        shot = Shot(
            start_s=self.surface.start_s,
            end_s=self.surface.end_s,
            width_px=v.width_px,
            height_px=v.height_px,
            target=_asked_at(curve, v, self.encoders.get(name or v.codec)),
            bitrate_kbps=v.bitrate_kbps,
            vmaf=v.vmaf,
        )
        audio = self.surface.audio.index(rung.audio)
        proof = ShotProof(
            pool=self.pool,
            objective_mos=rung.avq_mos,
            upper_bound_mos=rung.avq_mos,
            price_mos_per_kbps=_slope(curve, audio, v.bitrate_kbps) / (1.0 + self.overhead),
        )
        target = str(Target.of_kbps(v.bitrate_kbps, name))
        video = dataclasses.replace(v, target=target, nearest_probes=(), shots=(shot,))
        return dataclasses.replace(rung, video=video, shots_mos=(rung.avq_mos,), shot_proof=proof)


def is_exact(title: QualitySurface, encoders: Mapping[str, VideoEncoder]) -> bool:
    """Whether the encoders can be asked for any rate, or for values so close that any rate is reached."""
    asked = {(v.codec, t.encoder, t.kind) for v in title.video for t in [Target(v.target)] if t.kind in QUALITIES}
    for codec, name, kind in asked:
        encoder = encoders.get(name or codec)
        if encoder is not None:
            low, high = encoder.value_range(kind)
            middle = math.floor((low + high) / 2.0) + 0.5
            if abs(encoder.nearest_value(kind, middle) - middle) > _FINE_STEP:
                return False
    return not any(Target(v.target).kind == "value" for v in title.video)


def one_shot_pairs(
    title: QualitySurface,
    offered_kbps: Floats,
    audience: Audience,
    options: DesignOptions,
    encoders: Mapping[str, VideoEncoder],
) -> OneShot:
    """The pairs that may be rungs of a title of one scene.

    Args:
        title: the scene.
        offered_kbps: video rates to offer, rising.
        audience: who plays it.
        options: what is asked of the ladder; `shots` is not None.
        encoders: encoders by the names that targets have for them, a codec's usual one by the codec's name.

    Raises:
        InfeasibleLadderError: none may.
    """
    asked = [i for i, v in enumerate(title.video) if not Target(v.target).is_label]
    own = dataclasses.replace(
        title,
        video=tuple(title.video[i] for i in asked),
        avq_mos=title.avq_mos[asked],
        total_kbps=title.total_kbps[asked],
        x_v=title.x_v[asked],
    )
    assert options.shots is not None
    most_kbps = min(options.rules.max_kbps, options.shots.max_rate_kbps)
    rules = dataclasses.replace(options.rules, max_kbps=most_kbps)
    surface = interpolate(own, overhead=options.overhead, rates_kbps=offered_kbps, keep_probes=False, every_size=True)
    pairs = list_candidates(surface, audience, rules)
    return OneShot(
        title=pairs.title,
        audience=audience,
        video=pairs.video,
        rungs=pairs.rungs,
        num_audio=pairs.num_audio,
        surface=surface,
        curves=tuple(size_curves(own)),
        encoders=encoders,
        overhead=options.overhead,
        pool=options.shots.pool,
    )


def _asked_at(curve: SizeCurve, v: VideoRendition, encoder: VideoEncoder | None) -> str:
    """What the encoder is asked for at a rate between two probes: the value where ln(rate) over it, a shape-preserving
    cubic through the probes, comes to the rate."""
    if not v.nearest_probes:
        return v.target
    kinds = {Target(probe.target).kind for probe in curve.probes}
    if len(kinds) > 1 or kinds == {"b"}:
        return str(Target.of_kbps(v.bitrate_kbps, curve.encoder))
    (kind,) = kinds
    value = np.array([Target(probe.target).number for probe in curve.probes])
    order = np.argsort(value)
    x, log_kbps = value[order], np.log(curve.kbps)[order]
    low, high = sorted(Target(probe.target).number for probe in v.nearest_probes)
    falls = bool(log_kbps[0] > log_kbps[-1])
    for _ in range(60):
        middle = (low + high) / 2.0
        dear = float(pchip(x, log_kbps[:, None], np.array([middle]))[0, 0]) > math.log(v.bitrate_kbps)
        low, high = (middle, high) if dear == falls else (low, middle)
    asked = (low + high) / 2.0 if encoder is None else encoder.nearest_value(kind, (low + high) / 2.0)
    return str(Target.of_value(kind, round(asked, 4), curve.encoder))


def _slope(curve: SizeCurve, audio: int, kbps: float) -> float:
    """What another kbps of video is worth at a rate, MOS."""
    if len(curve.kbps) == 1:
        return 0.0
    low, high = max(kbps * 0.999, float(curve.kbps[0])), min(kbps * 1.001, float(curve.kbps[-1]))
    below, above = curve.at(np.array([low, high]))[:, audio].tolist()
    return max(float(above - below) / (high - low), 0.0)
