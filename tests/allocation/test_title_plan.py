"""Budgets over titles: the best of all allocations that a title could have, and a certificate that adds up."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import abr_alloc
from abr_alloc.allocation.path import TIE_MOS, find_path
from abr_alloc.allocation.plan import plan_surfaces
from abr_alloc.allocation.pooling import LOW_SHARE, POOLS
from abr_alloc.allocation.results import Certificate, Choice
from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition, build_surfaces
from abr_alloc.allocation.title_plan import Limits, list_cases, plan_titles, solve_title
from abr_alloc.errors import FeatureTableError, InfeasibleLimits

EXAMPLE = Path(__file__).parents[2] / "examples" / "clip_features.parquet"
EXACT_MOS = 1e-7
ROUNDING = 1e-9
LAW = settings(deadline=None, max_examples=50, derandomize=True)

Title = list[QualitySurface]


def surface_of(
    avq_mos: np.ndarray,
    video: list[tuple[str, float]],
    audio: list[tuple[str, float]],
    *,
    scene: int = 0,
    start_s: float = 0.0,
    duration_s: float = 1.0,
) -> QualitySurface:
    """A scene from its AVQ (V, A), the codec and rate of every video, and the target and rate of every audio."""
    return QualitySurface(
        title="t",
        scene=scene,
        start_s=start_s,
        end_s=start_s + duration_s,
        video=tuple(
            VideoRendition(codec=codec, width_px=32, height_px=18, target=f"crf={i}", bitrate_kbps=kbps)
            for i, (codec, kbps) in enumerate(video)
        ),
        audio=tuple(
            AudioRendition(codec="aac", channels=2, target=target, bitrate_kbps=kbps) for target, kbps in audio
        ),
        avq_mos=np.asarray(avq_mos, dtype=np.float32),
        total_kbps=np.add.outer([kbps for _, kbps in video], [kbps for _, kbps in audio]),
        x_v=np.zeros((len(video), 6), np.float32),
        x_a=np.zeros((len(audio), 513), np.float32),
    )


def ladder(*pairs: tuple[float, float], scene: int = 0, duration_s: float = 1.0) -> QualitySurface:
    """A scene of one silent audio and videos of these rates and AVQs."""
    rates, avq = zip(*pairs, strict=True)
    video = [("h264", rate) for rate in rates]
    return surface_of(np.array(avq)[:, None], video, [("b=0k", 0.0)], scene=scene, duration_s=duration_s)


@st.composite
def titles(draw: st.DrawFn) -> Title:
    """Up to 3 scenes of unequal length; the first video is h264 and the first audio common, the rest as it comes."""
    rate, quality = st.integers(5, 400).map(float), st.integers(100, 500).map(lambda i: i / 100)
    start_s, title = 0.0, []
    for scene in range(draw(st.integers(1, 3))):
        codecs = ["h264", *draw(st.lists(st.sampled_from(["h264", "av1"]), max_size=3))]
        targets = ["b=1k", *draw(st.lists(st.sampled_from(["b=2k", "b=3k"]), max_size=2, unique=True))]
        avq = [[draw(quality) for _ in targets] for _ in codecs]
        duration_s = draw(st.sampled_from([0.2, 1.0, 3.5, 10.0]))
        title.append(
            surface_of(
                np.array(avq),
                [(codec, draw(rate)) for codec in codecs],
                [(target, draw(rate) / 4) for target in draw(st.permutations(targets))],
                scene=scene,
                start_s=start_s,
                duration_s=duration_s,
            )
        )
        start_s += duration_s
    return title


@st.composite
def limited_titles(draw: st.DrawFn) -> tuple[Title, float, Limits]:
    """A title, a budget from too little to ample, and limits that may or may not bind."""
    title = draw(titles())
    limits = Limits(
        audio=draw(st.sampled_from(["shared", "scene"])),
        pool=draw(st.sampled_from(POOLS)),
        max_rate_kbps=draw(st.sampled_from([math.inf, 400.0, 200.0])),
        min_avq_mos=draw(st.sampled_from([-math.inf, 1.5, 2.5])),
    )
    return title, draw(st.floats(5, 450)), limits


def shares(title: Title) -> np.ndarray:
    duration_s = np.array([s.end_s - s.start_s for s in title])
    return duration_s / duration_s.sum()


def pooled(avq: np.ndarray, share: np.ndarray, pool: str) -> np.ndarray:
    """Pooled AVQ of many allocations (N, S), from its definition."""
    if pool == "mean":
        return avq @ share
    if pool == "harmonic":
        return 1 / ((1 / avq) @ share)
    below = (avq[:, None, :] < avq[:, :, None]) @ share
    let_go = 0.0 if pool == "min" else LOW_SHARE
    return np.where(below <= let_go + 1e-9, avq, -np.inf).max(axis=1)


def best_of_all(title: Title, budget_kbps: float, limits: Limits, *, on_paths: bool = False) -> float:
    """Highest pooled AVQ of every allocation within the budget and the limits; -inf where there is none.

    With `on_paths`, of allocations of pairs on the scenes' paths.
    """
    codecs = {v.codec for s in title for v in s.video}
    targets = {a.target for s in title for a in s.audio} if limits.audio == "shared" else {None}
    best, share = -math.inf, shares(title)
    for codec, target in itertools.product(codecs, targets):
        pairs = [
            [
                (s.avq_mos[v, a], s.total_kbps[v, a])
                for v, a in np.ndindex(s.avq_mos.shape)
                if s.video[v].codec == codec and target in (None, s.audio[a].target)
                if s.total_kbps[v, a] <= limits.max_rate_kbps and s.avq_mos[v, a] >= limits.min_avq_mos
            ]
            for s in title
        ]
        if not all(pairs):
            continue
        if on_paths:
            pairs = [[own[i] for i in walked(own)] for own in pairs]
        chosen = np.array(list(itertools.product(*pairs)), dtype=np.float64)  # (N, S, 2)
        fits = chosen[:, :, 1] @ share <= budget_kbps * (1 + 1e-12)
        best = max(best, pooled(chosen[fits, :, 0], share, limits.pool).max(initial=-math.inf))
    return best


def walked(pairs: list[tuple[float, float]]) -> np.ndarray:
    """Which pairs (AVQ, rate) of one size are on their scene's path."""
    avq, kbps = np.array(pairs, dtype=np.float64).T
    return find_path(avq, kbps, np.ones(len(pairs), dtype=int)).pair


