"""What a rendition's headers tell, and when its packets are shown."""

from __future__ import annotations

import pytest

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.streams import read_stream_packets, read_streams, states_colour


def test_a_muxed_file_has_two_streams_with_their_codecs(clip):
    video, audio = read_streams(clip)
    assert (video.kind, video.codec, video.is_alone) == ("video", "h264", False)
    assert (audio.kind, audio.codec, audio.channels) == ("audio", "aac", 2)
    assert len(read_stream_packets(clip, video.index).size_bytes) == 24
    assert states_colour(clip, video.index) in [(False, False), (True, False)]


def test_packets_without_durations_last_until_the_next(make_media, clip):
    path = make_media("clip.mkv", "-i", clip, "-c", "copy")
    audio = next(stream for stream in read_streams(path) if stream.kind == "audio")
    assert (read_stream_packets(path, audio.index).duration_s > 0).all()


def test_codecs_that_tables_do_not_know_are_named(make_media, clip):
    path = make_media("old.avi", "-i", clip, "-c:v", "mpeg4", "-an")
    with pytest.raises(UnsupportedMediaError, match="video codec mpeg4 is not one that the model knows"):
        read_streams(path)
