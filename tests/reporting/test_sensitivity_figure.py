"""The picture of what a budget buys: what the axes say and what the curves hold."""

import numpy as np
import pytest

from abr_alloc.allocation.sensitivity import BudgetPoint
from abr_alloc.reporting.figures import draw_sensitivity
from abr_alloc.reporting.style import render


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
        assert split.get_ylabel().endswith("(kbps)") and split.get_yscale() == "log"
        assert quality.get_xlabel().endswith("(kbps)") and split.get_xlabel().endswith("(kbps)")
        assert quality.get_xscale() == split.get_xscale() == "log"


def test_the_curve_holds_the_points() -> None:
    figure = draw_sensitivity(POINTS, "mean")
    for axes, title in zip(figure.axes[::2], ("a<b>", "other"), strict=True):
        own = [p for p in POINTS if p.title == title]
        (line,) = axes.lines
        assert line.get_xdata().tolist() == [p.budget_kbps for p in own]
        assert line.get_ydata() == pytest.approx([p.avq_mos for p in own])
        assert line.get_drawstyle() == "default"


def test_of_measured_rates_alone_the_curve_is_a_staircase() -> None:
    (line,) = draw_sensitivity(POINTS, "mean", stepped=True).axes[0].lines
    assert line.get_drawstyle() == "steps-post", "a budget buys the point below it, nothing between"


def test_the_split_holds_the_rate_of_each_stream_and_audio_is_a_staircase() -> None:
    figure = draw_sensitivity(POINTS, "mean")
    for axes, title in zip(figure.axes[1::2], ("a<b>", "other"), strict=True):
        own = [p for p in POINTS if p.title == title]
        lines = {line.get_label(): line for line in axes.lines}
        assert lines["audio"].get_ydata() == pytest.approx([p.audio_kbps for p in own])
        assert lines["video"].get_ydata() == pytest.approx([p.video_kbps for p in own])
        assert lines["audio"].get_drawstyle() == "steps-post" and lines["video"].get_drawstyle() == "default"
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["video", "audio"]


def test_audio_is_told_from_video_without_colour() -> None:
    video, audio = draw_sensitivity(POINTS, "mean").axes[1].lines
    assert (video.get_linestyle(), audio.get_linestyle()) == ("-", "--")


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
