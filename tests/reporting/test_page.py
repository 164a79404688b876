"""The report in a real browser: it asks for nothing, shows what `plan` chooses, can be sorted and searched."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from abr_alloc.models.checkpoint import load_model

EXAMPLE = Path(__file__).parents[2] / "examples" / "clip_features.parquet"
TITLE = "tos-battle-action-332p"
HOSTILE = "<script>alert(1)</script>"
SINGLE = ("--title", TITLE, "--budget", "300k")


def set_stop(page, stop: int) -> None:
    page.locator("#budget").fill(str(stop))


def chosen(page) -> dict[str, str]:
    terms, values = page.locator("#chosen dt").all_inner_texts(), page.locator("#chosen dd").all_inner_texts()
    return dict(zip(terms, values, strict=True))


def number(text: str) -> float:
    found = re.search(r"[-−+]?\d+(\.\d+)?", text)
    assert found, text
    return float(found[0].replace("−", "-"))


def stops_of(path: Path) -> list[float]:
    text = path.read_text(encoding="utf-8")
    (about,) = re.findall(r'<script type="application/json" id="about">(.*?)</script>', text)
    return json.loads(about)["budgets_kbps"]


def planned(run_command, budgets_kbps, *options: str) -> list[dict]:
    words = [word for kbps in budgets_kbps for word in ("--budget", f"{kbps:g}k")]
    outcome = run_command("plan", EXAMPLE, "--title", TITLE, *words, *options, "--json")
    assert outcome.code in (0, 3), outcome.stderr
    return json.loads(outcome.stdout)


def pair_text(plan: dict) -> list[str]:
    """As the page writes it: size, target and rate; codec and rate."""
    video, audio = plan["video"], plan["audio"]
    target = "" if video["target"].startswith("b=") else f" {video['target']}"
    rate = f"{'~' if video.get('interpolated') else ''}{video['bitrate_kbps']:.0f}k"
    return [
        f"{video['width_px']}x{video['height_px']}{target} {rate}",
        f"{audio['codec']} {audio['bitrate_kbps']:.0f}k",
    ]


@pytest.mark.parametrize("fragment", ["", "#t0", "#t4", "#nonsense"])
def test_a_page_asks_for_nothing_and_complains_of_nothing(make_report, open_page, fragment) -> None:
    opened = open_page(make_report(EXAMPLE), fragment)
    opened.page.wait_for_selector("#titles tbody tr" if fragment in ("", "#nonsense") else "#chart-fronts svg")
    opened.page.wait_for_timeout(300)
    assert [url.partition("#")[0] for url in opened.requests] == [opened.url.partition("#")[0]]
    assert opened.said == []


def test_the_page_may_not_load_anything(make_report, open_page) -> None:
    opened = open_page(make_report(EXAMPLE))
    opened.page.evaluate("fetch('https://example.com/x').catch(() => 0)")
    opened.page.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://example.com/x.png'}))")
    opened.page.wait_for_timeout(200)
    refused = [line for line in opened.said if "Content Security Policy" in line]
    assert any("connect" in line.lower() for line in refused)
    assert any("x.png" in line for line in refused)


@pytest.mark.parametrize("rates", [(), ("--measured-only",)], ids=["between", "measured"])
@pytest.mark.parametrize("mode", ["title", "scene"])
def test_the_slider_shows_what_plan_chooses(make_report, look_at, run_command, mode, rates) -> None:
    path = make_report(EXAMPLE, *SINGLE, *rates)
    stops = stops_of(path)
    wanted = sorted({int(i) for i in np.linspace(0, len(stops) - 1, 12)} | {stops.index(300.0)})
    assert len(wanted) >= 12
    per = ("--per", "title") if mode == "title" else ()
    document = planned(run_command, [stops[i] for i in wanted], *per, *rates)
    page = look_at(path)
    page.check(f"input[value={mode}]")
    seen = 0
    for i in wanted:
        set_stop(page, i)
        assert page.locator("#budget-text").inner_text() == f"{stops[i]:g} kbps"
        plans = {plan["scene"]: plan for plan in document["plans"] if plan["budget_kbps"] == stops[i]}
        for scene, card in enumerate(page.locator("#scenes .plan").all()):
            text = card.inner_text()
            if scene not in plans:
                assert text == "nothing fits"
                continue
            scores = f"AVQ {plans[scene]['avq_mos']:.2f}, VMAF {plans[scene]['video']['vmaf']:.0f}"
            for part in [*pair_text(plans[scene]), scores]:
                assert part in text
                seen += 1
    assert seen > 100


def test_the_numbers_of_a_scene_are_those_of_plan(make_report, look_at, run_command) -> None:
    path = make_report(EXAMPLE, *SINGLE)
    stops = stops_of(path)
    page = look_at(path)
    page.check("input[value=scene]")
    page.locator("#scenes button").nth(3).click()
    for i in range(stops.index(300.0), len(stops), 9):
        (plan,) = planned(run_command, [stops[i]], "--scene", "3")["plans"]
        (more,) = planned(run_command, [stops[i] + 100.0], "--scene", "3")["plans"]
        set_stop(page, i)
        shown = chosen(page)
        video, audio = pair_text(plan)
        assert shown["Video"] == f"h264 {video}"
        assert shown["Audio"].startswith(audio)
        assert ("outside" in shown["Audio"]) == (plan["audio"]["bitrate_kbps"] > 140)
        assert shown["AVQ"].startswith(f"{plan['avq_mos']:.2f} (90 %: {plan['interval_mos'][0]:.1f}")
        assert number(shown["Total"]) == pytest.approx(plan["total_kbps"], abs=0.51)
        assert number(shown["VMAF"]) == round(plan["video"]["vmaf"])
        cheaper = plan["cheaper"]
        if cheaper["total_kbps"] == plan["total_kbps"]:
            assert shown["Cheapest within 0.1 MOS"] == "this pair"
        else:
            told = shown["Cheapest within 0.1 MOS"]
            assert number(told) == pytest.approx(cheaper["total_kbps"], abs=1.0)
            assert all(part in told for part in [*pair_text(cheaper), f"AVQ {cheaper['avq_mos']:.2f}"])
            assert told.endswith(f"probability of {100 * cheaper['preference_probability']:.0f}\u00a0%.")
        gain = more["avq_mos"] - plan["avq_mos"]
        assert shown["+100 kbps"] == ("buys less than 0.005 MOS" if gain < 0.005 else f"buys +{gain:.2f} MOS")


def test_the_numbers_of_a_title_are_those_of_its_certificate(make_report, look_at, run_command) -> None:
    path = make_report(EXAMPLE, *SINGLE)
    page = look_at(path)
    set_stop(page, stops_of(path).index(300.0))
    (certificate,) = planned(run_command, [300], "--per", "title")["certificates"]
    shown = chosen(page)
    assert shown["AVQ"].startswith(f"{certificate['objective_mos']:.2f}")
    assert number(shown["Price"]) == pytest.approx(100 * certificate["price_mos_per_kbps"], abs=5e-4)
    assert number(shown["Total"]) == pytest.approx(certificate["mean_kbps"], abs=0.51)
    assert "aac 65k" in page.locator("#lead").inner_text()
    command = page.locator("#command").inner_text()
    assert command.endswith(f"--budget 300k --title {TITLE} --per title")


def test_the_sentence_says_which_audio_from_which_budget_on(make_report, look_at, run_command) -> None:
    path = make_report(EXAMPLE, *SINGLE)
    page = look_at(path)
    steps = page.locator("#audio-steps span").all_inner_texts()
    for step in steps:
        audio, kbps = re.fullmatch(r"(.*) from (\d+)", step).groups()
        plans = planned(run_command, [float(kbps)], "--per", "title")["plans"]
        seconds = np.array([p["end_s"] - p["start_s"] for p in plans])
        mean = seconds @ np.array([p["audio"]["bitrate_kbps"] for p in plans]) / seconds.sum()
        assert audio == f"aac {mean:.0f}k"
    (current,) = page.locator("#audio-steps [aria-current]").all_inner_texts()
    assert current.startswith("aac 65k")


def test_the_slider_moves_every_chart(make_report, open_page) -> None:
    page = open_page(make_report(EXAMPLE, *SINGLE)).page
    page.wait_for_selector("#chart-audio_steps svg")
    charts = ["surface", "quality", "split", "ladder", "audio_steps"]
    before = [page.locator(f"#chart-{name} svg").inner_html() for name in charts]
    set_stop(page, 40)
    page.wait_for_timeout(300)
    for name, old in zip(charts, before, strict=True):
        assert page.locator(f"#chart-{name} svg").inner_html() != old, name


def test_a_scene_can_be_chosen_and_given_back_with_the_keyboard(make_report, look_at) -> None:
    page = look_at(make_report(EXAMPLE, *SINGLE))
    page.locator("#budget").focus()
    before = page.locator("#budget-text").inner_text()
    page.keyboard.press("ArrowRight")
    assert page.locator("#budget-text").inner_text() != before
    page.locator("#scenes button").nth(2).focus()
    page.keyboard.press("Enter")
    assert page.locator("#surface-heading").inner_text() == "The surface of scene 2"
    assert page.locator("#scenes button[aria-pressed=true]").count() == 1
    tip = page.locator("#tip-2")
    assert tip.is_visible()  # focus shows what hovering shows
    assert "audio share" in tip.inner_text()
    assert "ablation (Eq. 6)" in chosen(page)["Relevance"]
    page.keyboard.press("Enter")
    assert page.locator("#surface-heading").inner_text() == "The surface of the whole title"


def test_the_table_sorts_by_every_column_and_puts_the_unknown_last(make_report, open_page) -> None:
    page = open_page(make_report(EXAMPLE)).page
    names = page.locator("#titles thead button").all_inner_texts()
    assert names[:3] == ["title", "scenes", "AVQ"]
    for column in range(len(names)):
        for wanted in ("descending", "ascending") if column else ("descending",):
            page.locator("#titles thead button").nth(column).click()
            assert page.locator("#titles th").nth(column).get_attribute("aria-sort") == wanted
            cells = page.locator(f"#titles tbody td:nth-child({column + 1})").all_inner_texts()
            known = [cell for cell in cells if cell != "–"]
            assert cells == known + ["–"] * (len(cells) - len(known))
            values = known if column == 0 else [number(cell) for cell in known]
            assert values == sorted(values, reverse=wanted == "descending")


def test_searching_narrows_and_a_link_opens_its_title(make_report, look_at) -> None:
    page = look_at(make_report(EXAMPLE))
    page.fill("#search", "TOY")
    assert page.locator("#titles tbody a").all_inner_texts() == ["handheld-toy-rabbit-480p"]
    assert page.locator("#found").inner_text() == "1 of 5 titles"
    page.click("#titles tbody a")
    page.wait_for_selector("#chart-surface svg")
    assert page.locator("#heading").inner_text() == "handheld-toy-rabbit-480p"
    assert page.title() == "handheld-toy-rabbit-480p – abr-alloc report"
    assert page.evaluate("document.activeElement.id") == "heading"
    page.click("#back")
    page.locator("#titles").wait_for()
    assert page.locator("#heading").inner_text() == page.title().partition(" – ")[0] == "5 titles"
    assert page.evaluate("document.activeElement.innerText") == "handheld-toy-rabbit-480p"  # the link that was followed


def test_the_address_passes_on_what_is_looked_at(make_report, open_page) -> None:
    path = make_report(EXAMPLE)
    stops = stops_of(path)
    page = open_page(path, "#t4").page
    page.check("input[value=scene]")
    set_stop(page, 40)
    page.locator("#scenes button").nth(2).click()
    fragment = page.evaluate("location.hash")
    assert fragment == f"#t4&b={stops[40]:g}&m=scene&s=2"
    other = open_page(path, fragment).page
    other.wait_for_selector("#chart-fronts svg")
    assert other.locator("#budget-text").inner_text() == f"{stops[40]:g} kbps"
    assert other.is_checked("input[value=scene]")
    assert other.locator("#surface-heading").inner_text() == "The surface of scene 2"
    assert chosen(other) == chosen(page)


@pytest.mark.parametrize("fragment", ["#t99", "#t4&b=abc&m=x&s=77", "#=&=&&", "#t4&s=-1"])
def test_a_wrong_address_opens_what_it_can(make_report, open_page, fragment) -> None:
    opened = open_page(make_report(EXAMPLE), fragment)
    opened.page.wait_for_timeout(300)
    assert opened.page.locator("#heading").inner_text() in ("5 titles", TITLE)
    assert opened.said == []


def test_strong_upscaling_is_named_where_it_flatters(make_report, look_at) -> None:
    page = look_at(make_report(EXAMPLE), "#t1")
    page.wait_for_selector("#chart-fronts svg")
    assert page.locator("#heading").inner_text() == "cartoon-veo-carnival-720p"
    assert "strong upscaling" in chosen(page)["Video"]
    assert "too high by an unknown amount" in page.locator("#ladder-note").inner_text()
    assert "rated too high" in page.locator("#fronts-caption").inner_text()
    page = look_at(make_report(EXAMPLE), "#t4")  # whose smaller size has more than half the lines
    page.wait_for_selector("#chart-fronts svg")
    assert "upscaling" not in page.locator("main").inner_text()


def held_share(model: str) -> float:
    """Per cent of the ratings or labels in the model's interval, on contents left out, as its card has it."""
    return 100 * load_model(model).card["interval_coverage"]["ratings"]


