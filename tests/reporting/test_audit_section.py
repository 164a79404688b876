"""The audit of a shipped ladder on the report page, in a browser."""

from __future__ import annotations

import json

TITLE = "documentary-nasa-jwst-270p"
SHIPPED = """video_codec,width_px,height_px,video_kbps,audio_codec,audio_kbps
h264,480,270,60k,aac,128k
h264,480,270,230k,aac,32k
h264,1920,1080,5M,aac,192k
"""


def test_the_page_has_a_row_per_rung_the_advice_and_what_is_left_out(run_command, open_page, example, tmp_path) -> None:
    (tmp_path / "shipped.csv").write_text(SHIPPED)
    words = ("audit", example, "--title", TITLE, "--ladder", tmp_path / "shipped.csv")
    outcome = run_command(*words, "--json", "--report", tmp_path / "audit.html")
    (found,) = json.loads(outcome.stdout)["audits"]
    (family,) = found["families"]
    watched = open_page(tmp_path / "audit.html")
    section = watched.page.locator("#audit")
    assert section.locator("h2").inner_text() == "The ladder that is shipped: shipped.csv"
    rows = section.locator("tbody tr")
    assert rows.count() == len(family["rungs"]) == 2
    for i, rung in enumerate(family["rungs"]):
        cells = rows.nth(i).locator("td").all_inner_texts()
        assert cells[1] == f"480x270 ~{rung['video']['bitrate_kbps']:.0f}k"
        assert (cells[4], cells[12]) == (f"{rung['avq_mos']:.2f}", rung["audio_verdict"])
        assert cells[13] == ("–" if rung["best_at_rate"]["gain_mos"] < 0.02 else cells[13]) and len(cells) == 14
    assert section.locator("li").all_inner_texts() == [advice["text"] for advice in family["advice"]]
    assert "line 4 (1080p is larger than the source (270p))" in section.inner_text()
    assert watched.said == [] and len(watched.requests) == 1
