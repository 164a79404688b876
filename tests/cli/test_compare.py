"""`abr-alloc compare` and `abr-alloc tune` as a user runs them."""

import json
from pathlib import Path

import pandas as pd
import pytest

from abr_alloc.learning.scoring import METRICS

CHEAP = "product-best-guess,product-fitted,svr-2f,svr-8f,p1203,content-blind"


pytestmark = pytest.mark.usefixtures("few_resamples")


@pytest.fixture(scope="module")
def rated(tmp_path_factory, make_ratings) -> Path:
    path = tmp_path_factory.mktemp("rated") / "ratings.csv"
    make_ratings(5).to_csv(path, index=False)
    return path


def test_a_comparison_writes_the_table_three_times_and_a_picture_each(run_command, rated, tmp_path):
    out = tmp_path / "out"
    outcome = run_command("compare", rated, "--systems", CHEAP, "--systems", "product:0.23,0.76", "-o", out)
    assert outcome.code == 0
    document = json.loads((out / "table.json").read_text())
    names = [row["name"] for row in document["systems"]]
    assert names == [*CHEAP.split(","), "product:0.23,0.76"]
    assert document["folds"]["kind"] == "leave-one-out"
    for row in document["systems"]:
        assert {*METRICS, "relevance", "coverage", "by_seed"} <= row.keys()
        assert row["label"].split()[0] in outcome.stdout  # a long label takes two lines
        assert row["label"] in (out / "table.md").read_text()
    table = pd.read_csv(out / "table.csv")
    assert table["system"].tolist() == names
    assert table["plcc"].tolist() == pytest.approx([row["plcc"]["value"] for row in document["systems"]], abs=1e-5)
    predictions = pd.read_csv(out / "predictions.csv")
    assert len(predictions) == 45
    assert predictions["svr-8f"].corr(predictions["rated"]) == pytest.approx(table["plcc"][3], abs=1e-4)
    assert len(list(out.glob("scatter-*.png"))) == len(names)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in out.glob("scatter-*.png"))


def test_a_comparison_goes_on_where_it_stopped(run_command, rated, tmp_path):
    first = run_command("compare", rated, "--systems", "svr-2f", "-o", tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "folds").iterdir()}
    assert len(stamps) == 5
    again = run_command("compare", rated, "--systems", "svr-2f", "-o", tmp_path)
    assert again.stdout == first.stdout
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "folds").iterdir()} == stamps


def test_folds_and_audio_may_be_chosen(run_command, rated, tmp_path):
    args = ["--systems", "product:0.23,0.76", "--folds", "content", "--exclude-audio-below", "32k", "-o", tmp_path]
    assert run_command("compare", rated, *args).code == 0
    document = json.loads((tmp_path / "table.json").read_text())
    assert document["folds"]["num"] == 5
    assert document["data"]["num_stimuli"] == 30
    assert document["data"]["exclude_audio_below_kbps"] == 32


def test_a_feature_table_is_compared_by_the_teachers_labels(run_command, example, tmp_path):
    args = ["--systems", "svr-8f,content-blind", "-o", tmp_path]
    assert run_command("compare", example, *args).code == 0
    document = json.loads((tmp_path / "table.json").read_text())
    assert document["data"]["labels"] == "teacher"
    assert document["systems"][0]["plcc"]["value"] > 0.7


def test_choices_are_the_first_figures_and_vmaf_is_a_row_that_learns_nothing(run_command, make_video_ratings, tmp_path):
    make_video_ratings().assign(lowfps=[1] + [0] * 53).to_csv(tmp_path / "panel.csv", index=False)
    out = tmp_path / "out"
    outcome = run_command("compare", tmp_path / "panel.csv", "--systems", "svr-7f", "-o", out)
    assert outcome.code == 0
    assert "1 of 54 rated stimuli are left out" in outcome.stderr
    document = json.loads((out / "table.json").read_text())
    assert document["data"]["transparent_audio"]
    learned, vmaf = document["systems"]
    assert vmaf["name"] == "vmaf" and vmaf["by_seed"] == []
    assert vmaf["rmse"]["value"] is None and vmaf["coverage"]["ratings"] is None
    assert 0 < vmaf["plcc"]["value"] < 1 and vmaf["rmse_mapped"]["value"] > 0
    for row in document["systems"]:
        assert row["hull_regret"]["num"] > 0 and row["right_pairs"]["num"] > 0
        assert [part["name"] for part in row["datasets"]] == ["a", "b"]
    assert learned["hull_regret"]["mean"] < vmaf["hull_regret"]["mean"]  # it never sees what misleads VMAF
    assert (out / "table.md").read_text().startswith("| system | hull regret | right pairs | PLCC |")
    table = pd.read_csv(out / "table.csv")
    assert table["hull_regret_mean"].tolist() == pytest.approx([r["hull_regret"]["mean"] for r in document["systems"]])
    predictions = pd.read_csv(out / "predictions.csv")
    assert predictions["vmaf"].max() == pytest.approx(make_video_ratings()["vmaf"].max(), rel=1e-4)
    assert "NaN" not in (out / "table.json").read_text()


