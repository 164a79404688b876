"""The teacher: laws that hold for any input, and that fitting finds a formula it made itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from abr_alloc.models.audio_quality import TRANSPARENT_MOS
from abr_alloc.models.teacher import AUDIO_NODES, _gain, load_teacher, mos_of_points, points_of_mos
from abr_alloc.table.table import VIDEO_FEATURES

TEACHER = load_teacher()
unit = st.floats(0, 1)
motion = st.floats(0, 40)
QUALITIES = [i for i, name in enumerate(VIDEO_FEATURES) if name != "motion2"]


def stack(vif: list[float], motion2: float, adm2: float) -> np.ndarray:
    return np.array([[*vif, motion2, adm2]])


@given(st.lists(unit, min_size=4, max_size=4), motion, unit, st.sampled_from(QUALITIES), st.floats(0, 0.5))
def test_a_better_picture_by_any_feature_never_lowers_the_label(vif, motion2, adm2, feature, more) -> None:
    worse = stack(vif, motion2, adm2)
    better = worse.copy()
    better[0, feature] = min(1.0, better[0, feature] + more)
    low, high = TEACHER.video_gain(np.concatenate([worse, better]))
    assert high >= low - 1e-12


def test_a_soft_picture_is_worse_however_faithful_its_vif() -> None:
    faithful = [0.8, 0.9, 0.95, 0.97]
    sharp, soft = TEACHER.rate(np.concatenate([stack(faithful, 3.0, 0.97), stack(faithful, 3.0, 0.75)]), AUDIO)[:, 0]
    assert sharp - soft > 0.5


AUDIO = np.array([TRANSPARENT_MOS])


@given(st.floats(1, 5), st.floats(0, 2))
def test_better_audio_never_lowers_the_label(quality: float, more: float) -> None:
    low, high = TEACHER.audio_gain(np.array([quality, min(5.0, quality + more)]))
    assert high >= low - 1e-12


@given(st.lists(unit, min_size=4, max_size=4), motion, unit, st.floats(1, 5))
def test_labels_stay_on_the_scale(vif, motion2, adm2, quality) -> None:
    mos = TEACHER.rate(stack(vif, motion2, adm2), np.array([quality]))
    assert mos.shape == (1, 1)
    assert 1.0 <= mos[0, 0] <= 5.0


def test_transparent_picture_and_sound_are_rated_as_panels_rate_hidden_references() -> None:
    best = TEACHER.rate(stack([1.0] * 4, 5.0, 1.0), AUDIO)[0, 0]
    assert 4.59 <= best <= 4.65


def test_the_label_is_a_product_of_a_video_and_an_audio_term() -> None:
    x_v = np.concatenate([stack([0.2, 0.4, 0.5, 0.6], 5.0, 0.7), stack([0.7, 0.9, 0.95, 0.97], 5.0, 0.95)])
    points = points_of_mos(TEACHER.rate(x_v, np.array(AUDIO_NODES))) - TEACHER.c0
    assert np.linalg.matrix_rank(points, tol=1e-9) == 1


def test_the_scale_is_affine_and_has_an_inverse() -> None:
    points = np.array([0.0, 19.55, 50.0, 100.0])
    assert mos_of_points(points)[1] == 1.1
    assert points_of_mos(mos_of_points(points)) == pytest.approx(points)
    assert np.ptp(np.diff(mos_of_points(points)) / np.diff(points)) < 1e-12


def test_the_gain_of_the_sound_is_scipys_pchip_to_the_last_bit() -> None:
    """Labels did not change when the curve came into the house."""
    low, middle, high = gains = (0.61, 0.83, 0.97)
    slope = (middle - low) / (AUDIO_NODES[1] - AUDIO_NODES[0])
    ends = (low - 0.5 * slope * (AUDIO_NODES[0] - 1.0), low, middle, high, high)
    quality = np.concatenate([np.linspace(1.0, 5.0, 997), AUDIO_NODES]).reshape(2, -1)
    assert (_gain(quality, gains) == PchipInterpolator((1.0, *AUDIO_NODES, 5.0), ends)(quality)).all()
