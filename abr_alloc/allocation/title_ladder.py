"""One ladder, of one title or shared by several: for every pair of codecs the best one, and of those the best.

A ladder has one video codec and one audio codec: players switch rungs within a codec, and each codec more is another
set of streams to encode, store and test. So every pair of codecs is designed for by itself, and the ladder with the
highest expected AVQ is kept; of those within `TIE_MOS` of it, the one whose codecs more players play.

With prices, the ladder may be the best within a budget of money, or the cheapest with a least expected AVQ
(`priced_ladder.py`); then the codecs are those with which that comes out best.

Ladders are designed without the audio that is dearer than transparent (`drop_wasted_audio`); a fixed ladder plays
what it names.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.candidates import Candidates, list_candidates
from abr_alloc.allocation.cost import CostProof, LadderCost, ladder_cost
from abr_alloc.allocation.design_options import DesignOptions
from abr_alloc.allocation.interpolation import Crossover, Floats, SizeCurve, find_crossovers, interpolate, size_curves
from abr_alloc.allocation.kept_audio import drop_wasted_audio
from abr_alloc.allocation.ladder import MAX_RUNGS, best_ladder, best_ladders, choose_number, free_number_rules
from abr_alloc.allocation.ladder_rules import enough_kbps
from abr_alloc.allocation.path import TIE_MOS
from abr_alloc.allocation.priced_ladder import PricedLadders
from abr_alloc.allocation.ranges import Whole
from abr_alloc.allocation.reference import (
    Comparison,
    ReferenceLadder,
    compare_ladders,
    offered_rates_kbps,
)
from abr_alloc.allocation.rung import Ladder, value_mos, with_preferences
from abr_alloc.allocation.screen_rungs import with_screens
from abr_alloc.allocation.shared_ladder import no_shared_audio, share_titles, with_titles
from abr_alloc.allocation.shot_gain import ShotGain
from abr_alloc.allocation.shot_ladder import shot_candidates
from abr_alloc.allocation.shots import Shots
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.codecs import AUDIO_CODECS, VIDEO_CODECS
from abr_alloc.errors import FeatureTableError, InfeasibleLadderError

__all__ = ["TitleLadder", "best_codecs", "of_codecs", "too_many", "video_codecs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleLadder:
    """A ladder with what it was chosen from and held against."""

    ladder: Ladder
    """The rungs and what the audience can expect of them."""
    num_candidates: Whole = 0
    """Pairs that its rungs were chosen from."""
    crossovers: tuple[Crossover, ...] = ()
    """Where the best size changes, with the top rung's audio; empty for a shared ladder, and where scenes have
    parameters of their own."""
    comparison: Comparison | None = None
    """Beside the fixed ladder, where one was given and the title can play some of it."""
    cost: LadderCost | None = None
    """What it costs; None where no prices were given."""
    cost_proof: CostProof | None = None
    """How good it is, where it was designed for money."""
    shot_gain: ShotGain | None = None
    """Beside the title's ladder of one target per rung, where its rungs have shots."""


_MOST_PLAYED = (*VIDEO_CODECS, *AUDIO_CODECS)
"""Codecs of each kind, those that most players play first."""


def best_codecs(
    titles: Sequence[QualitySurface],
    audience: Audience,
    options: DesignOptions,
    reference: ReferenceLadder | None,
    shots: Shots | None = None,
) -> TitleLadder:
    """The ladder of the codecs that serve the audience best; nearly as well, and in more players, is better.

    Args:
        titles: the title as one surface, as it was measured; several that share a ladder.
        audience: who plays it.
        options: what is asked of the ladder.
        reference: a fixed ladder to hold it against; its video codec is taken.
        shots: the title's scenes, where `options.shots` spreads rates over them.

    Raises:
        InfeasibleLadderError: no ladder keeps the rules.
        FeatureTableError: there is no codec or audio rendition in common, or none of the reference's.
    """
    lean = [drop_wasted_audio(title) for title in titles]
    found: list[TitleLadder] = []
    refused: list[InfeasibleLadderError] = []
    for video, audio in itertools.product(video_codecs(titles, reference), _audio_codecs(lean, options)):
        own = [of_codecs(title, video, audio) for title in lean]
        try:
            found.append(_design(own, titles, video, audience, options, reference, shots))
        except InfeasibleLadderError as error:
            refused.append(error)
    if not found:
        raise min(refused, key=lambda error: math.inf if error.missing is None else error.missing)
    if options.min_avq_mos is not None:
        return min(found, key=lambda designed: math.inf if designed.cost is None else designed.cost.total)
    best = max(value_mos(designed.ladder) for designed in found)
    return next(designed for designed in found if value_mos(designed.ladder) >= best - TIE_MOS)