def solved(title: Title, budget_kbps: float, limits: Limits) -> tuple[list[Choice], Certificate] | None:
    found = solve_title(title, list_cases(title, limits.audio), budget_kbps, limits)
    return None if isinstance(found, InfeasibleLimits) else found


def tie_of(limits: Limits) -> float:
    """What the paths may cost a pooled AVQ. A harmonic mean may fall by more than each of its parts."""
    return (2.0 if limits.pool == "harmonic" else 1.0) * TIE_MOS


def objective(title: Title, budget_kbps: float, limits: Limits) -> float:
    found = solved(title, budget_kbps, limits)
    return -math.inf if found is None else found[1].objective_mos


def assert_kept(title: Title, choices: list[Choice], certificate: Certificate, limits: Limits) -> None:
    """The choices keep what was asked for, and the certificate is what they come to."""
    assert [c.surface for c in choices] == title
    assert len({c.surface.video[c.video].codec for c in choices}) == 1
    if limits.audio == "shared":
        assert len({(a.codec, a.channels, a.target) for a in (c.surface.audio[c.audio] for c in choices)}) == 1
    kbps = np.array([c.surface.total_kbps[c.video, c.audio] for c in choices])
    avq = np.array([c.surface.avq_mos[c.video, c.audio] for c in choices], dtype=np.float64)
    assert (kbps <= limits.max_rate_kbps).all()
    assert (avq >= limits.min_avq_mos).all()
    assert certificate.mean_kbps == pytest.approx(kbps @ shares(title), rel=1e-12)
    assert certificate.mean_kbps <= certificate.budget_kbps * (1 + 1e-9)
    assert certificate.objective_mos == pytest.approx(pooled(avq[None], shares(title), limits.pool)[0], abs=ROUNDING)
    assert certificate.upper_bound_mos >= certificate.objective_mos
    assert certificate.price_mos_per_kbps >= 0
    assert (certificate.title, certificate.pool) == (title[0].title, limits.pool)


