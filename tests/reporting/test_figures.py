"""Pictures: what the axes say and what the bars hold."""

import pytest

from abr_alloc.allocation.results import Allocation, Cheaper
from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.models.relevance import Relevance
from abr_alloc.reporting.figures import draw_relevance
from abr_alloc.reporting.style import SHARE_LABEL, render

VIDEO = VideoRendition(codec="h264", width_px=640, height_px=360, target="crf=30", bitrate_kbps=700.0)
AUDIO = AudioRendition(codec="aac", channels=2, target="b=64k", bitrate_kbps=64.0)


def allocation(title: str, scene: int, start_s: float, end_s: float, share: float) -> Allocation:
    return Allocation(
        title=title,
        scene=scene,
        start_s=start_s,
        end_s=end_s,
        weight_s=end_s - start_s,
        budget_kbps=800.0,
        video=VIDEO,
        audio=AUDIO,
        total_kbps=780.0,
        avq_mos=3.5,
        interval_mos=(3.2, 3.8),
        relevance=Relevance(
            audio_share=share,
            ablation_audio_share=share,
            eq8_audio_share=0.5,
            ablation={"audio": share / 2, "video": 0.1},
            change_norm={"audio": 1.0, "video": 1.5 + scene},
        ),
        cheaper=Cheaper(video=VIDEO, audio=AUDIO, total_kbps=780.0, avq_mos=3.5, preference_probability=0.0),
        extra_budget_gain_mos=0.01,
        num_pairs=4,
        num_feasible=3,
    )


SCENES = [allocation("a<b>", 0, 0, 4, 0.25), allocation("a<b>", 1, 4, 6, 0.6), allocation("other", 0, 0, 3, 0.5)]


def test_each_scene_is_a_bar_from_audio_share_to_video_share() -> None:
    figure = draw_relevance(SCENES, budget_kbps=800.0, chosen=True)
    bars = figure.axes[0].patches
    assert [(bar.get_x(), bar.get_width()) for bar in bars] == [(0, 4), (0, 4), (4, 2), (4, 2)]
    assert [bar.get_height() for bar in bars] == pytest.approx([25, 75, 60, 40])
    assert [bar.get_y() for bar in bars] == pytest.approx([0, 25, 0, 60])


def test_audio_is_told_from_video_without_colour() -> None:
    bars = draw_relevance(SCENES, budget_kbps=800.0, chosen=True).axes[0].patches
    assert bars[0].get_hatch()
    assert not bars[1].get_hatch()


def test_one_measure_is_drawn_under_its_one_name() -> None:
    figure = draw_relevance(SCENES, budget_kbps=800.0, chosen=True)
    assert len(figure.axes) == 2, "one panel per title"
    assert SHARE_LABEL in figure.get_suptitle() and "Eq." not in figure.get_suptitle()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["audio share", "video share"]


def test_axes_are_labelled_with_units_and_titles_are_text() -> None:
    figure = draw_relevance(SCENES, budget_kbps=800.0, chosen=False, equations=True)
    labels = [axes.get_ylabel() for axes in figure.axes] + [axes.get_xlabel() for axes in figure.axes]
    assert "share (%)" in labels
    assert "time in the title (s)" in labels
    assert any("ablation" in label for label in labels)
    assert any("feature" in label for label in labels)
    assert figure.axes[0].get_title(loc="left") == "a<b>"
    assert "800 kbps" in figure.get_suptitle()
    assert "middling" in figure.get_suptitle()


def test_both_components_are_drawn_for_both_modalities_where_they_are_asked_for() -> None:
    figure = draw_relevance(SCENES, budget_kbps=800.0, chosen=True, equations=True)
    (parts,) = [
        axes for axes in figure.axes if "ablation" in axes.get_ylabel() and len(axes.collections[0].get_segments()) == 2
    ]
    ablation = {lines.get_label(): [s.tolist() for s in lines.get_segments()] for lines in parts.collections}
    assert ablation == {
        "ablation, audio": [[[0, 0.125], [4, 0.125]], [[4, 0.3], [6, 0.3]]],
        "ablation, video": [[[0, 0.1], [4, 0.1]], [[4, 0.1], [6, 0.1]]],
    }
    drawn = {line.get_label(): list(line.get_ydata()) for axes in figure.axes for line in axes.lines}
    assert drawn["feature change, audio"] in ([1.0, 1.0], [1.0])
    assert "feature change, video" in drawn


@pytest.mark.parametrize(("file_format", "head"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_the_same_figure_gives_the_same_file(file_format: str, head: bytes) -> None:
    first, second = (render(draw_relevance(SCENES, budget_kbps=800.0, chosen=True), file_format) for _ in range(2))
    assert first == second
    assert first.startswith(head)


def test_many_titles_are_cut_and_said_so() -> None:
    many = [allocation(f"t{i:03d}", 0, 0, 2, 0.5) for i in range(45)]
    figure = draw_relevance(many, budget_kbps=800.0, chosen=True)
    assert "5 more titles not drawn" in figure.get_suptitle()
