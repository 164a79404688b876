"""Judgement: figures, their intervals, trade-offs and relevance within contents."""

import numpy as np
import pandas as pd
import pytest

from abr_alloc.learning.dataset import TrainingSet
from abr_alloc.learning.ratings import from_ratings
from abr_alloc.learning.scoring import (
    METRICS,
    RELEVANCE_MEASURES,
    Judgement,
    choices,
    judge,
    judge_fixed,
    of_dataset,
    score,
)


@pytest.fixture(scope="module")
def data(make_ratings) -> TrainingSet:
    return from_ratings(make_ratings(6))


def every(data: TrainingSet) -> np.ndarray:
    return np.arange(len(data.pairs))


def test_who_says_what_people_say_is_right_throughout(data: TrainingSet) -> None:
    found = score(judge(data.mos, data, every(data)), resamples=20)
    for name in ("plcc", "srcc", "ccc", "trade_off_order", "relevance_spearman:anova"):
        assert (found[name].value, found[name].low, found[name].high) == pytest.approx((1, 1, 1)), name
    assert found["rmse"].value == pytest.approx(0.0, abs=1e-9)


def test_every_metric_has_a_value_inside_its_interval(data: TrainingSet) -> None:
    rng = np.random.default_rng(0)
    noisy = data.mos + rng.normal(scale=0.3, size=len(data.mos))
    ablated, changed = rng.uniform(0.1, 0.3, (2, len(noisy))), rng.uniform(1, 2, (2, len(noisy)))
    found = score(judge(noisy, data, every(data), ablated=ablated, changed=changed, weight=ablated), resamples=60)
    assert found.keys() == {*METRICS, *(f"relevance_spearman:{m}" for m in RELEVANCE_MEASURES)}
    for name, estimate in found.items():
        assert estimate.low <= estimate.value + 0.2, name
        assert estimate.low <= estimate.high, name


def test_rmse_is_in_the_ratings_own_unit(data: TrainingSet) -> None:
    found = score(judge(data.mos + 0.04, data, every(data)), resamples=0)
    assert found["rmse"].value == pytest.approx(1.0)  # .04 of 1-5 is one point of 100


def test_relevance_is_the_rank_agreement_of_ratios(data: TrainingSet) -> None:
    judged = judge(data.mos, data, every(data))
    human = {name: ratio["human"] for name, ratio in judged.ratios.items()}
    # Ablation that is n times as strong for audio as its human ratio says: the same order.
    ablated = np.array([[human[name] ** 3, 1.0] for name in data.content]).T
    found = score(judge(data.mos, data, every(data), ablated=ablated, weight=ablated[::-1]), resamples=0)
    assert found["relevance_spearman"].value == pytest.approx(1.0)
    assert found["relevance_spearman:eq8"].value == pytest.approx(-1.0)
    assert np.isnan(found["relevance_spearman:change_norm"].value)


def test_less_change_counts_as_more_importance(data: TrainingSet) -> None:
    human = {name: ratio["human"] for name, ratio in judge(data.mos, data, every(data)).ratios.items()}
    changed = np.array([[1.0, human[name]] for name in data.content]).T  # audio changes less where it matters more
    found = score(judge(data.mos, data, every(data), ablated=changed, changed=changed), resamples=0)
    assert found["relevance_spearman:change_norm"].value == pytest.approx(1.0)


def test_large_tables_are_thinned_without_moving_their_figures() -> None:
    rng = np.random.default_rng(0)
    sizes = {"large": 6000, "small": 300, "tiny": 60}
    content = np.concatenate([[name] * n for name, n in sizes.items()]).astype(object)
    target = rng.uniform(1, 5, len(content))
    error = np.where(content == "large", 0.1, 0.6) * rng.normal(size=len(content))
    found = score(
        Judgement(
            predicted=target + error,
            target=target,
            scale=(1.0, 5.0),
            content=content,
            group=content,
            trade_offs=dict.fromkeys(sizes, (1, 1)),
            ratios={},
        ),
        resamples=100,
    )
    assert found["rmse"].low < found["rmse"].value < found["rmse"].high


def test_one_content_has_figures_but_no_intervals(make_ratings) -> None:
    data = from_ratings(make_ratings(1))
    found = score(judge(data.mos, data, every(data)))
    assert found["plcc"].value == pytest.approx(1.0)
    assert np.isnan(found["plcc"].low)
    assert np.isnan(found["relevance_spearman"].value)


def test_relevance_is_not_read_off_conditions_that_are_nearly_all_different(make_ratings) -> None:
    sparse = from_ratings(
        make_ratings(4).drop(columns=["video_condition", "audio_codec", "audio_kbps"]).assign(audio_mos=3.0)
    )
    judged = judge(sparse.mos, sparse, every(sparse))
    assert judged.ratios == {}


def test_without_trade_offs_there_is_no_order(data: TrainingSet) -> None:
    best_audio = np.flatnonzero(data.condition_a == "aac 128")
    found = score(judge(data.mos[best_audio], data, best_audio), resamples=10)
    assert np.isnan(found["trade_off_order"].value)
    assert np.isnan(found["relevance_spearman:anova"].value)


# Choices.


@pytest.fixture(scope="module")
def panel_frame(make_video_ratings) -> pd.DataFrame:
    return make_video_ratings()


def test_people_choose_as_people_do_and_without_loss(panel_frame) -> None:
    data = from_ratings(panel_frame)
    found = choices(judge(data.mos, data, every(data)))
    assert found is not None
    assert (found.hull_regret.mean, found.hull_regret.worst) == pytest.approx((0, 0), abs=1e-9)
    assert found.right_pairs.share == 1.0
    assert found.right_pairs.num > 0


def test_a_fixed_score_is_judged_in_its_own_unit(panel_frame) -> None:
    data = from_ratings(panel_frame)
    judged = judge_fixed("vmaf", data)
    assert judged is not None
    assert judged.predicted == pytest.approx(panel_frame["vmaf"].to_numpy(), rel=1e-6)
    found = choices(judged)
    assert found is not None
    assert found.hull_regret.worst > 0.5  # the content whose pictures it judges by their size
    assert judge_fixed("vmaf_neg", data) is None


def test_data_sets_share_out_the_budgets_and_pairs(panel_frame) -> None:
    data = from_ratings(panel_frame)
    judged = judge_fixed("vmaf", data)
    assert judged is not None and judged.panel is not None
    whole, a, b = (choices(j) for j in (judged, of_dataset(judged, "a"), of_dataset(judged, "b")))
    assert whole and a and b
    assert whole.hull_regret.num == a.hull_regret.num + b.hull_regret.num
    assert whole.hull_regret.worst == a.hull_regret.worst > b.hull_regret.worst
    assert len(score(of_dataset(judged, "a"), resamples=0)) == len(score(judged, resamples=0))


def test_ratings_without_size_and_rate_leave_no_choice(data: TrainingSet) -> None:
    assert choices(judge(data.mos, data, every(data))) is None
