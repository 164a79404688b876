"""Allocation: the solver beside HiGHS, a plain Lagrangian and dynamic programming, on the same titles in one run.

python benchmarks/allocation.py [--scenes 5 20 100] [--time-limit S] [--skip-highs-above N] [--dp-limit N] [--seed N]

A title has S scenes of 240 pairs, each lasting 1 to 8 s (uniform). Its budget is the geometric mean of the cheapest
mean rate and the one at which every scene takes its best pair.

- real: scenes drawn from the surfaces of `examples/clip_features.parquet` as the shipped model predicts them, only 12,
  of 70 to 140 pairs: interpolated between their probes; every draw keeps 240 pairs at random, and multiplies rates and
  AVQ - 1 by a factor per scene (within 5 %) and one per pair (within 1 %), so that no two scenes are equal.
- synthetic: a saturating curve over 30 video rates times one over 8 audio rates, with noise; far from concave.

Methods, each timed from the arrays on:
- solver: `abr_alloc.allocation.solver.solve`, median of seven runs (three from 101 scenes on).
- HiGHS: `scipy.optimize.milp`, sparse, relative gap 0. It stops at an absolute gap of 1e-6 too, which SciPy does not
  expose: the objective is multiplied by --highs-scale (1000), so that HiGHS, like the solver, proves 1e-9 MOS.
- Lagrangian: 60 bisections of the price, the best choice within the budget; its bound is the least dual value.
- DP: exact over whole kilobits (kbps times seconds, a scene's rounded up, the title's budget rounded down); dominated
  pairs left out. Its bound is its optimum with one more kilobit per scene, which makes up for the rounding.

Objectives (mean MOS) and rates are added up again from the chosen pairs; an answer beyond the budget is marked. The gap
is the method's own bound minus its objective. Exits with 1 where any other method finds more than the solver.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import math
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty

import numpy as np
from results import write_results
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from abr_alloc.allocation.interpolation import interpolate
from abr_alloc.allocation.solver import solve
from abr_alloc.allocation.surface import build_surfaces
from abr_alloc.models.checkpoint import load_model
from abr_alloc.table.table import read_features

EXAMPLE = Path(__file__).parents[1] / "examples" / "clip_features.parquet"
PAIRS = 240
FIT = 2e-12  # relative excess that counts as rounding: what the solver allows, and as much for adding up
AUDIO_KBPS = np.array([16.0, 32, 48, 64, 96, 128, 160, 192])


class Problem:
    """A title: AVQ (MOS) and kbps of every pair, (S, P), and the scenes' durations (s)."""

    def __init__(self, avq: np.ndarray, kbps: np.ndarray, duration_s: np.ndarray) -> None:
        self.kbps, self.duration_s = kbps, duration_s
        share = (duration_s / duration_s.sum())[:, None]
        self.values, self.weights = avq * share, kbps * share
        cheapest, best = self.weights.min(axis=1).sum(), self.weights[np.arange(len(avq)), avq.argmax(axis=1)].sum()
        self.budget = math.sqrt(cheapest * best)

    def added_up(self, choice: np.ndarray) -> tuple[float, float]:
        """Mean MOS, and by which share the mean rate exceeds the budget."""
        rows = np.arange(len(choice))
        return math.fsum(self.values[rows, choice]), math.fsum(self.weights[rows, choice]) / self.budget - 1.0


@dataclass(frozen=True)
class Answer:
    choice: np.ndarray | None = None
    bound: float = math.nan
    seconds: float = math.nan
    note: str = ""


def real(num_scenes: int, rng: np.random.Generator, surfaces: list[tuple[np.ndarray, np.ndarray]]) -> Problem:
    avq, kbps = np.empty((2, num_scenes, PAIRS))
    for s in range(num_scenes):
        all_avq, all_kbps = surfaces[rng.integers(len(surfaces))]
        drawn = rng.choice(len(all_avq), PAIRS, replace=False)
        by_scene, by_pair = rng.uniform(0.95, 1.05, (2, 1)), rng.uniform(0.99, 1.01, (2, PAIRS))
        avq[s] = 1.0 + (all_avq[drawn] - 1.0) * by_scene[0] * by_pair[0]
        kbps[s] = all_kbps[drawn] * by_scene[1] * by_pair[1]
    return Problem(avq, kbps, rng.uniform(1.0, 8.0, num_scenes))


