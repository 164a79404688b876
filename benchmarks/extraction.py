"""Extraction beside its floor: the same encodes, libvmaf runs and one ViSQOL pass per audio rendition, by hand.

The floor is what anyone would write: two ffmpeg commands per video rendition (encode; libvmaf), and per audio rendition
an encode, a decode and `visqol-python` on the mono mix, from a pool of as many processes, whose start and ViSQOL's
compilation are not counted. `extract` is timed with everything: start of workers, look, scan, cache, four stereo views.
Processor time stands beside both: on a machine that others use it is the one to look at.
The clip is synthesised (mandelbrot zoom and modulated tones); `--clip FILE` measures a real one.

python benchmarks/extraction.py [--clip FILE] [--grid NAME] [--jobs N] [--json FILE]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from results import write_results

from abr_alloc.media.audio_encoding import encode_audio
from abr_alloc.media.coding import gop_frames
from abr_alloc.media.ffmpeg import FFmpeg, find_ffmpeg
from abr_alloc.media.grid import AudioTarget, VideoTarget, load_grid
from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.probe import MediaInfo, probe
from abr_alloc.targets import Target

COMMAND = [sys.executable, "-c", "from abr_alloc.cli import main; main()"]


def synthesise(ffmpeg: FFmpeg, path: Path, seconds: int) -> None:
    video = "mandelbrot=size=1280x720:rate=24:maxiter=256:start_scale=2:end_scale=0.2"
    audio = "aevalsrc='0.3*sin(440*2*PI*t)*(1+0.5*sin(3*t))|0.3*sin(554*2*PI*t)+0.02*random(0)':s=48000"
    ffmpeg.run(
        ["-f", "lavfi", "-i", video, "-f", "lavfi", "-i", audio, "-t", seconds, "-c:v", "libx264", "-crf", "12"]
        + ["-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "flac", path]
    )


def warm_up() -> None:
    from visqol.api import VisqolApi

    api = VisqolApi()
    api.create(mode="audio")
    noise = np.random.default_rng(0).normal(0, 0.1, 96_000)
    api.measure_from_arrays(noise, 0.9 * noise, 48_000)


def used_s(work: Callable, *args: object) -> float:
    """Processor time that a piece of work takes, with the programs that it runs, seconds."""

    def used() -> float:
        return sum(
            t.ru_utime + t.ru_stime for t in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        )

    before = used()
    work(*args)
    return used() - before


def video_by_hand(ffmpeg: FFmpeg, info: MediaInfo, target: VideoTarget, folder: Path) -> None:
    encode = folder / f"{target.width_px}-{target.target}.mp4"
    crf = Target(target.target).value
    head = [ffmpeg.path, "-v", "error", "-nostdin", "-y", "-threads", "1"]
    rate, size = f"{info.fps.numerator}/{info.fps.denominator}", f"{target.width_px}:{target.height_px}"
    subprocess.run(
        [
            *head,
            *map(str, source_input(info)),
            "-map",
            f"0:{info.video_index}",
            "-an",
            "-vf",
            f"{video_chain(info)},scale={size}:flags=bicubic",
            "-c:v",
            "libx264",
        ]
        + ["-preset", target.encoder.preset, "-crf", crf, "-g", str(gop_frames(info.fps)), "-pix_fmt", "yuv420p"]
        + ["-threads", "1", encode],
        check=True,
    )
    up = f"settb=1/({rate}),setpts=N,scale={info.width_px}:{info.height_px}:flags=bicubic,format={info.pixel_format}"
    graph = (
        f"[0:v]{up}[d];[1:{info.video_index}]{video_chain(info)}[r];[d][r]libvmaf=model=version=vmaf_v0.6.1:n_threads=1"
    )
    subprocess.run(
        [*head, "-i", encode, "-threads", "1", *map(str, source_input(info)), "-lavfi", graph, "-f", "null", "-"],
        check=True,
    )


def read_mono(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return samples.reshape(-1, 2).mean(axis=1) / 32768.0


def audio_by_hand(ffmpeg: FFmpeg, info: MediaInfo, target: AudioTarget, folder: Path) -> None:
    from visqol.api import VisqolApi

    name = f"{target.codec}-{target.target}"
    encode, decoded, source = (folder / f"{name}.{end}" for end in ("mp4", "wav", "source.wav"))
    stereo = ["-vn", "-ar", "48000", "-ac", "2"]
    run = [ffmpeg.path, "-v", "error", "-nostdin", "-y"]
    subprocess.run([*run, "-i", info.path, *stereo, source], check=True)
    raw = folder / f"{name}.raw"
    subprocess.run([*run, "-i", source, "-f", "f32le", raw], check=True)
    encode_audio(ffmpeg, raw, target, encode)
    subprocess.run([*run, "-i", encode, *stereo, decoded], check=True)
    api = VisqolApi()
    api.create(mode="audio")
    api.measure_from_arrays(read_mono(source), read_mono(decoded), 48_000)


def run_floor(
    ffmpeg: FFmpeg, info: MediaInfo, video: list, audio: list, folder: Path, jobs: int
) -> tuple[float, float]:
    """Seconds of the whole floor, from a pool that is warm, and those of the processors."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for warm in [pool.submit(warm_up) for _ in range(2 * jobs)]:
            warm.result()
        started = time.perf_counter()
        tasks = [pool.submit(used_s, video_by_hand, ffmpeg, info, target, folder) for target in video]
        tasks += [pool.submit(used_s, audio_by_hand, ffmpeg, info, target, folder) for target in audio]
        processors_s = sum(task.result() for task in tasks)
        return time.perf_counter() - started, processors_s