def test_the_model_says_what_it_was_judged_by(make_report, look_at) -> None:
    trust = look_at(make_report(EXAMPLE), "#t2").locator("#trust").inner_text()
    assert "Agreement with labels" in trust
    assert f"{held_share('attentive'):.0f}\u00a0% of the labels" in trust
    trust = look_at(make_report(EXAMPLE, *SINGLE, "--model", "live-sjtu")).locator("#trust").inner_text()
    assert "Agreement with people" in trust
    assert f"{held_share('live-sjtu'):.0f}\u00a0% of the mean ratings" in trust


def test_a_title_of_the_training_set_is_named_as_such(make_report, look_at) -> None:
    seen = set()
    for title in range(5):  # the example's clips are among the training clips of the default model
        page = look_at(make_report(EXAMPLE), f"#t{title}")
        assert "trained on this title" in page.locator("#warnings").inner_text()
        seen.add(page.locator("#heading").inner_text())
    assert len(seen) == 5
    for model in ("live-sjtu", "p1203"):
        warnings = look_at(make_report(EXAMPLE, *SINGLE, "--model", model)).locator("#warnings").inner_text()
        assert "trained on this title" not in warnings


def test_the_tip_leaves_the_plan_to_be_read_and_goes_away_with_escape(make_report, look_at) -> None:
    page = look_at(make_report(EXAMPLE, *SINGLE))
    page.locator("#scenes button").nth(1).focus()
    page.keyboard.press("Shift+Tab")
    tip, plan = page.locator("#tip-0"), page.locator("#scenes .plan").nth(0)
    assert tip.is_visible()
    assert tip.bounding_box()["y"] + tip.bounding_box()["height"] <= plan.bounding_box()["y"]
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    page.keyboard.press("Tab")
    assert page.locator("#tip-1").is_visible()


