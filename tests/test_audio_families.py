"""Families of audio features: what is stated of each is what its code gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from abr_alloc.audio_families import AUDIO_FAMILIES, LISTENER, VISQOL, family_of
from abr_alloc.measure.audio_judges import audio_judge
from abr_alloc.table.table import AUDIO_DIM
from abr_alloc.visqol.score import AUDIO_FEATURE_VERSION, IDENTITY_MOS


def test_versions_tell_families_apart_and_one_that_is_not_known_is_visqols() -> None:
    assert list(AUDIO_FAMILIES) == ["visqol", "listener"]
    for family in AUDIO_FAMILIES.values():
        assert family_of(family.version) is family
    assert {family_of(version) for version in (None, "", "a/1", "visqol_v9", "heard by a listener/1")} == {VISQOL}


def test_other_versions_of_a_family_are_of_it() -> None:
    assert family_of("listener/2") is family_of("listener/0") is LISTENER
    assert family_of("visqol_v3_lrms/2") is VISQOL


def test_what_hearing_costs_is_what_the_docs_say_of_short_scenes() -> None:
    page = Path(__file__).parents[1].joinpath("docs", "measure.md").read_text(encoding="utf-8")
    rows = {name: line for line in page.splitlines() for name in AUDIO_FAMILIES if line.startswith(f"| `{name}`")}
    for name, family in AUDIO_FAMILIES.items():
        assert rows[name].split("|")[-2].strip().startswith(f"{family.cost:g} ")


def test_what_is_said_of_visqol_is_what_it_has() -> None:
    assert (VISQOL.version, VISQOL.identity_mos) == (AUDIO_FEATURE_VERSION, IDENTITY_MOS)


@pytest.mark.parametrize("family", AUDIO_FAMILIES.values(), ids=AUDIO_FAMILIES.keys())
def test_a_sound_beside_itself_has_what_its_family_says(family) -> None:
    noise = np.random.default_rng(0).normal(scale=0.1, size=(2 * 48_000, 2))
    found = audio_judge(family.name, noise)(noise)
    assert found["audio_mos"] == pytest.approx(family.identity_mos, abs=1e-3)
    expected = [family.identity_feature(place) for place in range(AUDIO_DIM)]
    known = np.array([value is not None for value in expected])
    assert known.sum() == {"visqol": 384, "listener": AUDIO_DIM}[family.name]
    values = np.array([value for value in expected if value is not None])
    assert found["audio_features"][known] == pytest.approx(values, abs=1e-3)
