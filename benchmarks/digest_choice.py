"""What the choice of a digest's stretches alone costs: units of a title that was measured whole, chosen and weighed.

    abr-alloc extract SOURCE --full --max-scene 2s --grid FILE.toml -o UNITS.parquet
    python benchmarks/digest_choice.py SOURCE UNITS.parquet [--share 0.1] [--films 80] [--json FILE]

Nothing is encoded: every unit's rates and AVQ are in the table. From the title as many films are drawn as asked for,
each three quarters of its runs of four units; of each the digest of so much of its length is chosen from the scan and
its weighted means are held against those of all units, at every rendition and pair. Beside it, in the same films, as
many units at even distances, each with the same weight. Mean error, and mean of the signed error (bias).
"""

from __future__ import annotations

import argparse
import math
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from results import write_results

from abr_alloc.allocation.surface import build_surfaces
from abr_alloc.measure.digest import UNIT_S, choose_stretches, mean_over, measure_complexity
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.ffmpeg import find_ffmpeg
from abr_alloc.media.probe import probe
from abr_alloc.media.scenes import Scene, scan_source, split_scenes
from abr_alloc.media.sound import decode_audio
from abr_alloc.models.checkpoint import load_model
from abr_alloc.table.table import read_features

RUN = 4
"""Units that are left out together."""
KEPT = 0.75


def units_of(source: Path) -> tuple[list[Scene], np.ndarray]:
    """The units of a source and the complexity of its seconds."""
    ffmpeg = find_ffmpeg()
    info = probe(source, ffmpeg)
    with tempfile.TemporaryDirectory() as folder:
        scan = scan_source(ffmpeg, info, Path(folder))
        pcm = Path(folder) / "audio.f32"
        decode_audio(info, float(scan.num_frames / info.fps), pcm)
        samples = np.memmap(pcm, dtype="<f4", mode="r").reshape(-1, 2)
        complexity = measure_complexity(scan, info.fps, samples, SAMPLE_RATE_HZ)
    return split_scenes(source.stem, scan.num_frames, scan.cuts, info.fps, max_scene_s=UNIT_S), complexity


def film_of(units: list[Scene], kept: np.ndarray, measures: np.ndarray) -> tuple[list[Scene], np.ndarray]:
    """Some units end to end, each from a whole second on, with their seconds: all of a unit's are as its mean is."""
    starts_s = np.concatenate([[0], np.cumsum([math.ceil(units[i].duration_s) for i in kept])])
    film = [
        replace(units[i], index=n, start_s=float(starts_s[n]), end_s=float(starts_s[n]) + units[i].duration_s)
        for n, i in enumerate(kept)
    ]
    return film, np.repeat(measures[kept], np.diff(starts_s), axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("units", type=Path)
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--films", type=int, default=80)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    units, complexity = units_of(args.source)
    surfaces = list(build_surfaces(read_features(args.units), load_model()))
    if len(surfaces) != len(units):
        parser.error(f"{args.units} has {len(surfaces)} scenes and the source {len(units)} units; measure it anew")
    kbps = np.array([[v.bitrate_kbps for v in s.video] for s in surfaces])  # (U, V)
    avq = np.array([s.avq_mos for s in surfaces])  # (U, V, A)
    seconds = np.array([u.duration_s for u in units])
    measures = np.stack([mean_over(complexity, unit) for unit in units])  # (U, C)
    rng = np.random.default_rng(0)
    num_runs = len(units) // RUN
    errors: dict[str, list[tuple[float, ...]]] = {"digest": [], "evenly": []}
    for _ in range(args.films):
        runs = np.sort(rng.choice(num_runs, round(KEPT * num_runs), replace=False))
        kept = (runs[:, None] * RUN + np.arange(RUN)).ravel()
        film, of_film = film_of(units, kept, measures)
        whole_s = seconds[kept]
        found = choose_stretches(film, of_film, args.share * float(whole_s.sum()))
        even = ((np.arange(len(found)) + 0.5) * len(kept) / len(found)).astype(int)
        ways = {
            "digest": (np.array([s.scene.index for s in found]), np.array([s.weight_s for s in found])),
            "evenly": (even, whole_s[even]),
        }
        for way, (chosen, weights_s) in ways.items():
            rate = np.average(kbps[kept][chosen], axis=0, weights=weights_s)
            rate_error = rate / np.average(kbps[kept], axis=0, weights=whole_s) - 1.0
            mos = np.average(avq[kept][chosen], axis=0, weights=weights_s)
            avq_error = mos - np.average(avq[kept], axis=0, weights=whole_s)
            errors[way].append(
                (np.abs(rate_error).mean(), rate_error.mean(), np.abs(avq_error).mean(), avq_error.mean())
            )
    figures = {}
    for way, of_films in errors.items():
        rate, rate_bias, mos, mos_bias = np.mean(of_films, axis=0)
        print(f"{way}: rate error {rate:.1%}, bias {rate_bias:+.1%}; AVQ error {mos:.4f}, bias {mos_bias:+.4f} MOS")
        figures |= {f"rate error, {way}": rate, f"AVQ error, {way}, MOS": mos, f"AVQ bias, {way}, MOS": mos_bias}
    write_results(args.json, "digest choice", {}, {}, {name: float(value) for name, value in figures.items()})


if __name__ == "__main__":
    main()
