"""Fitting the teacher finds a formula that it made itself."""

import numpy as np
import pandas as pd
import pytest

from abr_alloc.learning.teacher_fit import fit_teacher
from abr_alloc.models.teacher import AUDIO_NODES, load_teacher
from abr_alloc.table.table import VIDEO_FEATURES

TEACHER = load_teacher()


@pytest.mark.parametrize("second", [True, False], ids=["with video ratings", "alone"])
def test_fitting_finds_the_formula_that_made_the_ratings(second: bool) -> None:
    rng = np.random.default_rng(0)
    vif = np.sort(rng.uniform(0.05, 0.98, size=(120, 4)), axis=1)
    x_v = np.column_stack([vif, rng.uniform(1.0, 15.0, size=120), rng.uniform(0.4, 0.99, size=120)])
    quality = np.array(AUDIO_NODES)[np.tile([0, 1, 2], 40)]
    offset = np.repeat(rng.normal(scale=0.2, size=8), 15)
    points = TEACHER.points(x_v, quality) + offset
    video = pd.DataFrame(x_v, columns=list(VIDEO_FEATURES))
    alone = video.assign(mos=1.0 + 3.6 / (1.0 + np.exp(-TEACHER.video_logit(x_v))))
    fitted = fit_teacher(x_v, quality, points, np.repeat(np.arange(8), 15), alone if second else None)
    assert np.sqrt(np.mean((fitted.points(x_v, quality) - points) ** 2)) < 1.0
    assert fitted.audio_gains[2] == 1.0


def test_what_a_content_adds_to_all_its_ratings_does_not_bend_the_formula() -> None:
    """The contents with sharp pictures are liked less for other reasons: within every content people prefer them."""
    rng = np.random.default_rng(1)
    vif = np.sort(rng.uniform(0.2, 0.98, size=(160, 4)), axis=1)
    content = np.repeat(np.arange(8), 20)
    adm2 = np.clip(0.55 + 0.05 * content + rng.uniform(0.0, 0.08, size=160), 0.0, 1.0)
    x_v = np.column_stack([vif, np.full(160, 5.0), adm2])
    quality = np.array(AUDIO_NODES)[np.arange(160) % 3]
    points = TEACHER.points(x_v, quality) - 2.5 * content
    fitted = fit_teacher(x_v, quality, points, content)
    within = points + 2.5 * content
    assert np.corrcoef(fitted.points(x_v, quality), within)[0, 1] > 0.99
