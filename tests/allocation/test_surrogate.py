"""What is estimated of renditions: what was measured, and between and beyond it curves like any title's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from abr_alloc.allocation.surrogate import QUANTITIES, forward, given, inverse, load_prior, on_x264_scale
from abr_alloc.table.table import read_features
from abr_alloc.targets import Target

CRF = np.tile([44.0, 38.0, 32.0, 26.0, 18.0], 4)
SIDE = np.repeat([240.0, 360.0, 540.0, 720.0], 5)
EXAMPLE = Path(__file__).parents[2] / "examples" / "clip_features.parquet"


def test_a_quantity_is_itself_again() -> None:
    for name, values in (("bitrate_kbps", [3.0, 4000.0]), ("vif_scale0", [0.05, 0.99]), ("vmaf", [0.0, 55.0, 99.0])):
        assert inverse(name, forward(name, np.array(values))) == pytest.approx(values)
    assert 0.0 <= inverse("vmaf", np.array([-50.0]))[0] < inverse("vmaf", np.array([50.0]))[0] <= 100.0


def test_before_anything_is_measured_rate_and_picture_rise_with_size_and_fall_with_crf() -> None:
    mean = load_prior().joint(CRF, SIDE).mean.reshape(len(QUANTITIES), 4, 5)
    for name, values in zip(QUANTITIES, mean, strict=True):
        assert (np.diff(values, axis=0) > 0.0).all(), name
        assert (np.diff(values, axis=1) > 0.0).all(), name


def test_what_was_measured_is_not_doubted() -> None:
    prior, known = load_prior().joint(CRF, SIDE), [0, 7, 19]
    values = prior.mean[:, known] + np.array([0.5, -0.4, 0.2])  # nothing like what was expected
    found = given(prior, known, values)
    assert found.mean[:, known] == pytest.approx(values, abs=1e-4)
    for f in range(len(QUANTITIES)):
        assert found.covariance[f, known, f, known] == pytest.approx(0.0, abs=1e-4)


def test_each_measurement_narrows_what_is_left_open_and_a_surprise_widens_it() -> None:
    prior = load_prior().joint(CRF, SIDE)

    def spread(known: list[int], off: float) -> float:
        values = prior.mean[:, known] + off * np.where(np.arange(len(known)) % 2, -1.0, 1.0)
        return float(np.einsum("fcfc->", given(prior, known, values).covariance))

    assert spread([0, 19], 0.0) > spread([0, 19, 12], 0.0) > spread([0, 19, 12, 7], 0.0)
    assert spread([0, 19, 12, 7], 1.0) > spread([0, 19, 12, 7], 0.0)
    assert np.einsum("fcfc->", given(prior, [0, 19], None).covariance) < np.einsum("fcfc->", prior.covariance)


def test_of_a_real_title_six_of_twenty_renditions_tell_the_others() -> None:
    video = read_features(EXAMPLE).of_kind("video")
    rows = video[(video["title"] == "bbb-rabbit-wakes-720p") & (video["scene"] == 0)]
    crf = np.array([Target(target).number for target in rows["target"]])
    side = rows["height_px"].to_numpy(dtype=np.float64)
    values = np.stack([forward(name, rows[name].to_numpy(dtype=np.float64)) for name in QUANTITIES])
    wanted = {(240, 44), (720, 18), (720, 32), (540, 38), (240, 32), (360, 38)}
    known = [i for i, cell in enumerate(zip(side, crf, strict=True)) if cell in wanted]
    found = given(load_prior().joint(crf, side), known, values[:, known])
    assert np.abs(found.mean[0] - values[0]).max() < 0.25  # of the logarithm of the rate
    vmaf = inverse("vmaf", found.mean[QUANTITIES.index("vmaf")])
    assert np.abs(vmaf - rows["vmaf"].to_numpy()).mean() < 3.0


def test_av1s_parameters_lie_where_x264_would_have_them() -> None:
    assert on_x264_scale("av1", np.array([22.0, 58.0])) == pytest.approx([18.0, 44.0])
    assert on_x264_scale("hevc", np.array([22.0])) == pytest.approx([22.0])
