"""`--screen` and `--phones` as a person gives them: who watches on what goes through every command, and is said."""

from __future__ import annotations

import io
import json
import re
import shutil

import pandas as pd
import pytest

from abr_alloc.models.screens import handheld_mos

TITLE = "handheld-toy-rabbit-480p"


@pytest.fixture
def run(run_command, example):
    """A command on one title of the example."""

    def run(name, *words):
        return run_command(name, example, "--title", TITLE, *words)

    return run


def rows(outcome) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(outcome.stdout))


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--budget", "300k", "--json"),
        ("plan", "--per", "title", "--sensitivity", "--csv"),
        ("relevance",),
        ("ladder", "--rungs", "auto", "--json"),
        ("ladder", "--csv"),
    ],
    ids=" ".join,
)
def test_a_television_is_what_there_is_without_a_word(run, words) -> None:
    plain = run(*words)
    for tv in (("--screen", "tv"), ("--phones", "0%")):
        assert (plain.code, run(*words, *tv).stdout) == (0, plain.stdout)
    assert "screen" not in plain.stdout and "phone" not in plain.stdout


def test_on_a_phone_the_same_money_buys_more_avq_and_better_audio(run) -> None:
    words = ("plan", "--budget", "150k", "--budget", "300k", "--budget", "600k")
    tv, phone = (json.loads(run(*words, "--json", *more).stdout) for more in ((), ("--screen", "phone")))
    assert (tv["model"].get("screen"), phone["model"]["screen"]) == (None, "phone")
    assert "phones" not in phone["model"]
    for on_tv, on_phone in zip(tv["plans"], phone["plans"], strict=True):
        assert on_tv["avq_mos"] < on_phone["avq_mos"] <= handheld_mos(on_tv["avq_mos"]) + 0.05
        assert on_phone["audio"]["bitrate_kbps"] >= on_tv["audio"]["bitrate_kbps"]
    assert "(model attentive, on phones, trained on" in " ".join(run(*words, "--screen", "phone").stdout.split())


def test_relevance_moves_towards_the_audio(run) -> None:
    tv, phone = (json.loads(run("relevance", "--json", *more).stdout) for more in ((), ("--screen", "phone")))
    assert phone["model"]["screen"] == "phone"
    for on_tv, on_phone in zip(tv["scenes"], phone["scenes"], strict=True):
        assert on_tv["audio_share"] < on_phone["audio_share"] < 1.0
    assert "Relevance per scene on phones;" in run("relevance", "--screen", "phone").stdout


def test_a_ladder_for_both_says_both(run, tmp_path) -> None:
    found = rows(run("ladder", "--phones", "60%", "--csv"))
    mean = 0.4 * found["tv_mos"] + 0.6 * found["phone_mos"]
    assert found["avq_mos"].to_numpy() == pytest.approx(mean.to_numpy(), abs=2e-3)
    assert list(rows(run("ladder", "--csv")).columns) == [c for c in found.columns if c not in ("tv_mos", "phone_mos")]
    text = run("ladder", "--phones", "0.6", "-o", tmp_path / "both.json").stdout
    assert re.search(r"AVQ +on tv +phone", text) and "(model attentive, 60 % on phones)" in " ".join(text.split())
    document = json.loads((tmp_path / "both.json").read_text())
    assert (document["options"]["screen"], document["options"]["phones"]) == ("both", 0.6)
    screens = [rung["screens"] for rung in document["ladders"][0]["rungs"]]
    assert [s["tv_mos"] for s in screens] == pytest.approx(found["tv_mos"].to_list(), abs=1e-4)


def test_a_catalogue_gives_what_one_table_gives(run_command, example, tmp_path) -> None:
    (tmp_path / "tables").mkdir()
    shutil.copy(example, tmp_path / "tables" / "clips.parquet")
    for name, words, out in (
        ("ladder", ("--phones", "60%", "--rungs", "3"), "ladders.csv"),
        ("plan", ("--screen", "phone", "--budget", "300k"), "plans.csv"),
    ):
        outcome = run_command(name, tmp_path / "tables", *words, "-o", tmp_path / out)
        assert outcome.code == 0
        assert re.search(r"AVQ is that (60 % )?on phones\.", outcome.stdout)
        alone = run_command(name, example, *words, "--csv")
        assert (tmp_path / out).read_text() == alone.stdout


def test_a_page_says_who_watches_and_warns_of_a_ladder_for_another_screen(run, example, tmp_path, monkeypatch) -> None:
    """All that goes into a page, without drawing one."""
    pages = []
    monkeypatch.setattr("abr_alloc.runs.report_run.budget_stops", lambda surfaces, wanted: wanted)
    monkeypatch.setattr("abr_alloc.runs.report_run.render_page", lambda about, titles: pages.append(about) or b"")
    assert run("ladder", "--rungs", "2", "-o", tmp_path / "tv.json").code == 0
    words = ("--screen", "phone", "--ladder", tmp_path / "tv.json", "-o", tmp_path / "page.html")
    assert run("report", *words, "--budget", "300k").code == 0
    (about,) = pages
    assert about["model"]["name"] == "attentive, on phones"
    assert about["plan_command"] == ["abr-alloc", "plan", str(example), "--screen", "phone"]
    assert [told for told in about["warnings"] if "designed for people on televisions" in told]


def test_an_audit_judges_on_the_screen_that_is_asked_for(run, tmp_path) -> None:
    assert run("ladder", "--rungs", "3", "--screen", "phone", "-o", tmp_path / "phone.json").code == 0
    expected = json.loads((tmp_path / "phone.json").read_text())["ladders"][0]["expected_avq_mos"]
    found = json.loads(run("audit", "--ladder", tmp_path / "phone.json", "--screen", "phone", "--json").stdout)
    assert found["model"]["screen"] == "phone"
    (family,) = found["audits"][0]["families"]
    assert family["expected_avq_mos"] == pytest.approx(expected, abs=1e-3)
    on_tv = json.loads(run("audit", "--ladder", tmp_path / "phone.json", "--json").stdout)
    assert on_tv["audits"][0]["families"][0]["expected_avq_mos"] < expected - 0.05


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--phones", "60"), "'60' is no share of an audience; write 60% or 0.6"),
        (("--phones", "nan"), "'nan' is no share of an audience; write 60% or 0.6"),
        (("--phones", "101%"), "'101%' is no share of an audience; write 60% or 0.6"),
        (("--phones", "60%", "--screen", "phone"), "--screen and --phones exclude each other; give one"),
        (("--screen", "cinema"), "'cinema' is not one of 'tv', 'phone'"),
    ],
    ids=str,
)
def test_what_is_no_screen_is_refused_in_one_line(run, words, line) -> None:
    outcome = run("ladder", *words)
    assert outcome.code == 2
    assert line in outcome.error_line()


def test_a_ladder_file_with_a_damaged_screen_is_refused(run, run_command, tmp_path) -> None:
    path = tmp_path / "ladder.json"
    assert run("ladder", "--rungs", "2", "--phones", "60%", "-o", path).code == 0
    path.write_text(path.read_text().replace('"phones": 0.6', '"phones": 6'))
    outcome = run("report", "--ladder", path, "-o", tmp_path / "page.html")
    assert (outcome.code, "phones is 6, not a number of at least 0" in outcome.error_line()) == (1, True)
