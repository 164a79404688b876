"""The teacher: laws that hold for any input, and that fitting finds a formula it made itself."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr_alloc.models.teacher import AUDIO_NODES, VIDEO_COLUMNS, fit_teacher, load_teacher, scale_to_mos

TEACHER = load_teacher()
unit = st.floats(0, 1)
motion = st.floats(0, 40)


@given(st.lists(unit, min_size=4, max_size=4), st.integers(0, 3), st.floats(0, 0.5), motion)
def test_a_higher_vif_never_lowers_the_label(vif: list[float], scale: int, more: float, frame_diff: float) -> None:
    better = list(vif)
    better[scale] = min(1.0, better[scale] + more)
    low, high = TEACHER.video_gain(np.array([[*vif, frame_diff], [*better, frame_diff]]))
    assert high >= low


@given(st.floats(1, 5), st.floats(0, 2))
def test_better_audio_never_lowers_the_label(audio_mos: float, more: float) -> None:
    low, high = TEACHER.audio_gain(np.array([audio_mos, min(5.0, audio_mos + more)]))
    assert high >= low - 1e-12


@given(st.lists(unit, min_size=4, max_size=4), motion, st.floats(1, 5))
def test_labels_stay_on_the_scale(vif: list[float], frame_diff: float, audio_mos: float) -> None:
    mos = TEACHER.rate(np.array([[*vif, frame_diff]]), np.array([audio_mos]))
    assert mos.shape == (1, 1)
    assert 1.0 <= mos[0, 0] <= 5.0


def test_the_label_is_a_product_of_a_video_and_an_audio_term() -> None:
    x_v = np.array([[0.2, 0.4, 0.5, 0.6, 5.0], [0.7, 0.9, 0.95, 0.97, 5.0]])
    mos100 = (TEACHER.rate(x_v, np.array(AUDIO_NODES)) - 1.0) * 25.0 - TEACHER.c0
    assert np.linalg.matrix_rank(mos100, tol=1e-9) == 1


def test_the_scale_transform_maps_0_to_1_and_100_to_5() -> None:
    assert scale_to_mos(np.array([0.0, 50.0, 100.0])).tolist() == [1.0, 3.0, 5.0]


@pytest.mark.parametrize("second", [True, False], ids=["with video ratings", "alone"])
def test_fitting_finds_the_formula_that_made_the_ratings(second: bool) -> None:
    rng = np.random.default_rng(0)
    vif = np.sort(rng.uniform(0.05, 0.98, size=(120, 4)), axis=1)
    frame_diff = rng.uniform(3.0, 20.0, size=120)
    gains = TEACHER.audio_gain(np.array(AUDIO_NODES))[np.tile([0, 1, 2], 40)]
    video = pd.DataFrame(vif, columns=list(VIDEO_COLUMNS[:4])).assign(frame_diff=frame_diff)
    mos = TEACHER.c0 + TEACHER.video_gain(video.to_numpy()) * gains
    other = video.assign(motion2=frame_diff / 1.5, mos=1.0 + 4.0 * TEACHER.video_gain(video.to_numpy()) / TEACHER.scale)
    fitted = fit_teacher(
        video.to_numpy(), np.array(AUDIO_NODES)[np.tile([0, 1, 2], 40)], mos, other if second else None
    )
    predicted = (
        fitted.c0
        + fitted.video_gain(video.to_numpy()) * fitted.audio_gain(np.array(AUDIO_NODES))[np.tile([0, 1, 2], 40)]
    )
    assert np.sqrt(np.mean((predicted - mos) ** 2)) < 1.0
    assert fitted.audio_gains[2] == 1.0


@pytest.mark.parametrize("column", VIDEO_COLUMNS)
def test_the_formula_reads_columns_of_the_table(column: str) -> None:
    from abr_alloc.features.table import COLUMNS

    assert column in COLUMNS
