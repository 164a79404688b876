"""A few probes of a grid lead to its plans; what they leave open is estimated, marked and bounded."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest

from abr_alloc.allocation.interpolation import interpolate, size_curves
from abr_alloc.allocation.plan import best_pair, planning_surfaces
from abr_alloc.allocation.probing import LEAST_PROBES, LEAST_SHARE, MOST_SHARE, Prober
from abr_alloc.allocation.surface import QualitySurface, build_surfaces
from abr_alloc.allocation.title_surface import merge_scenes
from abr_alloc.learning.dataset import from_tables
from abr_alloc.models.checkpoint import load_model
from abr_alloc.models.teacher import load_teacher
from abr_alloc.table.table import FeatureTable, read_features


@dataclass(frozen=True)
class Wanted:
    codec: str
    width_px: int
    height_px: int
    target: str


def candidates(table: FeatureTable) -> list[Wanted]:
    video = table.of_kind("video")[["codec", "width_px", "height_px", "target"]].drop_duplicates()
    return [Wanted(c, int(w), int(h), t) for c, w, h, t in video.itertuples(index=False)]


def only(table: FeatureTable, probes: list[Wanted]) -> FeatureTable:
    keys = {(p.codec, p.width_px, p.height_px, p.target) for p in probes}
    found = zip(*(table.frame[c] for c in ("codec", "width_px", "height_px", "target")), strict=True)
    keep = (table.frame["kind"] == "audio").to_numpy() | np.array([key in keys for key in found])
    return FeatureTable(table.frame[keep].reset_index(drop=True), table.metadata)


def all_of(rounds: list[list[Wanted]]) -> list[Wanted]:
    return list(itertools.chain.from_iterable(rounds))


def probe(table: FeatureTable, grid: list[Wanted]) -> list[list[Wanted]]:
    """The rounds of a title that was measured beforehand."""
    prober, rounds = Prober(load_model()), []
    while found := prober.next_probes(only(table, all_of(rounds)), grid):
        rounds.append(found)
    return rounds


@pytest.fixture(scope="module")
def titles(example) -> dict[str, FeatureTable]:
    table = read_features(example)
    parts = table.frame.groupby("title")
    return {title: FeatureTable(rows.reset_index(drop=True), table.metadata) for title, rows in parts}


def completed(table: FeatureTable) -> FeatureTable:
    """A title's table as `extract` would leave it."""
    grid = candidates(table)
    return Prober(load_model()).completed(only(table, all_of(probe(table, grid))), grid)


def surface_of(table: FeatureTable) -> QualitySurface:
    return merge_scenes(list(build_surfaces(table, load_model())))


def test_the_two_corners_come_first(titles) -> None:
    for table in titles.values():
        grid = candidates(table)
        heights = {c.height_px for c in grid}
        first = {(c.height_px, c.target) for c in probe(table, grid)[0]}
        assert {(min(heights), "crf=44"), (max(heights), "crf=18")} <= first


def test_a_part_of_the_grid_in_few_rounds_and_none_twice(titles) -> None:
    for table in titles.values():
        grid = candidates(table)
        rounds = probe(table, grid)
        taken = all_of(rounds)
        least = max(LEAST_PROBES, math.floor(LEAST_SHARE * len(grid)))
        assert least <= len(taken) == len(set(taken)) <= math.ceil(MOST_SHARE * len(grid))
        assert set(taken) <= set(grid)
        assert max(map(len, rounds)) <= 3


