"""The rules of a ladder: the programme that designs one and the check of a finished one obey the same."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from abr_alloc.allocation.audience import lognormal, weighted
from abr_alloc.allocation.candidates import list_candidates
from abr_alloc.allocation.ladder import choose_number, design_ladders, free_number_rules
from abr_alloc.allocation.ladder_rules import (
    LadderRules,
    RungArrays,
    enough_kbps,
    is_played,
    may_follow,
    most_audio,
    rate_allowed,
    rates_below,
    size_allowed,
)
from abr_alloc.allocation.rung import Ladder, keeps_rules, make_ladder
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.errors import InfeasibleLadderError

LOOSE = LadderRules(max_audio=None, min_ratio=1.001, max_ratio=1000.0, tie_mos=0.0)
AUDIENCE = lognormal(700, 0.8)


@pytest.fixture(scope="module")
def surface(make_surface) -> QualitySurface:
    """Every rule can bind: more rate, a larger picture and dearer audio are each better."""
    video_kbps, audio_kbps = [100.0, 180.0, 320.0, 560.0, 1000.0, 1800.0], [24.0, 64.0, 128.0]
    avq = 4.8 - 3.8 * np.exp(-np.add.outer(np.array(video_kbps) / 600, np.array(audio_kbps) / 100))
    return make_surface(avq, video_kbps, audio_kbps, [240, 240, 360, 360, 720, 720])


TIGHTENED = {
    "max_audio": 1,
    "min_kbps": 400.0,
    "max_kbps": 1000.0,
    "min_ratio": 2.2,
    "max_ratio": 1.5,
    "top_avq_mos": 4.0,
    "sides_px": ((240, 240), (360, 360)),
    "min_step_mos": 0.9,
    "min_played_share": 0.25,
}
"""Every rule, tighter than what the best four rungs keep by themselves."""


def test_there_is_a_case_for_every_rule() -> None:
    assert set(TIGHTENED) | {"tie_mos"} == set(LadderRules.__dataclass_fields__)


@pytest.mark.parametrize("rule", TIGHTENED)
def test_what_the_check_refuses_the_programme_gives_up(rule: str, surface: QualitySurface) -> None:
    loose = design_ladders(surface, AUDIENCE, 4, LOOSE)[-1]
    assert len(loose.rungs) == 4 and keeps_rules(loose, LOOSE)
    tight = replace(LOOSE, **{rule: TIGHTENED[rule]})
    assert not keeps_rules(loose, tight)
    for other in design_ladders(surface, AUDIENCE, 4, tight):
        assert keeps_rules(other, tight)
        assert other.rungs != loose.rungs


def hand_made(surface: QualitySurface, pairs: Sequence[tuple[int, int]]) -> Ladder:
    """A ladder of any pairs (video, audio) of a surface, by rate."""
    rungs = [
        (surface.video[v], surface.audio[a], float(surface.total_kbps[v, a]), float(surface.avq_mos[v, a]), "")
        for v, a in pairs
    ]
    return make_ladder(surface.title, rungs, NARROW_AND_WIDE, (0.0, 0.0))


NARROW_AND_WIDE = weighted(np.array([200.0, 600.0]), np.ones(2), "n")

# AVQ (V, A), video rates, audio rates, sides, and the pairs that would serve this audience best without the rule.
UNCONDITIONAL = {
    "video rate falls": ([[1.5, 3.0], [2.5, 4.0], [2.9, 2.0]], [80, 100, 150], [30, 450], [240] * 3, [(2, 0), (1, 1)]),
    "size falls": ([[2.0, 2.1], [3.0, 3.1], [4.0, 4.1]], [100, 120, 400], [30, 90], [240, 720, 240], [(1, 0), (2, 1)]),
    "AVQ falls": ([[3.0], [2.0]], [100, 400], [30], [240, 240], [(0, 0), (1, 0)]),
    "dear audio is left": ([[1.5, 3.0], [4.0, 3.5]], [60, 400], [30, 90], [240, 360], [(0, 1), (1, 0)]),
    "audio of one rate changes": ([[1.5, 3.0], [4.0, 3.5]], [60, 400], [90, 90], [240, 360], [(0, 1), (1, 0)]),
}


@pytest.mark.parametrize("fault", UNCONDITIONAL)
def test_neither_check_nor_programme_allows_that(fault: str, make_surface) -> None:
    avq, video_kbps, audio_kbps, sides, pairs = UNCONDITIONAL[fault]
    surface = make_surface(avq, video_kbps, audio_kbps, sides)
    lawless = hand_made(surface, pairs)
    assert [r.total_kbps for r in lawless.rungs] == sorted(r.total_kbps for r in lawless.rungs)
    assert not keeps_rules(lawless, LOOSE)
    for found in design_ladders(surface, NARROW_AND_WIDE, 2, LOOSE):
        assert keeps_rules(found, LOOSE)
        assert found.rungs != lawless.rungs


def test_of_a_free_number_the_check_holds_rungs_to_being_worth_having(surface: QualitySurface) -> None:
    found, rules = choose_number(list_candidates(surface, AUDIENCE, LOOSE), LOOSE, 0.3), free_number_rules(LOOSE, 0.3)
    assert keeps_rules(found, rules)
    crowded = design_ladders(surface, AUDIENCE, len(found.rungs) + 2, LOOSE)[-1]
    assert keeps_rules(crowded, LOOSE) and not keeps_rules(crowded, rules)


def test_what_is_good_enough_on_the_surface_counts_in_the_check(surface: QualitySurface) -> None:
    ladder = design_ladders(surface, AUDIENCE, 3, LOOSE)[-1]
    top_kbps = ladder.rungs[-1].total_kbps
    assert keeps_rules(ladder, LOOSE, most_kbps=top_kbps)
    assert not keeps_rules(ladder, LOOSE, most_kbps=top_kbps - 1.0)


def rungs(total_kbps: Sequence[float]) -> RungArrays:
    n = len(total_kbps)
    return RungArrays(
        total_kbps=np.array(total_kbps),
        avq_mos=np.full(n, 3.0),
        video_kbps=np.full(n, 100.0),
        audio_kbps=np.full(n, 64.0),
        side_px=np.full(n, 240),
        audio=np.zeros(n, dtype=int),
    )


def test_rules_broadcast_over_rungs_below_and_above() -> None:
    some, rules = rungs([100.0, 130.0, 200.0, 251.0]), LadderRules()
    assert may_follow(some.at((slice(None), None)), some.at(slice(1, None)), rules).tolist() == [
        [True, True, False],
        [False, True, True],
        [False, False, False],
        [False, False, False],
    ]


@pytest.mark.parametrize("factor", [1.0 - 1e-12, 1.0, 1.0 + 1e-12])
@pytest.mark.parametrize("ratio", [1.3, 2.5])
def test_a_ratio_may_be_off_by_rounding_and_lies_within_the_window(ratio: float, factor: float) -> None:
    below, above = rungs([1000.0 / ratio * factor]), rungs([1000.0])
    assert may_follow(below, above, LadderRules()).all()
    least, most = rates_below(1000.0, 1000.0, LadderRules())
    assert least <= below.total_kbps[0] <= most


def test_bounds_themselves_are_allowed() -> None:
    rules = LadderRules(min_kbps=100.0, max_kbps=200.0, sides_px=((240, 360), (720, 720)), min_played_share=0.2)
    assert rate_allowed(np.array([99.0, 100.0, 200.0, 201.0]), rules).tolist() == [False, True, True, False]
    assert size_allowed(np.array([239, 240, 360, 480, 720]), rules).tolist() == [False, True, True, False, True]
    assert size_allowed(np.array([144, 4320]), LadderRules()).all()
    assert is_played(np.array([0.19, 0.2]), rules).tolist() == [False, True]


def test_enough_is_the_rate_of_the_cheapest_that_is_good_enough() -> None:
    total_kbps, avq_mos = np.array([100.0, 300.0, 200.0]), np.array([3.0, 4.2, 4.2], dtype=np.float32)
    assert enough_kbps(total_kbps, avq_mos, LadderRules(top_avq_mos=4.2)) == 200.0
    assert enough_kbps(total_kbps, avq_mos, LadderRules(top_avq_mos=4.3)) == math.inf
    assert enough_kbps(total_kbps, avq_mos, LadderRules()) == math.inf


def test_no_more_audio_renditions_than_offered_or_allowed() -> None:
    assert [most_audio(LadderRules(max_audio=n), 2) for n in (1, 2, 3, None)] == [1, 2, 2, 2]


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ({"max_audio": 0}, ["`max_audio` 0"]),
        ({"min_kbps": 500, "max_kbps": 400}, ["`min_kbps` 500k", "`max_kbps` 400k"]),
        ({"min_ratio": 3.0, "max_ratio": 2.0}, ["`min_ratio` 3", "`max_ratio` 2"]),
        ({"min_ratio": 1.0}, ["`min_ratio` 1"]),
        ({"min_ratio": math.nan}, ["`min_ratio` nan"]),
    ],
)
def test_rules_that_contradict_each_other_are_named(rules: dict, named: list[str]) -> None:
    with pytest.raises(InfeasibleLadderError) as refused:
        LadderRules(**rules)
    assert all(name in str(refused.value) for name in named)


def test_rules_are_checked_when_they_are_changed_too() -> None:
    with pytest.raises(InfeasibleLadderError):
        replace(LadderRules(max_kbps=100), min_kbps=200)
