"""Ladders with stereo and surround: the best of all that keep the rules in both, found by trying them all."""

import itertools
import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from abr_alloc.allocation import two_layouts
from abr_alloc.allocation.audience import lognormal
from abr_alloc.allocation.candidates import list_candidates
from abr_alloc.allocation.ladder import best_ladders
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.rung import keeps_rules
from abr_alloc.allocation.two_layouts import TwoLayouts, best_for_both, choose_number_for_both
from abr_alloc.errors import InfeasibleLadderError

MAX_RUNGS = 3
RULES = {
    "max_audio": [1, 2, None],
    "min_kbps": [150.0],
    "max_kbps": [700.0],
    "min_ratio": [1.05, 1.5],
    "max_ratio": [1.6, 4.0],
    "top_avq_mos": [3.0, 4.0],
    "min_step_mos": [0.0, 0.2],
    "min_played_share": [0.0, 0.05],
    "tie_mos": [0.0],
}


@st.composite
def rules(draw: st.DrawFn) -> LadderRules:
    given_ = {name: draw(st.sampled_from(values)) for name, values in RULES.items() if draw(st.booleans())}
    try:
        return LadderRules(**({"min_ratio": 1.01, "max_ratio": 50.0, "tie_mos": 0.0} | given_))
    except InfeasibleLadderError:
        return LadderRules(tie_mos=0.0)


@pytest.fixture(scope="module")
def problems(make_surface) -> st.SearchStrategy:
    """Pairs of either layout beside the same videos."""
    video_kbps = st.sampled_from([90, 100, 150, 200, 300, 450, 700, 1100]).map(float)

    @st.composite
    def problem(draw: st.DrawFn):
        video = draw(st.lists(video_kbps, min_size=2, max_size=5))
        sides = [draw(st.sampled_from([240, 360])) for _ in video]
        found = []
        for kbps in (st.sampled_from([30.0, 60.0, 60.0, 90.0]), st.sampled_from([100.0, 190.0, 300.0])):
            audio = draw(st.lists(kbps, min_size=1, max_size=3))
            if draw(st.booleans()):
                avq = 5 - 4 * np.exp(
                    -np.add.outer(np.array(video), 2 * np.array(audio)) / draw(st.sampled_from([150, 900]))
                )
            else:
                avq = np.array([[draw(st.sampled_from([1.0, 2.0, 2.5, 2.6, 4.0])) for _ in audio] for _ in video])
            found.append(make_surface(avq, video, audio, sides))
        return found

    return problem()


def by_trying_all(c: TwoLayouts, share_with, rules: LadderRules, size: int) -> float:
    """Highest expectation of any lawful ladder of a size, from the definition; -inf where there is none."""
    plain, beside = c.stereo.rungs, c.surround.rungs
    order = sorted(range(len(c.a)), key=lambda t: plain.total_kbps[c.a[t]])
    best = -math.inf
    for rungs in itertools.combinations(order, size):
        for layout, of_triple in ((plain, c.a), (beside, c.b)):
            if rules.max_audio is not None and len({layout.audio[of_triple[t]] for t in rungs}) > rules.max_audio:
                break
            if not all(
                rules.min_ratio - 1e-9 <= layout.total_kbps[j] / layout.total_kbps[i] <= rules.max_ratio + 1e-9
                and layout.video_kbps[j] >= layout.video_kbps[i]
                and layout.side_px[j] >= layout.side_px[i]
                and layout.avq_mos[j] - layout.avq_mos[i] >= rules.min_step_mos
                and (layout.audio[i] == layout.audio[j] or layout.audio_kbps[j] > layout.audio_kbps[i])
                for i, j in itertools.pairwise([of_triple[t] for t in rungs])
            ):
                break
        else:
            played, expected = np.zeros(size), 0.0
            for layout, of_triple, weight in ((plain, c.a, 1.0 - c.share), (beside, c.b, c.share)):
                with_it = [share_with(layout.total_kbps[of_triple[t]]) for t in rungs]
                own = np.array(with_it) - np.array([*with_it[1:], 0.0])
                played += weight * own
                q = np.array([layout.avq_mos[of_triple[t]] for t in rungs])
                expected += weight * (1.0 - with_it[0] + float(own @ q))
            if (played >= rules.min_played_share).all():
                best = max(best, expected)
    return best


def test_no_lawful_ladder_expects_more_in_both_layouts_together(problems) -> None:
    @settings(deadline=None, max_examples=60)
    @given(problems, rules(), st.sampled_from([0.1, 0.25, 0.7]), st.sampled_from([1, 2, 300]))
    def law(surfaces, rules, share, tried) -> None:
        audience = lognormal(300.0, 0.8)
        try:
            c = TwoLayouts.of(*(list_candidates(s, audience, rules) for s in surfaces), share)
        except InfeasibleLadderError:
            return
        if len(c.a) > 40:
            return
        with mock.patch.object(two_layouts, "_FIRST_TRIED", tried):
            try:
                found = best_for_both(c, MAX_RUNGS, rules)
            except InfeasibleLadderError:
                found = []
        for size in range(1, MAX_RUNGS + 1):
            best = by_trying_all(c, lambda kbps: float(stats.lognorm.sf(kbps, s=0.8, scale=300.0)), rules, size)
            if size > len(found):
                assert best == -math.inf
                return
            ladder = found[size - 1]
            assert ladder.expected_avq_mos == pytest.approx(best, abs=1e-9)
            told = sum(r.played_share * r.avq_mos + r.surround.played_share * r.surround.avq_mos for r in ladder.rungs)
            assert ladder.unreached_share + told == pytest.approx(best, abs=1e-9)
            assert keeps_rules(ladder, rules)

    law()


def smooth(make_surface) -> TwoLayouts:
    video, plain, beside = [80.0 * 1.3**i for i in range(14)], [32.0, 64.0, 96.0], [128.0, 192.0, 384.0]
    audience = lognormal(900.0, 0.9)
    surfaces = [
        make_surface(5 - 4 * np.exp(-np.add.outer(np.array(video), worth * np.array(audio)) / 500), video, audio)
        for audio, worth in ((plain, 4.0), (beside, 1.6))
    ]
    return TwoLayouts.of(*(list_candidates(s, audience, LadderRules()) for s in surfaces), 0.3)


def test_the_number_of_rungs_that_is_chosen_is_no_worse_than_any_other(make_surface) -> None:
    c, free = smooth(make_surface), two_layouts.free_number_rules(LadderRules(), 0.2)
    chosen = choose_number_for_both(c, LadderRules(), 0.2)
    best = max(best_for_both(c, 12, free), key=lambda ladder: ladder.expected_avq_mos)
    assert chosen.expected_avq_mos == pytest.approx(best.expected_avq_mos, abs=1e-12)


def test_a_share_of_next_to_nothing_is_the_stereo_ladder(make_surface) -> None:
    c = smooth(make_surface)
    nobody = TwoLayouts.of(c.stereo, c.surround, 1e-9)
    (ladder,) = best_for_both(nobody, 4, LadderRules(), min_rungs=4)
    alone = best_ladders(c.stereo, 4, LadderRules())[3]
    assert ladder.expected_avq_mos == pytest.approx(alone.expected_avq_mos, abs=1e-6)
    assert all(rung.surround is not None for rung in ladder.rungs)