@settings(LAW, max_examples=120)
@given(problem=limited_titles())
def test_the_allocation_is_the_best_of_the_paths_within_a_tie_of_the_best_of_all_and_keeps_every_limit(problem) -> None:
    title, budget_kbps, limits = problem
    best, found = best_of_all(title, budget_kbps, limits), solved(title, budget_kbps, limits)
    if found is None:
        assert best == -math.inf
        return
    choices, certificate = found
    assert_kept(title, choices, certificate, limits)
    if limits.max_rate_kbps == math.inf:  # a largest rate ends the paths that go on without it
        offered = best_of_all(title, budget_kbps, limits, on_paths=True)
        assert certificate.objective_mos == pytest.approx(offered, abs=EXACT_MOS)
        assert offered - ROUNDING <= certificate.upper_bound_mos <= certificate.objective_mos + EXACT_MOS
    assert best - tie_of(limits) - EXACT_MOS <= certificate.objective_mos <= best + EXACT_MOS


@LAW
@given(problem=limited_titles())
def test_audio_of_the_scenes_own_is_never_worse(problem) -> None:
    title, budget_kbps, limits = problem
    shared, own = (objective(title, budget_kbps, replace(limits, audio=audio)) for audio in ("shared", "scene"))
    assert own >= shared - tie_of(limits) - EXACT_MOS


@LAW
@given(problem=limited_titles())
def test_more_budget_and_looser_limits_never_lower_the_pooled_avq(problem) -> None:
    title, budget_kbps, limits = problem
    before = objective(title, budget_kbps, limits)
    assert objective(title, 1.5 * budget_kbps, limits) >= before - EXACT_MOS
    without = objective(title, budget_kbps, Limits(audio=limits.audio, pool=limits.pool))
    assert without >= before - tie_of(limits) - EXACT_MOS


@LAW
@given(problem=limited_titles(), data=st.data())
def test_the_order_of_scenes_does_not_change_the_pooled_avq(problem, data) -> None:
    title, budget_kbps, limits = problem
    other = data.draw(st.permutations(title))
    before = objective(title, budget_kbps, limits)
    assert objective(other, budget_kbps, limits) == pytest.approx(before, abs=EXACT_MOS)


@LAW
@given(problem=limited_titles())
def test_only_the_pairs_of_the_chosen_case_within_the_limits_are_counted_as_possible(problem) -> None:
    title, budget_kbps, limits = problem
    found = solved(title, budget_kbps, limits)
    for c in found[0] if found else ():
        s = c.surface
        possible = sum(
            s.video[v].codec == s.video[c.video].codec
            and (limits.audio == "scene" or a == c.audio)
            and s.total_kbps[v, a] <= limits.max_rate_kbps
            and s.avq_mos[v, a] >= limits.min_avq_mos
            for v, a in np.ndindex(s.avq_mos.shape)
        )
        assert c.num_feasible == possible


def test_a_title_is_planned_by_hand() -> None:
    # 10 + 30 = 40 kbps buy 1.5 MOS here and 0.5 there; a mean of 25 buys one of the two.
    title = [ladder((10, 2.0), (40, 3.5), scene=0), ladder((10, 2.0), (40, 2.5), scene=1)]
    found = solved(title, 25.0, Limits())
    assert found is not None
    choices, certificate = found
    assert [c.video for c in choices] == [1, 0]
    assert certificate.objective_mos == 2.75
    assert certificate.upper_bound_mos == pytest.approx(2.75, abs=EXACT_MOS)
    assert certificate.gap_mos == pytest.approx(0.0, abs=EXACT_MOS)
    assert certificate.mean_kbps == 25.0
    # What comes next: 0.5 MOS for 30 kbps in half of the time.
    assert certificate.price_mos_per_kbps == pytest.approx(0.5 / 30)
    assert certificate.method == "minimal core"


