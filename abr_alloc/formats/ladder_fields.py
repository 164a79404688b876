"""A ladder from its object in a ladder file.

What is written is what `design.py` makes, so what cannot come from there is damage. The records declare types and
ranges (`allocation.ranges`); here stands what no field can say alone.
"""

from __future__ import annotations

import itertools
from typing import Any

from abr_alloc.allocation.cost import LadderCost
from abr_alloc.allocation.design import TitleLadder
from abr_alloc.allocation.prediction import AVQ_RANGE
from abr_alloc.allocation.rung import Ladder
from abr_alloc.allocation.shot_gain import ShotGain
from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.documents import shown
from abr_alloc.formats.conversion import record_of, refuse_unknown
from abr_alloc.formats.shot_fields import check_shots

__all__ = ["designed_of"]

_AVQ_WIDTH = AVQ_RANGE[1] - AVQ_RANGE[0]


def designed_of(value: Any, place: str) -> TitleLadder:
    """A ladder with what it was held against.

    Args:
        value: its object.
        place: where that stands in the file, for messages.

    Raises:
        ValueError: a field is missing, or not what it must be; the message names it.
    """
    ladder: Ladder = record_of(value, Ladder, place)
    designed: TitleLadder = record_of({**value, "ladder": ladder}, TitleLadder, place)
    _check(ladder, value, place)
    _check_cost(designed.cost, ladder, place)
    if designed.comparison is not None:
        _check_cost(designed.comparison.cost, designed.comparison.ladder, f"{place}.comparison")
        _check(designed.comparison.ladder, value["comparison"]["ladder"], f"{place}.comparison.ladder")
    if designed.shot_gain is not None:
        _check(designed.shot_gain.ladder, value["shot_gain"]["ladder"], f"{place}.shot_gain.ladder")
        refuse_unknown(value["shot_gain"], ShotGain, f"{place}.shot_gain", "pays")
    return designed


def _check_cost(cost: LadderCost | None, ladder: Ladder, place: str) -> None:
    if cost is not None and len(cost.rungs) != len(ladder.rungs):
        raise ValueError(f"{place}.cost has {len(cost.rungs)} rungs, the ladder {len(ladder.rungs)}")


def _check(ladder: Ladder, value: dict[str, Any], place: str) -> None:
    if not ladder.rungs:
        raise ValueError(f"{place} has no rungs")
    if any(above.total_kbps < below.total_kbps for below, above in itertools.pairwise(ladder.rungs)):
        raise ValueError(f"the total_kbps of {place}.rungs do not rise")
    for i, (rung, item) in enumerate(zip(ladder.rungs, value["rungs"], strict=True)):
        low, high = rung.interval_mos
        if not AVQ_RANGE[0] - _AVQ_WIDTH <= low <= high <= AVQ_RANGE[1] + _AVQ_WIDTH:
            raise ValueError(
                f"{place}.rungs[{i}].interval_mos is {shown(rung.interval_mos)}, not a lower and an upper MOS"
            )
        refuse_unknown(item["video"], VideoRendition, f"{place}.rungs[{i}].video", "interpolated")
        refuse_unknown(item["audio"], AudioRendition, f"{place}.rungs[{i}].audio")
    _check_surround(ladder, value["rungs"], place)
    check_shots(ladder, value["rungs"], place)


def _check_surround(ladder: Ladder, items: list[dict[str, Any]], place: str) -> None:
    """Either every rung has surround, which rises as stereo does, or none has."""
    beside = [rung.surround for rung in ladder.rungs if rung.surround is not None]
    if not beside:
        return
    if len(beside) < len(ladder.rungs):
        raise ValueError(f"{place} has surround on {len(beside)} of its {len(ladder.rungs)} rungs")
    if any(above.total_kbps < below.total_kbps for below, above in itertools.pairwise(beside)):
        raise ValueError(f"the surround.total_kbps of {place}.rungs do not rise")
    for i, (surround, item) in enumerate(zip(beside, items, strict=True)):
        low, high = surround.interval_mos
        if not AVQ_RANGE[0] - _AVQ_WIDTH <= low <= high <= AVQ_RANGE[1] + _AVQ_WIDTH:
            raise ValueError(f"{place}.rungs[{i}].surround.interval_mos is {shown(surround.interval_mos)}")
        if surround.audio.channels <= 2:
            raise ValueError(f"{place}.rungs[{i}].surround has audio of {surround.audio.channels} channels")
        refuse_unknown(item["surround"]["audio"], AudioRendition, f"{place}.rungs[{i}].surround.audio")
