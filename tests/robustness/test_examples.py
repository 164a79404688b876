"""Damage that was once let through or ended in a traceback, a case of each kind."""

from __future__ import annotations

import hashlib
import json
import math
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load, save

from abr_alloc.allocation.fixed import parse_reference
from abr_alloc.allocation.prediction import AVQ_RANGE, predict_title
from abr_alloc.documents import json_text, parse_json, parse_toml
from abr_alloc.errors import CheckpointError, FeatureTableError, LadderFormatError, TuningError, UnknownSystemError
from abr_alloc.learning.registry import find_systems
from abr_alloc.learning.training import read_settings
from abr_alloc.models.checkpoint import load_model, save_model
from abr_alloc.shipped import model_names
from abr_alloc.table.catalogue import open_catalogue, read_table

from .readers import ROOT
from .tables import sound_table

DIGITS = "9" * 5000


# JSON and TOML.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": [1, NaN]}', r"^a\[1\] is nan, not a finite number$"),
        ('{"a": {"b": -Infinity}}', r"^a\.b is -inf"),
        ('{"a": 1e400}', "^a is inf"),
        (f'{{"a": {DIGITS}}}', "a whole number of 5000 digits is too large"),
        ('{"a": 9223372036854775808}', "a is a whole number that is too large"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' stands twice"),
        ("[" * 100_000, "nested more than 64 deep"),
        ("[" * 65 + "]" * 65, "nested more than 64 deep"),
        ('{"a": "\\ud800"}', "a holds half a character"),
        ('{"\\udfff": 1}', "half a character"),
        ('{"a": "\\u0000"}', "a holds a NUL character"),
        (b'{"a": "\xff"}', "not UTF-8 from byte 7 on"),
        (b"", "Expecting value"),
    ],
)
def test_json_that_no_reader_can_use_is_refused_by_its_place(text, message):
    with pytest.raises(ValueError, match=message) as refused:
        parse_json(text)
    assert len(str(refused.value)) < 120


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"a = {DIGITS}", "a number or a date in it"),
        (f"a = 0x{'f' * 500}", "a is a whole number that is too large"),
        ("a = " + "[" * 5000, "nested more than 64 deep"),
        ("a." * 5000 + "b = 1", "nested more than 64 deep"),
        (b"a = '\xff'", "not UTF-8"),
        ("a = [", "Invalid value"),
    ],
)
def test_toml_that_no_reader_can_use_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_toml(text)


def test_what_is_written_is_read_back_and_holds_no_nan():
    document = {"a": [1, 2.5, None, True, "é\u2028"], "b": {"c": -0.0}}
    assert parse_json(json_text(document)) == document
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="JSON"):
            json_text({"a": value})


def test_names_of_files_need_not_be_text():
    assert parse_json('"\\udcff.mp4"', names_of_files=True) == "\udcff.mp4"


# Checkpoints.


@pytest.fixture
def spoil(tmp_path):
    """A shipped model in a folder of its own, with some tensors and some fields of its card exchanged."""

    def make(model: str, tensors=None, **card):
        folder = tmp_path / "mine"
        shutil.copytree(ROOT / "abr_alloc" / "models" / "weights" / model, folder, dirs_exist_ok=True)
        found = json.loads((folder / "model.json").read_text())
        stored = load((folder / "model.safetensors").read_bytes())
        content = save({key: np.ascontiguousarray(value) for key, value in (tensors or dict)(stored).items()})
        (folder / "model.safetensors").write_bytes(content)
        found |= {"weights_sha256": hashlib.sha256(content).hexdigest(), **card}
        (folder / "model.json").write_text(json.dumps(found))
        return str(folder)

    return make


def changed(name, value, place=...):
    def change(tensors):
        tensor = tensors[name].copy()
        tensor[place] = value
        return tensors | {name: tensor}

    return change


TENSORS = {
    "NaN": ("simple", changed("0.first.bias", math.nan), "tensor 0.first.bias holds nan"),
    "one infinity": ("svr-8f", changed("coefficients", math.inf, 7), "tensor coefficients holds inf"),
    "more than a float32": (
        "live-sjtu",
        lambda t: t | {"0.output.bias": np.array([1e300])},
        "tensor 0.output.bias holds 1e\\+300, not a finite float32",
    ),
    "a constant of 57": ("simple", changed("0.output.bias", 57.0), r"it predicts an AVQ of 5\d"),
    "huge weights": ("product-fitted", changed("weights", 400.0), "it predicts an AVQ of inf"),
    "a negative exponent": ("product-fitted", changed("weights", -1.0), "tensor weights holds -1"),
    "a spread of zero": ("simple", changed("0.audio.std", 0.0, 3), "tensor 0.audio.std holds 0"),
    "a negative width": ("svr-2f", changed("gamma", -1.0), "tensor gamma holds -1"),
    "another shape": ("svr-2f", lambda t: t | {"coefficients": t["coefficients"][:-1]}, "has the shape"),
    "another dtype": (
        "p1203",
        lambda t: t | {"audio.mean": np.array([4], np.int64)},
        "tensor audio.mean holds int64, not floating numbers",
    ),
    "an axis more": ("simple", lambda t: t | {"0.output.weight": t["0.output.weight"][0]}, r"not \(1, 128\)"),
    "a tensor less": (
        "simple",
        lambda t: {n: x for n, x in t.items() if n != "0.output.bias"},
        "output.bias' is missing",
    ),
    "a tensor more": ("p1203", lambda t: t | {"extra": np.ones(1, np.float32)}, "tensor extra belongs to no model"),
    "fewer members": ("live-sjtu", lambda t: {n: x for n, x in t.items() if n[0] != "4"}, "4.audio.mean' is missing"),
}


