"""Fixed ladders to beat, and how a designed ladder compares.

On a title a fixed ladder (`fixed.py`, or the rungs of a ladder file) is judged by the same surface as the designed one:
each rung at its size and rate (`TitleCurves`), with the audio rendition nearest to its own. Rungs larger than the
source, or at a rate below the title's cheapest probe of that size, are left out and named.

Bitrate saved at equal quality is Bjontegaard's delta rate (ITU-T VCEG-M33, 2001): the mean difference of log rate
between two curves, log rate over quality, interpolated by PCHIP, over the quality that both reach. It is given in AVQ,
which the ladder was designed for, and in VMAF, which knows the picture only; both over the total rate. Where the two
disagree, one of them is mistaken about this title, or audio was bought with picture.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.cost import LadderCost
from abr_alloc.allocation.fixed import ReferenceLadder, ReferenceRung, load_reference
from abr_alloc.allocation.interpolation import lattice_kbps
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.ranges import AvqDifference, Money, NumRungs, RateDifference
from abr_alloc.allocation.rendition import AudioIdentity
from abr_alloc.allocation.rung import Ladder, keeps_rules, make_ladder, with_preferences
from abr_alloc.allocation.shared_ladder import mean_vmaf, shared_encoders
from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition
from abr_alloc.allocation.title_surface import TitleCurves
from abr_alloc.models.cubics import integral
from abr_alloc.shipped import reference_names
from abr_alloc.targets import Target

__all__ = [
    "Comparison",
    "ReferenceLadder",
    "ReferenceRung",
    "apply_reference",
    "bd_rate_percent",
    "compare_ladders",
    "load_reference",
    "offered_rates_kbps",
]

Floats = npt.NDArray[np.float64]

_MIN_STEP = 1e-6  # of AVQ or VMAF: rounding
_SHOWN_PERCENT = 0.05  # what a table rounds to a tenth


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A designed ladder beside a fixed one, for the same title and audience."""

    reference: str
    """Name of the fixed ladder."""
    ladder: Ladder
    """What the fixed ladder comes to on this title."""
    left_out: tuple[str, ...]
    """Rungs of the fixed ladder that this title cannot play, and why."""
    gain_mos: AvqDifference
    """Expected AVQ of the designed ladder less that of the fixed one."""
    same_rungs_gain_mos: AvqDifference | None = None
    """The same for the designed ladder with as many rungs as the fixed one; None where there is none."""
    rungs_needed: NumRungs | None = None
    """Fewest designed rungs that expect at least the fixed ladder's AVQ; None where no number tried does."""
    bd_rate_percent: RateDifference | None = None
    """Mean rate difference at equal AVQ, %; negative is saved; None where the curves do not overlap."""
    bd_rate_vmaf_percent: RateDifference | None = None
    """The same at equal VMAF; None also where VMAF is not known."""
    breaks_rules: bool
    """Whether the fixed ladder breaks a rule that the designed one keeps, so that it may come out ahead."""
    cost: LadderCost | None = None
    """What the fixed ladder costs; None where no prices were given."""
    same_cost_gain_mos: AvqDifference | None = None
    """Expected AVQ of the best ladder that costs no more than the fixed one, less that of the fixed one; None where
    nothing is as cheap, or no prices were given."""
    same_avq_cost: Money | None = None
    """Cost of the cheapest ladder with at least the fixed one's expected AVQ, money; None where none has it, or no
    prices were given."""

    @property
    def scores_disagree(self) -> bool:
        """Whether rate is saved by one of AVQ and VMAF and lost by the other, by a tenth of a percent or more."""
        both = self.bd_rate_percent, self.bd_rate_vmaf_percent
        known = [percent for percent in both if percent is not None and abs(percent) >= _SHOWN_PERCENT]
        return len(known) == 2 and (known[0] < 0.0) != (known[1] < 0.0)


def offered_rates_kbps(low: float, high: float, round_kbps: float) -> Floats:
    """Video rates that ladders are built from: a lattice of rounded rates, and the rates of every fixed ladder that
    ships, so that no fixed ladder can do what a designed one may not."""
    fitting = [kbps for kbps in _standard_kbps() if low < kbps < high and _is_multiple(kbps, round_kbps)]
    return np.union1d(lattice_kbps(low, high, round_kbps), np.array(fitting, dtype=np.float64))


