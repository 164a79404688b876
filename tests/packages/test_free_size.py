"""Streams whose pictures change in size become one file that decodes to all frames, from HLS and from DASH."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import av
import pytest

from abr_alloc.errors import PackageError
from abr_alloc.packages.reader import read_package

from ..conftest import CUTS

SIZES = [(96, 54), (160, 90), (96, 54), (160, 90)]
LENGTHS = [end - first for first, end in itertools.pairwise(CUTS)]


def decoded(path: Path) -> list[tuple[int, int]]:
    """Size of every frame."""
    with av.open(str(path)) as container:
        return [(frame.width, frame.height) for frame in container.decode(video=0)]


@pytest.mark.parametrize("name", ["master.m3u8", "manifest.mpd"])
def test_a_stream_becomes_one_file_of_all_frames_in_their_sizes(free_size, name, tmp_path):
    package = read_package(free_size / name)
    videos = [stream for stream in package.streams if stream.kind == "video"]
    assert len(videos) == 2
    for stream in videos:
        path = tmp_path / f"{stream.label}{stream.suffix}"
        stream.write(path)
        sizes = SIZES if "160x90" in stream.label else [(96, 54)] * 4
        assert decoded(path) == [size for size, length in zip(sizes, LENGTHS, strict=True) for _ in range(length)]
    assert {(variant.width_px, variant.height_px) for variant in package.variants} == {(96, 54), (160, 90)}


def test_sound_is_the_same_from_both(free_size, ffmpeg, tmp_path):
    heard = []
    for name in ("master.m3u8", "manifest.mpd"):
        audio = read_package(free_size / name).streams[-1]
        audio.write(tmp_path / "audio.mp4")
        heard.append(ffmpeg.run(["-i", tmp_path / "audio.mp4", "-f", "s16le", "-"]))
    assert heard[0] == heard[1]
    assert len(heard[0]) // 4 == pytest.approx(48000 * CUTS[-1] / 24, abs=2048)


def test_where_segments_do_not_say_their_size_they_are_refused(free_size, tmp_path):
    folder = shutil.copytree(free_size, tmp_path / "package")
    for init in folder.glob("video/160*/init*.mp4"):
        init.write_bytes(init.read_bytes().replace(b"avc3", b"avc1"))
    stream = next(s for s in read_package(folder / "master.m3u8").streams if "160x90" in s.label)
    with pytest.raises(PackageError, match="the size or the clock's rate changes there"):
        stream.write(tmp_path / "joined.mp4")
