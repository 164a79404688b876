"""Where a picture lies and how its samples are meant, against pictures whose place and meaning are known."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.measure.registration import Reading, find_place, read_as, reading_error


def picture(scale_x=1.0, shift_x=0.0, scale_y=1.0, shift_y=0.0) -> np.ndarray:
    """Eight smooth pictures at `scale * u + shift`, coordinates from -1 to 1, (8, 18, 32)."""
    rng = np.random.default_rng(4)
    y = scale_y * ((2 * np.arange(18) + 1) / 18 - 1)[:, None] + shift_y
    x = scale_x * ((2 * np.arange(32) + 1) / 32 - 1)[None, :] + shift_x
    waves = rng.uniform(-5, 5, (8, 6, 2))
    return np.array([120 + sum(25 * np.sin(a * x + b * y) for a, b in frame) for frame in waves])


def test_a_picture_in_its_place_is_found_there():
    place = find_place(picture(), 0.95 * picture() + 4)
    assert place is not None
    assert abs(place.largest) < 1e-3
    assert place.gain == pytest.approx(0.95, abs=1e-3)


@pytest.mark.parametrize(
    ("scale", "shift", "left", "right"), [(0.9, 0.0, 0.05, 0.05), (0.98, 0.02, 0.02, 0.0), (1.25, 0.0, -0.125, -0.125)]
)
def test_crops_and_borders_are_measured(scale, shift, left, right):
    place = find_place(picture(), picture(scale_x=scale, shift_x=shift))
    assert place is not None
    assert (place.left, place.right) == (pytest.approx(left, abs=2e-3), pytest.approx(right, abs=2e-3))
    assert max(abs(place.top), abs(place.bottom)) < 2e-3
    assert place.error < 0.3 * place.error_in_place


def test_a_flat_picture_has_no_place():
    assert find_place(np.full((4, 18, 32), 90.0), np.full((4, 18, 32), 91.0)) is None


def test_the_true_reading_is_the_nearest():
    rng = np.random.default_rng(6)
    luma, chroma = rng.uniform(60, 180, (5, 18, 32)), rng.uniform(90, 160, (5, 2, 9, 16))
    wanted = Reading(in_full_range=False, matrix="bt709")
    for full in (False, True):
        for matrix in ("bt709", "bt601"):
            given = Reading(in_full_range=full, matrix=matrix)
            stored = read_as(luma, chroma, wanted, given)
            assert reading_error((luma, chroma), read_as(*stored, given, wanted)) < 1e-9
            if given != wanted:
                assert reading_error((luma, chroma), stored) > 1.0


def test_primary_red_is_the_same_red_in_both_matrices():
    """Rec. ITU-R BT.709 and BT.601: R = 1, G = B = 0 is Y' = Kr, Cr = 0.5."""
    luma, chroma = np.full((1, 2, 2), 16 + 219 * 0.2126), np.full((1, 2, 1, 1), 128.0)
    chroma[0, 0], chroma[0, 1] = 128 - 224 * 0.2126 / 1.8556, 128 + 224 * 0.5
    red = read_as(
        luma, chroma, Reading(in_full_range=False, matrix="bt709"), Reading(in_full_range=False, matrix="bt601")
    )
    assert red[0][0, 0, 0] == pytest.approx(16 + 219 * 0.299)
    assert red[1][0, 1, 0, 0] == pytest.approx(128 + 224 * 0.5)
