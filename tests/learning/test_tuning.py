"""The search of settings: the paper's space, resuming, and the best of it."""

import dataclasses

import pytest

from abr_alloc.errors import TuningError
from abr_alloc.learning.cross_validation import grouped_folds
from abr_alloc.learning.fusionnet import FusionNetConfig
from abr_alloc.learning.ratings import from_ratings
from abr_alloc.learning.training import TrainingConfig
from abr_alloc.learning.tuning import JOURNAL, best_config, open_study, trials_of, tune

BASE = TrainingConfig(network=FusionNetConfig(d_model=64), num_steps=10)


def test_a_study_goes_on_where_it_stopped_within_the_papers_space(make_ratings, tmp_path) -> None:
    data = from_ratings(make_ratings(4))
    folds = grouped_folds(data.contents, 2)
    told: list[int] = []
    tune(open_study(tmp_path, BASE), data, folds, BASE, 2, on_trial=lambda t: told.append(t.number))
    tune(open_study(tmp_path, BASE), data, folds, BASE, 3, on_trial=lambda t: told.append(t.number))
    study = open_study(tmp_path, BASE)
    tune(study, data, folds, BASE, 3, on_trial=lambda t: told.append(t.number))
    assert told == [0, 1, 2]
    trials = trials_of(study)
    assert trials[0].settings["learning_rate"] == BASE.learning_rate  # the defaults come first
    assert trials[0].settings["d_ff"] == BASE.network.d_ff
    assert len({str(trial.settings) for trial in trials}) == 3  # no draw is repeated
    for trial in trials:
        s = trial.settings
        assert 1 <= s["num_hidden_layers"] <= 5
        assert s["activation"] in ("gelu", "relu")
        assert 1e-4 <= s["learning_rate"] <= 1e-2
        assert s["lam"] in (0.0, 0.6, 1.0)
        assert 0.0 <= s["dropout"] <= 0.6
        assert 1e-3 <= s["weight_decay"] <= 1e-1
        assert s["num_heads"] in (2, 4, 8)
        assert s["d_ff"] in (128, 256, 512, 1024)
        assert {s["num_audio_cross_layers"], s["num_video_cross_layers"]} <= set(range(1, 6))
    best, config = best_config(study, BASE)
    assert best.loss == min(trial.loss for trial in trials if trial.state == "complete")
    assert config.network.d_ff == best.settings["d_ff"]
    assert config.learning_rate == best.settings["learning_rate"]
    assert config.num_steps == BASE.num_steps
    with pytest.raises(TuningError, match="other data"):
        tune(study, data, folds, dataclasses.replace(BASE, num_steps=11), 4)


def test_a_damaged_study_is_refused_by_name(tmp_path) -> None:
    (tmp_path / JOURNAL).write_text("not a journal\n")
    with pytest.raises(TuningError, match=JOURNAL):
        open_study(tmp_path, BASE)


def test_without_a_trial_there_is_no_best(tmp_path) -> None:
    with pytest.raises(TuningError, match="trials"):
        best_config(open_study(tmp_path, BASE), BASE)
