"""What rungs may be where every scene of a title has parameters of its own.

A candidate is an allocation over the scenes beside the audio that it was made for: for every encoder, size and audio
rendition the best one at each mean rate that is offered (`shot_allocation.py`). The programme also looks through what
one value for the whole title comes to within the same rates, on the same curves, and the better of the two ladders is
taken: by the rules on neighbours, one of better rungs is not always there where one of such values is.

The mean rates that are offered are multiples, as of every ladder; a candidate's own rate is what its scenes really come
to, which is at most that. The programme adds up pooled AVQ; where the pool is the mean, that is the AVQ of every rung.
Where it is a floor (`min`, `p5`), that stands still once its scene has all that it can get, and a little of the mean
decides.

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
from abr_alloc.allocation.rung import Ladder, make_ladder, pooled_worth
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
        avq_mos=np.array([pooled_worth(a.proof.pool, a.pooled_mos, a.avq_mos) for a in made]),
        video_kbps=np.array([a.video_kbps for a in made]),
        audio_kbps=np.array([a.audio_kbps for a in made]),
        side_px=np.array([min(a.width_px, a.height_px) for a in made], dtype=np.int64),
        audio=np.array([number[a.audio.identity] for a in made], dtype=np.int64),
    )
    allowed = np.flatnonzero(allowed_rungs(title, rungs, rules))
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


def shot_candidates(
    shots: Shots,
    title: QualitySurface,
    codec: str,
    offered_kbps: Floats,
    audience: Audience,
    options: DesignOptions,
) -> tuple[list[Candidates], int]:
    """What rungs may be: allocations, or one value for the whole title; and how many that was chosen from.

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
        return [pairs], pairs.surface.avq_mos.size
    spread: list[ShotAllocation] = []
    constant: list[ShotAllocation] = []
    for audio in title.audio:
        best = shots.best(codec, audio.identity, rules, offered_kbps)
        spread += best
        constant += _bounded(shots.constant_within(codec, audio.identity, rules), best, free_size=rules.free_size)
    if not spread:
        raise InfeasibleLadderError(
            f"title {title.title!r} has no mean rate that is a multiple of `round_kbps` {options.round_kbps:g}k and "
            "that its scenes can come to; lower `round_kbps`"
        )
    audio_renditions = [a.identity for a in title.audio]
    found: list[Candidates] = []
    refused: list[InfeasibleLadderError] = []
    for made in filter(None, (spread, constant)):
        try:
            found.append(list_allocations(title.title, made, audio_renditions, audience, options.rules))
        except InfeasibleLadderError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    return found, len(spread) + len(constant)


def _bounded(
    constant: Sequence[ShotAllocation], best: Sequence[ShotAllocation], *, free_size: bool
) -> list[ShotAllocation]:
    """Single values for the whole title with a proof: nothing at their rate pools higher than the best at a higher
    rate. Those of a rate above all of the best are left out: they add nothing."""
    found: list[ShotAllocation] = []
    for one in constant:
        above = next((b for b in best if b.video_kbps >= one.video_kbps and _may_stand_for(b, one, free_size)), None)
        if above is not None:
            proof = dataclasses.replace(
                one.proof,
                upper_bound_mos=max(above.proof.upper_bound_mos, one.pooled_mos),
                price_mos_per_kbps=above.proof.price_mos_per_kbps,
            )
            found.append(dataclasses.replace(one, proof=proof))
    return found


def _may_stand_for(best: ShotAllocation, one: ShotAllocation, free_size: bool) -> bool:
    same_size = (best.width_px, best.height_px) == (one.width_px, one.height_px)
    return best.encoder == one.encoder and (free_size or same_size)
