"""What a ladder consists of, whether it keeps the rules, and what an audience can expect of it."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.ladder_rules import (
    LadderRules,
    RungArrays,
    enough_kbps,
    is_played,
    may_follow,
    most_audio,
    rate_allowed,
    size_allowed,
)
from abr_alloc.allocation.preference import preference_probability
from abr_alloc.allocation.ranges import Avq, Price, Px, Share, TotalKbps, Vmaf, Word
from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.models.intervals import interval_around

__all__ = [
    "FOOT_MOS",
    "Ladder",
    "Rung",
    "ScreensAtRung",
    "ShotProof",
    "SurroundAtRung",
    "TitleAtRung",
    "dominator",
    "expected_avq_mos",
    "keeps_rules",
    "make_ladder",
    "pooled_worth",
    "value_mos",
    "with_preferences",
]

Floats = npt.NDArray[np.float64]

_MEAN_PART = 0.01
"""Part of the mean in what a floor is worth."""

FOOT_MOS = 1.0
"""AVQ of a viewer whom no rung reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleAtRung:
    """One title of a catalogue at a rung that all of them share."""

    title: str
    """Title."""
    width_px: Px
    """Width that it plays, pixels."""
    height_px: Px
    """Height that it plays, pixels."""
    avq_mos: Avq
    """Predicted AVQ, MOS."""
    note: str
    """What its AVQ rests on, where that is not plainly a probe or between two."""
    vmaf: Vmaf | None = None
    """VMAF of its video; None where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotProof:
    """How good a rung's allocation over the title's scenes is, with its proof."""

    pool: Word
    """How AVQ is pooled over time: one of `pooling.POOLS`."""
    objective_mos: Avq
    """Pooled AVQ of the allocation."""
    upper_bound_mos: Avq
    """No allocation of the same size, audio and mean rate, within the same limits, pools higher."""
    price_mos_per_kbps: Price
    """What another kbps of mean rate is worth, MOS."""
    peak_kbps: TotalKbps | None = None
    """Largest rate of the video over a window of a segment's length, as predicted, kbps; None where the table does not
    tell."""

    @property
    def gap_mos(self) -> float:
        """Upper bound - objective: how much better an allocation could at most be."""
        return self.upper_bound_mos - self.objective_mos


@dataclass(frozen=True, slots=True, kw_only=True)
class SurroundAtRung:
    """The surround sound of a rung, beside the same video."""

    audio: AudioRendition
    """Audio rendition of 5.1."""
    total_kbps: TotalKbps
    """Video + this audio + overhead, kbps."""
    avq_mos: Avq
    """Predicted AVQ, MOS."""
    interval_mos: tuple[float, float]
    """90 % interval of a listener panel's MOS, 1-5."""
    played_share: Share
    """Share of the audience that plays it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreensAtRung:
    """A rung on either screen, where its AVQ is the mean over an audience that watches on both."""

    tv_mos: Avq
    """Predicted AVQ on a television or monitor, MOS."""
    phone_mos: Avq
    """Predicted AVQ on a phone, MOS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One pair of a ladder."""

    video: VideoRendition
    """Video rendition; its target is what to ask of the encoder."""
    audio: AudioRendition
    """Audio rendition."""
    total_kbps: TotalKbps
    """Video + audio + overhead, kbps."""
    avq_mos: Avq
    """Predicted AVQ, MOS."""
    interval_mos: tuple[float, float]
    """90 % interval of a listener panel's MOS, 1-5."""
    played_share: Share
    """Share of the audience that plays it."""
    note: str = ""
    """What its AVQ rests on, where that is not plainly a probe or between two."""
    titles: tuple[TitleAtRung, ...] = ()
    """What every title comes to, where several share the ladder."""
    preference_over_below: Share | None = None
    """Probability that people rate it higher than the rung below by `preference.NOTICED_MOS`; None for the lowest rung,
    and where the error of the model is not known."""
    shots_mos: tuple[Avq, ...] = ()
    """AVQ of every one of the video's shots beside its audio; empty where it has none."""
    shot_proof: ShotProof | None = None
    """How good its allocation over the scenes is; None where it has none."""
    surround: SurroundAtRung | None = None
    """What it offers to who plays surround; None where all play the same."""
    screens: ScreensAtRung | None = None
    """What it comes to on either screen; None where all watch on one, and of a rung with shots."""

    @property
    def worth_mos(self) -> float:
        """What a ladder is designed for: its AVQ, or that as it is pooled over the title's scenes (`pooled_worth`)."""
        proof = self.shot_proof
        return self.avq_mos if proof is None else pooled_worth(proof.pool, proof.objective_mos, self.avq_mos)

    @property
    def worst_mos(self) -> float:
        """AVQ of its worst scene, where it has shots; else its AVQ."""
        return min(self.shots_mos, default=self.avq_mos)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The rungs of a title."""

    title: str
    """Title, or how many titles share it."""
    rungs: tuple[Rung, ...]
    """By total rate, rising."""
    expected_avq_mos: Avq
    """Expected AVQ of the audience, MOS."""
    unreached_share: Share
    """Share of the audience below the lowest rung; counted as `FOOT_MOS`."""
    network: str
    """The audience."""


def pooled_worth(pool: str, pooled_mos: float, mean_mos: float) -> float:
    """What an allocation over scenes is worth to a ladder, MOS: its pooled AVQ; where that is a floor, which may stand
    still while the scenes above it get better, with a little of the mean."""
    if pool in ("mean", "harmonic"):
        return pooled_mos
    return (1.0 - _MEAN_PART) * pooled_mos + _MEAN_PART * mean_mos


def expected_avq_mos(total_kbps: Floats, avq_mos: Floats, audience: Audience) -> float:
    """Expected AVQ of an audience on rungs by rising total rate, (K,) each."""
    steps = np.diff(avq_mos, prepend=FOOT_MOS)
    return FOOT_MOS + float(steps @ audience.share_with(total_kbps))


def make_ladder(
    title: str,
    rungs: Sequence[tuple[VideoRendition, AudioRendition, float, float, str]],
    audience: Audience,
    interval_mos: tuple[float, float],
) -> Ladder:
    """A ladder from (video, audio, total rate, AVQ, note) by rising total rate."""
    total = np.array([r[2] for r in rungs])
    share = audience.share_with(total)
    played = share - np.append(share[1:], 0.0)
    return Ladder(
        title=title,
        rungs=tuple(
            Rung(
                video=v,
                audio=a,
                total_kbps=t,
                avq_mos=q,
                interval_mos=interval_around(q, interval_mos, is_hdr=v.dynamic_range != "SDR"),
                played_share=float(p),
                note=note,
            )
            for (v, a, t, q, note), p in zip(rungs, played, strict=True)
        ),
        expected_avq_mos=expected_avq_mos(total, np.array([r[3] for r in rungs]), audience),
        unreached_share=float(1.0 - share[0]),
        network=audience.network,
    )


def value_mos(ladder: Ladder) -> float:
    """Expected AVQ of the audience by what its rungs are designed for, MOS."""
    if all(rung.shot_proof is None for rung in ladder.rungs):
        return ladder.expected_avq_mos
    return FOOT_MOS * ladder.unreached_share + math.fsum(r.played_share * r.worth_mos for r in ladder.rungs)


def with_preferences(ladder: Ladder, difference_mos: float) -> Ladder:
    """A ladder whose rungs say how likely people are to rate them higher than the one below.

    Args:
        ladder: the rungs.
        difference_mos: half of the 90 % interval of a predicted difference, MOS; 0 where it is not known.
    """
    if not difference_mos > 0.0:
        return ladder
    above = [
        dataclasses.replace(
            rung, preference_over_below=preference_probability(rung.avq_mos - below.avq_mos, difference_mos)
        )
        for below, rung in itertools.pairwise(ladder.rungs)
    ]
    return dataclasses.replace(ladder, rungs=(ladder.rungs[0], *above))


def keeps_rules(ladder: Ladder, rules: LadderRules, *, most_kbps: float = math.inf) -> bool:
    """Whether a ladder, of whatever origin, keeps what a designed one must (`ladder_rules.py`).

    Args:
        ladder: the rungs.
        rules: what to keep.
        most_kbps: total rate of the cheapest pair that is good enough by the rules, of all that could be offered; the
            ladder's own rungs count in any case.
    """
    layouts = [_layout_of(ladder)]
    if ladder.rungs[0].surround is not None:
        layouts.append(_layout_of(_surround_of(ladder)))
    played = [r.played_share + (0.0 if r.surround is None else r.surround.played_share) for r in ladder.rungs]
    plain = layouts[0]
    most_kbps = min(most_kbps, enough_kbps(plain.total_kbps, plain.avq_mos, rules))
    return bool(
        (plain.total_kbps <= most_kbps).all()
        and is_played(np.array(played), rules).all()
        and all(
            size_allowed(rungs.side_px, rules).all()
            and rate_allowed(rungs.total_kbps, rules).all()
            and may_follow(rungs.at(slice(None, -1)), rungs.at(slice(1, None)), rules).all()
            and (number := len(np.unique(rungs.audio))) <= most_audio(rules, number)
            for rungs in layouts
        )
    )


def _layout_of(ladder: Ladder) -> RungArrays:
    """What the rules look at, of the audio that stands in the rungs."""
    number = {audio: i for i, audio in enumerate(dict.fromkeys(r.audio.identity for r in ladder.rungs))}
    return RungArrays(
        total_kbps=np.array([r.total_kbps for r in ladder.rungs]),
        avq_mos=np.array([r.worth_mos for r in ladder.rungs]),
        video_kbps=np.array([r.video.bitrate_kbps for r in ladder.rungs]),
        audio_kbps=np.array([r.audio.bitrate_kbps for r in ladder.rungs]),
        side_px=np.array([min(r.video.width_px, r.video.height_px) for r in ladder.rungs]),
        audio=np.array([number[r.audio.identity] for r in ladder.rungs]),
    )


def _surround_of(ladder: Ladder) -> Ladder:
    """The rungs with their surround in the place of stereo."""
    beside = [
        dataclasses.replace(rung, audio=of.audio, total_kbps=of.total_kbps, avq_mos=of.avq_mos)
        for rung in ladder.rungs
        if (of := rung.surround) is not None
    ]
    return dataclasses.replace(ladder, rungs=tuple(beside))


def dominator(ladder: Ladder, k: int) -> int | None:
    """Number of the best rung that is as good as rung k (from 0), or better, at no more rate; None where none is.

    Of two that are equal in both the upper is dominated.
    """
    own = ladder.rungs[k]
    better = [
        (-rung.avq_mos, rung.total_kbps, j)
        for j, rung in enumerate(ladder.rungs)
        if (rung.total_kbps <= own.total_kbps and rung.avq_mos >= own.avq_mos)
        and (rung.total_kbps < own.total_kbps or rung.avq_mos > own.avq_mos or j < k)
    ]
    return min(better)[2] + 1 if better else None
