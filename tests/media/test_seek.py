"""A part is read from a place that is proved: its frames are the title's own, in every container, however it seeks."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.media.normalise import source_input
from abr_alloc.media.part import Part
from abr_alloc.media.probe import probe
from abr_alloc.media.scenes import scan_source
from abr_alloc.media.seek import prove_seek, read_key_times

NUM_FRAMES = 300
# The number of every frame in nine bits: nine cells, black or white.
BARS = (
    f"lavfi:color=black:size=144x48:rate=25:duration={NUM_FRAMES / 25:g},format=yuv420p,"
    "geq=lum='if(mod(floor(N/pow(2\\,floor(X/16)))\\,2)\\,235\\,16)':cb=128:cr=128"
)
TONE = "lavfi:sine=r=48000:d=12"
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "2", "-sc_threshold", "0")
OPEN = ("-x264-params", "open-gop=1")
SOURCES = {
    "mp4": ("bars.mp4", *X264, "-g", "60", "-c:a", "aac"),
    "ts": ("bars.ts", *X264, "-g", "60", "-c:a", "aac"),
    "ts-long-gop": ("long.ts", *X264, "-g", "400", "-c:a", "aac"),
    "ts-open-gop": ("open.ts", *X264, *OPEN, "-g", "50", "-c:a", "aac"),
    "mpeg-ps": ("bars.mpg", "-f", "vob", "-c:v", "mpeg2video", "-q:v", "2", "-g", "15", "-bf", "2", "-c:a", "mp2"),
    "flv": ("bars.flv", *X264, "-g", "60", "-c:a", "aac"),
    "nut": ("bars.nut", *X264, "-g", "60", "-c:a", "aac"),
    "mkv": ("bars.mkv", *X264, "-g", "60", "-c:a", "aac"),
    "avi": ("bars.avi", "-c:v", "mpeg4", "-q:v", "2", "-bf", "2", "-g", "40", "-c:a", "mp3"),
    "mxf": ("bars.mxf", "-c:v", "mpeg2video", "-q:v", "2", "-g", "15", "-bf", "2", "-c:a", "pcm_s16le"),
    "hevc-ts": ("hevc.ts", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=50"),
    "late": ("late.ts", *X264, "-g", "60", "-c:a", "aac"),
}


@pytest.fixture(scope="module", params=SOURCES)
def source(request, make_media):
    name, *options = SOURCES[request.param]
    offset = ("-itsoffset", "0.5") if request.param == "late" else ()
    drawn = make_media("drawn.nut", BARS, "-c:v", "ffv1")  # once: this takes longer than to encode it
    return request.param, make_media(name, *offset, "-i", drawn, "-itsoffset", "0", TONE, *options)


def numbers(ffmpeg, info, part) -> list[int]:
    """Number of each frame of a part, by its cells."""
    raw = ffmpeg.run(
        [*source_input(info, seek_s=part.seek_s), "-map", f"0:{info.video_index}"]
        + ["-vf", f"{part.chain(info)},extractplanes=y", "-fps_mode", "passthrough", "-f", "rawvideo", "-"]
    )
    cells = np.frombuffer(raw, np.uint8).reshape(-1, 48, 9, 16)[:, :, :, 4:12].mean(axis=(1, 3)) > 126
    return (cells @ (1 << np.arange(9))).tolist()


def test_every_part_holds_its_own_frames_and_most_are_reached_by_a_seek(ffmpeg, source, tmp_path) -> None:
    kind, path = source
    info = probe(path, ffmpeg)
    scan = scan_source(ffmpeg, info, tmp_path)
    whole = numbers(ffmpeg, info, Part.whole(scan.num_frames))
    # The title's clock may begin with the sound, a little before the picture: its first frame stands until then.
    start = whole.index(1) - 1
    assert start in ((12, 13, 14) if kind == "late" else (0, 1))
    assert whole == [0] * start + list(range(NUM_FRAMES))
    keys = read_key_times(info)
    sought = 0
    for first in (0, 101, 131, 187, 251):
        part = Part(first_frame=first, num_frames=21, is_whole=False, tail_frames=min(9, scan.num_frames - first - 21))
        seek_s = prove_seek(ffmpeg, info, part, keys, scan.fingerprints)
        sought += seek_s is not None
        found = numbers(ffmpeg, info, Part(first_frame=first, num_frames=21, is_whole=False, seek_s=seek_s))
        assert found == whole[first : first + 21], (first, seek_s)
    assert sought >= 3 or kind in ("ts-long-gop", "avi")


def test_a_place_that_gives_other_frames_is_not_taken(ffmpeg, make_media, tmp_path) -> None:
    info = probe(make_media(SOURCES["mp4"][0], BARS, TONE, *SOURCES["mp4"][1:]), ffmpeg)
    scan = scan_source(ffmpeg, info, tmp_path)
    part = Part(first_frame=187, num_frames=21, is_whole=False)
    keys = read_key_times(info)
    assert prove_seek(ffmpeg, info, part, keys, scan.fingerprints) is not None
    shifted = np.roll(scan.fingerprints, 1)
    assert prove_seek(ffmpeg, info, part, keys, shifted) is None
    # Key frames that lie: all of them behind the part, as an index that is wrong would have it.
    late = keys[-1:] - 12.0 + 7.4 + np.zeros(5)
    found = prove_seek(ffmpeg, info, part, late, scan.fingerprints)
    assert numbers(ffmpeg, info, Part(first_frame=187, num_frames=21, is_whole=False, seek_s=found)) == list(
        range(187, 208)
    )
