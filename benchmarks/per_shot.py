"""Mean rates spread over scenes: time of all allocations of one size beside one audio, and what is proven of them.

python benchmarks/per_shot.py [--scenes N ...] [--features FILE ...] [--rates N] [--json FILE]

On simulated films and on tables of features (the first title, its largest size): the sweep of all prices beside one
exact knapsack per rate (`solve`), in turn, in one run; then the other ways to pool, and limits. Times are processor
times. `gain` is what the best allocation needs less than one CRF for the whole title, mean over AVQ.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from results import write_results

from abr_alloc.allocation.pooling import Candidates
from abr_alloc.allocation.relaxation import cheapest_choice
from abr_alloc.allocation.shot_options import list_options
from abr_alloc.allocation.shot_problem import ShotChoice, ShotProblem
from abr_alloc.allocation.shot_search import find_choices
from abr_alloc.allocation.shot_windows import PeakWindows
from abr_alloc.allocation.solver import solve
from abr_alloc.allocation.surface import build_surfaces, by_title
from abr_alloc.models.checkpoint import load_model
from abr_alloc.table.table import read_features

FEATURES = Path(__file__).parent / "features" / "clips.parquet"
CRFS = np.arange(18, 44.1, 0.25)


@dataclass(frozen=True)
class Film:
    """Options of a title at one size beside one audio."""

    name: str
    candidates: Candidates
    spread: tuple[np.ndarray, ...]
    """Half seconds of every scene, kbit, (P, B) each."""
    start_s: np.ndarray

    def problem(self, pool: str = "mean", step: float = math.inf, peak_part: float = math.inf) -> ShotProblem:
        """With windows, a peak so many times the one of the lightest choice."""
        if peak_part == math.inf:
            return ShotProblem(candidates=self.candidates, pool=pool, max_step_mos=step)
        avq, kbps = self.candidates.avq_mos, self.candidates.kbps
        length = self.start_s[-1] + self.spread[-1].shape[1] / 2
        windows = PeakWindows(self.spread, self.start_s.tolist(), length, 6.0)
        keeper = cheapest_choice(avq, kbps)
        peak = peak_part * windows.peak_kbps(keeper)
        kept = windows.inner_peaks_kbps() <= peak
        return ShotProblem(
            candidates=Candidates(
                avq_mos=np.where(kept, avq, -np.inf),
                kbps=np.where(kept, kbps, np.inf),
                time_share=self.candidates.time_share,
            ),
            pool=pool,
            windows=windows,
            peak_kbps=peak,
            keeper=keeper,
        )


def simulated(num_scenes: int) -> Film:
    """Contents of 11 kinds, scenes of 1 to 12 s."""
    rng = np.random.default_rng(num_scenes)
    kinds = rng.lognormal(0.0, 0.8, 11), rng.uniform(0.7, 1.4, 11)
    kind = rng.integers(11, size=num_scenes)
    hard = (kinds[0][kind] * rng.lognormal(0.0, 0.3, num_scenes))[:, None]
    kbps = 90 * hard * 2 ** ((44 - CRFS) / 5.7)
    avq = 1 + 3.6 / (1 + (110 * hard**0.8 / kbps) ** kinds[1][kind][:, None])
    halves = rng.integers(2, 25, num_scenes)
    spread = tuple(
        (rng.dirichlet(np.full(n, 3.0)) * k[:, None] * n / 2) for n, k in zip(halves.tolist(), kbps, strict=True)
    )
    return Film(
        name=f"simulated, {num_scenes} scenes",
        candidates=Candidates(avq_mos=avq, kbps=kbps, time_share=halves / halves.sum()),
        spread=spread,
        start_s=(np.cumsum(halves) - halves) / 2,
    )


def of_table(path: Path) -> Film:
    """The first title; sizes are spread over time evenly where the table does not tell."""
    scenes = next(by_title(build_surfaces(read_features(path), load_model())))
    (options, *_) = list_options(scenes, scenes[0].video[0].codec)
    largest = max(
        z for z in range(len(options.sizes_px)) if np.isfinite(options.kbps[:, options.of_size(z)]).any(axis=1).all()
    )
    columns, seconds = options.of_size(largest), np.array([scene.duration_s for scene in scenes])
    kbps = options.kbps[:, columns]
    spread = [
        np.outer(np.where(np.isfinite(k), k, np.nan), np.full(round(2 * s) or 1, 0.5))
        for k, s in zip(kbps, seconds, strict=True)
    ]
    if options.half_second_kbit is not None:
        spread = [kbit[columns] for kbit in options.half_second_kbit]
    return Film(
        name=f"{path.stem}, {len(scenes)} scenes",
        candidates=Candidates(
            avq_mos=options.avq_mos[len(options.audio) // 2][:, columns], kbps=kbps, time_share=seconds / seconds.sum()
        ),
        spread=tuple(spread),
        start_s=np.array([scene.start_s for scene in scenes]),
    )


def timed(problem: ShotProblem, rates: np.ndarray) -> tuple[float, list[ShotChoice]]:
    started = time.process_time()
    found = find_choices(problem, rates)
    return time.process_time() - started, [one for one in found if one is not None]


def by_knapsacks(film: Film, rates: np.ndarray) -> float:
    c = film.candidates
    values, weights = c.avq_mos * c.time_share[:, None], c.kbps * c.time_share[:, None]
    started = time.process_time()
    for rate in rates.tolist():
        solve(values, weights, rate)
    return time.process_time() - started


def gain(film: Film, problem: ShotProblem, found: Sequence[ShotChoice]) -> float:
    """Rate at equal mean AVQ beside one option for the whole title, as a share: mean over AVQ of its logarithm."""
    c = film.candidates
    shared = np.isfinite(c.kbps).all(axis=0)
    ends = [
        (c.time_share @ c.kbps[:, shared], c.time_share @ c.avq_mos[:, shared]),
        (np.array([problem.mean_kbps(f.choice) for f in found]), np.array([problem.merit(f.choice)[1] for f in found])),
    ]
    curves = []
    for kbps, mos in ends:
        order = np.argsort(kbps)
        best = np.maximum.accumulate(mos[order])
        rises = np.append(True, np.diff(best) > 1e-9)
        curves.append((best[rises], np.log(kbps[order][rises])))
    low, high = max(curve[0][0] for curve in curves), min(curve[0][-1] for curve in curves)
    at = np.linspace(low, high, 1000)
    return math.expm1(float(np.mean(np.interp(at, *curves[1]) - np.interp(at, *curves[0]))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, nargs="*", default=[26, 200, 1000])
    parser.add_argument("--features", type=Path, nargs="*", default=[FEATURES])
    parser.add_argument("--rates", type=int, default=150)
    parser.add_argument("--slow-above", type=int, default=50, help="scenes beyond which p5 is left out")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    ratios: dict[str, float] = {}
    seconds: dict[str, float] = {}
    print(f"{'film':32} {'limits':16} {'rates':>5} {'s':>8} {'largest gap, MOS':>17} {'gain':>7}")
    for film in [*map(simulated, args.scenes), *map(of_table, args.features)]:
        c = film.candidates
        dearest = c.time_share @ np.where(np.isfinite(c.kbps), c.kbps, 0.0).max(axis=1)
        rates = np.geomspace(c.least_kbps() * 1.001, dearest, args.rates)
        problems = {
            "mean": film.problem(),
            "harmonic": film.problem("harmonic"),
            "min": film.problem("min"),
            "p5": film.problem("p5"),
            "step 0.5 MOS": film.problem(step=0.5),
            "peak": film.problem(peak_part=4.0),
        }
        if len(c.avq_mos) > args.slow_above:
            del problems["p5"]
        for name, problem in problems.items():
            taken_s, found = timed(problem, rates)
            gap = max((one.upper_bound_mos - one.pooled_mos for one in found), default=math.nan)
            won = f"{100 * gain(film, problem, found):6.1f}%" if len(found) > 1 else ""
            print(f"{film.name:32} {name:16} {len(found):5} {taken_s:8.3f} {gap:17.1e} {won:>7}", flush=True)
            seconds[f"{film.name}, {name}"] = taken_s
        knapsacks_s = by_knapsacks(film, rates)
        ratios[f"sweep faster than knapsacks, {film.name}"] = knapsacks_s / seconds[f"{film.name}, mean"]
        ratios[f"step / mean, {film.name}"] = seconds[f"{film.name}, step 0.5 MOS"] / seconds[f"{film.name}, mean"]
        print(f"{film.name:32} {'one knapsack per rate':16} {knapsacks_s:8.3f} s")
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.3g}")
    write_results(args.json, "per_shot", ratios, seconds)


if __name__ == "__main__":
    main()