def test_bars_are_as_long_as_the_shares_of_relevance(make_report, look_at, run_command) -> None:
    page = look_at(make_report(EXAMPLE, *SINGLE))
    found = json.loads(run_command("relevance", EXAMPLE, "--title", TITLE, "--json").stdout)["scenes"]
    for scene, card in zip(found, page.locator("#scenes li").all(), strict=True):
        bar, audio = card.locator(".bar").bounding_box(), card.locator(".bar .audio").bounding_box()
        assert audio["width"] / bar["width"] == pytest.approx(scene["audio_share"], abs=0.01)
        share = round(100 * scene["audio_share"])
        assert card.locator(".shares").inner_text().split("\n")[0].startswith(f"audio {share}")


def test_on_paper_every_scene_is_there(make_report, open_page) -> None:
    page = open_page(make_report(EXAMPLE, *SINGLE), viewport={"width": 700, "height": 900}).page
    page.emulate_media(media="print")
    for card in page.locator("#scenes li").all():
        box = card.bounding_box()
        assert box["x"] + box["width"] <= 700


def test_the_audio_of_a_title_says_in_how_many_scenes_it_leaves_the_range(make_report, look_at, run_command) -> None:
    path = make_report(EXAMPLE, *SINGLE)
    stops = stops_of(path)
    page = look_at(path)
    seen = set()
    for i in range(stops.index(300.0), len(stops), 4):
        beyond = sum(
            plan["audio"]["bitrate_kbps"] > 140 for plan in planned(run_command, [stops[i]], "--per", "title")["plans"]
        )
        set_stop(page, i)
        text = chosen(page)["Audio"]
        expected = {0: "", 6: "(outside the model's range)"}.get(beyond, f"in {beyond} of 6 scenes)")
        assert text.endswith(expected)
        assert ("outside" in text) == (beyond > 0)
        seen.add(beyond)
    assert seen == {0, 1}, "audio beyond transparent is never planned"


