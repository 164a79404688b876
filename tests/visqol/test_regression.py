"""The regression against libsvm, which made it, and against the file that visqol-python carries."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from libsvm import svmutil

from abr_alloc.visqol import regression
from abr_alloc.visqol.gammatone import NUM_BANDS

ROOT = Path(__file__).parents[2]


def visqols_file() -> Path:
    spec = importlib.util.find_spec("visqol")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "model" / "libsvm_nu_svr_model.txt"


def test_the_numbers_are_those_of_visqol_python():
    assert regression._FILE.read_bytes() == visqols_file().read_bytes()


def test_the_version_that_tables_name_is_the_one_that_the_tests_compare_with():
    pinned = re.search(r"^visqol-python==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned and pinned[1] == regression.VISQOL_VERSION
    assert f"visqol-python {regression.VISQOL_VERSION} " in regression._FILE.with_name("notice.txt").read_text()


def test_predictions_are_libsvms():
    model = svmutil.svm_load_model(str(visqols_file()))
    for nsim in np.random.default_rng(1).uniform(0.3, 1, (5, NUM_BANDS)):
        vector = {i + 1: value for i, value in enumerate(nsim.tolist())}
        predicted = svmutil.svm_predict([0], [vector], model, "-q")[0][0]
        assert regression.predict_mos(nsim) == pytest.approx(min(max(predicted, 1), 5), abs=1e-9)
    assert regression.predict_mos(np.full(NUM_BANDS, 0.1)) == 1
