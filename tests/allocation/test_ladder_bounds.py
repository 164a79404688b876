"""What total rates alone say of the ladders through a candidate."""

import itertools

import numpy as np
import pytest

from abr_alloc.allocation.audience import lognormal
from abr_alloc.allocation.candidates import SurfacePairs, list_candidates
from abr_alloc.allocation.ladder_bounds import LadderBounds
from abr_alloc.allocation.ladder_rules import LadderRules, may_follow
from abr_alloc.allocation.rung import FOOT_MOS, expected_avq_mos

RULES = LadderRules(min_ratio=1.25, max_ratio=3.0, tie_mos=0.0)
AUDIENCE = lognormal(900, 0.9)


def pairs(make_surface, seed: int, *, one_size: bool = False) -> SurfacePairs:
    rng = np.random.default_rng(seed)
    video = np.sort(rng.choice([100.0, 150.0, 220.0, 400.0, 700.0, 1100.0, 1600.0], 5, replace=False))
    audio = [40.0] if one_size else [40.0, 90.0]
    avq = np.sort(rng.uniform(1, 5, (5, len(audio))), axis=0)
    sides = [360] * 5 if one_size else rng.choice([240, 720], 5).tolist()
    return list_candidates(make_surface(avq, video, audio, sides), AUDIENCE, RULES)


def sums_of(c: SurfacePairs, number: int) -> dict[tuple[int, ...], float]:
    """What every ladder of so many rungs that keeps the rules sums to, by its candidates."""
    found = {}
    for places in itertools.combinations(range(len(c.video)), number):
        rungs = c.rungs.at(list(places))
        if may_follow(rungs.at(slice(None, -1)), rungs.at(slice(1, None)), RULES).all():
            found[places] = expected_avq_mos(rungs.total_kbps, rungs.avq_mos, AUDIENCE) - FOOT_MOS
    return found


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_no_ladder_expects_more_than_each_of_its_candidates_promises(make_surface, seed: int, number: int) -> None:
    c = pairs(make_surface, seed)
    promised = LadderBounds(c, c.share, RULES).of_rungs(number)
    for places, reached in sums_of(c, number).items():
        assert (promised[list(places)] >= reached - 1e-12).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("number", [1, 2, 3])
def test_with_one_size_and_one_audio_the_promise_is_kept(make_surface, seed: int, number: int) -> None:
    """Then AVQ rises with the rate, and ratios are all that the rules ask for."""
    c = pairs(make_surface, seed, one_size=True)
    promised, sums = LadderBounds(c, c.share, RULES).of_rungs(number), sums_of(c, number)
    for place in range(len(c.video)):
        best = max((reached for places, reached in sums.items() if place in places), default=-np.inf)
        assert promised[place] == pytest.approx(best, abs=1e-12)


def test_where_ratios_leave_no_ladder_nothing_is_promised(make_surface) -> None:
    c = list_candidates(make_surface([[2.0], [3.0]], [100.0, 110.0], [40.0]), AUDIENCE, RULES)
    bounds = LadderBounds(c, c.share, RULES)
    assert np.isfinite(bounds.of_rungs(1)).all()
    assert not np.isfinite(bounds.of_rungs(2)).any()
