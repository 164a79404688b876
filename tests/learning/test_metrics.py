"""Figures of merit against answers known beforehand."""

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.stats import rankdata

from abr_alloc.allocation.path import TIE_MOS
from abr_alloc.learning.metrics import (
    agreement,
    ccc,
    decision_regret,
    drops,
    map_logistic,
    ranks,
    trade_off_order,
)


def test_agreement_of_a_vector_with_itself_is_perfect() -> None:
    y = np.array([1.0, 2.0, 4.0])
    found = agreement(y, y)
    assert (found.plcc, found.srcc, found.rmse, found.num) == (pytest.approx(1), pytest.approx(1), 0, 3)


def test_rank_correlation_ignores_a_monotone_map_and_rmse_does_not() -> None:
    y = np.array([1.0, 2.0, 3.0, 4.0])
    found = agreement(y**3, y)
    assert found.srcc == pytest.approx(1)
    assert found.rmse > 1


def test_concordance_is_one_for_equals_and_loses_to_scale_and_shift() -> None:
    y = np.array([1.0, 2.0, 3.0, 4.0])
    assert ccc(y, y) == pytest.approx(1.0)
    # 2 cov / (var x + var y + (difference of means)^2), by hand.
    assert ccc(y + 1.0, y) == pytest.approx(2 * 1.25 / (1.25 + 1.25 + 1.0))
    assert ccc(2.0 * y, y) == pytest.approx(2 * 2.5 / (5.0 + 1.25 + 2.5**2))


def test_the_logistic_map_takes_out_a_logistic_and_nothing_else() -> None:
    x = np.linspace(-3, 3, 50)
    y = 2.0 + 2.5 / (1.0 + np.exp(-(x - 0.4) / 0.7))
    assert np.abs(map_logistic(x, y) - y).max() < 1e-3
    noise = np.random.default_rng(0).normal(scale=0.1, size=50)
    mapped = map_logistic(x, y + noise)
    assert np.sqrt(np.mean((mapped - y - noise) ** 2)) <= np.sqrt(np.mean(noise**2))
    assert (np.diff(mapped) >= 0).all()


def test_the_logistic_map_never_turns_an_order_round() -> None:
    x = np.arange(20.0)
    mapped = map_logistic(x, -x)
    assert (np.diff(mapped) >= -1e-9).all()
    assert map_logistic(np.ones(5), np.arange(5.0)) == pytest.approx([2.0] * 5)


@pytest.mark.parametrize(
    "shape", [np.tanh, np.copy, lambda q: 1.0 / (1.0 + np.exp(-5.0 * q))], ids=["tanh", "line", "step"]
)
@pytest.mark.parametrize("noise", [0.01, 0.3])
def test_the_logistic_map_is_that_of_scipy(shape, noise) -> None:
    """Of predictions that have to do with the targets; of others, both end in one of several valleys."""
    generator = np.random.default_rng(3)
    x = generator.normal(size=80)
    y = shape(x) + generator.normal(scale=noise, size=80)
    centred, scaled = (x - x.mean()) / x.std(), (y - y.min()) / np.ptp(y)

    def curve(b):
        return b[0] + b[1] / (1.0 + np.exp(-np.clip((centred - b[2]) / b[3], -50.0, 50.0)))

    bounds = ([-4.0, 0.0, -6.0, 0.05], [1.0, 10.0, 6.0, 20.0])
    found = least_squares(lambda b: curve(b) - scaled, [0.0, 1.0, 0.0, 0.6], bounds=bounds, ftol=1e-10, max_nfev=2000)
    expected = y.min() + np.ptp(y) * curve(found.x)
    rmse, least = (float(np.sqrt(np.mean((mapped - y) ** 2))) for mapped in (map_logistic(x, y), expected))
    assert rmse <= least * (1.0 + 1e-4)


def test_trade_off_order_counts_only_pairs_that_trade() -> None:
    # One content: (video, audio) = (hi, lo) rated 3, (lo, hi) rated 2; (hi, hi) trades with neither.
    video, audio = np.array([2, 1, 2]), np.array([1, 2, 2])
    target, content = np.array([3.0, 2.0, 4.0]), ["a", "a", "a"]
    assert trade_off_order(target, target, content, video, audio, threshold=0.5) == (1.0, 1)
    assert trade_off_order(-target, target, content, video, audio, threshold=0.5) == (0.0, 1)
    assert trade_off_order(target, target, content, video, audio, threshold=2.0)[1] == 0
    assert trade_off_order(target, target, ["a", "b", "c"], video, audio, threshold=0.5)[1] == 0


def test_regret_is_what_the_choice_loses_in_truth() -> None:
    total = np.array([[100.0, 200.0], [300.0, 400.0]])
    truth = np.array([[1.0, 2.0], [3.0, 4.0]])
    wrong = np.array([[9.0, 0.0], [0.0, 0.0]])
    assert decision_regret(total, truth, truth, 350) == 0
    assert decision_regret(total, wrong, truth, 350) == 2
    assert decision_regret(total, wrong, truth, 50) is None


def test_regret_is_of_the_score_alone_however_little_it_prefers_a_dearer_pair() -> None:
    total, truth = np.array([[100.0], [300.0]]), np.array([[4.0], [3.0]])
    score = np.array([[4.0], [4.0 + TIE_MOS / 10]])
    assert decision_regret(total, score, truth, 300) == 1.0


def test_drops_compare_neighbours_of_one_group_by_rate() -> None:
    scores = np.array([[3.0, 1.0], [2.0, 2.0], [5.0, 5.0]])  # (V, A)
    rates = np.array([200.0, 100.0, 50.0])
    groups = np.array(["a", "a", "b"], dtype=object)
    assert drops(scores, rates, groups, axis=0).tolist() == [0.0, 1.0]
    assert drops(scores, np.array([1.0, 2.0]), np.array(["x", "x"], dtype=object), axis=1).tolist() == [2.0, 0.0, 0.0]


@pytest.mark.parametrize("values", [[3.0, 1.0, 2.0], [1.0, 1.0, 0.5, 1.0, 0.5], [2.0], [1.0, np.nan, 0.0]])
def test_ranks_are_scipys(values) -> None:
    assert np.array_equal(ranks(np.array(values)), rankdata(values), equal_nan=True)