def video_codecs(titles: Sequence[QualitySurface], reference: ReferenceLadder | None) -> list[str]:
    """Codecs to design for, the most widely played first."""
    common = set.intersection(*({v.codec for v in title.video} for title in titles))
    if reference is not None:
        if reference.codec not in common:
            have = ", ".join(sorted(common)) or "no codec in common"
            raise FeatureTableError(
                f"the reference ladder {reference.name!r} is for {reference.codec}, but title {titles[0].title!r} has "
                f"{have}; choose another `compare`, or extract it with `video_codecs` {reference.codec}"
            )
        return [reference.codec]
    if not common:
        raise FeatureTableError("the titles share no video codec; design them one by one, or extract them with one")
    return sorted(common, key=_MOST_PLAYED.index)


def _audio_codecs(titles: Sequence[QualitySurface], options: DesignOptions) -> list[tuple[str, ...]]:
    """Sets of codecs to design for, the most widely played first."""
    common = set.intersection(*({a.identity for a in title.audio} for title in titles))
    codecs = sorted({codec for codec, *_ in common}, key=_MOST_PLAYED.index)
    if not codecs:
        raise FeatureTableError(no_shared_audio(titles))
    return [tuple(codecs)] if options.mix_audio else [(codec,) for codec in codecs]


def _design(
    titles: Sequence[QualitySurface],
    measured: Sequence[QualitySurface],
    codec: str,
    audience: Audience,
    options: DesignOptions,
    reference: ReferenceLadder | None,
    shots: Shots | None,
) -> TitleLadder:
    """The best ladder on titles with one video codec, beside the fixed one on the titles as they were measured."""
    sets, num_pairs = _candidates(titles, codec, audience, options, shots)
    found: list[TitleLadder] = []
    refused: list[InfeasibleLadderError] = []
    for candidates in sets:
        try:
            found.append(_design_from(candidates, titles, measured, codec, options, reference))
        except InfeasibleLadderError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    best = max(found, key=lambda one: _worth(one, options))
    return dataclasses.replace(best, num_candidates=num_pairs)


def _worth(designed: TitleLadder, options: DesignOptions) -> float:
    """What ladders of the same codecs are compared by: the more, the better."""
    if options.min_avq_mos is not None and designed.cost is not None:
        return -designed.cost.total
    return value_mos(designed.ladder)


def _design_from(
    candidates: Candidates,
    titles: Sequence[QualitySurface],
    measured: Sequence[QualitySurface],
    codec: str,
    options: DesignOptions,
    reference: ReferenceLadder | None,
) -> TitleLadder:
    rules = options.rules
    if options.num_rungs is None:
        rules = free_number_rules(rules, options.jnd_mos)
    priced: PricedLadders | None = None
    duration_s = float(np.mean([title.weight_s for title in titles]))
    if options.prices is not None and (options.for_money or reference is not None):
        most = options.num_rungs or MAX_RUNGS
        priced = PricedLadders.of(
            candidates, options.prices, duration_s, most, rules, interval_mos=options.interval_mos
        )
    chosen, proof, by_rungs = _chosen(candidates, options, reference, priced)
    comparison = None
    if reference is not None:
        comparison = compare_ladders(
            chosen,
            by_rungs,
            reference,
            measured,
            candidates.audience,
            rules,
            round_kbps=options.round_kbps,
            enough_kbps=enough_kbps(candidates.rungs.total_kbps, candidates.rungs.avq_mos, rules),
            offered_audio={a.identity for title in measured for a in drop_wasted_audio(title).audio},
            overhead=options.overhead,
            interval_mos=options.interval_mos,
            difference_mos=options.difference_mos,
        )
        if comparison is not None and priced is not None:
            comparison = _with_cost(comparison, priced, options, duration_s)
    crossovers: tuple[Crossover, ...] = ()
    if len(titles) == 1 and options.shots is None:
        crossovers = tuple(find_crossovers(titles[0], titles[0].audio.index(chosen.rungs[-1].audio), codec))
    elif len(titles) > 1:
        chosen = with_titles(chosen, titles)
    chosen = with_screens(with_preferences(chosen, options.difference_mos), measured)
    return TitleLadder(
        ladder=chosen,
        crossovers=crossovers,
        comparison=comparison,
        cost=None if options.prices is None else ladder_cost(options.prices, chosen, duration_s),
        cost_proof=proof,
    )


def _candidates(
    titles: Sequence[QualitySurface], codec: str, audience: Audience, options: DesignOptions, shots: Shots | None
) -> tuple[Sequence[Candidates], int]:
    """What rungs may be, in one or more ways of which the best is taken, and how many pairs that was chosen from."""
    rates = [v.bitrate_kbps for title in titles for v in title.video]
    offered = offered_rates_kbps(min(rates), max(rates), options.round_kbps)
    if len(titles) == 1:
        _check_rounding(size_curves(titles[0]), offered, titles[0].title, options)
        (own,) = titles
        if shots is not None:
            return shot_candidates(shots, own, codec, offered, audience, options)
        surface = interpolate(own, overhead=options.overhead, rates_kbps=offered, keep_probes=False, every_size=True)
    else:
        curves = [curve for title in titles for curve in size_curves(title)]
        _check_rounding(curves, offered, f"{len(titles)} titles", options)
        surface = share_titles(titles, codec, offered, options.overhead)
    return [list_candidates(surface, audience, options.rules)], surface.avq_mos.size


