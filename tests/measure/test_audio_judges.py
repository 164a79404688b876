"""Who hears audio: entries of one form, and words in keys that keep what was measured before."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.measure.audio_judges import AUDIO_SCORES, audio_judge, comparison_version, family_words


@pytest.fixture(scope="module")
def sounds() -> tuple[np.ndarray, np.ndarray]:
    """A source of 1.5 s and a rendition of it."""
    rng = np.random.default_rng(0)
    source = rng.normal(scale=0.1, size=(72_000, 2))
    return source, (source + rng.normal(scale=0.05, size=source.shape)).astype(np.float32)


@pytest.mark.parametrize(
    ("family", "scores"),
    [("visqol", ("visqol_mos", "audio_mos")), ("listener", ("audio_mos", "audio_spread_mos"))],
)
def test_an_entry_has_its_familys_scores_and_512_numbers(sounds, family, scores) -> None:
    source, rendition = sounds
    judge = audio_judge(family, source)
    entry = judge(rendition)
    assert [name for name in AUDIO_SCORES if name in entry] == list(scores)
    assert entry.keys() == {*scores, "audio_features"}
    features = entry["audio_features"]
    assert (features.shape, features.dtype) == ((512,), np.float32)
    assert all(np.isfinite(value).all() for value in entry.values())
    again = judge(rendition)
    assert (again["audio_features"] == features).all(), "a judge keeps nothing of a rendition"


def test_keys_of_comparisons_say_who_made_them() -> None:
    assert comparison_version("visqol") == "visqol_v3_lrms/1 3.8.0", "other words measure every cache anew"
    assert comparison_version("listener") == "listener/1"


def test_a_table_says_of_which_family_its_features_are() -> None:
    assert family_words("visqol") == {"audio_feature_version": "visqol_v3_lrms/1", "visqol_version": "3.8.0"}
    assert family_words("listener") == {"audio_feature_version": "listener/1"}
