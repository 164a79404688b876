"""One model held against data: transparent audio, and columns that are not there."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from abr_alloc.audio_families import LISTENER
from abr_alloc.errors import CheckpointError, FeatureTableError
from abr_alloc.learning.build import build_model
from abr_alloc.learning.cross_validation import cross_validate, grouped_folds
from abr_alloc.learning.dataset import from_tables
from abr_alloc.learning.evaluate import at_transparent_audio, evaluate, transparent_audio
from abr_alloc.learning.ratings import from_ratings
from abr_alloc.learning.registry import find_systems
from abr_alloc.learning.systems import default_config
from abr_alloc.models.audio_quality import TRANSPARENT_MOS
from abr_alloc.models.checkpoint import load_model
from abr_alloc.models.teacher import load_teacher
from abr_alloc.table.table import FeatureTable, read_features


def test_transparent_audio_is_a_signal_against_itself() -> None:
    model = load_model("attentive")
    statistics, quality = np.split(transparent_audio(model), [512])
    found = statistics.reshape(4, 4, 32)  # view, statistic, band
    assert (found[:, :2] == 1.0).all()  # fvnsim, fvnsim10
    assert (found[:, 2] == 0.0).all()  # fstdnsim
    neutral = np.asarray(model.predictor.neutral[0])[:512].reshape(4, 4, 32)
    assert (found[:, 3] == neutral[:, 3]).all()  # energy: the average signal's
    assert quality.tolist() == pytest.approx([TRANSPARENT_MOS])
    assert transparent_audio(load_model("svr-8f")).tolist() == pytest.approx([TRANSPARENT_MOS, 128.0])


def test_better_audio_than_transparent_is_not_to_be_had() -> None:
    model = load_model("attentive")
    poor = transparent_audio(model).copy()
    poor[:512].reshape(4, 4, 32)[:, :2] = 0.6
    poor[512] = 2.5
    x_v = np.array([[0.6, 0.9, 0.95, 0.97, 4.0, 0.97]], np.float32)
    best, worse = model.predictor.predict_grid(np.stack([transparent_audio(model), poor]), x_v)[0]
    assert best > worse


def test_a_missing_column_is_named_with_what_there_is(make_ratings) -> None:
    with pytest.raises(CheckpointError, match=r"vmaf.*frame_diff"):
        evaluate(load_model("svr-2f"), from_ratings(make_ratings()))


def test_the_models_own_interval_is_counted(make_ratings) -> None:
    verdict = evaluate(load_model("live-sjtu"), from_ratings(make_ratings(6)))
    residual = (verdict.judgement.target - verdict.judgement.predicted) / 25.0
    low, high = load_model("live-sjtu").interval_mos
    assert verdict.coverage[0] == pytest.approx(np.mean((residual >= low) & (residual <= high)))


def test_audio_without_a_known_transparent_value_is_refused(make_ratings, tmp_path) -> None:
    frame: pd.DataFrame = make_ratings().rename(columns={"vif1d_scale0": "loudness"})
    data = from_ratings(frame, ["loudness"], ["vif_scale?"])
    (system,) = find_systems(["ca"])
    small = replace(default_config(data, "ca").network, num_hidden_layers=1, d_model=64, d_ff=64)
    config = replace(default_config(data, "ca"), network=small, num_steps=5)
    build_model(data, [], replace(system, config=config), tmp_path / "m", num_folds=2)  # type: ignore[type-var]
    video_only = from_ratings(frame[["content", "mos", *(f"vif_scale{i}" for i in range(4)), "frame_diff"]])
    with pytest.raises(CheckpointError, match="loudness"):
        evaluate(load_model(str(tmp_path / "m")), video_only)


def test_vmaf_is_beside_a_model_where_the_ratings_have_it(make_ratings) -> None:
    frame = make_ratings(3)
    assert evaluate(load_model("live-sjtu"), from_ratings(frame)).vmaf is None
    vmaf = np.linspace(1, 99, len(frame))
    beside = evaluate(load_model("live-sjtu"), from_ratings(frame.assign(vmaf=vmaf))).vmaf
    assert beside is not None
    assert beside.predicted == pytest.approx(vmaf, rel=1e-6)


def test_ratings_at_transparent_audio_have_audio_that_never_varies(make_ratings) -> None:
    silent = from_ratings(make_ratings(2)[["content", "mos", *(f"vif_scale{i}" for i in range(4)), "frame_diff"]])
    heard = at_transparent_audio(silent)
    assert heard.audio(heard.audio_names).shape == (len(silent.pairs), 1)
    assert np.ptp(heard.x_a, axis=0).tolist() == [0.0, 0.0, 0.0]


def test_networks_learn_from_ratings_at_transparent_audio(make_video_ratings) -> None:
    data = at_transparent_audio(from_ratings(make_video_ratings().query("content in ('c1', 'c3')")))
    (system,) = find_systems(["ca"])
    config = replace(default_config(data, "ca"), num_steps=60)
    held_out = cross_validate(replace(system, config=config), data, grouped_folds(data.contents, None))  # type: ignore[type-var]
    assert np.corrcoef(held_out.predicted, data.mos)[0, 1] > 0.9
    assert held_out.weight is not None and np.isfinite(held_out.weight).all()  # audio that never varies has none


def test_transparent_audio_of_the_listener_is_nothing_lost() -> None:
    model = load_model("attentive")
    heard = replace(model, card={**model.card, "audio_feature_version": LISTENER.version})
    features, quality = np.split(transparent_audio(heard), [512])
    assert not features.any() and quality.tolist() == pytest.approx([TRANSPARENT_MOS])


def test_a_model_is_not_judged_on_features_of_another_family(listened, example) -> None:
    data = {table: from_tables([table], load_teacher(), {}) for table in (listened, read_features(example))}
    of_listener, of_visqol = data.values()
    with pytest.raises(CheckpointError, match=r"reads the audio features visqol_v3_lrms/1 .* holds listener/1"):
        evaluate(load_model("attentive"), of_listener)
    model = load_model("attentive")
    heard = replace(model, card={**model.card, "audio_feature_version": LISTENER.version})
    with pytest.raises(CheckpointError, match=r"reads the audio features listener/1 .* holds visqol_v3_lrms/1"):
        evaluate(heard, of_visqol)
    assert evaluate(heard, of_listener).judgement.predicted.size
    free = load_model("p1203")
    assert evaluate(free, of_listener).judgement.predicted.size, "it reads no number of a family"
    by_mos = replace(free, card={**free.card, "audio_features": ["audio_mos"]})
    with pytest.raises(CheckpointError, match=r"reads the audio features visqol_v3_lrms/1 .* holds listener/1"):
        evaluate(by_mos, of_listener)
    assert evaluate(by_mos, of_visqol).judgement.predicted.size


def test_tables_of_two_families_are_no_training_set(listened, example) -> None:
    table = read_features(example)
    first, second, *_ = table.titles()
    parts = [
        FeatureTable(found.frame[found.frame["title"] == title].reset_index(drop=True), found.metadata)
        for found, title in ((listened, first), (table, second))
    ]
    with pytest.raises(FeatureTableError, match="different audio features: listener/1, visqol_v3_lrms/1; train on"):
        from_tables(parts, load_teacher(), {})
