"""Which rungs may come right above which."""

import numpy as np
import pytest

from abr_alloc.allocation import transitions
from abr_alloc.allocation.ladder_rules import LadderRules, RungArrays, is_played, may_follow
from abr_alloc.allocation.transitions import Transitions, list_transitions

RULES = LadderRules(min_ratio=1.2, max_ratio=3.0, min_played_share=0.01)


def candidates(seed: int, number: int) -> tuple[RungArrays, np.ndarray]:
    rng = np.random.default_rng(seed)
    audio = rng.integers(0, 3, number)
    video_kbps = rng.uniform(100, 3000, number)
    order = np.argsort(video_kbps + 50.0 * (audio + 1))
    rungs = RungArrays(
        total_kbps=video_kbps + 50.0 * (audio + 1),
        avq_mos=rng.uniform(1, 5, number),
        video_kbps=video_kbps,
        audio_kbps=50.0 * (audio + 1),
        side_px=rng.choice([240, 720], number),
        audio=audio,
    ).at(order)
    return rungs, np.exp(-rungs.total_kbps / 1000)


@pytest.mark.parametrize("block", [7, 256])
def test_every_pair_that_keeps_the_rules_is_listed_once(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transitions, "_BLOCK", block)
    rungs, share = candidates(1, 60)
    found = list_transitions(rungs, share, RULES)
    below, above = rungs.at((slice(None), None)), rungs.at(slice(None))
    allowed = may_follow(below, above, RULES) & is_played(share[:, None] - share, RULES)
    same = below.audio == above.audio
    for kind, mask in zip(found, (allowed & same, allowed & ~same), strict=True):
        pairs = list(zip(kind.above.tolist(), kind.below.tolist(), strict=True))
        assert pairs == sorted((int(j), int(i)) for i, j in np.argwhere(mask))
        assert pairs


def test_the_best_of_every_candidate_is_over_its_own_transitions() -> None:
    steps = Transitions.of(np.array([0, 1, 0, 2]), np.array([2, 2, 3, 3]))
    assert steps.reached.tolist() == [2, 3]
    assert steps.best(np.array([1.0, 5.0, 4.0, 2.0])).tolist() == [5.0, 4.0]
    assert steps.best(np.array([[1.0, 5.0, 4.0, 2.0], [0.0, -1.0, -9.0, -8.0]])).tolist() == [[5.0, 4.0], [0.0, -8.0]]
    assert [steps.to(place).tolist() for place in range(4)] == [[], [], [0, 1], [0, 2]]


def test_turned_transitions_are_the_same_pairs_from_above() -> None:
    steps = Transitions.of(np.array([0, 1, 0, 2]), np.array([2, 2, 3, 3]))
    turned, order = steps.turned()
    assert (turned.reached.tolist(), turned.below.tolist(), turned.above.tolist()) == (
        [0, 1, 2],
        [2, 3, 2, 3],
        [0, 0, 1, 2],
    )
    assert steps.above[order].tolist() == turned.below.tolist()


def test_without_transitions_nothing_is_reached() -> None:
    none = Transitions.of(np.zeros(0, np.intp), np.zeros(0, np.intp))
    assert none.best(np.zeros((3, 0))).shape == (3, 0)
    assert none.reached.tolist() == none.to(0).tolist() == []
