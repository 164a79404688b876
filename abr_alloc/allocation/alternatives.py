"""What a shipped ladder could be instead, from the cheapest change to the dearest:

    re-paired   its own encodes; each video beside another of the ladder's audio renditions
    trimmed     its own encodes, re-paired where that is better; fewer rungs, for a loss that is stated
    new audio   its own video encodes; the audio that the table has in the ladder's codec, within the rules
    redesigned  as many rungs, of any size and rate that the table offers within the rules
    cheapest    the same, but for what is sent at the expected AVQ that is there

Each is the best of its kind, exactly (`same_encodes.py`, `ladder.py`). Gains are in the audience's expected AVQ;
`mean_kbps` is what the audience is sent on average, viewers whom no rung reaches among them.

Axes: K rungs by rising total rate, A audio renditions of the family (one codec and number of channels) by rising rate.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.audience import Audience
from abr_alloc.allocation.candidates import list_candidates
from abr_alloc.allocation.cost import Prices
from abr_alloc.allocation.interpolation import interpolate
from abr_alloc.allocation.kept_audio import drop_wasted_audio, lean_audio
from abr_alloc.allocation.ladder import design_ladders
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.matching import MatchedRung
from abr_alloc.allocation.path import TIE_MOS
from abr_alloc.allocation.priced_search import BestLadder, Limit, search
from abr_alloc.allocation.priced_steps import PricedSteps
from abr_alloc.allocation.reference import offered_rates_kbps
from abr_alloc.allocation.rung import Ladder, make_ladder, with_preferences
from abr_alloc.allocation.same_encodes import best_pairing, rungs_to_keep
from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition
from abr_alloc.errors import InfeasibleLadderError

__all__ = ["Alternative", "Changed", "Family", "cheapest", "families", "mean_kbps_of", "new_audio"]
__all__ += ["re_paired", "redesigned", "trimmed"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A rung that keeps its video and gets other audio."""

    rung: int
    """Its number, from 1."""
    from_audio: str
    """Target of the audio that it has."""
    to_audio: str
    """Target of the audio that it gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A ladder that could be there instead."""

    ladder: Ladder
    """Its rungs."""
    gain_mos: float
    """Its expected AVQ less that of the ladder as it is, MOS."""
    mean_kbps: float
    """What the audience is sent on average, kbps."""
    saved_kbps: float
    """What the audience is sent less on average, kbps; negative for more."""
    changed: tuple[Changed, ...] = ()
    """Rungs with other audio, where the videos are kept."""
    kept: tuple[int, ...] = ()
    """Numbers of the rungs that are kept, where some are dropped."""
    saved_cost: float | None = None
    """What it costs less to keep and deliver, money; negative for more, None where no prices are given."""


