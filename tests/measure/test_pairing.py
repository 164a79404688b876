"""Frames that belong together are found, and those that do not are never paired."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.measure.pairing import Unpaired, find_pairing, new_frames

FPS = 24.0


@pytest.fixture(scope="module")
def film() -> np.ndarray:
    """100 frames of blobs that wander, in 8-bit steps, (100, 18, 32)."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:18, 0:32]
    centre, speed = rng.uniform((0, 0), (18, 32), (6, 2)), rng.uniform(-0.35, 0.35, (6, 2))
    frames = []
    for t in range(100):
        places = (centre + t * speed) % (18, 32)
        frames.append(sum(80 * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 12) for a, b in places) + 30)
    return np.array(frames, dtype=np.float32)


def coded(frames: np.ndarray, noise: float = 2.0) -> np.ndarray:
    """What a coder makes of frames: a little noise, and less contrast."""
    return (0.97 * frames + np.random.default_rng(1).normal(scale=noise, size=frames.shape)).astype(np.float32)


def pair(film, frames, places=None, expected=0):
    places = np.arange(len(frames)) if places is None else places
    return find_pairing(film, coded(frames), places, fps=FPS, expected=expected)


@pytest.mark.parametrize("offset", [-7, -1, 0, 1, 12])
def test_the_offset_is_found_to_the_frame(film, offset):
    ahead = np.random.default_rng(2).uniform(0, 255, (max(0, -offset), 18, 32)).astype(np.float32)
    found = pair(film, np.concatenate([ahead, film[max(0, offset) : 90]]))
    assert (found.offset, found.content, found.num_astray, found.still) == (offset, offset, 0, (offset, offset))
    assert found.likeness > 0.95
    assert found.margin > 1.2


@pytest.mark.parametrize("step", [2, 3])
@pytest.mark.parametrize("offset", [0, 1])
def test_held_frames_are_paired_with_the_first_that_they_show(film, step, offset):
    frames = film[offset::step]
    assert pair(film, frames, step * np.arange(len(frames))).offset == offset


def test_of_two_frames_for_which_one_stands_it_may_be_either(film):
    shown = 2 * np.arange(50) + np.random.default_rng(5).integers(0, 2, 50) * (np.arange(50) % 5 == 0)
    found = pair(film, film[shown], 2 * np.arange(50))
    assert (found.offset, found.num_astray) == (0, 0)


def test_frames_that_stand_until_a_later_time_are_no_wrong_pairs(film):
    kept = np.flatnonzero(np.arange(100) % 7 != 3)
    assert pair(film, film[kept], kept).num_astray == 0
    with pytest.raises(Unpaired, match="throughout"):
        pair(film, film[kept])  # the same by number


def test_a_frame_that_is_left_out_is_found(film):
    with pytest.raises(Unpaired, match="dropped, repeated or converted"):
        pair(film, np.delete(film, 50, axis=0))


def test_another_film_is_not_paired(film):
    other = np.random.default_rng(9).uniform(0, 255, film.shape).astype(np.float32)
    with pytest.raises(Unpaired, match="not of this source"):
        pair(film, other)
    with pytest.raises(Unpaired, match="not of this source"):
        pair(film, film[:, :, ::-1])


def test_a_picture_that_stands_still_is_where_its_times_say(film):
    still = np.repeat(film[:1], 100, axis=0)
    found = pair(still, still[:90], expected=3)
    assert found.offset == 3
    assert found.still[0] < 3 < found.still[1]


def test_repetitions_are_told_from_new_frames(film):
    assert new_frames(np.repeat(film[:10], 2, axis=0)).tolist() == list(range(0, 20, 2))
    assert len(new_frames(film)) == len(film)
