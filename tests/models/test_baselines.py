"""The product, the standard, and video quality, against answers known beforehand."""

import numpy as np
import pytest

from abr_alloc.models.baselines import FittedVideoQuality, P1203Integration, WeightedProduct
from abr_alloc.models.teacher import load_teacher, mos_of_points

NEUTRAL = (np.array([3.0]), np.array([3.0]))


def column(*values: float) -> np.ndarray:
    return np.array(values)[:, None]


def test_the_product_is_the_papers() -> None:
    product = WeightedProduct(audio_weight=0.3, video_weight=0.7, neutral=NEUTRAL)
    assert product.predict(column(4.0), column(2.0)) == pytest.approx([4.0**0.3 * 2.0**0.7])


@pytest.mark.parametrize(
    ("audio", "video", "expected"),
    [
        # -.00069084 + .15374283 A + .97153861 V + .02461776 A V
        (4.0, 3.0, -0.00069084 + 4 * 0.15374283 + 3 * 0.97153861 + 12 * 0.02461776),
        (5.0, 5.0, 5.0),  # clipped
        (1.0, 1.0, 1.0),  # Amendment 1: audio of 1 takes all that is above 1
        (1.5, 4.0, 1 + 0.5 * (-0.00069084 + 1.5 * 0.15374283 + 4 * 0.97153861 + 6 * 0.02461776 - 1)),
    ],
)
def test_the_standard_is_p1203_3_with_amendment_1(audio: float, video: float, expected: float) -> None:
    found = P1203Integration(neutral=NEUTRAL).predict(column(audio), column(video))
    assert found == pytest.approx([expected], abs=1e-6)


@pytest.mark.parametrize(
    "system", [WeightedProduct(audio_weight=0.3, video_weight=0.7, neutral=NEUTRAL), P1203Integration(neutral=NEUTRAL)]
)
def test_a_grid_holds_every_pair_and_survives_its_state(system) -> None:
    q_a, q_v = column(1.2, 3.0, 4.5), column(2.0, 4.0)
    grid = system.predict_grid(q_a, q_v)
    assert grid.shape == (2, 3)
    assert grid.ravel() == pytest.approx(system.predict(np.tile(q_a, (2, 1)), np.repeat(q_v, 3, axis=0)))
    assert type(system).restore(*system.state()).predict_grid(q_a, q_v) == pytest.approx(grid)
    assert system.change_norm(q_a, q_v) is None


def test_vmaf_becomes_quality_by_the_scale_transform() -> None:
    quality = FittedVideoQuality(teacher=None, neutral=(70.0,))
    assert quality(column(0.0, 50.0, 100.0))[:, 0].tolist() == [1.0, 3.0, 5.0]


def test_the_product_form_gives_quality_under_transparent_audio() -> None:
    teacher = load_teacher()
    quality = FittedVideoQuality(teacher=teacher, neutral=(0.5, 0.8, 0.9, 0.95, 6.0, 0.9))
    x_v = np.array([[0.3, 0.7, 0.8, 0.9, 6.0, 0.8], [0.7, 0.95, 0.98, 0.99, 6.0, 0.97]])
    assert quality(x_v)[:, 0] == pytest.approx(mos_of_points(teacher.c0 + teacher.video_gain(x_v)))
    again = FittedVideoQuality.restore(quality.settings())
    assert again == quality
