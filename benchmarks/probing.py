"""Adaptive probing: what `extract --probes auto` measures of a grid, and what plans made from that lose.

python benchmarks/probing.py GRID.parquet... [--held-out GRID.parquet...] [--clip FILE] [--json FILE]

GRID.parquet are feature tables of whole grids (`abr-alloc extract --probes all`); the probes are taken from their rows,
as `Prober` asks for them, and what it estimates of the others is taken as it is. 40 budgets per title, evenly spaced in
the logarithm from the cheapest pair to where AVQ is within 0.005 MOS of its highest; regret is what the choice made
from the probes has less than the best of the grid, both looked up on the whole grid's interpolated surface; the error
is what the choice promises less what that surface gives. Per title and per scene; plain (`--measured-only`): without
interpolation and estimates, beside the best of the whole grid's measured pairs; ladder: the expected AVQ of six rungs
for the default audience, the rungs' AVQ looked up on the whole grid.

With --held-out, every title's prior is fitted to those titles of the tables named there that are of other contents
(`probe_prior.py`), and the factor of the error bound likewise: to the titles of other contents. Coverage is the part of
predictions that lie within a title's bound.

Encodes are held against the whole grid, the exhaustive way of ladder tools (13 rates at 8 sizes, 104 encodes), and the
naive audio-visual way (every pair muxed and scored, n_a n_v). With --clip, the seconds of an encode and of its scoring
are measured at every size of the default grid (CRF 32), and the same is given as time; for the naive way each pair is
an encode's share and one scoring.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from probe_prior import content, fit_without, scenes_of
from results import write_results

from abr_alloc import defaults
from abr_alloc.allocation.audience import read_audience
from abr_alloc.allocation.design import DesignOptions, design_titles
from abr_alloc.allocation.interpolation import interpolate, size_curves
from abr_alloc.allocation.plan import best_pair, planning_surfaces
from abr_alloc.allocation.probing import Prober
from abr_alloc.allocation.rung import make_ladder
from abr_alloc.allocation.surface import QualitySurface, build_surfaces
from abr_alloc.allocation.surrogate import CurvePrior, load_prior
from abr_alloc.allocation.title_surface import TitleCurves, merge_scenes
from abr_alloc.errors import InfeasibleLadderError
from abr_alloc.measure.video import measure_video
from abr_alloc.media.encoding import encode_video
from abr_alloc.media.ffmpeg import find_ffmpeg
from abr_alloc.media.grid import load_grid
from abr_alloc.media.part import Part
from abr_alloc.media.probe import probe
from abr_alloc.media.scenes import scan_source
from abr_alloc.models.checkpoint import load_model
from abr_alloc.table.table import FeatureTable, read_features

NUM_BUDGETS = 40
EXHAUSTIVE = 13 * 8
KEYS = ("codec", "width_px", "height_px", "target")


@dataclass(frozen=True)
class Rendition:
    codec: str
    width_px: int
    height_px: int
    target: str


def grid_of(table: FeatureTable) -> list[Rendition]:
    video = table.of_kind("video")[list(KEYS)].drop_duplicates()
    return [Rendition(codec, int(w), int(h), target) for codec, w, h, target in video.itertuples(index=False)]


def only(table: FeatureTable, probes: list[Rendition]) -> FeatureTable:
    wanted = {dataclasses.astuple(p) for p in probes}
    rows = zip(*(table.frame[key] for key in KEYS), strict=True)
    keep = (table.frame["kind"] == "audio").to_numpy() | np.array([row in wanted for row in rows])
    return FeatureTable(table.frame[keep].reset_index(drop=True), table.metadata)


def regrets(whole: QualitySurface, part: QualitySurface, interpolated: bool) -> tuple[np.ndarray, np.ndarray]:
    """Regret and error of the AVQ promised at every budget; NaN where the probes have no pair."""
    surfaces = (interpolate(whole), interpolate(part)) if interpolated else (whole, part)
    known, offered = surfaces
    curves = {(c.width_px, c.height_px): c for c in size_curves(whole)}
    most = known.total_kbps[known.avq_mos >= known.avq_mos.max() - 0.005].min()
    found, errors = [], []
    for budget in np.geomspace(whole.total_kbps.min() * 1.001, most, NUM_BUDGETS):
        best, chosen = best_pair(known, budget), best_pair(offered, budget)
        if chosen is None:
            found.append(np.nan)
            errors.append(np.nan)
            continue
        video = offered.video[chosen[0]]
        curve = curves[video.width_px, video.height_px]
        kbps = np.clip(video.bitrate_kbps, curve.kbps[0] * (1 + 1e-12), curve.kbps[-1] * (1 - 1e-12))
        kept = float(curve.at(np.array([kbps]))[0, chosen[1]])
        found.append(max(float(known.avq_mos[best]) - kept, 0.0))
        errors.append(float(offered.avq_mos[chosen]) - kept)
    return np.array(found), np.array(errors)


def as_measured(surface: QualitySurface) -> QualitySurface:
    """What `--measured-only` chooses from."""
    (left,) = planning_surfaces([surface], overhead=defaults.OVERHEAD, measured_only=True)
    return left


def ladder_regret(whole: QualitySurface, part: QualitySurface) -> float:
    """What the ladder designed on the probes has less in expected AVQ; NaN where either has none of six rungs."""
    audience, options = read_audience(defaults.NETWORK), DesignOptions()
    try:
        known, ours = (design_titles([surface], audience, options)[0].ladder for surface in (whole, part))
    except InfeasibleLadderError:
        return np.nan
    curves = TitleCurves(whole, "h264")
    column = {audio.target: i for i, audio in enumerate(whole.audio)}
    rungs = []
    for r in ours.rungs:
        kbps = np.array([r.video.bitrate_kbps])
        truth = curves.at(min(r.video.width_px, r.video.height_px), kbps)[0, column[r.audio.target]]
        rungs.append((r.video, r.audio, r.total_kbps, float(truth), ""))
    return known.expected_avq_mos - make_ladder("", rungs, audience, (0.0, 0.0)).expected_avq_mos


def factor_of(ratios: list[np.ndarray]) -> float:
    """95 % quantile of errors beside what was expected, over all budgets of all titles."""
    return float(np.nanquantile(np.concatenate(ratios), 0.95))


def coverage(beside: list[tuple[str, np.ndarray]]) -> float:
    """Part of predictions within the bound whose factor is that of the other contents; NaN where there is one."""
    inside = []
    for of, ratio in beside:
        if others := [other for name, other in beside if name != of]:
            inside.append(ratio[~np.isnan(ratio)] <= factor_of(others))
    return float(np.concatenate(inside).mean()) if inside else np.nan


def seconds_per_size(clip: Path) -> tuple[dict[int, float], dict[int, float]]:
    """Seconds to encode and to score one rendition, by short side."""
    ffmpeg, info, encodes, scores = find_ffmpeg(), probe(clip, find_ffmpeg()), {}, {}
    with tempfile.TemporaryDirectory() as folder:
        part = Part.whole(scan_source(ffmpeg, info, Path(folder)).num_frames)
        for target in load_grid("hull").video(info, "h264"):
            if target.target != "crf=32":
                continue
            side = min(target.width_px, target.height_px)
            with tempfile.TemporaryDirectory(dir=folder) as work:
                path = Path(work) / "rendition.mp4"
                start = time.perf_counter()
                encode_video(ffmpeg, info, target, path)
                encodes[side] = time.perf_counter() - start
                measure_video(ffmpeg, info, path, part, Path(work))
                scores[side] = time.perf_counter() - start - encodes[side]
    return encodes, scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("grids", type=Path, nargs="+")
    parser.add_argument("--held-out", type=Path, nargs="+", default=[])
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    model = load_model()
    rows, per_scene, found, beside = [], [], {}, []
    scenes_known = [scene for path in args.held_out for scene in scenes_of(read_features(path))]
    priors: dict[str, CurvePrior] = {}
    print(
        "| title | grid | probes | rounds | regret mean | worst | error 95 % | expected | plain mean | worst | ladder |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for path in args.grids:
        table = read_features(path)
        for title, frame in table.frame.groupby("title"):
            own = FeatureTable(frame.reset_index(drop=True), table.metadata)
            grid, probes, rounds = grid_of(own), [], 0
            if scenes_known and content(title) not in priors:
                priors[content(title)] = fit_without(scenes_known, {content(title)})
            prior = priors[content(title)] if scenes_known else load_prior()
            prober = Prober(model, dataclasses.replace(prior, factor=1.0))
            while wanted := prober.next_probes(only(own, probes), grid):
                probes += wanted
                rounds += 1
            done = prober.completed(only(own, probes), grid)
            expected = done.metadata.within_mos.get(title, np.nan)
            scenes = list(build_surfaces(own, model)), list(build_surfaces(done, model))
            whole, part = (merge_scenes(surfaces) for surfaces in scenes)
            per_scene += [regrets(w, p, True)[0] for w, p in zip(*scenes, strict=True)]
            regret, error = regrets(whole, part, True)
            plain, ladder = regrets(whole, as_measured(part), False)[0], ladder_regret(whole, part)
            rows.append((len(grid), len(probes), len(whole.audio), regret, plain, ladder))
            found[title] = probes
            beside.append((content(title), np.abs(error) / expected))
            print(
                f"| {title} | {len(grid)} | {len(probes)} | {rounds} | {np.nanmean(regret):.4f} | "
                f"{np.nanmax(regret):.3f} | {np.nanquantile(np.abs(error), 0.95):.3f} | {expected:.3f} | "
                f"{np.nanmean(plain):.3f} | {np.nanmax(plain):.3f} | {ladder:.4f} |",
                flush=True,
            )
    num_grid, num_probes = sum(r[0] for r in rows), sum(r[1] for r in rows)
    naive = sum(r[0] * r[2] for r in rows)
    regret, plain, scene = (np.concatenate(x) for x in ([r[3] for r in rows], [r[4] for r in rows], per_scene))
    ladder = np.array([r[5] for r in rows])
    unserved = int(np.isnan(regret).sum())
    print(f"{num_probes} of {num_grid} encodes, {num_probes / num_grid:.3f}; unserved budgets {unserved}")
    for name, values in (("title", regret), ("scene", scene), ("plain", plain), ("ladder", ladder)):
        print(
            f"regret per {name}: mean {np.nanmean(values):.4f}, 95 % {np.nanquantile(values, 0.95):.3f}, "
            f"worst {np.nanmax(values):.3f} MOS"
        )
    covered = coverage(beside)
    print(f"factor {factor_of([ratio for _, ratio in beside]):.2f}; coverage with that of other contents {covered:.3f}")
    print(f"exhaustive: {EXHAUSTIVE * len(rows)} encodes; naive audio-visual: {naive} pairs muxed and scored")
    ratios = {
        "encodes, auto / grid": num_probes / num_grid,
        "encodes, auto / exhaustive": num_probes / (EXHAUSTIVE * len(rows)),
        "scored, auto / naive pairs": num_probes / naive,
    }
    seconds = {}
    if args.clip:
        encodes, scores = seconds_per_size(args.clip)
        probes = found.get(args.clip.stem, [])
        num_audio = next((r[2] for t, r in zip(found, rows, strict=True) if t == args.clip.stem), 7)
        times = {side: encodes[side] + scores[side] for side in encodes}
        seconds = {
            "auto": sum(times[min(p.width_px, p.height_px)] for p in probes),
            "grid": 5 * sum(times.values()),
            "exhaustive": EXHAUSTIVE * float(np.mean(list(times.values()))),
            "naive": 5 * sum(encodes[side] + num_audio * scores[side] for side in encodes),
        }
        print("seconds at each size:", {side: f"{encodes[side]:.1f} + {scores[side]:.1f}" for side in encodes})
        print("; ".join(f"{name} {value:.0f} s" for name, value in seconds.items()))
        ratios |= {f"time, auto / {name}": seconds["auto"] / seconds[name] for name in ("grid", "exhaustive", "naive")}
    figures = {
        "regret mean, MOS": float(np.nanmean(regret)),
        "regret 95 %, MOS": float(np.nanquantile(regret, 0.95)),
        "regret worst, MOS": float(np.nanmax(regret)),
        "ladder regret worst, MOS": float(np.nanmax(ladder)),
        "coverage of the error bound": covered,
        "budgets unserved": float(unserved),
    }
    write_results(args.json, "probing", ratios, seconds, figures)


if __name__ == "__main__":
    main()
