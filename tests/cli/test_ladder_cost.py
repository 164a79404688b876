"""`abr-alloc ladder --cost`: money beside MOS, within a budget or for a least AVQ, as a user runs it."""

from __future__ import annotations

import io
import json
import re

import pandas as pd
import pytest

from abr_alloc.formats.ladder_file import read_designed

USAGE, INFEASIBLE = 2, 3
TITLE = "documentary-nasa-jwst-270p"
ONE = ("--title", TITLE, "--network", "lognormal:median=300k,sigma=0.9")
PRICES = ("--cost", "storage=0.02,delivery=0.05", "--views", "1000")


@pytest.fixture
def ladder(run_command, example):
    def run(*words):
        return run_command("ladder", example, *ONE, *words)

    return run


@pytest.fixture
def designed(ladder):
    """The one ladder, and what its file says of its making."""

    def run(*words):
        outcome = ladder(*PRICES, *words, "--json")
        assert (outcome.code, outcome.stderr) == (0, "")
        document = json.loads(outcome.stdout)
        (found,) = document["ladders"]
        return found, document

    return run


def test_prices_alone_change_no_rung_and_say_what_each_costs(ladder, designed) -> None:
    """Added up by hand: GB of every rendition once, GB of every rung by its share of the audience."""
    found, document = designed()
    assert found["rungs"] == json.loads(ladder("--json").stdout)["ladders"][0]["rungs"]
    ((start, _), *_, (_, end)) = [*document["features"]["titles"][TITLE]["scenes_s"]] * 2
    assert found["cost"]["duration_s"] == pytest.approx(end - start) and found["cost_proof"] is None
    gb = (end - start) / 8e6  # of a kbps
    streams = {}
    for rung in found["rungs"]:
        for kind in ("video", "audio"):
            streams[kind, rung[kind]["target"], rung["video"]["height_px"] if kind == "video" else 0] = rung[kind]
    storage = sum(stream["bitrate_kbps"] for stream in streams.values()) * 1.02 * gb * 0.02 * 12
    delivery = sum(rung["total_kbps"] * rung["played_share"] for rung in found["rungs"]) * gb * 0.05 * 1000
    assert found["cost"]["storage"] == pytest.approx(storage) and found["cost"]["delivery"] == pytest.approx(delivery)
    assert found["cost"]["total"] == pytest.approx(storage + delivery)
    assert document["options"]["prices"] == {
        "storage_per_gb_month": 0.02,
        "delivery_per_gb": 0.05,
        "views": 1000,
        "months": 12,
    }


def test_a_budget_is_kept_and_the_ladder_for_its_avq_costs_as_much(designed) -> None:
    free, _ = designed()
    within, document = designed("--cost-budget", str(0.6 * free["cost"]["total"]))
    assert within["cost"]["total"] <= 0.6 * free["cost"]["total"] and document["options"]["cost_budget"] is not None
    assert within["expected_avq_mos"] < free["expected_avq_mos"] and within["cost_proof"]["gap"] < 1e-6
    assert within["cost_proof"]["bound"] >= within["expected_avq_mos"] - 1e-9
    back, _ = designed(
        "--min-avq", repr(within["expected_avq_mos"]), "--audio-codec", within["rungs"][0]["audio"]["codec"]
    )
    assert back["cost"]["total"] == pytest.approx(within["cost"]["total"], rel=1e-6)


def test_what_views_and_storage_cost_nothing_is_free(designed) -> None:
    kept, _ = designed("--views", "0", "--cost-budget", "1")
    assert kept["cost"]["delivery"] == 0.0 < kept["cost"]["storage"]
    sent, _ = designed("--cost", "storage=0,delivery=0.05", "--cost-budget", "1")
    assert sent["cost"]["storage"] == 0.0 < sent["cost"]["delivery"]


def test_the_text_shows_money_beside_mos_and_that_of_the_fixed_ladder(ladder) -> None:
    outcome = ladder(*PRICES, "--cost-budget", "0.02", "--compare", "apple-hls-avc")
    assert (outcome.code, outcome.stderr) == (0, "")
    text = " ".join(outcome.stdout.split())
    assert "rung played storage delivery total" in text and re.search(r"all \d+\.\d % 0\.\d+ 0\.\d+ 0\.0\d+", text)
    assert "The best within 0.02: no other ladder within it has a higher expected AVQ" in text
    assert re.search(r"apple-hls-avc costs 0\.\d+ \(storage 0\.\d+, delivery 0\.\d+\): designed [+-]\d+\.\d %", text)
    assert "kept for 12 months at 0.02 per GB-month and watched 1000 times at 0.05 per GB" in text


