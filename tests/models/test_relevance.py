"""Relevance: Eq. 6-8, shares of a scene, analysis of variance."""

import numpy as np
import pytest

from abr_alloc.allocation.prediction import shares_of
from abr_alloc.models.relevance import (
    ALPHA,
    BETA,
    RelevanceRanges,
    SceneShares,
    estimate_relevance,
    importance,
    scene_shares,
    surface_effects,
)


class Additive:
    """AVQ = 3 + a w_a + v w_v of one audio and one video column that average 0; its feature changes are given."""

    architecture = "additive"
    neutral = (np.zeros(1), np.zeros(1))

    def __init__(self, w_a: float, w_v: float, change: tuple[float, float] | None = None) -> None:
        self.w_a, self.w_v, self.change = w_a, w_v, change

    def predict(self, x_a: np.ndarray, x_v: np.ndarray) -> np.ndarray:
        return 3.0 + self.w_a * x_a[:, 0] + self.w_v * x_v[:, 0]

    def predict_grid(self, x_a: np.ndarray, x_v: np.ndarray) -> np.ndarray:
        return 3.0 + self.w_a * x_a[None, :, 0] + self.w_v * x_v[:, None, 0]

    def change_norm(self, x_a: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        return None if self.change is None else tuple(np.full(len(x_a), c) for c in self.change)  # type: ignore[return-value]

    def state(self) -> tuple[dict, dict]:
        return {}, {}


RANGES = RelevanceRanges(ablation=(0.0, 0.5), change_norm=(1.0, 3.0))
HALF = SceneShares(ablation=0.25, anova=0.5)
ONE = np.ones((1, 1))


def test_ablation_at_a_pair_is_equation_6() -> None:
    (found,) = estimate_relevance(Additive(0.5, 0.25), RANGES, [HALF], ONE, ONE)
    assert found.ablation == {"audio": pytest.approx(0.5 / 3.75), "video": pytest.approx(0.25 / 3.75)}
    assert found.change_norm is None


def test_the_eq8_share_is_equation_8() -> None:
    (found,) = estimate_relevance(Additive(0.5, 0.25, (2.0, 1.5)), RANGES, [HALF], ONE, ONE)
    audio = ALPHA * (0.5 / 3.75) / 0.5 + BETA * (1 - 0.5)
    video = ALPHA * (0.25 / 3.75) / 0.5 + BETA * (1 - 0.25)
    assert found.eq8_audio_share == pytest.approx(audio / (audio + video))
    assert (found.audio_share, found.video_share, found.ablation_audio_share) == (0.5, 0.5, 0.25)


def test_ablation_weighs_more_than_change() -> None:
    assert ALPHA > BETA


def test_without_embeddings_importance_is_the_ablation_term() -> None:
    found = importance(RelevanceRanges(ablation=(0.0, 0.5), change_norm=None), np.array([[0.25], [0.5]]), None)
    assert found.tolist() == [[0.5], [1.0]]


def test_a_scenes_share_is_that_of_what_moves_it() -> None:
    x = np.linspace(-1, 1, 5)[:, None]
    for w_a, w_v, expected in ((0.5, 0.5, 0.5), (0.6, 0.2, 0.75), (0.0, 1.0, 0.0), (0.0, 0.0, 0.5)):
        model = Additive(w_a, w_v)
        found = scene_shares(model, model.predict_grid(x, x), x, x)
        assert found.ablation == pytest.approx(expected, abs=0.01)  # of |f|, which varies a little
        assert found.anova == pytest.approx(0.5 if w_a == w_v else w_a**2 / (w_a**2 + w_v**2))


def test_surface_effects_are_the_main_effects_of_an_analysis_of_variance() -> None:
    audio, video = np.array([0.0, 1.0, 2.0]), np.array([0.0, 4.0])  # (A,), (V,)
    ss_audio, ss_video = surface_effects(np.add.outer(video, audio))
    assert (ss_audio, ss_video) == (pytest.approx(2 * 2.0), pytest.approx(3 * 8.0))


def test_shares_of_many_scenes_are_those_of_each_by_itself() -> None:
    rng = np.random.default_rng(3)
    shapes = [(6, 3), (1, 4), (6, 3), (5, 1), (1, 1), (12, 7), (6, 3), (30, 31)]
    scenes = [[rng.uniform(1.0, 5.0, size).astype(np.float32) for size in ((v, a), (v,), (a,))] for v, a in shapes]
    together = shares_of(*map(list, zip(*scenes, strict=True)))
    assert together == [shares_of([avq], [video], [audio])[0] for avq, video, audio in scenes]
    for found, (avq, without_audio, without_video) in zip(together, scenes, strict=True):
        change_a = np.abs(avq - without_audio[:, None]) / avq
        change_v = np.abs(avq - without_video) / avq
        assert found.ablation == pytest.approx(change_a.mean() / (change_a.mean() + change_v.mean()), rel=1e-5)
