"""Allocations over the scenes of a film: never worse than one value for all of them, within limits that can be kept."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from abr_alloc.allocation.pooling import POOLS
from abr_alloc.allocation.shot_allocation import ShotAllocation, TitleShots, allocate_shots, constant_allocations
from abr_alloc.allocation.shot_rules import ShotRules
from abr_alloc.allocation.shot_steps import UNUSED_SHARE
from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition
from abr_alloc.errors import ArgumentError, FeatureTableError, InfeasibleLadderError

SIDES = (240, 480)
CRFS = (44, 38, 32, 26, 20)
AUDIO = ("aac", 2, "b=64k")
RATES = np.geomspace(60, 6000, 30)


def film(
    num_scenes: int, seed: int = 3, *, concave: bool = True, sides: Sequence[int] = SIDES, crfs: Sequence[int] = CRFS
) -> list[QualitySurface]:
    """Scenes as different as those of a trailer; where it is not concave, quality jumps between two probes."""
    rng, start, scenes = np.random.default_rng(seed), 0.0, []
    for s in range(num_scenes):
        seconds, hard = float(rng.integers(2, 17)) / 2, rng.lognormal(0.0, 0.8)
        video, mos, halves = [], [], {}
        for side in sides:
            for crf in crfs:
                kbps = 60 * hard * (side / 240) ** 1.4 * 2 ** ((44 - crf) / 5.5)
                need = 240 * hard * (side / 240)
                shape = 1 / (1 + (need / kbps) ** (1.2 if concave else 4.0))
                mos.append(1 + (3.2 + 0.3 * math.log2(side / 240)) * shape)
                video.append(
                    VideoRendition(
                        codec="h264",
                        width_px=2 * side,
                        height_px=side,
                        target=f"crf={crf}",
                        bitrate_kbps=kbps,
                        vmaf=100 * shape,
                    )
                )
                spread = rng.dirichlet(np.full(round(2 * seconds), 4.0))
                halves[video[-1].identity] = kbps * seconds * spread
        sound = [AudioRendition(codec="aac", channels=2, target=f"b={k}k", bitrate_kbps=k + s % 3) for k in (32, 64)]
        scenes.append(
            QualitySurface(
                title="film",
                scene=s,
                start_s=start,
                end_s=start + seconds,
                video=tuple(video),
                audio=tuple(sound),
                avq_mos=np.add.outer(mos, [0.0, 0.2]).astype(np.float32),
                total_kbps=np.add.outer([v.bitrate_kbps for v in video], [a.bitrate_kbps for a in sound]) * 1.02,
                x_v=np.zeros((len(video), 1), np.float32),
                x_a=np.zeros((2, 1), np.float32),
                half_second_kbit=halves,
            )
        )
        start += seconds
    return scenes


def at_size(found: Sequence[ShotAllocation], side: int) -> list[ShotAllocation]:
    return [one for one in found if one.height_px == side]


def check(one: ShotAllocation, scenes: Sequence[QualitySurface]) -> None:
    """What an allocation says of itself, added up from its shots."""
    video, seconds = one.video, np.array([scene.duration_s for scene in scenes])
    share = seconds / seconds.sum()
    assert [(shot.start_s, shot.end_s) for shot in video.shots] == [(scene.start_s, scene.end_s) for scene in scenes]
    assert share @ [shot.bitrate_kbps for shot in video.shots] == pytest.approx(one.video_kbps)
    assert video.bitrate_kbps == one.video_kbps
    assert (video.width_px, video.height_px) == (one.width_px, one.height_px)
    assert video.height_px == max(shot.height_px for shot in video.shots)
    assert share @ one.shots_mos == pytest.approx(one.avq_mos)
    assert min(one.shots_mos) == one.worst_mos
    assert one.audio.bitrate_kbps == pytest.approx(share @ [64 + s % 3 for s in range(len(scenes))])
    assert one.total_kbps == pytest.approx(1.02 * (one.video_kbps + one.audio.bitrate_kbps))
    assert one.proof.objective_mos == one.pooled_mos
    assert one.proof.gap_mos >= 0.0
    assert one.proof.peak_kbps is not None


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("concave", [True, False])
def test_no_value_for_the_whole_title_is_better_at_its_rate(pool: str, concave: bool) -> None:
    scenes, rules = film(6, concave=concave, crfs=(40, 37, 34)), ShotRules(pool=pool)
    fixed = constant_allocations(scenes, "h264", AUDIO, rules)
    assert len(fixed) == len(SIDES) * 25
    for side in SIDES:
        own = at_size(fixed, side)
        rates = np.array([one.video_kbps for one in own])
        found = at_size(allocate_shots(scenes, "h264", AUDIO, rules, rates), side)
        for one in own:
            best = max(f.pooled_mos for f in found if f.video_kbps <= one.video_kbps * (1 + 1e-9))
            assert best >= one.pooled_mos - 1e-9
            assert one.proof.upper_bound_mos >= best - 1e-9
        check(found[len(found) // 2], scenes)
        assert max(f.proof.gap_mos for f in found) < 1e-8


def test_allocations_rise_and_are_within_the_rates_they_were_made_for() -> None:
    scenes = film(12)
    for side in SIDES:
        found = at_size(allocate_shots(scenes, "h264", AUDIO, ShotRules(), RATES), side)
        kbps, mos = (np.array([getattr(one, name) for one in found]) for name in ("video_kbps", "avq_mos"))
        assert (np.diff(kbps) > 0).all()
        assert (np.diff(mos) > 0).all()
        reached = RATES[(kbps[0] <= RATES) & (kbps[-1] >= RATES)]
        below = kbps[np.searchsorted(kbps, reached * (1 + 1e-9)) - 1]
        assert (below >= reached * (1 - 2 * UNUSED_SHARE)).all()
        assert len({str(one.video.target) for one in found}) == len(found)


def test_one_scene_has_one_value() -> None:
    scenes = film(1)
    rates = np.array([200.0, 500.0, 1000.0])
    fixed = constant_allocations(scenes, "h264", AUDIO, ShotRules())
    for one in allocate_shots(scenes, "h264", AUDIO, ShotRules(), rates):
        same = [f for f in fixed if f.video.shots == one.video.shots]
        assert len(same) == 1
        assert same[0].video.target == one.video.shots[0].target
        assert same[0].proof.gap_mos == pytest.approx(0.0, abs=1e-9)


def test_with_free_sizes_nothing_is_worse_and_a_scene_may_lack_a_size() -> None:
    scenes = film(8)
    small = replace(
        scenes[2], video=scenes[2].video[:5], avq_mos=scenes[2].avq_mos[:5], total_kbps=scenes[2].total_kbps[:5]
    )
    lacking = [*scenes[:2], small, *scenes[3:]]
    fixed = allocate_shots(lacking, "h264", AUDIO, ShotRules(), RATES)
    assert {one.height_px for one in fixed} == {240}
    free = allocate_shots(lacking, "h264", AUDIO, ShotRules(free_size=True), RATES)
    assert {one.height_px for one in free} == {240, 480}
    for one in fixed:
        assert max(f.avq_mos for f in free if f.video_kbps <= one.video_kbps * 1.006) >= one.avq_mos - 1e-9
    check(free[-1], lacking)
    assert {shot.height_px for shot in free[-1].video.shots} == {240, 480}
    sized = film(1, sides=(240,)) + [replace(film(1, sides=(480,))[0], start_s=9.0, end_s=12.0)]
    with pytest.raises(InfeasibleLadderError, match="no size that all its scenes were probed at; allow `free_size`"):
        allocate_shots(sized, "h264", AUDIO, ShotRules(), RATES)


@pytest.mark.parametrize("pool", ["mean", "min"])
def test_steps_rates_and_peaks_are_kept_and_gain_nothing(pool: str) -> None:
    scenes = film(10)
    title = TitleShots(scenes, "h264")
    for rules in (
        ShotRules(pool=pool, max_step_mos=0.4),
        ShotRules(pool=pool, max_rate_kbps=1200.0),
        ShotRules(pool=pool, peak_kbps=900.0),
        ShotRules(pool=pool, peak_kbps=900.0, max_step_mos=0.4),
    ):
        found = title.allocate(AUDIO, rules, RATES)
        assert found
        a_little_more = np.unique([1.006 * one.video_kbps for one in found])
        free = title.allocate(AUDIO, ShotRules(pool=pool), a_little_more)
        for one in found:
            assert (np.abs(np.diff(one.shots_mos)) <= rules.max_step_mos + 1e-9).all()
            for s, shot in enumerate(one.video.shots):
                assert 1.02 * (shot.bitrate_kbps + 64 + s % 3) <= rules.max_rate_kbps * (1 + 1e-9)
            assert one.proof.peak_kbps is not None
            assert one.proof.peak_kbps <= rules.peak_kbps * (1 + 1e-6)
            better = max(f.pooled_mos for f in at_size(free, one.height_px) if f.video_kbps <= one.video_kbps * 1.007)
            assert one.pooled_mos <= better + 1e-9
        check(found[-1], scenes)


@pytest.mark.parametrize(
    ("rules", "name"),
    [
        (ShotRules(max_rate_kbps=100.0), "max_rate_kbps"),
        (ShotRules(peak_kbps=50.0), "peak_kbps"),
        (ShotRules(max_step_mos=0.01), "max_step_mos"),
    ],
)
def test_a_limit_that_cannot_be_kept_is_named_with_the_least_that_can(rules: ShotRules, name: str) -> None:
    scenes = film(10)
    if name == "max_step_mos":  # two scenes that have no AVQ in common
        scenes[4] = replace(scenes[4], avq_mos=scenes[4].avq_mos + np.float32(4.0))
    with pytest.raises(InfeasibleLadderError, match=f"`{name}` .*raise it to ") as refused:
        allocate_shots(scenes, "h264", AUDIO, rules, RATES)
    (least,) = re.findall(r"raise it to ([\d.]+)k?,", str(refused.value))
    assert float(least) > getattr(rules, name)
    assert allocate_shots(scenes, "h264", AUDIO, replace(rules, **{name: float(least)}), RATES)
    with pytest.raises(InfeasibleLadderError, match=f"`{name}`"):
        allocate_shots(scenes, "h264", AUDIO, replace(rules, **{name: float(least) * 0.97 - 0.02}), RATES)


def test_what_a_table_or_a_pool_cannot_serve_is_refused() -> None:
    scenes = film(3)
    untold = [replace(scene, half_second_kbit=None) for scene in scenes]
    with pytest.raises(FeatureTableError, match="`peak_kbps` needs; extract it again"):
        allocate_shots(untold, "h264", AUDIO, ShotRules(peak_kbps=900.0), RATES)
    assert allocate_shots(untold, "h264", AUDIO, ShotRules(), RATES)[0].proof.peak_kbps is None
    with pytest.raises(ArgumentError, match="`pool` 'p5' lets scenes go that `max_step_mos` holds"):
        ShotRules(pool="p5", max_step_mos=0.5)
    with pytest.raises(FeatureTableError, match="do not share the audio aac 2 b=96k"):
        allocate_shots(scenes, "h264", ("aac", 2, "b=96k"), ShotRules(), RATES)
    with pytest.raises(FeatureTableError, match="no hevc renditions that an encoder can be asked for"):
        allocate_shots(scenes, "hevc", AUDIO, ShotRules(), RATES)
    with pytest.raises(FeatureTableError, match="scene 1 lasts 0 s"):
        allocate_shots([scenes[0], replace(scenes[1], end_s=scenes[1].start_s)], "h264", AUDIO, ShotRules(), RATES)
    assert allocate_shots(scenes, "h264", AUDIO, ShotRules(), np.array([5.0])) == []
