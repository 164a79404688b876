"""`abr-alloc report` and `abr-alloc figure`: what they take, what they refuse, what they write."""

import base64
import json
import re
from pathlib import Path

import pytest

from abr_alloc.table.table import FeatureTable, read_features, write_features

TITLE = "tos-battle-action-332p"
SHORT_TITLES = ("documentary-nasa-jwst-270p", "handheld-toy-rabbit-480p")
MOST_BYTES = 3_000_000


def titles_of(path: Path) -> list[dict]:
    found = re.findall(r'<script type="application/json" class="title">(.*?)</script>', path.read_text("utf-8"))
    return [json.loads(text) for text in found]


def about_of(path: Path) -> dict:
    (found,) = re.findall(r'<script type="application/json" id="about">(.*?)</script>', path.read_text("utf-8"))
    return json.loads(found)


@pytest.fixture(scope="module")
def own_table(example, tmp_path_factory, make_media):
    """The six scenes of one title of the example, as if measured from a film of our own, with its file."""
    film = make_media(
        "battle.mp4",
        "lavfi:mandelbrot=size=320x136:rate=12",
        "lavfi:anoisesrc=d=16:a=0.1",
        *("-t", "16", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    )
    from abr_alloc.media.probe import content_hash

    table = read_features(example)
    rows = table.frame[table.frame["title"] == TITLE].assign(title="battle").reset_index(drop=True)
    import dataclasses

    metadata = dataclasses.replace(table.metadata, source_hashes={"battle": content_hash(film)}, credits={})
    path = tmp_path_factory.mktemp("own") / "battle.parquet"
    write_features(FeatureTable(rows, metadata), path)
    return path, film


@pytest.fixture(scope="module")
def two_titles(example, tmp_path_factory) -> Path:
    """The example's shortest titles: a page of all five takes several times as long."""
    table = read_features(example)
    rows = table.frame[table.frame["title"].isin(SHORT_TITLES)].reset_index(drop=True)
    path = tmp_path_factory.mktemp("two") / "two.parquet"
    write_features(FeatureTable(rows, table.metadata), path)
    return path


def test_every_scene_gets_a_thumbnail_of_its_own_and_the_page_stays_small(own_table, run_command, tmp_path) -> None:
    features, film = own_table
    outcome = run_command("report", features, "--source", film, "-o", tmp_path / "r.html")
    assert outcome.code == 0, outcome.stderr
    (title,) = titles_of(tmp_path / "r.html")
    pictures = [scene["thumbnail"] for scene in title["scenes"]]
    assert len(set(pictures)) == 6
    for picture in pictures:
        head, _, data = picture.partition(",")
        assert head == "data:image/jpeg;base64"
        assert base64.b64decode(data).startswith(b"\xff\xd8\xff")
    assert (tmp_path / "r.html").stat().st_size < MOST_BYTES


def test_a_folder_of_sources_serves_the_titles_that_it_has(own_table, run_command, tmp_path, example) -> None:
    features, film = own_table
    assert run_command("report", features, "--source", film.parent, "-o", tmp_path / "r.html").code == 0
    assert all(scene["thumbnail"] for scene in titles_of(tmp_path / "r.html")[0]["scenes"])


def test_ten_scenes_with_thumbnails_stay_under_three_megabytes(own_table, run_command, tmp_path) -> None:
    import pandas as pd

    features, film = own_table
    table = read_features(features)
    rows = table.frame
    more = rows[rows["scene"] < 4].assign(scene=lambda r: r["scene"] + 6)
    write_features(FeatureTable(pd.concat([rows, more], ignore_index=True), table.metadata), tmp_path / "ten.parquet")
    words = ("--source", film, "-o", tmp_path / "r.html")
    outcome = run_command("report", tmp_path / "ten.parquet", *words)
    assert outcome.code == 0, outcome.stderr
    (title,) = titles_of(tmp_path / "r.html")
    assert len(title["scenes"]) == 10
    assert (tmp_path / "r.html").stat().st_size < MOST_BYTES


def test_another_file_of_the_same_name_is_refused(own_table, run_command, tmp_path, clip) -> None:
    features, _ = own_table
    other = tmp_path / "battle.mp4"
    other.write_bytes(clip.read_bytes())
    line = run_command("report", features, "--source", other, "-o", tmp_path / "r.html").error_line()
    assert "battle.mp4 is not the file that title 'battle' was measured from" in line
    assert not (tmp_path / "r.html").exists()


def test_a_source_that_ends_early_is_refused(own_table, run_command, tmp_path, ffmpeg) -> None:
    import dataclasses

    features, film = own_table
    table = read_features(features)
    metadata = dataclasses.replace(table.metadata, source_hashes={})  # else its SHA-256 gives it away
    write_features(FeatureTable(table.frame, metadata), tmp_path / "battle.parquet")
    ffmpeg.run(["-i", film, "-t", "3", "-c", "copy", tmp_path / "battle.mp4"])
    words = ("--source", tmp_path / "battle.mp4", "-o", tmp_path / "r.html")
    line = run_command("report", tmp_path / "battle.parquet", *words).error_line()
    assert "battle.mp4 has no picture at 4.65 s; is it the complete source?" in line


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-o", "r.pdf"], 2, "must end in .html"),
        ([], 2, "Missing option '-o'"),
        (["-o", "r.html", "--source", "nowhere.mp4"], 1, "nowhere.mp4 does not exist; correct --source"),
        (["-o", "r.html", "--source", "stranger.mp4"], 1, "stranger.mp4 is no title's source"),
        (["-o", "r.html", "--ladder", "nowhere.json"], 1, "nowhere.json does not exist"),
        (["-o", "r.html", "--title", "x"], 1, "no title 'x'"),
        (["-o", "missing/r.html"], 1, "there is no folder missing"),
        (["-o", "r.html", "--budget", "300"], 2, "did you mean"),
        (["-o", "r.html", "--model", "x"], 1, "'x'"),
    ],
)
def test_bad_input_gets_one_line_and_leaves_nothing(
    words, code, said, run_command, example, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stranger.mp4").write_bytes(b"x")
    outcome = run_command("report", example, *words)
    assert outcome.code == code
    assert said in outcome.error_line()
    assert not list(tmp_path.glob("r.*"))


def test_a_page_that_cannot_be_made_leaves_the_one_that_is_there(run_command, example, tmp_path) -> None:
    (tmp_path / "r.html").write_text("before")
    assert run_command("report", example, "--title", "x", "-o", tmp_path / "r.html").code == 1
    assert (tmp_path / "r.html").read_text() == "before"


def test_the_slider_stops_at_the_budgets_that_were_asked_for_and_opens_at_the_first(
    run_command, example, tmp_path
) -> None:
    words = ("--budget", "777k", "--budget", "333k", "-o", tmp_path / "r.html")
    assert run_command("report", example, "--title", TITLE, *words).code == 0
    about = about_of(tmp_path / "r.html")
    assert {333.0, 777.0} <= set(about["budgets_kbps"])
    assert about["budgets_kbps"][about["start"]] == 777.0


def test_the_ladder_of_a_file_is_shown_with_its_comparison(run_command, two_titles, tmp_path) -> None:
    words = ("--rungs", "4", "--compare", "apple-hls-avc", "-o", tmp_path / "ladder.json")
    assert run_command("ladder", two_titles, *words).code == 0
    outcome = run_command("report", two_titles, "--ladder", tmp_path / "ladder.json", "-o", tmp_path / "r.html")
    assert outcome.code == 0, outcome.stderr
    document = json.loads((tmp_path / "ladder.json").read_text())
    for title, ladder in zip(titles_of(tmp_path / "r.html"), document["ladders"], strict=True):
        shown = title["ladder"]
        assert [r["kbps"] for r in shown["rungs"]] == pytest.approx([r["total_kbps"] for r in ladder["rungs"]], abs=0.1)
        assert shown["expected_avq_mos"] == pytest.approx(ladder["expected_avq_mos"], abs=1e-3)
        assert shown["reference"]["gain_mos"] == pytest.approx(ladder["comparison"]["gain_mos"], abs=1e-3)
    assert about_of(tmp_path / "r.html")["warnings"] == []


def test_a_shared_ladder_shows_what_each_title_comes_to(run_command, two_titles, tmp_path) -> None:
    assert run_command("ladder", two_titles, "--shared", "-o", tmp_path / "ladder.json").code == 0
    assert run_command("report", two_titles, "--ladder", tmp_path / "ladder.json", "-o", tmp_path / "r.html").code == 0
    (ladder,) = json.loads((tmp_path / "ladder.json").read_text())["ladders"]
    for title in titles_of(tmp_path / "r.html"):
        own = [at["avq_mos"] for rung in ladder["rungs"] for at in rung["titles"] if at["title"] == title["title"]]
        assert [rung["avq_mos"] for rung in title["ladder"]["rungs"]] == pytest.approx(own, abs=1e-3)
        assert title["ladder"]["shared"] == "2 titles"


def test_a_ladder_of_another_model_or_source_is_shown_with_a_warning(run_command, two_titles, tmp_path) -> None:
    assert run_command("ladder", two_titles, "--model", "svr-8f", "-o", tmp_path / "ladder.json").code == 0
    document = json.loads((tmp_path / "ladder.json").read_text())
    document["features"]["source_hashes"][SHORT_TITLES[0]] = "0" * 64
    (tmp_path / "ladder.json").write_text(json.dumps(document))
    assert run_command("report", two_titles, "--ladder", tmp_path / "ladder.json", "-o", tmp_path / "r.html").code == 0
    model, sources = about_of(tmp_path / "r.html")["warnings"]
    assert "another model (svr-8f)" in model
    assert SHORT_TITLES[0] in sources


def test_a_folder_of_ladders_serves_every_title(run_command, two_titles, tmp_path) -> None:
    (tmp_path / "ladders").mkdir()
    assert run_command("ladder", two_titles, "--rungs", "3", "-o", tmp_path / "ladders").code == 0
    assert run_command("report", two_titles, "--ladder", tmp_path / "ladders", "-o", tmp_path / "r.html").code == 0
    assert [len(title["ladder"]["rungs"]) for title in titles_of(tmp_path / "r.html")] == [3] * 2
    (tmp_path / "empty").mkdir()
    words = ("--ladder", tmp_path / "empty", "-o", tmp_path / "s.html")
    assert "holds no ladder file" in run_command("report", two_titles, *words).error_line()


def test_a_ladder_for_another_overhead_is_shown_with_a_warning(run_command, two_titles, tmp_path) -> None:
    assert run_command("ladder", two_titles, "--overhead", "0.1", "-o", tmp_path / "ladder.json").code == 0
    assert run_command("report", two_titles, "--ladder", tmp_path / "ladder.json", "-o", tmp_path / "r.html").code == 0
    (told,) = about_of(tmp_path / "r.html")["warnings"]
    assert "10 % container overhead, this page counts 2 %" in told


@pytest.mark.parametrize(
    ("field", "value"),
    [("avq_mos", float("nan")), ("avq_mos", 7.0), ("total_kbps", -5.0), ("played_share", 2.0), ("avq_mos", None)],
)
def test_a_damaged_ladder_is_refused_by_the_field(run_command, example, tmp_path, field, value) -> None:
    assert run_command("ladder", example, "--title", TITLE, "-o", tmp_path / "ladder.json").code == 0
    document = json.loads((tmp_path / "ladder.json").read_text())
    document["ladders"][0]["rungs"][1][field] = value
    (tmp_path / "ladder.json").write_text(json.dumps(document))
    words = ("--ladder", tmp_path / "ladder.json", "-o", tmp_path / "r.html")
    line = run_command("report", example, "--title", TITLE, *words).error_line()
    assert re.search(rf"ladder\.json is damaged \(\S*{field}(?: is NaN|: expected )", line, re.IGNORECASE), line


def test_a_ladder_file_without_any_of_the_titles_is_refused(run_command, example, tmp_path) -> None:
    assert run_command("ladder", example, "--title", TITLE, "-o", tmp_path / "ladder.json").code == 0
    words = ("--title", "handheld-toy-rabbit-480p", "--ladder", tmp_path / "ladder.json", "-o", tmp_path / "r.html")
    line = run_command("report", example, *words).error_line()
    assert f"has no ladder for handheld-toy-rabbit-480p; it has {TITLE}" in line


def test_where_the_default_ladder_does_not_fit_the_page_says_why(run_command, example, tmp_path) -> None:
    table = read_features(example)
    rows = table.frame[table.frame["title"] == TITLE]
    few = rows[(rows["kind"] == "audio") | (rows["target"] == "crf=26")].reset_index(drop=True)
    write_features(FeatureTable(few, table.metadata), tmp_path / "few.parquet")
    assert run_command("report", tmp_path / "few.parquet", "-o", tmp_path / "r.html").code == 0
    (title,) = titles_of(tmp_path / "r.html")
    assert title["ladder"] is None
    assert "no ladder of 6 rungs" in title["ladder_problem"]


def test_the_command_on_the_page_says_how_it_was_made(run_command, two_titles, tmp_path) -> None:
    words = (
        "--model",
        "svr-8f",
        "--overhead",
        "0.1",
        "--max-height",
        "400",
        "--measured-only",
        "-o",
        tmp_path / "r.html",
    )
    assert run_command("report", two_titles, *words).code == 0
    command = about_of(tmp_path / "r.html")["plan_command"]
    assert command[:3] == ["abr-alloc", "plan", str(two_titles)]
    assert command[3:] == ["--model", "svr-8f", "--overhead", "0.1", "--max-height", "400", "--measured-only"]


@pytest.mark.parametrize("kind", ["relevance", "surface", "ladder", "split"])
def test_a_figure_of_every_kind_as_svg_and_png(kind, run_command, example, tmp_path) -> None:
    for suffix, head in ((".svg", b"<?xml"), (".png", b"\x89PNG")):
        path = tmp_path / f"x{suffix}"
        outcome = run_command("figure", kind, example, "--title", TITLE, "-o", path)
        assert outcome.code == 0, outcome.stderr
        assert path.read_bytes().startswith(head)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["split", "-o", "x.svg", "--budget", "300k"], "--budget is for relevance and surface"),
        (["ladder", "-o", "x.svg", "--measured-only"], "--measured-only is not for the kind ladder"),
        (["surface", "-o", "x.svg", "--with-equations"], "--with-equations is for the kind relevance"),
        (["surface", "-o", "x.svg", "--ladder", "l.json"], "--ladder is for the kind ladder"),
        (["surface", "-o", "x.pdf"], "must end in .svg or .png"),
        (["pie", "-o", "x.svg"], "'pie' is not one of"),
    ],
)
def test_a_figure_refuses_what_does_not_apply(words, said, run_command, example, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = run_command("figure", words[0], example, *words[1:])
    assert outcome.code == 2
    assert said in outcome.error_line()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["relevance", "surface"])
def test_a_budget_below_everything_draws_nothing_and_ends_infeasible(run_command, example, tmp_path, kind) -> None:
    outcome = run_command("figure", kind, example, "--budget", "10k", "-o", tmp_path / "x.svg")
    assert outcome.code == 3
    assert "infeasible: " in outcome.stderr
    assert not (tmp_path / "x.svg").exists()
