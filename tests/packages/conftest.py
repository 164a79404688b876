"""Two videos and two sounds of three seconds, and what they decode to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def streams(make_media) -> dict[str, Path]:
    """Elementary streams in MP4: `low` and `high` (12 fps, GOPs of one second, with B frames), `mono` and `stereo`."""
    video = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p", "-g", "12", "-threads", "1")
    made = {
        name: make_media(f"{name}.mp4", f"lavfi:testsrc2=size={size}:rate=12:duration=3", *video, "-b:v", rate)
        for name, size, rate in (("low", "96x64", "60k"), ("high", "144x96", "150k"))
    }
    for name, channels, rate in (("mono", "1", "32k"), ("stereo", "2", "96k")):
        sound = "lavfi:aevalsrc=0.3*random(0)|0.2*sin(2*PI*660*t*t):s=48000:d=3"
        made[name] = make_media(f"{name}.mp4", sound, "-ac", channels, "-c:a", "aac", "-b:a", rate)
    return made


@pytest.fixture(scope="session")
def pictures(ffmpeg) -> Callable[[Path], list[str]]:
    """Hashes of the frames that a file decodes to."""

    def read(path: Path) -> list[str]:
        text = ffmpeg.run(["-i", path, "-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"]).decode()
        return [line.rpartition(",")[2].strip() for line in text.splitlines() if not line.startswith("#")]

    return read


@pytest.fixture(scope="session")
def samples(ffmpeg) -> Callable[[Path], np.ndarray]:
    """The samples that a file decodes to, interleaved."""

    def read(path: Path) -> np.ndarray:
        return np.frombuffer(ffmpeg.run(["-i", path, "-map", "0:a", "-f", "f32le", "-"]), dtype=np.float32)

    return read


@pytest.fixture(scope="session")
def package(ffmpeg, streams, tmp_path_factory) -> Callable[..., Path]:
    """A package by one of ffmpeg's muxers, of all streams or of those that are named: `package("hls", *options)`."""

    def make(muxer: str, *options: str, name: str = "index.m3u8", of: tuple[str, ...] = ()) -> Path:
        folder = tmp_path_factory.mktemp("package")
        chosen = [streams[one] for one in of or streams]
        inputs = [word for path in chosen for word in ("-i", path)]
        maps = [word for number in range(len(chosen)) for word in ("-map", str(number))]
        ffmpeg.run([*inputs, *maps, "-c", "copy", "-f", muxer, *options, name], cwd=folder)
        return folder / ("master.m3u8" if "master.m3u8" in options else name)

    return make


@pytest.fixture(scope="session")
def hls(package) -> Path:
    """A master playlist over segments of fragmented MP4 in folders. Copy its folder before changing it."""
    groups = "v:0,agroup:a v:1,agroup:a a:0,agroup:a,language:en,default:yes a:1,agroup:a,language:de"
    segments = ("-hls_time", "1", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4")
    return package("hls", *segments, "-master_pl_name", "master.m3u8", "-var_stream_map", groups, name="s%v/index.m3u8")


@pytest.fixture(scope="session")
def dash(package) -> Path:
    """A manifest with SegmentTimelines. Copy its folder before changing it."""
    sets = "id=0,streams=v id=1,streams=a"
    return package("dash", "-seg_duration", "1", "-adaptation_sets", sets, name="manifest.mpd")
