"""What scenes with parameters of their own gain a title, before anything is encoded.

The ladder stands beside the title's ladder of one target per rung, designed under the same rules for the same audience:
expected AVQ, and the AVQ of the worst scene as the audience plays the rungs. The rate at equal AVQ and at equal VMAF
(BD-rate) is not taken between the few rungs of the two, which lie apart, but between all that each way offers: the
best allocation at every total rate, beside the best of one value for the whole title, over the AVQ from the lowest
rung to the top one. What one value gives every scene is read off the same curves as the allocations
(`shot_allocation.py`).

A gain within what predictions of rates and AVQ are off by is no reason to encode scene by scene: `ShotGain.pays`.

Axes: S scenes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc import defaults
from abr_alloc.allocation.ranges import Avq, AvqDifference, Count, RateDifference, Word
from abr_alloc.allocation.reference import bd_rate_percent
from abr_alloc.allocation.rung import FOOT_MOS, Ladder, Rung
from abr_alloc.allocation.shot_allocation import ShotAllocation
from abr_alloc.allocation.shot_rules import ShotRules
from abr_alloc.allocation.shots import Shots
from abr_alloc.targets import Target

__all__ = ["LEAST_GAIN_PERCENT", "LimitCost", "ShotGain", "gain_of_shots", "limit_cost"]

LEAST_GAIN_PERCENT = 5.0
"""Rate at equal AVQ that must be saved for it to be worth it, %: what predictions of rates and AVQ may be off by."""

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


def gain_of_shots(ladder: Ladder, plain: Ladder, shots: Shots, rules: ShotRules) -> ShotGain:
    """A ladder per shot beside one of one target per rung.

    Args:
        ladder: its rungs have shots.
        plain: the best ladder without, of the same codecs.
        shots: the scenes of the title, with the allocations that the ladder was chosen from.
        rules: how its rungs may spread their rates.
    """
    codec, within = ladder.rungs[0].video.codec, _reached(ladder)
    audio = {one.audio.identity for one in shots.made(codec, rules)}
    free = ShotRules(pool=rules.pool)
    constant = [one for identity in audio for one in shots.constant(codec, identity, free)]
    at_avq, at_vmaf = _bd_rates_percent(constant, shots.made(codec, rules), within)
    return ShotGain(
        num_shots=len(shots.scenes),
        ladder=plain,
        gain_mos=ladder.expected_avq_mos - plain.expected_avq_mos,
        bd_rate_percent=at_avq,
        bd_rate_vmaf_percent=at_vmaf,
        plain_worst_mos=_plain_worst_mos(plain, shots),
        worst_mos=_expected(ladder, [rung.worst_mos for rung in ladder.rungs]),
    )


def limit_cost(limit: str, ladder: Ladder, without: Ladder, shots: Shots, rules: ShotRules) -> LimitCost:
    """What a limit on the scenes costs a ladder, beside the same without it.

    Args:
        limit: its field in `rules`.
        ladder: the ladder with it.
        without: the ladder without it.
        shots: the scenes of the title, with the allocations that both were chosen from.
        rules: what the ladder keeps.
    """
    codec = ladder.rungs[0].video.codec
    loose, tight = shots.made(codec, rules.without(limit)), shots.made(codec, rules)
    return LimitCost(
        limit=limit,
        loss_mos=without.expected_avq_mos - ladder.expected_avq_mos,
        bd_rate_percent=_bd_rates_percent(loose, tight, _reached(ladder))[0],
    )


def _reached(ladder: Ladder) -> tuple[float, float]:
    """Least and highest pooled AVQ of the rungs, MOS."""
    pooled = [rung.pooled_mos for rung in ladder.rungs]
    return min(pooled), max(pooled)


def _bd_rates_percent(
    anchor: Sequence[ShotAllocation], test: Sequence[ShotAllocation], within_mos: tuple[float, float]
) -> tuple[float | None, float | None]:
    """Bjontegaard's delta rate at equal AVQ and at equal VMAF between the best that either offers at every total rate,
    over the range of AVQ that a ladder covers, %."""
    fronts = [_front(made, within_mos) for made in (anchor, test)]
    rates = [np.array([one.total_kbps for one in front]) for front in fronts]
    mos = [np.array([one.pooled_mos for one in front]) for front in fronts]
    at_avq = bd_rate_percent(rates[0], mos[0], rates[1], mos[1])
    vmaf = [[score for one in front if (score := one.video.vmaf) is not None] for front in fronts]
    if any(len(scores) < len(front) for scores, front in zip(vmaf, fronts, strict=True)):
        return at_avq, None
    return at_avq, bd_rate_percent(rates[0], np.array(vmaf[0]), rates[1], np.array(vmaf[1]))


def _front(made: Sequence[ShotAllocation], within_mos: tuple[float, float]) -> list[ShotAllocation]:
    """Those that nothing cheaper is as good as, by rate; at most one beyond either end of a range."""
    front: list[ShotAllocation] = []
    for one in sorted(made, key=lambda one: (one.total_kbps, -one.pooled_mos)):
        if not front or one.pooled_mos > front[-1].pooled_mos:
            front.append(one)
    mos = [one.pooled_mos for one in front]
    first, last = np.searchsorted(mos, within_mos[0], side="right"), np.searchsorted(mos, within_mos[1])
    return front[max(int(first) - 1, 0) : int(last) + 1]


def _expected(ladder: Ladder, values_mos: list[float]) -> float:
    """What the audience can expect of a quality of the rungs."""
    played = math.fsum(rung.played_share * value for rung, value in zip(ladder.rungs, values_mos, strict=True))
    return FOOT_MOS * ladder.unreached_share + played


def _plain_worst_mos(plain: Ladder, shots: Shots) -> float | None:
    """AVQ of the worst scene that the audience can expect with one target per rung; None where it is not known."""
    worst = [_scenes_at(rung, shots) for rung in plain.rungs]
    known = [float(own.min()) for own in worst if own is not None]
    return _expected(plain, known) if len(known) == len(worst) else None


def _scenes_at(rung: Rung, shots: Shots) -> npt.NDArray[np.float64] | None:
    """AVQ of every scene at a rung of one target, (S,): linear in the logarithm of the rate between two values."""
    if len(shots.scenes) == 1:
        return np.array([rung.avq_mos])
    video, encoder = rung.video, Target(rung.video.target).encoder
    own = [
        one
        for one in shots.constant(video.codec, rung.audio.identity, ShotRules())
        if (one.encoder, one.width_px, one.height_px) == (encoder, video.width_px, video.height_px)
    ]
    if not own:
        return None
    log_kbps, mos = np.log([one.video_kbps for one in own]), np.array([one.shots_mos for one in own])
    at = math.log(video.bitrate_kbps)
    return np.array([np.interp(at, log_kbps, mos[:, s]) for s in range(mos.shape[1])])
