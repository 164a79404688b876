"""The stereo mix: gains by channel."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.media.mix import STEREO_OF_SURROUND, has_surround, stereo_matrix, surround_matrix

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


EIGHT = ["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"]


def test_of_larger_layouts_5_1_keeps_what_it_has_and_adds_up_the_rest() -> None:
    assert surround_matrix(EIGHT[:6]).tolist() == np.eye(6).tolist()
    back = np.zeros((6, 8))
    back[[0, 1, 2, 3, 4, 5, 4, 5], range(8)] = 1.0
    assert surround_matrix(EIGHT).tolist() == back.tolist()
    assert surround_matrix(["FC"])[:, 0].tolist() == [0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    "channels",
    [
        *(EIGHT[:n] for n in (2, 3, 6, 8)), ["NONE"] * 6, ["FL", "FR", "FC", "LFE", "BC", "SL", "SR"],
        ["FL", "FR", "FC", "LFE", "SL", "SR", "TFL", "TFR", "TBL", "TBR"], ["FL", "FR", "FC", "BC", "LFE", "LFE2"],
        ["FL", "FR", "FC", "LFE", "SL", "SR", "TC", "TFC", "TBC", "WL", "WR", "FLC", "FRC", "TSL", "TSR"],
    ],
)  # fmt: skip
def test_what_is_mixed_to_5_1_and_then_to_stereo_is_mixed_to_stereo(channels) -> None:
    assert STEREO_OF_SURROUND @ surround_matrix(channels) == pytest.approx(stereo_matrix(channels), abs=1e-6)


@pytest.mark.parametrize(
    ("channels", "has"),
    [
        (EIGHT, True), (EIGHT[:6], True), (["NONE"] * 6, True), (EIGHT[:3], False), (["FL", "FR", "FC", "BC"], False),
        (["NONE"] * 10, False), (["FL", "FR", "FC", "BC", "SL", "SR"], False), (["AMBI0"] * 6, False),
    ],
)  # fmt: skip
def test_surround_has_all_the_channels_of_5_1(channels, has) -> None:
    assert has_surround(channels) is has
