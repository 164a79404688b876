"""What encoding every scene by itself gains: three ladders of a title, delivered and measured.

    constant rate   the title's ladder: one mean rate per rung, two passes
    constant CRF    sizes, audio and rates of the per-shot ladder, but one CRF in all scenes of a rung
    per shot        `abr-alloc ladder --per-shot`

Rates, AVQ and VMAF are those of the delivered segments, held against the source. BD-rates are over the delivered rungs,
total rate against AVQ (mean over time) and against VMAF; negative is less rate. What is finished is not done again.

    python benchmarks/per_shot_gain.py SOURCE FEATURES.parquet --work DIR [--jobs N] [--rungs K] [--free-size] [-o FILE]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import resource
from pathlib import Path
from typing import Any

import numpy as np

from abr_alloc import defaults
from abr_alloc.allocation.audience import read_audience
from abr_alloc.allocation.design import DesignOptions
from abr_alloc.allocation.reference import bd_rate_percent
from abr_alloc.allocation.rung import make_ladder
from abr_alloc.allocation.shot_allocation import TitleShots
from abr_alloc.allocation.shot_rules import ShotRules
from abr_alloc.allocation.shot_scenes import shot_scenes
from abr_alloc.allocation.surface import build_surfaces
from abr_alloc.delivery.publish import read_variants
from abr_alloc.measure.cache import open_cache
from abr_alloc.media.ffmpeg import find_ffmpeg
from abr_alloc.models.checkpoint import Model
from abr_alloc.runs.catalogue_run import table_of
from abr_alloc.runs.encode_run import encode
from abr_alloc.runs.feedback import Feedback
from abr_alloc.runs.ladder_run import Ladders, ladder
from abr_alloc.runs.shared_model import as_model
from abr_alloc.runs.verify_run import find_source, measure_delivery
from abr_alloc.table.table import FeatureTable

KINDS = ("constant rate", "constant CRF", "per shot")


def constant_crf(per_shot: Ladders, table: FeatureTable, model: Model) -> Ladders:
    """A ladder like a per-shot one, each rung with the one CRF that comes nearest to its rate."""
    (designed,) = per_shot.designed
    like = designed.ladder
    shots = TitleShots(shot_scenes(list(build_surfaces(table, model))), like.rungs[0].video.codec)
    rungs = []
    for rung in like.rungs:
        height = max(shot.height_px for shot in rung.video.shots)
        offered = [a for a in shots.constant(rung.audio.identity, ShotRules(), prove=False) if a.height_px == height]
        rungs.append(min(offered, key=lambda a: abs(math.log(a.total_kbps / rung.total_kbps))))
    made = make_ladder(
        like.title,
        [(a.video, a.audio, a.total_kbps, a.avq_mos, "") for a in rungs],
        read_audience(defaults.NETWORK),
        (0.0, 0.0),
    )
    filled = [
        dataclasses.replace(rung, shots_mos=a.shots_mos, shot_proof=a.proof)
        for rung, a in zip(made.rungs, rungs, strict=True)
    ]
    one = dataclasses.replace(designed, ladder=dataclasses.replace(made, rungs=tuple(filled)))
    return dataclasses.replace(per_shot, designed=(one,))


def cpu_seconds() -> float:
    """Processor time of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def deliver(source: Path, ladders: Ladders, folder: Path, jobs: int) -> float:
    """Encode a ladder; processor seconds that it took, also where it was there already."""
    told = folder.parent / f"{folder.name}.seconds"
    before = cpu_seconds()
    encode(source, ladders, folder, jobs=jobs)
    if not told.exists():
        told.write_text(f"{cpu_seconds() - before:.1f}")
    return float(told.read_text())


