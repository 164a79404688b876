"""Material for the listener: every sound, encoded and spoilt in every way, as spectrograms; one file per sound.

    python -m benchmarks.listener.material MEDIA_FOLDER WORK_FOLDER [--old-ffmpeg FFMPEG]

Resumable: a sound whose file is there is not made again. What is made is numbers; no sound can be heard from them.
Each `NAME.npz` holds `reference` (P, V, B, F) and `coded` (N, P, V, B, F), half precision, dB
(listener/spectrograms.py), of P pieces of 4.54 s, N conditions in V = 4 views; `encoder`, `codec`, `asked`, `kbps`,
each (N,); `content`, `is_real`.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from abr_alloc.learning.ratings import read_contents
from abr_alloc.listener.alignment import AlignmentReference
from abr_alloc.listener.spectrograms import loudness, spectrograms
from abr_alloc.media.ffmpeg import look_at_ffmpeg
from benchmarks.listener.encodes import ENCODERS, OLD_AAC, Heard, encode_all, spoil
from benchmarks.listener.sounds import PIECE_SAMPLES, Sound, real_sounds, synthesised_sounds

CONTENTS = Path(__file__).parents[1] / "training_contents.csv"
_MOST_SHIFT = 48  # samples: a millisecond, more than encoders that are aligned differ by
_SILENT = 1e-6


def moved(pcm: np.ndarray, lag: int) -> np.ndarray:
    """A rendition's samples where the source's are; what is not there is silent."""
    found = np.zeros_like(pcm)
    if lag >= 0:
        found[: len(pcm) - lag] = pcm[lag:]
    else:
        found[-lag:] = pcm[:lag]
    return found


def pieces_of(pcm: np.ndarray, level: float) -> np.ndarray:
    """Spectrograms of the pieces, (P, V, B, F)."""
    return np.stack([spectrograms(part, level) for part in pcm.reshape(-1, PIECE_SAMPLES, 2)])


def hear(sound: Sound, all_heard: list[Heard]) -> dict[str, np.ndarray]:
    """The arrays of a sound's file."""
    rng = np.random.default_rng(len(sound.name))
    reference, level = AlignmentReference(sound.pcm), loudness(sound.pcm)
    kept = [heard for heard in all_heard if loudness(heard.pcm) > _SILENT]
    coded = []
    for heard in kept:
        shift = int(rng.integers(-_MOST_SHIFT, _MOST_SHIFT + 1))
        pcm = moved(heard.pcm, reference.lag(heard.pcm) + shift)
        coded.append(pieces_of(pcm, loudness(pcm)).astype(np.float16))
    return {
        "reference": pieces_of(sound.pcm, level).astype(np.float16),
        "coded": np.stack(coded),
        "encoder": np.array([heard.encoder for heard in kept]),
        "codec": np.array([heard.codec for heard in kept]),
        "asked": np.array([heard.asked for heard in kept]),
        "kbps": np.array([heard.kbps for heard in kept]),
        "content": np.array(sound.content),
        "is_real": np.array(sound.is_real),
    }


def _make(sound: Sound, other: np.ndarray, ffmpeg: str, old: str, work: Path) -> str:
    path = work / f"{sound.name}.npz"
    own = work / f"tmp-{os.getpid()}"
    heard = encode_all(ffmpeg, sound.pcm, own, ENCODERS)
    if old and sound.is_real:
        heard += encode_all(old, sound.pcm, own, (OLD_AAC,))
    heard += spoil(sound.pcm, other, np.random.default_rng(1))
    arrays = hear(sound, heard)
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez(file, **arrays)
    partial.replace(path)
    return f"{sound.name}: {len(arrays['encoder'])} conditions"


def make_material(media: Path, work: Path, old_ffmpeg: str = "", *, processes: int = 2) -> list[Path]:
    """Make what is missing of the material; all its files."""
    ffmpeg = look_at_ffmpeg().path
    real = list(real_sounds(ffmpeg, media, read_contents(CONTENTS)))
    sounds = [*real, *synthesised_sounds(real)]
    work.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(processes) as pool:
        asked = [
            pool.submit(_make, sound, sounds[(i + 17) % len(sounds)].pcm, ffmpeg, old_ffmpeg, work)
            for i, sound in enumerate(sounds)
            if not (work / f"{sound.name}.npz").is_file()
        ]
        for one in asked:
            print(one.result(), flush=True)
    return [work / f"{sound.name}.npz" for sound in sounds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("media", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--old-ffmpeg", default="", help="ffmpeg 4.1, whose AAC LIVE-SJTU's panel heard")
    args = parser.parse_args()
    make_material(args.media, args.work, args.old_ffmpeg)


if __name__ == "__main__":
    main()