@pytest.mark.parametrize("fault", TENSORS)
def test_a_model_is_refused_for_tensors_with(fault, spoil):
    name, change, message = TENSORS[fault]
    with pytest.raises(CheckpointError, match=message) as refused:
        load_model(spoil(name, change))
    assert "mine" in str(refused.value)
    assert "train it again" in str(refused.value)


CARDS = {
    "a negative difference": ({"difference_mos": -1}, "difference_mos is -1"),
    "a difference that is true": ({"difference_mos": True}, "difference_mos is True, not a number"),
    "an interval that falls": ({"interval_mos": [5, -5]}, r"interval_mos is \[5, -5\]: the second number must be"),
    "an interval of one": ({"interval_mos": [0.1]}, "interval_mos is"),
    "an interval of texts": ({"interval_mos": ["-1", "1"]}, "interval_mos is '-1'"),
    "a range that falls": ({"relevance_ranges": {"ablation": [1, 0], "change_norm": None}}, "ablation is"),
    "a coverage over 1": ({"interval_coverage": {"ratings": 1.5}}, "ratings is 1.5"),
    "a scale of nothing": ({"rating_scale": [5, 5]}, "rating_scale is"),
    "no pairs": ({"training": {"num_pairs": 0}}, "num_pairs is 0"),
    "contents that are a text": ({"training": {"contents": "all"}}, "contents is 'all', not a list"),
    "rates that fall": ({"validity": {"audio_kbps": [140, 8]}}, "audio_kbps is"),
    "features that are a text": ({"video_features": "vmaf"}, "video_features is 'vmaf'"),
    "a feature twice": ({"audio_features": ["audio_mos", "audio_mos"]}, "audio_features names 'audio_mos' twice"),
    "a name that is null": ({"name": None}, "name is None, not text"),
    "an unknown architecture": ({"architecture": "bert"}, "architecture is 'bert', not one of fusionnet"),
    "no members": ({"settings": {"members": 0, "activation": "gelu"}}, "members is 0"),
    "an unknown activation": ({"settings": {"members": 1, "activation": "tanh"}}, "activation is 'tanh'"),
    "an activation that is a list": ({"settings": {"members": 1, "activation": ["gelu"]}}, "activation is"),
    "settings that are a list": ({"settings": []}, r"settings is \[\], not an object"),
}


@pytest.mark.parametrize("fault", CARDS)
def test_a_model_is_refused_for_a_card_with(fault, spoil):
    card, message = CARDS[fault]
    with pytest.raises(CheckpointError, match=message):
        load_model(spoil("simple", **card))


@pytest.mark.parametrize("value", ["NaN", "1e400", DIGITS, "[" * 3000 + "]" * 3000])
def test_a_card_that_json_does_not_have_is_refused(value, spoil):
    path = ROOT / spoil("simple") / "model.json"
    path.write_text(path.read_text().replace('"difference_mos": ', f'"difference_mos": {value}, "was": '))
    with pytest.raises(CheckpointError, match=r"model\.json"):
        load_model(str(path.parent))


@pytest.mark.parametrize("field", ["sharpness", "motion_scale"])
def test_a_teacher_inside_a_model_is_checked(field, spoil):
    settings = dict(load_model("live-sjtu").card["settings"])
    quality = dict(settings["video_quality"])
    quality["teacher"] = {**quality["teacher"], field: 0.0}
    with pytest.raises(CheckpointError, match=f"{field} of teacher is 0"):
        load_model(spoil("live-sjtu", settings={**settings, "video_quality": quality}))


@pytest.mark.parametrize("name", model_names())
def test_every_model_that_ships_passes_its_trial(name):
    load_model(name)


def test_a_model_that_training_spoilt_is_not_written(tmp_path):
    predictor = load_model("p1203").predictor
    with pytest.raises(CheckpointError, match="not finite"):
        save_model(tmp_path / "mine", predictor, {"difference_mos": math.nan})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [math.nan, math.inf, 57.0, -1e30])
def test_a_prediction_that_is_no_mos_ends_a_plan(value):
    class Spoilt:
        neutral = np.ones(1, np.float32), np.ones(1, np.float32)

        def predict(self, x_a, x_v):
            return np.where(x_v[:, 0] > 5.0, value, 3.0)

    rows = np.arange(2)
    fine = np.ones((2, 1), np.float32)
    assert predict_title(Spoilt(), fine, fine, rows, rows).pairs_mos.max() <= AVQ_RANGE[1]
    with pytest.raises(CheckpointError, match="is no MOS of 1-5"):
        predict_title(Spoilt(), fine, fine * 9.0, rows, rows)