def synthetic(num_scenes: int, rng: np.random.Generator) -> Problem:
    avq, kbps = np.empty((2, num_scenes, PAIRS))
    for s in range(num_scenes):
        video_kbps = np.sort(np.exp(rng.uniform(np.log(80), np.log(6000), 30)))
        video = 1 / (1 + (rng.lognormal(6.5, 0.8) / video_kbps) ** rng.uniform(0.7, 1.3))
        audio = 1 - np.exp(-AUDIO_KBPS / rng.uniform(15, 50))
        noisy = np.outer(video + rng.normal(0, 0.01, 30), audio + rng.normal(0, 0.01, 8))
        avq[s] = 1 + 4 * noisy.ravel()
        kbps[s] = 1.02 * np.add.outer(video_kbps, AUDIO_KBPS * rng.uniform(0.95, 1.05, 8)).ravel()
    return Problem(avq, kbps, rng.uniform(1.0, 8.0, num_scenes))


def by_solver(p: Problem, time_limit_s: float) -> Answer:
    seconds = []
    for _ in range(7 if len(p.values) <= 100 else 3):
        started = time.perf_counter()
        found = solve(p.values, p.weights, p.budget, deadline=time.monotonic() + time_limit_s)
        seconds.append(time.perf_counter() - started)
    return Answer(found.choice, found.bound, statistics.median(seconds), "" if found.complete else "stopped early")


def by_highs(p: Problem, time_limit_s: float, scale: float) -> Answer:
    one_each = sparse.kron(sparse.eye_array(len(p.values)), np.ones((1, PAIRS)), "csc")
    rate = sparse.csc_array(p.weights.reshape(1, -1))
    constraints = [LinearConstraint(one_each, 1, 1), LinearConstraint(rate, -np.inf, p.budget)]
    cost, options = -scale * p.values.ravel(), {"time_limit": time_limit_s, "mip_rel_gap": 0.0}
    sys.stdout.flush()
    stdout = os.dup(1)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)  # HiGHS prints past Python
        started = time.perf_counter()
        found = milp(cost, integrality=1, bounds=Bounds(0, 1), constraints=constraints, options=options)
        seconds = time.perf_counter() - started
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(stdout, 1)
        os.close(stdout)
    bound = math.inf if found.mip_dual_bound is None else -found.mip_dual_bound / scale
    choice = None if found.x is None else found.x.reshape(p.values.shape).argmax(axis=1)
    return Answer(choice, bound, seconds, {0: "", 1: "time limit"}.get(found.status, "failed"))


def stopped(p: Problem, time_limit_s: float, scale: float) -> Answer:
    """HiGHS in a process of its own: it looks at its clock between its steps only, and one may take many minutes."""
    queue: multiprocessing.Queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=lambda: queue.put(by_highs(p, time_limit_s, scale)), daemon=True)
    process.start()
    try:
        return queue.get(timeout=2.0 * time_limit_s)
    except Empty:
        process.kill()
        return Answer(note=f"killed at twice its time limit of {time_limit_s:g} s, without an answer")


def by_lagrangian(p: Problem) -> Answer:
    started = time.perf_counter()
    rows = np.arange(len(p.values))
    best, most, bound = p.weights.argmin(axis=1), -math.inf, math.inf
    price, low, high, steps = 1e-6, 0.0, math.inf, 0
    while steps < 60:
        score = p.values - price * p.weights
        choice = score.argmax(axis=1)
        bound = min(bound, price * p.budget + float(score[rows, choice].sum()))
        value, fits = float(p.values[rows, choice].sum()), p.weights[rows, choice].sum() <= p.budget
        low, high = (low, price) if fits else (price, high)
        if fits and value > most:
            best, most = choice, value
        price = 0.5 * (low + high) if high < math.inf else 2.0 * price
        steps += high < math.inf
    return Answer(best, bound, time.perf_counter() - started)


def by_dp(p: Problem, limit: float) -> Answer:
    """most[c]: highest value of the scenes so far within c kilobits; taken[s, c]: the pair of scene s behind it."""
    num_scenes, capacity = len(p.values), math.floor(p.budget * p.duration_s.sum())
    if (steps := num_scenes * capacity * PAIRS) > limit:
        return Answer(note=f"not run: {steps:.1e} steps exceed --dp-limit {limit:.0e}")
    started = time.perf_counter()
    units = np.ceil(p.kbps * p.duration_s[:, None]).astype(np.int64)
    size = capacity + num_scenes + 1
    most, taken = np.zeros(size), np.zeros((num_scenes, size), dtype=np.uint8)
    for s in range(num_scenes):
        after, highest = np.full(size, -np.inf), -np.inf
        for j in np.lexsort((-p.values[s], units[s])):
            if p.values[s, j] <= highest or units[s, j] >= size:
                continue
            highest, u = p.values[s, j], units[s, j]
            reached = most[: size - u] + highest
            better = reached > after[u:]
            np.copyto(after[u:], reached, where=better)
            taken[s, u:][better] = j
        most = after
    if most[capacity] == -np.inf:
        return Answer(seconds=time.perf_counter() - started, note="nothing fits once rounded up")
    choice, left = np.zeros(num_scenes, dtype=np.intp), capacity
    for s in reversed(range(num_scenes)):
        choice[s] = taken[s, left]
        left -= units[s, choice[s]]
    return Answer(choice, float(most[-1]), time.perf_counter() - started)


