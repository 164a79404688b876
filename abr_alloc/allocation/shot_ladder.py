"""What rungs may be where every scene of a title has parameters of its own.

A candidate is an allocation over the scenes beside the audio that it was made for: for every encoder, size and audio
rendition the best one at each mean rate that is offered (`shot_allocation.py`). Beside each stands what one value for
the whole title comes to within the same rate, on the same curves. So whatever ladder of one value per rung keeps the
rules is among those that the programme looks through, and none is better than what it finds.

The mean rates that are offered are multiples, as of every ladder; a candidate's own rate is what its scenes really come
to, which is at most that. The programme adds up pooled AVQ; where the pool is the mean, that is the AVQ of every rung.

A title of one scene has nothing to spread (`one_shot.py`).

Axes: S scenes, n candidates by total rate.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.candidates import Candidates, allowed_rungs
from abr_alloc.allocation.design_options import DesignOptions
from abr_alloc.allocation.ladder_rules import LadderRules, RungArrays
from abr_alloc.allocation.one_shot import is_exact, one_shot_pairs
from abr_alloc.allocation.rendition import AudioIdentity
from abr_alloc.allocation.rung import Ladder, make_ladder
from abr_alloc.allocation.shot_allocation import ShotAllocation
from abr_alloc.allocation.shots import Shots
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.errors import InfeasibleLadderError

__all__ = ["Allocations", "list_allocations", "shot_candidates"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocations(Candidates):
    """Allocations over the scenes of a title."""

    made: tuple[ShotAllocation, ...]
    """One for every candidate, (n,)."""

    def ladder_of(self, chosen: Sequence[int], interval_mos: tuple[float, float]) -> Ladder:
        own = [dataclasses.replace(self.made[j], constant=False) for j in chosen]
        ladder = make_ladder(
            self.title, [(a.video, a.audio, a.total_kbps, a.avq_mos, "") for a in own], self.audience, interval_mos
        )
        rungs = [
            dataclasses.replace(rung, shots_mos=a.shots_mos, shot_proof=a.proof)
            for rung, a in zip(ladder.rungs, own, strict=True)
        ]
        return dataclasses.replace(ladder, rungs=tuple(rungs))


def list_allocations(
    title: str, made: Sequence[ShotAllocation], audio: Sequence[AudioIdentity], audience: Audience, rules: LadderRules
) -> Allocations:
    """The allocations of a title that may be rungs.

    Args:
        title: for messages.
        made: allocations beside any of the audio renditions.
        audio: the audio renditions of the title.
        audience: who plays it.
        rules: what every ladder must keep.

    Raises:
        InfeasibleLadderError: none may.
    """
    number = {identity: i for i, identity in enumerate(audio)}
    rungs = RungArrays(
        total_kbps=np.array([a.total_kbps for a in made]),
        avq_mos=np.array([a.pooled_mos for a in made]),
        video_kbps=np.array([a.video_kbps for a in made]),
        audio_kbps=np.array([a.audio_kbps for a in made]),
        side_px=np.array([min(a.width_px, a.height_px) for a in made], dtype=np.int64),
        audio=np.array([number[a.audio.identity] for a in made], dtype=np.int64),
    )
    mask = allowed_rungs(title, rungs, rules)
    constant = np.array([one.constant for one in made])
    for i in np.flatnonzero(mask & constant).tolist():
        mask[_as_good(rungs, ~constant, i)] = True
    allowed = np.flatnonzero(mask)
    kept = allowed[np.lexsort((rungs.audio[allowed], rungs.total_kbps[allowed]))].tolist()
    videos: dict[tuple[str, int, int, float], int] = {}  # of one size, no two come to the same rate by chance
    keys = [(a.encoder, a.width_px, a.height_px, a.video_kbps) for a in (made[i] for i in kept)]
    return Allocations(
        title=title,
        audience=audience,
        video=np.array([videos.setdefault(key, len(videos)) for key in keys], dtype=np.intp),
        rungs=rungs.at(kept),
        num_audio=len(audio),
        made=tuple(made[i] for i in kept),
    )


def _as_good(rungs: RungArrays, best: npt.NDArray[np.bool_], i: int) -> npt.NDArray[np.intp]:
    """The best allocation beside the same audio, of the same size and no dearer than one value for the whole title:
    where that may be a rung, so may this."""
    own = np.flatnonzero(
        best
        & (rungs.audio == rungs.audio[i])
        & (rungs.side_px == rungs.side_px[i])
        & (rungs.total_kbps <= rungs.total_kbps[i])
        & (rungs.avq_mos >= rungs.avq_mos[i])
    )
    return own[[int(rungs.avq_mos[own].argmax())]] if len(own) else own


def shot_candidates(
    shots: Shots,
    title: QualitySurface,
    codec: str,
    offered_kbps: Floats,
    audience: Audience,
    options: DesignOptions,
) -> tuple[Candidates, int]:
    """What rungs may be, and how many allocations that was chosen from.

    Args:
        shots: the scenes of a title, as they were measured, and who encodes them.
        title: the same as one surface, with the codecs of the ladder and the audio that is worth having.
        codec: video codec.
        offered_kbps: mean video rates to offer, rising.
        audience: who plays it.
        options: what is asked of the ladder; `shots` is not None.

    Raises:
        InfeasibleLadderError: no allocation keeps the rules.
        FeatureTableError: nothing can be asked for; `peak_kbps` is, and the table does not hold what it takes.
    """
    rules = options.shots
    assert rules is not None
    if len(shots.scenes) == 1 and rules.peak_kbps == math.inf and is_exact(title, shots.encoders):
        pairs = one_shot_pairs(title, offered_kbps, audience, options, shots.encoders)
        return pairs, pairs.surface.avq_mos.size
    made: list[ShotAllocation] = []
    for audio in title.audio:
        best = shots.best(codec, audio.identity, rules, offered_kbps)
        made += best + _within(shots.constant(codec, audio.identity, rules), best, offered_kbps)
    if not made:
        raise InfeasibleLadderError(
            f"title {title.title!r} has no mean rate that is a multiple of `round_kbps` {options.round_kbps:g}k and "
            "that its scenes can come to; lower `round_kbps`"
        )
    audio_renditions = [a.identity for a in title.audio]
    return list_allocations(title.title, made, audio_renditions, audience, options.rules), len(made)


def _within(
    constant: Sequence[ShotAllocation], best: Sequence[ShotAllocation], offered_kbps: Floats
) -> list[ShotAllocation]:
    """The dearest of one size within every rate that is offered, where the best allocations leave it any use.

    None of its rate pools higher than the best at a higher one, which is its bound.
    """
    found: list[ShotAllocation] = []
    for key in dict.fromkeys(_size(one) for one in constant):
        own, better = [one for one in constant if _size(one) == key], [one for one in best if _size(one) == key]
        rates = np.array([one.video_kbps for one in own])
        last = np.unique(np.searchsorted(rates, offered_kbps, side="right") - 1)
        above = np.searchsorted([one.video_kbps for one in better], rates)
        for i in last[last >= 0].tolist():
            if above[i] < len(better) and better[above[i]].video_kbps > rates[i]:
                proof = better[above[i]].proof
                bounded = dataclasses.replace(
                    own[i].proof,
                    upper_bound_mos=max(proof.upper_bound_mos, own[i].pooled_mos),
                    price_mos_per_kbps=proof.price_mos_per_kbps,
                )
                found.append(dataclasses.replace(own[i], proof=bounded))
    return found


def _size(one: ShotAllocation) -> tuple[str, int, int]:
    return one.encoder, one.width_px, one.height_px
