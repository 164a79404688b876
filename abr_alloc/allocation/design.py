"""From surfaces to ladders: one per title, or one for all of them (`title_ladder.py`).

Where scenes have parameters of their own, the ladder also stands beside the title's ladder of one target per rung, and
beside the one that a limit on the scenes would allow if it were not there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterable, Mapping

from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.design_options import DesignOptions
from abr_alloc.allocation.reference import ReferenceLadder
from abr_alloc.allocation.rung import Ladder
from abr_alloc.allocation.shot_gain import LimitCost, gain_of_shots, limit_cost
from abr_alloc.allocation.shot_rules import LIMITS
from abr_alloc.allocation.shot_scenes import shot_scenes
from abr_alloc.allocation.shots import Shots
from abr_alloc.allocation.surface import QualitySurface, by_title
from abr_alloc.allocation.surround_ladder import best_with_surround
from abr_alloc.allocation.title_ladder import TitleLadder, best_codecs, of_codecs
from abr_alloc.allocation.title_surface import merge_scenes
from abr_alloc.encoders import VideoEncoder
from abr_alloc.errors import ArgumentError, InfeasibleLadderError

__all__ = ["DesignOptions", "TitleLadder", "design_catalogue", "design_titles"]


def design_titles(
    surfaces: Iterable[QualitySurface],
    audience: Audience,
    options: DesignOptions | None = None,
    reference: ReferenceLadder | None = None,
    *,
    encoders: Mapping[str, VideoEncoder] | None = None,
) -> list[TitleLadder]:
    """A ladder per title. Surfaces of one title come one after the other.

    With a reference, its video codec is taken.

    Args:
        surfaces: of all scenes; with surround where it is asked for (`layouts.build_layouts`).
        audience: who plays them.
        options: what is asked of the ladders.
        reference: a fixed ladder to hold them against.
        encoders: encoders by the names that targets have for them, a codec's usual one by the codec's name; where
            scenes have parameters of their own they say which values may be asked for.

    Raises:
        InfeasibleLadderError: a title has no ladder that keeps the rules; or one per shot is asked of a digest.
        FeatureTableError: the scenes of a title share no rendition, or none of the reference's codec.
    """
    options = options or DesignOptions()
    if options.surround_share is not None:
        return [best_with_surround(merge_scenes(own), audience, options, reference) for own in by_title(surfaces)]
    if options.shots is None:
        return [best_codecs([merge_scenes(own)], audience, options, reference) for own in by_title(surfaces)]
    return [
        _per_shot(Shots(shot_scenes(own), encoders or {}, options), audience, options, reference)
        for own in by_title(surfaces)
    ]


def design_catalogue(
    surfaces: Iterable[QualitySurface],
    audience: Audience,
    options: DesignOptions | None = None,
    reference: ReferenceLadder | None = None,
) -> TitleLadder:
    """One ladder for all titles, each with the same weight. Surfaces of one title come one after the other.

    Raises:
        ArgumentError: a ladder per shot is asked for, which is of one title.
        InfeasibleLadderError: no ladder keeps the rules.
        FeatureTableError: the titles share no codec, audio rendition, or size and rate.
    """
    options = options or DesignOptions()
    if options.shots is not None:
        raise ArgumentError("`shared` and `shots` exclude each other: scenes are those of one title; give one of them")
    if options.surround_share is not None:
        raise ArgumentError("`shared` and `surround_share` exclude each other: surround is chosen per title; give one")
    titles = [merge_scenes(scenes) for scenes in by_title(surfaces)]
    return best_codecs(titles, audience, options, reference)


def _per_shot(
    shots: Shots, audience: Audience, options: DesignOptions, reference: ReferenceLadder | None
) -> TitleLadder:
    """The ladder of a title whose scenes have parameters of their own, and what that is good for."""
    assert options.shots is not None
    title = merge_scenes(shots.scenes)
    found = best_codecs([title], audience, options, reference, shots)
    found = dataclasses.replace(found, ladder=shots.proven(found.ladder, options.shots))
    own = _of_ladder(title, found.ladder, options)
    with contextlib.suppress(InfeasibleLadderError):
        plain = best_codecs([own], audience, dataclasses.replace(options, shots=None), None).ladder
        gain = gain_of_shots(found.ladder, plain, shots, options.shots)
        limits = [_cost_of(name, found.ladder, own, shots, audience, options) for name in LIMITS]
        gain = dataclasses.replace(gain, limits=tuple(cost for cost in limits if cost is not None))
        found = dataclasses.replace(found, shot_gain=gain)
    return found


def _of_ladder(title: QualitySurface, ladder: Ladder, options: DesignOptions) -> QualitySurface:
    """The title with the codecs of a ladder."""
    audio = {a.codec for a in title.audio} if options.mix_audio else {r.audio.codec for r in ladder.rungs}
    return of_codecs(title, ladder.rungs[0].video.codec, audio)


def _cost_of(
    name: str, ladder: Ladder, title: QualitySurface, shots: Shots, audience: Audience, options: DesignOptions
) -> LimitCost | None:
    """What one limit on the scenes costs; None where it is not asked for."""
    assert options.shots is not None
    if getattr(options.shots, name) == math.inf:
        return None
    without = dataclasses.replace(options, shots=options.shots.without(name))
    loosened = best_codecs([title], audience, without, None, shots).ladder
    return limit_cost(name, ladder, loosened, shots, options.shots)
