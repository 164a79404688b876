"""What an audit says: of a title, of the rungs between which a player switches, and of every rung."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from abr_alloc import defaults
from abr_alloc.allocation.alternatives import Alternative
from abr_alloc.allocation.cost import LadderCost, Prices, RungCost
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.matching import UnmatchedRung
from abr_alloc.allocation.path import TIE_MOS
from abr_alloc.allocation.rung import Ladder, Rung
from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.arguments import require_number

__all__ = ["AuditOptions", "AuditedRung", "BestAtRate", "LadderAudit", "TitleAudit", "Verdict"]

Verdict = Literal["right", "too much", "too little"]
"""Whether a rung's audio is right for its rate."""


_ROUNDING_MOS = 1e-5  # AVQ is predicted in single precision


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions:
    """What a ladder is held against."""

    rules: LadderRules = field(default_factory=LadderRules)
    """What a redesigned ladder must keep."""
    max_loss_mos: float = TIE_MOS
    """Expected AVQ that rungs may take with them when they are dropped, MOS."""
    round_kbps: float = defaults.ROUND_KBPS
    """Video rates of a redesigned ladder are multiples of this, kbps."""
    overhead: float = defaults.OVERHEAD
    """Container overhead as a share of the streams' rate."""
    prices: Prices | None = None
    """Of storage and delivery; None where costs are not asked for."""

    def __post_init__(self) -> None:
        require_number("max_loss_mos", self.max_loss_mos, 0.0, 4.0)
        require_number("round_kbps", self.round_kbps, 0.0, above=True)
        require_number("overhead", self.overhead, 0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BestAtRate:
    """What the rate of a rung buys at best."""

    video: VideoRendition
    """Video rendition."""
    audio: AudioRendition
    """Audio rendition."""
    total_kbps: float
    """Their total rate with overhead, kbps; no more than the rung's."""
    avq_mos: float
    """Their AVQ, MOS."""
    gain_mos: float
    """Their AVQ less the rung's, MOS; negative where the rung leaves what the table offers and is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedRung:
    """One rung of the ladder."""

    place: str
    """Where it stands in what was given."""
    rung: Rung
    """The pair, its AVQ with interval, and who plays it."""
    how: Literal["measured", "interpolated"]
    """Whether this very video was measured, or lies between two that were."""
    audio_how: Literal["measured", "nearest"]
    """Whether the audio is the one that was given, or the nearest that was measured."""
    audio_share: float
    """I_a / (I_a + I_v) at this pair (paper, Eq. 8), 0-1; video has the rest."""
    dominated_by: int | None
    """Number of a rung that is as good or better at no more rate; None where there is none."""
    step_mos: float | None
    """AVQ of the next rung less its own, MOS; None for the top one."""
    loss_mos: float
    """Expected AVQ that the ladder loses without this rung alone, MOS; negative for a gain."""
    audio_verdict: Verdict
    """Whether its audio is right for its rate."""
    best: BestAtRate
    """What its rate buys at best."""
    muxed: bool = False
    """Whether its two streams lie in one file, so that other audio means to multiplex anew."""
    cost: RungCost | None = None
    """What it costs; None where no prices are given."""

    @property
    def video_share(self) -> float:
        return 1.0 - self.audio_share


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderAudit:
    """A ladder, or the part of one between which a player switches."""

    video_codec: str
    """Video codec of all rungs."""
    audio_codec: str
    """Audio codec of all rungs."""
    channels: int
    """Channels of their audio."""
    rungs: tuple[AuditedRung, ...]
    """By total rate, rising."""
    ladder: Ladder
    """The same as a ladder: expected AVQ, who is not reached."""
    mean_kbps: float
    """What the audience is sent on average, kbps."""
    audio_share: float
    """Audio's share of the title: over the scenes' measured pairs (`Relevance.audio_share`), 0-1."""
    keeps_rules: bool
    """Whether it keeps the rules that a redesigned one keeps."""
    re_paired: Alternative | None
    """Its own encodes, paired otherwise; None where nothing is better."""
    trimmed: Alternative | None
    """Its own encodes, re-paired where that is better, with fewer rungs; None where all are needed."""
    new_audio: Alternative | None
    """Its own videos with other audio that was measured; None where nothing is better."""
    redesigned: Alternative | None
    """As many rungs of any size and rate; None where no ladder keeps the rules."""
    cheapest: Alternative | None
    """At most as many rungs that send least at no less expected AVQ; None where no ladder within the rules gives it."""
    redesigned_reason: str
    """Why that has fewer rungs, or does not exist; empty where it has as many."""
    difference_mos: float
    """What two predictions must differ by for the model to tell them apart, MOS; 0 where it is not known."""
    cost: LadderCost | None = None
    """What it costs; None where no prices are given."""

    @property
    def could_win_mos(self) -> float:
        """The largest gain of all alternatives, MOS; 0 where none gains."""
        ways = (self.re_paired, self.new_audio, self.redesigned)
        return max(0.0, *(way.gain_mos for way in ways if way is not None)) if any(ways) else 0.0

    @property
    def saved_share(self) -> float:
        """The most that could be saved of what is sent, for no less expected AVQ, 0-1."""
        ways = (self.re_paired, self.trimmed, self.new_audio, self.redesigned, self.cheapest)
        mean = [
            way.mean_kbps
            for way in ways
            if way is not None and way.ladder.expected_avq_mos >= self.ladder.expected_avq_mos - _ROUNDING_MOS
        ]
        return max(0.0, 1.0 - min(mean, default=self.mean_kbps) / self.mean_kbps) if self.mean_kbps else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleAudit:
    """What a ladder comes to on a title."""

    title: str
    """Title."""
    ladder: str
    """What the ladder is called."""
    families: tuple[LadderAudit, ...]
    """A ladder per video codec, audio codec and number of channels; a player plays one of them."""
    unmatched: tuple[UnmatchedRung, ...]
    """Rungs that are left out, and why."""
    notes: tuple[str, ...] = ()
    """What to know about how the ladder was read."""

    @property
    def could_win_mos(self) -> float:
        """The largest gain of all families, MOS."""
        return max((family.could_win_mos for family in self.families), default=0.0)
