"""Several audio tracks of one title in one table: whose rows a ladder is decided on."""

from __future__ import annotations

import pandas as pd
import pytest

from abr_alloc.allocation.filters import Filters, select
from abr_alloc.allocation.language_policy import one_language
from abr_alloc.allocation.surface import build_surfaces
from abr_alloc.models.audio_quality import quality_of_rows
from abr_alloc.models.checkpoint import load_model
from abr_alloc.table.table import FeatureTable, read_features


@pytest.fixture(scope="module")
def table(example) -> FeatureTable:
    """The example's rows as of track 1; as of track 2 its cheapest audio sounds like its dearest and the other way
    round, so that neither track is the worse one everywhere."""
    first = read_features(example)
    audio = first.of_kind("audio")
    other = []
    for _, rows in audio.groupby(["title", "scene", "codec"], sort=False):
        ranked = rows.sort_values("bitrate_kbps")
        swapped = ranked.iloc[::-1]
        changed = ranked.assign(
            audio_features=swapped["audio_features"].to_list(), audio_mos=swapped["audio_mos"].to_numpy()
        )
        other.append(changed)
    own = first.frame.assign(
        audio_track=pd.array([1 if kind == "audio" else None for kind in first.frame["kind"]], dtype="Int32"),
        language=["en" if kind == "audio" else None for kind in first.frame["kind"]],
    )
    second = pd.concat(other).assign(audio_track=pd.array([2] * len(audio), dtype="Int32"), language="de")
    frame = pd.concat([own, second], ignore_index=True)
    frame = frame.sort_values(["title", "scene", "kind"], kind="stable", ignore_index=True)[list(own.columns)]
    return FeatureTable.checked(frame, first.metadata)


def test_the_first_is_what_was_measured_of_one_track(table, example):
    one = one_language(table)
    assert set(one.of_kind("audio")["audio_track"]) == {1}
    model = load_model("attentive")
    alone, found = (list(build_surfaces(rows, model)) for rows in (read_features(example), table))
    assert [(s.title, s.scene, s.avq_mos.tolist()) for s in found] == [
        (s.title, s.scene, s.avq_mos.tolist()) for s in alone
    ]


def test_the_worst_is_the_lowest_of_every_rendition(table):
    rows = table.of_kind("audio").assign(quality=lambda audio: quality_of_rows(audio))
    key = ["title", "scene", "codec", "channels", "target"]
    lowest = rows.groupby(key)["quality"].min().sort_index()
    worst = select(table, Filters(language_policy="worst")).of_kind("audio")
    found = worst.assign(quality=quality_of_rows(worst)).set_index(key)["quality"].sort_index()
    pd.testing.assert_series_equal(found, lowest)
    assert set(worst["audio_track"]) == {1, 2}


def test_a_table_of_one_track_is_left_as_it_is(example):
    table = read_features(example)
    assert one_language(table, "worst") is table
