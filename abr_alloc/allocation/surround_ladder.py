"""A title's ladder with stereo and surround on every rung: for every choice of codecs the best, and of those the best.

As in `title_ladder.py`, a ladder has one video codec, one stereo codec and one surround codec. Stereo is AAC. Of codecs
with which it comes out nearly as well, those that more players play are taken: for surround that is Dolby's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.candidates import list_candidates
from abr_alloc.allocation.design_options import DesignOptions
from abr_alloc.allocation.interpolation import find_crossovers, interpolate
from abr_alloc.allocation.kept_audio import drop_wasted_audio, of_audio
from abr_alloc.allocation.ladder import MAX_RUNGS
from abr_alloc.allocation.ladder_rules import enough_kbps
from abr_alloc.allocation.layouts import is_surround, of_stereo, of_surround, require_stereo_aac
from abr_alloc.allocation.path import TIE_MOS
from abr_alloc.allocation.reference import Comparison, ReferenceLadder, compare_ladders, offered_rates_kbps
from abr_alloc.allocation.rung import Ladder, make_ladder, with_preferences
from abr_alloc.allocation.screen_rungs import with_screens
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.allocation.title_ladder import TitleLadder, of_codecs, too_many, video_codecs
from abr_alloc.allocation.two_layouts import TwoLayouts, best_for_both, choose_number_for_both
from abr_alloc.errors import InfeasibleLadderError

__all__ = ["best_with_surround", "stereo_part"]

_MOST_PLAYED = ("ac3", "eac3", "aac", "opus")
"""Surround codecs, those that most receivers and televisions play first."""


def best_with_surround(
    title: QualitySurface, audience: Audience, options: DesignOptions, reference: ReferenceLadder | None
) -> TitleLadder:
    """The ladder of the codecs that serve both parts of the audience best.

    Args:
        title: the title as one surface, as it was measured, with stereo and surround (`layouts.build_layouts`).
        audience: who plays it; the share of surround players is the same at every bandwidth.
        options: what is asked of the ladder, `surround_share` among it.
        reference: a fixed ladder to hold its stereo against; its video codec is taken.

    Raises:
        InfeasibleLadderError: no ladder keeps the rules in both layouts.
        FeatureTableError: there is no stereo AAC, or nothing of the reference's codec.
    """
    lean = drop_wasted_audio(title)
    plain = {a.codec for a in lean.audio if not is_surround(a.channels)}
    stereo = require_stereo_aac(title.title, plain)
    beside = sorted({a.codec for a in lean.audio if is_surround(a.channels)}, key=_MOST_PLAYED.index)
    sets = [tuple(stereo)] if options.mix_audio else [(codec,) for codec in stereo]
    found: list[TitleLadder] = []
    refused: list[InfeasibleLadderError] = []
    for video, of_audio_codecs, codec in itertools.product(video_codecs([title], reference), sets, beside):
        try:
            found.append(_design(title, lean, video, of_audio_codecs, codec, audience, options, reference))
        except InfeasibleLadderError as error:
            refused.append(error)
    if not found:
        raise min(refused, key=lambda error: math.inf if error.missing is None else error.missing)
    best = max(designed.ladder.expected_avq_mos for designed in found)
    return next(designed for designed in found if designed.ladder.expected_avq_mos >= best - TIE_MOS)


def _design(
    measured: QualitySurface,
    lean: QualitySurface,
    video: str,
    stereo: Sequence[str],
    surround: str,
    audience: Audience,
    options: DesignOptions,
    reference: ReferenceLadder | None,
) -> TitleLadder:
    """The best ladder with some codecs, its stereo beside the fixed one."""
    assert options.surround_share is not None
    own = of_codecs(lean, video, {a.codec for a in lean.audio})
    rates = [v.bitrate_kbps for v in own.video]
    offered = offered_rates_kbps(min(rates), max(rates), options.round_kbps)
    between = interpolate(own, overhead=options.overhead, rates_kbps=offered, keep_probes=False, every_size=True)
    plain = of_stereo(between)
    plain = of_audio(plain, [i for i, a in enumerate(plain.audio) if a.codec in stereo])
    beside = of_surround(between, surround)
    candidates = TwoLayouts.of(
        list_candidates(plain, audience, options.rules),
        list_candidates(beside, audience, options.rules),
        options.surround_share,
    )
    rules, interval_mos = options.rules, options.interval_mos
    by_rungs: list[Ladder] = []
    if reference is not None:
        most = max(options.num_rungs or MAX_RUNGS, len(reference.rungs))
        by_rungs = best_for_both(candidates, most, rules, interval_mos=interval_mos)
    if options.num_rungs is None:
        ladder = choose_number_for_both(candidates, rules, options.jnd_mos, interval_mos=interval_mos)
    else:
        wanted = options.num_rungs
        found = by_rungs[:wanted] or best_for_both(
            candidates, wanted, rules, min_rungs=wanted, interval_mos=interval_mos
        )
        ladder = found[-1]
        if len(ladder.rungs) < wanted:
            raise InfeasibleLadderError(too_many(candidates.stereo, found, options))
    without = of_stereo(measured)
    comparison = None
    if reference is not None:
        comparison = _compared(ladder, by_rungs, reference, without, candidates, audience, options)
    top = next(i for i, a in enumerate(own.audio) if a == ladder.rungs[-1].audio)
    return TitleLadder(
        ladder=with_screens(with_preferences(ladder, options.difference_mos), [without]),
        num_candidates=len(candidates.a),
        crossovers=tuple(find_crossovers(own, top, video)),
        comparison=comparison,
    )


def _compared(
    ladder: Ladder,
    by_rungs: Sequence[Ladder],
    reference: ReferenceLadder,
    measured: QualitySurface,
    candidates: TwoLayouts,
    audience: Audience,
    options: DesignOptions,
) -> Comparison | None:
    """Its stereo beside a fixed ladder, which has no surround: what who plays stereo gains or loses."""
    arrays = candidates.stereo.rungs
    return compare_ladders(
        stereo_part(ladder, audience, options.interval_mos),
        [stereo_part(one, audience, options.interval_mos) for one in by_rungs],
        reference,
        [measured],
        audience,
        options.rules,
        round_kbps=options.round_kbps,
        enough_kbps=enough_kbps(arrays.total_kbps, arrays.avq_mos, options.rules),
        offered_audio={a.identity for a in drop_wasted_audio(measured).audio},
        overhead=options.overhead,
        interval_mos=options.interval_mos,
        difference_mos=options.difference_mos,
    )


def stereo_part(ladder: Ladder, audience: Audience, interval_mos: tuple[float, float]) -> Ladder:
    """A ladder as it serves an audience that plays stereo alone."""
    return make_ladder(
        ladder.title,
        [(r.video, r.audio, r.total_kbps, r.avq_mos, r.note) for r in ladder.rungs],
        audience,
        interval_mos,
    )
