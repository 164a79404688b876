"""`abr-alloc train` as a user runs it."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from abr_alloc.cli import main
from abr_alloc.models.checkpoint import load_model

EXAMPLE = Path(__file__).parents[2] / "examples" / "clip_features.parquet"
pytestmark = pytest.mark.usefixtures("few_resamples")

QUICK = ["--steps", "20", "--folds", "2", "--hidden-layers", "1"]


def run(monkeypatch: pytest.MonkeyPatch, *args: object) -> int:
    monkeypatch.setattr(sys, "argv", ["abr-alloc", *map(str, args)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.uniform(size=(60, 4)), columns=["v_sharp", "v_smooth", "a_clear", "a_loud"])
    frame["content"] = [f"film{i % 4}" for i in range(60)]
    frame["mos"] = 100 * (0.5 * frame["v_sharp"] + 0.5 * frame["a_clear"])
    path = tmp_path / "ratings.csv"
    frame.to_csv(path, index=False)
    return path


def test_own_ratings_give_a_checkpoint_with_held_out_figures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ratings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine"
    columns = ["--audio-columns", "a_*", "--video-columns", "v_*", "--mos-range", 0, 100]
    assert run(monkeypatch, "train", "--ratings", ratings, *columns, *QUICK, "-o", out) == 0
    card = json.loads((out / "model.json").read_text())
    assert card["labels"] == "human ratings"
    assert card["audio_features"] == ["a_clear", "a_loud"]
    assert card["evaluation"]["num_pairs"] == 60
    assert card["evaluation"]["held_out"]["plcc"].keys() == {"value", "low", "high"}
    assert card["interval_mos"][0] < 0 < card["interval_mos"][1]
    assert "PLCC" in capsys.readouterr().err
    assert load_model(str(out)).predictor.predict_grid(np.ones((2, 2)), np.ones((3, 2))).shape == (3, 2)


def test_a_feature_table_gives_a_model_that_plans_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "from-table"
    assert run(monkeypatch, "train", EXAMPLE, *QUICK, "-o", out) == 0
    card = json.loads((out / "model.json").read_text())
    assert "teacher" in card["labels"]
    assert {r["budget_kbps"] for r in card["evaluation"]["decisions"]["regret"]} <= {300, 600, 1000, 2000, 4000}
    capsys.readouterr()
    assert run(monkeypatch, "plan", EXAMPLE, "--budget", "2M", "--model", out, "--json") == 0
    assert json.loads(capsys.readouterr().out)["model"]["name"] == "from-table"


def test_a_model_on_other_columns_refuses_the_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ratings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine"
    columns = ["--audio-columns", "a_*", "--video-columns", "v_*", "--mos-range", 0, 100]
    run(monkeypatch, "train", "--ratings", ratings, *columns, *QUICK, "-o", out)
    capsys.readouterr()
    assert run(monkeypatch, "plan", EXAMPLE, "--budget", "2M", "--model", out) == 1
    error = capsys.readouterr().err
    assert "v_sharp" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("system", ["product-fitted", "svr-8f", "p1203", "recursive"])
def test_every_kind_of_system_trains_and_plans(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], system: str
) -> None:
    quick = QUICK if system == "recursive" else ["--folds", "2"]
    assert run(monkeypatch, "train", EXAMPLE, "--system", system, *quick, "-o", tmp_path / "m") == 0
    card = json.loads((tmp_path / "m" / "model.json").read_text())
    assert card["system"] == system
    assert card["interval_mos"][0] < 0 < card["interval_mos"][1]
    capsys.readouterr()
    assert run(monkeypatch, "plan", EXAMPLE, "--budget", "2M", "--model", tmp_path / "m", "--json") == 0
    for plan in json.loads(capsys.readouterr().out)["plans"]:
        assert 1 <= plan["avq_mos"] <= 5
        assert (plan["relevance"]["change_norm"] is None) == (system != "recursive")
    for word in ("svg", "json"):
        assert run(monkeypatch, "relevance", EXAMPLE, "--model", tmp_path / "m", "-o", tmp_path / f"r.{word}") == 0


def test_ratings_may_be_given_as_data_and_settings_as_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_ratings
) -> None:
    make_ratings().to_csv(tmp_path / "ratings.csv", index=False)
    settings = {"network": {"num_hidden_layers": 1, "d_model": 64, "d_ff": 64}, "num_steps": 15, "weight_decay": 0.02}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    args = ["train", tmp_path / "ratings.csv", "--settings", tmp_path / "settings.json", "--leave-one-out"]
    assert run(monkeypatch, *args, "--members", 2, "-o", tmp_path / "m") == 0
    card = json.loads((tmp_path / "m" / "model.json").read_text())
    assert card["training"]["weight_decay"] == 0.02
    assert (card["training"]["num_members"], card["settings"]["members"]) == (2, 2)
    assert len(card["evaluation"]["folds"]) == 4


@pytest.mark.parametrize(
    ("args", "code", "word"),
    [
        (["train", "-o", "{tmp}/x"], 2, "ratings"),
        (["train", "{example}", "--ratings", "{ratings}", "-o", "{tmp}/x"], 2, "one of the two"),
        (["train", "--ratings", "{tmp}/none.csv", "-o", "{tmp}/x"], 1, "none.csv"),
        (["train", "--ratings", "{ratings}", "--audio-columns", "a_*", "--video-columns", "v_*", "--mos-range", "0",
          "50", "-o", "{tmp}/x"], 1, "mos-range"),
        (["train", "--ratings", "{ratings}", "--audio-columns", "a_*", "--video-columns", "v_*", "--folds", "5",
          "-o", "{tmp}/x"], 1, "4 contents"),
        (["train", "--ratings", "{ratings}", "--audio-columns", "a_*", "--video-columns", "v_*", "--system", "svr-9f",
          "-o", "{tmp}/x"], 1, "svr-8f"),
        (["train", "{example}", "--system", "content-blind", "-o", "{tmp}/x"], 1, "compare it"),
        (["train", "{example}", "--system", "svr-8f", "--dropout", "0.2", "-o", "{tmp}/x"], 2, "svr-8f"),
        (["train", "{example}", "--settings", "{ratings}", "-o", "{tmp}/x"], 1, "settings"),
        (["train", "{example}", "--mos-range", "1", "5", "-o", "{tmp}/x"], 2, "rated"),
        (["train", "{example}", "{ratings}", "-o", "{tmp}/x"], 2, "feature tables only"),
        (["train", "--ratings", "{ratings}", "-o", "{tmp}/x"], 1, "columns"),
        (["train", "--ratings", "{ratings}", "--audio-columns", "a_*", "--video-columns", "v_*", "--mos-range", "3",
          "3", "-o", "{tmp}/x"], 1, "range"),
        (["train", "{example}", "-o", "{tmp}"], 2, "no checkpoint folder"),
        (["train", "{example}", "-o", "{tmp}/missing/x"], 1, "missing"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    ratings: Path,
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    code: int,
    word: str,
) -> None:
    filled = [arg.format(tmp=tmp_path, example=EXAMPLE, ratings=ratings) for arg in args]
    assert run(monkeypatch, *filled) == code
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert word in error
    assert not (tmp_path / "x").exists()


def test_a_listeners_table_gives_a_model_that_plans_such_tables_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], listened
) -> None:
    listened.save(tmp_path / "f.parquet")
    assert run(monkeypatch, "train", tmp_path / "f.parquet", *QUICK, "-o", tmp_path / "m") == 0
    card = json.loads((tmp_path / "m" / "model.json").read_text())
    assert card["audio_feature_version"] == "listener/1"
    assert (len(card["audio_features"]), card["audio_features"][-1]) == (513, "audio_quality_mos")
    assert run(monkeypatch, "plan", tmp_path / "f.parquet", "--budget", "2M", "--model", tmp_path / "m") == 0
    capsys.readouterr()
    assert run(monkeypatch, "plan", EXAMPLE, "--budget", "2M", "--model", tmp_path / "m") == 1
    assert "reads the audio features listener/1 (listener)" in capsys.readouterr().err
    assert run(monkeypatch, "train", tmp_path / "f.parquet", EXAMPLE, *QUICK, "-o", tmp_path / "n") == 1
