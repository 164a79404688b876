"""NSIM and the search against visqol-python, and against pairs whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from visqol.nsim import measure_patch_similarity

from abr_alloc.visqol import search as search_module
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


def test_where_compiled_code_cannot_be_kept_it_is_compiled_all_the_same(monkeypatch):
    """Numba refuses where neither the package's folder nor the user's cache can be written."""
    asked = []

    def njit(*, cache=False, **_):
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(search_module, "njit", njit)
    assert search_module._compiled(len) is len
    assert asked == [True, False]
