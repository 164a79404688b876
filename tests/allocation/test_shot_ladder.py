"""Ladders whose scenes have parameters of their own: beside all choices, beside one value per rung, of one scene."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.allocation.audience import lognormal
from abr_alloc.allocation.cost import Prices
from abr_alloc.allocation.design import DesignOptions, TitleLadder, design_catalogue, design_titles
from abr_alloc.allocation.ladder import best_ladders
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.reference import offered_rates_kbps
from abr_alloc.allocation.rendition import AudioRendition, VideoRendition
from abr_alloc.allocation.rung import Ladder, keeps_rules, value_mos
from abr_alloc.allocation.shot_ladder import list_allocations
from abr_alloc.allocation.shot_options import list_options
from abr_alloc.allocation.shot_rules import ShotRules
from abr_alloc.allocation.shot_scenes import LEAST_SHOT_S, shot_scenes
from abr_alloc.allocation.shots import Shots
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.allocation.title_surface import merge_scenes
from abr_alloc.encoders import default_encoder
from abr_alloc.errors import ArgumentError, InfeasibleLadderError
from abr_alloc.targets import Target

AUDIENCE = lognormal(400, 0.9)
LAW = settings(deadline=None, max_examples=8, derandomize=True)
LOOSE = LadderRules(max_audio=None, min_ratio=1.05, max_ratio=6.0, tie_mos=0.0)
ENCODERS = {"h264": default_encoder("h264")}


def make_scene(
    start_s: float,
    end_s: float,
    hardness: float,
    *,
    sides: Sequence[int] = (240,),
    values: Sequence[float] = (24, 28, 34),
    audio_kbps: Sequence[float] = (32.0, 96.0),
    title: str = "t",
    number: int = 0,
    bend: float = 1.0,
) -> QualitySurface:
    """A scene that takes `hardness` times as much for the same picture; `bend` says how soon it is good."""
    video, mos = [], []
    for side in sides:
        for value in values:
            kbps = hardness * 150 * (side / 240) ** 1.4 * 2 ** ((28 - value) / 5)
            video.append(
                VideoRendition(
                    codec="h264",
                    width_px=2 * side,
                    height_px=side,
                    target=f"crf={value:g}",
                    bitrate_kbps=kbps,
                    vmaf=min(100.0, 110 - 2 * value),
                )
            )
            mos.append(1.2 + 3.4 * (1 - math.exp(-bend * (kbps / hardness / 120) ** 0.7)) * (0.8 + 0.2 * side / 360))
    audio = [AudioRendition(codec="aac", channels=2, target=f"b={kbps:g}k", bitrate_kbps=kbps) for kbps in audio_kbps]
    worth = [0.12 * math.log(kbps / 32.0) for kbps in audio_kbps]
    total = np.add.outer([v.bitrate_kbps for v in video], list(audio_kbps)) * 1.02
    return QualitySurface(
        title=title,
        scene=number,
        start_s=start_s,
        end_s=end_s,
        video=tuple(video),
        audio=tuple(audio),
        avq_mos=np.add.outer(mos, worth).astype(np.float32),
        total_kbps=total,
        x_v=np.zeros((len(video), 1), dtype=np.float32),
        x_a=np.zeros((len(audio), 1), dtype=np.float32),
    )


def make_title(hardness: Sequence[float], lengths_s: Sequence[float] | None = None, **also) -> list[QualitySurface]:
    ends = np.cumsum(lengths_s or [4.0] * len(hardness)).tolist()
    starts = [0.0, *ends[:-1]]
    return [
        make_scene(start, end, hard, number=i, **also)
        for i, (start, end, hard) in enumerate(zip(starts, ends, hardness, strict=True))
    ]


def unlike() -> list[QualitySurface]:
    """Scenes of unlike needs: one is good at once, one never quite."""
    return [
        make_scene(4.0 * i, 4.0 * (i + 1), hardness, bend=bend, number=i)
        for i, (hardness, bend) in enumerate([(0.3, 3.0), (3.0, 0.5), (1.0, 1.0)])
    ]


def options_of(shots: ShotRules | None, rules: LadderRules = LOOSE, **also) -> DesignOptions:
    return DesignOptions(
        num_rungs=also.pop("num_rungs", 3), rules=rules, round_kbps=also.pop("round_kbps", 10.0), shots=shots, **also
    )


def design(scenes: Sequence[QualitySurface], options: DesignOptions) -> TitleLadder:
    (found,) = design_titles(scenes, AUDIENCE, options, encoders=ENCODERS)
    return found


@st.composite
def titles(draw: st.DrawFn) -> list[QualitySurface]:
    number = draw(st.integers(2, 3))
    hard = [draw(st.sampled_from([0.3, 0.5, 1.0, 1.3, 2.5])) for _ in range(number)]
    lengths_s = [draw(st.sampled_from([1.0, 2.5, 7.0])) for _ in range(number)]
    sides = draw(st.sampled_from([(240,), (240, 360)]))
    return make_title(hard, lengths_s, sides=sides, bend=draw(st.sampled_from([0.6, 1.4])))


# Beside one value per rung.


def constant_ladders(scenes: Sequence[QualitySurface], options: DesignOptions, max_rungs: int) -> list[Ladder]:
    """The best ladders of one value per rung, on the very curves of the allocations and at the rates of a ladder."""
    assert options.shots is not None
    shots, title = Shots(scenes, ENCODERS, options), merge_scenes(scenes)
    rates = [v.bitrate_kbps for v in title.video]
    offered = offered_rates_kbps(min(rates), max(rates), options.round_kbps)
    made = []
    for audio in title.audio:
        for side in {v.height_px for v in title.video}:
            own = [a for a in shots.constant("h264", audio.identity, options.shots) if a.height_px == side]
            within = {max((a.video_kbps for a in own if a.video_kbps <= rate), default=0.0) for rate in offered}
            made += [a for a in own if a.video_kbps in within]
    found = list_allocations("t", made, [a.identity for a in title.audio], AUDIENCE, options.rules)
    return best_ladders(found, max_rungs, options.rules)


@pytest.mark.parametrize("pool", ["mean", "harmonic", "min"])
@LAW
@given(scenes=titles())
def test_no_ladder_of_one_value_per_rung_under_the_same_rules_is_better(pool, scenes) -> None:
    options = options_of(ShotRules(pool=pool), round_kbps=30.0)
    plain = constant_ladders(scenes, options, 3)[-1]
    found = design(scenes, dataclasses.replace(options, num_rungs=len(plain.rungs)))
    assert value_mos(found.ladder) >= value_mos(plain) - 1e-9
    assert keeps_rules(found.ladder, LOOSE)


@LAW
@given(scenes=titles(), data=st.data())
def test_rules_and_limits_are_kept(scenes, data) -> None:
    rules = LadderRules(
        min_ratio=data.draw(st.sampled_from([1.3, 1.6])),
        max_audio=data.draw(st.sampled_from([1, 2])),
        min_kbps=data.draw(st.sampled_from([0.0, 120.0])),
        tie_mos=0.0,
    )
    shots = ShotRules(max_rate_kbps=data.draw(st.sampled_from([400.0, 900.0])), max_step_mos=0.6)
    try:
        found = design(scenes, options_of(shots, rules, num_rungs=2))
    except InfeasibleLadderError as error:
        assert "\n" not in str(error)
        return
    assert keeps_rules(found.ladder, rules)
    for rung in found.ladder.rungs:
        rates = [(shot.bitrate_kbps + rung.audio.bitrate_kbps) * 1.02 for shot in rung.video.shots]
        assert max(rates) <= shots.max_rate_kbps * (1 + 1e-9)
        assert all(abs(a - b) <= 0.6 + 1e-9 for a, b in itertools.pairwise(rung.shots_mos))
    assert found.shot_gain is not None
    assert [cost.limit for cost in found.shot_gain.limits] == ["max_rate_kbps", "max_step_mos"]
    assert all(cost.loss_mos >= -0.005 for cost in found.shot_gain.limits), "a limit gains nothing but by rounding"


# Beside all choices that there are.


@LAW
@given(scenes=titles())
def test_every_rung_is_the_best_of_all_choices_at_its_rate_and_says_what_its_scenes_come_to(scenes) -> None:
    scenes = scenes[:2]
    found = design(scenes, options_of(ShotRules()))
    share = np.array([s.duration_s for s in scenes])
    share = share / share.sum()
    (offered,) = list_options(scenes, "h264", encoders=ENCODERS)
    for rung in found.ladder.rungs:
        size = [w for w, h in offered.sizes_px].index(rung.video.width_px)
        own, audio = offered.of_size(size), offered.audio.index(rung.audio.identity)
        kbps = np.add.outer(share[0] * offered.kbps[0, own], share[1] * offered.kbps[1, own])
        mos = np.add.outer(share[0] * offered.avq_mos[audio, 0, own], share[1] * offered.avq_mos[audio, 1, own])
        assert rung.avq_mos == pytest.approx(mos[kbps <= rung.video.bitrate_kbps + 1e-9].max(), abs=1e-9)
        assert rung.avq_mos == pytest.approx(share @ np.array(rung.shots_mos), abs=1e-9)
        of_shots = share @ np.array([shot.bitrate_kbps for shot in rung.video.shots])
        assert rung.video.bitrate_kbps == pytest.approx(of_shots, rel=1e-9)
        assert rung.total_kbps == pytest.approx(1.02 * (of_shots + rung.audio.bitrate_kbps), rel=1e-9)
        assert rung.video.bitrate_kbps <= rung.video.bitrate_kbps // 10 * 10 + 10
        assert rung.shot_proof is not None and rung.shot_proof.objective_mos == pytest.approx(rung.avq_mos, abs=1e-9)
        assert rung.shot_proof.gap_mos >= 0.0
        assert [(s.start_s, s.end_s) for s in rung.video.shots] == [(s.start_s, s.end_s) for s in scenes]
        assert all(Target(shot.target).number % 0.25 == 0 for shot in rung.video.shots)


def test_the_pool_decides_what_is_maximised_and_avq_stays_the_mean() -> None:
    scenes = unlike()
    mean, worst = (design(scenes, options_of(ShotRules(pool=pool))).ladder for pool in ("mean", "min"))
    assert mean.expected_avq_mos > worst.expected_avq_mos and value_mos(worst) < worst.expected_avq_mos
    for rung in worst.rungs:
        assert rung.pooled_mos == pytest.approx(min(rung.shots_mos)) and rung.pooled_mos < rung.avq_mos
        assert rung.avq_mos == pytest.approx(np.mean(rung.shots_mos))


def test_free_sizes_are_no_worse_and_differ_within_a_rung() -> None:
    scenes = make_title([0.3, 1.0, 3.0], sides=(240, 360), bend=0.6)
    one, free = (design(scenes, options_of(ShotRules(free_size=on), num_rungs=4)).ladder for on in (False, True))
    assert free.expected_avq_mos >= one.expected_avq_mos - 1e-9
    sizes = [{shot.height_px for shot in rung.video.shots} for rung in free.rungs]
    assert any(len(own) > 1 for own in sizes)
    assert all(rung.video.height_px == max(own) for rung, own in zip(free.rungs, sizes, strict=True))
    assert all(len({shot.height_px for shot in rung.video.shots}) == 1 for rung in one.rungs)


def test_money_limits_ladders_per_shot_too() -> None:
    prices = Prices(storage_per_gb_month=0.02, delivery_per_gb=0.05, views=1000.0)
    scenes = make_title([0.4, 2.0])
    dear = design(scenes, options_of(ShotRules(), prices=prices)).cost
    assert dear is not None
    found = design(scenes, options_of(ShotRules(), prices=prices, cost_budget=dear.total * 0.7))
    assert found.cost is not None and found.cost.total <= dear.total * 0.7 and found.cost_proof is not None
    assert all(rung.video.per_shot for rung in found.ladder.rungs)


# One scene.


@pytest.mark.parametrize("num_rungs", [1, 3, None])
def test_a_title_of_one_scene_has_its_ordinary_ladder_with_the_values_that_its_rates_lie_at(num_rungs) -> None:
    scenes = make_title([1.0], sides=(240, 360))
    plain = design(scenes, options_of(None, num_rungs=num_rungs)).ladder
    found = design(scenes, options_of(ShotRules(), num_rungs=num_rungs))
    assert found.ladder.expected_avq_mos == plain.expected_avq_mos
    for ours, theirs in zip(found.ladder.rungs, plain.rungs, strict=True):
        (shot,) = ours.video.shots
        assert (ours.total_kbps, ours.avq_mos, ours.audio) == (theirs.total_kbps, theirs.avq_mos, theirs.audio)
        assert (ours.video.target, ours.video.bitrate_kbps) == (theirs.video.target, theirs.video.bitrate_kbps)
        assert (shot.start_s, shot.end_s, shot.bitrate_kbps) == (0.0, 4.0, theirs.video.bitrate_kbps)
        # ln(rate) is linear over the value in this scene.
        side = (ours.video.height_px / 240) ** 1.4
        assert shot.target == f"crf={28 - 5 * math.log2(shot.bitrate_kbps / 150 / side):.2f}".rstrip("0").rstrip(".")
        assert ours.shot_proof is not None and ours.shot_proof.gap_mos == 0.0
    assert found.shot_gain is not None and not found.shot_gain.pays
    assert found.shot_gain.bd_rate_percent is None and found.shot_gain.gain_mos == 0.0


def test_an_encoder_of_whole_values_is_asked_for_one_where_the_title_is_one_scene() -> None:
    whole = {"h264": dataclasses.replace(default_encoder("h264"), encoder="libsvtav1")}
    (found,) = design_titles(make_title([1.0]), AUDIENCE, options_of(ShotRules()), encoders=whole)
    targets = [shot.target for rung in found.ladder.rungs for shot in rung.video.shots]
    assert all(Target(target).number.is_integer() for target in targets)


# What is encoded by itself.


def test_scenes_too_short_are_joined_to_the_shorter_neighbour() -> None:
    scenes = make_title([1.0] * 6, [5.0, 0.5, 3.0, 0.5, 0.5, 2.0])
    found = shot_scenes(scenes)
    assert [(s.start_s, s.end_s) for s in found] == [(0.0, 5.0), (5.0, 8.5), (8.5, 9.5), (9.5, 11.5)]
    assert all(s.duration_s >= LEAST_SHOT_S and s.stands_for_s is None for s in found)
    assert len(shot_scenes(make_title([1.0], [0.3]))) == 1, "a title is at least one shot"


def test_sizes_over_time_stay_with_scenes_that_are_joined() -> None:
    before, after = make_title([1.0, 1.0], [3.25, 0.75])
    told = [np.arange(1.0, 8.0), np.array([3.0, 1.0])]  # the last of either lasts a quarter of a second
    scenes = [
        dataclasses.replace(scene, half_second_kbit={v.identity: kbit for v in scene.video})
        for scene, kbit in zip((before, after), told, strict=True)
    ]
    (joined,) = shot_scenes(scenes)
    assert joined.half_second_kbit is not None and len(joined.half_second_kbit) == len(before.video)
    for kbit in joined.half_second_kbit.values():
        assert kbit.tolist() == pytest.approx([1, 2, 3, 4, 5, 6, 7 + 1.5, 1.5 + 1])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda scenes: [dataclasses.replace(s, stands_for_s=9.0) for s in scenes], "digest"),
        (lambda scenes: scenes[1:], "begins at 4.00 s"),
        (lambda scenes: [scenes[0], scenes[2]], "between 4.00 and 8.00 s"),
    ],
)
def test_a_table_without_all_of_the_title_is_refused_in_a_line(change, named) -> None:
    with pytest.raises(InfeasibleLadderError, match=named) as raised:
        design(change(make_title([1.0, 1.0, 1.0])), options_of(ShotRules()))
    assert "\n" not in str(raised.value) and "extract" in str(raised.value)


def test_scenes_are_of_one_title() -> None:
    with pytest.raises(ArgumentError, match="shared"):
        design_catalogue(make_title([1.0]), AUDIENCE, options_of(ShotRules()))


# What it gains.


def test_scenes_of_unlike_needs_gain_and_equal_ones_do_not() -> None:
    found = design(unlike(), options_of(ShotRules()))
    alike = design(make_title([1.0] * 3), options_of(ShotRules()))
    assert found.shot_gain is not None and alike.shot_gain is not None
    assert found.shot_gain.num_shots == 3 and found.shot_gain.pays
    assert found.shot_gain.bd_rate_percent is not None and found.shot_gain.bd_rate_percent < -5.0
    assert found.shot_gain.gain_mos > 0.0
    assert found.shot_gain.gain_mos == pytest.approx(
        found.ladder.expected_avq_mos - found.shot_gain.ladder.expected_avq_mos
    )
    assert not alike.shot_gain.pays
    assert alike.shot_gain.bd_rate_percent == pytest.approx(0.0, abs=0.7), "a mixture of two values comes between them"
    worst = alike.shot_gain.plain_worst_mos
    assert worst is not None and worst == pytest.approx(alike.shot_gain.ladder.expected_avq_mos, abs=0.01)
