"""Which pairs of a title may be rungs of its ladder.

Besides what the rules name, an engineer would not sign a rung that pays for audio which hardly adds anything, nor one
with a small picture where a larger one is as good. So at every total rate T, with best(T) the highest AVQ that T buys:

- a pair is no candidate where T buys `best(T) - tie_mos` as a candidate with cheaper audio;
- nor where T buys that as a candidate with the same audio and a larger picture.

As one that is left out always leaves a candidate behind, this costs at most `tie_mos` at any rate.

Axes: n pairs, by total rate; A audio renditions, S sizes.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.ladder_rules import (
    RATIO_ROUNDING,
    LadderRules,
    RungArrays,
    enough_kbps,
    most_audio,
    rate_allowed,
    size_allowed,
)
from abr_alloc.allocation.rung import Ladder, make_ladder
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.errors import InfeasibleLadderError

__all__ = ["Candidates", "SurfacePairs", "allowed_pairs", "allowed_rungs", "list_candidates"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates(ABC):
    """Pairs that a rung may be, by total rate."""

    title: str
    """The title, for messages."""
    audience: Audience
    """Who plays it."""
    video: npt.NDArray[np.intp]
    """Which video rendition it is: equal numbers for equal renditions, (n,)."""
    rungs: RungArrays
    """What the rules look at, (n,)."""
    num_audio: int
    """Audio renditions of the title."""

    @property
    def share(self) -> Floats:
        """Share of the audience with the bandwidth for it, (n,)."""
        return self.audience.share_with(self.rungs.total_kbps)

    def most_audio(self, rules: LadderRules) -> int:
        """The most audio renditions of a ladder."""
        return most_audio(rules, self.num_audio)

    @abstractmethod
    def ladder_of(self, chosen: Sequence[int], interval_mos: tuple[float, float]) -> Ladder:
        """The ladder of some candidates, by rising total rate; `interval_mos` is added to their AVQ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfacePairs(Candidates):
    """Pairs of a surface."""

    surface: QualitySurface
    """Of the whole title; `video` and `rungs.audio` are places in it."""

    def ladder_of(self, chosen: Sequence[int], interval_mos: tuple[float, float]) -> Ladder:
        rungs = [
            (
                self.surface.video[self.video[j]],
                self.surface.audio[self.rungs.audio[j]],
                float(self.rungs.total_kbps[j]),
                float(self.rungs.avq_mos[j]),
                "",
            )
            for j in chosen
        ]
        return make_ladder(self.surface.title, rungs, self.audience, interval_mos)


def list_candidates(surface: QualitySurface, audience: Audience, rules: LadderRules) -> SurfacePairs:
    """The pairs of a title that may be rungs.

    Raises:
        InfeasibleLadderError: none may.
    """
    total, allowed = surface.total_kbps, allowed_pairs(surface, rules)
    video, audio = np.nonzero(allowed)
    order = np.lexsort((audio, video, total[video, audio]))
    places = video[order] * len(surface.audio) + audio[order]
    return SurfacePairs(
        title=surface.title,
        audience=audience,
        video=video[order],
        rungs=_pairs(surface).at(places),
        num_audio=len(surface.audio),
        surface=surface,
    )


def allowed_pairs(surface: QualitySurface, rules: LadderRules) -> Bools:
    """Which pairs of a surface may be rungs, (V, A).

    Raises:
        InfeasibleLadderError: none may.
    """
    return allowed_rungs(surface.title, _pairs(surface), rules).reshape(surface.total_kbps.shape)


def _pairs(surface: QualitySurface) -> RungArrays:
    """All pairs of a surface, (V A,)."""
    num_video, num_audio = surface.total_kbps.shape
    return RungArrays(
        total_kbps=surface.total_kbps.ravel(),
        avq_mos=surface.avq_mos.ravel().astype(np.float64),
        video_kbps=np.repeat(surface.video_kbps, num_audio),
        audio_kbps=np.tile([a.bitrate_kbps for a in surface.audio], num_video),
        side_px=np.repeat(surface.video_side_px, num_audio),
        audio=np.tile(np.arange(num_audio), num_video),
    )


def allowed_rungs(title: str, rungs: RungArrays, rules: LadderRules) -> Bools:
    """Which of all that a title offers may be rungs, (N,), in any order.

    Raises:
        InfeasibleLadderError: none may.
    """
    sized = size_allowed(rungs.side_px, rules)
    if not sized.any():
        have = ", ".join(f"{s}p" for s in np.unique(rungs.side_px).tolist())
        raise InfeasibleLadderError(f"title {title!r} has none of the sizes asked for with `sides_px`, only {have}")
    total = rungs.total_kbps
    allowed = sized & rate_allowed(total, rules)
    if not allowed.any():
        asked = [f"`min_kbps` {rules.min_kbps:g}k"] if rules.min_kbps > 0.0 else []
        asked += [f"`max_kbps` {rules.max_kbps:g}k"] if rules.max_kbps < math.inf else []
        raise InfeasibleLadderError(
            f"title {title!r} has no pair within {' and '.join(asked)}; its pairs take "
            f"{total[sized].min():.0f}k to {total[sized].max():.0f}k"
        )
    if rules.tie_mos > 0.0:
        allowed[allowed] = _worth_their_rate(rungs.at(allowed), rules.tie_mos)
    allowed &= total <= enough_kbps(total[allowed], rungs.avq_mos[allowed], rules)
    return allowed


def _worth_their_rate(rungs: RungArrays, tie_mos: float) -> Bools:
    """All but those whose money buys as much with cheaper audio, or with a larger picture, (N,)."""
    numbers, audio = np.unique(rungs.audio, return_inverse=True)
    rate = np.zeros(len(numbers))
    rate[audio] = rungs.audio_kbps
    sizes, size = np.unique(rungs.side_px, return_inverse=True)
    order = np.lexsort((-size, rungs.audio_kbps, rungs.total_kbps))
    total, avq = rungs.total_kbps[order], rungs.avq_mos[order]
    # What the money for a pair buys at best, (N,).
    last = np.searchsorted(total, total * (1.0 + RATIO_ROUNDING), side="right") - 1
    wanted = np.maximum.accumulate(avq)[last] - tie_mos

    # Candidates so far, in plain numbers, as there are few renditions and thousands of pairs: the highest AVQ with
    # cheaper audio, and with the same audio and a larger picture.
    dearer = [np.flatnonzero(rate > kbps).tolist() for kbps in rate]
    with_cheaper = [-math.inf] * len(rate)
    with_larger = [[-math.inf] * len(sizes) for _ in rate]
    found = np.zeros(len(order), dtype=np.bool_)
    columns = (values[order].tolist() for values in (audio, size))
    for place, q, enough, a, s in zip(order.tolist(), avq.tolist(), wanted.tolist(), *columns, strict=True):
        larger = with_larger[a]
        if with_cheaper[a] >= enough or larger[s] >= enough:
            continue
        for other in dearer[a]:
            with_cheaper[other] = max(with_cheaper[other], q)
        for smaller in range(s):
            larger[smaller] = max(larger[smaller], q)
        found[place] = True
    return found
