"""Designs on the example: a ladder per title, one for all, and what cannot be had."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest

import abr_alloc.allocation.design
from abr_alloc.allocation.audience import read_audience
from abr_alloc.allocation.cost import Prices
from abr_alloc.allocation.design import DesignOptions, TitleLadder, design_catalogue, design_titles
from abr_alloc.allocation.filters import Filters, select
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.preference import preference_probability
from abr_alloc.allocation.reference import load_reference
from abr_alloc.allocation.rung import keeps_rules
from abr_alloc.allocation.surface import QualitySurface, build_surfaces
from abr_alloc.allocation.title_surface import TitleCurves, merge_scenes
from abr_alloc.errors import ArgumentError, FeatureTableError, InfeasibleLadderError
from abr_alloc.models.checkpoint import load_model
from abr_alloc.table.table import read_features

AUDIENCE = read_audience("lognormal:median=1M,sigma=0.9")


@pytest.fixture(scope="module")
def scenes(example) -> list[QualitySurface]:
    return list(build_surfaces(read_features(example), load_model()))


@pytest.fixture(scope="module")
def titles(scenes) -> list[QualitySurface]:
    return [merge_scenes(list(own)) for _, own in itertools.groupby(scenes, key=lambda s: s.title)]


@pytest.fixture(scope="module")
def designed(scenes) -> list[TitleLadder]:
    return design_titles(scenes, AUDIENCE)


@pytest.fixture(scope="module")
def shared(scenes) -> TitleLadder:
    return design_catalogue(scenes, AUDIENCE)


def test_every_title_has_a_ladder_in_the_tables_order(designed, titles) -> None:
    assert [found.ladder.title for found in designed] == [title.title for title in titles]
    assert all(len(found.ladder.rungs) == 6 for found in designed)
    assert all(keeps_rules(found.ladder, LadderRules()) for found in designed)
    assert all(found.comparison is None for found in designed)


def test_a_rung_is_what_the_titles_curves_say(designed, titles) -> None:
    for found, title in zip(designed, titles, strict=True):
        curves = TitleCurves(title, "h264")
        for rung in found.ladder.rungs:
            column = title.audio.index(rung.audio)
            at = curves.at(rung.video.height_px, np.array([rung.video.bitrate_kbps]))[0, column]
            assert rung.avq_mos == pytest.approx(at, abs=1e-5)
            assert rung.total_kbps == pytest.approx(1.02 * (rung.video.bitrate_kbps + rung.audio.bitrate_kbps))
            assert rung.video.bitrate_kbps % 5 == 0 and rung.video.interpolated


def test_a_shared_ladder_is_the_mean_over_titles(shared, titles) -> None:
    assert shared.ladder.title == f"{len(titles)} titles"
    assert len(shared.ladder.rungs) == 6 and keeps_rules(shared.ladder, LadderRules())
    for rung in shared.ladder.rungs:
        assert [t.title for t in rung.titles] == [title.title for title in titles]
        assert rung.avq_mos == pytest.approx(np.mean([t.avq_mos for t in rung.titles]), abs=1e-5)


def test_shared_ladders_of_one_title_are_that_titles(scenes, designed) -> None:
    one = [s for s in scenes if s.title == designed[0].ladder.title]
    assert design_catalogue(one, AUDIENCE).ladder.rungs == designed[0].ladder.rungs


def test_more_rungs_never_lower_expected_avq(scenes) -> None:
    one = scenes[:2]
    expected = [
        design_titles(one, AUDIENCE, DesignOptions(num_rungs=k))[0].ladder.expected_avq_mos for k in range(1, 6)
    ]
    assert expected == sorted(expected)


def test_the_free_number_has_rungs_worth_having(scenes) -> None:
    for found in design_titles(scenes, AUDIENCE, DesignOptions(num_rungs=None, jnd_mos=0.2, round_kbps=25)):
        rungs = found.ladder.rungs
        assert all(b.avq_mos - a.avq_mos >= 0.2 - 1e-6 for a, b in itertools.pairwise(rungs))
        assert all(r.played_share >= 0.01 for r in rungs)


def test_of_several_codecs_the_better_one_is_taken(scenes) -> None:
    title = merge_scenes(scenes[:2])
    better = replace(
        title,
        video=title.video + tuple(replace(v, codec="av1") for v in title.video),
        avq_mos=np.vstack([title.avq_mos, title.avq_mos + np.float32(0.1)]),
        total_kbps=np.vstack([title.total_kbps] * 2),
        x_v=np.vstack([title.x_v] * 2),
    )
    (found,) = design_titles([better], AUDIENCE)
    assert {r.video.codec for r in found.ladder.rungs} == {"av1"}
    (held,) = design_titles([better], AUDIENCE, None, load_reference("apple-hls-avc"))
    assert {r.video.codec for r in held.ladder.rungs} == {"h264"}, "the reference's"


def with_opus(title: QualitySurface, more_mos: float) -> QualitySurface:
    """A title with Opus beside its AAC, at the same rates and so much better."""
    return replace(
        title,
        audio=title.audio + tuple(replace(a, codec="opus") for a in title.audio),
        avq_mos=np.hstack([title.avq_mos, title.avq_mos + np.float32(more_mos)]),
        total_kbps=np.hstack([title.total_kbps] * 2),
        x_a=np.vstack([title.x_a] * 2),
    )


@pytest.mark.parametrize(
    ("more_mos", "codec"), [(0.1, "opus"), (0.01, "aac"), (-0.1, "aac")], ids=["better", "nearly as good", "worse"]
)
def test_a_ladder_has_one_audio_codec_the_better_one_and_of_equals_the_more_widely_played(
    more_mos: float, codec: str, scenes
) -> None:
    title = with_opus(merge_scenes(scenes[:2]), more_mos)
    other = replace(title, title="other")
    for found in (*design_titles([title], AUDIENCE), design_catalogue([title, other], AUDIENCE)):
        assert {r.audio.codec for r in found.ladder.rungs} == {codec}


def test_audio_codecs_are_mixed_where_that_is_asked_for_alone(scenes) -> None:
    title = with_opus(merge_scenes(scenes[:2]), 0.0)
    cheap = np.array([a.bitrate_kbps < 60 for a in title.audio]) & np.array([a.codec == "opus" for a in title.audio])
    dear = np.array([a.bitrate_kbps > 60 for a in title.audio]) & np.array([a.codec == "aac" for a in title.audio])
    title = replace(title, avq_mos=title.avq_mos + np.float32(0.5) * (cheap | dear))
    network = read_audience("lognormal:median=250k,sigma=1.5")
    (mixed,) = design_titles([title], network, DesignOptions(num_rungs=5, mix_audio=True))
    assert {r.audio.codec for r in mixed.ladder.rungs} == {"aac", "opus"}
    (single,) = design_titles([title], network, DesignOptions(num_rungs=5))
    assert len({r.audio.codec for r in single.ladder.rungs}) == 1
    assert single.ladder.expected_avq_mos <= mixed.ladder.expected_avq_mos


def test_a_codec_that_cannot_keep_the_rules_leaves_the_design_to_the_others(scenes) -> None:
    title = merge_scenes(scenes[:2])
    title = replace(
        title,
        audio=(*title.audio, replace(title.audio[0], codec="ac3", bitrate_kbps=9000.0)),
        avq_mos=np.hstack([title.avq_mos, np.full((len(title.video), 1), 5.0, np.float32)]),
        total_kbps=np.hstack([title.total_kbps, 1.02 * np.array([[v.bitrate_kbps + 9000.0] for v in title.video])]),
        x_a=np.vstack([title.x_a, title.x_a[:1]]),
    )
    (found,) = design_titles([title], AUDIENCE, DesignOptions(rules=LadderRules(max_kbps=8000.0)))
    assert {r.audio.codec for r in found.ladder.rungs} == {"aac"}


def test_no_rung_pays_for_audio_beyond_transparent(designed, shared) -> None:
    audio = [r.audio for found in (*designed, shared) for r in found.ladder.rungs]
    assert max(a.bitrate_kbps for a in audio) < 160.0, "the example has 192k"


def test_every_rung_has_a_vmaf_and_a_shared_one_the_titles_mean(designed, shared) -> None:
    assert all(0.0 < r.video.vmaf <= 100.0 for found in designed for r in found.ladder.rungs)
    for rung in shared.ladder.rungs:
        assert rung.video.vmaf == pytest.approx(np.mean([t.vmaf for t in rung.titles]))


def test_every_rung_says_how_likely_people_are_to_rate_it_higher_than_the_one_below(scenes) -> None:
    model = load_model()
    (found,) = design_titles(scenes[:2], AUDIENCE, DesignOptions().known_to(model))
    assert found.ladder.rungs[0].preference_over_below is None
    for below, rung in itertools.pairwise(found.ladder.rungs):
        gained = rung.avq_mos - below.avq_mos
        assert rung.preference_over_below == preference_probability(gained, model.intervals.difference_mos)
    (unknown,) = design_titles(scenes[:2], AUDIENCE)
    assert {r.preference_over_below for r in unknown.ladder.rungs} == {None}


def test_a_reference_of_another_codec_is_a_conflict_that_names_both(scenes) -> None:
    for design in (design_titles, design_catalogue):
        with pytest.raises(FeatureTableError) as refused:
            design(scenes, AUDIENCE, None, load_reference("apple-hls-hevc"))
        assert all(word in str(refused.value) for word in ("apple-hls-hevc", "hevc", "h264", "`compare`"))


def test_titles_without_a_codec_in_common_are_refused(scenes) -> None:
    others = [s for s in scenes if s.title != scenes[0].title]
    mixed = [replace(s, video=tuple(replace(v, codec="av1") for v in s.video)) for s in scenes[:2]] + others
    with pytest.raises(FeatureTableError, match="share no video codec"):
        design_catalogue(mixed, AUDIENCE)


@pytest.mark.parametrize("asked", [15, 24])
def test_too_many_rungs_names_how_many_fit_and_that_many_do(asked: int, scenes) -> None:
    one = scenes[:2]
    with pytest.raises(InfeasibleLadderError) as refused:
        design_titles(one, AUDIENCE, DesignOptions(num_rungs=asked, rules=LadderRules(min_ratio=1.6)))
    message = str(refused.value)
    assert f"{asked} rungs" in message and "1.6" in message and repr(one[0].title) in message
    fit = int(message.partition("at most ")[2].split()[0])
    options = DesignOptions(num_rungs=fit, rules=LadderRules(min_ratio=1.6))
    assert len(design_titles(one, AUDIENCE, options)[0].ladder.rungs) == fit


def test_too_many_rungs_names_the_range_that_the_rules_leave(scenes) -> None:
    options = DesignOptions(num_rungs=6, rules=LadderRules(min_kbps=400.0, max_kbps=800.0))
    with pytest.raises(InfeasibleLadderError) as refused:
        design_titles(scenes[:2], AUDIENCE, options)
    low, high = map(float, re.search(r"between (\d+)k and (\d+)k", str(refused.value)).groups())
    assert 400 <= low < high <= 800, "not that of pairs which `min_kbps` and `max_kbps` rule out"


def test_only_allowed_sizes_are_used(scenes) -> None:
    sides = ((240, 240), (500, 600))
    (found,) = design_titles(scenes[:2], AUDIENCE, DesignOptions(num_rungs=4, rules=LadderRules(sides_px=sides)))
    assert {r.video.height_px for r in found.ladder.rungs} <= {240, 540}


def test_a_size_that_was_probed_can_be_asked_for_from_its_cheapest_probe_on(scenes) -> None:
    title = merge_scenes(scenes[:2])
    for side in (240, 360, 540, 720):
        least = min(v.bitrate_kbps for v in title.video if v.height_px == side)
        options = DesignOptions(num_rungs=1, rules=LadderRules(sides_px=((side, side),), max_kbps=1.2 * least + 80))
        (found,) = design_titles(scenes[:2], AUDIENCE, options)
        assert found.ladder.rungs[0].video.height_px == side


def test_the_python_door_designs_the_same(example, designed) -> None:
    own = designed[2].ladder
    table = select(read_features(example), Filters(titles=(own.title,)))
    (found,) = abr_alloc.ladder(table, "lognormal:median=1M,sigma=0.9")
    assert found.ladder.expected_avq_mos == own.expected_avq_mos
    low, high = load_model().interval_mos
    rung = found.ladder.rungs[0]
    assert rung.interval_mos == pytest.approx((rung.avq_mos + low, rung.avq_mos + high))


# Money.


def test_a_digest_costs_what_the_whole_title_costs(scenes) -> None:
    """Its scenes stand for all of the title's time."""
    prices = Prices(storage_per_gb_month=0.02, delivery_per_gb=0.05, views=1000.0)
    own = [scene for scene in scenes if scene.title == scenes[0].title]
    long = [replace(scene, stands_for_s=7.0 * scene.duration_s) for scene in own]
    (one,), (other,) = (design_titles(each, AUDIENCE, DesignOptions(prices=prices)) for each in (own, long))
    assert one.cost is not None and other.cost is not None
    assert other.cost.total == pytest.approx(7.0 * one.cost.total) and one.ladder == other.ladder


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"cost_budget": 1.0}, "`prices`"),
        ({"min_avq_mos": 4.0}, "`prices`"),
        ({"cost_budget": 1.0, "min_avq_mos": 4.0, "prices": True}, "exclude each other"),
        ({"cost_budget": -1.0, "prices": True}, "`cost_budget`"),
        ({"min_avq_mos": 0.0, "prices": True}, "`min_avq_mos`"),
    ],
)
def test_money_that_cannot_be_asked_for_is_refused(wrong, words: str) -> None:
    if wrong.get("prices"):
        wrong = wrong | {"prices": Prices(storage_per_gb_month=0.02, delivery_per_gb=0.05, views=1.0)}
    with pytest.raises(ArgumentError, match=words):
        DesignOptions(**wrong)
