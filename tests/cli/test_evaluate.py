"""`abr-alloc evaluate` as a user runs it."""

import json
from pathlib import Path

import pandas as pd
import pytest

KEYS = ("plcc", "srcc", "rmse", "rmse_mapped", "ccc", "trade_off_order", "relevance_spearman")


pytestmark = pytest.mark.usefixtures("few_resamples")


@pytest.fixture(scope="module")
def rated(tmp_path_factory, make_ratings) -> Path:
    path = tmp_path_factory.mktemp("rated") / "ratings.csv"
    make_ratings(5).to_csv(path, index=False)
    return path


@pytest.fixture
def model(run_command, rated, tmp_path) -> Path:
    assert run_command("train", rated, "--system", "svr-8f", "-o", tmp_path / "mine").code == 0
    return tmp_path / "mine"


def test_json_has_every_figure_with_its_interval(run_command, model, rated):
    outcome = run_command("evaluate", model, rated, "--json")
    assert outcome.code == 0
    document = json.loads(outcome.stdout)
    for key in KEYS:
        assert document[key].keys() == {"value", "low", "high"}
    assert document["plcc"]["value"] > 0.95
    assert document["data"]["scale"] == [0, 100]
    assert document["data"]["num_contents"] == 5
    assert document["relevance"]["change_norm"]["value"] is None  # an SVR has no embedding
    assert 0.8 <= document["coverage"]["ratings"] <= 1


def test_figures_on_training_contents_say_so(run_command, model, rated):
    assert "not held out" in run_command("evaluate", model, rated).stdout


def test_new_contents_are_judged_without_that_note(run_command, model, make_ratings, tmp_path):
    fresh = make_ratings(4, seed=9)
    fresh.assign(content="new " + fresh["content"]).to_parquet(tmp_path / "new.parquet")
    outcome = run_command("evaluate", model, tmp_path / "new.parquet", "-o", tmp_path / "out.json")
    assert outcome.code == 0
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["notes"] == []
    assert document["plcc"]["value"] > 0.9


def test_a_feature_table_is_judged_by_the_teacher(run_command, example):
    outcome = run_command("evaluate", "attentive", example, "--json")
    assert outcome.code == 0
    document = json.loads(outcome.stdout)
    assert document["data"]["labels"] == "teacher"
    assert document["plcc"]["value"] > 0.98
    assert document["relevance_spearman"]["value"] is not None


def test_ratings_without_audio_are_judged_at_transparent_audio(run_command, tmp_path):
    rows = [
        {"content": f"c{c}", "mos": 1.5 + q + 0.1 * c, "motion2": 4.0 + c, "adm2": 0.6 + 0.1 * q}
        | {f"vif_scale{i}": 0.3 + 0.15 * q + 0.05 * i for i in range(4)}
        for c in range(3)
        for q in range(4)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "video.csv", index=False)
    outcome = run_command("evaluate", "attentive", tmp_path / "video.csv", "--json")
    assert outcome.code == 0
    document = json.loads(outcome.stdout)
    assert "transparent" in document["notes"][0]
    assert document["srcc"]["value"] > 0.8
    assert document["relevance_spearman"]["value"] is None


def test_a_model_asked_for_features_it_does_not_know_names_them(run_command, rated):
    line = run_command("evaluate", "attentive", rated).error_line()
    assert "audio_features_000" in line


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (["evaluate", "no-such-model", "RATED"], "attentive"),
        (["evaluate", "attentive", "missing.csv"], "missing.csv"),
        (["evaluate", "MODEL", "RATED", "--mos-range", "0", "10"], "mos-range"),
        (["evaluate", "MODEL", "RATED", "-o", "RATED"], ".json"),
        (["evaluate", "MODEL", "RATED", "--contents", "c.csv"], "contents"),
        (["evaluate", "attentive", "EXAMPLE", "--mos-range", "1", "5"], "mos-range"),
    ],
    ids=str,
)
def test_bad_input_is_one_line(run_command, model, rated, example, command, word):
    places = {"RATED": str(rated), "MODEL": str(model), "EXAMPLE": str(example)}
    outcome = run_command(*(places.get(part, part) for part in command))
    assert outcome.code in (1, 2)
    assert word in outcome.error_line()


# Choices.


@pytest.fixture(scope="module")
def panel(tmp_path_factory, make_video_ratings) -> Path:
    path = tmp_path_factory.mktemp("panel") / "panel.csv"
    make_video_ratings().to_csv(path, index=False)
    return path


def test_what_choosing_costs_comes_first_with_vmaf_beside_it(run_command, panel):
    outcome = run_command("evaluate", "attentive", panel)
    assert outcome.code == 0
    lines = outcome.stdout.splitlines()
    first = next(i for i, line in enumerate(lines) if "hull" in line)
    assert first < next(i for i, line in enumerate(lines) if line.startswith("PLCC"))
    assert [line.split()[:2] for line in lines[first + 2 : first + 8]] == [
        *(["all", "attentive"], ["all", "VMAF"]),
        *(["a", "attentive"], ["a", "VMAF"], ["b", "attentive"], ["b", "VMAF"]),
    ]


def test_json_has_choices_of_the_model_and_of_vmaf_for_all_and_each_data_set(run_command, panel):
    document = json.loads(run_command("evaluate", "attentive", panel, "--json").stdout)
    assert list(document).index("hull_regret") < list(document).index("plcc")
    parts = [document, document["vmaf"], *document["datasets"], *document["vmaf"]["datasets"]]
    for part in parts:
        assert part["hull_regret"].keys() == {"mean", "low", "high", "p95", "worst", "num"}
        assert part["right_pairs"].keys() == {"share", "low", "high", "num"}
    assert [part["name"] for part in document["datasets"]] == ["a", "b"]
    assert sum(part["hull_regret"]["num"] for part in document["datasets"]) == document["hull_regret"]["num"]
    assert sum(part["num_stimuli"] for part in document["datasets"]) == document["data"]["num_stimuli"]
    assert document["vmaf"]["plcc"] < 1 and document["vmaf"]["trade_off_order"] is None


def test_flagged_stimuli_are_left_out_and_told_of(run_command, panel, tmp_path):
    frame = pd.read_csv(panel).assign(broken=0)
    frame.loc[frame["content"] == "c0", "broken"] = 1
    frame.to_csv(tmp_path / "flagged.csv", index=False)
    outcome = run_command("evaluate", "attentive", tmp_path / "flagged.csv", "--json")
    assert "9 of 54 rated stimuli are left out" in outcome.stderr and "broken: 9" in outcome.stderr
    assert json.loads(outcome.stdout)["data"]["num_stimuli"] == 45
    kept = run_command("evaluate", "attentive", tmp_path / "flagged.csv", "--json", "--keep-flagged")
    assert kept.stderr == ""
    assert json.loads(kept.stdout)["data"]["num_stimuli"] == 54


def test_ratings_without_choices_have_null_and_no_table_of_them(run_command, model, rated):
    outcome = run_command("evaluate", model, rated, "--json")
    document = json.loads(outcome.stdout)
    assert document["hull_regret"] is document["right_pairs"] is document["vmaf"] is None
    assert document["datasets"] == []
    assert "NaN" not in outcome.stdout
    assert "regret" not in run_command("evaluate", model, rated).stdout