def compare(kind: str, p: Problem, args: argparse.Namespace) -> dict[str, float]:
    """Print one line of the table per method; how often as long as the solver each other one took."""
    methods: dict[str, Callable[[], Answer]] = {
        "solver": lambda: by_solver(p, args.time_limit),
        "HiGHS": lambda: stopped(p, args.time_limit, args.highs_scale),
        "Lagrangian": lambda: by_lagrangian(p),
        "DP": lambda: by_dp(p, args.dp_limit),
    }
    if len(p.values) > args.skip_highs_above:
        methods["HiGHS"] = lambda: Answer(note=f"not run: more than {args.skip_highs_above} scenes")
    own = best = None
    times: dict[str, float] = {}
    for name, method in methods.items():
        answer, objective, excess = method(), math.nan, 0.0
        if answer.choice is not None:
            objective, excess = p.added_up(answer.choice)
        own, best = own or answer, objective if best is None else best
        fits = excess <= FIT
        if own is not answer and answer.seconds > 0:
            times[f"solver faster than {name}, {kind}, {len(p.values)} scenes"] = answer.seconds / own.seconds
        note = answer.note if fits else f"{answer.note} beyond the budget by {excess:.0e} of it".strip()
        cells = f"{objective:.9f} | {objective - best:.1e} | {answer.bound - objective:.1e} | {answer.seconds:.4f}"
        cells = f"{cells} | {answer.seconds / own.seconds:.1f}".replace("nan", "–")
        print(f"| {kind} | {len(p.values)} | {name} | {cells} | {note} |", flush=True)
        if (answer is own and not fits) or (fits and objective > best + 1e-9):
            sys.exit(f"wrong: {name} finds {objective!r}, the solver {best!r}; within the budget: {fits}")
    return times


def footprint(kind: str, p: Problem, path: Path, time_limit_s: float) -> str:
    """A line with the time to read both arrays and the solver's peak memory beside them."""
    np.savez(path, values=p.values, weights=p.weights)
    read_ms = []
    for _ in range(5):
        started = time.perf_counter()
        with np.load(path) as arrays:
            values, weights = arrays["values"], arrays["weights"]
        read_ms.append(1e3 * (time.perf_counter() - started))
    tracemalloc.start()
    solve(values, weights, p.budget, deadline=time.monotonic() + time_limit_s)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    sizes = f"{statistics.median(read_ms):.2f} | {peak / 1e6:.2f} | {peak / values.size:.0f}"
    return f"| {kind} | {len(values)} | {p.budget:.1f} | {sizes} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, nargs="+", default=[5, 20, 100, 500, 2000, 5000])
    parser.add_argument("--time-limit", type=float, default=120.0, help="seconds for HiGHS, and for the solver")
    parser.add_argument("--skip-highs-above", type=int, default=sys.maxsize, metavar="N")
    parser.add_argument("--highs-scale", type=float, default=1e3, help="factor on the objective of HiGHS")
    parser.add_argument("--dp-limit", type=float, default=2e10, help="largest scenes x kilobits x pairs for DP")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    multiprocessing.set_start_method("fork")
    interpolated = map(interpolate, build_surfaces(read_features(EXAMPLE), load_model()))
    surfaces = [(s.avq_mos.ravel().astype(np.float64), s.total_kbps.ravel()) for s in interpolated]
    heads = "surfaces | scenes | method | mean MOS | minus solver | proven gap | seconds | times solver | note"
    print(f"| {heads} |\n{'|---' * 9}|")
    footprints: list[str] = []
    ratios: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for num_scenes, kind in itertools.product(args.scenes, ("real", "synthetic")):
            rng = np.random.default_rng([args.seed, num_scenes, kind == "real"])
            p = real(num_scenes, rng, surfaces) if kind == "real" else synthetic(num_scenes, rng)
            ratios |= compare(kind, p, args)
            footprints.append(footprint(kind, p, Path(folder, "surfaces.npz"), args.time_limit))
    print("\n| surfaces | scenes | budget, kbps | reading, ms | peak memory, MB | bytes per pair |")
    print("|---" * 6 + "|", *footprints, sep="\n")
    write_results(args.json, "allocation", ratios)


if __name__ == "__main__":
    main()