def test_a_longer_scene_takes_more_of_the_budget() -> None:
    # To lift the long scene costs 0.9 x 30 = 27 kbps, over the 25 - 10 that are left.
    title = [ladder((10, 2.0), (40, 3.5), scene=0, duration_s=9.0), ladder((10, 2.0), (40, 2.5), scene=1)]
    found = solved(title, 25.0, Limits())
    assert found is not None
    assert [c.video for c in found[0]] == [0, 1]
    assert found[1].mean_kbps == pytest.approx(13.0)
    assert found[1].objective_mos == pytest.approx(2.05)


@pytest.mark.parametrize(
    ("budget", "max_rate", "min_avq", "binding"),
    [
        (1000, math.inf, -math.inf, "none"),
        (1000, 500, 1.0, "none"),
        (110, math.inf, -math.inf, "budget"),
        (1000, 100, -math.inf, "max-rate"),
        (110, math.inf, 1.5, "budget+min-avq"),
        (110, 200, -math.inf, "budget+max-rate"),
        (110, 200, 1.5, "budget+min-avq"),  # the floor leaves nothing that the largest rate could keep from
    ],
)
def test_what_stands_in_the_way_is_named(budget: float, max_rate: float, min_avq: float, binding: str) -> None:
    # Where the budget binds, the price is 0.02 MOS per kbps: at 10 kbps scene 0 would score higher, were it allowed.
    title = [
        ladder((10, 1.0), (100, 1.5), scene=0),
        ladder((10, 1.0), (100, 2.0), (200, 4.0), (202, 4.9), scene=1),
    ]
    found = solved(title, budget, Limits(max_rate_kbps=max_rate, min_avq_mos=min_avq))
    assert found is not None
    assert found[1].binding == binding


def test_a_title_spends_nothing_where_nothing_gains() -> None:
    title = [ladder((10, 2.0), (40, 2.0 + 0.9 * TIE_MOS), scene=i) for i in range(2)]
    found = solved(title, 1000.0, Limits())
    assert found is not None
    assert found[1].mean_kbps == 10.0
    assert found[1].binding == "none"


def test_a_scene_whose_picture_becomes_smaller_for_more_money_is_marked(model: abr_alloc.Model) -> None:
    tall = VideoRendition(codec="h264", width_px=640, height_px=360, target="crf=0", bitrate_kbps=10.0)
    scene = ladder((10, 2.0), (40, 3.0), scene=0)
    scene = replace(scene, video=(tall, scene.video[1]))
    plan = plan_titles([scene], [40.0, 10.0], model)
    assert [(a.video.height_px, a.height_falls) for a in plan.allocations] == [(18, True), (360, False)]


def test_a_case_that_does_not_fit_leaves_the_others() -> None:
    avq, audio = np.array([[4.0, 5.0], [3.0, 4.5]]), [("b=1k", 5.0), ("b=2k", 90.0)]
    title = [surface_of(avq, [("av1", 50.0), ("h264", 20.0)], audio, scene=i) for i in range(2)]
    for budget, expected in ((24.9, None), (25.0, 3.0), (55.0, 4.0), (110.0, 4.5), (140.0, 5.0)):
        found = solved(title, budget, Limits())
        assert (found and found[1].objective_mos) == expected


