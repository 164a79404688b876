"""Extraction: seconds of work per second of 720p video, beside the bare ffmpeg encodes and libvmaf runs by hand.

The clip is synthesised (mandelbrot zoom and noise-modulated tones), so that anyone can repeat the figure;
`--clip FILE` measures a real one. python benchmarks/extraction.py [--clip FILE] [--grid NAME] [--jobs N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from abr_alloc.features.cache import Cache
from abr_alloc.features.extract import ExtractOptions, Progress, extract
from abr_alloc.media.encode import encode_video
from abr_alloc.media.ffmpeg import FFmpeg, find_ffmpeg
from abr_alloc.media.grid import VideoTarget, load_grid
from abr_alloc.media.probe import MediaInfo, probe
from abr_alloc.media.scenes import video_chain

SECONDS = 5


def synthesise(ffmpeg: FFmpeg, path: Path) -> None:
    video = "mandelbrot=size=1280x720:rate=24:maxiter=256:start_scale=2:end_scale=0.2"
    audio = "aevalsrc='0.3*sin(440*2*PI*t)*(1+0.5*sin(3*t))|0.3*sin(554*2*PI*t)+0.02*random(0)':s=48000"
    ffmpeg.run(
        ["-f", "lavfi", "-i", video, "-f", "lavfi", "-i", audio, "-t", SECONDS, "-c:v", "libx264", "-crf", "12"]
        + ["-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "flac", path]
    )


def by_hand(ffmpeg: FFmpeg, info: MediaInfo, target: VideoTarget, folder: Path) -> None:
    """One encode and one libvmaf run, with nothing of the package around them but the filters."""
    encode = folder / f"{target.width_px}-{target.target}.mp4"
    encode_video(ffmpeg, info, target, encode)
    distorted = f"[0:v]settb=1/24,setpts=N,scale={info.width_px}:{info.height_px}:flags=bicubic,format=yuv420p[d]"
    graph = f"{distorted};[1:v]{video_chain(info)}[r];[d][r]libvmaf=model=version=vmaf_v0.6.1:n_threads=1"
    ffmpeg.run(["-i", encode, "-i", info.path, "-lavfi", graph, "-f", "null", "-"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--grid", default="hull")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    ffmpeg, grid = find_ffmpeg(), load_grid(args.grid)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = args.clip or folder / "clip.mkv"
        if not args.clip:
            synthesise(ffmpeg, clip)
        info = probe(clip)
        video, audio = grid.video(info, "h264"), grid.audio(info)
        started = time.perf_counter()
        with ThreadPoolExecutor(args.jobs) as pool:
            list(pool.map(lambda target: by_hand(ffmpeg, info, target, folder), video))
        floor = time.perf_counter() - started
        steps = {}
        for jobs in dict.fromkeys((args.jobs, 1)):
            started = time.perf_counter()
            options = ExtractOptions(grid=grid, jobs=jobs, detect_scenes=False)
            for step in extract([clip], ffmpeg, Cache(folder / f"cache{jobs}"), options):
                assert isinstance(step, Progress) or not step.frame.empty
            steps[jobs] = time.perf_counter() - started
    own = steps[args.jobs]
    print(f"{clip.name}: {info.width_px}x{info.height_px}, {info.duration_s:.1f} s; grid {args.grid}: ", end="")
    print(f"{len(video)} video and {len(audio)} audio renditions; {args.jobs} jobs")
    print(f"extract {own:.1f} s = {own / info.duration_s:.1f} s per second of video; one job {steps[1]:.1f} s ", end="")
    print(f"(speed-up {steps[1] / own:.2f})")
    print(
        f"bare video encodes and libvmaf runs {floor:.1f} s; ratio {own / floor:.2f} (ViSQOL included in extract only)"
    )


if __name__ == "__main__":
    main()
