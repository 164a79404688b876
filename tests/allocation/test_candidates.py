"""Candidates for rungs: what an engineer would sign, by looking at every pair beside every other."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.allocation.candidates import allowed_pairs
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.surface import QualitySurface

TIE = 0.02


@pytest.fixture(scope="module")
def surfaces(make_surface) -> st.SearchStrategy[QualitySurface]:
    @st.composite
    def surface(draw: st.DrawFn) -> QualitySurface:
        video = draw(st.lists(st.sampled_from([100, 200, 210, 400, 800]), min_size=1, max_size=6))
        audio = draw(st.lists(st.sampled_from([32, 64, 64, 96, 128]), min_size=1, max_size=4))
        sides = [draw(st.sampled_from([240, 360, 720])) for _ in video]
        avq = [[draw(st.integers(300, 310)) / 100 for _ in audio] for _ in video]
        return make_surface(avq, video, audio, sides)

    return surface()


def candidates(surface: QualitySurface) -> list[list[bool]]:
    """By the words of the module, pair by pair."""
    total, avq = surface.total_kbps, surface.avq_mos.astype(float)
    rate = [r.bitrate_kbps for r in surface.audio]
    side = [r.height_px for r in surface.video]

    @functools.cache
    def is_one(v: int, a: int) -> bool:
        affordable = total <= total[v, a] * (1 + 1e-9)
        as_good = np.argwhere(affordable & (avq >= avq[affordable].max() - TIE)).tolist()
        return not any(is_one(i, k) for i, k in as_good if rate[k] < rate[a] or (k == a and side[i] > side[v]))

    return [[is_one(v, a) for a in range(len(rate))] for v in range(len(side))]


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_a_pair_is_a_candidate_unless_the_same_money_buys_as_much_with_cheaper_audio_or_a_larger_picture(
    surfaces, data: st.DataObject
) -> None:
    surface = data.draw(surfaces)
    assert allowed_pairs(surface, LadderRules(tie_mos=TIE)).tolist() == candidates(surface)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_what_is_left_out_costs_no_more_than_a_near_tie_at_any_rate(surfaces, data: st.DataObject) -> None:
    surface = data.draw(surfaces)
    found = allowed_pairs(surface, LadderRules(tie_mos=TIE))
    for kbps in surface.total_kbps.ravel():
        affordable = surface.total_kbps <= kbps * (1 + 1e-9)
        assert surface.avq_mos[affordable & found].max() >= surface.avq_mos[affordable].max() - TIE - 1e-6


def test_without_a_tie_every_pair_that_the_rules_allow_is_a_candidate(make_surface) -> None:
    surface = make_surface(np.full((3, 3), 3.0), [100, 200, 400], [32, 64, 96])
    assert allowed_pairs(surface, LadderRules(tie_mos=0.0)).all()


def test_two_megabits_do_not_carry_dear_audio_nor_a_small_picture_for_a_hundredth_of_a_mos(make_surface) -> None:
    kbps = [1900.0, 1900.0, 1840.0, 1840.0]
    avq = [[4.00, 4.005], [3.99, 3.995], [3.99, 4.0], [3.985, 3.99]]
    surface = make_surface(avq, kbps, [96.0, 190.0], [240, 720, 240, 720])
    found = allowed_pairs(surface, LadderRules())
    assert found[:, 0].tolist() == [False, True, False, True]
    assert not found[:, 1].any()
