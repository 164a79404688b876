"""NSIM and the search against visqol-python, and against pairs whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from visqol.nsim import measure_patch_similarity

from abr_alloc.visqol.nsim import compare
from abr_alloc.visqol.search import search

RNG = np.random.default_rng(5)
FRAMES, BANDS = 30, 32
SOURCE = RNG.uniform(0, 60, (2, FRAMES, BANDS))
RENDITIONS = {
    "noise over it": SOURCE + RNG.normal(size=SOURCE.shape),
    "something else": RNG.uniform(0, 60, SOURCE.shape),
    "silence": np.zeros_like(SOURCE),
    "upside down": 60 - SOURCE,
}


@pytest.mark.parametrize("name", RENDITIONS)
def test_nsim_is_what_visqol_says(name):
    found = compare(SOURCE, RENDITIONS[name])
    for p, (ours, theirs) in enumerate(zip(SOURCE, RENDITIONS[name], strict=True)):
        expected = measure_patch_similarity(ours.T, theirs.T)
        assert found.similarity[p] == pytest.approx(expected.similarity, abs=1e-9)
        assert found.mean[p] == pytest.approx(expected.freq_band_means, abs=1e-9)
        assert found.deviation[p] == pytest.approx(expected.freq_band_stddevs, abs=1e-9)
        assert found.energy[p] == pytest.approx(expected.freq_band_deg_energy, abs=1e-9)


def test_a_patch_is_one_like_itself():
    found = compare(SOURCE, SOURCE)
    assert found.mean == pytest.approx(1, abs=1e-9)
    assert found.deviation == pytest.approx(0, abs=1e-9)


@pytest.fixture(scope="module")
def rendition():
    """Frames, some of them silent, that hold the first patch from frame 7 on."""
    frames = RNG.uniform(0, 60, (90, BANDS))
    frames[7 : 7 + FRAMES] = SOURCE[0]
    frames[50:56] = 0
    return frames


def test_the_search_compares_with_every_place_and_with_zeros_behind_the_end(rendition):
    found = search(SOURCE, rendition, np.array([0, 20]), np.array([89, 70]))
    assert found.shape == (2, 90)
    padded = np.concatenate([rendition, np.zeros((FRAMES, BANDS))])
    for p, first, last in [(0, 0, 89), (1, 20, 70)]:
        for place in range(first, last + 1):
            expected = compare(SOURCE[p][None], padded[place : place + FRAMES][None]).similarity[0]
            assert found[p, place - first] == pytest.approx(expected, abs=1e-9)
    assert (found[1, 51:] == 0).all()


def test_the_search_finds_a_patch_where_it_lies(rendition):
    found = search(SOURCE[:1], rendition, np.array([0]), np.array([89]))
    assert found[0].argmax() == 7
    assert found[0, 7] == pytest.approx(1, abs=1e-9)


def test_places_that_are_alike_are_equally_good():
    """Which of equal places counts is the latest, so the last bits of matrix products must not decide it."""
    again = np.concatenate([SOURCE[1], RNG.uniform(0, 60, (500, BANDS)), SOURCE[1], SOURCE[1]])
    found = search(SOURCE[:1], again, np.array([0]), np.array([len(again) - 1]))[0]
    assert found[0] == found[530] == found[560 - FRAMES]
    silent = search(SOURCE, np.zeros((400, BANDS)), np.array([0, 0]), np.array([399, 399]))
    assert (silent == silent[:, :1]).all()


@pytest.mark.parametrize("num_patches", [1, 8, 9, 20])
def test_the_search_is_the_same_in_parts(num_patches):
    """Patches and places are compared some at a time; windows are each patch's own."""
    patches = RNG.uniform(0, 60, (num_patches, FRAMES, BANDS))
    rendition = RNG.uniform(0, 60, (600, BANDS))
    first = np.arange(num_patches) * 20
    last = np.minimum(first + 310, 599)
    found = search(patches, rendition, first, last)
    padded = np.concatenate([rendition, np.zeros((FRAMES, BANDS))])
    assert found.shape == (num_patches, 311)
    for p, place in [(0, 0), (0, 255), (0, 256), (0, 310), (num_patches - 1, first[-1]), (num_patches - 1, last[-1])]:
        expected = compare(patches[p][None], padded[place : place + FRAMES][None]).similarity[0]
        assert found[p, place - first[p]] == pytest.approx(expected, abs=2e-12)
