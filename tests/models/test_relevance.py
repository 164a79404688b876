"""Relevance: Eq. 6-8."""

import numpy as np
import pytest

from abr_alloc.models.relevance import ALPHA, BETA, RelevanceRanges, estimate_relevance, fit_ranges


class Fixed:
    """A network whose components are given."""

    def __init__(self, ablation: tuple[list[float], list[float]], change: tuple[list[float], list[float]]) -> None:
        self._ablation, self._change = ablation, change

    def ablation(self, *_: object) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self._ablation[0]), np.array(self._ablation[1])

    def change_norm(self, *_: object) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self._change[0]), np.array(self._change[1])


RANGES = RelevanceRanges(ablation=(0.0, 0.5), change_norm=(1.0, 3.0))
NONE = np.zeros((1, 1))


def test_the_share_is_equation_8() -> None:
    (found,) = estimate_relevance(Fixed(([0.25], [0.1]), ([2.0], [1.5])), RANGES, NONE, NONE)  # type: ignore[arg-type]
    audio = ALPHA * 0.5 + BETA * (1 - 0.5)
    video = ALPHA * 0.2 + BETA * (1 - 0.25)
    assert found.audio_share == pytest.approx(audio / (audio + video))
    assert found.audio_share + found.video_share == 1.0
    assert found.ablation == {"audio": 0.25, "video": 0.1}
    assert found.change_norm == {"audio": 2.0, "video": 1.5}


def test_equal_components_share_equally_and_nothing_is_half() -> None:
    same = Fixed(([0.2, 0.0], [0.2, 0.0]), ([1.2, 9.0], [1.2, 9.0]))
    found = estimate_relevance(same, RANGES, NONE, NONE)  # type: ignore[arg-type]
    assert [r.audio_share for r in found] == [0.5, 0.5]


def test_more_sensitivity_means_more_share() -> None:
    shares = [
        estimate_relevance(Fixed(([a], [0.1]), ([2.0], [2.0])), RANGES, NONE, NONE)[0].audio_share  # type: ignore[arg-type]
        for a in (0.0, 0.1, 0.3, 0.5)
    ]
    assert shares == sorted(shares)
    assert shares[1] == pytest.approx(0.5)


def test_ablation_weighs_more_than_change() -> None:
    assert ALPHA > BETA


def test_ranges_hold_both_modalities() -> None:
    found = fit_ranges(Fixed(([0.1, 0.4], [0.0, 0.2]), ([1.0, 1.5], [2.0, 5.0])), NONE, NONE)  # type: ignore[arg-type]
    assert (found.ablation, found.change_norm) == ((0.0, 0.4), (1.0, 5.0))
