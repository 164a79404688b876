"""What a ladder consists of, the rules it keeps, and what an audience can expect of it."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc import defaults
from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.path import TIE_MOS
from abr_alloc.allocation.preference import preference_probability
from abr_alloc.allocation.ranges import Avq, Px, Share, TotalKbps, Vmaf
from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.errors import InfeasibleLadderError

__all__ = [
    "FOOT_MOS",
    "RATIO_ROUNDING",
    "Ladder",
    "LadderRules",
    "Rung",
    "TitleAtRung",
    "expected_avq_mos",
    "keeps_rules",
    "make_ladder",
    "with_preferences",
]

Floats = npt.NDArray[np.float64]

FOOT_MOS = 1.0
"""AVQ of a viewer whom no rung reaches."""

RATIO_ROUNDING = 1e-9
"""Rounding that a ratio of rates may carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderRules:
    """What every ladder must keep."""

    max_audio: int | None = defaults.MAX_AUDIO
    """Most distinct audio renditions; None for any number."""
    min_kbps: float = 0.0
    """Least total rate of a rung, kbps."""
    max_kbps: float = math.inf
    """Largest total rate of a rung, kbps."""
    min_ratio: float = defaults.MIN_RATIO
    """Least ratio of the total rates of successive rungs."""
    max_ratio: float = defaults.MAX_RATIO
    """Largest ratio of the total rates of successive rungs."""
    top_avq_mos: float = math.inf
    """Nothing dearer is offered than the cheapest pair that reaches this AVQ."""
    sides_px: tuple[tuple[int, int], ...] = ()
    """Allowed ranges of the short side, pixels, inclusive; empty for all."""
    min_step_mos: float = 0.0
    """What every rung but the lowest must add to the one below it, MOS."""
    min_played_share: float = 0.0
    """Share of the audience that must play every rung."""
    tie_mos: float = TIE_MOS
    """What dearer audio, or a smaller picture, must add at the same total rate to be a candidate, MOS."""

    def __post_init__(self) -> None:
        if self.max_audio is not None and self.max_audio < 1:
            raise InfeasibleLadderError(f"--max-audio {self.max_audio}: a ladder needs one audio rendition at least")
        if self.min_kbps > self.max_kbps:
            raise InfeasibleLadderError(
                f"--min-kbps {self.min_kbps:g}k and --max-kbps {self.max_kbps:g}k contradict each other"
            )
        if not 1.0 < self.min_ratio <= self.max_ratio:
            raise InfeasibleLadderError(
                f"--min-ratio {self.min_ratio:g} and --max-ratio {self.max_ratio:g} contradict each other; "
                "they need 1 < min <= max"
            )


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
    low, high = interval_mos
    return Ladder(
        title=title,
        rungs=tuple(
            Rung(
                video=v,
                audio=a,
                total_kbps=t,
                avq_mos=q,
                interval_mos=(min(max(q + low, 1.0), 5.0), min(max(q + high, 1.0), 5.0)),
                played_share=float(p),
                note=note,
            )
            for (v, a, t, q, note), p in zip(rungs, played, strict=True)
        ),
        expected_avq_mos=expected_avq_mos(total, np.array([r[3] for r in rungs]), audience),
        unreached_share=float(1.0 - share[0]),
        network=audience.network,
    )


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


def keeps_rules(ladder: Ladder, rules: LadderRules) -> bool:
    """Whether a ladder, of whatever origin, keeps what a designed one must."""
    total = np.array([r.total_kbps for r in ladder.rungs])
    ratio = total[1:] / total[:-1]
    sides = [min(r.video.width_px, r.video.height_px) for r in ladder.rungs]
    rising = (
        sides,
        [r.video.bitrate_kbps for r in ladder.rungs],
        [r.audio.bitrate_kbps for r in ladder.rungs],
        [r.avq_mos for r in ladder.rungs],
    )
    return bool(
        (ratio >= rules.min_ratio - RATIO_ROUNDING).all()
        and (ratio <= rules.max_ratio + RATIO_ROUNDING).all()
        and total[0] >= rules.min_kbps
        and total[-1] <= rules.max_kbps
        and all((np.diff(values) >= 0).all() for values in rising)
        and (not rules.sides_px or all(any(a <= s <= b for a, b in rules.sides_px) for s in sides))
        and all(rung.avq_mos < rules.top_avq_mos for rung in ladder.rungs[:-1])
        and all(
            below.audio == above.audio or below.audio.bitrate_kbps < above.audio.bitrate_kbps
            for below, above in itertools.pairwise(ladder.rungs)
        )
        and (rules.max_audio is None or len({r.audio for r in ladder.rungs}) <= rules.max_audio)
    )
