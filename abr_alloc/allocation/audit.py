"""A ladder that a service ships, judged rung by rung and beside what it could be.

Rungs between which a player switches (one video codec, one audio codec, one number of channels: a family) are judged
together, since that is the ladder a player plays. Rungs that nothing in the table stands for are named and left out;
every number is of the others.

Of a rung it is asked what its rate would buy at best (`BestAtRate`). Of all pairs of the family that take no more,
those within `TIE_MOS` of the best are as good; if the rung's own audio is among them it is right, else the cheapest
audio among them is named. Audio dearer than transparent is too much in any case. What is worth less than a tie is no
reason to change.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from abr_alloc.allocation.alternatives import (
    Alternative,
    Family,
    cheapest,
    families,
    mean_kbps_of,
    new_audio,
    re_paired,
    redesigned,
    trimmed,
)
from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.audit_results import (
    AuditedRung,
    AuditOptions,
    BestAtRate,
    LadderAudit,
    TitleAudit,
    Verdict,
)
from abr_alloc.allocation.cost import Prices, ladder_cost
from abr_alloc.allocation.given_ladder import GivenLadder
from abr_alloc.allocation.interpolation import interpolate
from abr_alloc.allocation.kept_audio import drop_wasted_audio
from abr_alloc.allocation.matching import UnmatchedRung, match_ladder
from abr_alloc.allocation.path import TIE_MOS
from abr_alloc.allocation.rung import FOOT_MOS, Ladder, Rung, dominator, keeps_rules
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.allocation.title_surface import merge_scenes
from abr_alloc.errors import LadderFormatError
from abr_alloc.models.checkpoint import Model
from abr_alloc.models.relevance import SceneShares, estimate_relevance

__all__ = ["audit_title"]

_SAME_RATE = 1e-9


def audit_title(
    scenes: Sequence[QualitySurface],
    given: GivenLadder,
    audience: Audience,
    model: Model,
    options: AuditOptions | None = None,
) -> TitleAudit:
    """Judge a ladder on a title.

    Args:
        scenes: the title's measured surfaces (`build_surfaces`).
        given: the ladder.
        audience: who plays it.
        model: who predicted the surfaces.
        options: what it is held against.

    Raises:
        FeatureTableError: the scenes share no rendition.
        LadderFormatError: the ladder is of another title, or no rung has a place on the surface.
    """
    options = options or AuditOptions()
    surface = merge_scenes(scenes)
    if given.title not in (None, surface.title):
        raise LadderFormatError(
            f"{given.name} is a ladder of title {given.title!r}, not of {surface.title!r}; give that title's table"
        )
    matched, unmatched = match_ladder(surface, given)
    if not matched:
        raise LadderFormatError(_none_fits(given, surface.title, unmatched))
    judged = functools.partial(_audit_family, shares=_title_shares(scenes), model=model, options=options)
    found = families(
        surface,
        matched,
        audience,
        overhead=options.overhead,
        interval_mos=model.interval_mos,
        difference_mos=model.intervals.difference_mos,
    )
    return TitleAudit(
        title=surface.title,
        ladder=given.name,
        families=tuple(map(judged, found)),
        unmatched=unmatched,
        notes=given.notes,
    )


def _none_fits(given: GivenLadder, title: str, unmatched: Sequence[UnmatchedRung]) -> str:
    if not unmatched:
        return f"{given.name} has no rungs; give a ladder with at least one"
    first, more = unmatched[0], len(unmatched) - 1
    return (
        f"no rung of {given.name} has a place on title {title!r}: {first.given.place}: {first.reason}"
        + (f" (and {more} more)" if more else "")
        + "; measure the ladder with `abr-alloc measure`, or give the table of its title"
    )


def _title_shares(scenes: Sequence[QualitySurface]) -> SceneShares:
    """Audio's shares of a title: those of its scenes, with a mean over time."""
    known = [(scene.shares, scene.weight_s) for scene in scenes if scene.shares is not None]
    if not known:
        return SceneShares(ablation=0.5, anova=0.5)
    seconds = [weight for _, weight in known]
    return SceneShares(
        ablation=float(np.average([shares.ablation for shares, _ in known], weights=seconds)),
        anova=float(np.average([shares.anova for shares, _ in known], weights=seconds)),
    )


