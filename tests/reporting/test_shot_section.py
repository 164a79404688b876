"""The report shows what a ladder per shot spends and gives over time, rung by rung."""

from __future__ import annotations

import json
import sys
from itertools import pairwise

import pytest

from abr_alloc.cli import main

TITLE = "tos-battle-action-332p"


@pytest.fixture(scope="module")
def shots_file(example, tmp_path_factory):
    path = tmp_path_factory.mktemp("shots") / "shots.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sys, "argv", ["abr-alloc", "ladder", str(example), "--title", TITLE, "--per-shot", "-o", str(path)]
        )
        with pytest.raises(SystemExit) as ended:
            main()
    assert not ended.value.code
    return path


@pytest.fixture
def section(make_report, open_page, example, shots_file):
    watched = open_page(make_report(example, "--title", TITLE, "--ladder", shots_file))
    watched.page.wait_for_selector("#chart-shot_avq svg")
    return watched


def test_the_numbers_of_a_rung_are_those_of_the_ladder_file(section, shots_file):
    rungs = json.loads(shots_file.read_text())["ladders"][0]["rungs"]
    page = section.page
    assert page.locator("#shot-rung option").count() == len(rungs)
    page.locator("#shots summary").click()
    for number in (1, len(rungs)):
        page.select_option("#shot-rung", str(number))
        rung = rungs[number - 1]
        rows = page.locator("#shot-table tbody tr")
        assert rows.count() == len(rung["video"]["shots"]) == len(rung["shots_mos"])
        for row, shot, mos in zip(rows.all(), rung["video"]["shots"], rung["shots_mos"], strict=True):
            cells = row.locator("td").all_inner_texts()
            assert cells[2:4] == [shot["target"], f"{shot['width_px']}x{shot['height_px']}"]
            assert float(cells[4]) == pytest.approx(shot["bitrate_kbps"], abs=0.51)
            assert float(cells[5]) == pytest.approx(mos, abs=0.0051)
        assert f"Rung {number}," in page.inner_text("#shot-text")
    assert section.said == []


def test_one_target_for_the_title_gives_no_more_at_the_same_rate(make_report, example, shots_file):
    text = make_report(example, "--title", TITLE, "--ladder", shots_file).read_text()
    start = text.index('class="title">') + len('class="title">')
    shots = json.loads(text[start : text.index("</script>", start)])["shots"]
    seconds = [end - begin for begin, end in pairwise([*shots["start_s"], shots["end_s"]])]

    def mean(values):
        return sum(v * s for v, s in zip(values, seconds, strict=True)) / sum(seconds)

    compared = [rung for rung in shots["rungs"] if rung["plain"]]
    assert compared
    for rung in compared:
        assert mean(rung["plain"]["kbps"]) == pytest.approx(mean(rung["kbps"]), rel=0.1)
        extra_kbps = max(0.0, mean(rung["plain"]["kbps"]) - mean(rung["kbps"]))
        assert mean(rung["plain"]["avq_mos"]) <= mean(rung["avq_mos"]) + rung["proof"]["price"] * extra_kbps + 1e-3


def test_a_ladder_of_one_target_per_rung_has_no_such_section(make_report, open_page, example):
    assert not open_page(make_report(example, "--title", TITLE)).page.locator("#shots").is_visible()


@pytest.mark.parametrize("width_px", [1280, 360])
def test_the_section_is_not_wider_than_the_screen(make_report, open_page, example, shots_file, width_px):
    path = make_report(example, "--title", TITLE, "--ladder", shots_file)
    page = open_page(path, viewport={"width": width_px, "height": 800}).page
    page.wait_for_selector("#chart-shot_avq svg")
    assert page.evaluate("document.documentElement.scrollWidth") <= width_px
