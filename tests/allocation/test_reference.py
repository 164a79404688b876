"""Fixed ladders: Bjontegaard's delta against another program's, what a title can play, and that none beats the best."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import bjontegaard
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from abr_alloc.allocation.audience import lognormal, read_audience, weighted
from abr_alloc.allocation.design import DesignOptions, design_titles
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.path import TIE_MOS
from abr_alloc.allocation.reference import (
    ReferenceLadder,
    ReferenceRung,
    apply_reference,
    bd_rate_percent,
    compare_ladders,
    load_reference,
    offered_rates_kbps,
)
from abr_alloc.allocation.rung import Ladder, keeps_rules, make_ladder
from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition, build_surfaces
from abr_alloc.errors import LadderFormatError
from abr_alloc.formats.ladder_file import as_reference
from abr_alloc.models.checkpoint import load_model
from abr_alloc.shipped import reference_names
from abr_alloc.table.table import read_features

NETWORK = lognormal(800, 0.9)


def surface(probes: dict[int, list[tuple[float, float]]], audio: dict[str, float]) -> QualitySurface:
    """A title from short side -> (rate, AVQ) of its probes; dearer audio adds an eighth."""
    video = [(side, kbps, avq) for side, points in probes.items() for kbps, avq in points]
    return QualitySurface(
        title="t",
        scene=0,
        start_s=0.0,
        end_s=1.0,
        video=tuple(
            VideoRendition(codec="h264", width_px=2 * side, height_px=side, target=f"crf={i}", bitrate_kbps=kbps)
            for i, (side, kbps, _) in enumerate(video)
        ),
        audio=tuple(
            AudioRendition(codec=name.split()[0], channels=2, target=name, bitrate_kbps=kbps)
            for name, kbps in audio.items()
        ),
        avq_mos=np.add.outer([avq for *_, avq in video], np.arange(len(audio)) / 8).astype(np.float32),
        total_kbps=np.add.outer([kbps for _, kbps, _ in video], list(audio.values())) * 1.02,
        x_v=np.zeros((len(video), 1), np.float32),
        x_a=np.zeros((len(audio), 1), np.float32),
    )


def fixed(*rungs: tuple[int, float], audio: tuple[str, float] = ("aac", 64.0), name: str = "fixed") -> ReferenceLadder:
    """A fixed ladder from (short side, video rate)."""
    return ReferenceLadder(
        name=name,
        description="",
        codec="h264",
        rungs=tuple(
            ReferenceRung(width_px=2 * side, height_px=side, video_kbps=r, audio_codec=audio[0], audio_kbps=audio[1])
            for side, r in rungs
        ),
    )


# Bjontegaard's delta rate.


@st.composite
def rate_curves(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(4, 8))
    steps = st.lists(st.floats(0.05, 1.0), min_size=n, max_size=n)
    kbps = draw(st.floats(50, 500)) * np.exp(np.cumsum(draw(steps)))
    return kbps, draw(st.floats(1.0, 2.0)) + np.cumsum(draw(steps)) * 0.5


@settings(deadline=None, max_examples=100)
@given(rate_curves(), rate_curves())
def test_bd_rate_is_that_of_the_bjontegaard_package(anchor, test) -> None:
    found = bd_rate_percent(*anchor, *test)
    if max(anchor[1][0], test[1][0]) >= min(anchor[1][-1], test[1][-1]):
        assert found is None
        return
    oracle = bjontegaard.bd_rate(*anchor, *test, method="pchip", require_matching_points=False, min_overlap=0)
    assert found == pytest.approx(oracle, rel=1e-6, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(rate_curves(), st.floats(0.2, 5))
def test_a_curve_at_a_multiple_of_the_rates_has_that_delta(curve, factor) -> None:
    kbps, mos = curve
    assert bd_rate_percent(kbps, mos, factor * kbps, mos) == pytest.approx(100 * (factor - 1), abs=1e-6)
    assert bd_rate_percent(kbps, mos, kbps, mos) == pytest.approx(0.0, abs=1e-9)


def test_points_that_do_not_rise_are_left_out() -> None:
    kbps, mos = np.array([100.0, 200, 400, 800]), np.array([2.0, 3.0, 3.5, 4.0])
    more = np.array([100.0, 150, 200, 300, 400, 800]), np.array([2.0, 2.0, 3.0, 2.5, 3.5, 4.0])
    other = kbps * 1.5, mos
    assert bd_rate_percent(*more, *other) == pytest.approx(bd_rate_percent(kbps, mos, *other))
    shuffled = np.array([2, 0, 3, 1])
    assert bd_rate_percent(kbps[shuffled], mos[shuffled], *other) == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("anchor", "test"),
    [
        (([100, 200], [2, 3]), ([100, 200], [3, 4])),
        (([100, 200], [2, 3]), ([100, 200], [3.5, 4])),
        (([100], [2]), ([100, 200], [1, 4])),
        (([100, 200], [2, 2]), ([100, 200], [1, 4])),
        (([100, 200], [1, 4]), ([100, 200], [3, 2])),
    ],
    ids=["touching", "apart", "one point", "flat", "falling"],
)
def test_curves_without_a_common_range_have_no_delta(anchor, test) -> None:
    assert bd_rate_percent(*(np.array(x, float) for x in (*anchor, *test))) is None


# Ladders that ship.


@pytest.mark.parametrize("name", reference_names())
def test_a_ladder_that_ships_can_be_loaded(name: str) -> None:
    ladder = load_reference(name)
    assert ladder.name == name and ladder.description
    rates = [rung.video_kbps for rung in ladder.rungs]
    sides = [rung.height_px for rung in ladder.rungs]
    assert rates == sorted(set(rates)) and sides == sorted(sides)
    assert all(rung.width_px > rung.height_px > 0 and rung.audio_kbps > 0 for rung in ladder.rungs)


def test_apples_ladders_are_those_of_its_specification() -> None:
    # HLS Authoring Specification, rule 1.25: the lowest and the highest tiers, H.264 and HEVC.
    avc, hevc = load_reference("apple-hls-avc"), load_reference("apple-hls-hevc")
    assert (avc.codec, hevc.codec) == ("h264", "hevc")
    assert (avc.rungs[0].height_px, avc.rungs[0].video_kbps) == (234, 145.0)
    assert (avc.rungs[-1].height_px, avc.rungs[-1].video_kbps) == (1080, 7800.0)
    assert (hevc.rungs[0].height_px, hevc.rungs[0].video_kbps) == (360, 145.0)
    assert (hevc.rungs[-1].height_px, hevc.rungs[-1].video_kbps) == (2160, 16800.0)


@pytest.mark.parametrize("name", ["netflix", "", "../grids/dense", "apple-hls-avc.toml"])
def test_a_ladder_that_does_not_ship_is_refused_with_those_that_do(name: str) -> None:
    with pytest.raises(LadderFormatError) as refused:
        load_reference(name)
    assert all(known in str(refused.value) for known in reference_names())


@pytest.mark.parametrize("round_kbps", [1.0, 5.0, 7.0, 50.0, 1000.0])
def test_offered_rates_hold_the_fixed_ladders_and_are_multiples(round_kbps: float) -> None:
    rates = offered_rates_kbps(90.0, 9000.0, round_kbps)
    assert (np.diff(rates) > 0).all() and rates[0] > 90 and rates[-1] < 9000
    assert np.round(rates / round_kbps) * round_kbps == pytest.approx(rates)
    for rung in load_reference("apple-hls-avc").rungs:
        assert (rung.video_kbps in rates) == (rung.video_kbps % round_kbps == 0)


# A fixed ladder on a title.

TITLE = surface(
    {240: [(100, 2.0), (400, 3.0), (800, 3.25)], 720: [(300, 2.5), (1000, 4.0), (3000, 4.5)]},
    {"aac b=64k": 64.0, "aac b=128k": 128.0, "opus b=96k": 96.0},
)


def test_rungs_that_a_title_cannot_play_are_left_out_and_named() -> None:
    ladder, left_out = apply_reference(
        fixed((240, 50.0), (240, 400.0), (720, 250.0), (720, 1000.0), (1080, 3000.0)), [TITLE], NETWORK, 0.02
    )
    assert ladder is not None
    assert [r.video.bitrate_kbps for r in ladder.rungs] == [400.0, 1000.0]
    assert [text.partition(":")[0] for text in left_out] == ["480x240 50k", "1440x720 250k", "2160x1080 3000k"]
    assert "100k" in left_out[0] and "300k" in left_out[1] and "larger than the source (720p)" in left_out[2]


def test_a_rung_at_a_probe_has_the_probes_avq_and_its_own_total() -> None:
    ladder, left_out = apply_reference(fixed((240, 400.0), (720, 1000.0)), [TITLE], NETWORK, 0.02)
    assert ladder is not None and not left_out
    assert [r.avq_mos for r in ladder.rungs] == [3.0, 4.0]
    assert [r.total_kbps for r in ladder.rungs] == pytest.approx([464 * 1.02, 1064 * 1.02])
    assert [r.note for r in ladder.rungs] == ["", ""]


def test_the_nearest_audio_of_the_codec_is_taken_and_noted_where_it_is_not_near() -> None:
    for audio, target, noted in (
        (("aac", 68.0), "aac b=64k", False),
        (("aac", 300.0), "aac b=128k", True),
        (("opus", 64.0), "opus b=96k", True),
        (("ac3", 90.0), "opus b=96k", True),
    ):
        ladder, _ = apply_reference(fixed((240, 400.0), audio=audio), [TITLE], NETWORK, 0.0)
        assert ladder is not None
        assert ladder.rungs[0].audio.target == target
        assert ("nearest there is" in ladder.rungs[0].note) == noted


def test_a_ladder_of_which_nothing_can_be_played_is_none() -> None:
    ladder, left_out = apply_reference(fixed((1080, 3000.0), (240, 20.0)), [TITLE], NETWORK, 0.0)
    assert ladder is None and len(left_out) == 2


def test_over_several_titles_avq_is_their_mean_and_small_titles_play_their_own_size() -> None:
    small = replace(surface({240: [(100, 1.0), (400, 2.0)]}, {"aac b=64k": 64.0}), title="small")
    ladder, left_out = apply_reference(fixed((240, 400.0), (720, 1000.0), (720, 90.0)), [TITLE, small], NETWORK, 0.0)
    assert ladder is not None
    assert ladder.title == "2 titles"
    assert [r.avq_mos for r in ladder.rungs] == [(3.0 + 2.0) / 2, (4.0 + 2.0) / 2]
    assert len(left_out) == 1 and "some title" in left_out[0]


def test_over_several_titles_the_audio_rate_is_their_mean_as_a_designed_ladders_is_whatever_their_order() -> None:
    dearer = replace(surface({240: [(100, 1.0), (400, 2.0)]}, {"aac b=64k": 80.0}), title="dearer")
    for titles in ([TITLE, dearer], [dearer, TITLE]):
        ladder, _ = apply_reference(fixed((240, 400.0)), titles, NETWORK, 0.0)
        assert ladder is not None
        assert ladder.rungs[0].audio.bitrate_kbps == pytest.approx((64.0 + 80.0) / 2)
        assert ladder.rungs[0].total_kbps == pytest.approx(400.0 + (64.0 + 80.0) / 2)


# The best ladder is the best.


@pytest.fixture(scope="module")
def example_surfaces(example) -> list[QualitySurface]:
    return list(build_surfaces(read_features(example), load_model()))


@pytest.mark.parametrize("network", ["lognormal:median=3M,sigma=0.9", "3g"])
def test_on_the_example_no_fixed_ladder_that_keeps_the_rules_beats_as_many_designed_rungs_by_more_than_a_tie(
    network: str, example_surfaces
) -> None:
    reference = load_reference("apple-hls-avc")
    options = DesignOptions(num_rungs=1, rules=LadderRules())
    held = 0
    for found in design_titles(example_surfaces, read_audience(network), options, reference):
        comparison = found.comparison
        assert comparison is not None
        assert comparison.breaks_rules == (not keeps_rules(comparison.ladder, options.rules))
        if not comparison.breaks_rules and comparison.same_rungs_gain_mos is not None:
            held += 1
            assert comparison.same_rungs_gain_mos >= -TIE_MOS
            if comparison.same_rungs_gain_mos >= 0.0:
                assert comparison.rungs_needed is not None
                assert comparison.rungs_needed <= len(comparison.ladder.rungs)
        assert comparison.gain_mos == pytest.approx(
            found.ladder.expected_avq_mos - comparison.ladder.expected_avq_mos, abs=1e-12
        )
    assert held >= 4


STANDARD = sorted({r.video_kbps for r in load_reference("apple-hls-avc").rungs})


@st.composite
def titles_with_fixed_ladders(draw: st.DrawFn) -> tuple[QualitySurface, ReferenceLadder]:
    """Every rung at a probed size and within its probed range, at a rate of a ladder that ships."""
    sides = draw(st.lists(st.sampled_from([180, 360, 720]), min_size=1, max_size=3, unique=True))
    probes = {}
    for side in sides:
        kbps = draw(st.lists(st.integers(60, 9000), min_size=2, max_size=4, unique=True))
        avq = draw(st.lists(st.integers(8, 40), min_size=len(kbps), max_size=len(kbps)))
        probes[side] = [(float(r), q / 8) for r, q in zip(sorted(kbps), sorted(avq), strict=True)]
    fitting = [
        (side, rate)
        for side, points in probes.items()
        for rate in STANDARD
        if points[0][0] * 1.002 < rate < points[-1][0] / 1.002
    ]
    assume(fitting)
    chosen = draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=4, unique=True))
    return surface(probes, {"aac b=64k": 64.0, "aac b=128k": 128.0}), fixed(*chosen)


@settings(deadline=None, max_examples=150)
@given(
    titles_with_fixed_ladders(),
    st.sampled_from([NETWORK, lognormal(5000, 0.4), weighted(np.array([300.0, 1300.0, 9000.0]), np.ones(3), "n")]),
)
def test_no_fixed_ladder_within_the_probes_beats_as_many_designed_rungs(pair, audience) -> None:
    title, reference = pair
    options = DesignOptions(num_rungs=1, rules=LadderRules(min_ratio=1.1, max_ratio=60.0, tie_mos=0.0))
    (found,) = design_titles([title], audience, options, reference)
    if found.comparison is not None and not found.comparison.breaks_rules:
        assert found.comparison.same_rungs_gain_mos is not None
        assert found.comparison.same_rungs_gain_mos >= -1e-6


def test_a_designed_ladder_may_stay_at_a_size_where_another_is_better_as_a_fixed_one_may() -> None:
    # Half of the audience can play no more than 720p at 365k, where 360p has no probe; from 400k on 360p is better. As
    # sizes may not fall, the best two rungs are both 720p.
    title = surface({360: [(400, 3.6), (2000, 4.1)], 720: [(100, 2.5), (365, 3.0), (2000, 4.0)]}, {"aac b=64k": 64.0})
    audience = weighted(np.array([440.0, 9000.0]), np.ones(2), "n")
    options = DesignOptions(num_rungs=2, rules=LadderRules(max_ratio=60.0, tie_mos=0.0))
    (found,) = design_titles([title], audience, options, fixed((720, 365.0), (720, 1100.0)))
    assert found.comparison is not None and not found.comparison.breaks_rules
    assert found.comparison.gain_mos >= -1e-6


@pytest.mark.parametrize("jnd_mos", [0.1, 0.5])
def test_of_a_free_number_a_fixed_ladder_is_held_to_rungs_that_are_worth_having(jnd_mos: float) -> None:
    title = surface({720: [(100, 2.5), (400, 3.0), (2000, 4.2)]}, {"aac b=64k": 64.0})
    reference = fixed((720, 365.0), (720, 730.0))
    options = DesignOptions(num_rungs=None, jnd_mos=jnd_mos)
    (found,) = design_titles([title], NETWORK, options, reference)
    assert found.comparison is not None
    low, high = found.comparison.ladder.rungs
    assert 0.1 < high.avq_mos - low.avq_mos < 0.5
    assert found.comparison.breaks_rules == (jnd_mos == 0.5)


def test_under_a_rule_of_sizes_no_fixed_ladder_of_these_sizes_beats_as_many_designed_rungs() -> None:
    title = surface(
        {180: [(100, 2.0), (3000, 4.0)], 360: [(100, 1.75), (3000, 3.75)]},  # the smaller is always better
        {"aac b=64k": 64.0},
    )
    options = DesignOptions(num_rungs=2, rules=LadderRules(sides_px=((360, 360),)))
    (found,) = design_titles([title], NETWORK, options, fixed((360, 365.0), (360, 730.0)))
    assert found.comparison is not None and not found.comparison.breaks_rules
    assert found.comparison.gain_mos >= -1e-6


def test_a_rung_held_above_the_dearest_probe_is_no_better_than_a_designed_one() -> None:
    title = surface({180: [(60, 1.5), (66, 3.0)]}, {"aac b=64k": 64.0})
    (found,) = design_titles([title], lognormal(9000, 0.5), DesignOptions(num_rungs=1), fixed((180, 145.0)))
    assert found.comparison is not None
    assert found.comparison.gain_mos >= -1e-6


def test_a_ladder_compared_with_itself_gains_nothing(example_surfaces) -> None:
    title = [s for s in example_surfaces if s.title == "bbb-rabbit-wakes-720p"]
    (found,) = design_titles(title, NETWORK)
    (again,) = design_titles(title, NETWORK, None, as_reference(found.ladder, "own"))
    assert again.comparison is not None
    assert again.ladder == found.ladder
    assert not again.comparison.left_out and not again.comparison.breaks_rules
    assert again.comparison.gain_mos == pytest.approx(0.0, abs=1e-6)
    assert again.comparison.rungs_needed == len(found.ladder.rungs)
    assert again.comparison.bd_rate_percent == pytest.approx(0.0, abs=1e-3)


def test_a_ladder_file_of_finer_rates_is_not_better_than_a_designed_ladder(example_surfaces) -> None:
    title = [s for s in example_surfaces if s.title == "cartoon-veo-carnival-720p"]
    (fine,) = design_titles(title, NETWORK, DesignOptions(round_kbps=1.0))
    reference = as_reference(fine.ladder, "fine")
    (coarse,) = design_titles(title, NETWORK, DesignOptions(round_kbps=100.0), reference)
    assert coarse.comparison is not None
    assert coarse.comparison.gain_mos >= -1e-6 or coarse.comparison.breaks_rules


def test_rungs_of_fixed_ladders_rise_in_total_rate() -> None:
    ladder, _ = apply_reference(fixed((720, 1000.0), (240, 400.0), (720, 300.0)), [TITLE], NETWORK, 0.0)
    assert ladder is not None
    assert all(a.total_kbps < b.total_kbps for a, b in itertools.pairwise(ladder.rungs))
    assert math.isclose(sum(r.played_share for r in ladder.rungs) + ladder.unreached_share, 1.0)


# Two scores of quality.


def rated(title: QualitySurface, *vmaf: float) -> QualitySurface:
    return replace(title, video=tuple(replace(v, vmaf=q) for v, q in zip(title.video, vmaf, strict=True)))


def test_a_fixed_rung_has_the_vmaf_of_the_same_probes_as_its_avq() -> None:
    """Where AVQ and VMAF are the same number, they are the same at every rung: between probes, between sizes, held."""
    probes = {240: [(100.0, 2.0), (800.0, 3.0)], 480: [(200.0, 2.5), (3200.0, 4.0)]}
    title = surface(probes, {"aac b=64k": 64.0})
    title = rated(title, *title.avq_mos[:, 0].tolist())
    rungs = [(240, 100.0), (240, 800.0), (240, 5000.0), (360, 800.0), (480, 3200.0), (480, 9000.0)]
    for round_kbps in (0.0, 150.0):
        ladder, _ = apply_reference(fixed(*rungs), [title], NETWORK, 0.0, round_kbps=round_kbps)
        assert ladder is not None
        for rung in ladder.rungs:
            assert rung.video.vmaf == pytest.approx(rung.avq_mos, abs=0.02)


def test_a_fixed_rung_over_several_titles_has_their_mean_vmaf_and_none_where_one_is_not_known() -> None:
    title = surface({240: [(100.0, 2.0), (800.0, 3.0)]}, {"aac b=64k": 64.0})
    one, other = rated(title, 40.0, 60.0), replace(rated(title, 80.0, 90.0), title="other")
    ladder, _ = apply_reference(fixed((240, 800.0)), [one, other], NETWORK, 0.0)
    assert ladder is not None and ladder.rungs[0].video.vmaf == pytest.approx(75.0)
    ladder, _ = apply_reference(fixed((240, 800.0)), [one, replace(title, title="other")], NETWORK, 0.0)
    assert ladder is not None and ladder.rungs[0].video.vmaf is None


def with_vmaf(*rungs: tuple[float, float, float]) -> Ladder:
    """A ladder from (rate, AVQ, VMAF)."""
    audio = AudioRendition(codec="aac", channels=2, target="aac b=64k", bitrate_kbps=64.0)
    made = [
        (
            VideoRendition(
                codec="h264", width_px=480, height_px=240, target=f"b={kbps}k", bitrate_kbps=kbps - 64.0, vmaf=vmaf
            ),
            audio,
            kbps,
            avq,
            "",
        )
        for kbps, avq, vmaf in rungs
    ]
    return make_ladder("t", made, NETWORK, (0.0, 0.0))


def test_a_comparison_states_the_rate_at_equal_avq_and_at_equal_vmaf_and_where_they_disagree() -> None:
    probes = {240: [(100.0, 2.0), (1000.0, 3.0)]}
    title = rated(surface(probes, {"aac b=64k": 64.0}), 40.0, 80.0)
    reference = fixed((240, 100.0), (240, 300.0), (240, 1000.0))

    def compare(designed: Ladder):
        found = compare_ladders(
            designed,
            [designed],
            reference,
            [title],
            NETWORK,
            LadderRules(),
            round_kbps=5.0,
            enough_kbps=math.inf,
            offered_audio={("aac", 2, "aac b=64k")},
            overhead=0.0,
        )
        assert found is not None
        return found

    rates = (164.0, 364.0, 1064.0)
    better_picture = compare(with_vmaf(*zip(rates, (1.8, 2.2, 2.8), (45.0, 65.0, 85.0), strict=True)))
    assert better_picture.bd_rate_percent is not None and better_picture.bd_rate_percent > 0.0
    assert better_picture.bd_rate_vmaf_percent is not None and better_picture.bd_rate_vmaf_percent < 0.0
    assert better_picture.scores_disagree
    better = compare(with_vmaf(*zip(rates, (2.2, 2.7, 3.2), (45.0, 65.0, 85.0), strict=True)))
    assert better.bd_rate_percent is not None and better.bd_rate_percent < 0.0 and not better.scores_disagree


def test_audio_beyond_transparent_breaks_a_rule_that_designed_ladders_keep() -> None:
    title = surface({240: [(100.0, 2.0), (800.0, 3.0)]}, {"aac b=64k": 64.0, "aac b=128k": 128.0, "aac b=192k": 192.0})
    for kbps, breaks in ((128.0, False), (192.0, True)):
        reference = fixed((240, 145.0), (240, 300.0), audio=("aac", kbps))
        (found,) = design_titles([title], NETWORK, DesignOptions(num_rungs=1), reference)
        assert found.comparison is not None
        assert {r.audio.bitrate_kbps for r in found.comparison.ladder.rungs} == {kbps}, "it plays what it names"
        assert found.comparison.breaks_rules is breaks
        assert max(r.audio.bitrate_kbps for r in found.ladder.rungs) < 192.0
