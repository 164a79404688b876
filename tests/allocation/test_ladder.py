"""Ladders: the best of all that keep the rules, found by trying them all."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from abr_alloc.allocation import ladder, transitions
from abr_alloc.allocation.audience import Audience, lognormal, weighted
from abr_alloc.allocation.candidates import list_candidates
from abr_alloc.allocation.interpolation import interpolate
from abr_alloc.allocation.ladder import PLAYED_SHARE, choose_number, design_ladders
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.rung import Ladder
from abr_alloc.allocation.surface import QualitySurface, build_surfaces, by_title
from abr_alloc.allocation.title_surface import merge_scenes
from abr_alloc.errors import InfeasibleLadderError
from abr_alloc.models.checkpoint import load_model
from abr_alloc.table.table import read_features

MAX_RUNGS = 4
LAW = settings(deadline=None, max_examples=30)
LOOSE = LadderRules(max_audio=None, min_ratio=1.001, max_ratio=1000.0, tie_mos=0.0)
"""Rules that hardly forbid anything."""


# The answer known beforehand: every subset of the pairs.


@dataclass(frozen=True)
class Pair:
    """What a rung may be."""

    total: float
    avq: float
    video: float
    audio: float
    audio_index: int
    side: int


Share = Callable[[float], float]
"""Share of the audience with at least a bandwidth, from scipy or by counting."""


def list_pairs(surface: QualitySurface, rules: LadderRules) -> list[Pair]:
    """Pairs that a rung may be under the rules, by rate."""
    pairs = [
        Pair(float(surface.total_kbps[i, k]), float(surface.avq_mos[i, k]), v.bitrate_kbps, a.bitrate_kbps, k, side)
        for i, v in enumerate(surface.video)
        for k, a in enumerate(surface.audio)
        for side in [min(v.width_px, v.height_px)]
        if rules.min_kbps <= surface.total_kbps[i, k] <= rules.max_kbps
        if not rules.sides_px or any(low <= side <= high for low, high in rules.sides_px)
    ]
    enough = min((p.total for p in pairs if p.avq >= rules.top_avq_mos), default=math.inf)
    return sorted((p for p in pairs if p.total <= enough), key=lambda p: p.total)


def is_lawful(rungs: Sequence[Pair], rules: LadderRules, share: Share) -> bool:
    if rules.max_audio is not None and len({p.audio_index for p in rungs}) > rules.max_audio:
        return False
    if share(rungs[-1].total) < rules.min_played_share:
        return False
    return all(
        rules.min_ratio - 1e-9 <= b.total / a.total <= rules.max_ratio + 1e-9
        and b.video >= a.video
        and b.side >= a.side
        and b.avq - a.avq >= rules.min_step_mos
        and (b.audio_index == a.audio_index or b.audio > a.audio)
        and share(a.total) - share(b.total) >= rules.min_played_share
        for a, b in itertools.pairwise(rungs)
    )


def expect(rungs: Sequence[Pair], share: Share) -> float:
    """Everyone plays the highest rung that fits; who has none sees the foot of the scale."""
    above = [*(share(p.total) for p in rungs), 0.0]
    played = [a - b for a, b in itertools.pairwise(above)]
    return 1.0 - above[0] + sum(s * p.avq for s, p in zip(played, rungs, strict=True))


def best_by_trying_all(surface: QualitySurface, share: Share, rules: LadderRules, size: int) -> float:
    """Highest expected AVQ of any lawful ladder of a size; -inf where there is none."""
    subsets = itertools.combinations(list_pairs(surface, rules), size)
    return max((expect(rungs, share) for rungs in subsets if is_lawful(rungs, rules, share)), default=-math.inf)


def pairs_of(found: Ladder, surface: QualitySurface) -> list[Pair]:
    return [
        Pair(
            rung.total_kbps,
            rung.avq_mos,
            rung.video.bitrate_kbps,
            rung.audio.bitrate_kbps,
            surface.audio.index(rung.audio),
            min(rung.video.width_px, rung.video.height_px),
        )
        for rung in found.rungs
    ]


def designed(surface: QualitySurface, audience: Audience, rules: LadderRules) -> list[Ladder]:
    try:
        return design_ladders(surface, audience, MAX_RUNGS, rules)
    except InfeasibleLadderError:
        return []


def assert_best(surface: QualitySurface, audience: Audience, share: Share, rules: LadderRules) -> None:
    """Every length has a ladder exactly where one exists, it keeps the rules, and none expects more."""
    found = designed(surface, audience, rules)
    assert [len(f.rungs) for f in found] == list(range(1, len(found) + 1))
    for size in range(1, MAX_RUNGS + 1):
        best = best_by_trying_all(surface, share, rules, size)
        if size > len(found):
            assert best == -math.inf
            continue
        rungs = pairs_of(found[size - 1], surface)
        assert set(rungs) <= set(list_pairs(surface, rules))
        assert is_lawful(rungs, rules, share)
        assert found[size - 1].expected_avq_mos == pytest.approx(best, abs=1e-9)
        assert expect(rungs, share) == pytest.approx(best, abs=1e-9)


# Problems of every shape: ties, repeated rates, flat and falling quality.


@pytest.fixture(scope="module")
def surfaces(make_surface) -> st.SearchStrategy[QualitySurface]:
    few = st.sampled_from([1.0, 2.0, 2.5, 2.6, 4.0])
    real = st.integers(100, 500).map(lambda i: i / 100)
    video_kbps = st.sampled_from([90, 100, 150, 200, 300, 450, 700, 1100]).map(float)
    audio_kbps = st.sampled_from([30, 60, 60, 90]).map(float)

    @st.composite
    def surface(draw: st.DrawFn) -> QualitySurface:
        video, audio = (
            draw(st.lists(video_kbps, min_size=1, max_size=5)),
            draw(st.lists(audio_kbps, min_size=1, max_size=3)),
        )
        sides = [draw(st.sampled_from([240, 360, 720])) for _ in video]
        shape = draw(st.sampled_from(["any", "rising", "flat"]))
        if shape == "flat":
            avq = np.full((len(video), len(audio)), 3.0)
        elif shape == "any":
            number = draw(st.sampled_from([few, real]))
            avq = np.array([[draw(number) for _ in audio] for _ in video])
        else:
            gain = draw(st.sampled_from([100, 400, 2000]))
            avq = 5 - 4 * np.exp(-np.add.outer(np.array(video), 2 * np.array(audio)) / gain)
        return make_surface(avq, video, audio, sides, overhead=draw(st.sampled_from([0.0, 0.02])))

    return surface()


@st.composite
def audiences(draw: st.DrawFn) -> tuple[Audience, Share]:
    if draw(st.booleans()):
        median, sigma = draw(st.sampled_from([60.0, 300.0, 1500.0])), draw(st.sampled_from([0.2, 1.0]))
        return lognormal(median, sigma), lambda kbps: float(stats.lognorm.sf(kbps, s=sigma, scale=median))
    kbps = np.array(sorted(draw(st.sets(st.integers(50, 1500), min_size=1, max_size=5))), dtype=float)
    weights = np.array([draw(st.integers(1, 5)) for _ in kbps], dtype=float)
    return weighted(kbps, weights, "n"), lambda rate: float(weights[kbps >= rate].sum() / weights.sum())


RULES = {
    "max_audio": [1, 2],
    "min_kbps": [150.0, 400.0],
    "max_kbps": [130.0, 500.0],
    "min_ratio": [1.25, 1.5, 3.0],
    "max_ratio": [1.2, 1.5, 2.5],
    "top_avq_mos": [2.0, 3.0, 4.0],
    "sides_px": [((240, 240),), ((300, 800),), ((240, 240), (720, 1080))],
    "min_step_mos": [0.1, 0.5, 1.0],
    "min_played_share": [0.01, 0.2],
}


@pytest.mark.parametrize("rule", RULES)
@LAW
@given(data=st.data())
def test_the_best_ladder_is_that_of_brute_force_under(rule: str, surfaces, data: st.DataObject) -> None:
    audience, share = data.draw(audiences())
    rules = replace(LOOSE, **{rule: data.draw(st.sampled_from(RULES[rule]))})
    assert_best(data.draw(surfaces), audience, share, rules)


@settings(deadline=None, max_examples=120)
@given(data=st.data())
def test_the_best_ladder_is_that_of_brute_force_under_all_rules_at_once(surfaces, data: st.DataObject) -> None:
    audience, share = data.draw(audiences())
    chosen = {
        name: data.draw(st.sampled_from(values)) for name, values in RULES.items() if data.draw(st.integers(0, 2)) == 0
    }
    lowest, highest = chosen.get("min_kbps", 0.0), chosen.get("max_kbps", math.inf)
    chosen |= {"max_kbps": max(lowest, highest)}
    chosen |= {"max_ratio": max(chosen.get("max_ratio", 1000.0), chosen.get("min_ratio", 1.001))}
    assert_best(data.draw(surfaces), audience, share, replace(LOOSE, **chosen))


@LAW
@given(data=st.data())
def test_wider_rules_never_lower_the_expectation(surfaces, data: st.DataObject) -> None:
    surface, (audience, _) = data.draw(surfaces), data.draw(audiences())
    rule = data.draw(st.sampled_from(list(RULES)))
    narrow = LadderRules(
        max_audio=data.draw(st.integers(1, 2)),
        min_kbps=data.draw(st.sampled_from([0.0, 150.0])),
        max_kbps=data.draw(st.sampled_from([500.0, 2000.0])),
        min_ratio=data.draw(st.sampled_from([1.3, 1.5])),
        max_ratio=data.draw(st.sampled_from([1.5, 2.5])),
        # Under a cap, a pair that another rule lets in may be the one that is good enough, and shut out what was best.
        top_avq_mos=data.draw(st.sampled_from([2.5, 4.0])) if rule == "top_avq_mos" else math.inf,
        sides_px=data.draw(st.sampled_from([((240, 240),), ((300, 800),)])),
        min_step_mos=data.draw(st.sampled_from([0.0, 0.1])),
        min_played_share=data.draw(st.sampled_from([0.0, 0.01])),
        tie_mos=0.0,  # what is left out for a near-tie depends on what else may be had
    )
    wide = replace(narrow, **{rule: getattr(replace(LOOSE, max_audio=3), rule)})
    before, after = designed(surface, audience, narrow), designed(surface, audience, wide)
    assert len(after) >= len(before)
    for one, other in zip(before, after, strict=False):
        assert other.expected_avq_mos >= one.expected_avq_mos - 1e-9


def test_one_rung_is_the_best_pair_that_everyone_can_play(make_surface) -> None:
    surface = make_surface([[2.0, 2.5], [4.0, 4.5]], [100.0, 800.0], [50.0, 150.0])
    everyone = weighted(np.array([900.0]), np.array([1.0]), "n")
    (found,) = design_ladders(surface, everyone, 1, LOOSE)
    assert (found.rungs[0].total_kbps, found.expected_avq_mos) == (850.0, 4.0)
    assert (found.rungs[0].played_share, found.unreached_share) == (1.0, 0.0)


def test_audio_renditions_of_one_rate_are_renditions_of_their_own(make_surface) -> None:
    """The second is better at low rates, the first at high ones; neither is left for the other at the same rate."""
    surface = make_surface([[2.0, 3.0], [4.0, 3.5], [4.5, 3.6]], [100.0, 300.0, 900.0], [60.0, 60.0])
    audience = weighted(np.array([200.0, 500.0, 1500.0]), np.ones(3), "n")
    for max_audio in (1, 2):
        found = design_ladders(surface, audience, 3, replace(LOOSE, max_audio=max_audio))
        assert [{rung.audio.target for rung in f.rungs} for f in found[1:]] == [{"a=0"}, {"a=0"}]
        assert found[2].expected_avq_mos == pytest.approx((2.0 + 4.0 + 4.5) / 3)


def test_sizes_may_be_allowed_by_the_short_side_of_an_upright_picture(make_surface) -> None:
    surface = make_surface([[2.0], [4.0]], [100.0, 300.0], [60.0], [240, 480])
    upright = replace(
        surface, video=tuple(replace(v, width_px=v.height_px, height_px=v.width_px) for v in surface.video)
    )
    audience = lognormal(1000, 1)
    (found,) = design_ladders(upright, audience, 1, replace(LOOSE, sides_px=((480, 480),)))
    assert found.rungs[0].video.width_px == 480


def test_cutting_the_candidates_into_blocks_changes_nothing(make_surface, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    surface = make_surface(rng.uniform(1, 5, (40, 5)), rng.uniform(50, 5000, 40), rng.uniform(20, 200, 5))
    whole = design_ladders(surface, lognormal(1000, 1), 6)
    monkeypatch.setattr(transitions, "_BLOCK", 7)
    assert design_ladders(surface, lognormal(1000, 1), 6) == whole


def as_by_all_candidates(surface: QualitySurface, audience: Audience, rules: LadderRules) -> tuple[list[Ladder], ...]:
    """Ladders found from the few candidates that promise most, and from all of them at once."""
    found = []
    for number in (1, len(surface.avq_mos.ravel())):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ladder, "_FIRST_TRIED", number)
            patch.setattr(ladder, "_MORE", 1 if number > 1 else 2)
            found.append(designed(surface, audience, rules))
    return tuple(found)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_leaving_out_what_promises_less_changes_no_ladder(surfaces, data: st.DataObject) -> None:
    """Not even which of several equal ones it is."""
    audience, _ = data.draw(audiences())
    rules = replace(
        LOOSE,
        max_audio=data.draw(st.sampled_from([None, 1, 2])),
        min_ratio=data.draw(st.sampled_from([1.001, 1.25, 1.5])),
        max_ratio=data.draw(st.sampled_from([2.5, 1000.0])),
        min_step_mos=data.draw(st.sampled_from([0.0, 0.1])),
        min_played_share=data.draw(st.sampled_from([0.0, 0.01])),
    )
    few, whole = as_by_all_candidates(data.draw(surfaces), audience, rules)
    assert few == whole


@pytest.mark.parametrize("seed", range(3))
def test_hundreds_of_candidates_give_the_ladders_of_all_at_once(make_surface, seed: int) -> None:
    rng = np.random.default_rng(seed)
    video, audio = np.sort(rng.uniform(100, 6000, 120)), np.sort(rng.uniform(24, 200, 4))
    side = rng.choice([240, 360, 720], 120)
    avq = 5 - 4 * np.exp(-np.add.outer(video * (side / 720) ** 0.5, 4 * audio) / 1500) - 0.2 * (side < 720)[:, None]
    surface = make_surface(avq, video, audio, side.tolist())
    few, whole = as_by_all_candidates(surface, lognormal(1500, 1), LadderRules(max_audio=2, tie_mos=0.0))
    assert len(whole) == MAX_RUNGS and few == whole


@pytest.mark.parametrize(
    "audience",
    [lognormal(3000, 0.9), weighted(np.array([300.0, 800.0, 1500.0, 3000.0, 6000.0]), np.ones(5), "steps")],
    ids=["lognormal", "steps"],
)
def test_measured_titles_have_the_ladders_of_all_candidates_at_once(example: Path, audience: Audience) -> None:
    titles = by_title(build_surfaces(read_features(example), load_model()))
    for scenes in titles:
        title = interpolate(merge_scenes(scenes), keep_probes=False, every_size=True)
        few, whole = as_by_all_candidates(title, audience, LadderRules())
        assert len(whole) == MAX_RUNGS and few == whole


# As many rungs as are worth having.


@settings(deadline=None, max_examples=80)
@given(data=st.data(), jnd_mos=st.sampled_from([0.0, 0.1, 0.5]))
def test_the_free_number_is_the_best_of_all_ladders_whose_every_rung_is_worth_having(
    surfaces, data: st.DataObject, jnd_mos: float
) -> None:
    surface, (audience, share) = data.draw(surfaces), data.draw(audiences())
    rules = replace(LOOSE, max_audio=2, min_ratio=1.2)
    strict = replace(rules, min_step_mos=jnd_mos, min_played_share=PLAYED_SHARE)
    lengths = range(1, min(len(list_pairs(surface, strict)), 5) + 1)
    best = max(best_by_trying_all(surface, share, strict, size) for size in lengths)
    if best == -math.inf:
        with pytest.raises(InfeasibleLadderError, match="played by 1 % of the audience"):
            choose_number(list_candidates(surface, audience, rules), rules, jnd_mos)
        return
    found = choose_number(list_candidates(surface, audience, rules), rules, jnd_mos)
    assert all(rung.played_share >= PLAYED_SHARE for rung in found.rungs)
    assert all(b.avq_mos - a.avq_mos >= jnd_mos for a, b in itertools.pairwise(found.rungs))
    assert is_lawful(pairs_of(found, surface), strict, share)
    assert found.expected_avq_mos >= best - 1e-9
    if len(found.rungs) <= 5:
        assert found.expected_avq_mos == pytest.approx(best, abs=1e-9)


def test_of_two_lengths_that_expect_the_same_the_shorter_is_taken(make_surface) -> None:
    surface = make_surface([[3.0], [3.0]], [100.0, 300.0], [50.0])
    audience = weighted(np.array([200.0, 500.0]), np.ones(2), "n")
    assert len(choose_number(list_candidates(surface, audience, LOOSE), LOOSE, 0.0).rungs) == 1


# What cannot be had.


@pytest.fixture(scope="module")
def plain(make_surface) -> QualitySurface:
    return make_surface([[2.0], [3.0], [4.0]], [100.0, 300.0, 900.0], [50.0], [240, 360, 720], title="plain")


IMPOSSIBLE = {
    "no pair so dear": ({"min_kbps": 2000.0}, ["'plain'", "`min_kbps` 2000k", "150k to 950k"]),
    "no pair so cheap": ({"max_kbps": 149.0}, ["'plain'", "`max_kbps` 149k", "150k to 950k"]),
    "no pair between": ({"min_kbps": 400.0, "max_kbps": 500.0}, ["`min_kbps` 400k", "`max_kbps` 500k"]),
    "no such size": ({"sides_px": ((480, 480),)}, ["'plain'", "`sides_px`", "240p, 360p, 720p"]),
    "a size and a rate": ({"sides_px": ((240, 240),), "min_kbps": 500.0}, ["`min_kbps` 500k", "150k to 150k"]),
    "no audience": ({"min_played_share": 0.3, "min_kbps": 900.0}, ["'plain'", "30 % of the audience", "`min_kbps`"]),
}


@pytest.mark.parametrize("fault", IMPOSSIBLE)
def test_where_not_one_rung_can_be_had_the_conflict_is_named(fault: str, plain: QualitySurface) -> None:
    rules, words = IMPOSSIBLE[fault]
    with pytest.raises(InfeasibleLadderError) as raised:
        design_ladders(plain, weighted(np.array([800.0]), np.ones(1), "n"), 3, replace(LOOSE, **rules))
    assert all(word in str(raised.value) for word in words), str(raised.value)
    assert "infk" not in str(raised.value)


def test_what_does_not_fit_is_no_error_but_a_shorter_list(plain: QualitySurface) -> None:
    assert len(design_ladders(plain, lognormal(1000, 1), 24, replace(LOOSE, min_ratio=3.0))) == 2
