"""Durations in media playlists and manifests are what players count with."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from abr_alloc.exporting.dash import dash_manifest
from abr_alloc.exporting.hls import i_frame_playlist, media_playlist
from abr_alloc.exporting.presentation import (
    AudioStream,
    IFrame,
    Segment,
    Timeline,
    Variant,
    VideoStream,
    with_discontinuities,
)

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


# Pictures that change in size: from 2 s to 3 s another one, and the first again.
SIZES = Timeline(
    timescale=24,
    segments=tuple(
        Segment(duration=24, size_bytes=9, init=init) for init in ("init.mp4", "init.mp4", "init-2.mp4", "init.mp4")
    ),
    init_bytes=700,
    i_frames=tuple(
        IFrame(segment=n, duration=12, offset_bytes=24 * k, size_bytes=9) for n in range(1, 5) for k in (0, 1)
    ),
)
CUTS_S = [Fraction(2), Fraction(3)]


def lines_but_for_lengths(playlist: str) -> list[str]:
    return [
        line
        for line in playlist.splitlines()
        if line.startswith(("#EXT-X-DISC", "#EXT-X-MAP")) or not line.startswith("#")
    ]


def test_where_pictures_change_in_size_a_playlist_says_so_and_names_the_initialisation_segment():
    assert SIZES.size_changes_s == CUTS_S
    playlist = media_playlist(with_discontinuities(SIZES, CUTS_S, Fraction(0)))
    assert lines_but_for_lengths(playlist) == [
        *('#EXT-X-MAP:URI="init.mp4"', "00001.m4s", "00002.m4s"),
        *("#EXT-X-DISCONTINUITY", '#EXT-X-MAP:URI="init-2.mp4"', "00003.m4s"),
        *("#EXT-X-DISCONTINUITY", '#EXT-X-MAP:URI="init.mp4"', "00004.m4s"),
    ]


def test_key_frames_are_told_apart_as_the_segments_that_hold_them_are():
    playlist = i_frame_playlist(with_discontinuities(SIZES, CUTS_S, Fraction(0)))
    assert lines_but_for_lengths(playlist) == [
        *('#EXT-X-MAP:URI="init.mp4"', *["00001.m4s"] * 2, *["00002.m4s"] * 2),
        *("#EXT-X-DISCONTINUITY", '#EXT-X-MAP:URI="init-2.mp4"', *["00003.m4s"] * 2),
        *("#EXT-X-DISCONTINUITY", '#EXT-X-MAP:URI="init.mp4"', *["00004.m4s"] * 2),
    ]


def test_what_plays_beside_such_pictures_is_discontinuous_at_the_same_places():
    """Audio begins a segment with its first frame from a cut on, up to a frame later."""
    audio = Timeline(
        timescale=48000,
        segments=tuple(Segment(duration=1024 * frames, size_bytes=9) for frames in (47, 47, 47, 47)),
        init_bytes=700,
    )
    playlist = media_playlist(with_discontinuities(audio, CUTS_S, Fraction(1024, 48000)))
    assert lines_but_for_lengths(playlist) == [
        *('#EXT-X-MAP:URI="init.mp4"', "00001.m4s", "00002.m4s"),
        *("#EXT-X-DISCONTINUITY", "00003.m4s", "#EXT-X-DISCONTINUITY", "00004.m4s"),
    ]


@pytest.mark.parametrize("cuts_s", [[Fraction(3, 2)], [Fraction(4)], [Fraction(2), Fraction(49, 24)]])
def test_a_stream_that_is_not_cut_where_pictures_change_is_refused(cuts_s):
    with pytest.raises(ValueError, match="no segment begins at"):
        with_discontinuities(SIZES, cuts_s, Fraction(1, 24))


def test_in_dash_pictures_of_several_sizes_are_one_representation():
    """Segments say their size themselves, so there is one timeline with one initialisation segment."""
    rates = {"peak_bits_per_s": 66_000, "average_bits_per_s": 65_000}
    sound = {"codecs": "mp4a.40.2", "channels": 2, "sample_rate_hz": 48000, "language": "en", "label": "English"}
    size = {"codecs": "avc3.4d400c", "width_px": 320, "height_px": 180, "fps": Fraction(24)}
    video = VideoStream(name="video/320x180-400k", **size, **rates, timeline=SIZES)
    variant = Variant(
        video=video, audio=AudioStream(name="audio/aac-64k", **sound, **rates, timeline=AUDIO), avq_mos=4.0
    )
    manifest = dash_manifest([variant], 4.0)
    assert (manifest.count("<Period "), manifest.count("<Representation ")) == (1, 2)
    assert 'codecs="avc3.4d400c" width="320" height="180"' in manifest
    assert '<S t="0" d="24" r="3" />' in manifest and "init-2" not in manifest