def test_a_model_whose_name_is_no_name_of_a_file_is_refused():
    with pytest.raises(CheckpointError, match="no model 'xxx") as refused:
        load_model("x" * 5000)
    assert len(str(refused.value)) < 500


# Ladders, tables, ratings, options.


@pytest.mark.parametrize("rate", ["[]", "true", '["145k"]', "145", "inf", '"b"', "{}"])
def test_a_rate_of_another_type_in_a_fixed_ladder_is_refused(rate):
    text = (ROOT / "ladders" / "reference" / "apple-hls-avc.toml").read_text()
    with pytest.raises(LadderFormatError, match=r"apple-hls-avc.*install the package again"):
        parse_reference("apple-hls-avc", text.replace('"145k"', rate))


def test_an_unsorted_table_whose_vectors_hold_nulls_is_refused(tmp_path):
    table = sound_table()
    vectors = table["audio_features"].to_pylist()
    row = next(i for i, vector in enumerate(vectors) if vector)
    vectors[row] = [None, *vectors[row][1:]]
    place = table.schema.get_field_index("audio_features")
    kind = pa.list_(pa.float32(), 512)
    spoilt = table.set_column(place, pa.field("audio_features", kind), pa.array(vectors, kind))
    backwards = spoilt.take(list(reversed(range(spoilt.num_rows))))
    pq.write_table(backwards, tmp_path / "table.parquet", row_group_size=7)
    (chunk,) = open_catalogue(tmp_path / "table.parquet").chunks
    with pytest.raises(FeatureTableError, match="column audio_features"):
        read_table(chunk)


def test_a_table_whose_metadata_is_nested_without_end_is_refused(tmp_path, run_command):
    deep = sound_table().replace_schema_metadata({"abr_alloc": "[" * 100_000})
    pq.write_table(deep, tmp_path / "table.parquet")
    outcome = run_command("plan", tmp_path / "table.parquet", "--budget", "2M")
    assert outcome.code == 1
    assert "metadata" in outcome.error_line()


def test_a_digest_that_says_nothing_of_a_scene_has_a_ladder(tmp_path, run_command):
    table = sound_table()
    about = json.loads(table.schema.metadata[b"abr_alloc"])
    about["weights_s"] = {"bbb-rabbit-wakes-720p": {"0": 5.0}}  # it has a scene 1 too
    pq.write_table(table.replace_schema_metadata({"abr_alloc": json.dumps(about)}), tmp_path / "table.parquet")
    outcome = run_command("ladder", tmp_path / "table.parquet", "--json")
    assert outcome.code == 0
    weights = json.loads(outcome.stdout)["features"]["titles"]["bbb-rabbit-wakes-720p"]["weights_s"]
    assert weights[0] == 5.0 and len(weights) == 2


@pytest.mark.parametrize("cell", [b"\xff", [1.0], {"a": 1}])
def test_a_cell_of_ratings_that_is_neither_text_nor_number_is_refused(cell, tmp_path, run_command):
    frame = pd.read_csv(ROOT / "examples" / "ratings.csv")
    frame.assign(mos=pd.Series([cell] * len(frame), dtype=object)).to_parquet(tmp_path / "ratings.parquet")
    outcome = run_command("evaluate", "p1203", tmp_path / "ratings.parquet")
    assert outcome.code == 1
    assert "column mos" in outcome.error_line()


@pytest.mark.parametrize("option", ["--sizes", "--rungs", "--min-kbps", "--round", "--scene", "--max-audio"])
def test_a_number_of_5000_digits_is_refused(option, run_command, example):
    outcome = run_command("ladder", example, option, DIGITS)
    assert outcome.code == 2
    outcome.error_line()


SYSTEMS = {
    "an end of Python": "raise SystemExit(0)",
    "no Python": "def :",
    "bytes that are no text": b"\xff\xfe\x00",
    "a name that is a number": "class S:\n    name, label, fit = 3, 'x', print\n",
    "a label that is empty": "class S:\n    name, label, fit = 's', ' ', print\n",
    "arguments": "class S:\n    name, label, fit = 's', 'x', print\n    def __init__(self, needed): pass\n",
}


@pytest.mark.parametrize("fault", SYSTEMS)
def test_a_system_of_ones_own_is_refused_for(fault, tmp_path):
    text = SYSTEMS[fault]
    path = tmp_path / "mine.py"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UnknownSystemError, match=r"mine\.py"):
        find_systems([str(path)])


@pytest.mark.parametrize(
    "change",
    [{"learning_rate": -1.0}, {"num_steps": True}, {"num_members": 10**30}, {"network": {"d_ff": 0}}, {"dropout": 0.1}],
)
def test_settings_that_cannot_be_are_refused(change, tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps({"network": {"kind": "attentive"}, **change}))
    with pytest.raises(TuningError, match=r"settings\.json cannot be used"):
        read_settings(tmp_path / "settings.json", "attentive")
