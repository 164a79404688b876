"""Hull regret and right pairs: a table worked out by hand, loops that say the definition again, and laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.learning.hull import judge_choices, regrets, right_pairs

# One content and codec. At 1000 kbps the small picture is better; the score prefers the large one from 900 on.
HEIGHT = np.array([360.0, 720.0, 360.0, 720.0, 1080.0])
KBPS = np.array([500.0, 900.0, 1000.0, 2000.0, 2400.0])
MOS = np.array([2.0, 2.2, 3.0, 3.5, 4.2])
SCORE = np.array([20.0, 40.0, 30.0, 60.0, 55.0])
ONE = np.zeros(5, dtype=int)
# Budget  500: one size only.
# Budget  900: 500 and 900 fit; best 2.2, chosen 2.2.
# Budget 1000: best 3.0, chosen 2.2 (score 40).
# Budget 2000: best 3.5, chosen 3.5.
# Budget 2400: best 4.2, chosen 3.5 (score 60).
REGRETS = [0.0, 0.8, 0.0, 0.7]
# Pairs of unlike size, rates within 25 %, MOS more than .3 apart: 900 with 1000 (wrong), 2000 with 2400 (wrong).


def test_the_table_worked_out_by_hand() -> None:
    lost, rows = regrets(ONE, HEIGHT, KBPS, MOS, SCORE)
    assert lost == pytest.approx(REGRETS)
    assert rows.tolist() == [1, 2, 3, 4]
    right, _ = right_pairs(ONE, HEIGHT, KBPS, MOS, SCORE, least_mos=0.3)
    assert right.tolist() == [False, False]
    found = judge_choices(ONE, np.full(5, "c", dtype=object), HEIGHT, KBPS, MOS, SCORE, scale=(1.0, 5.0))
    assert found.hull_regret.mean == pytest.approx(1.5 / 4)
    assert found.hull_regret.p95 == pytest.approx(np.quantile(REGRETS, 0.95))
    assert (found.hull_regret.worst, found.hull_regret.num) == (pytest.approx(0.8), 4)
    assert (found.right_pairs.share, found.right_pairs.num) == (0.0, 2)
    assert np.isnan(found.hull_regret.low)  # one content


def slowly(group, height, kbps, mos, score, least_mos):
    """The two definitions, one budget and one pair at a time."""
    lost, right = [], []
    for name in sorted(set(group.tolist())):
        i = [k for k in range(len(group)) if group[k] == name]
        for budget in kbps[i]:
            fits = sorted((k for k in i if kbps[k] <= 1.02 * budget), key=lambda k: kbps[k])
            if len({height[k] for k in fits}) > 1:
                chosen = max(fits, key=lambda k: score[k])  # the first of equals
                lost.append(max(mos[k] for k in fits) - mos[chosen])
        for n, a in enumerate(i):
            for b in i[:n]:
                alike = max(kbps[a], kbps[b]) <= 1.25 * min(kbps[a], kbps[b])
                if height[a] != height[b] and alike and abs(mos[a] - mos[b]) > least_mos + 1e-9:
                    right.append((score[a] - score[b]) * (mos[a] - mos[b]) > 0)
    return sorted(lost), sorted(right)


@st.composite
def rated(draw):
    """Groups of renditions with few values each, so that ties are common; rates differ, and are in any order."""
    n = draw(st.integers(1, 24))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    kbps = rng.choice(np.arange(100.0, 400.0), n, replace=False)
    return (
        rng.integers(0, 3, n),
        rng.choice([360.0, 720.0, 1080.0], n),
        kbps,
        rng.choice([1.0, 1.3, 2.0, 2.3, 3.5, 5.0], n),
        rng.choice([10.0, 20.0, 30.0, 40.0], n),
    )


@given(rated())
@settings(deadline=None)
def test_running_maxima_say_what_loops_say(table) -> None:
    lost, right = slowly(*table, 0.3)
    assert sorted(regrets(*table)[0]) == pytest.approx(lost)
    assert sorted(right_pairs(*table, least_mos=0.3)[0]) == right


@given(rated())
@settings(deadline=None)
def test_people_themselves_lose_nothing_and_order_every_pair(table) -> None:
    group, height, kbps, mos, _ = table
    assert (regrets(group, height, kbps, mos, mos)[0] == 0).all()
    assert right_pairs(group, height, kbps, mos, mos, least_mos=0.3)[0].all()


@given(rated())
@settings(deadline=None)
def test_only_the_order_of_scores_matters(table) -> None:
    *columns, score = table
    assert regrets(*columns, np.exp(score / 10))[0].tolist() == regrets(*columns, score)[0].tolist()


def test_of_equal_scores_the_lowest_bitrate_is_taken() -> None:
    equal = np.full(3, 50.0)
    rates, sizes = np.array([300.0, 100.0, 200.0]), np.array([1080.0, 360.0, 720.0])
    lost, rows = regrets(np.zeros(3, dtype=int), sizes, rates, np.array([4.0, 2.0, 3.0]), equal)
    assert dict(zip(rows.tolist(), lost.tolist(), strict=True)) == {2: 1.0, 0: 2.0}


def test_a_rendition_two_percent_above_a_budget_fits_it() -> None:
    sizes, mos, score = np.array([360.0, 720.0]), np.array([2.0, 3.0]), np.array([2.0, 1.0])
    group = np.zeros(2, dtype=int)
    assert len(regrets(group, sizes, np.array([100.0, 102.0]), mos, score)[0]) == 2
    assert len(regrets(group, sizes, np.array([100.0, 102.1]), mos, score)[0]) == 1


def test_groups_do_not_mix() -> None:
    lost, _ = regrets(np.array([0, 1]), np.array([360.0, 720.0]), np.array([100.0, 100.0]), MOS[:2], SCORE[:2])
    assert len(lost) == 0
    pairs, _ = right_pairs(
        np.array([0, 1]), np.array([360.0, 720.0]), np.array([100.0, 100.0]), MOS[:2], SCORE[:2], least_mos=0.1
    )
    assert len(pairs) == 0


def test_clearly_unlike_is_the_same_share_of_every_scale() -> None:
    content = np.full(5, "c", dtype=object)
    five = judge_choices(ONE, content, HEIGHT, KBPS, MOS, SCORE, scale=(1.0, 5.0))
    hundred = judge_choices(ONE, content, HEIGHT, KBPS, 25 * (MOS - 1), SCORE, scale=(0.0, 100.0))
    assert (hundred.right_pairs.share, hundred.right_pairs.num) == (five.right_pairs.share, five.right_pairs.num)
    assert hundred.hull_regret.mean == pytest.approx(25 * five.hull_regret.mean)


def test_a_mean_lies_inside_its_interval_over_contents() -> None:
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(20), 8)
    content = np.array([f"c{g // 2}" for g in group], dtype=object)
    kbps, height = rng.uniform(100, 2000, 160), rng.choice([360.0, 720.0, 1080.0], 160)
    mos = np.clip(np.log(kbps / 50) + rng.normal(scale=0.3, size=160), 1, 5)
    found = judge_choices(group, content, height, kbps, mos, mos + rng.normal(scale=0.5, size=160), scale=(1.0, 5.0))
    assert 0 < found.hull_regret.low < found.hull_regret.mean < found.hull_regret.high <= found.hull_regret.worst
    assert found.right_pairs.low < found.right_pairs.share < found.right_pairs.high


def test_without_choices_figures_are_absent_rather_than_zero() -> None:
    found = judge_choices(np.full(5, -1), np.full(5, "c", dtype=object), HEIGHT, KBPS, MOS, SCORE, scale=(1.0, 5.0))
    assert (found.hull_regret.num, found.right_pairs.num) == (0, 0)
    assert np.isnan([found.hull_regret.mean, found.hull_regret.p95, found.right_pairs.share]).all()