@functools.cache
def _standard_kbps() -> frozenset[float]:
    """Video rates of every fixed ladder that ships."""
    return frozenset(r.video_kbps for name in reference_names() for r in load_reference(name).rungs)


def _is_multiple(kbps: float, round_kbps: float) -> bool:
    return math.isclose(kbps / round_kbps, round(kbps / round_kbps), abs_tol=1e-9)


def apply_reference(
    reference: ReferenceLadder,
    titles: Sequence[QualitySurface],
    audience: Audience,
    overhead: float,
    interval_mos: tuple[float, float] = (0.0, 0.0),
    round_kbps: float = 0.0,
) -> tuple[Ladder | None, tuple[str, ...]]:
    """What a fixed ladder comes to on a title, and the rungs that had to be left out. None where none is left.

    Over several titles AVQ is their mean; a title smaller than a rung plays its own size. Of several encoders of its
    codec, the one that makes most of a rung makes it.
    """
    surface, shared = titles[0], len(titles) > 1
    by_encoder = [
        [TitleCurves(title, reference.codec, round_kbps, encoder=encoder) for title in titles]
        for encoder in shared_encoders(titles, reference.codec)
    ]
    rungs: list[tuple[VideoRendition, AudioRendition, float, float, str]] = []
    left_out = []
    for rung in reference.rungs:
        side = min(rung.width_px, rung.height_px)
        label = f"{rung.width_px}x{rung.height_px} {rung.video_kbps:g}k"
        column, audio_note = _nearest_audio(surface.audio, rung)
        columns = [_nearest_audio(title.audio, rung)[0] for title in titles]
        rate = np.array([rung.video_kbps])
        worth = [
            float(np.mean([c.at(side, rate, cap_at_source=shared)[0, i] for c, i in zip(own, columns, strict=True)]))
            for own in by_encoder
        ]
        avq = max(worth, key=lambda mos: -math.inf if math.isnan(mos) else mos)
        of_title = by_encoder[worth.index(avq)] if not math.isnan(avq) else by_encoder[0]
        curve, note = of_title[0].describe(side, rung.video_kbps, cap_at_source=shared)
        if curve is None:
            left_out.append(f"{label}: {note}")
            continue
        if math.isnan(avq):
            where = "some title's cheapest probe" if shared else f"the cheapest probe, {curve.kbps[0]:.0f}k"
            left_out.append(f"{label}: below {where} at {curve.short_side_px}p")
            continue
        mean_kbps = float(np.mean([t.audio[i].bitrate_kbps for t, i in zip(titles, columns, strict=True)]))
        audio = dataclasses.replace(surface.audio[column], bitrate_kbps=mean_kbps)
        rungs.append(
            (
                VideoRendition(
                    codec=reference.codec,
                    width_px=rung.width_px,
                    height_px=rung.height_px,
                    target=str(Target.of_kbps(rung.video_kbps, of_title[0].encoder)),
                    bitrate_kbps=rung.video_kbps,
                    vmaf=mean_vmaf(of_title, side, rung.video_kbps),
                    dynamic_range=curve.dynamic_range,
                ),
                audio,
                (rung.video_kbps + audio.bitrate_kbps) * (1.0 + overhead),
                avq,
                "" if shared else "; ".join(filter(None, [note, audio_note])),
            )
        )
    rungs.sort(key=lambda r: r[2])
    name = f"{len(titles)} titles" if shared else surface.title
    return (make_ladder(name, rungs, audience, interval_mos) if rungs else None), tuple(left_out)


def _nearest_audio(audio: Sequence[AudioRendition], rung: ReferenceRung) -> tuple[int, str]:
    same = [i for i, a in enumerate(audio) if a.codec == rung.audio_codec] or list(range(len(audio)))
    best = min(same, key=lambda i: abs(math.log(audio[i].bitrate_kbps / rung.audio_kbps)))
    close = abs(audio[best].bitrate_kbps / rung.audio_kbps - 1.0) <= 0.15 and audio[best].codec == rung.audio_codec
    return best, "" if close else f"audio {audio[best].codec} {audio[best].bitrate_kbps:.0f}k is the nearest there is"


