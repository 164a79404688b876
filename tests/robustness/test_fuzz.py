"""Whatever a file or an option holds, a reader refuses it in one line or reads it right: never anything else.

An ordinary run tries 2,000 cases, always the same ones; `pytest tests/robustness --fuzz-cases 100000` tries more.
"""

from __future__ import annotations

import shutil

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from .readers import READERS, WEIGHTS, try_once

ORDINARY_CASES = 2000


@pytest.fixture(scope="module")
def material(make_hls, tmp_path_factory):
    """A folder for damaged files, with a small stream in `hls`."""
    folder = tmp_path_factory.mktemp("damaged")
    shutil.copytree(make_hls().parent, folder / "hls")
    return folder


@pytest.mark.parametrize("name", READERS)
def test_a_reader_refuses_or_is_right(name, material, request):
    asked, number = request.config.getoption("--fuzz-cases"), request.config.getoption("--fuzz-seed")
    cases = max(1, (asked or ORDINARY_CASES) * WEIGHTS[name] // sum(WEIGHTS.values()))

    @settings(
        max_examples=cases,
        derandomize=asked is None,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False))
    def cases_of_it(rng):
        try_once(name, rng, material)

    (cases_of_it if asked is None else seed(number)(cases_of_it))()
