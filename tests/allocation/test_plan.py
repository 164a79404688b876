"""Plans: exact, cheapest among equals, and honest about what does not fit."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import abr_alloc
import abr_alloc.errors
from abr_alloc.allocation.filters import Filters, select
from abr_alloc.allocation.kept_audio import drop_references, drop_wasted_audio
from abr_alloc.allocation.plan import (
    TIE_MOS,
    Limits,
    best_pair,
    middling_budget_kbps,
    plan_surfaces,
    planning_surfaces,
    scene_path,
)
from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition, build_surfaces
from abr_alloc.errors import FeatureTableError
from abr_alloc.models.audio_quality import transparent_kbps

EXAMPLE = Path(__file__).parents[2] / "examples" / "clip_features.parquet"


def surface(avq: np.ndarray, video_kbps: np.ndarray, audio_kbps: np.ndarray, overhead: float = 0.0) -> QualitySurface:
    return QualitySurface(
        title="t",
        scene=0,
        start_s=0.0,
        end_s=1.0,
        video=tuple(
            VideoRendition(codec="h264", width_px=2, height_px=2, target=f"crf={i}", bitrate_kbps=float(kbps))
            for i, kbps in enumerate(video_kbps)
        ),
        audio=tuple(
            AudioRendition(codec="aac", channels=2, target=f"b={i}k", bitrate_kbps=float(kbps))
            for i, kbps in enumerate(audio_kbps)
        ),
        avq_mos=np.asarray(avq, dtype=np.float32),
        total_kbps=np.add.outer(video_kbps, audio_kbps) * (1 + overhead),
        x_v=np.zeros((len(video_kbps), 6), np.float32),
        x_a=np.zeros((len(audio_kbps), 513), np.float32),
    )


rates = st.lists(st.floats(1, 1000), min_size=1, max_size=5)


@settings(deadline=None)
@given(st.data(), rates, rates, st.floats(1, 2500))
def test_the_pair_is_that_of_brute_force(
    data: st.DataObject, video_kbps: list[float], audio_kbps: list[float], budget: float
) -> None:
    quality = st.sampled_from([1.0, 2.0, 2.5, 4.0])
    avq = np.array([[data.draw(quality) for _ in audio_kbps] for _ in video_kbps])
    given_surface = surface(avq, np.array(video_kbps), np.array(audio_kbps))
    found = best_pair(given_surface, budget)
    pairs = [
        (-avq[v, a], video_kbps[v] + audio_kbps[a], (v, a))
        for v in range(len(video_kbps))
        for a in range(len(audio_kbps))
        if video_kbps[v] + audio_kbps[a] <= budget
    ]
    if not pairs:
        assert found is None
        return
    best = min(pairs)
    assert found is not None
    assert avq[found] == -best[0]
    assert given_surface.total_kbps[found] == pytest.approx(best[1])


@settings(deadline=None)
@given(st.floats(100, 3000), st.floats(0, 1000))
def test_more_budget_never_lowers_avq(budget: float, more: float) -> None:
    rng = np.random.default_rng(5)
    s = surface(rng.uniform(1, 5, size=(8, 6)), rng.uniform(50, 2000, size=8), rng.uniform(10, 200, size=6))
    low, high = best_pair(s, budget), best_pair(s, budget + more)
    if low is not None:
        assert high is not None
        assert s.avq_mos[high] >= s.avq_mos[low] - 1e-6


def test_within_the_tie_the_cheaper_pair_is_taken() -> None:
    s = surface(np.array([[3.0, 3.0 + 0.9 * TIE_MOS]]), np.array([100.0]), np.array([10.0, 20.0]))
    assert best_pair(s, 1000) == (0, 0)
    better = surface(np.array([[3.0, 3.0 + 1.1 * TIE_MOS]]), np.array([100.0]), np.array([10.0, 20.0]))
    assert best_pair(better, 1000) == (0, 1)


def test_a_cheaper_pair_within_the_tie_does_not_hide_the_one_that_reaches_the_floor(model: abr_alloc.Model) -> None:
    s = surface(np.array([[3.0 - 0.5 * TIE_MOS], [3.0]]), np.array([100.0, 200.0]), np.array([0.0]))
    plan = plan_surfaces([s], [1000.0], model, Limits(min_avq_mos=3.0))
    assert not plan.infeasible


def test_overhead_counts_against_the_budget() -> None:
    with_overhead = surface(np.ones((1, 1)), np.array([900.0]), np.array([100.0]), overhead=0.02)
    assert best_pair(with_overhead, 1019.0) is None
    assert best_pair(with_overhead, 1020.0) == (0, 0)


@pytest.fixture(scope="module")
def example() -> abr_alloc.FeatureTable:
    return abr_alloc.read_features(EXAMPLE)


@pytest.fixture(scope="module")
def model() -> abr_alloc.Model:
    return abr_alloc.load_model()


def test_the_example_is_planned_whole_and_within_budget(
    example: abr_alloc.FeatureTable, model: abr_alloc.Model
) -> None:
    plan = abr_alloc.plan(example, 2000, model)
    scenes = example.frame[["title", "scene"]].drop_duplicates()
    assert len(plan.allocations) == len(scenes)
    assert not plan.infeasible
    for a in plan.allocations:
        assert a.total_kbps == pytest.approx(1.02 * (a.video.bitrate_kbps + a.audio.bitrate_kbps))
        assert a.total_kbps <= 2000
        assert a.interval_mos[0] < a.avq_mos < a.interval_mos[1]
        assert 0 <= a.relevance.audio_share <= 1
        assert a.extra_budget_gain_mos >= -1e-6
        assert 0 < a.num_feasible <= a.num_pairs


def test_the_frame_has_a_row_per_allocation(example: abr_alloc.FeatureTable, model: abr_alloc.Model) -> None:
    plan = abr_alloc.plan(example, [300, 2000], model)
    frame = plan.to_frame()
    assert len(frame) == len(plan.allocations)
    assert sorted(frame["budget_kbps"].unique()) == [300, 2000]
    assert frame["total_kbps"].to_list() == [a.total_kbps for a in plan.allocations]


def test_an_impossible_budget_names_the_cheapest_pair(example: abr_alloc.FeatureTable, model: abr_alloc.Model) -> None:
    plan = abr_alloc.plan(example, 1.0, model)
    assert not plan.allocations
    surfaces = list(build_surfaces(example, model))
    assert [s.total_kbps for s in plan.infeasible] == [pytest.approx(s.total_kbps.min()) for s in surfaces]
    assert all(i.total_kbps > 1.0 for i in plan.infeasible)
    assert plan.to_frame().empty


def test_what_more_budget_buys_is_the_plan_at_more_budget(
    example: abr_alloc.FeatureTable, model: abr_alloc.Model
) -> None:
    surfaces = list(build_surfaces(example, model))
    now, more = plan_surfaces(surfaces, [600.0], model), plan_surfaces(surfaces, [660.0], model)
    for a, b in zip(now.allocations, more.allocations, strict=True):
        assert a.extra_budget_gain_mos == pytest.approx(b.avq_mos - a.avq_mos, abs=1e-6)


def test_the_middling_budget_fits_every_scene(example: abr_alloc.FeatureTable, model: abr_alloc.Model) -> None:
    surfaces = list(build_surfaces(example, model))
    budget = middling_budget_kbps(surfaces)
    assert all(best_pair(s, budget) is not None for s in surfaces)
    assert budget < max(float(s.total_kbps.max()) for s in surfaces)


def test_filters_keep_what_they_name(example: abr_alloc.FeatureTable) -> None:
    title = example.frame["title"].iloc[0]
    chosen = select(example, Filters(titles=(title,), scenes=(0,), max_height_px=400))
    assert set(chosen.frame["title"]) == {title}
    assert set(chosen.frame["scene"]) == {0}
    assert chosen.of_kind("video")["height_px"].max() <= 400
    assert not chosen.of_kind("audio").empty


@pytest.mark.parametrize(
    "wrong",
    [{"titles": ("nobody",)}, {"scenes": (999,)}, {"audio_codecs": ("ac3",)}, {"max_height_px": 1}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_filter_that_leaves_nothing_says_what_there_is(example: abr_alloc.FeatureTable, wrong: dict) -> None:
    with pytest.raises(FeatureTableError):
        select(example, Filters(**wrong))


def test_a_filter_that_takes_a_scenes_last_rendition_is_named_as_the_cause(example: abr_alloc.FeatureTable) -> None:
    frame = example.frame.copy()
    frame.loc[(frame["title"] == frame["title"].iloc[0]) & (frame["kind"] == "video"), "codec"] = "hevc"
    with pytest.raises(FeatureTableError, match="filters leave title"):
        select(abr_alloc.FeatureTable(frame, example.metadata), Filters(video_codecs=("h264",)))


def test_heights_between_two_bounds_are_kept_and_none_is_said(example: abr_alloc.FeatureTable) -> None:
    heights = set(example.of_kind("video")["height_px"])
    chosen = select(example, Filters(titles=("bbb-rabbit-wakes-720p",), min_height_px=300, max_height_px=400))
    assert set(chosen.of_kind("video")["height_px"]) == {360}
    for filters, text in (
        (Filters(min_height_px=9999), "no video rendition is at least 9999 px high; there are"),
        (Filters(min_height_px=361, max_height_px=362), "at least 361 px and at most 362 px high"),
    ):
        with pytest.raises(FeatureTableError, match=text) as caught:
            select(example, filters)
        assert all(str(height) in str(caught.value) for height in heights)


def test_rates_between_probes_are_chosen_unless_measured_ones_alone_are_asked_for(
    example: abr_alloc.FeatureTable, model: abr_alloc.Model
) -> None:
    between = abr_alloc.plan(example, 600, model)
    measured = abr_alloc.plan(example, 600, model, measured_only=True)
    assert all(a.video.interpolated for a in between.allocations)
    assert not any(a.video.interpolated for a in measured.allocations)
    for a, b in zip(between.allocations, measured.allocations, strict=True):
        assert a.avq_mos >= b.avq_mos - TIE_MOS
        assert a.relevance.audio_share == b.relevance.audio_share, "a scene's share is that of its measured pairs"


@pytest.mark.parametrize("per", ["scene", "title"])
def test_audio_beyond_transparent_is_never_chosen(
    example: abr_alloc.FeatureTable, model: abr_alloc.Model, per: str
) -> None:
    scenes = {(s.title, s.scene): s.audio for s in build_surfaces(example, model)}
    plan = abr_alloc.plan(example, 20_000, model, per=per)
    assert plan.allocations
    for a in plan.allocations:
        own = [other for other in scenes[a.title, a.scene] if other.codec == a.audio.codec]
        enough = [x.bitrate_kbps for x in own if x.bitrate_kbps >= transparent_kbps(x.codec, x.channels)]
        assert a.audio.bitrate_kbps <= min(enough) < max(enough)


def test_lossless_audio_is_chosen_only_where_there_is_no_other() -> None:
    """A reference is shown and measured; nobody is delivered it unasked, and it moves no budget."""
    plain = surface(np.array([[3.0, 3.5, 4.0]]), np.array([300.0]), np.array([32.0, 64.0, 900.0]))
    flac = replace(plain.audio[2], codec="flac", target="lossless")
    mixed = replace(plain, audio=(*plain.audio[:2], flac))
    assert [a.codec for a in drop_wasted_audio(mixed).audio] == ["aac", "aac"]
    assert drop_references(mixed).avq_mos.tolist() == [[3.0, 3.5]]
    alone = replace(
        plain, audio=(flac,), avq_mos=plain.avq_mos[:, 2:], total_kbps=plain.total_kbps[:, 2:], x_a=plain.x_a[2:]
    )
    assert [a.codec for a in drop_wasted_audio(alone).audio] == ["flac"]
    two = replace(plain, audio=plain.audio[:2], avq_mos=plain.avq_mos[:, :2], total_kbps=plain.total_kbps[:, :2])
    assert middling_budget_kbps([mixed]) == middling_budget_kbps([two]) < middling_budget_kbps([plain])


@pytest.mark.parametrize("per", ["scene", "title"])
def test_height_never_falls_as_the_budget_of_the_example_rises_and_a_fall_would_be_said(
    example: abr_alloc.FeatureTable, model: abr_alloc.Model, per: str
) -> None:
    budgets = [150.0, 200.0, 300.0, 450.0, 600.0, 800.0, 1000.0, 1500.0, 2000.0, 3000.0, 4000.0, 5000.0]
    frame = abr_alloc.plan(example, budgets, model, per=per).to_frame()
    frame["side_px"] = frame[["width_px", "height_px"]].min(axis=1)
    for _, scene in frame.sort_values("budget_kbps").groupby(["title", "scene"]):
        falls = scene["side_px"] < scene["side_px"].cummax()
        assert not (falls & ~scene["height_falls"]).any()
        if per == "scene":
            assert not falls.any() and not scene["height_falls"].any()


def test_a_fall_that_the_surface_asks_for_is_marked(model: abr_alloc.Model) -> None:
    s = surface(np.array([[2.0], [3.0]]), np.array([100.0, 200.0]), np.array([0.0]))
    tall = replace(s.video[0], width_px=640, height_px=360)
    s = replace(s, video=(tall, s.video[1]))
    low, high = plan_surfaces([s], [100.0, 200.0], model).allocations
    assert (low.video, low.height_falls) == (tall, False)
    assert (high.video, high.height_falls) == (s.video[1], True)


@settings(deadline=None)
@given(st.floats(30, 8000))
def test_what_a_budget_buys_does_not_depend_on_the_others_that_are_asked_for(budget: float) -> None:
    s = _example_surface()
    assert best_pair(s, budget) == scene_path(s).pair_at(budget)


@functools.cache
def _example_surface() -> QualitySurface:
    measured = build_surfaces(abr_alloc.read_features(EXAMPLE), abr_alloc.load_model())
    return next(planning_surfaces(measured, overhead=0.02))


@pytest.mark.parametrize("budget", [float("nan"), -5, 0, float("inf")])
def test_a_budget_that_is_no_positive_number_is_refused(
    example: abr_alloc.FeatureTable, model: abr_alloc.Model, budget: float
) -> None:
    with pytest.raises(ValueError, match="budget"):
        abr_alloc.plan(example, budget, model)


def test_budgets_may_be_numpy_numbers_but_not_text(example: abr_alloc.FeatureTable, model: abr_alloc.Model) -> None:
    assert abr_alloc.plan(example, np.int64(300), model) == abr_alloc.plan(example, 300, model)
    with pytest.raises(TypeError, match="2000"):
        abr_alloc.plan(example, "2000", model)


def test_a_feature_of_the_other_kind_is_refused(example: abr_alloc.FeatureTable, model: abr_alloc.Model) -> None:
    other = replace(model, card={**model.card, "video_features": ["visqol_mos"]})
    with pytest.raises(abr_alloc.errors.CheckpointError, match="video feature 'visqol_mos'"):
        abr_alloc.plan(example, 2000, other)


def test_a_model_trained_on_other_features_is_refused(example: abr_alloc.FeatureTable, model: abr_alloc.Model) -> None:
    for change, word in (
        ({"video_feature_version": "vmaf_v9"}, "vmaf_v9"),
        ({"audio_feature_version": "visqol_v9"}, "visqol_v9"),
        ({"video_features": ["brightness"]}, "brightness"),
    ):
        other = replace(model, card={**model.card, **change})
        with pytest.raises(abr_alloc.errors.CheckpointError, match=word):
            abr_alloc.plan(example, 2000, other)
