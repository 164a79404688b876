"""`abr-alloc relevance` on the example that ships, with the model that ships."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree

import pytest

from abr_alloc.table.table import read_features


@pytest.fixture(scope="module")
def scenes(example) -> list[tuple[str, int]]:
    frame = read_features(example).frame
    return list(frame[["title", "scene"]].drop_duplicates().itertuples(index=False, name=None))


def test_json_holds_a_share_per_scene(run_command, example, scenes):
    outcome = run_command("relevance", example, "--json", "--budget", "2M")
    assert (outcome.code, outcome.stderr) == (0, "")
    document = json.loads(outcome.stdout)
    assert (document["schema_version"], document["command"], document["budget_kbps"]) == (1, "relevance", 2000.0)
    assert [(scene["title"], scene["scene"]) for scene in document["scenes"]] == scenes
    for scene in document["scenes"]:
        assert 0 <= scene["audio_share"] <= 1
        assert scene["audio_share"] + scene["video_share"] == pytest.approx(1)
        assert scene["ablation"].keys() == scene["change_norm"].keys() == {"audio", "video"}


def test_relevance_is_that_of_the_plan(run_command, example):
    relevance = json.loads(run_command("relevance", example, "--json", "--budget", "1M").stdout)
    plan = json.loads(run_command("plan", example, "--json", "--budget", "1M").stdout)
    for scene, allocation in zip(relevance["scenes"], plan["plans"], strict=True):
        assert {key: scene[key] for key in allocation["relevance"]} == allocation["relevance"]


def test_without_a_budget_every_scene_has_a_pair(run_command, example, scenes):
    outcome = run_command("relevance", example, "--json")
    assert (outcome.code, outcome.stderr) == (0, "")
    document = json.loads(outcome.stdout)
    assert len(document["scenes"]) == len(scenes)
    assert document["budget_kbps"] > 0


def test_text_has_a_line_per_scene(run_command, example, scenes):
    outcome = run_command("relevance", example)
    assert (outcome.code, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    assert [line for line in lines if line in dict(scenes)] == list(dict(scenes))
    assert sum(bool(re.match(r" +\d+ +\d+:\d\d\.\d ", line)) for line in lines) == len(scenes)


@pytest.mark.parametrize("name", ["picture.png", "picture.PNG"])
def test_a_png_is_a_png(name, run_command, example, tmp_path):
    outcome = run_command("relevance", example, "-o", tmp_path / name)
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "", "")
    assert (tmp_path / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_an_svg_is_an_svg(run_command, example, tmp_path):
    outcome = run_command("relevance", example, "-o", tmp_path / "picture.svg")
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "", "")
    assert ElementTree.parse(tmp_path / "picture.svg").getroot().tag.endswith("svg")


def test_a_json_file_holds_what_would_be_printed(run_command, example, tmp_path):
    assert run_command("relevance", example, "-o", tmp_path / "r.json").code == 0
    assert (tmp_path / "r.json").read_text() == run_command("relevance", example, "--json").stdout


def test_equal_runs_draw_equal_pictures(run_command, example, tmp_path):
    for name in ("a.png", "b.png"):
        run_command("relevance", example, "-o", tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_filters_leave_what_they_name(run_command, example, scenes):
    title = scenes[-1][0]
    document = json.loads(run_command("relevance", example, "--json", "--title", title, "--scene", "0").stdout)
    assert [(scene["title"], scene["scene"]) for scene in document["scenes"]] == [(title, 0)]


def test_a_budget_that_nothing_fits_has_its_own_exit_code_and_writes_nothing(run_command, example, scenes, tmp_path):
    outcome = run_command("relevance", example, "--budget", "1k", "-o", tmp_path / "picture.png")
    assert outcome.code == 3
    assert len(outcome.stderr.splitlines()) == len(scenes)
    assert all(line.startswith("infeasible: ") for line in outcome.stderr.splitlines())
    assert list(tmp_path.iterdir()) == []


def test_json_does_not_go_into_a_picture(run_command, example, tmp_path):
    outcome = run_command("relevance", example, "--json", "-o", tmp_path / "x.png")
    assert outcome.code == 2
    assert not (tmp_path / "x.png").exists()
