"""What it costs to read a source right: the first look, the scan with its checks, and the proof of a seek.

    python benchmarks/sources.py CLIP... [--json FILE]

Each beside its floor in one run, by processor time: the scan beside the same decode and filters without a look at every
frame and its checksum; a proof beside the decode of the same stretch from the same place.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from results import write_results

from abr_alloc.media.ffmpeg import ONE_THREAD, find_ffmpeg
from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.part import Part
from abr_alloc.media.probe import probe
from abr_alloc.media.scenes import LOOK_INPUT, SCDET_THRESHOLD, SMALL, scan_source
from abr_alloc.media.seek import prove_seek, read_key_times
from abr_alloc.media.sound import survey_audio

STRETCH_S = 2.0

T = TypeVar("T")


def cpu_s(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds of processor time, of this process and its children, and what came of it."""

    def used() -> float:
        found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in found)

    before = used()
    result = work()
    return used() - before, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    ffmpeg = find_ffmpeg()
    ratios: dict[str, float] = {}
    for clip in args.clips:
        look_s, info = cpu_s(lambda clip=clip: probe(clip, ffmpeg))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            step = max(1, round(info.fps / 2))
            graph = (
                f"[0:{info.video_index}]{video_chain(info)},{SMALL},split[every][half];"
                f"[half]scale=trunc(iw/4)*2:trunc(ih/4)*2:flags=area,framestep={step},siti,nullsink;"
                f"[every]scdet=threshold={SCDET_THRESHOLD}[out]"
            )
            bare = [
                *LOOK_INPUT,
                *source_input(info),
                "-an",
                "-lavfi",
                graph,
                "-map",
                "[out]",
                "-fps_mode",
                "passthrough",
            ]
            floor_s, _ = cpu_s(lambda bare=bare: ffmpeg.run([*bare, "-f", "null", "-"]))
            scan_s, scan = cpu_s(lambda info=info, folder=folder: scan_source(ffmpeg, info, folder))
        seconds = float(scan.num_frames / info.fps)
        sound_s, _ = cpu_s(lambda info=info, seconds=seconds: survey_audio(info, seconds))
        num = round(STRETCH_S * info.fps)
        part = Part(first_frame=max(0, scan.num_frames - 2 * num), num_frames=num, is_whole=False)
        keys = read_key_times(info)
        prove_s, seek_s = cpu_s(
            lambda info=info, part=part, keys=keys, scan=scan: prove_seek(ffmpeg, info, part, keys, scan.fingerprints)
        )
        read = [*ONE_THREAD, *LOOK_INPUT, *source_input(info, seek_s=seek_s), "-map", f"0:{info.video_index}", "-an"]
        read += ["-vf", f"{part.chain(info)},{SMALL}", "-f", "null", "-"]
        stretch_s, _ = cpu_s(lambda read=read: ffmpeg.run(read))
        ratios |= {f"scan / floor, {clip.stem}": scan_s / floor_s, f"proof / decode, {clip.stem}": prove_s / stretch_s}
        print(f"{clip.name}: {info.width_px}x{info.height_px}, {seconds:.1f} s")
        print(f"  look {look_s:.2f} s, scan {scan_s:.2f} s beside {floor_s:.2f} s ({scan_s / floor_s:.2f}), ", end="")
        print(f"sound {sound_s:.2f} s, proof of a seek {prove_s:.2f} s beside {stretch_s:.2f} s", end="")
        print(" (from the beginning)" if seek_s is None else f" ({prove_s / stretch_s:.2f})")
    write_results(args.json, "sources", ratios, {})


if __name__ == "__main__":
    main()
