"""Ranges of both components, and people's relevance by analysis of variance."""

import itertools

import numpy as np
import pytest

from abr_alloc.learning.relevance_fit import effect_sizes, fit_ranges
from abr_alloc.models.relevance import surface_effects


class Sum:
    """AVQ = 3 + 1.5 a + 0.75 v of one audio and one video column, with feature changes of 1 and 5."""

    architecture = "sum"
    neutral = (np.zeros(1), np.zeros(1))

    def predict(self, x_a: np.ndarray, x_v: np.ndarray) -> np.ndarray:
        return 3.0 + 1.5 * x_a[:, 0] + 0.75 * x_v[:, 0]

    def predict_grid(self, x_a: np.ndarray, x_v: np.ndarray) -> np.ndarray:
        return 3.0 + 1.5 * x_a[None, :, 0] + 0.75 * x_v[:, None, 0]

    def change_norm(self, x_a: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full(len(x_a), 1.0), np.full(len(x_a), 5.0)

    def state(self) -> tuple[dict, dict]:
        return {}, {}


def test_ranges_hold_both_modalities() -> None:
    x = np.array([[0.0], [1.0]])
    found = fit_ranges(Sum(), x, x)
    assert found.ablation == pytest.approx((0.0, 1.5 / 5.25))
    assert found.change_norm == (1.0, 5.0)


def test_effect_sizes_of_a_full_grid_are_those_of_the_surface() -> None:
    surface = np.random.default_rng(0).normal(size=(8, 3))
    keys = list(itertools.product(range(8), range(3)))
    found = effect_sizes(surface.ravel(), [v for v, _ in keys], [a for _, a in keys])
    assert found == pytest.approx(surface_effects(surface))


def test_effect_sizes_do_without_some_cells() -> None:
    # An additive table with holes: what a factor explains beyond the other is found all the same.
    keys = [key for key in itertools.product(range(4), range(3)) if key not in {(0, 0), (3, 2)}]
    values = np.array([2.0 * v for v, _ in keys])
    audio, video = effect_sizes(values, [v for v, _ in keys], [a for _, a in keys])
    assert audio == pytest.approx(0.0, abs=1e-9)
    assert video > 1.0