def test_the_table_holds_the_plans_and_the_savings(make_report, look_at, run_command) -> None:
    path = make_report(EXAMPLE)
    page = look_at(path)
    stop = stops_of(path).index(300.0) if 300.0 in stops_of(path) else 30
    set_stop(page, stop)
    kbps = stops_of(path)[stop]
    plan = run_command("plan", EXAMPLE, "--budget", f"{kbps:g}k", "--per", "title", "--json")
    expected = {c["title"]: f"{c['objective_mos']:.2f}" for c in json.loads(plan.stdout)["certificates"]}
    ladders = run_command("ladder", EXAMPLE, "--compare", "apple-hls-avc", "--json")
    saved = {
        found["title"]: [found["comparison"][name] for name in ("bd_rate_percent", "bd_rate_vmaf_percent")]
        for found in json.loads(ladders.stdout)["ladders"]
    }
    for row in page.locator("#titles tbody tr").all():
        cells = row.locator("td").all_inner_texts()
        assert cells[2] == expected[cells[0]]
        rate = saved[cells[0]]
        for cell, percent in zip(cells[8:], rate, strict=True):
            assert cell == "–" if percent is None else number(cell) == pytest.approx(percent, abs=0.051)


def test_a_title_that_is_a_script_is_text(make_report, open_page, rename_title) -> None:
    path = make_report(rename_title(TITLE, HOSTILE), "--title", HOSTILE, "--title", "handheld-toy-rabbit-480p")
    assert HOSTILE not in path.read_text(encoding="utf-8")
    opened = open_page(path)
    assert opened.page.locator("#titles tbody a").first.inner_text() == HOSTILE
    opened.page.locator("#titles tbody a").first.click()
    opened.page.wait_for_selector("#chart-fronts svg")
    assert opened.page.locator("#heading").inner_text() == HOSTILE
    assert f"--title '{HOSTILE}'" in opened.page.locator("#command").inner_text()
    assert opened.said == []


