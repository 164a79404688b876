"""The picture of what a budget buys: what the axes say and what the curves hold."""

import numpy as np
import pytest

from abr_alloc.allocation.sensitivity import BudgetPoint
from abr_alloc.report.figures import draw_sensitivity
from abr_alloc.report.style import render


def point(title: str, budget_kbps: float, avq_mos: float, audio_kbps: float) -> BudgetPoint:
    return BudgetPoint(
        title=title,
        budget_kbps=budget_kbps,
        mean_kbps=0.98 * budget_kbps,
        avq_mos=avq_mos,
        price_mos_per_kbps=0.001,
        video_kbps=0.9 * budget_kbps - audio_kbps,
        audio_kbps=audio_kbps,
        overhead_kbps=0.08 * budget_kbps,
    )


POINTS = [
    point("a<b>", 100.0, 2.0, 30.0),
    point("a<b>", 300.0, 3.25, 60.0),
    point("a<b>", 900.0, 4.0, 90.0),
    point("other", 200.0, 3.0, 20.0),
    point("other", 800.0, 3.5, 40.0),
]


def test_each_title_has_a_panel_of_avq_and_a_panel_of_the_split() -> None:
    figure = draw_sensitivity(POINTS, "mean")
    assert len(figure.axes) == 4
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a<b>", "", "other", ""]


def test_axes_are_labelled_with_units() -> None:
    figure = draw_sensitivity(POINTS, "harmonic")
    for quality, split in zip(figure.axes[::2], figure.axes[1::2], strict=True):
        assert quality.get_ylabel() == "AVQ, harmonic over time (MOS)"
        assert split.get_ylabel().endswith("(%)")
        assert quality.get_xlabel().endswith("(kbps)") and split.get_xlabel().endswith("(kbps)")
        assert quality.get_xscale() == split.get_xscale() == "log"
        assert split.get_ylim() == (0, 100)


def test_the_curve_holds_the_points() -> None:
    figure = draw_sensitivity(POINTS, "mean")
    for axes, title in zip(figure.axes[::2], ("a<b>", "other"), strict=True):
        own = [p for p in POINTS if p.title == title]
        (line,) = axes.lines
        assert line.get_xdata().tolist() == [p.budget_kbps for p in own]
        assert line.get_ydata() == pytest.approx([p.avq_mos for p in own])
        assert line.get_drawstyle() == "steps-post", "a budget buys the point below it, nothing between"


def test_the_split_holds_the_audio_shares_and_adds_up_to_a_hundred() -> None:
    figure = draw_sensitivity(POINTS, "mean")
    for axes, title in zip(figure.axes[1::2], ("a<b>", "other"), strict=True):
        own = [p for p in POINTS if p.title == title]
        audio, video = (area.get_paths()[0].vertices for area in axes.collections)
        for p in own:
            assert audio[audio[:, 0] == p.budget_kbps, 1].max() >= 100 * p.audio_share - 0.01
            assert {0.0} <= set(audio[audio[:, 0] == p.budget_kbps, 1])
            assert video[video[:, 0] == p.budget_kbps, 1].max() == pytest.approx(100)
        heights = {round(y, 2) for y in audio[:, 1] if y > 0}
        assert heights == {round(100 * p.audio_share, 2) for p in own}
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["audio", "video"]


def test_audio_is_told_from_video_without_colour() -> None:
    audio, video = draw_sensitivity(POINTS, "mean").axes[1].collections
    assert audio.get_hatch() and not video.get_hatch()


def test_of_more_than_forty_titles_the_heading_says_how_many_are_missing() -> None:
    many = [point(f"t{i}", budget, 3.0, 20.0) for i in range(43) for budget in (100.0, 200.0)]
    figure = draw_sensitivity(many, "mean")
    assert len(figure.axes) == 80
    assert "3 more titles not drawn" in figure.get_suptitle()
    assert "not drawn" not in draw_sensitivity(POINTS, "mean").get_suptitle()


def test_one_point_alone_can_be_drawn() -> None:
    (line,) = draw_sensitivity(POINTS[:1], "mean").axes[0].lines
    assert line.get_xdata().tolist() == [100.0]
    assert render(draw_sensitivity(POINTS[:1], "mean"), "png").startswith(b"\x89PNG")


@pytest.mark.parametrize("form", ["png", "svg"])
def test_equal_points_give_equal_files(form: str) -> None:
    one, other = (render(draw_sensitivity(POINTS, "mean"), form) for _ in range(2))
    assert one == other
    rounding = [point(p.title, p.budget_kbps, float(np.float32(p.avq_mos + 1e-7)), p.audio_kbps) for p in POINTS]
    assert render(draw_sensitivity(rounding, "mean"), form) == one