def test_a_time_limit_leaves_an_allocation_and_a_bound_that_holds() -> None:
    rng = np.random.default_rng(3)
    rate = rng.uniform(100, 5000, (20, 20))
    avq = (5 - 4 * np.exp(-rate / rng.uniform(300, 3000, (20, 1))) + rng.normal(0, 0.1, rate.shape)).clip(1, 5)
    title = [ladder(*zip(rate[s].tolist(), avq[s].tolist(), strict=True), scene=s) for s in range(20)]
    for pool in POOLS:
        limits = Limits(pool=pool)
        best, found = solved(title, 1000.0, limits), solved(title, 1000.0, replace(limits, time_limit_s=-1.0))
        assert best is not None
        assert found is not None
        assert_kept(title, *found, limits)
        assert found[1].method.endswith(", stopped early")
        assert not best[1].method.endswith(", stopped early")
        assert found[1].objective_mos <= best[1].objective_mos + EXACT_MOS
        assert found[1].upper_bound_mos >= best[1].objective_mos - ROUNDING


@pytest.mark.parametrize("duration_s", [0.0, -1.0, math.nan])
def test_a_scene_without_a_duration_is_refused(duration_s: float) -> None:
    title = [ladder((10, 2.0), scene=0), ladder((10, 2.0), scene=7, duration_s=duration_s)]
    with pytest.raises(FeatureTableError, match=r"title 't' scene 7 lasts .* s; a scene must last longer than 0"):
        list_cases(title, "shared")


def test_scenes_that_share_no_rendition_are_refused() -> None:
    one = np.ones((1, 1))
    title = [surface_of(one, [("h264", 9.0)], [(target, 1.0)]) for target in ("b=1k", "b=2k")]
    with pytest.raises(FeatureTableError, match="'t' share no audio rendition; use `audio` scene"):
        list_cases(title, "shared")
    assert [case.audio for case in list_cases(title, "scene")] == ["audio per scene"]
    title = [surface_of(one, [(codec, 9.0)], [("b=1k", 1.0)]) for codec in ("h264", "av1")]
    with pytest.raises(FeatureTableError, match="'t' share no video codec"):
        list_cases(title, "scene")


def test_every_codec_and_audio_that_all_scenes_share_is_a_case() -> None:
    video, audio = [("h264", 9.0), ("av1", 5.0), ("h264", 12.0)], [("b=1k", 1.0), ("b=2k", 2.0), ("b=3k", 3.0)]
    title = [surface_of(np.ones((3, 3)), video, audio), surface_of(np.ones((3, 2)), video, audio[1::-1])]
    cases = list_cases(title, "shared")
    names = [(c.codec, c.audio) for c in cases]
    assert names == [(c, f"aac {t}") for c in ("h264", "av1") for t in ("b=1k", "b=2k")]
    assert cases[1].video.tolist() == [[0, 2], [0, 2]]
    assert cases[1].audio_index.tolist() == [[1, 1], [0, 0]]
    assert cases[1].candidates.kbps.tolist() == [[11.0, 14.0], [11.0, 14.0]]
    # A scene with fewer pairs is padded with what no choice takes.
    own = list_cases(title, "scene")
    assert [c.codec for c in own] == ["h264", "av1"]
    assert np.isinf(own[0].candidates.kbps).sum(axis=1).tolist() == [0, 2]
    assert (np.isinf(own[0].candidates.avq_mos) == np.isinf(own[0].candidates.kbps)).all()


@pytest.mark.parametrize("wrong", [{"audio": "both"}, {"pool": "median"}], ids=lambda wrong: next(iter(wrong)))
def test_limits_that_are_unknown_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong.values()))):
        Limits(**wrong)


@pytest.fixture(scope="module")
def model() -> abr_alloc.Model:
    return abr_alloc.load_model()


@pytest.fixture(scope="module")
def example() -> abr_alloc.FeatureTable:
    return abr_alloc.read_features(EXAMPLE)


@pytest.fixture(scope="module")
def surfaces(example: abr_alloc.FeatureTable, model: abr_alloc.Model) -> Title:
    return list(build_surfaces(example, model))


@pytest.fixture(scope="module")
def example_titles(surfaces: Title) -> list[Title]:
    return [list(scenes) for _, scenes in itertools.groupby(surfaces, key=lambda s: s.title)]


