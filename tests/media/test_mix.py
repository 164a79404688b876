"""The stereo mix: gains by channel."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.media.mix import stereo_matrix

C = 0.5**0.5


@pytest.mark.parametrize(
    ("channels", "left", "right"),
    [
        (["FC"], [1], [1]),
        (["NONE"], [1], [1]),
        (["FL", "FR"], [1, 0], [0, 1]),
        (["NONE"] * 2, [1, 0], [0, 1]),
        (["FL", "FR", "FC", "LFE", "BL", "BR"], [1, 0, C, 0, C, 0], [0, 1, C, 0, 0, C]),
        (["FL", "FR", "FC", "LFE", "SL", "SR"], [1, 0, C, 0, C, 0], [0, 1, C, 0, 0, C]),
        (["NONE"] * 6, [1, 0, C, 0, C, 0], [0, 1, C, 0, 0, C]),
        (["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"], [1, 0, C, 0, C, 0, C, 0], [0, 1, C, 0, 0, C, 0, C]),
        (["FL", "FR", "BL", "BR"], [1, 0, C, 0], [0, 1, 0, C]),
        (["FL", "FR", "FC", "BC"], [1, 0, C, 0.5], [0, 1, C, 0.5]),
        (["FL", "FR", "LFE"], [1, 0, 0], [0, 1, 0]),
        (["FL", "FR", "FC", "LFE", "SL", "SR", "TFL", "TFR"], [1, 0, C, 0, C, 0, C, 0], [0, 1, C, 0, 0, C, 0, C]),
    ],
)
def test_gains_are_those_of_bs_775(channels, left, right) -> None:
    assert stereo_matrix(channels) == pytest.approx(np.array([left, right]))


@pytest.mark.parametrize("channels", [["AMBI0", "AMBI1", "AMBI2", "AMBI3"], ["NONE"] * 16, ["FL", "FR", "USR7"]])
def test_what_has_no_such_mix_has_none(channels) -> None:
    assert stereo_matrix(channels) is None