def test_a_table_without_choices_has_no_columns_of_them(run_command, rated, tmp_path):
    assert run_command("compare", rated, "--systems", "p1203", "-o", tmp_path).code == 0
    document = json.loads((tmp_path / "table.json").read_text())
    (row,) = document["systems"]
    assert row["hull_regret"] is row["right_pairs"] is None and row["datasets"] == []
    assert not document["data"]["transparent_audio"]
    assert "regret" not in (tmp_path / "table.md").read_text() + (tmp_path / "table.csv").read_text()


@pytest.mark.parametrize(
    ("args", "code", "word"),
    [
        (["RATED", "--systems", "svr-9f", "-o", "OUT"], 1, "svr-8f"),
        (["RATED", "--systems", "svr-2f", "-o", "RATED"], 2, "folder"),
        (["RATED", "--systems", "", "-o", "OUT"], 2, "--systems"),
        (["RATED", "--systems", "svr-2f", "svr-8f", "-o", "OUT"], 2, "commas"),
        (["RATED", "RATED", "--systems", "svr-2f", "-o", "OUT"], 2, "one table"),
        (["missing.csv", "-o", "OUT"], 1, "missing.csv"),
        (["RATED", "--systems", "svr-2f", "--exclude-audio-below", "900k", "-o", "OUT"], 1, "exclude-audio-below"),
        (["RATED", "--systems", "svr-2f", "--audio-columns", "frame_diff", "-o", "OUT"], 1, "frame_diff"),
        (["ONE", "--systems", "svr-2f", "-o", "OUT"], 1, "two contents"),
        (["FEW", "--systems", "svr-2f", "--folds", "content", "-o", "OUT"], 1, "3 contents"),
        (["RATED", "-o", "OUT/deep/er", "--systems", "svr-2f", "--video-ratings", "missing.csv"], 1, "missing.csv"),
    ],
    ids=str,
)
def test_bad_input_is_one_line_and_makes_nothing(run_command, rated, make_ratings, tmp_path, args, code, word):
    make_ratings(1).to_csv(tmp_path / "one.csv", index=False)
    make_ratings(3).to_csv(tmp_path / "few.csv", index=False)
    places = {"RATED": rated, "OUT": tmp_path / "out", "ONE": tmp_path / "one.csv", "FEW": tmp_path / "few.csv"}
    outcome = run_command("compare", *(places.get(arg, arg) for arg in args))
    assert outcome.code == code
    assert word in outcome.error_line()
    assert not (tmp_path / "out").exists()


def test_tune_reports_its_trials_and_train_takes_what_it_finds(run_command, rated, tmp_path):
    study = tmp_path / "study"
    args = ["tune", rated, "--network", "ca", "--steps", 10, "--num-folds", 2, "-o", study]
    assert run_command(*args, "--trials", 2).code == 0
    outcome = run_command(*args, "--trials", 3)
    assert outcome.code == 0
    assert outcome.stdout.startswith("3 trials")
    trials = pd.read_csv(study / "trials.csv")
    assert sorted(trials["number"]) == [0, 1, 2]
    assert "learning_rate" in (study / "report.md").read_text()
    args = ["train", rated, "--system", "ca", "--settings", study / "settings.json", "--folds", 2, "-o", tmp_path / "m"]
    assert run_command(*args).code == 0
    card = json.loads((tmp_path / "m" / "model.json").read_text())
    best = trials[trials["state"] == "complete"].sort_values("loss").iloc[0]
    assert card["training"]["learning_rate"] == pytest.approx(best["learning_rate"], rel=1e-4)
    assert card["training"]["network"]["d_ff"] == best["d_ff"]
