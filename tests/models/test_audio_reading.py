"""Which audio features a model reads, and what is said where a table has others."""

from __future__ import annotations

from dataclasses import replace

import pytest

import abr_alloc
from abr_alloc.audio_families import LISTENER, VISQOL
from abr_alloc.errors import CheckpointError
from abr_alloc.models import audio_reading
from abr_alloc.models.audio_reading import (
    does_read,
    family_read,
    is_bound,
    read_version,
    reads_features,
    shipped_readers,
)
from abr_alloc.models.checkpoint import Model, load_model
from abr_alloc.parameters import with_options
from abr_alloc.shipped import model_names
from abr_alloc.table.table import FeatureTable


@pytest.fixture
def attentive() -> Model:
    return load_model("attentive")


def of_listener(model: Model) -> Model:
    """The same as if it had been trained on the listener's features."""
    return replace(model, card={**model.card, "audio_feature_version": LISTENER.version})


def test_a_model_reads_what_its_card_says(attentive) -> None:
    assert reads_features(attentive.card) and read_version(attentive.card) == VISQOL.version
    assert family_read(of_listener(attentive).card) is LISTENER
    assert does_read(attentive.card, VISQOL.version) and not does_read(attentive.card, LISTENER.version)


def test_of_ratings_the_512_numbers_are_visqols_and_other_columns_anybodys(attentive) -> None:
    rated = {**attentive.card, "audio_feature_version": None}
    assert read_version(rated) == VISQOL.version and not does_read(rated, LISTENER.version)
    live = load_model("live-sjtu").card
    assert read_version(live) is None and not reads_features(live)
    assert does_read(live, LISTENER.version) and does_read(live, VISQOL.version)


def test_a_table_of_another_family_is_refused_in_one_line_with_the_next_moves(listened, attentive) -> None:
    with pytest.raises(CheckpointError) as refused:
        abr_alloc.plan(listened, 300, attentive)
    said = str(refused.value)
    assert said.startswith(
        "model 'attentive' reads the audio features visqol_v3_lrms/1 (visqol) and the table holds listener/1 "
        "(listener); extract again with `audio_features` visqol, or choose a `model` that reads listener/1"
    )
    assert "\n" not in said
    assert "extract again with --audio-features visqol, or choose a --model that" in with_options(said)


def test_shipped_models_that_read_the_table_are_named_from_their_cards(example, attentive) -> None:
    readers = shipped_readers(VISQOL.version)
    assert readers[0] == "attentive" and {"p1203", "live-sjtu"} < {*readers}
    with pytest.raises(CheckpointError, match=rf"that ship: {', '.join(readers[:4])}, \.\.\.$"):
        abr_alloc.plan(example, 300, of_listener(attentive))


def test_the_models_that_are_named_are_those_that_plan_the_table(listened) -> None:
    readers = shipped_readers(LISTENER.version)
    assert {"attentive-listener", "live-sjtu", "p1203", "product-fitted", "svr-2f"} <= {*readers}
    for name in model_names():
        model = load_model(name)
        if name in readers:
            model.check_table(listened)
        else:
            with pytest.raises(CheckpointError, match="holds listener/1"):
                model.check_table(listened)


@pytest.mark.parametrize("column", ["audio_mos", "visqol_mos", "audio_spread_mos", "audio_features_511"])
def test_who_reads_a_number_of_one_family_is_bound_to_it(attentive, column) -> None:
    free = {**attentive.card, "audio_features": ["audio_quality_mos", "bitrate_kbps"]}
    assert not is_bound(free) and read_version(free) is None
    bound = {**free, "audio_features": [*free["audio_features"], column]}
    assert read_version(bound) == VISQOL.version and not does_read(bound, LISTENER.version)
    assert read_version({**bound, "audio_feature_version": None}) == VISQOL.version


def test_another_version_of_the_family_is_refused_with_both_named_unless_any_will_do(listened, attentive) -> None:
    newer = FeatureTable(listened.frame, replace(listened.metadata, audio_feature_version="listener/2"))
    with pytest.raises(
        CheckpointError, match="trained on audio features 'listener/1' but the table holds 'listener/2'"
    ):
        of_listener(attentive).check_table(newer)
    with pytest.raises(
        CheckpointError, match=r"\(visqol\) and the table holds listener/2 \(listener\); .* listener/2; of"
    ):
        attentive.check_table(newer)
    assert shipped_readers("listener/2") == [name for name in model_names() if not is_bound(load_model(name).card)]
    load_model("svr-2f").check_table(newer)


def test_where_none_ships_training_one_is_the_way(listened, attentive, monkeypatch) -> None:
    monkeypatch.setattr(audio_reading, "model_names", list)
    with pytest.raises(CheckpointError, match="none ships, so train one with `abr-alloc train`"):
        abr_alloc.plan(listened, 300, attentive)


@pytest.mark.parametrize("phones", [0.0, 0.6])
def test_a_model_of_the_listener_plans_its_tables(listened, attentive, phones) -> None:
    plan = abr_alloc.plan(listened, 300, of_listener(attentive), phones=phones)
    assert plan.allocations and all(1.0 <= chosen.avq_mos <= 5.0 for chosen in plan.allocations)


@pytest.mark.parametrize("name", ["live-sjtu", "p1203", "product-fitted", "svr-2f"])
def test_a_model_that_reads_any_audio_plans_both(listened: FeatureTable, example, name) -> None:
    for table in (listened, example):
        assert abr_alloc.plan(table, 300, name).allocations
