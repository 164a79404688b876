"""What stands beside a plan's pair, and the shares of its scene."""

import dataclasses

import numpy as np
import pytest

from abr_alloc.allocation.plan import plan_surfaces
from abr_alloc.allocation.preference import preference_probability
from abr_alloc.models.checkpoint import Model
from abr_alloc.models.intervals import Intervals
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
    ("budget", "cheaper", "loss"),
    [
        (132.0, (100.0, 32.0), 0.0),  # nothing is cheaper
        (228.0, (100.0, 128.0), 0.0),  # 0.4 MOS less is no slight loss
        (728.0, (300.0, 128.0), 0.1),
        (1000.0, (300.0, 128.0), 0.1),
    ],
)
def test_beside_each_pair_stands_the_cheapest_that_is_hardly_worse(make_model, make_surface, budget, cheaper, loss):
    (a,) = plan_surfaces([make_surface(AVQ, *KBPS)], [budget], make_model(0.3)).allocations
    found = a.cheaper
    assert (found.video.bitrate_kbps, found.audio.bitrate_kbps) == cheaper
    assert found.total_kbps == sum(cheaper)
    assert a.avq_mos - found.avq_mos == pytest.approx(loss, abs=1e-6)


def test_the_probability_is_of_the_predicted_difference_and_the_models_error(make_model, make_surface):
    (a,) = plan_surfaces([make_surface(AVQ, *KBPS)], [1000.0], make_model(0.3)).allocations
    expected = preference_probability(a.avq_mos - a.cheaper.avq_mos, 0.3)
    assert a.cheaper.preference_probability == expected
    assert 0.0 < expected < 0.5


def test_a_pair_is_never_preferred_to_itself(make_model, make_surface):
    (a,) = plan_surfaces([make_surface(AVQ, *KBPS)], [132.0], make_model(2.0)).allocations
    assert a.cheaper.video == a.video
    assert a.cheaper.preference_probability == 0.0


def test_a_model_that_knows_less_is_never_surer_that_nobody_would_care(make_model, make_surface):
    """The wording must not sell ignorance as indifference: a wide interval moves the probability towards a half."""
    surface = make_surface(AVQ, *KBPS)
    found = [
        plan_surfaces([surface], [1000.0], make_model(d)).allocations[0].cheaper.preference_probability
        for d in np.linspace(0.01, 4, 20)
    ]
    assert found == sorted(found)
    assert found[-1] < 0.5


def test_vmaf_and_audio_quality_stand_in_rows_where_they_are_known(make_model, make_surface):
    surface = make_surface(AVQ, *KBPS)
    plan = plan_surfaces([surface], [1000.0], make_model(0.1))
    assert plan.to_frame()[["vmaf", "audio_quality_mos"]].isna().all(axis=None)
    known = dataclasses.replace(
        surface,
        video=tuple(dataclasses.replace(v, vmaf=90.0) for v in surface.video),
        audio=tuple(dataclasses.replace(a, quality_mos=4.5) for a in surface.audio),
    )
    (row,) = plan_surfaces([known], [1000.0], make_model(0.1)).to_frame().to_dict("records")
    assert (row["vmaf"], row["audio_quality_mos"]) == (90.0, 4.5)


def test_a_scenes_share_is_the_same_under_every_budget(make_model, make_surface):
    plan = plan_surfaces([make_surface(AVQ, *KBPS)], [200.0, 500.0, 1000.0], make_model(0.1))
    assert len({a.relevance.audio_share for a in plan.allocations}) == 1
    assert len({a.relevance.eq8_audio_share for a in plan.allocations}) > 1
