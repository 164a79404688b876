"""`abr-alloc plan --per title` and `--sensitivity` on the example that ships, as a user runs them."""

from __future__ import annotations

import io
import json
import math
import re

import numpy as np
import pandas as pd
import pytest

from abr_alloc.allocation.path import TIE_MOS
from abr_alloc.table.table import read_features

FAILURE, USAGE, INFEASIBLE = 1, 2, 3
TITLE = "tos-battle-action-332p"
"""Six scenes."""
FEW = ("--title", "documentary-nasa-jwst-270p", "--title", "handheld-toy-rabbit-480p")
"""Two small titles, of two scenes and of one: quick."""
THREE_SCENES = ("--title", TITLE, "--scene", "0", "--scene", "1", "--scene", "2")
CERTIFICATE_KEYS = {
    *("title", "budget_kbps", "pool", "objective_mos", "upper_bound_mos", "gap_mos", "price_mos_per_kbps"),
    *("mean_kbps", "binding", "method"),
}
POINT_KEYS = {
    *("title", "budget_kbps", "mean_kbps", "avq_mos", "price_mos_per_kbps", "video_kbps", "audio_kbps"),
    *("overhead_kbps", "audio_share"),
}


@pytest.fixture(scope="module")
def frame(example) -> pd.DataFrame:
    return read_features(example).frame


@pytest.fixture
def plan(run_command, example):
    def run(*words):
        return run_command("plan", example, *words)

    return run