def compare_ladders(
    designed: Ladder,
    by_rungs: Sequence[Ladder],
    reference: ReferenceLadder,
    titles: Sequence[QualitySurface],
    audience: Audience,
    rules: LadderRules,
    *,
    round_kbps: float,
    enough_kbps: float,
    offered_audio: Collection[AudioIdentity],
    overhead: float,
    interval_mos: tuple[float, float] = (0.0, 0.0),
    difference_mos: float = 0.0,
) -> Comparison | None:
    """A designed ladder beside a fixed one; None where the title can play no rung of the fixed one.

    Args:
        designed: the ladder that is offered.
        by_rungs: the best ladders of 1, 2, ... rungs under the same rules.
        reference: the fixed ladder.
        titles: surface of the title, measured; of every title, where they share the ladder.
        audience: who plays it.
        rules: what the designed ladder keeps.
        round_kbps: what their video rates are multiples of.
        enough_kbps: total rate of the cheapest pair that is good enough by the rules; inf where they name none.
        offered_audio: the audio renditions that designed ladders may use, by their identity.
        overhead: container overhead as a share of the streams' rate.
        interval_mos: what to add to a prediction for its interval, MOS.
        difference_mos: half of the 90 % interval of a predicted difference, MOS; 0 where it is not known.
    """
    fixed, left_out = apply_reference(reference, titles, audience, overhead, interval_mos, round_kbps)
    if fixed is None:
        return None
    count = len(fixed.rungs)
    same = by_rungs[count - 1] if len(by_rungs) >= count else None
    enough = [len(ladder.rungs) for ladder in by_rungs if ladder.expected_avq_mos >= fixed.expected_avq_mos - _MIN_STEP]
    return Comparison(
        reference=reference.name,
        ladder=with_preferences(fixed, difference_mos),
        left_out=left_out,
        gain_mos=designed.expected_avq_mos - fixed.expected_avq_mos,
        same_rungs_gain_mos=None if same is None else same.expected_avq_mos - fixed.expected_avq_mos,
        rungs_needed=min(enough, default=None),
        bd_rate_percent=bd_rate_percent(*_curve(fixed), *_curve(designed)),
        bd_rate_vmaf_percent=_bd_rate_vmaf_percent(fixed, designed),
        breaks_rules=not (
            keeps_rules(fixed, rules, most_kbps=enough_kbps)
            and all(r.audio.identity in offered_audio for r in fixed.rungs)
            and all(_is_multiple(r.video.bitrate_kbps, round_kbps) for r in fixed.rungs)
        ),
    )


def _curve(ladder: Ladder) -> tuple[Floats, Floats]:
    return np.array([r.total_kbps for r in ladder.rungs]), np.array([r.avq_mos for r in ladder.rungs])


def _bd_rate_vmaf_percent(fixed: Ladder, designed: Ladder) -> float | None:
    curves: list[Floats] = []
    for ladder in (fixed, designed):
        known = [r.video.vmaf for r in ladder.rungs if r.video.vmaf is not None]
        if len(known) < len(ladder.rungs):
            return None
        curves += [_curve(ladder)[0], np.array(known)]
    return bd_rate_percent(*curves)


def bd_rate_percent(
    anchor_kbps: Floats, anchor_quality: Floats, test_kbps: Floats, test_quality: Floats
) -> float | None:
    """Bjontegaard delta rate of a test curve against an anchor, %; negative where the test needs less.

    Points that do not rise in quality over a cheaper one are left out. None where a curve has fewer than two points
    left, or the two reach no quality in common.
    """
    curves = []
    for kbps, quality in ((anchor_kbps, anchor_quality), (test_kbps, test_quality)):
        order = np.argsort(kbps, kind="stable")
        kbps, quality = kbps[order], quality[order]
        highest = np.maximum.accumulate(np.append(-np.inf, quality[:-1]))
        rising = quality > highest + _MIN_STEP
        if rising.sum() < 2:
            return None
        curves.append((quality[rising], np.log(kbps[rising])))
    low, high = max(q[0] for q, _ in curves), min(q[-1] for q, _ in curves)
    if not high > low:
        return None
    anchor, test = (float(integral(q, rate[:, None], low, high)[0]) / (high - low) for q, rate in curves)
    return (math.exp(test - anchor) - 1.0) * 100.0
