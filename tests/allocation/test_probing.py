"""A few probes of a grid lead to its plans, and they are the same whatever the order of the grid."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from abr_alloc.allocation import probing
from abr_alloc.allocation.interpolation import interpolate, size_curves
from abr_alloc.allocation.plan import best_pair
from abr_alloc.allocation.probing import LEAST_PROBES, MOST_SHARE, Prober
from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition, build_surfaces
from abr_alloc.allocation.title_surface import merge_scenes
from abr_alloc.models.checkpoint import load_model
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


def test_the_two_corners_come_first(titles) -> None:
    for table in titles.values():
        grid = candidates(table)
        heights = {c.height_px for c in grid}
        first = probe(table, grid)[0]
        assert {(c.height_px, c.target) for c in first} == {(min(heights), "crf=44"), (max(heights), "crf=18")}


def test_a_third_of_the_grid_or_a_few_and_none_twice(titles) -> None:
    for table in titles.values():
        grid = candidates(table)
        taken = all_of(probe(table, grid))
        assert len(taken) == len(set(taken)) <= max(LEAST_PROBES, len(grid) * MOST_SHARE)
        assert set(taken) <= set(grid)


def test_plans_from_the_probes_are_the_whole_grids(titles) -> None:
    regrets = []
    for table in titles.values():
        whole = merge_scenes(list(build_surfaces(table, load_model())))
        part = interpolate(
            merge_scenes(list(build_surfaces(only(table, all_of(probe(table, candidates(table)))), load_model())))
        )
        curves, known = {(c.width_px, c.height_px): c for c in size_curves(whole)}, interpolate(whole)
        for budget in np.geomspace(whole.total_kbps.min() * 1.001, whole.total_kbps.max(), 15):
            best, chosen = best_pair(known, budget), best_pair(part, budget)
            assert chosen is not None
            video = part.video[chosen[0]]
            truth = curves[video.width_px, video.height_px].at(np.array([video.bitrate_kbps * (1 - 1e-9)]))[
                0, chosen[1]
            ]
            regrets.append(known.avq_mos[best] - (truth if np.isfinite(truth) else part.avq_mos[chosen]))
    assert np.mean(regrets) < 0.02
    assert max(regrets) < 0.3  # AVQ's scale is half as wide again as the one that .19 was measured on


def test_the_order_of_the_grid_changes_nothing(titles) -> None:
    table = titles["cartoon-veo-carnival-720p"]
    grid = candidates(table)
    assert [set(r) for r in probe(table, grid)] == [set(r) for r in probe(table, grid[::-1])]


def test_nothing_is_believed_of_rates_and_little_is_measured_whole(titles) -> None:
    table = titles["cartoon-veo-carnival-720p"]
    none = only(table, [])
    rates = [Wanted("h264", 640, 360, f"b={100 * i}k") for i in range(1, 9)]
    assert Prober(load_model()).next_probes(none, rates) == rates
    few = candidates(table)[:LEAST_PROBES]
    assert set(Prober(load_model()).next_probes(none, few)) == set(few)


def test_a_size_that_cannot_reach_the_envelope_is_skipped(monkeypatch) -> None:
    """The middle size takes five times the rate that its place between the others would."""
    sizes, crfs = (240, 360, 720), (44, 40, 36, 31, 26, 22, 18)
    grid = [Wanted("h264", 2 * h, h, f"crf={crf}") for h in sizes for crf in crfs]
    log_kbps = {240: 0.0, 360: 0.6 + np.log(5.0), 720: 1.7}
    taken: list[Wanted] = []

    def surface() -> QualitySurface:
        crf = np.array([float(c.target[4:]) for c in taken])
        kbps = np.exp(3.5 + (44 - crf) / 8 + [log_kbps[c.height_px] for c in taken])
        logit = (crf - 36) / 7 - np.log2([c.height_px / 240 for c in taken])
        video = [VideoRendition(**dataclasses.asdict(c), bitrate_kbps=k) for c, k in zip(taken, kbps, strict=True)]
        return QualitySurface(
            title="t",
            scene=0,
            start_s=0.0,
            end_s=1.0,
            video=tuple(video),
            audio=(AudioRendition(codec="aac", channels=2, target="b=64k", bitrate_kbps=64.0),),
            avq_mos=(1.0 + 3.0 / (1.0 + np.exp(logit)))[:, None],
            total_kbps=kbps[:, None] + 64.0,
            x_v=np.zeros((len(taken), 1)),
            x_a=np.zeros((1, 1)),
        )

    class Measured:
        def of_kind(self, kind: str) -> pd.DataFrame:
            return pd.DataFrame([dataclasses.asdict(c) for c in taken], columns=list(Wanted.__annotations__))

    monkeypatch.setattr(probing, "build_surfaces", lambda table, model: [surface()])
    prober = Prober(load_model(), most_share=0.9)
    rounds = []
    while found := prober.next_probes(Measured(), grid):
        taken += found
        rounds.append({c.height_px for c in found})
    tried = [i for i, heights in enumerate(rounds) if 360 in heights]
    assert len(tried) <= 1  # it takes one look to find out
    assert len(taken) < 0.7 * len(grid)
