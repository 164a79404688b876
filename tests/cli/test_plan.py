"""`abr-alloc plan` on the example that ships, with the model that ships."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from abr_alloc.table.table import read_features

PLAN_KEYS = {
    *("title", "scene", "start_s", "end_s", "budget_kbps", "video", "audio", "total_kbps", "avq_mos", "interval_mos"),
    *("relevance", "cheaper", "num_pairs", "num_feasible", "weight_s", "height_falls"),
}

VIDEO_KEYS = {"codec", "width_px", "height_px", "target", "bitrate_kbps", "vmaf"}


@pytest.fixture(scope="module")
def frame(example) -> pd.DataFrame:
    return read_features(example).frame


@pytest.fixture(scope="module")
def num_scenes(frame) -> int:
    return len(frame[["title", "scene"]].drop_duplicates())


@pytest.fixture
def plan_json(run_command, example):
    def run(*words: str) -> dict:
        outcome = run_command("plan", example, "--json", *words)
        assert (outcome.code, outcome.stderr) == (0, "")
        return json.loads(outcome.stdout)

    return run


def cheapest_kbps(frame: pd.DataFrame, overhead: float = 0.02) -> pd.Series:
    """Rate of the cheapest pair of every scene."""
    return frame.groupby(["title", "scene", "kind"])["bitrate_kbps"].min().groupby(["title", "scene"]).sum() * (
        1 + overhead
    )


# The document.


def test_the_document_holds_exactly_what_the_format_says(plan_json, num_scenes):
    document = plan_json("--budget", "2M")
    assert document.keys() >= {"schema_version", "command", "model", "plans"}
    assert (document["schema_version"], document["command"]) == (2, "plan")
    assert isinstance(document["model"], dict) and document["model"]["name"]
    assert len(document["plans"]) == num_scenes
    for plan in document["plans"]:
        assert plan.keys() == PLAN_KEYS
        assert plan["video"].keys() - {"interpolated", "nearest_probes"} == VIDEO_KEYS
        assert plan["audio"].keys() == {"codec", "channels", "target", "bitrate_kbps", "quality_mos"}
        shares = {"audio_share", "ablation_audio_share", "eq8_audio_share"}
        assert plan["relevance"].keys() == {*shares, "ablation", "change_norm"}
        assert plan["cheaper"].keys() == {"video", "audio", "total_kbps", "avq_mos", "preference_probability"}
        assert plan["cheaper"]["video"].keys() - {"interpolated", "nearest_probes"} == VIDEO_KEYS
        assert plan["relevance"]["ablation"].keys() == plan["relevance"]["change_norm"].keys() == {"audio", "video"}


def test_numbers_are_numbers_in_their_ranges(plan_json):
    for plan in plan_json("--budget", "2M")["plans"]:
        low, high = plan["interval_mos"]
        assert 1 <= low <= plan["avq_mos"] <= high <= 5
        assert all(
            0 <= plan["relevance"][share] <= 1 for share in ("audio_share", "ablation_audio_share", "eq8_audio_share")
        )
        assert 1 <= plan["num_feasible"] <= plan["num_pairs"]
        assert 0 <= plan["video"]["vmaf"] <= 100 and 1 <= plan["audio"]["quality_mos"] <= 5
        assert plan["cheaper"]["total_kbps"] <= plan["total_kbps"]
        assert plan["avq_mos"] - plan["cheaper"]["avq_mos"] <= 0.1 + 1e-6
        assert 0 <= plan["cheaper"]["preference_probability"] < 0.5
        assert plan["start_s"] < plan["end_s"]
        assert isinstance(plan["scene"], int) and isinstance(plan["video"]["width_px"], int)


def test_a_plan_of_measured_renditions_is_a_pair_of_rows_that_fits(plan_json, frame):
    for plan in plan_json("--budget", "700k", "--measured-only")["plans"]:
        scene = frame[(frame["title"] == plan["title"]) & (frame["scene"] == plan["scene"])]
        for kind in ("video", "audio"):
            rows = scene[scene["kind"] == kind]
            for key, value in plan[kind].items():
                if key == "quality_mos":  # derived, not measured
                    continue
                rows = rows[rows[key] == value]
            assert len(rows) == 1
        streams = plan["video"]["bitrate_kbps"] + plan["audio"]["bitrate_kbps"]
        assert plan["total_kbps"] == pytest.approx(1.02 * streams)
        assert plan["total_kbps"] <= 700


def test_pairs_are_counted(plan_json, frame):
    frame = frame[(frame["kind"] == "video") | (frame["target"] != "b=192k")]  # more than transparent audio takes
    counts = frame.groupby(["title", "scene", "kind"]).size().unstack()
    for plan in plan_json("--budget", "700k", "--measured-only")["plans"]:
        scene = frame[(frame["title"] == plan["title"]) & (frame["scene"] == plan["scene"])]
        rates = {kind: scene[scene["kind"] == kind]["bitrate_kbps"].to_numpy() for kind in ("video", "audio")}
        assert plan["num_pairs"] == counts.loc[(plan["title"], plan["scene"])].prod()
        assert plan["num_feasible"] == (1.02 * np.add.outer(rates["video"], rates["audio"]) <= 700).sum()


def test_the_document_is_plain_json(run_command, example):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    json.loads(run_command("plan", example, "--budget", "2M", "--json").stdout, parse_constant=refuse)


def test_equal_runs_print_equal_text(run_command, example):
    texts = {run_command("plan", example, "--budget", "1M", "--json").stdout for _ in range(2)}
    assert len(texts) == 1


# Options.


def test_every_budget_has_its_plans_in_the_order_asked_for(plan_json, num_scenes):
    plans = plan_json("--budget", "2M", "--budget", "600k", "--budget", "1M")["plans"]
    assert [plan["budget_kbps"] for plan in plans] == [2000.0] * num_scenes + [600.0] * num_scenes + [
        1000.0
    ] * num_scenes


def test_more_budget_is_never_worse(plan_json):
    budgets = ["500k", "1M", "2M", "4M"]
    plans = plan_json(*(word for budget in budgets for word in ("--budget", budget)))["plans"]
    quality = pd.DataFrame(plans).pivot_table(index=["title", "scene"], columns="budget_kbps", values="avq_mos")
    assert (quality.diff(axis=1).iloc[:, 1:] >= -1e-6).all(axis=None)


def test_a_rate_can_be_written_in_many_ways(plan_json):
    plans = [plan_json("--budget", text)["plans"] for text in ("2M", "2000k", "2000000", "2.0M", "2000kbps")]
    assert all(plan == plans[0] for plan in plans)


def test_filters_leave_what_they_name(plan_json, frame):
    title = sorted(set(frame["title"]))[-1]
    assert {plan["title"] for plan in plan_json("--budget", "2M", "--title", title)["plans"]} == {title}
    plans = plan_json("--budget", "2M", "--scene", "0", "--scene", "1")["plans"]
    assert {plan["scene"] for plan in plans} == {0, 1}
    one = plan_json("--budget", "2M", "--title", title, "--scene", "1", "--audio-codec", "aac", "--video-codec", "h264")
    assert [(plan["title"], plan["scene"]) for plan in one["plans"]] == [(title, 1)]


def test_max_height_leaves_out_higher_renditions(plan_json, frame):
    lowest = int(frame["height_px"].max()) // 2
    plans = plan_json("--budget", "8M", "--max-height", str(lowest))["plans"]
    assert max(plan["video"]["height_px"] for plan in plans) <= lowest
    every = plan_json("--budget", "8M")["plans"]
    assert all(low["num_pairs"] <= all_["num_pairs"] for low, all_ in zip(plans, every, strict=True))


def test_overhead_is_added_to_the_streams(plan_json):
    for plan in plan_json("--budget", "2M", "--overhead", "0.1")["plans"]:
        assert plan["total_kbps"] == pytest.approx(
            1.1 * (plan["video"]["bitrate_kbps"] + plan["audio"]["bitrate_kbps"])
        )


# The other formats.


def test_csv_holds_the_same_plans(run_command, example, plan_json, num_scenes):
    outcome = run_command("plan", example, "--csv", "--budget", "2M", "--budget", "1M")
    assert (outcome.code, outcome.stderr) == (0, "")
    table = pd.read_csv(io.StringIO(outcome.stdout))
    plans = plan_json("--budget", "2M", "--budget", "1M")["plans"]
    assert len(table) == len(plans) == 2 * num_scenes
    assert table["title"].tolist() == [plan["title"] for plan in plans]
    assert table["video_target"].tolist() == [plan["video"]["target"] for plan in plans]
    assert table["total_kbps"].tolist() == pytest.approx([plan["total_kbps"] for plan in plans], rel=1e-5)
    assert table["avq_mos"].tolist() == pytest.approx([plan["avq_mos"] for plan in plans], rel=1e-5)
    assert not table.isna().any(axis=None)


def test_the_text_has_a_line_per_scene(run_command, example, num_scenes, frame):
    outcome = run_command("plan", example, "--budget", "2M")
    assert (outcome.code, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    assert [line for line in lines if line in set(frame["title"])] == list(dict.fromkeys(frame["title"]))
    assert sum(bool(re.match(r" +\d+ +\d+:\d\d\.\d ", line)) for line in lines) == num_scenes
    assert "2000 kbps" in lines[0]


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_a_file_holds_what_would_be_printed(form, run_command, example, tmp_path):
    path = tmp_path / "plan"
    printed = run_command("plan", example, "--budget", "2M", *form)
    written = run_command("plan", example, "--budget", "2M", *form, "-o", path)
    assert (written.code, written.stdout, written.stderr) == (0, "", "")
    assert path.read_text() == printed.stdout
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan"]


# Infeasible scenes.


def test_scenes_that_nothing_fits_are_named_and_the_others_printed(run_command, example, frame):
    cheapest = cheapest_kbps(frame).sort_values()
    budget = int(cheapest.iloc[len(cheapest) // 2])
    infeasible = cheapest[cheapest > budget]
    assert 0 < len(infeasible) < len(cheapest)
    outcome = run_command("plan", example, "--budget", f"{budget}k", "--json")
    assert outcome.code == 3
    document = json.loads(outcome.stdout)
    assert {(p["title"], p["scene"]) for p in document["plans"]} == set(cheapest.index) - set(infeasible.index)
    lines = outcome.stderr.splitlines()
    assert len(lines) == len(infeasible)
    assert all(line.startswith("infeasible: ") for line in lines)
    for (title, scene), total in infeasible.items():
        assert any(f"'{title}' scene {scene}: a budget of {budget} kbps" in line for line in lines)
        assert any(f"{total:.1f} kbps (video" in line for line in lines)
    assert lines[-1].endswith("raise --budget or add a cheaper rendition to the grid")


def test_a_budget_of_exactly_the_cheapest_pair_is_feasible(run_command, example, frame):
    (title, scene), total = next(iter(cheapest_kbps(frame).items()))
    words = ["plan", example, "--json", "--title", title, "--scene", str(scene), "--budget"]
    assert run_command(*words, f"{total + 1e-3:.4f}k").code == 0
    assert run_command(*words, f"{total - 1e-3:.4f}k").code == 3


@pytest.mark.parametrize("form", [[], ["--csv"], ["--json"]])
def test_a_plan_of_no_scene_is_still_well_formed(form, run_command, example):
    outcome = run_command("plan", example, "--budget", "1k", *form)
    assert outcome.code == 3
    assert all(line.startswith("infeasible: ") for line in outcome.stderr.splitlines())
    if form == ["--json"]:
        assert json.loads(outcome.stdout)["plans"] == []
    elif form == ["--csv"]:
        assert pd.read_csv(io.StringIO(outcome.stdout)).empty
    else:
        assert outcome.stdout == ""


# What it needs.


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (["plan", "--budget", "2M"], None),
        (["plan", "--budget", "2M", "--json"], None),
        (["plan", "--budget", "2M", "--csv"], None),
        (["plan", "--budget", "2M", "--per", "title"], "plans.parquet"),
        (["relevance", "--json"], None),
        (["ladder", "--title", "handheld-toy-rabbit-480p"], None),
        (["ladder", "--title", "handheld-toy-rabbit-480p"], "ladder.json"),
    ],
)
def test_neither_pandas_nor_scipy_nor_torch_nor_media_libraries_are_imported(words, output, example, tmp_path):
    arguments = ["abr-alloc", words[0], str(example), *words[1:], *(["-o", str(tmp_path / output)] if output else [])]
    heavy = {"pandas", "scipy", "torch", "av", "visqol", "numba", "matplotlib"}
    program = (
        "import sys\n"
        "from abr_alloc.cli import main\n"
        f"sys.argv = {arguments!r}\n"
        "try:\n    main()\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        f"print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stderr == "[]\n"
    assert ended.stdout


def test_a_reader_that_goes_away_is_no_error_to_be_seen(example):
    words = [sys.executable, "-c", "from abr_alloc.cli import main; main()", "plan", str(example), "--json"]
    words += [word for kbps in range(1000, 3000, 100) for word in ("--budget", f"{kbps}k")]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    child.stdout.read(1)
    child.stdout.close()
    assert child.stderr.read() == ""
    child.stderr.close()
    assert child.wait(timeout=60) in (0, 1)


def test_the_suffix_of_the_output_chooses_the_format(run_command, example, tmp_path):
    run_command("plan", example, "--budget", "2M", "-o", tmp_path / "plan.json")
    assert json.loads((tmp_path / "plan.json").read_text())["command"] == "plan"
    run_command("plan", example, "--budget", "2M", "-o", tmp_path / "plan.csv")
    assert (tmp_path / "plan.csv").read_text().startswith("title,scene,")
    outcome = run_command("plan", example, "--budget", "2M", "--csv", "-o", tmp_path / "other.json")
    assert outcome.code == 2
    assert not (tmp_path / "other.json").exists()


def test_a_repeated_budget_is_planned_once(run_command, example):
    once = run_command("plan", example, "--budget", "2M").stdout
    assert run_command("plan", example, "--budget", "2M", "--budget", "2000k").stdout == once
