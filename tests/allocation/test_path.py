"""The path of a scene: tied with the best, cheap, and never a smaller picture for more money unless it must be."""

from __future__ import annotations

import itertools
from pathlib import Path as FilePath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.allocation.interpolation import interpolate
from abr_alloc.allocation.kept_audio import drop_wasted_audio
from abr_alloc.allocation.path import TIE_MOS, find_path, find_paths
from abr_alloc.allocation.surface import build_surfaces
from abr_alloc.models.checkpoint import load_model
from abr_alloc.table.table import read_features

TABLES = [
    FilePath(__file__).parents[2] / "examples" / "clip_features.parquet",
    FilePath(__file__).parents[2] / "benchmarks" / "features" / "clips.parquet",
]
SIZES = (144, 240, 360)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """AVQ, rates and sizes of up to 12 pairs, with many ties of each."""
    n = draw(st.integers(1, 12))
    hundredths = st.integers(0, draw(st.sampled_from([8, 40, 400])))
    avq = 3.0 + np.array(draw(st.lists(hundredths, min_size=n, max_size=n))) / 100.0
    kbps = np.array(draw(st.lists(st.integers(1, 15), min_size=n, max_size=n)), dtype=float)
    return avq, kbps, np.array(draw(st.lists(st.sampled_from(SIZES), min_size=n, max_size=n)))


def tied_with_the_best(avq: np.ndarray, kbps: np.ndarray, budget: float) -> np.ndarray:
    fits = kbps <= budget
    return fits & (avq + TIE_MOS >= avq[fits].max())


def walked(avq: np.ndarray, kbps: np.ndarray, side: np.ndarray, end_kbps: float) -> list[tuple[float, int, bool]]:
    """The path as the head of the module words it, budget by budget, pair by pair."""
    order = sorted(range(len(kbps)), key=lambda i: kbps[i])
    records = [i for i in order if all(avq[j] < avq[i] for j in order if (kbps[j], j) < (kbps[i], i))]
    records = [i for n, i in enumerate(records) if n + 1 == len(records) or kbps[records[n + 1]] > kbps[i]]

    def cheapest(size: int, record: int) -> int | None:
        """Of a size, the cheapest pair that a record's budget reaches and its tie holds; of one rate the best."""
        own = [i for i in order if side[i] == size and kbps[i] <= kbps[record] and avq[i] + TIE_MOS >= avq[record]]
        return min(own, key=lambda i: (kbps[i], -avq[i], i), default=None)

    sizes = sorted(set(side.tolist()))
    tied = [{size: i for size in sizes if (i := cheapest(size, record)) is not None} for record in records]
    ceilings: list[int] = []
    for sizes_tied in reversed(tied):
        below = [size for size in sizes_tied if not ceilings or size <= ceilings[-1]]
        ceilings.append(max(below or sizes_tied))
    ceilings.reverse()
    path: list[tuple[float, int, bool]] = []
    held, largest = sizes[0], sizes[0]
    for record, options, ceiling in zip(records, tied, ceilings, strict=True):
        if kbps[record] > end_kbps:
            break
        if path and avq[path[-1][1]] + TIE_MOS >= avq[record]:
            continue
        open_to = [s for s in options if held <= s <= ceiling] or [s for s in options if s <= ceiling]
        held = min(open_to, key=lambda s: (kbps[options[s]], -avq[options[s]], s))
        largest = max(largest, held)
        path.append((float(kbps[record]), options[held], held < largest))
    return path


@settings(deadline=None)
@given(st.lists(scenes(), min_size=1, max_size=4), st.sampled_from([np.inf, 7.0]))
def test_scenes_that_are_walked_together_take_the_path_of_the_rules_each(together, end_kbps) -> None:
    nothing = np.empty(0), np.empty(0), np.empty(0, dtype=np.int64)
    found = find_paths([nothing, *together], up_to_kbps=end_kbps)
    assert len(found[0].pair) == 0
    for scene, path in zip(together, found[1:], strict=True):
        due = walked(*scene, end_kbps)
        assert list(zip(path.from_kbps.tolist(), path.pair.tolist(), path.falls.tolist(), strict=True)) == due


@given(scenes())
def test_every_budget_buys_a_pair_that_fits_and_is_within_the_tie_of_the_best(scene) -> None:
    avq, kbps, side = scene
    path = find_path(avq, kbps, side)
    assert path.at(kbps.min() - 0.5) is None
    for budget in np.arange(kbps.min(), 16.0, 0.5):
        place = path.at(budget)
        assert place is not None
        assert tied_with_the_best(avq, kbps, budget)[path.pair[place]]


@given(scenes())
def test_avq_never_falls_as_the_budget_rises(scene) -> None:
    avq, kbps, side = scene
    path = find_path(avq, kbps, side)
    assert (np.diff(avq[path.pair]) > 0).all()
    assert (np.diff(path.from_kbps) > 0).all()