def _audit_family(family: Family, *, shares: SceneShares, model: Model, options: AuditOptions) -> LadderAudit:
    ladder = family.as_it_is()
    surface = interpolate(drop_wasted_audio(family.own), overhead=family.overhead)
    losses = losses_mos(family)
    designed, reason = redesigned(family, options.rules, options.round_kbps)
    relevance = estimate_relevance(
        model.predictor,
        model.relevance_ranges,
        [shares] * len(family.rungs),
        family.own.x_a[[r.audio_index for r in family.rungs]],
        np.stack([r.x_v for r in family.rungs]),
    )
    cost = None if options.prices is None else ladder_cost(options.prices, ladder, family.own.weight_s)
    rungs = []
    for k, (matched, rung) in enumerate(zip(family.rungs, ladder.rungs, strict=True)):
        best = _best_at_rate(surface, rung)
        rungs.append(
            AuditedRung(
                place=matched.given.place,
                rung=rung,
                how=matched.how,
                audio_how=matched.audio_how,
                audio_share=relevance[k].eq8_audio_share,
                dominated_by=dominator(ladder, k),
                step_mos=ladder.rungs[k + 1].avq_mos - rung.avq_mos if k + 1 < len(ladder.rungs) else None,
                loss_mos=losses[k],
                muxed=matched.given.muxed,
                audio_verdict=_verdict(surface, rung, best),
                best=best,
                cost=None if cost is None else cost.rungs[k],
            )
        )
    re_pair = re_paired(family)
    priced = functools.partial(_priced, prices=options.prices, duration_s=family.own.weight_s)
    return LadderAudit(
        video_codec=ladder.rungs[0].video.codec,
        audio_codec=ladder.rungs[0].audio.codec,
        channels=ladder.rungs[0].audio.channels,
        rungs=tuple(rungs),
        ladder=ladder,
        mean_kbps=mean_kbps_of(ladder),
        audio_share=shares.anova,
        keeps_rules=keeps_rules(ladder, options.rules),
        re_paired=priced(re_pair, ladder),
        trimmed=priced(
            trimmed(family, options.rules, options.max_loss_mos), ladder if re_pair is None else re_pair.ladder
        ),
        new_audio=priced(new_audio(family, options.rules), ladder),
        redesigned=priced(designed, ladder),
        cheapest=priced(cheapest(family, options.rules, options.round_kbps), ladder),
        redesigned_reason=reason,
        difference_mos=family.difference_mos,
        cost=cost,
    )


def losses_mos(family: Family) -> list[float]:
    """The expected AVQ that the ladder as it is loses without every rung alone, MOS, (K,): negative for a gain."""
    is_now, found = family.as_it_is().expected_avq_mos, []
    for k in range(len(family.rungs)):
        others = [(r, r.audio_index) for i, r in enumerate(family.rungs) if i != k]
        found.append(is_now - (family.ladder_of(others).expected_avq_mos if others else FOOT_MOS))
    return found


def _priced(way: Alternative | None, beside: Ladder, *, prices: Prices | None, duration_s: float) -> Alternative | None:
    """An alternative with what it costs less than the ladder that its saving is beside."""
    if way is None or prices is None:
        return way
    costs = [ladder_cost(prices, one, duration_s).total for one in (beside, way.ladder)]
    return dataclasses.replace(way, saved_cost=costs[0] - costs[1])


def _best_at_rate(surface: QualitySurface, rung: Rung) -> BestAtRate:
    within = surface.total_kbps <= rung.total_kbps * (1.0 + _SAME_RATE)
    if not within.any():  # cheaper than all that was measured by a rounding: the rung itself
        return BestAtRate(
            video=rung.video, audio=rung.audio, total_kbps=rung.total_kbps, avq_mos=rung.avq_mos, gain_mos=0.0
        )
    avq = np.where(within, surface.avq_mos.astype(np.float64), -np.inf)
    as_good = np.flatnonzero((avq >= avq.max() - TIE_MOS).any(axis=0)).tolist()
    own = [a for a in as_good if surface.audio[a].identity == rung.audio.identity]
    audio = own[0] if own else min(as_good, key=lambda a: surface.audio[a].bitrate_kbps)
    video = int(avq[:, audio].argmax())
    return BestAtRate(
        video=surface.video[video],
        audio=surface.audio[audio],
        total_kbps=float(surface.total_kbps[video, audio]),
        avq_mos=float(avq[video, audio]),
        gain_mos=float(avq[video, audio]) - rung.avq_mos,
    )


def _verdict(offered: QualitySurface, rung: Rung, best: BestAtRate) -> Verdict:
    """Of a rung's audio, beside what is offered: the family's audio but what is dearer than transparent."""
    if rung.audio.identity not in {a.identity for a in offered.audio}:
        return "too much"
    if best.gain_mos < TIE_MOS or best.audio.identity == rung.audio.identity:
        return "right"
    return "too much" if best.audio.bitrate_kbps < rung.audio.bitrate_kbps else "too little"
