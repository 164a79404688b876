"""What scenes with parameters of their own gain a title, before anything is encoded.

The ladder stands beside the title's ladder of one target per rung, designed under the same rules for the same audience:
expected AVQ, the rate at equal AVQ and at equal VMAF (BD-rate), and the AVQ of the worst scene, as the audience plays
the rungs. What one target gives every scene is read off the same curves as the allocations (`shot_allocation.py`).

A gain within what predictions of rates and AVQ are off by is no reason to encode scene by scene: `ShotGain.pays`.

Axes: S scenes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc import defaults
from abr_alloc.allocation.design_options import DesignOptions
from abr_alloc.allocation.ranges import Avq, AvqDifference, Count, RateDifference, Word
from abr_alloc.allocation.reference import bd_rates_percent
from abr_alloc.allocation.rendition import AudioIdentity
from abr_alloc.allocation.rung import FOOT_MOS, Ladder, Rung
from abr_alloc.allocation.shot_allocation import ShotAllocation, TitleShots
from abr_alloc.allocation.shot_rules import ShotRules
from abr_alloc.allocation.shot_scenes import Shots
from abr_alloc.targets import Target

__all__ = ["LEAST_GAIN_PERCENT", "LimitCost", "ShotGain", "gain_of_shots", "limit_cost"]

LEAST_GAIN_PERCENT = 3.0
"""Rate at equal AVQ that must be saved for it to be worth it, %: predicted rates alone are off by up to 2."""

LEAST_GAIN_MOS = defaults.JND_MOS
"""Or what the worst scene must gain, MOS: what a rung must add to be worth having."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitCost:
    """What a limit on the scenes costs a ladder."""

    limit: Word
    """Which: a field of `ShotRules`."""
    loss_mos: AvqDifference
    """Expected AVQ without it less expected AVQ with it."""
    bd_rate_percent: RateDifference | None = None
    """Rate that it costs at equal AVQ, %; None where the two ladders do not overlap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotGain:
    """A ladder per shot beside the title's ladder of one target per rung, for the same audience and rules."""

    num_shots: Count
    """Scenes that are encoded each by itself."""
    ladder: Ladder
    """The ladder of one target per rung."""
    gain_mos: AvqDifference
    """Expected AVQ of the ladder per shot less that of the other."""
    bd_rate_percent: RateDifference | None = None
    """Mean rate difference at equal AVQ, %; negative is saved; None where the curves do not overlap."""
    bd_rate_vmaf_percent: RateDifference | None = None
    """The same at equal VMAF; None also where VMAF is not known."""
    plain_worst_mos: Avq | None = None
    """AVQ of the worst scene with one target per rung, expected over the audience, MOS; None where scenes lack what
    a rung is interpolated from."""
    worst_mos: Avq
    """AVQ of the worst scene with parameters of their own, likewise."""
    limits: tuple[LimitCost, ...] = ()
    """What the limits on the scenes cost, each beside the same ladder without it."""

    @property
    def pays(self) -> bool:
        """Whether it saves more rate at equal AVQ, or lifts the worst scene by more, than predictions are off by."""
        saved = -(self.bd_rate_percent or 0.0)
        lifted = 0.0 if self.plain_worst_mos is None else self.worst_mos - self.plain_worst_mos
        return self.num_shots > 1 and (
            saved >= LEAST_GAIN_PERCENT
            or self.gain_mos >= LEAST_GAIN_MOS
            or (lifted >= LEAST_GAIN_MOS and saved >= 0.0)
        )


def gain_of_shots(
    ladder: Ladder, plain: Ladder, shots: Shots, options: DesignOptions, limits: tuple[LimitCost, ...] = ()
) -> ShotGain:
    """A ladder per shot beside one of one target per rung.

    Args:
        ladder: its rungs have shots.
        plain: the best ladder without, of the same codecs.
        shots: the scenes of the title.
        options: what was asked of both.
        limits: what limits on the scenes cost.
    """
    at_avq, at_vmaf = bd_rates_percent(plain, ladder)
    worst = _Scenes(shots, plain.rungs[0].video.codec, options.overhead).worst_mos(plain)
    return ShotGain(
        num_shots=len(shots.scenes),
        ladder=plain,
        gain_mos=ladder.expected_avq_mos - plain.expected_avq_mos,
        bd_rate_percent=at_avq,
        bd_rate_vmaf_percent=at_vmaf,
        plain_worst_mos=worst,
        worst_mos=_expected(ladder, [rung.worst_mos for rung in ladder.rungs]),
        limits=limits,
    )


def limit_cost(limit: str, ladder: Ladder, without: Ladder) -> LimitCost:
    """What a limit on the scenes costs a ladder: beside the same without it."""
    return LimitCost(
        limit=limit,
        loss_mos=without.expected_avq_mos - ladder.expected_avq_mos,
        bd_rate_percent=bd_rates_percent(without, ladder)[0],
    )


def _expected(ladder: Ladder, values_mos: list[float]) -> float:
    """What the audience can expect of a quality of the rungs."""
    played = math.fsum(rung.played_share * value for rung, value in zip(ladder.rungs, values_mos, strict=True))
    return FOOT_MOS * ladder.unreached_share + played


class _Scenes:
    """What one target for the whole title gives every scene."""

    def __init__(self, shots: Shots, codec: str, overhead: float) -> None:
        self._shots = shots
        self._title = TitleShots(shots.scenes, codec, overhead=overhead, encoders=shots.encoders)
        self._constant: dict[AudioIdentity, list[ShotAllocation]] = {}

    def worst_mos(self, ladder: Ladder) -> float | None:
        """Expected AVQ of the worst scene; None where it is not known at some rung."""
        worst = [self.at(rung) for rung in ladder.rungs]
        known = [float(own.min()) for own in worst if own is not None]
        return _expected(ladder, known) if len(known) == len(worst) else None

    def at(self, rung: Rung) -> npt.NDArray[np.float64] | None:
        """AVQ of every scene at a rung, (S,): linear in the logarithm of the rate between two values."""
        if len(self._shots.scenes) == 1:
            return np.array([rung.avq_mos])
        if rung.audio.identity not in self._constant:
            self._constant[rung.audio.identity] = self._title.constant(rung.audio.identity, ShotRules(), prove=False)
        video, encoder = rung.video, Target(rung.video.target).encoder
        own = [
            one
            for one in self._constant[rung.audio.identity]
            if (one.encoder, one.width_px, one.height_px) == (encoder, video.width_px, video.height_px)
        ]
        if not own:
            return None
        log_kbps = np.log([one.video_kbps for one in own])
        mos = np.array([one.shots_mos for one in own])
        at = math.log(video.bitrate_kbps)
        return np.array([np.interp(at, log_kbps, mos[:, s]) for s in range(mos.shape[1])])
