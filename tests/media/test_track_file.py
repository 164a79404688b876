"""One file of a stream's segments holds their bytes, and its index says where; a damaged one is told."""

from __future__ import annotations

import pytest

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.cmaf import package, read_segments, segment_inits
from abr_alloc.media.segments import INIT_NAME, TRACK_NAME, join_segments, segment_paths
from abr_alloc.media.track_file import stored_stream, write_track_file

STYP = 24


@pytest.fixture(scope="module")
def cut(make_media, ffmpeg, tmp_path_factory):
    """Three seconds of video in segments of one, with B frames."""
    video = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "12", "-pix_fmt", "yuv420p")
    source = make_media("track.mp4", "lavfi:testsrc2=size=96x64:rate=12:duration=3", *video)
    folder = tmp_path_factory.mktemp("cut")
    package(ffmpeg, source, 1, folder)
    return folder


@pytest.fixture
def one_file(cut, tmp_path):
    folder = tmp_path / "stream"
    folder.mkdir()
    for path in (cut / INIT_NAME, *segment_paths(cut)):
        (folder / path.name).write_bytes(path.read_bytes())
    write_track_file(folder, [12 * 1024] * 3, 12288)
    return folder


def test_a_segment_is_the_same_bytes_without_its_type_box(cut, one_file):
    assert [path.name for path in one_file.iterdir()] == [TRACK_NAME]
    stored, before = stored_stream(one_file), stored_stream(cut)
    assert stored.init.read() == before.init.read()
    assert [part.read() for part in stored.segments] == [path.read_bytes()[STYP:] for path in segment_paths(cut)]
    assert stored.segments[0].offset_bytes == stored.init.size_bytes + stored.index_bytes
    assert (before.index_bytes, segment_inits(one_file)) == (0, [TRACK_NAME] * 3)


def test_it_reads_as_before(cut, one_file, ffmpeg, tmp_path):
    """Times and key frames by libav, and frames of the whole file by ffmpeg."""

    def told(folder):
        return [(f.start, f.end, f.idr, f.num_frames, f.codecs) for f in read_segments(folder)]

    def hashes(path):
        return ffmpeg.run(["-i", path, "-f", "framemd5", "-"])

    assert told(one_file) == told(cut)
    join_segments(cut, tmp_path / "joined.mp4")
    join_segments(one_file, tmp_path / "one.mp4")
    assert hashes(tmp_path / "joined.mp4") == hashes(tmp_path / "one.mp4") == hashes(one_file / TRACK_NAME)


def test_what_was_interrupted_after_the_file_was_whole_is_tidied(cut, one_file):
    whole = (one_file / TRACK_NAME).read_bytes()
    (one_file / "00002.m4s").write_bytes(b"left")
    write_track_file(one_file, [12 * 1024] * 3, 12288)
    assert [(path.name, path.read_bytes()) for path in one_file.iterdir()] == [(TRACK_NAME, whole)]


@pytest.mark.parametrize("damage", ["cut", "longer", "no index", "count"])
def test_damage_is_told(one_file, damage):
    path = one_file / TRACK_NAME
    data = path.read_bytes()
    at = data.index(b"sidx")
    changed = {
        "cut": data[:-100],
        "longer": data + b"more",
        "no index": data[:at] + b"free" + data[at + 4 :],
        "count": data[: at + 4 + 22] + b"\x00\x09" + data[at + 4 + 24 :],
    }
    path.write_bytes(changed[damage])
    with pytest.raises(UnsupportedMediaError, match=r"media\.mp4 is not whole .*; encode the ladder again"):
        stored_stream(one_file)
