"""The picture of surfaces: units on the axes, the lines, the budget and the choice where they belong."""

import dataclasses

import numpy as np
import pytest

from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition
from abr_alloc.reporting.isolines import iso_lines
from abr_alloc.reporting.style import AUDIO, CHOSEN, render
from abr_alloc.reporting.surface_figure import SurfacePanel, draw_surfaces


@pytest.fixture
def panel() -> SurfacePanel:
    video, audio = (100.0, 400.0, 1600.0), (32.0, 64.0, 128.0)
    avq = np.array([[1.6, 2.1, 2.2], [2.1, 3.1, 3.3], [2.2, 3.6, 4.1]], dtype=np.float32)
    surface = QualitySurface(
        title="t",
        scene=0,
        start_s=0.0,
        end_s=5.0,
        video=tuple(
            VideoRendition(codec="h264", width_px=64, height_px=36, target=f"b={k:g}k", bitrate_kbps=k) for k in video
        ),
        audio=tuple(AudioRendition(codec="aac", channels=2, target=f"b={k:g}k", bitrate_kbps=k) for k in audio),
        avq_mos=avq,
        total_kbps=np.add.outer(video, audio) * 1.02,
        x_v=np.zeros((3, 1), np.float32),
        x_a=np.zeros((3, 1), np.float32),
    )
    path = ((100.0, 32.0), (400.0, 64.0), (1600.0, 128.0))
    return SurfacePanel(surface=surface, label="<t>", path_kbps=path, chosen_kbps=path[1], chosen_mos=3.1)


def lines(axes) -> dict:
    return {line.get_label(): line for line in axes.lines}


def test_both_axes_are_logarithmic_rates_in_kbps(panel) -> None:
    axes = draw_surfaces([panel], budget_kbps=510.0, overhead=0.02).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("video (kbps)", "audio (kbps)")
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_title(loc="left") == "<t>"


def test_the_budget_line_holds_all_pairs_of_rates_that_cost_the_budget(panel) -> None:
    axes = draw_surfaces([panel], budget_kbps=510.0, overhead=0.02).axes[0]
    x, y = lines(axes)["budget"].get_data()
    assert x + y == pytest.approx(np.full(len(x), 500.0))
    assert y.min() == pytest.approx(axes.get_ylim()[0], rel=0.01)


def test_the_choice_and_its_path_are_where_they_were_given(panel) -> None:
    axes = draw_surfaces([panel], budget_kbps=510.0, overhead=0.02).axes[0]
    drawn = lines(axes)
    assert [tuple(map(float, d)) for d in drawn["chosen at this budget"].get_data()] == [(400.0,), (64.0,)]
    whole = [line for line in axes.lines if line.get_linestyle() == ":"]
    assert [np.column_stack(line.get_data()).tolist() for line in whole] == [[list(p) for p in panel.path_kbps]]
    assert "AVQ 3.10" in [text.get_text() for text in axes.texts]


def test_a_line_of_equal_avq_turns_at_the_cheapest_pairs_that_reach_it(panel) -> None:
    axes = draw_surfaces([panel], budget_kbps=510.0, overhead=0.02).axes[0]
    assert [text.get_text() for text in axes.texts][:3] == ["2", "3.25", "4"]
    corner = (400.0, 64.0)  # the cheapest pair with 3.0 or more
    curves = [np.column_stack(line.get_data()) for line in axes.lines if len(line.get_xdata()) > 3]
    assert any(corner in map(tuple, curve.tolist()) for curve in curves)


def test_where_nothing_fits_nothing_is_marked(panel) -> None:
    bare = dataclasses.replace(panel, chosen_kbps=None, chosen_mos=None, path_kbps=())
    drawn = lines(draw_surfaces([bare], budget_kbps=20.0, overhead=0.0).axes[0])
    assert "chosen at this budget" not in drawn


def test_at_most_forty_panels_are_drawn_and_the_rest_is_said(panel) -> None:
    figure = draw_surfaces([panel] * 43, budget_kbps=510.0, overhead=0.0)
    assert sum(axes.get_visible() for axes in figure.axes) == 40
    assert "3 more not drawn" in figure.get_suptitle()


def test_the_same_input_gives_the_same_file(panel) -> None:
    for file_format in ("png", "svg"):
        one, other = (render(draw_surfaces([panel], budget_kbps=510.0, overhead=0.02), file_format) for _ in range(2))
        assert one == other


def test_the_path_is_solid_while_the_audio_stays_and_dotted_through_its_jumps(panel) -> None:
    path = ((100.0, 32.0), (130.0, 32.0), (110.0, 64.0), (400.0, 64.0), (900.0, 64.0))
    axes = draw_surfaces([dataclasses.replace(panel, path_kbps=path)], budget_kbps=510.0, overhead=0.0).axes[0]
    solid = [line for line in axes.lines if line.get_linestyle() == "-" and line.get_color() == CHOSEN]
    assert [np.column_stack(line.get_data()).tolist() for line in solid] == [
        [[100.0, 32.0], [130.0, 32.0]],
        [[110.0, 64.0], [400.0, 64.0], [900.0, 64.0]],
    ]


def test_between_measured_rates_a_line_of_equal_avq_joins_its_corners_and_dots_are_what_was_measured(panel) -> None:
    between = dataclasses.replace(panel, measured_kbps=(100.0, 1600.0))
    axes = draw_surfaces([between], budget_kbps=510.0, overhead=0.02).axes[0]
    for line, drawn in zip(iso_lines(panel.surface), [c for c in axes.lines if c.get_color() == AUDIO], strict=True):
        x, y = drawn.get_data()
        assert (tuple(x[:-1]), tuple(y[:-1])) == (line.video_kbps, line.audio_kbps)
        assert (x[-1], y[-1]) == (line.video_kbps[-1], axes.get_ylim()[1])
    dots = {float(kbps) for c in axes.lines if c.get_marker() == "." for kbps in np.ravel(c.get_xdata())}
    assert dots == {100.0, 1600.0}