@given(scenes())
def test_height_falls_only_where_no_tied_choices_at_all_budgets_could_do_without(scene) -> None:
    avq, kbps, side = scene
    path = find_path(avq, kbps, side)
    heights = side[path.pair]
    assert path.falls.tolist() == [bool(h < heights[: i + 1].max()) for i, h in enumerate(heights)]
    least = 0  # the smallest size that a sequence of tied choices can have come to without ever falling
    for budget in np.unique(kbps):
        tied = side[tied_with_the_best(avq, kbps, budget)]
        if not (tied >= least).any():
            return  # no sequence does without
        least = tied[tied >= least].min()
    assert not path.falls.any()


@given(scenes())
def test_with_one_size_the_cheapest_pair_within_the_tie_is_taken(scene) -> None:
    avq, kbps, side = scene
    path = find_path(avq, kbps, np.full_like(side, 240))
    for budget in np.unique(kbps):
        tied = tied_with_the_best(avq, kbps, budget)
        chosen = path.pair[path.at(budget)]
        assert kbps[chosen] == kbps[tied].min()
        assert avq[chosen] == avq[tied & (kbps == kbps[chosen])].max()


@given(scenes())
def test_sizes_that_only_rise_with_the_rate_leave_the_cheapest_choice_alone(scene) -> None:
    """Heights bind nothing where no cheap pair is larger than a dear one."""
    avq, kbps, _ = scene
    kbps = kbps + np.arange(len(kbps)) / 100.0  # no two alike
    side = np.sort(np.resize(SIZES, len(kbps)))[np.argsort(np.argsort(kbps))]
    path = find_path(avq, kbps, side)
    plain = find_path(avq, kbps, np.full_like(side, 240))
    assert path.pair.tolist() == plain.pair.tolist()
    assert not path.falls.any()


@given(scenes(), st.integers(0, 16))
def test_a_walk_that_ends_early_chose_the_same_before(scene, end) -> None:
    whole, part = find_path(*scene), find_path(*scene, up_to_kbps=end)
    n = int((whole.from_kbps <= end).sum())
    assert part.pair.tolist() == whole.pair[:n].tolist()
    assert part.falls.tolist() == whole.falls[:n].tolist()


def test_a_budget_is_not_spent_on_what_nothing_gains_by() -> None:
    avq, kbps = np.array([3.0, 3.015, 3.03]), np.array([100.0, 500.0, 900.0])
    path = find_path(avq, kbps, np.array([240, 240, 240]))
    assert [path.pair[path.at(budget)] for budget in (100, 500, 899, 900)] == [0, 0, 0, 1]


def test_a_large_picture_that_would_have_to_be_given_up_is_not_taken_at_a_tie() -> None:
    avq = np.array([3.00, 3.01, 3.30, 3.40])
    kbps = np.array([100.0, 110.0, 200.0, 300.0])
    side = np.array([360, 144, 144, 360])
    path = find_path(avq, kbps, side)
    # At 100 kbps nothing but 360 lines fits; so much must be given up at 200.
    assert side[path.pair].tolist() == [360, 144, 360]
    assert path.falls.tolist() == [False, True, False]
    avq[1], kbps[1] = 3.00, 100.0
    path = find_path(avq, kbps, side)
    assert side[path.pair].tolist() == [144, 144, 360]
    assert not path.falls.any()


def test_a_smaller_picture_that_wins_by_more_than_the_tie_is_taken_and_said() -> None:
    path = find_path(np.array([2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0]), np.array([360, 144, 240]))
    assert path.pair.tolist() == [0, 1, 2]
    assert path.falls.tolist() == [False, True, True]


def test_no_pair_gives_an_empty_path() -> None:
    assert find_path(np.empty(0), np.empty(0), np.empty(0, dtype=int)).at(1e9) is None


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_on_real_scenes_neither_avq_nor_rate_falls_and_height_only_where_the_surface_asks_for_it(table) -> None:
    num_moves = num_falls = 0
    for measured in build_surfaces(read_features(table), load_model()):
        surface = interpolate(drop_wasted_audio(measured), every_size=True)
        side = np.repeat([min(v.width_px, v.height_px) for v in surface.video], len(surface.audio))
        avq, kbps = surface.avq_mos.ravel().astype(float), surface.total_kbps.ravel()
        path = find_path(avq, kbps, side)
        for values in (avq, kbps):
            steps = itertools.pairwise(values[path.pair].tolist())
            assert all(low <= high for low, high in steps), (surface.title, surface.scene)
        chosen = side[path.pair]
        assert (path.falls == (chosen < np.maximum.accumulate(chosen))).all(), (surface.title, surface.scene)
        num_moves, num_falls = num_moves + len(path.pair), num_falls + int(path.falls.sum())
    assert (
        num_falls <= 0.005 * num_moves
    )  # four quiet scenes of one recital, at 52 to 68 kbps, where two curves cross twice