def test_plans_from_the_probes_are_the_whole_grids(titles) -> None:
    regrets, errors = [], []
    for table in titles.values():
        whole, done = surface_of(table), completed(table)
        part = interpolate(surface_of(done))
        curves, known = {(c.width_px, c.height_px): c for c in size_curves(whole)}, interpolate(whole)
        for budget in np.geomspace(whole.total_kbps.min() * 1.001, whole.total_kbps.max(), 15):
            best, chosen = best_pair(known, budget), best_pair(part, budget)
            assert best is not None
            assert chosen is not None
            video = part.video[chosen[0]]
            curve = curves[video.width_px, video.height_px]
            kbps = np.clip(video.bitrate_kbps, curve.kbps[0] * (1 + 1e-12), curve.kbps[-1] * (1 - 1e-12))
            truth = curve.at(np.array([kbps]))[0, chosen[1]]
            regrets.append(known.avq_mos[best] - truth)
            errors.append(abs(part.avq_mos[chosen] - truth) <= done.metadata.within_mos[whole.title])
    # The prior has seen these contents: benchmarks/probing.py --held-out says what it is worth on others.
    assert np.mean(regrets) < 0.01
    assert max(regrets) < 0.1
    assert np.mean(errors) > 0.9


def test_every_rendition_has_a_row_and_what_was_measured_is_as_it_was(titles) -> None:
    table = titles["tos-battle-action-332p"]
    done = completed(table)
    assert set(candidates(done)) == set(candidates(table))
    assert done.metadata.within_mos.keys() == {"tos-battle-action-332p"}
    measured = done.measured()
    assert "estimated" not in measured.frame
    assert len(measured.frame) < len(done.frame)
    keys = ["scene", "kind", "height_px", "target"]
    both = measured.of_kind("video").merge(table.of_kind("video"), on=keys, suffixes=("", "_before"))
    assert len(both) == len(measured.of_kind("video"))
    assert (both["vmaf"] == both["vmaf_before"]).all()


def test_estimates_are_between_what_is_offered_and_never_offered_themselves(titles) -> None:
    surface = surface_of(completed(titles["tos-battle-action-332p"]))
    assert any(v.estimated for v in surface.video)
    for measured_only in (False, True):
        (offered,) = planning_surfaces([surface], overhead=0.02, measured_only=measured_only)
        assert not any(v.estimated for v in offered.video)
        assert {v.interpolated for v in offered.video} == ({False} if measured_only else {False, True})


def test_the_order_of_the_grid_changes_nothing(titles) -> None:
    table = titles["cartoon-veo-carnival-720p"]
    grid = candidates(table)
    assert [set(r) for r in probe(table, grid)] == [set(r) for r in probe(table, grid[::-1])]


def test_nothing_is_estimated_of_rates_and_little_is_measured_whole(titles) -> None:
    table = titles["cartoon-veo-carnival-720p"]
    none, prober = only(table, []), Prober(load_model())
    rates = [Wanted("h264", 640, 360, f"b={100 * i}k") for i in range(1, 9)]
    assert prober.first_probes(rates) == prober.next_probes(none, rates) == rates
    few = candidates(table)[:7]
    assert set(prober.next_probes(none, few)) == set(few)
    assert prober.completed(only(table, few), few).metadata.within_mos == {}


def test_an_encoder_that_the_grid_names_is_measured_whole_beside_one_that_is_not(titles) -> None:
    table = titles["tos-battle-action-332p"]
    grid = candidates(table)
    named = [Wanted(c.codec, c.width_px, c.height_px, f"{c.target}@mine") for c in grid]
    first = Prober(load_model()).first_probes([*grid, *named])
    assert set(first) == {*named, *Prober(load_model()).first_probes(grid)}


def test_what_is_estimated_is_not_trained_on(titles) -> None:
    done = completed(titles["tos-battle-action-332p"])
    trained = from_tables([done], load_teacher(), {})
    assert len(trained.x_v) == len(done.measured().of_kind("video"))


def test_audio_features_that_the_model_does_not_read_count_for_nothing(titles, as_listened) -> None:
    table = as_listened(titles["tos-battle-action-332p"])
    vectors = [None if vector is None else vector + np.float32(50.0) for vector in table.frame["audio_features"]]
    strange = table.frame.assign(audio_features=vectors)
    done = completed(table)
    other = completed(FeatureTable(strange, table.metadata))
    assert done.metadata == other.metadata
    assert done.of_kind("video").equals(other.of_kind("video"))
    assert len(done.measured().frame) < len(done.frame)