@pytest.fixture
def document(plan):
    """The JSON that a sound run over titles prints."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    def run(*words):
        outcome = plan("--per", "title", "--json", *words)
        assert (outcome.code, outcome.stderr) == (0, "")
        return json.loads(outcome.stdout, parse_constant=refuse)

    return run


def by_title(plans: list[dict]) -> dict[str, list[dict]]:
    titles: dict[str, list[dict]] = {}
    for p in plans:
        titles.setdefault(p["title"], []).append(p)
    return titles


def mean(plans: list[dict], key: str) -> float:
    seconds = [p["end_s"] - p["start_s"] for p in plans]
    return math.fsum(s * p[key] for s, p in zip(seconds, plans, strict=True)) / math.fsum(seconds)


# The document.


def test_every_title_ends_with_a_certificate_of_exactly_these_fields(document) -> None:
    found = document("--budget", "700k", "--budget", "1M")
    assert all(c.keys() == CERTIFICATE_KEYS for c in found["certificates"])
    titles = list(dict.fromkeys(p["title"] for p in found["plans"]))
    assert [(c["budget_kbps"], c["title"]) for c in found["certificates"]] == [
        (budget, title) for budget in (700.0, 1000.0) for title in titles
    ]


def test_a_certificate_adds_up_from_the_plans(document) -> None:
    found = document("--budget", "700k")
    for certificate, plans in zip(found["certificates"], by_title(found["plans"]).values(), strict=True):
        assert certificate["mean_kbps"] == pytest.approx(mean(plans, "total_kbps")) and certificate["mean_kbps"] <= 700
        assert certificate["objective_mos"] == pytest.approx(mean(plans, "avq_mos"), abs=1e-6)
        assert certificate["gap_mos"] == pytest.approx(certificate["upper_bound_mos"] - certificate["objective_mos"])
        assert 0 <= certificate["gap_mos"] <= 1e-8, "optimal"
        assert certificate["price_mos_per_kbps"] >= 0
        assert certificate["pool"] == "mean" and certificate["method"]
        assert (certificate["binding"] == "none") == (certificate["price_mos_per_kbps"] == 0)


def test_plans_of_a_title_have_no_worth_of_more_budget(document, plan) -> None:
    table = pd.read_csv(io.StringIO(plan("--per", "title", "--csv", "--budget", "400k", *FEW).stdout))
    assert table["extra_budget_gain_mos"].isna().all()
    assert all("extra_budget_gain_mos" not in p for p in document("--budget", "400k", *FEW)["plans"])


def test_a_title_of_one_scene_is_planned_within_a_tie_of_the_scene(plan, document) -> None:
    words = ("--budget", "700k", "--title", "cartoon-veo-carnival-720p")
    (per_title,) = document(*words)["plans"]
    (per_scene,) = json.loads(plan(*words, "--json").stdout)["plans"]
    assert per_title["avq_mos"] == pytest.approx(per_scene["avq_mos"], abs=TIE_MOS)


def test_a_titles_mean_is_never_worse_by_a_tie_than_scenes_that_each_keep_the_budget(plan, document) -> None:
    own = json.loads(plan("--json", "--budget", "700k", "--title", TITLE).stdout)["plans"]
    (certificate,) = document("--budget", "700k", "--title", TITLE, "--audio", "scene")["certificates"]
    assert certificate["objective_mos"] >= mean(own, "avq_mos") - TIE_MOS


def test_csv_holds_the_same_plans(plan, document) -> None:
    outcome = plan("--per", "title", "--csv", "--budget", "400k", *FEW)
    assert (outcome.code, outcome.stderr) == (0, "")
    table = pd.read_csv(io.StringIO(outcome.stdout))
    plans = document("--budget", "400k", *FEW)["plans"]
    assert table["video_target"].tolist() == [p["video"]["target"] for p in plans]
    assert table["total_kbps"].tolist() == pytest.approx([p["total_kbps"] for p in plans], rel=1e-5)


def test_the_last_lines_of_the_text_are_the_certificates_one_per_title(plan, document) -> None:
    outcome = plan("--per", "title", "--budget", "700k")
    assert (outcome.code, outcome.stderr) == (0, "")
    certificates = document("--budget", "700k")["certificates"]
    lines = outcome.stdout.replace("\n  ", " ").splitlines()  # a second line is indented
    for line, c in zip(lines[-len(certificates) :], certificates, strict=True):
        assert line.startswith(f"{c['title'][:20]}")
        assert f": AVQ {c['objective_mos']:.3f}, optimal; {c['mean_kbps']:.1f} of 700 kbps" in line
        assert ("MOS" in line) == (c["binding"] != "none")
    assert "700 kbps for the mean of each title" in outcome.stdout.splitlines()[0]


# Options.


def test_audio_is_one_rendition_per_title_unless_every_scene_may_have_its_own(document) -> None:
    shared, own = (document("--budget", "160k", "--title", TITLE, "--audio", audio) for audio in ("shared", "scene"))
    for plans in by_title(shared["plans"]).values():
        assert len({(p["audio"]["codec"], p["audio"]["channels"], p["audio"]["target"]) for p in plans}) == 1
    assert any(len({p["audio"]["target"] for p in plans}) > 1 for plans in by_title(own["plans"]).values())
    for a, b in zip(shared["certificates"], own["certificates"], strict=True):
        assert b["objective_mos"] >= a["objective_mos"] - TIE_MOS
    assert shared == document("--budget", "160k", "--title", TITLE), "shared is the default"


def pooled(pool: str, plans: list[dict]) -> float:
    seconds = np.array([p["end_s"] - p["start_s"] for p in plans])
    avq = np.array([p["avq_mos"] for p in plans])
    if pool == "mean":
        return float(seconds @ avq / seconds.sum())
    if pool == "harmonic":
        return float(seconds.sum() / (seconds / avq).sum())
    if pool == "min":
        return float(avq.min())
    # The highest value that 95 % of the time reaches or exceeds.
    return max(float(q) for q in avq if seconds[avq >= q].sum() >= 0.95 * seconds.sum() - 1e-9)


POOLS = ["mean", "harmonic", "min", "p5"]


def test_the_pooled_avq_is_that_of_the_plans_and_no_other_pools_plans_have_more(document) -> None:
    found = {pool: document("--budget", "500k", "--title", TITLE, "--pool", pool) for pool in POOLS}
    for pool in POOLS:
        (certificate,) = found[pool]["certificates"]
        assert certificate["pool"] == pool
        assert certificate["objective_mos"] == pytest.approx(pooled(pool, found[pool]["plans"]), abs=1e-6)
        for other in POOLS:
            assert pooled(pool, found[other]["plans"]) <= certificate["objective_mos"] + 1e-6


def test_the_pool_is_shown_in_the_text(plan) -> None:
    text = plan("--per", "title", "--budget", "600k", "--title", TITLE, "--pool", "min").stdout
    assert "(min)" in text.replace("\n  ", " ").splitlines()[-1]


def test_no_scene_exceeds_the_largest_rate_or_falls_below_the_least_avq(document) -> None:
    free = document("--budget", "700k", "--title", TITLE)
    most = round(0.9 * max(p["total_kbps"] for p in free["plans"]))
    limited = document("--budget", "700k", "--title", TITLE, "--max-rate", f"{most}k")
    assert max(p["total_kbps"] for p in limited["plans"]) <= most
    assert "max-rate" in limited["certificates"][0]["binding"]
    poor = document("--budget", "300k", "--title", TITLE)
    floor = min(p["avq_mos"] for p in poor["plans"]) + 0.01
    good = document("--budget", "300k", "--title", TITLE, "--min-avq", f"{floor:.3f}")
    assert min(p["avq_mos"] for p in good["plans"]) >= floor - 1e-3
    for limited_, free_ in ((limited, free), (good, poor)):
        assert limited_["certificates"][0]["objective_mos"] <= free_["certificates"][0]["objective_mos"] + TIE_MOS


def test_renditions_between_probes_are_marked_and_never_worse_by_more_than_a_tie(document, plan) -> None:
    words = ("--budget", "500k", *THREE_SCENES)
    measured, between = document(*words, "--measured-only"), document(*words)
    assert between["certificates"][0]["objective_mos"] >= measured["certificates"][0]["objective_mos"] - TIE_MOS
    marked = [p for p in between["plans"] if p["video"].get("interpolated")]
    assert marked and not any("interpolated" in p["video"] for p in measured["plans"])
    for p in marked:
        below, above = (probe["bitrate_kbps"] for probe in p["video"]["nearest_probes"])
        assert below <= p["video"]["bitrate_kbps"] <= above
        assert p["video"]["target"] == f"b={p['video']['bitrate_kbps']:g}k"
    text = plan("--per", "title", *words).stdout
    assert "~" in text and re.search("~: a rate between (the two probes named|two probes)", text)
    table = pd.read_csv(io.StringIO(plan("--per", "title", *words, "--csv").stdout))
    assert table["interpolated"].sum() == len(marked)


def test_a_time_limit_still_gives_a_plan_with_an_honest_gap(document) -> None:
    words = ("--budget", "500k", *THREE_SCENES, "--audio", "scene")
    (best,) = document(*words)["certificates"]
    (hurried,) = document(*words, "--time-limit", "0.000001s")["certificates"]
    assert hurried["mean_kbps"] <= 500
    assert hurried["objective_mos"] <= best["objective_mos"] + 1e-8 <= hurried["upper_bound_mos"] + 2e-8
    assert hurried["gap_mos"] <= 1e-8 or "stopped early" in hurried["method"]
    assert document(*words, "--time-limit", "10min")["certificates"] == [best]


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_a_file_holds_what_would_be_printed(form, plan, tmp_path) -> None:
    path = tmp_path / "plan"
    words = ("--per", "title", "--budget", "400k", *FEW, *form)
    assert plan(*words, "-o", path).stdout == ""
    assert path.read_text() == plan(*words).stdout


@pytest.mark.parametrize("words", [["--audio", "shared"], ["--pool", "mean"], ["--time-limit", "5s"]], ids=" ".join)
@pytest.mark.parametrize("per", [[], ["--per", "scene"]], ids=["default", "scene"])
def test_options_of_titles_are_refused_without_them(words, per, plan) -> None:
    outcome = plan("--budget", "700k", *per, *words)
    assert outcome.code == USAGE
    assert words[0] in outcome.error_line() and "--per title" in outcome.error_line()


@pytest.mark.parametrize(
    "words",
    [
        ["--per", "film"],
        ["--per", "title", "--pool", "median"],
        ["--per", "title", "--audio", "none"],
        ["--per", "title", "--time-limit", "soon"],
        ["--per", "title", "--min-avq", "6"],
        ["--per", "title", "--min-avq", "nan"],
        ["--per", "title", "--max-rate", "0"],
    ],
    ids=" ".join,
)
def test_a_wrong_word_is_a_usage_error_that_names_the_option(words, plan) -> None:
    outcome = plan("--budget", "700k", *words)
    assert outcome.code == USAGE
    assert words[-2] in outcome.error_line()


# What cannot be had.


def cheapest_mean_kbps(frame: pd.DataFrame, title: str) -> float:
    """Mean rate of a title with its cheapest renditions; they are one audio target throughout."""
    own = frame[frame["title"] == title]
    cheapest = own.groupby(["scene", "kind"])["bitrate_kbps"].min().groupby("scene").sum()
    seconds = own.groupby("scene").agg({"start_s": "first", "end_s": "first"}).diff(axis=1)["end_s"]
    return float(1.02 * (cheapest * seconds).sum() / seconds.sum())


def test_a_budget_below_the_cheapest_allocation_is_infeasible_and_one_above_is_not(plan, document, frame) -> None:
    least = cheapest_mean_kbps(frame, TITLE)
    outcome = plan("--per", "title", "--title", TITLE, "--budget", f"{least - 0.01:.4f}k")
    assert (outcome.code, outcome.stdout) == (INFEASIBLE, "")
    assert TITLE in outcome.error_line("infeasible") and f"{least:.1f} kbps" in outcome.stderr
    found = document("--title", TITLE, "--budget", f"{least + 0.01:.4f}k")
    assert found["certificates"][0]["mean_kbps"] == pytest.approx(least)


def test_titles_that_nothing_fits_are_named_and_the_others_planned(plan, frame) -> None:
    least = pd.Series({title: cheapest_mean_kbps(frame, title) for title in frame["title"].unique()}).sort_values()
    budget = math.ceil(least.iloc[1])
    outcome = plan("--per", "title", "--json", "--budget", f"{budget}k")
    assert outcome.code == INFEASIBLE
    found = json.loads(outcome.stdout)
    assert {c["title"] for c in found["certificates"]} == set(least.index[least <= budget])
    assert {i["title"] for i in found["infeasible"]} == set(least.index[least > budget])
    lines = outcome.stderr.splitlines()
    assert len(lines) == len(found["infeasible"]) and all(line.startswith("infeasible: ") for line in lines)
    for i in found["infeasible"]:
        assert i["needed_kbps"] == pytest.approx(least[i["title"]])


def test_an_avq_that_costs_too_much_names_the_scene_and_what_it_costs(plan) -> None:
    outcome = plan("--per", "title", "--json", "--title", TITLE, "--budget", "150k", "--min-avq", "3.9")
    assert outcome.code == INFEASIBLE
    line = outcome.error_line("infeasible")
    (found,) = json.loads(outcome.stdout)["infeasible"]
    assert f"scene {found['scene']}" in line and f"{found['needed_kbps']:.1f} kbps" in line and "--min-avq 3.9" in line
    needed = f"{found['needed_kbps'] + 0.01:.3f}k"
    assert plan("--per", "title", "--title", TITLE, "--budget", needed, "--min-avq", "3.9").code == 0


def test_an_avq_that_no_pair_has_names_the_scene_and_its_best(plan) -> None:
    outcome = plan("--per", "title", "--title", TITLE, "--budget", "900k", "--min-avq", "4.95")
    assert (outcome.code, outcome.stdout) == (INFEASIBLE, "")
    assert "scene 0" in outcome.error_line("infeasible") and "--min-avq 4.95" in outcome.stderr


def test_limits_apply_to_scenes_too(plan) -> None:
    found = json.loads(plan("--budget", "1M", "--json", "--max-rate", "500k").stdout)["plans"]
    assert max(p["total_kbps"] for p in found) <= 500
    outcome = plan("--budget", "150k", "--min-avq", "4.5", "--title", TITLE, "--scene", "0")
    assert outcome.code == INFEASIBLE and "scene 0" in outcome.error_line("infeasible")


def test_a_scene_that_the_largest_rate_rules_out_is_not_blamed_on_the_budget(plan) -> None:
    outcome = plan("--budget", "700k", "--max-rate", "30k", "--title", TITLE, "--scene", "0")
    assert (outcome.code, outcome.stdout) == (INFEASIBLE, "")
    assert "--max-rate" in outcome.error_line("infeasible") and "a budget of 30 kbps" not in outcome.stderr


# What a budget buys.


@pytest.fixture
def points(run_command, example):
    def run(*words):
        outcome = run_command("plan", example, "--sensitivity", "--json", "--title", TITLE, *words)
        assert (outcome.code, outcome.stderr) == (0, "")
        return json.loads(outcome.stdout)

    return run


def test_sensitivity_goes_from_the_cheapest_allocation_to_saturation(points, document, frame) -> None:
    found = points()
    assert (found["schema_version"], found["pool"], found["infeasible"]) == (1, "mean", [])
    rows = found["points"]
    assert all(row.keys() == POINT_KEYS for row in rows)
    assert rows[0]["budget_kbps"] == pytest.approx(cheapest_mean_kbps(frame, TITLE))
    (most,) = document("--title", TITLE, "--budget", "100M")["certificates"]
    assert rows[-1]["avq_mos"] == pytest.approx(most["objective_mos"], abs=1e-8)
    avq = [row["avq_mos"] for row in rows]
    assert avq == sorted(avq)


def test_sensitivity_is_printed_as_a_table_and_as_csv(plan, points) -> None:
    rows = points()["points"]
    outcome = plan("--sensitivity", "--title", TITLE)
    assert (outcome.code, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    assert lines[1] == TITLE
    assert sum(bool(re.match(r" *\d+k +\d+k ", line)) for line in lines) == len(rows)
    table = pd.read_csv(io.StringIO(plan("--sensitivity", "--title", TITLE, "--csv").stdout))
    assert set(table.columns) == POINT_KEYS
    for key in ("budget_kbps", "mean_kbps", "avq_mos", "audio_share"):
        assert table[key].tolist() == pytest.approx([row[key] for row in rows], rel=1e-5)


def test_sensitivity_takes_the_options_of_titles(points) -> None:
    found = points("--pool", "min", "--max-rate", "800k", "--audio", "scene")
    assert found["pool"] == "min"
    assert found["points"][-1]["avq_mos"] <= points()["points"][-1]["avq_mos"] + 1e-6


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_sensitivity_is_drawn_to_a_file(suffix, magic, plan, tmp_path) -> None:
    path = tmp_path / f"budget.{suffix}"
    outcome = plan("--sensitivity", "--title", TITLE, "-o", path)
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "", "")
    assert path.read_bytes().startswith(magic)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_sensitivity_of_nothing_is_still_well_formed(plan) -> None:
    words = ("--sensitivity", "--title", TITLE, "--min-avq", "4.95")
    assert json.loads(plan(*words, "--json").stdout)["points"] == []
    table = pd.read_csv(io.StringIO(plan(*words, "--csv").stdout))
    assert table.empty and set(table.columns) == POINT_KEYS
    assert plan(*words).stdout == ""


def test_sensitivity_of_what_cannot_be_had_is_infeasible_and_draws_nothing(plan, tmp_path) -> None:
    outcome = plan("--sensitivity", "--title", TITLE, "--min-avq", "4.95", "-o", tmp_path / "budget.png")
    assert outcome.code == INFEASIBLE
    assert TITLE in outcome.error_line("infeasible")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--sensitivity", "--budget", "1M"], "--budget"),
        (["--sensitivity", "--per", "scene"], "--per scene"),
        (["--sensitivity", "--json", "-o", "budget.png"], "budget.png"),
        (["--per", "title"], "--budget"),
        (["--per", "title", "--budget", "1M", "-o", "plan.png"], "--sensitivity"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_words_that_do_not_go_together_are_a_usage_error(words, named, plan, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = plan(*words)
    assert outcome.code == USAGE
    assert named in outcome.error_line()
    assert not list(tmp_path.iterdir())