@pytest.mark.parametrize("pool", POOLS)
def test_the_example_is_planned_as_brute_force_would(pool: str, example_titles: list[Title]) -> None:
    for whole in example_titles:
        title = whole[:4]
        for budget in (150.0, 400.0, 1200.0):
            limits = Limits(pool=pool)
            best = best_of_all(title, budget, limits)
            assert best - tie_of(limits) <= objective(title, budget, limits) <= best + EXACT_MOS


@pytest.mark.parametrize(("pool", "audio"), [("mean", "shared"), ("p5", "scene")])
def test_the_example_is_planned_whole_with_certificates_that_add_up(
    pool: str, audio: str, example: abr_alloc.FeatureTable, model: abr_alloc.Model, example_titles: list[Title]
) -> None:
    limits = Limits(pool=pool, audio=audio, max_rate_kbps=1500.0, min_avq_mos=2.5)
    plan = abr_alloc.plan(example, [350, 600], model, per="title", limits=limits)
    assert not plan.infeasible
    names = [title[0].title for title in example_titles]
    certificates = [(b, name) for b in (350, 600) for name in names]
    assert [(c.budget_kbps, c.title) for c in plan.certificates] == certificates
    for c in plan.certificates:
        of_title = [a for a in plan.allocations if (a.title, a.budget_kbps) == (c.title, c.budget_kbps)]
        share = np.array([a.end_s - a.start_s for a in of_title])
        share /= share.sum()
        avq = np.array([a.avq_mos for a in of_title])
        assert c.mean_kbps == pytest.approx(share @ [a.total_kbps for a in of_title], rel=1e-12)
        assert c.mean_kbps <= c.budget_kbps * (1 + 1e-9)
        assert c.objective_mos == pytest.approx(pooled(avq[None], share, pool)[0], abs=ROUNDING)
        assert c.gap_mos <= EXACT_MOS
        assert len({a.video.codec for a in of_title}) == 1
        assert audio == "scene" or len({a.audio.target for a in of_title}) == 1
        assert max(a.total_kbps for a in of_title) <= 1500.0
        assert avq.min() >= 2.5
        assert all(a.extra_budget_gain_mos is None for a in of_title)


def test_a_title_of_one_scene_is_planned_as_the_scene_is(surfaces: Title, model: abr_alloc.Model) -> None:
    alone = [replace(s, title=f"{s.title} {s.scene}") for s in surfaces]
    budgets = [150.0, 900.0]
    for audio in ("shared", "scene"):
        per_title = plan_titles(alone, budgets, model, Limits(audio=audio))
        per_scene = plan_surfaces(alone, budgets, model)
        assert [(a.title, a.budget_kbps) for a in per_title.allocations] == [
            (a.title, a.budget_kbps) for a in per_scene.allocations
        ]
        # Of audio renditions within the tie a plan per scene takes the cheapest.
        assert [a.avq_mos for a in per_title.allocations] == pytest.approx(
            [a.avq_mos for a in per_scene.allocations], abs=TIE_MOS
        )


def test_a_budget_over_the_title_is_worth_no_less_than_the_same_for_every_scene(
    example_titles: list[Title], model: abr_alloc.Model
) -> None:
    for title in example_titles:
        for budget in (150.0, 400.0, 1200.0):
            avq = [a.avq_mos for a in plan_surfaces(title, [budget], model).allocations]
            over_title = objective(title, budget, Limits(audio="scene"))
            assert len(avq) == len(title)
            assert over_title >= shares(title) @ avq - TIE_MOS


def test_a_title_that_does_not_fit_leaves_the_others_planned(surfaces: Title, model: abr_alloc.Model) -> None:
    plan = plan_titles(surfaces, [45.0, 500.0], model)
    planned = {(c.title, c.budget_kbps) for c in plan.certificates}
    left_out = {(i.title, i.budget_kbps) for i in plan.infeasible}
    assert planned | left_out == {(s.title, b) for s in surfaces for b in (45.0, 500.0)}
    assert not planned & left_out
    assert ("documentary-nasa-jwst-270p", 45.0) in planned
    assert {b for _, b in left_out} == {45.0}
    assert {(a.title, a.budget_kbps) for a in plan.allocations} == planned
