"""Interpolation between probes: what leaving probes out of a fine grid costs, in AVQ and in decisions.

python benchmarks/interpolation.py FINE.parquet

FINE.parquet is a feature table with many CRFs per size, for example from this grid (`abr-alloc extract --grid`):

    [video]
    sizes = [1080, 720, 540, 360, 240]
    [video.crf]
    h264 = [16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44, 46, 48, 50]
    [audio]
    aac = ["16k", "32k", "48k", "64k", "96k", "128k", "192k"]

Error: AVQ at the CRFs left out, within the range of those kept, against the interpolated curve of the same size and
audio rendition. Regret: what a plan on the thinned, interpolated surface loses against one on the whole, interpolated
surface, its choice looked up on the latter; budgets from 60k to 8M. A budget that only the whole grid has a pair for
counts as unserved.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from pathlib import Path

import numpy as np

from abr_alloc.allocation.interpolation import interpolate, size_curves
from abr_alloc.allocation.plan import best_pair
from abr_alloc.allocation.surface import QualitySurface, build_surfaces
from abr_alloc.models.checkpoint import load_model
from abr_alloc.table.table import read_features
from abr_alloc.targets import Target

BUDGETS_KBPS = np.geomspace(60, 8000, 24)
NAMED = ((18, 26, 32, 38, 44), (20, 26, 32, 38, 44))  # the default grid, and what it was


def crf(target: str) -> int:
    return int(Target(target).crf)


def thin(surface: QualitySurface, kept: tuple[int, ...]) -> QualitySurface:
    rows = [i for i, v in enumerate(surface.video) if crf(v.target) in kept]
    return dataclasses.replace(
        surface,
        video=tuple(surface.video[i] for i in rows),
        avq_mos=surface.avq_mos[rows],
        total_kbps=surface.total_kbps[rows],
        x_v=surface.x_v[rows],
    )


def errors(surface: QualitySurface, kept: tuple[int, ...]) -> np.ndarray:
    """|error| in MOS at every probe left out inside the range, for every audio rendition."""
    found = [np.zeros(0)]
    for whole, part in zip(size_curves(surface), size_curves(thin(surface, kept)), strict=True):
        left_out = [i for i, probe in enumerate(whole.probes) if crf(probe.target) not in kept]
        between = part.at(whole.kbps[left_out])
        found.append(np.abs(between - whole.avq_mos[left_out])[~np.isnan(between)])
    return np.concatenate(found)


class Regret:
    """Looks a thinned plan's choice up on the whole surface."""

    def __init__(self, surface: QualitySurface) -> None:
        self.surface, self.whole = surface, interpolate(surface)
        self.curves = {(c.width_px, c.height_px): c for c in size_curves(surface)}

    def of(self, kept: tuple[int, ...]) -> tuple[list[float], int]:
        offered = interpolate(thin(self.surface, kept))
        regrets, unserved = [], 0
        for budget in BUDGETS_KBPS:
            best, chosen = best_pair(self.whole, budget), best_pair(offered, budget)
            if best is None:
                continue
            if chosen is None:
                unserved += 1
                continue
            v = offered.video[chosen[0]]
            truth = self.curves[v.width_px, v.height_px].at(np.array([v.bitrate_kbps]))[0, chosen[1]]
            regrets.append(max(float(self.whole.avq_mos[best] - truth), 0.0))
        return regrets, unserved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("features", type=Path)
    table, model = read_features(parser.parse_args().features), load_model()
    surfaces = list(build_surfaces(table, model))
    regrets = [Regret(surface) for surface in surfaces]
    available = sorted({crf(v.target) for v in surfaces[0].video})
    served = sum(best_pair(r.whole, budget) is not None for r in regrets for budget in BUDGETS_KBPS)
    print(f"{len({s.title for s in surfaces})} titles, {len(surfaces)} scenes, CRF {available[0]} to {available[-1]}")
    print(f"{served} budgets that the whole grid has a pair for; unserved: those that the thinned one has none for")
    print("| probes per size | CRFs | error mean | error 95 % | error worst | regret mean | regret worst | unserved |")
    print("|---|---|---|---|---|---|---|---|")
    for number in range(3, 9):
        sets = {
            tuple(available[int(np.abs(np.array(available) - x).argmin())] for x in np.linspace(first, last, number))
            for first, last in itertools.product(available[:4], available[-6:])
        }
        sets |= {kept for kept in NAMED if len(kept) == number}
        rows = []
        for kept in sorted(sets):
            error = np.concatenate([errors(s, kept) for s in surfaces])
            found = [r.of(kept) for r in regrets]
            regret = np.array([value for values, _ in found for value in values])
            unserved = sum(count for _, count in found)
            rows.append((unserved, float(regret.mean()), kept, error, float(regret.max())))
        least = min(row[0] for row in rows)
        shown = sorted(rows, key=lambda row: (row[0] > least, row[1]))[:2]
        shown += [row for row in rows if row[2] in NAMED and row not in shown]
        for unserved, mean, kept, error, worst in shown:
            print(
                f"| {number} | {' '.join(map(str, kept))} | {error.mean():.4f} | {np.quantile(error, 0.95):.4f} | "
                f"{error.max():.3f} | {mean:.4f} | {worst:.3f} | {unserved} |"
            )


if __name__ == "__main__":
    main()