def measure(source: Path, folder: Path, model: Model, jobs: int) -> list[dict[str, Any]]:
    """What every rung of a delivery is."""
    from abr_alloc.formats.delivery_record import RECORD_NAME, read_delivery

    delivery = read_delivery(folder / RECORD_NAME)
    info = find_source(folder, delivery, source, None)
    assert info is not None
    places = {name: folder / name for name in delivery.stream_names}
    scores = measure_delivery(
        delivery, places, info, find_ffmpeg(None), open_cache(None), model, jobs=jobs, feedback=Feedback()
    )
    rows = []
    for rung, variant in zip(delivery.rungs, read_variants(delivery, folder), strict=True):
        frames = scores.frames_vmaf[rung.video]
        edges = [round(start * float(info.fps)) for start, _ in delivery.scenes_s]
        rows.append(
            {
                "predicted_kbps": rung.total_kbps,
                "kbps": variant.average_bits_per_s / 1000.0,
                "peak_kbps": variant.peak_bits_per_s / 1000.0,
                "predicted_mos": rung.avq_mos,
                "avq_mos": scores.avq_mos[rung.video, rung.audio],
                "worst_scene_mos": min(scores.scenes_mos[rung.video, rung.audio]),
                "vmaf": float(frames.mean()),
                "vmaf_harmonic": float(len(frames) / (1.0 / (frames + 1.0)).sum() - 1.0),
                "vmaf_worst_scene": float(min(part.mean() for part in np.split(frames, edges[1:]))),
            }
        )
    return rows


def curve(rows: list[dict[str, Any]], quality: str) -> tuple[np.ndarray, np.ndarray]:
    """Rates and qualities of rungs, (K,) each."""
    return np.array([row["kbps"] for row in rows]), np.array([row[quality] for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("features", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="where deliveries lie")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rungs", type=int, default=6)
    parser.add_argument("--free-size", action="store_true")
    parser.add_argument("--kinds", default=",".join(KINDS), help="which of the three, with commas")
    parser.add_argument("-o", "--output", type=Path, help="all figures, JSON")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    model, table = as_model(None), table_of(args.features)
    ordinary = ladder(table, options=DesignOptions(num_rungs=args.rungs))
    per_shot = ladder(table, options=DesignOptions(num_rungs=args.rungs, shots=ShotRules(free_size=args.free_size)))
    ladders = dict(zip(KINDS, (ordinary, constant_crf(per_shot, table, model), per_shot), strict=True))
    found, seconds = {}, {}
    for kind in args.kinds.split(","):
        folder = args.work / kind.replace(" ", "-")
        seconds[kind] = deliver(args.source, ladders[kind], folder, args.jobs)
        found[kind] = measure(args.source, folder, model, args.jobs)
        print(f"{args.source.stem}, {kind}: {seconds[kind]:.0f} s of a core")
        print("   kbps (predicted)   peak    AVQ (predicted)  worst  VMAF harmonic  worst")
        for row in found[kind]:
            print(
                f"  {row['kbps']:5.0f}    ({row['predicted_kbps']:5.0f})   {row['peak_kbps']:5.0f}   "
                f"{row['avq_mos']:.3f}   ({row['predicted_mos']:.3f})    {row['worst_scene_mos']:.2f}   "
                f"{row['vmaf']:4.1f}     {row['vmaf_harmonic']:4.1f}   {row['vmaf_worst_scene']:4.1f}",
                flush=True,
            )
    rates: dict[str, float | None] = {}
    for other, than in ((1, 0), (2, 0), (2, 1)):
        if KINDS[other] not in found or KINDS[than] not in found:
            continue
        for quality in ("avq_mos", "vmaf", "worst_scene_mos"):
            rate = bd_rate_percent(*curve(found[KINDS[than]], quality), *curve(found[KINDS[other]], quality))
            rates[f"{KINDS[other]} beside {KINDS[than]}, {quality}"] = rate
            print(f"BD-rate of {KINDS[other]} beside {KINDS[than]} by {quality}: {rate:+.1f} %" if rate else "none")
    if args.output is not None:
        args.output.write_text(json.dumps({"seconds": seconds, "bd_rate_percent": rates, "rungs": found}, indent=1))


if __name__ == "__main__":
    main()
