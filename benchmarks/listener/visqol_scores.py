"""What ViSQOL says of the real sounds of the material: statistics and MOS, beside which the listener is judged.

    python -m benchmarks.listener.visqol_scores MEDIA_FOLDER WORK_FOLDER [--old-ffmpeg FFMPEG] [--processes 1]

Resumable. Each `NAME.visqol.npz` holds `features` (N, 512), `audio_mos`, `visqol_mos`, `encoder`, `asked`, each (N,).
ViSQOL takes longer than all else, so it hears some rates of every encoder.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from abr_alloc.learning.ratings import read_contents
from abr_alloc.media.ffmpeg import look_at_ffmpeg
from abr_alloc.visqol.score import AudioReference
from benchmarks.listener.encodes import ENCODERS, OLD_AAC, encode_all
from benchmarks.listener.material import CONTENTS
from benchmarks.listener.sounds import Sound, real_sounds

RATES: dict[str, tuple[float, ...]] = {
    "aac": (16, 24, 32, 48, 64, 96, 128, 192),
    "aac-fast": (8, 16, 32, 48, 64, 128),
    "fdk-lc": (16, 32, 48, 64, 96, 128),
    "fdk-he": (24, 32, 48, 64, 96),
    "fdk-hev2": (16, 24, 32, 48),
    "opus": (8, 12, 16, 24, 32, 48, 64, 96, 128),
    "opus-voip": (6, 12, 20),
    "ac3": (48, 64, 96, 128),
    "eac3": (48, 64, 96, 128),
    "mp3": (48, 64, 96, 128),
    "vorbis": (0, 2, 4),
    "aac-4.1": (8, 16, 32, 48, 64, 128),
}
"""Rates that are heard."""


def _score(sound: Sound, ffmpeg: str, old: str, work: Path) -> str:
    own = work / f"tmp-visqol-{os.getpid()}"
    encoders = tuple(dataclasses.replace(e, asked=RATES[e.name]) for e in (*ENCODERS, OLD_AAC) if e.name in RATES)
    heard = encode_all(ffmpeg, sound.pcm, own, encoders[:-1])
    heard += encode_all(old, sound.pcm, own, encoders[-1:]) if old else []
    reference = AudioReference(sound.pcm)
    scores = [reference.score(one.pcm) for one in heard]
    partial = work / f"{sound.name}.visqol.part"
    with partial.open("wb") as file:
        np.savez(
            file,
            features=np.stack([score.features for score in scores]),
            audio_mos=np.array([score.audio_mos for score in scores]),
            visqol_mos=np.array([score.visqol_mos for score in scores]),
            encoder=np.array([one.encoder for one in heard]),
            asked=np.array([one.asked for one in heard]),
        )
    partial.replace(work / f"{sound.name}.visqol.npz")
    return f"{sound.name}: ViSQOL of {len(scores)} encodes"


def score_material(media: Path, work: Path, old_ffmpeg: str = "", *, processes: int = 2) -> None:
    """Score what is missing."""
    ffmpeg = look_at_ffmpeg().path
    with ProcessPoolExecutor(processes) as pool:
        asked = [
            pool.submit(_score, sound, ffmpeg, old_ffmpeg, work)
            for sound in real_sounds(ffmpeg, media, read_contents(CONTENTS))
            if not (work / f"{sound.name}.visqol.npz").is_file()
        ]
        for one in asked:
            print(one.result(), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("media", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--old-ffmpeg", default="")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    score_material(args.media, args.work, args.old_ffmpeg, processes=args.processes)


if __name__ == "__main__":
    main()
