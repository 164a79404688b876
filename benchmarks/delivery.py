"""Encoding a ladder, beside the bare ffmpeg commands that make the same renditions.

The bare commands are what an engineer would write: two passes per video rendition with the same filters and options,
one encode per audio rendition straight from the source, as many at a time as `encode` has jobs, one thread each;
nothing is cut, checked or resumed. They run again with the encoder's own threads, one rendition after the other.

    python benchmarks/delivery.py SOURCE LADDER.json [--jobs N]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from abr_alloc.codecs import AUDIO_CODECS
from abr_alloc.delivery.chosen_ladder import choose_ladder
from abr_alloc.delivery.order import check_source
from abr_alloc.encoders import default_encoder
from abr_alloc.exporting.planned import distinct_renditions
from abr_alloc.media.coding import PEAK_RATIO, VBV_RATIO, gop_frames
from abr_alloc.media.ffmpeg import FFmpeg, find_ffmpeg
from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.probe import MediaInfo, content_hash, probe
from abr_alloc.targets import Target


def two_passes(ffmpeg: FFmpeg, info: MediaInfo, video, threads: int, folder: Path) -> None:
    """One H.264 rendition."""
    gop, kbps = gop_frames(info.fps), video.bitrate_kbps
    name = f"{video.width_px}-{kbps:.0f}-{threads}"
    head = [*source_input(info), "-map", f"0:{info.video_index}", "-an", "-fps_mode", "passthrough"]
    head += ["-vf", f"{video_chain(info)},scale={video.width_px}:{video.height_px}:flags=bicubic,setsar=1"]
    head += [
        "-c:v",
        "libx264",
        "-preset",
        default_encoder("h264").preset,
        "-pix_fmt",
        "yuv420p",
        "-b:v",
        f"{kbps}k",
    ]
    head += ["-maxrate", f"{PEAK_RATIO * kbps}k", "-bufsize", f"{VBV_RATIO * kbps}k", "-flags", "+cgop"]
    head += ["-g", gop, "-keyint_min", gop, "-sc_threshold", 0, "-threads", threads, "-passlogfile", name]
    for number, output in ((1, ["-f", "null", "-"]), (2, [f"{name}.mp4"])):
        ffmpeg.run([*head, "-pass", number, *output], cwd=folder)


def one_audio(ffmpeg: FFmpeg, info: MediaInfo, audio, folder: Path) -> None:
    rate = Target(audio.target).value
    codec = AUDIO_CODECS[audio.codec].encoder
    channels = ["-ac", audio.channels, "-ar", 48000]
    ffmpeg.run(["-i", info.path.resolve(), "-vn", "-c:a", codec, *channels, "-b:a", rate, folder / f"{rate}.mp4"])


def seconds(function) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("ladder", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    ffmpeg = find_ffmpeg()
    info = probe(args.source, ffmpeg)
    ladder = choose_ladder(args.ladder, args.source, content_hash(args.source)).ladder
    check_source(info, ladder)
    videos, audios = distinct_renditions(ladder.rungs)
    videos.sort(key=lambda video: video.width_px * video.bitrate_kbps, reverse=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def side_by_side() -> None:
            with ThreadPoolExecutor(args.jobs) as pool:
                work = [pool.submit(two_passes, ffmpeg, info, video, 1, folder) for video in videos]
                work += [pool.submit(one_audio, ffmpeg, info, audio, folder) for audio in audios]
                for future in work:
                    future.result()

        def in_turn() -> None:
            for video in videos:
                two_passes(ffmpeg, info, video, 0, folder)
            for audio in audios:
                one_audio(ffmpeg, info, audio, folder)

        def own() -> None:
            code = "from abr_alloc.cli import main; main()"
            words = [sys.executable, "-c", code, "encode", args.source, "--ladder", args.ladder]
            words += ["-o", folder / "out", "--jobs", args.jobs, "--cache", folder / "cache"]
            subprocess.run([*map(str, words)], check=True, stdout=subprocess.DEVNULL)

        bare, threaded, ours = seconds(side_by_side), seconds(in_turn), seconds(own)
    print(f"{args.source.name}: {info.width_px}x{info.height_px}, {info.duration_s:.1f} s; ", end="")
    print(f"{len(videos)} video and {len(audios)} audio renditions, {args.jobs} jobs")
    print(f"encode {ours:.1f} s; bare commands side by side {bare:.1f} s, ratio {ours / bare:.2f}; ", end="")
    print(f"one after the other with the encoder's own threads {threaded:.1f} s, ratio {ours / threaded:.2f}")


if __name__ == "__main__":
    main()
