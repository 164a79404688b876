"""What cannot be told from a plan's pair, and the shares of its scene."""

import numpy as np
import pytest

from abr_alloc.allocation.plan import plan_surfaces
from abr_alloc.models.checkpoint import Model
from abr_alloc.models.conformal import Intervals
from abr_alloc.models.relevance import RelevanceRanges


class Additive:
    """AVQ = 2 + x_v + x_a of the columns that `make_surface` writes."""

    architecture = "additive"
    neutral = (np.zeros(1, np.float32), np.zeros(1, np.float32))

    def predict(self, x_a: np.ndarray, x_v: np.ndarray) -> np.ndarray:
        return 2.0 + x_v[:, 0] + x_a[:, 0]

    def predict_grid(self, x_a: np.ndarray, x_v: np.ndarray) -> np.ndarray:
        return 2.0 + x_v[:, None, 0] + x_a[None, :, 0]

    def change_norm(self, *_: object) -> None:
        return None

    def state(self) -> tuple[dict, dict]:
        return {}, {}


@pytest.fixture
def make_model():
    def make(difference_mos: float) -> Model:
        return Model(
            name="m",
            card={},
            predictor=Additive(),
            relevance_ranges=RelevanceRanges(ablation=(0.0, 1.0), change_norm=None),
            intervals=Intervals(interval_mos=(-0.2, 0.2), difference_mos=difference_mos),
        )

    return make


AVQ = np.array([[2.0, 2.4], [3.0, 3.4], [3.1, 3.5]])
KBPS = (100.0, 300.0, 600.0), (32.0, 128.0)


@pytest.mark.parametrize(
    ("difference", "num", "kbps"),
    [(0.0, 1, 728.0), (0.1, 2, 428.0), (0.4, 3, 428.0), (0.5, 4, 332.0), (2.0, 6, 132.0)],
)
def test_pairs_within_the_interval_of_a_difference_are_counted_and_the_cheapest_is_named(
    make_model, make_surface, difference, num, kbps
):
    (allocation,) = plan_surfaces([make_surface(AVQ, *KBPS)], [1000.0], make_model(difference + 1e-6)).allocations
    found = allocation.indistinguishable
    assert (found.num_pairs, found.total_kbps) == (num, kbps)
    assert allocation.avq_mos - found.avq_mos <= difference + 1e-5
    assert found.video.bitrate_kbps + found.audio.bitrate_kbps == kbps


def test_a_wider_interval_never_makes_the_cheapest_dearer(make_model, make_surface):
    surface = make_surface(np.random.default_rng(0).uniform(1, 5, (6, 4)), range(100, 700, 100), (16, 32, 64, 128))
    rates = [
        plan_surfaces([surface], [500.0], make_model(d)).allocations[0].indistinguishable.total_kbps
        for d in np.linspace(0, 4, 20)
    ]
    assert rates == sorted(rates, reverse=True)


def test_a_scenes_share_is_the_same_under_every_budget(make_model, make_surface):
    plan = plan_surfaces([make_surface(AVQ, *KBPS)], [200.0, 500.0, 1000.0], make_model(0.1))
    assert len({a.relevance.audio_share for a in plan.allocations}) == 1
    assert len({a.relevance.eq8_audio_share for a in plan.allocations}) > 1
