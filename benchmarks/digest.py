"""A digest beside the whole title: error of AVQ and of rates, what decisions lose, and the time.

python benchmarks/digest.py SOURCE [--digest 30s] [--grid NAME|FILE.toml] [--json FILE]
python benchmarks/digest.py --tables FULL.parquet DIGEST.parquet [--json FILE]

The first form measures SOURCE twice with one job and an empty cache each time, `extract --digest` and `extract --full`;
the second compares tables that were made so. Time is processor time of the commands and all their children: of a busy
machine it says more than a clock. AVQ error: the digest's weighted mean over its stretches against the full
table's mean over its scenes, at every pair of renditions; rate error: the same of the video rates, in per cent. Regret:
the choice made on the digest's interpolated surface under 40 budgets (evenly spaced in the logarithm from the full
title's cheapest pair to where its AVQ is within 0.005 MOS of the highest), looked up on the full title's at the same
size and video rate, against the best there is; ladder: the same in expected AVQ of three rungs, default audience.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from results import write_results

from abr_alloc import defaults
from abr_alloc.allocation.audience import read_audience
from abr_alloc.allocation.design import DesignOptions, design_titles
from abr_alloc.allocation.interpolation import interpolate, size_curves
from abr_alloc.allocation.plan import best_pair
from abr_alloc.allocation.rung import make_ladder
from abr_alloc.allocation.surface import QualitySurface, build_surfaces
from abr_alloc.allocation.title_surface import TitleCurves, merge_scenes
from abr_alloc.models.checkpoint import load_model
from abr_alloc.table.table import read_features

COMMAND = [sys.executable, "-c", "from abr_alloc.cli import main; main()"]
NUM_BUDGETS = 40


def regrets(full: QualitySurface, digest: QualitySurface) -> np.ndarray:
    known, offered = interpolate(full), interpolate(digest)
    curves = {(c.width_px, c.height_px): c for c in size_curves(full)}
    most = known.total_kbps[known.avq_mos >= known.avq_mos.max() - 0.005].min()
    found = []
    for budget in np.geomspace(max(full.total_kbps.min(), digest.total_kbps.min()) * 1.001, most, NUM_BUDGETS):
        best, chosen = best_pair(known, budget), best_pair(offered, budget)
        video = offered.video[chosen[0]]
        curve = curves[video.width_px, video.height_px]
        kbps = np.clip(video.bitrate_kbps, curve.kbps[0] * (1 + 1e-12), curve.kbps[-1] * (1 - 1e-12))
        found.append(max(float(known.avq_mos[best]) - float(curve.at(np.array([kbps]))[0, chosen[1]]), 0.0))
    return np.array(found)


def ladder_regret(full: QualitySurface, digest: QualitySurface) -> float:
    audience, options = read_audience(defaults.NETWORK), DesignOptions(num_rungs=3)
    known, ours = (design_titles([surface], audience, options)[0].ladder for surface in (full, digest))
    curves = TitleCurves(full, known.rungs[0].video.codec)
    column = {audio.target: i for i, audio in enumerate(full.audio)}
    rungs = []
    for r in ours.rungs:
        curve = next(c for c in curves.curves if (c.width_px, c.height_px) == (r.video.width_px, r.video.height_px))
        kbps = np.clip(r.video.bitrate_kbps, curve.kbps[0] * (1 + 1e-12), curve.kbps[-1] * (1 - 1e-12))
        truth = float(curve.at(np.array([kbps]))[0, column[r.audio.target]])
        rungs.append((r.video, r.audio, r.total_kbps, truth, ""))
    return known.expected_avq_mos - make_ladder("", rungs, audience, (0.0, 0.0)).expected_avq_mos


def measure(source: Path, grid: str, how: list[str], folder: Path) -> tuple[Path, float]:
    """The table of a source, and the processor seconds that it took."""
    output = folder / f"{how[0].strip('-')}.parquet"
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    cache = folder / f"cache{how[0]}"
    words = ["extract", source, "--grid", grid, "--probes", "all", "--jobs", "1", "--cache", cache, "-o", output]
    subprocess.run([*COMMAND, "-q", *words, *how], check=True)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return output, end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, nargs="?")
    parser.add_argument("--tables", type=Path, nargs=2, metavar=("FULL", "DIGEST"))
    parser.add_argument("--digest", default="30s")
    parser.add_argument("--grid", default="quick")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if (args.source is None) == (args.tables is None):
        parser.error("give a SOURCE or --tables")
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = args.tables
        if args.source:
            digest, seconds["digest"] = measure(args.source, args.grid, ["--digest", args.digest], Path(folder))
            full, seconds["full"] = measure(args.source, args.grid, ["--full"], Path(folder))
            paths = full, digest
        model = load_model()
        scenes = [list(build_surfaces(read_features(path), model)) for path in paths]
    full, digest = (merge_scenes(surfaces) for surfaces in scenes)
    error = np.abs(digest.avq_mos - full.avq_mos)
    kbps = [np.array([v.bitrate_kbps for v in surface.video]) for surface in (full, digest)]
    rate_error = np.abs(kbps[1] / kbps[0] - 1.0)
    regret, ladder = regrets(full, digest), ladder_regret(full, digest)
    measured_s = [sum(s.duration_s for s in surfaces) for surfaces in scenes]
    print(f"{full.title}: {measured_s[1]:.0f} of {measured_s[0]:.0f} s in {len(scenes[1])} stretches")
    print(f"AVQ error: mean {error.mean():.3f}, worst {error.max():.3f} MOS; rate error: mean {rate_error.mean():.1%}")
    print(f"regret: mean {regret.mean():.4f}, worst {regret.max():.3f} MOS; ladder {ladder:.4f} MOS")
    ratios = {"seconds measured, digest / full": measured_s[1] / measured_s[0]}
    if seconds:
        ratios["time, digest / full"] = seconds["digest"] / seconds["full"]
        print(f"time: {seconds['digest']:.0f} of {seconds['full']:.0f} s, {ratios['time, digest / full']:.2f}")
    figures = {
        "AVQ error mean, MOS": float(error.mean()),
        "AVQ error worst, MOS": float(error.max()),
        "rate error mean, share": float(rate_error.mean()),
        "regret mean, MOS": float(regret.mean()),
        "regret worst, MOS": float(regret.max()),
        "ladder regret, MOS": float(ladder),
    }
    write_results(args.json, "digest", ratios, seconds, figures)


if __name__ == "__main__":
    main()
