"""The picture of ladders: a staircase per ladder, told apart by dash and marker."""

from dataclasses import replace

import pytest

from abr_alloc import ladder
from abr_alloc.allocation.rendition import Shot
from abr_alloc.reporting.ladder_figure import draw_ladders
from abr_alloc.table.table import read_features


@pytest.fixture(scope="module")
def designed(example):
    return ladder(read_features(example), compare="apple-hls-avc")


def test_each_rung_is_a_step_of_avq_of_vmaf_and_of_audio_over_the_total_rate(designed) -> None:
    figure = draw_ladders(designed[:1])
    rungs = designed[0].ladder.rungs
    for axes, values in zip(
        figure.axes,
        ([r.avq_mos for r in rungs], [r.video.vmaf for r in rungs], [r.audio.bitrate_kbps for r in rungs]),
        strict=True,
    ):
        (line,) = [line for line in axes.lines if line.get_label() == "designed"]
        assert line.get_drawstyle() == "steps-post"
        assert line.get_xdata()[:-1] == pytest.approx([r.total_kbps for r in rungs])
        assert line.get_ydata()[:-1] == pytest.approx(values, abs=1e-4)
        assert line.get_ydata()[-1] == line.get_ydata()[-2]
        assert axes.get_xlabel() == "bandwidth (kbps)"
    assert [axes.get_ylabel() for axes in figure.axes] == ["AVQ (MOS)", "VMAF", "audio (kbps)"]


def test_the_fixed_ladder_differs_in_dash_and_marker(designed) -> None:
    axes = draw_ladders(designed[:1]).axes[0]
    style = {line.get_label(): (line.get_linestyle(), line.get_marker()) for line in axes.lines}
    assert style == {"designed": ("-", "o"), "apple-hls-avc": ("--", "s")}
    fixed = designed[0].comparison.ladder
    (line,) = [line for line in axes.lines if line.get_label() == "apple-hls-avc"]
    assert line.get_ydata()[:-1] == pytest.approx([r.avq_mos for r in fixed.rungs], abs=1e-4)


def test_expected_avq_stands_in_the_heading_and_rungs_are_numbered(designed) -> None:
    figure = draw_ladders(designed[:2])
    assert len(figure.axes) == 6
    found = designed[1]
    assert f"{found.ladder.expected_avq_mos:.2f}" in figure.axes[3].get_title(loc="left")
    assert [text.get_text() for text in figure.axes[3].texts] == [str(i + 1) for i in range(len(found.ladder.rungs))]


def test_scenes_of_a_ladder_per_shot_are_steps_over_time(designed) -> None:
    (found,) = designed[:1]
    shots = [
        Shot(start_s=start, end_s=end, width_px=640, height_px=360, target="crf=24", bitrate_kbps=kbps)
        for start, end, kbps in ((0.0, 2.0, 300.0), (2.0, 5.0, 700.0))
    ]
    rungs = tuple(
        replace(rung, video=replace(rung.video, shots=tuple(shots)), shots_mos=(3.0, 4.0))
        for rung in found.ladder.rungs
    )
    axes = draw_ladders([replace(found, ladder=replace(found.ladder, rungs=rungs))]).axes
    assert [one.get_ylabel() for one in axes[3:]] == ["video (kbps)", "AVQ (MOS)"]
    for one, values in zip(axes[3:], ([300.0, 700.0, 700.0], [3.0, 4.0, 4.0]), strict=True):
        assert len(one.lines) == len(rungs)
        assert [text.get_text() for text in one.texts] == [str(len(rungs))], "all lines end at one place"
        assert (list(one.lines[-1].get_xdata()), list(one.lines[-1].get_ydata())) == ([0.0, 2.0, 5.0], values)
        assert one.lines[-1].get_drawstyle() == "steps-post"
