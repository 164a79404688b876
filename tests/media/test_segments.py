"""Segments of a folder are counted without a gap, and joined they are the stream."""

from __future__ import annotations

import pytest

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.segments import INIT_NAME, SEGMENT_PATTERN, join_segments, segment_paths


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "stream").mkdir()
    (tmp_path / "stream" / INIT_NAME).write_bytes(b"I")
    for number in range(1, 13):
        (tmp_path / "stream" / SEGMENT_PATTERN.format(number)).write_bytes(b"%x" % number)
    (tmp_path / "stream" / "index.m3u8").write_bytes(b"P")
    return tmp_path / "stream"


def test_segments_come_in_their_order(folder):
    assert [path.name for path in segment_paths(folder)] == [f"{n:05d}.m4s" for n in range(1, 13)]


def test_joined_they_are_the_initialisation_segment_and_all_others(folder, tmp_path):
    join_segments(folder, tmp_path / "joined.mp4")
    assert (tmp_path / "joined.mp4").read_bytes() == b"I123456789abc"


@pytest.mark.parametrize("number", [1, 7])
def test_a_gap_is_named(folder, number):
    (folder / SEGMENT_PATTERN.format(number)).unlink()
    with pytest.raises(UnsupportedMediaError, match=rf"{number:05d}\.m4s is missing; encode the ladder again"):
        segment_paths(folder)


def test_a_stream_without_its_initialisation_segment_is_not_whole(folder):
    (folder / INIT_NAME).unlink()
    with pytest.raises(UnsupportedMediaError, match="holds no whole stream"):
        segment_paths(folder)


def test_an_empty_or_missing_folder_is_no_stream(tmp_path):
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UnsupportedMediaError, match="holds no whole stream"):
            segment_paths(place)