def _chosen(
    candidates: Candidates, options: DesignOptions, reference: ReferenceLadder | None, priced: PricedLadders | None
) -> tuple[Ladder, CostProof | None, list[Ladder]]:
    """The ladder that is asked for; with its proof where it is for money; and the best of every number of rungs."""
    rules, interval_mos = options.rules, options.interval_mos
    by_rungs: list[Ladder] = []
    if reference is not None:
        most = max(MAX_RUNGS if options.num_rungs is None else options.num_rungs, len(reference.rungs))
        by_rungs = best_ladders(candidates, most, rules, interval_mos=interval_mos)
    if priced is not None and options.cost_budget is not None:
        return *priced.within(options.cost_budget), by_rungs
    if priced is not None and options.min_avq_mos is not None:
        return *priced.reaching(options.min_avq_mos), by_rungs
    if options.num_rungs is None:
        return choose_number(candidates, rules, options.jnd_mos, interval_mos=interval_mos), None, by_rungs
    if len(by_rungs) >= options.num_rungs:
        return by_rungs[options.num_rungs - 1], None, by_rungs
    found = best_ladder(candidates, options.num_rungs, rules, interval_mos=interval_mos)
    if found is None:
        by_rungs = best_ladders(candidates, options.num_rungs, rules, interval_mos=interval_mos)
        raise InfeasibleLadderError(too_many(candidates, by_rungs, options))
    return found, None, by_rungs


def _with_cost(comparison: Comparison, priced: PricedLadders, options: DesignOptions, duration_s: float) -> Comparison:
    """A comparison with the fixed ladder's cost, and what that money, or that AVQ for money, could be instead."""
    assert options.prices is not None
    fixed = comparison.ladder
    cost = ladder_cost(options.prices, fixed, duration_s)
    gain_mos, cheapest = None, None
    with contextlib.suppress(InfeasibleLadderError):
        gain_mos = priced.within(cost.total)[0].expected_avq_mos - fixed.expected_avq_mos
    with contextlib.suppress(InfeasibleLadderError):
        cheapest = ladder_cost(options.prices, priced.reaching(fixed.expected_avq_mos)[0], duration_s).total
    return dataclasses.replace(comparison, cost=cost, same_cost_gain_mos=gain_mos, same_avq_cost=cheapest)


def _check_rounding(curves: Sequence[SizeCurve], offered: Floats, title: str, options: DesignOptions) -> None:
    """Refuse a rounding so coarse that no rate is left between any two probes."""
    ranges = [(curve.kbps[0], curve.kbps[-1]) for curve in curves if len(curve.kbps) > 1]
    if ranges and not any(((offered >= low) & (offered <= high)).any() for low, high in ranges):
        low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
        raise InfeasibleLadderError(
            f"title {title!r} has no multiple of `round_kbps` {options.round_kbps:g}k between its probes, {low:.0f}k "
            f"to {high:.0f}k; lower `round_kbps`"
        )


def of_codecs(surface: QualitySurface, video: str, audio: Collection[str]) -> QualitySurface:
    """The surface with one video codec and some audio codecs."""
    rows = [i for i, v in enumerate(surface.video) if v.codec == video]
    columns = [i for i, a in enumerate(surface.audio) if a.codec in audio]
    return dataclasses.replace(
        surface,
        video=tuple(surface.video[i] for i in rows),
        audio=tuple(surface.audio[i] for i in columns),
        avq_mos=surface.avq_mos[np.ix_(rows, columns)],
        on_screens_mos=None,
        total_kbps=surface.total_kbps[np.ix_(rows, columns)],
        x_v=surface.x_v[rows],
        x_a=surface.x_a[columns],
    )


def too_many(candidates: Candidates, by_rungs: Sequence[Ladder], options: DesignOptions) -> str:
    """Why there is no ladder of so many rungs."""
    rules, longest, total = options.rules, by_rungs[-1].rungs, candidates.rungs.total_kbps
    return (
        f"title {candidates.title!r} has no ladder of {options.num_rungs} rungs between {total.min():.0f}k and "
        f"{total.max():.0f}k with ratios of {rules.min_ratio:g} to {rules.max_ratio:g} ({total.size} candidates); "
        f"at most {len(longest)} fit: lower `num_rungs` or `min_ratio`, or probe a wider range"
    )
