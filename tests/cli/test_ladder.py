"""`abr-alloc ladder` on the example that ships, as a user runs it."""

from __future__ import annotations

import io
import itertools
import json
import re

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from abr_alloc import defaults
from abr_alloc.formats.ladder_file import read_ladders
from abr_alloc.shipped import reference_names

FAILURE, USAGE, INFEASIBLE = 1, 2, 3
TITLE = "documentary-nasa-jwst-270p"
OTHER = "tos-battle-action-332p"
ONE = ("--title", TITLE, "--network", "lognormal:median=300k,sigma=0.9", "--rungs", "4")
"""The smallest title and an audience for it: quick."""


@pytest.fixture
def ladder(run_command, example):
    def run(*words):
        return run_command("ladder", example, *words)

    return run


@pytest.fixture
def document(ladder):
    """The JSON that a sound run prints."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    def run(*words):
        outcome = ladder(*words, "--json")
        assert (outcome.code, outcome.stderr) == (0, "")
        return json.loads(outcome.stdout, parse_constant=refuse)

    return run


# What is printed.


def test_the_text_has_a_table_per_title_a_line_per_rung_and_says_how_to_read_it(ladder) -> None:
    outcome = ladder()
    assert (outcome.code, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    heads = [line for line in lines if re.match(r"\S+: 6 rungs in h264 and aac, expected AVQ \d\.\d{3} \(", line)]
    assert len(heads) == 5
    assert sum(bool(re.match(r" +\d+  \d+x\d+ ", line)) for line in lines) == 30
    assert all(head in lines[2] for head in ("played", "90 %", "VMAF"))
    assert any(line.startswith("Audience: lognormal:median=3M,sigma=0.9") for line in lines)
    assert re.search(r"  \d+x\d+ crf=\d+-\d+ ~\d+k ", outcome.stdout), "~ marks what is interpolated"


def test_the_document_is_a_ladder_file_with_provenance(document, example) -> None:
    found = document(*ONE)
    assert (found["schema_version"], found["command"]) == (1, "ladder")
    assert found["model"]["name"] == "attentive" and len(found["model"]["weights_sha256"]) == 64
    assert list(found["features"]["source_hashes"]) == [TITLE]
    assert list(found["features"]["credits"]) == [TITLE]
    assert found["features"]["grid"] == "hull" and found["features"]["libvmaf_version"]
    options = found["options"]
    assert (options["num_rungs"], options["network"], options["shared"]) == (4, ONE[3], False)
    assert (options["min_ratio"], options["max_ratio"], options["max_audio"]) == (1.3, 2.5, 3)
    assert options["max_kbps"] is None and options["top_avq_mos"] is None, "no limit is null"
    assert options["overhead"] == 0.02 and options["round_kbps"] == 5.0


def test_rungs_keep_the_rules_and_name_the_probes_around_them(document) -> None:
    (found,) = document(*ONE)["ladders"]
    rungs = found["rungs"]
    assert found["title"] == TITLE and len(rungs) == 4
    assert found["comparison"] is None and found["num_candidates"] > 50
    for rung in rungs:
        video = rung["video"]
        assert video["interpolated"] is True
        below, above = (probe["bitrate_kbps"] for probe in video["nearest_probes"])
        assert below <= video["bitrate_kbps"] <= above
        assert video["bitrate_kbps"] % 5 == 0
        assert rung["interval_mos"][0] <= rung["avq_mos"] <= rung["interval_mos"][1]
        assert rung["total_kbps"] == pytest.approx(1.02 * (video["bitrate_kbps"] + rung["audio"]["bitrate_kbps"]))
    for low, high in itertools.pairwise(rungs):
        assert 1.3 - 1e-9 <= high["total_kbps"] / low["total_kbps"] <= 2.5 + 1e-9
        assert high["avq_mos"] >= low["avq_mos"]
        assert high["video"]["height_px"] >= low["video"]["height_px"]
        assert high["audio"]["bitrate_kbps"] >= low["audio"]["bitrate_kbps"]
    shares = [rung["played_share"] for rung in rungs]
    assert sum(shares) + found["unreached_share"] == pytest.approx(1.0)
    expected = sum(r["played_share"] * r["avq_mos"] for r in rungs) + found["unreached_share"]
    assert found["expected_avq_mos"] == pytest.approx(expected)


def test_csv_has_a_row_per_rung_with_the_same_values(ladder, document) -> None:
    outcome = ladder(*ONE, "--csv")
    assert (outcome.code, outcome.stderr) == (0, "")
    table = pd.read_csv(io.StringIO(outcome.stdout))
    rungs = document(*ONE)["ladders"][0]["rungs"]
    assert table["rung"].tolist() == [1, 2, 3, 4] and set(table["title"]) == {TITLE}
    assert table["total_kbps"].tolist() == pytest.approx([r["total_kbps"] for r in rungs], rel=1e-5)
    assert table["avq_mos"].tolist() == pytest.approx([r["avq_mos"] for r in rungs], rel=1e-5)
    assert table["video_target"].tolist() == [r["video"]["target"] for r in rungs]
    assert table["interpolated"].all()


# Files.


def test_a_json_file_holds_what_would_be_printed_and_the_text_is_shown(ladder, tmp_path) -> None:
    path = tmp_path / "ladder.json"
    written = ladder(*ONE, "-o", path)
    assert (written.code, written.stderr) == (0, "")
    assert written.stdout == ladder(*ONE).stdout
    assert path.read_text() == ladder(*ONE, "--json").stdout
    assert [entry.name for entry in tmp_path.iterdir()] == ["ladder.json"]
    assert len(read_ladders(path)[0].rungs) == 4


def test_a_csv_file_holds_what_would_be_printed(ladder, tmp_path) -> None:
    path = tmp_path / "ladder.csv"
    assert ladder(*ONE, "-o", path).code == 0
    assert path.read_text() == ladder(*ONE, "--csv").stdout


def test_a_folder_gets_a_ladder_file_per_title(ladder, tmp_path) -> None:
    outcome = ladder(*ONE, "--title", OTHER, "-o", tmp_path)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [f"{TITLE}.json", f"{OTHER}.json"]
    for name in (TITLE, OTHER):
        path = tmp_path / f"{name}.json"
        assert [found.title for found in read_ladders(path)] == [name]
        assert list(json.loads(path.read_text())["features"]["source_hashes"]) == [name], "its own source alone"


def test_titles_whose_file_names_agree_do_not_overwrite_each_other(run_command, example, tmp_path) -> None:
    table = pq.read_table(example)
    renamed = [{TITLE: "a b", OTHER: "a-b"}.get(t, t) for t in table["title"].to_pylist()]
    index = table.schema.get_field_index("title")
    path = tmp_path / "table.parquet"
    pq.write_table(table.set_column(index, table.schema.field("title"), pa.array(renamed)), path)
    folder = tmp_path / "ladders"
    folder.mkdir()
    words = ("--title", "a b", "--title", "a-b", *ONE[2:])
    outcome = run_command("ladder", path, *words, "-o", folder)
    if outcome.code == 0:
        assert sorted(read_ladders(f)[0].title for f in folder.iterdir()) == ["a b", "a-b"]
    else:
        assert "a b" in outcome.error_line() and not list(folder.iterdir())


@pytest.mark.parametrize("words", [["--rungs", "24"], ["--max-kbps", "10k"], ["--compare", "apple-hls-hevc"]])
def test_a_failure_leaves_the_output_as_it_was(words: list[str], ladder, tmp_path) -> None:
    path = tmp_path / "ladder.json"
    path.write_text("before")
    outcome = ladder(*ONE, *words, "-o", path)
    assert outcome.code in (FAILURE, INFEASIBLE) and outcome.stdout == ""
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["ladder.json"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["-o", "ladder.txt"], USAGE),
        (["-o", "nowhere/ladder.json"], FAILURE),
        (["-o", "nowhere"], USAGE),
        (["--json", "--csv"], USAGE),
        (["--json", "-o", "ladder.csv"], USAGE),
        (["--csv", "-o", "ladder.json"], USAGE),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_an_output_that_does_not_fit_is_refused_in_a_line(words, code, ladder, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = ladder(*ONE, *words)
    assert outcome.code == code
    outcome.error_line()
    assert not list(tmp_path.iterdir())


def test_an_output_that_is_also_an_input_is_refused_and_stays_whole(ladder, tmp_path) -> None:
    fixed, network = tmp_path / "fixed.json", tmp_path / "network.csv"
    assert ladder(*ONE, "-o", fixed).code == 0
    network.write_text("kbps,weight\n100,1\n500,3\n")
    before = fixed.read_bytes(), network.read_bytes()
    for words in (["--compare", fixed, "-o", fixed], ["--network", network, "-o", network]):
        outcome = ladder(*ONE, *words)
        assert outcome.code == USAGE
        assert "is also an input" in outcome.error_line()
    assert (fixed.read_bytes(), network.read_bytes()) == before


def test_csv_for_a_folder_of_ladder_files_is_refused(ladder, tmp_path) -> None:
    outcome = ladder(*ONE, "--csv", "-o", tmp_path)
    assert outcome.code == USAGE
    assert "--csv" in outcome.error_line() and not list(tmp_path.iterdir())


# Options.


def test_auto_has_rungs_worth_having_and_no_jnd_adds_more(document) -> None:
    (found,) = document(*ONE[:-2], "--rungs", "auto", "--jnd", "0.05")["ladders"]
    assert all(b["avq_mos"] - a["avq_mos"] >= 0.05 - 1e-6 for a, b in itertools.pairwise(found["rungs"]))
    assert all(rung["played_share"] >= 0.01 for rung in found["rungs"])
    (coarse,) = document(*ONE[:-2], "--rungs", "auto", "--jnd", "0.3")["ladders"]
    assert len(coarse["rungs"]) < len(found["rungs"])
    assert coarse["expected_avq_mos"] <= found["expected_avq_mos"]


def test_a_faster_audience_expects_more(document, tmp_path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("kbps,weight\n100,1\n500,3\n")
    words = ONE[:2] + ONE[4:]
    found = [document(*words, "--network", network)["ladders"][0] for network in (str(own), "3g", "4g")]
    expected = [item["expected_avq_mos"] for item in found]
    assert expected == sorted(expected)
    assert [item["network"] for item in found] == [str(own), "3g", "4g"]


def test_the_numbers_of_a_preset_are_shown(ladder) -> None:
    assert "3g = lognormal:median=" in ladder(*ONE[:2], "--network", "3g", "--rungs", "2").stdout


def test_a_shared_ladder_lists_what_each_title_comes_to(document) -> None:
    found = document(*ONE, "--title", OTHER, "--shared")
    (shared,) = found["ladders"]
    assert shared["title"] == "2 titles" and found["options"]["shared"] is True
    assert len(found["features"]["source_hashes"]) == 2
    for rung in shared["rungs"]:
        assert [t["title"] for t in rung["titles"]] == [TITLE, OTHER]
        assert sum(t["avq_mos"] for t in rung["titles"]) / 2 == pytest.approx(rung["avq_mos"], abs=1e-5)


def test_sizes_and_rounding_are_kept(document) -> None:
    for option in ("--rates", "--sizes"):
        (found,) = document(*ONE, option, "240p", "--round", "20k")["ladders"]
        assert {rung["video"]["height_px"] for rung in found["rungs"]} == {240}
        assert all(rung["video"]["bitrate_kbps"] % 20 == 0 for rung in found["rungs"])
    assert document(*ONE, "--rates", "100..250p,1080p")["options"]["sides_px"] == [[100, 250], [1080, 1080]]


def test_limits_of_rate_audio_and_quality_are_kept(document) -> None:
    words = ("--min-kbps", "80", "--max-kbps", "300k", "--max-audio", "1", "--min-ratio", "1.2", "--rungs", "3")
    (found,) = document(*ONE, *words)["ladders"]
    total = [rung["total_kbps"] for rung in found["rungs"]]
    assert total[0] >= 80 and total[-1] <= 300
    assert len({rung["audio"]["target"] for rung in found["rungs"]}) == 1
    (capped,) = document(*ONE, "--top-avq", "3.9", "--rungs", "2")["ladders"]
    assert capped["rungs"][-1]["total_kbps"] < found["rungs"][-1]["total_kbps"]


@pytest.mark.parametrize("name", ["apple-hls-avc"])
def test_a_comparison_says_what_is_gained_and_what_was_left_out(name: str, ladder, document) -> None:
    comparison = document(*ONE, "--compare", name)["ladders"][0]["comparison"]
    assert comparison["reference"] == name
    assert len(comparison["left_out"]) + len(comparison["ladder"]["rungs"]) == 9
    text = ladder(*ONE, "--compare", name).stdout
    assert f"{name} on this title, audio in aac: expected AVQ {comparison['ladder']['expected_avq_mos']:.3f}" in text
    assert f"designed: {comparison['gain_mos']:+.3f} MOS expected" in text
    assert "left out, larger than the source (270p): " in text


def test_a_ladder_compared_with_its_own_file_gains_nothing(ladder, document, tmp_path) -> None:
    path = tmp_path / "own.json"
    assert ladder(*ONE, "-o", path).code == 0
    comparison = document(*ONE, "--compare", str(path))["ladders"][0]["comparison"]
    assert comparison["reference"] == "own"
    assert comparison["gain_mos"] == pytest.approx(0.0, abs=1e-6)
    assert comparison["same_rungs_gain_mos"] == pytest.approx(0.0, abs=1e-6)
    assert comparison["rungs_needed"] == 4 and not comparison["breaks_rules"]


def test_a_fixed_ladder_that_is_ahead_by_a_rule_that_it_breaks_is_said_to_break_it(ladder, document) -> None:
    words = (*ONE[:2], "--rungs", "2", "--network", "4g", "--top-avq", "3.5", "--compare", "apple-hls-avc")
    comparison = document(*words)["ladders"][0]["comparison"]
    assert comparison["same_rungs_gain_mos"] < 0, "the fixed ladder goes on beyond what is good enough"
    assert comparison["breaks_rules"]
    text = " ".join(ladder(*words).stdout.split())
    assert "apple-hls-avc breaks a rule that the designed ladder keeps" in text


def test_the_network_of_the_help_is_the_default_of_the_python_door(ladder) -> None:
    assert f"[default: {defaults.NETWORK}]" in " ".join(ladder("--help").stdout.split())


def test_equal_runs_print_equal_text(ladder) -> None:
    assert ladder(*ONE, "--json").stdout == ladder(*ONE, "--json").stdout


# What cannot be had.


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--rungs", "24"], ["24 rungs", "at most"]),
        (["--max-kbps", "10k"], ["--max-kbps 10k"]),
        (["--min-kbps", "90000k"], ["--min-kbps 90000k"]),
        (["--min-kbps", "300k", "--max-kbps", "200k"], ["--min-kbps 300k", "--max-kbps 200k"]),
        (["--min-ratio", "3", "--max-ratio", "2"], ["--min-ratio 3", "--max-ratio 2"]),
        (["--rates", "1080p"], ["--rates", "240p", "270p"]),
        (["--rungs", "auto", "--network", "lognormal:median=2k,sigma=0.1"], ["--network", "1 %"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_cannot_be_had_is_one_line_that_names_the_conflict(words, named, ladder) -> None:
    outcome = ladder(*ONE, *words)
    assert outcome.code == INFEASIBLE
    line = outcome.error_line("infeasible")
    assert all(name in line for name in named)
    assert outcome.stdout == ""


@pytest.mark.parametrize("words", [[], ["--title", OTHER, "--shared"]], ids=["one", "shared"])
def test_a_rounding_of_which_no_multiple_was_probed_is_named(words, ladder) -> None:
    outcome = ladder(*ONE[:-1], "1", "--round", "90M", *words)
    assert outcome.code != 0 and "--round" in outcome.stderr


def test_as_many_rungs_as_the_message_says_do_fit(ladder, document) -> None:
    line = ladder(*ONE, "--rungs", "24").error_line("infeasible")
    most = re.search(r"at most (\d+) fit", line)[1]
    assert len(document(*ONE, "--rungs", most)["ladders"][0]["rungs"]) == int(most)


@pytest.mark.parametrize(
    "words",
    [
        ["--rungs", "0"],
        ["--rungs", "25"],
        ["--rungs", "many"],
        ["--rungs", "2.5"],
        ["--rates", "large"],
        ["--rates", "720p..240p"],
        ["--rates", ""],
        ["--min-ratio", "1"],
        ["--max-ratio", "nan"],
        ["--max-audio", "0"],
        ["--jnd", "-1"],
        ["--jnd", "nan"],
        ["--min-kbps", "0"],
        ["--max-kbps", "fast"],
        ["--round", "0"],
        ["--top-avq", "6"],
    ],
    ids=" ".join,
)
def test_a_wrong_word_is_a_usage_error_that_names_the_option(words, ladder) -> None:
    outcome = ladder(*ONE, *words)
    assert outcome.code == USAGE
    assert words[0] in outcome.error_line()


@pytest.mark.parametrize(
    "network", ["5g", "", "lognormal:median=3M", "lognormal:median=3M,sigma=0", "lognormal:median=3,sigma=1", "no.csv"]
)
def test_a_bad_network_is_one_line_that_names_it(network: str, ladder) -> None:
    outcome = ladder(*ONE, "--network", network)
    assert outcome.code in (FAILURE, USAGE) and outcome.stdout == ""
    assert (network or "''") in outcome.error_line() or "sigma" in outcome.error_line()


def test_a_bad_csv_network_is_one_line_that_names_the_file(ladder, tmp_path) -> None:
    path = tmp_path / "network.csv"
    path.write_text("kbps,weight\n300,1\n100,1\n")
    outcome = ladder(*ONE, "--network", path)
    assert outcome.code == FAILURE and outcome.stdout == ""
    assert str(path) in outcome.error_line() and "not sorted" in outcome.error_line()


def test_an_unknown_reference_is_one_line_that_names_those_that_ship(ladder) -> None:
    outcome = ladder(*ONE, "--compare", "netflix")
    assert outcome.code == FAILURE
    assert all(name in outcome.error_line() for name in reference_names())


def test_a_reference_of_another_codec_is_a_conflict_that_names_it(ladder) -> None:
    outcome = ladder(*ONE, "--compare", "apple-hls-hevc")
    assert outcome.code in (FAILURE, USAGE, INFEASIBLE)
    assert "hevc" in outcome.error_line() and "h264" in outcome.error_line()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: d | {"schema_version": 99}, "version 99"),
        (lambda d: d | {"command": "plan"}, "not a ladder file"),
        (lambda d: d | {"ladders": d["ladders"] * 2}, "2 ladders"),
        (lambda d: d | {"ladders": [d["ladders"][0] | {"rungs": []}]}, "damaged"),
    ],
    ids=["version", "command", "two", "damaged"],
)
def test_a_file_that_is_no_ladder_to_compare_with_is_one_line(change, named, ladder, document, tmp_path) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps(change(document(*ONE))))
    outcome = ladder(*ONE, "--compare", path)
    assert outcome.code == FAILURE and outcome.stdout == ""
    assert named in outcome.error_line() and str(path) in outcome.error_line()


@pytest.mark.parametrize("value", ["fast", 0, None])
def test_a_rate_that_is_none_in_a_ladder_file_is_one_line(value, ladder, document, tmp_path) -> None:
    found = document(*ONE)
    found["ladders"][0]["rungs"][0]["video"]["bitrate_kbps"] = value
    path = tmp_path / "other.json"
    path.write_text(json.dumps(found))
    outcome = ladder(*ONE, "--compare", path)
    assert outcome.code == FAILURE and "damaged" in outcome.error_line()
