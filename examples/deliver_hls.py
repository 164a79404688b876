"""Deliver one title of a ladder file as HLS: H.264 with AAC in fragmented MP4.

    python examples/deliver_hls.py film.mp4 ladder.json hls

One run of ffmpeg encodes the video of every rung and every distinct audio rendition once, and writes segments and
playlists. Encoding them apart would start each stream at a time of its own. ffmpeg's master playlist leaves the audio
out of a variant's BANDWIDTH (seen with 9.0.2), so the rates are written again, as measured.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from abr_alloc.export.ladder_json import read_ladders
from abr_alloc.media.ffmpeg import INPUT_GUARD, find_ffmpeg

SEGMENT_S = 6
KEY_FRAME_S = 2  # divides SEGMENT_S, so that every rendition is cut at the same frames


def main() -> None:
    source, ladder_file, out = map(Path, sys.argv[1:])
    found = {ladder.title: ladder for ladder in read_ladders(ladder_file)}
    if source.stem not in found:
        sys.exit(f"{ladder_file} has no ladder for {source.stem!r}, only {', '.join(found)}")
    rungs = found[source.stem].rungs
    audio = list(dict.fromkeys(rung.audio for rung in rungs))
    others = {rendition.codec for rung in rungs for rendition in (rung.video, rung.audio)} - {"h264", "aac"}
    if others:
        sys.exit(f"this example encodes h264 and aac, not {', '.join(sorted(others))}")
    out.mkdir(parents=True, exist_ok=True)
    find_ffmpeg().run([*INPUT_GUARD, "-i", source, *encode_options(rungs, audio), *hls_options(rungs, audio, out)])
    correct_rates(out / "master.m3u8")


def encode_options(rungs, audio):
    """Options of every output stream: `-b:v:1` is the rate of the second video."""
    words = ["-pix_fmt", "yuv420p", "-force_key_frames:v", f"expr:gte(t,n_forced*{KEY_FRAME_S})", "-ar", 48000]
    for n, rung in enumerate(rungs):
        video = rung.video
        kind, value = video.target.split("=")  # b=340k, or crf=26 where a rung is a measured rendition
        words += ["-map", "0:v:0", f"-filter:v:{n}", f"scale={video.width_px}:{video.height_px}"]
        words += [f"-c:v:{n}", "libx264", f"-preset:v:{n}", "fast", f"-{kind}:v:{n}", value]
        words += [f"-maxrate:v:{n}", f"{1.5 * video.bitrate_kbps:.0f}k"]
        words += [f"-bufsize:v:{n}", f"{2 * video.bitrate_kbps:.0f}k"]
    for n, rendition in enumerate(audio):
        words += ["-map", "0:a:0", f"-c:a:{n}", "aac", f"-ac:a:{n}", rendition.channels]
        words += [f"-b:a:{n}", rendition.target.removeprefix("b=")]
    return words


def hls_options(rungs, audio, out):
    """One variant per rung, each with the audio group of its own rendition."""
    variants = [f"v:{n},agroup:audio-{audio.index(rung.audio) + 1},name:video-{n + 1}" for n, rung in enumerate(rungs)]
    variants += [f"a:{n},agroup:audio-{n + 1},default:yes,name:audio-{n + 1}" for n in range(len(audio))]
    return [
        *("-f", "hls", "-hls_time", SEGMENT_S, "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"),
        *("-hls_flags", "independent_segments", "-master_pl_name", "master.m3u8"),
        *("-hls_segment_filename", out / "%v" / "%03d.m4s", "-var_stream_map", " ".join(variants)),
        out / "%v" / "index.m3u8",
    ]


def correct_rates(master: Path) -> None:
    """Write BANDWIDTH and AVERAGE-BANDWIDTH of every variant again: video and audio, from the segments."""
    text = master.read_text()
    audio = dict(re.findall(r'GROUP-ID="([^"]+)".*URI="([^"]+)"', text))

    def corrected(found: re.Match[str]) -> str:
        pair = [segment_rates(master.parent / uri) for uri in (found["video"], audio[found["group"]])]
        peak, mean = (sum(rates) for rates in zip(*pair, strict=True))
        return f"{found['head']}BANDWIDTH={peak},AVERAGE-BANDWIDTH={mean},{found['rest']}\n{found['video']}"

    variant = (
        r"(?P<head>#EXT-X-STREAM-INF:)BANDWIDTH=\d+,(?:AVERAGE-BANDWIDTH=\d+,)?"
        r'(?P<rest>.*AUDIO="(?P<group>[^"]+)".*)\n(?P<video>.+)'
    )
    master.write_text(re.sub(variant, corrected, text))


def segment_rates(playlist: Path) -> tuple[int, int]:
    """The largest rate of a segment and the mean rate, bit/s, rounded up."""
    found = re.findall(r"#EXTINF:([\d.]+),\n(\S+)", playlist.read_text())
    seconds = [float(length) for length, _ in found]
    bits = [8 * (playlist.parent / name).stat().st_size for _, name in found]
    return int(max(b / s for b, s in zip(bits, seconds, strict=True))) + 1, int(sum(bits) / sum(seconds)) + 1


if __name__ == "__main__":
    main()