def test_the_title_of_the_document_is_text_too(make_report, open_page, rename_title) -> None:
    opened = open_page(make_report(rename_title(TITLE, HOSTILE), "--title", HOSTILE))
    assert opened.page.title().startswith(HOSTILE)
    assert opened.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_screen_and_text_stands_out(make_report, open_page, tmp_path, width, scheme) -> None:
    """Of the catalogue, and then of a title."""
    page = open_page(make_report(EXAMPLE), viewport={"width": width, "height": 900}, color_scheme=scheme).page
    for fragment, shown in (("", "#titles tbody tr"), ("#t4", "#chart-fronts svg")):
        page.evaluate("hash => { location.hash = hash; }", fragment)
        page.wait_for_selector(shown)
        picture = tmp_path / f"{width}-{scheme}.png"
        page.screenshot(path=picture, full_page=True)
        assert picture.stat().st_size > 20_000
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        colours = "(e) => [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]"
        for selector in ("#lead", ".note", "#trust dt"):
            assert contrast(*page.locator(selector).first.evaluate(colours)) >= 4.5, selector
        if fragment:
            for chart in page.locator(".chart svg").all():
                assert chart.bounding_box()["width"] <= width


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio of two CSS colours."""

    def luminance(colour: str) -> float:
        channels = np.array([int(c) for c in re.findall(r"\d+", colour)[:3]]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_screen_reader_finds_names_for_everything_it_can_operate(make_report, look_at) -> None:
    page = look_at(make_report(EXAMPLE), "#t4")
    page.wait_for_selector("#chart-fronts svg")
    for selector in ("button", "input", "a"):
        for control in page.locator(f"main {selector}:visible, form {selector}:visible").all():
            name = control.evaluate("(e) => e.ariaLabel || e.innerText || (e.labels && e.labels[0]?.innerText) || ''")
            assert name.strip(), control.evaluate("(e) => e.outerHTML")
    assert page.locator("#budget").get_attribute("aria-valuetext").endswith("kbps")
    for chart in page.locator(".chart svg").all():
        assert chart.evaluate("(e) => e.closest('[aria-label]').ariaLabel")
