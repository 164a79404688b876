"""Durations in media playlists and manifests are what players count with."""

from __future__ import annotations

import re
from fractions import Fraction

from abr_alloc.exporting.dash import dash_manifest
from abr_alloc.exporting.hls import media_playlist
from abr_alloc.exporting.presentation import AudioStream, Segment, Timeline, Variant, VideoStream

# AAC at 48 kHz in frames of 1024 samples, the first of which is lead-in: 282 frames to a segment, then 47.
AUDIO = Timeline(
    timescale=48000,
    segments=tuple(Segment(duration=1024 * frames, size_bytes=50_000) for frames in (281, 282, 47)),
    init_bytes=768,
    lead_in=1024,
)
TFDT = [0, 1024 * 282, 1024 * 564]


def test_in_hls_a_segment_begins_at_its_tfdt():
    durations = [Fraction(text) for text in re.findall(r"#EXTINF:([\d.]+),", media_playlist(AUDIO))]
    begins = [sum(durations[:number]) for number in range(3)]
    assert [round(seconds * 48000) for seconds in begins] == TFDT


def test_in_dash_a_segment_begins_at_its_presentation_time():
    rates = {"peak_bits_per_s": 66_000, "average_bits_per_s": 65_000}
    sound = {"codecs": "mp4a.40.2", "channels": 2, "sample_rate_hz": 48000, "language": "en", "label": "English"}
    size = {"codecs": "avc1.4d400c", "width_px": 320, "height_px": 180, "fps": Fraction(24)}
    audio = AudioStream(name="audio/aac-64k", **sound, **rates, timeline=AUDIO)
    variant = Variant(video=VideoStream(name="video/320x180-400k", **size, **rates), audio=audio, avq_mos=4.0)
    durations = [int(text) for text in re.findall(r'<S (?:t="0" )?d="(\d+)"', dash_manifest([variant], 13.013))]
    begins = [sum(durations[:number]) for number in range(3)]
    assert begins == [0, *(at - 1024 for at in TFDT[1:])]


def test_the_target_duration_counts_what_the_playlist_lists():
    """5.49 s of audio behind 21 ms of lead-in is listed as 5.51 s, and rounds to 6."""
    listed = Timeline(timescale=48000, segments=(Segment(duration=263_520, size_bytes=1),), init_bytes=1, lead_in=1024)
    assert "#EXT-X-TARGETDURATION:6\n" in media_playlist(listed)
