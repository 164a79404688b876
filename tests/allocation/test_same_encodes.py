"""Other audio beside the videos that are there, and fewer rungs: every way tried out."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from abr_alloc.allocation.same_encodes import best_pairing, rungs_to_keep


def expected(avq: np.ndarray, share: np.ndarray) -> float:
    return 1.0 + float(np.diff(avq, prepend=1.0) @ share)


@st.composite
def ladders(draw):
    """AVQ (K, A), and shares (K, A) that fall with the rate of either stream; sometimes the same video twice."""
    num_rungs, num_audio = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    shape = num_rungs * num_audio
    avq = (
        np.array(draw(st.lists(st.integers(10, 50), min_size=shape, max_size=shape))).reshape(num_rungs, num_audio) / 10
    )
    same = np.array([False, *draw(st.lists(st.booleans(), min_size=num_rungs - 1, max_size=num_rungs - 1))])
    video = np.cumsum(np.where(same, 0, draw(st.lists(st.integers(1, 9), min_size=num_rungs, max_size=num_rungs))))
    audio = np.cumsum(draw(st.lists(st.integers(1, 3), min_size=num_audio, max_size=num_audio)))
    share = np.exp(-np.add.outer(video, audio) / draw(st.integers(5, 40)))
    return avq, share, same


def ways(avq, same, allowed, max_audio):
    for way in itertools.product(range(avq.shape[1]), repeat=len(avq)):
        rises = all((b > a) if twice else (b >= a) for a, b, twice in zip(way, way[1:], same[1:], strict=False))
        if rises and all(allowed[k, a] for k, a in enumerate(way)) and len(set(way)) <= max_audio:
            yield np.array(way)


@given(ladder=ladders(), max_audio=st.integers(1, 4), data=st.data())
def test_no_other_audio_serves_the_audience_better(ladder, max_audio, data) -> None:
    avq, share, same = ladder
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=avq.size, max_size=avq.size))).reshape(avq.shape)
    rows = np.arange(len(avq))
    every = [expected(avq[rows, way], share[rows, way]) for way in ways(avq, same, allowed, max_audio)]
    found = best_pairing(avq, share, same, allowed=allowed, max_audio=max_audio)
    if found is None:
        assert not every
        return
    assert any((found == way).all() for way in ways(avq, same, allowed, max_audio)), "it keeps the rules"
    assert abs(expected(avq[rows, found], share[rows, found]) - max(every)) < 1e-7


@given(ladder=ladders())
def test_of_equal_ways_the_one_that_is_there_is_kept(ladder) -> None:
    avq, share, same = ladder
    rows = np.arange(len(avq))
    found = best_pairing(avq, share, same)
    if found is None:
        return
    best = expected(avq[rows, found], share[rows, found])
    for way in ways(avq, same, np.ones(avq.shape, bool), avq.shape[1]):
        if expected(avq[rows, way], share[rows, way]) > best - 1e-12:
            assert (best_pairing(avq, share, same, current=way) == way).all()


@given(ladder=ladders(), data=st.data())
def test_no_other_rungs_of_any_number_are_better_to_keep(ladder, data) -> None:
    avq, share = ladder[0][:, 0], ladder[1][:, 0]
    number = len(avq)
    may = np.array(data.draw(st.lists(st.booleans(), min_size=number**2, max_size=number**2))).reshape(number, number)
    found = {len(kept.rungs): kept for kept in rungs_to_keep(avq, share, may)}
    for size in range(1, number + 1):
        sound = [
            list(rows)
            for rows in itertools.combinations(range(number), size)
            if all(may[i, j] for i, j in itertools.pairwise(rows))
        ]
        assert (size in found) == bool(sound)
        if sound:
            best = max(expected(avq[rows], share[rows]) for rows in sound)
            assert abs(found[size].expected_avq_mos - best) < 1e-9
            assert abs(expected(avq[list(found[size].rungs)], share[list(found[size].rungs)]) - best) < 1e-9