def processor_s() -> float:
    """Processor time of all children that have ended, seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_extract(clip: Path, grid: str, folder: Path, jobs: int) -> tuple[float, float]:
    """Seconds, and those of the processors."""
    started, before = time.perf_counter(), processor_s()
    words = ["extract", clip, "-o", folder / f"{jobs}.parquet", "--grid", grid, "--whole"]
    words += ["--cache", folder / f"cache{jobs}", "--jobs", jobs]
    subprocess.run([*COMMAND, *map(str, words)], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started, processor_s() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--grid", default="hull")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = "1"
    ffmpeg, grid = find_ffmpeg(), load_grid(args.grid)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = args.clip or folder / "clip.mkv"
        if not args.clip:
            synthesise(ffmpeg, clip, args.seconds)
        info = probe(clip, ffmpeg)
        video, audio = grid.video(info, "h264"), grid.audio(info)
        many, many_used = run_extract(clip, args.grid, folder, args.jobs)
        floor, floor_used = run_floor(ffmpeg, info, video, audio, folder, args.jobs)
        one, one_used = run_extract(clip, args.grid, folder, 1)
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{clip.name}: {info.width_px}x{info.height_px}, {info.duration_s:.1f} s; grid {args.grid}: ", end="")
    print(f"{len(video)} video and {len(audio)} audio renditions; {args.jobs} jobs")
    print(f"extract {many:.1f} s, floor {floor:.1f} s, ratio {many / floor:.2f}")
    print(
        f"processor time: extract {many_used:.1f} s, floor {floor_used:.1f} s, ratio {many_used / floor_used:.2f}; ",
        end="",
    )
    print(f"{many_used / info.duration_s:.1f} s per second of video")
    one_cores, many_cores = one_used / one, many_used / many
    print(f"one job {one:.1f} s, speed-up {one / many:.2f}; ", end="")
    print(
        f"cores busy {one_cores:.2f} with one job, {many_cores:.2f} with {args.jobs}; largest process {peak_mb:.0f} MB"
    )
    write_results(
        args.json,
        "extraction",
        {
            "extract / floor": many / floor,
            "extract / floor, processor time": many_used / floor_used,
            "speed-up from one job": one / many,
        },
        {"extract": many, "floor": floor, "one job": one},
        {
            "seconds of video": info.duration_s,
            "largest process, MB": peak_mb,
            "processor s per s of video": many_used / info.duration_s,
            "cores busy, one job": one_cores,
            "cores busy, many jobs": many_cores,
        },
    )


if __name__ == "__main__":
    main()
