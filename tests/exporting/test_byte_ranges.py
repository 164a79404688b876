"""Segments of one file by their bytes: what playlists and manifests say adds up to the file."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from xml.etree import ElementTree

import m3u8

from abr_alloc.exporting.byte_ranges import ON_DEMAND
from abr_alloc.exporting.dash import dash_manifest
from abr_alloc.exporting.hls import i_frame_playlist, master_playlist, media_playlist
from abr_alloc.exporting.presentation import AudioStream, IFrame, Segment, Timeline, Variant, VideoStream

NS = {"d": "urn:mpeg:dash:schema:mpd:2011"}
KEYS = (
    IFrame(segment=1, duration=2, offset_bytes=0, size_bytes=40),
    IFrame(segment=2, duration=2, offset_bytes=7, size_bytes=30),
)
ONE = Timeline(
    timescale=1,
    segments=(Segment(duration=2, size_bytes=100), Segment(duration=2, size_bytes=50)),
    init_bytes=700,
    i_frames=KEYS,
    segment_s=2.0,
    index_bytes=56,
)
VIDEO = VideoStream(
    name="video/640x360-900k",
    codecs="avc1.64001e",
    width_px=640,
    height_px=360,
    fps=Fraction(24),
    peak_bits_per_s=1000.0,
    average_bits_per_s=900.0,
    timeline=ONE,
)
AUDIO = AudioStream(
    name="audio/aac-96k",
    codecs="mp4a.40.2",
    channels=2,
    sample_rate_hz=48000,
    language="en",
    label="Audio",
    peak_bits_per_s=100.5,
    average_bits_per_s=96.0,
    timeline=replace(ONE, i_frames=()),
)
VARIANT = Variant(video=VIDEO, audio=AUDIO, avq_mos=3.0)


def test_segments_follow_the_index_without_a_gap():
    playlist = m3u8.loads(media_playlist(ONE))
    assert playlist.target_duration == 2
    assert [(s.uri, s.byterange) for s in playlist.segments] == [("media.mp4", "100@756"), ("media.mp4", "50@856")]
    assert (playlist.segment_map[0].uri, playlist.segment_map[0].byterange) == ("media.mp4", "700@0")


def test_key_frames_lie_within_their_segments():
    playlist = m3u8.loads(i_frame_playlist(ONE))
    assert [(s.uri, s.byterange) for s in playlist.segments] == [("media.mp4", "40@756"), ("media.mp4", "30@863")]


def test_a_representation_is_one_file_with_an_index():
    root = ElementTree.fromstring(dash_manifest([VARIANT], 4.0))
    assert (root.get("profiles"), root.get("minBufferTime")) == (ON_DEMAND, "PT2S")
    assert not root.findall(".//d:SegmentTemplate", NS)
    for one in root.findall(".//d:AdaptationSet", NS):
        assert one.get("segmentAlignment") is None
        assert (one.get("subsegmentAlignment"), one.get("subsegmentStartsWithSAP")) == ("true", "1")
    (picture, sound) = root.findall(".//d:Representation", NS)
    assert [one.find("d:BaseURL", NS).text for one in (picture, sound)] == [
        "video/640x360-900k/media.mp4",
        "audio/aac-96k/media.mp4",
    ]
    assert picture.find("d:SegmentBase", NS).get("indexRange") == "700-755"
    assert picture.find("d:SegmentBase/d:Initialization", NS).get("range") == "0-699"


def test_a_variant_of_audio_alone_comes_last_and_has_the_least_score():
    playlist = m3u8.loads(master_playlist([VARIANT], alone=VARIANT))
    pair, alone = playlist.playlists
    assert (alone.uri, alone.media[0].group_id) == ("audio/aac-96k/index.m3u8", "audio-aac-96k")
    about = alone.stream_info
    assert (about.bandwidth, about.average_bandwidth, about.codecs, about.resolution) == (101, 96, "mp4a.40.2", None)
    assert "SCORE=1.000" in master_playlist([VARIANT], alone=VARIANT)
    assert len(m3u8.loads(master_playlist([VARIANT])).playlists) == 1
    assert pair.uri == "video/640x360-900k/index.m3u8"
