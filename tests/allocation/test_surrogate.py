"""What is believed of renditions: what was measured, and between and beyond it a smooth surface."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.allocation.surrogate import believe

CRF = np.tile([18.0, 26.0, 32.0, 38.0, 44.0], 4)
SIDE = np.repeat([240.0, 360.0, 540.0, 720.0], 5)
U, W = (CRF - 18.0) / 26.0, np.log2(SIDE / 720.0)


def title(slope: float = -3.0) -> tuple[np.ndarray, np.ndarray]:
    """Rate and AVQ of a title whose logarithm and logit are quadratic."""
    kbps = np.exp(7.5 + slope * U + 1.1 * W + 0.1 * U * W + 0.4 * U**2)
    return kbps, 1.0 + 3.07 / (1.0 + np.exp(-5.0 + 3.8 * U - 1.3 * W + 0.6 * U * W))


def test_what_was_measured_is_not_doubted() -> None:
    kbps, avq = np.array([900.0, 20.0, 500.0]), np.array([3.9, 2.0, 4.5])  # nothing like a real title
    found = believe(CRF, SIDE, np.array([3, 7, 11]), kbps, avq)
    assert np.exp(found.log_kbps[[3, 7, 11]]) == pytest.approx(kbps)
    assert found.avq_mos[[3, 7, 11]] == pytest.approx(avq)


@pytest.mark.parametrize("slope", [-3.0, -2.2, -4.2])
def test_a_quadratic_title_is_known_from_a_third_of_its_renditions(slope) -> None:
    kbps, avq = title(slope)
    measured = np.array([0, 4, 8, 12, 15, 18])
    found = believe(CRF, SIDE, measured, kbps[measured], avq[measured])
    assert np.abs(found.log_kbps - np.log(kbps)).max() < 0.15
    assert np.abs(found.avq_mos - avq).max() < 0.1


def test_with_two_corners_rates_rise_with_size_and_fall_with_crf() -> None:
    kbps, avq = title()
    found = believe(CRF, SIDE, np.array([4, 15]), kbps[[4, 15]], avq[[4, 15]])
    for values in (found.log_kbps, found.avq_mos):
        table = values.reshape(4, 5)
        assert (np.diff(table, axis=0) > 0.0).all()
        assert (np.diff(table, axis=1) < 0.0).all()
    assert found.avq_mos.min() >= 1.0


def test_one_size_and_one_crf_are_no_special_case() -> None:
    found = believe(np.array([30.0]), np.array([360.0]), np.array([0]), np.array([100.0]), np.array([3.0]))
    assert found.avq_mos == pytest.approx([3.0])