def mean_kbps_of(ladder: Ladder) -> float:
    """What an audience is sent on average, kbps; nothing to those whom no rung reaches."""
    return math.fsum(rung.played_share * rung.total_kbps for rung in ladder.rungs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Rungs between which a player switches: one video codec, one audio codec, one number of channels."""

    rungs: tuple[MatchedRung, ...]
    """By rising total rate, (K,); their audio is counted in `own`."""
    own: QualitySurface
    """The title's surface, with the family's codecs and channels alone."""
    audience: Audience
    """Who plays."""
    overhead: float
    """Container overhead as a share of the streams' rate."""
    interval_mos: tuple[float, float] = (0.0, 0.0)
    """What to add to a prediction for its interval, MOS."""
    difference_mos: float = 0.0
    """Half of the 90 % interval of a predicted difference, MOS; 0 where it is not known."""

    def ladder_of(self, chosen: Sequence[tuple[MatchedRung, int]]) -> Ladder:
        """The ladder of some rungs, each with the audio rendition of an index in the title's own surface."""
        rungs: list[tuple[VideoRendition, AudioRendition, float, float, str]] = []
        for rung, index in chosen:
            audio = self.own.audio[index]
            notes = [rung.video_note, rung.audio_note if index == rung.audio_index else ""]
            total = (rung.video.bitrate_kbps + audio.bitrate_kbps) * (1.0 + self.overhead)
            rungs.append((rung.video, audio, total, float(rung.avq_by_audio[index]), "; ".join(filter(None, notes))))
        made = make_ladder(self.own.title, rungs, self.audience, self.interval_mos)
        return with_preferences(made, self.difference_mos)

    def as_it_is(self) -> Ladder:
        """The ladder as it is shipped."""
        return self.ladder_of([(rung, rung.audio_index) for rung in self.rungs])

    def alternative(self, ladder: Ladder, changed: tuple[Changed, ...] = ()) -> Alternative:
        """A ladder beside the one that is there."""
        return _alternative(self.as_it_is(), ladder, changed=changed)


def _alternative(
    is_now: Ladder, ladder: Ladder, changed: tuple[Changed, ...] = (), kept: tuple[int, ...] = ()
) -> Alternative:
    mean = mean_kbps_of(ladder)
    return Alternative(
        ladder=ladder,
        gain_mos=ladder.expected_avq_mos - is_now.expected_avq_mos,
        mean_kbps=mean,
        saved_kbps=mean_kbps_of(is_now) - mean,
        changed=changed,
        kept=kept,
    )


def re_paired(family: Family) -> Alternative | None:
    """The best audio of the ladder beside each of its videos; None where it is as good as that already.

    Every video stays in as many rungs as it is in. Audio never falls where video rises. Audio that is dearer than
    another of the ladder which is transparent goes.
    """
    chosen = _own_pairs(family)
    return None if chosen is None else _paired(family, chosen)


def new_audio(family: Family, rules: LadderRules) -> Alternative | None:
    """The same among all audio that was measured in the family's codec, but what is dearer than transparent; at most as
    many renditions as the rules allow. None where nothing of it is better than what is there."""
    lean = {a.identity for a in drop_wasted_audio(family.own).audio}
    offered = [i for i, a in enumerate(family.own.audio) if a.identity in lean]
    chosen = _best_audio(family, offered, rules.max_audio)
    return None if chosen is None else _paired(family, chosen)


def _own_pairs(family: Family) -> list[tuple[MatchedRung, int]] | None:
    """Without the dearest audio where that may be: a video that stands in many rungs needs as many renditions."""
    used = sorted({rung.audio_index for rung in family.rungs})
    lean = [used[k] for k in lean_audio([family.own.audio[i] for i in used])]
    return _best_audio(family, lean, None) or (None if lean == used else _best_audio(family, used, None))


def _best_audio(family: Family, audio: Sequence[int], max_audio: int | None) -> list[tuple[MatchedRung, int]] | None:
    """Every rung, by rising video rate, with the best audio of some; None where that is no better than its own."""
    rows = sorted(family.rungs, key=lambda r: (r.video.bitrate_kbps, r.audio.bitrate_kbps, r.audio_index))
    columns = sorted(audio, key=lambda i: family.own.audio[i].bitrate_kbps)
    rates = np.array([family.own.audio[i].bitrate_kbps for i in columns])
    total = np.add.outer([r.video.bitrate_kbps for r in rows], rates) * (1.0 + family.overhead)
    avq = np.array([r.avq_by_audio[columns] for r in rows])
    same = np.array([False, *(b.video == a.video for a, b in itertools.pairwise(rows))])
    known = all(r.audio_index in columns for r in rows)
    current = np.array([columns.index(r.audio_index) for r in rows], dtype=np.intp) if known else None
    found = best_pairing(avq, family.audience.share_with(total), same, current=current, max_audio=max_audio)
    if found is None:
        return None
    chosen = [(r, columns[a]) for r, a in zip(rows, found.tolist(), strict=True)]
    gain_mos = family.ladder_of(chosen).expected_avq_mos - family.as_it_is().expected_avq_mos
    least_mos = 0.0 if known else -TIE_MOS  # audio beyond transparent goes even where the model sees a trace of it
    return chosen if gain_mos > least_mos and any(i != r.audio_index for r, i in chosen) else None


def _paired(family: Family, chosen: Sequence[tuple[MatchedRung, int]]) -> Alternative:
    number = {id(rung): i for i, rung in enumerate(family.rungs, 1)}
    changed = tuple(
        Changed(rung=number[id(r)], from_audio=r.audio.target, to_audio=family.own.audio[i].target)
        for r, i in chosen
        if i != r.audio_index
    )
    return family.alternative(family.ladder_of(chosen), changed=changed)


def trimmed(family: Family, rules: LadderRules, max_loss_mos: float) -> Alternative | None:
    """The fewest rungs that lose at most so much expected AVQ, of the re-paired ladder where there is one; None where
    all are needed. Its gain and saving are beside that ladder.

    Neighbours that were none before are no further apart than the rules allow, and neither stream falls between them:
    of a ladder that offers every video with every audio, pairs remain that rise.
    """
    pairs = _own_pairs(family)
    pairs = [(rung, rung.audio_index) for rung in family.rungs] if pairs is None else pairs
    whole = family.ladder_of(pairs)
    total = np.array([r.total_kbps for r in whole.rungs])
    avq = np.array([r.avq_mos for r in whole.rungs])
    number = len(total)
    video, audio = (np.array([getattr(r, name).bitrate_kbps for r in whole.rungs]) for name in ("video", "audio"))
    rises = (video >= video[:, None]) & (audio >= audio[:, None])
    may_follow = np.eye(number, k=1, dtype=np.bool_) | (rises & (total <= total[:, None] * rules.max_ratio))
    enough = [
        kept
        for kept in rungs_to_keep(avq, family.audience.share_with(total), may_follow)
        if kept.expected_avq_mos >= whole.expected_avq_mos - max_loss_mos and len(kept.rungs) < number
    ]
    if not enough:
        return None
    kept = [pairs[k] for k in enough[0].rungs]
    place = {id(rung): i for i, rung in enumerate(family.rungs, 1)}
    numbers = tuple(sorted(place[id(rung)] for rung, _ in kept))
    return _alternative(whole, family.ladder_of(kept), kept=numbers)


def redesigned(family: Family, rules: LadderRules, round_kbps: float) -> tuple[Alternative | None, str]:
    """The best ladder with as many rungs as there are, or as fit; and why there is none, or none with as many.

    It keeps the rules, as every designed ladder does; the shipped one may not.
    """
    surface, wanted = _offered(family, round_kbps), len(family.rungs)
    try:
        by_rungs = design_ladders(surface, family.audience, wanted, rules, interval_mos=family.interval_mos)
    except InfeasibleLadderError as error:
        return None, str(error)
    found = with_preferences(by_rungs[-1], family.difference_mos)
    reason = "" if len(found.rungs) == wanted else f"no ladder of more than {len(found.rungs)} rungs keeps the rules"
    return family.alternative(found), reason


def cheapest(family: Family, rules: LadderRules, round_kbps: float) -> Alternative | None:
    """The ladder of at most as many rungs that sends least and is expected to give no less AVQ (`priced_search.py`);
    None where no ladder that keeps the rules gives as much, or where it is a single rung: to a ladder that switches,
    that is no alternative."""
    surface = _offered(family, round_kbps)
    try:
        candidates = list_candidates(surface, family.audience, rules)
    except InfeasibleLadderError:
        return None
    audio = candidates.most_audio(rules)
    steps = PricedSteps.of(candidates, _BY_RATE, _BY_RATE_S, rules, len(family.rungs), audio)
    found = search(steps, Limit(least_avq_mos=family.as_it_is().expected_avq_mos - _ROUNDING_MOS))
    if not isinstance(found, BestLadder):
        return None
    ladder = candidates.ladder_of(found.found.path, family.interval_mos)
    if len(ladder.rungs) == 1 < len(family.rungs):
        return None
    return family.alternative(with_preferences(ladder, family.difference_mos))


_ROUNDING_MOS = 1e-6  # AVQ is predicted in single precision
_BY_RATE = Prices(storage_per_gb_month=0.0, delivery_per_gb=1.0, views=1.0)
_BY_RATE_S = 8e6
"""Prices and a length with which a ladder costs what it sends on average, in kbps: so long 1 kbps comes to 1 GB."""


def _offered(family: Family, round_kbps: float) -> QualitySurface:
    """What a designed ladder is chosen from."""
    own = drop_wasted_audio(family.own)
    rates = [v.bitrate_kbps for v in own.video]
    offered = offered_rates_kbps(min(rates), max(rates), round_kbps)
    return interpolate(own, overhead=family.overhead, rates_kbps=offered, keep_probes=False, every_size=True)


def families(
    surface: QualitySurface,
    rungs: Sequence[MatchedRung],
    audience: Audience,
    *,
    overhead: float,
    interval_mos: tuple[float, float] = (0.0, 0.0),
    difference_mos: float = 0.0,
) -> list[Family]:
    """The families of a ladder on the surface of its title, in the order of their lowest rungs."""
    groups: dict[tuple[str, str, int], list[MatchedRung]] = {}
    for rung in rungs:
        groups.setdefault((rung.video.codec, rung.audio.codec, rung.audio.channels), []).append(rung)
    found = []
    for (video_codec, audio_codec, channels), members in groups.items():
        rows = [i for i, v in enumerate(surface.video) if v.codec == video_codec]
        columns = [i for i, a in enumerate(surface.audio) if (a.codec, a.channels) == (audio_codec, channels)]
        own = dataclasses.replace(
            surface,
            video=tuple(surface.video[i] for i in rows),
            audio=tuple(surface.audio[i] for i in columns),
            avq_mos=surface.avq_mos[np.ix_(rows, columns)],
            on_screens_mos=None,
            total_kbps=surface.total_kbps[np.ix_(rows, columns)],
            x_v=surface.x_v[rows],
            x_a=surface.x_a[columns],
        )
        placed = [
            dataclasses.replace(r, audio_index=columns.index(r.audio_index), avq_by_audio=r.avq_by_audio[columns])
            for r in members
        ]
        found.append(
            Family(
                rungs=tuple(placed),
                own=own,
                audience=audience,
                overhead=overhead,
                interval_mos=interval_mos,
                difference_mos=difference_mos,
            )
        )
    return found