def test_the_cheapest_ladder_is_named_where_a_budget_is_too_small_and_that_much_is_enough(ladder) -> None:
    outcome = ladder(*PRICES, "--cost-budget", "0.0001")
    assert outcome.code == INFEASIBLE and outcome.stdout == ""
    least = re.search(r"--cost-budget 0.0001; the cheapest costs ([\d.]+) ", outcome.stderr)
    assert least is not None, outcome.stderr
    assert ladder(*PRICES, "--cost-budget", least[1]).code == 0


def test_the_most_is_named_where_no_ladder_is_good_enough_and_that_much_can_be_had(ladder) -> None:
    outcome = ladder(*PRICES, "--min-avq", "4.99")
    assert outcome.code == INFEASIBLE and outcome.stdout == ""
    most = re.search(r"--min-avq 4.99; the most is ([\d.]+), for [\d.]+: ", outcome.stderr)
    assert most is not None, outcome.stderr
    assert ladder(*PRICES, "--min-avq", most[1]).code == 0


BAD = {
    ("--cost", "storage=1"): "no price for delivery",
    ("--cost", "storage=1,delivery=2,egress=3"): "'egress=3' is no price",
    ("--cost", "storage=-1,delivery=2"): "storage is -1",
    ("--cost", "storage=nan,delivery=2"): "storage is nan",
    ("--cost", "storage=1,delivery=inf"): "delivery is inf",
    ("--cost", "storage=1,delivery=free"): "'free' is no number",
    ("--cost", "storage=1,storage=1,delivery=2"): "storage stands there twice",
    ("--cost", ""): "is no price",
    ("--cost", "storage=1,delivery=2"): "--cost needs --views",
    ("--views", "10"): "need --cost",
    ("--cost-budget", "10"): "need --cost",
    ("--min-avq", "4"): "need --cost",
    (*PRICES, "--cost-budget", "1", "--min-avq", "4"): "exclude each other",
    (*PRICES, "--views", "-1"): "--views",
    (*PRICES, "--months", "nan"): "--months",
    (*PRICES, "--min-avq", "5.1"): "--min-avq",
}


@pytest.mark.parametrize("words", BAD, ids=" ".join)
def test_what_is_wrong_with_a_price_is_said_in_one_line(ladder, words: tuple[str, ...]) -> None:
    outcome = ladder(*words)
    assert outcome.code == USAGE and outcome.stdout == ""
    assert BAD[words] in outcome.stderr and len(outcome.stderr.strip().splitlines()) == 1


def test_files_and_rows_carry_money(ladder, designed, tmp_path) -> None:
    limits = (*PRICES, "--cost-budget", "0.02", "--compare", "apple-hls-avc")
    assert ladder(*limits, "-o", tmp_path / "ladder.json").code == 0
    (found,) = read_designed(tmp_path / "ladder.json")
    assert found.cost is not None and found.cost_proof is not None and found.comparison is not None
    assert found.cost.total <= 0.02 == found.cost_proof.cost_budget and found.comparison.cost is not None
    assert found.comparison.same_avq_cost is not None
    rows = pd.read_csv(io.StringIO(ladder(*limits, "--csv").stdout))
    assert rows[["storage_cost", "delivery_cost"]].sum().sum() == pytest.approx(found.cost.total, rel=1e-4)
    assert pd.read_csv(io.StringIO(ladder("--csv").stdout))["storage_cost"].isna().all()


def test_ladders_that_titles_share_cost_a_title_of_their_mean_length(run_command, example) -> None:
    words = (*PRICES, "--title", TITLE, "--title", "tos-battle-action-332p", "--min-avq", "4", "--rungs", "3", "--json")
    shared = run_command("ladder", example, *words, "--shared")
    (found,) = json.loads(shared.stdout)["ladders"]
    alone = run_command("ladder", example, *words)
    lengths_s = [one["cost"]["duration_s"] for one in json.loads(alone.stdout)["ladders"]]
    assert found["cost"]["duration_s"] == pytest.approx(sum(lengths_s) / len(lengths_s))
    assert found["expected_avq_mos"] >= 4.0 - 1e-9
