"""Train the listener from media, by one command, and write what ships.

    python -m benchmarks.listener MEDIA_FOLDER WORK_FOLDER [--old-ffmpeg FFMPEG] [--write]

makes the material (`material.py`), has ViSQOL hear it (`visqol_scores.py`), trains one listener per fold of contents,
one per family of encoders that it never hears, and one on everything, which `--write` stores in
abr_alloc/listener/weights. All of it is kept in WORK_FOLDER and resumes; docs/model.md says how long it takes.
`python -m benchmarks.listener.judge` makes the tables. Speech needs espeak-ng, and HE-AAC fdkaac.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from importlib import resources
from multiprocessing import get_context
from pathlib import Path

from safetensors.numpy import load_file, save

from abr_alloc.learning.listener_training import ListenerConfig
from benchmarks.listener.material import make_material
from benchmarks.listener.training import FOLDS, LEFT_OUT, describe, read_material, train_one, with_worst
from benchmarks.listener.visqol_scores import score_material


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("media", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--old-ffmpeg", default="", help="ffmpeg 4.1, whose AAC LIVE-SJTU's panel heard: judged alone")
    parser.add_argument("--runs", nargs="*", help="only these, on material that is there")
    parser.add_argument("--steps", type=int, default=ListenerConfig().steps)
    parser.add_argument("--processes", type=int, default=2, help="trainings side by side, of 4 GB and a core each")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    if args.runs is None:
        make_material(args.media, args.work, args.old_ffmpeg, processes=args.processes)
        score_material(args.media, args.work, args.old_ffmpeg, processes=args.processes)
    config = ListenerConfig(steps=args.steps)
    runs = [("all", (), ()), *((f"fold-{k}", (k,), ()) for k in range(FOLDS))]
    runs += [(f"without-{name}", (0, 1), encoders) for name, encoders in LEFT_OUT.items()]
    with ProcessPoolExecutor(args.processes, mp_context=get_context("spawn")) as pool:
        trainings = [
            pool.submit(train_one, name, folds, encoders, args.work, config)
            for name, folds, encoders in runs
            if args.runs is None or name in args.runs
        ]
        for training in trainings:
            training.result()
    if args.write:
        tensors = with_worst(load_file(args.work / "all.safetensors"))
        sounds = read_material(args.work)
        folder, content = Path(str(resources.files("abr_alloc.listener").joinpath("weights"))), save(tensors)
        folder.mkdir(exist_ok=True)
        (folder / "listener.safetensors").write_bytes(content)
        (folder / "listener.json").write_text(json.dumps(describe(sounds, config, content), indent=2) + "\n")


if __name__ == "__main__":
    main()
