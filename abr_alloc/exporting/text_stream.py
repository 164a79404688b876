"""Subtitles as they are delivered: WebVTT in segments for HLS, cut where the video is, and in one file for DASH.

A cue that lasts over a cut stands in both segments with all of its time (draft-pantos-hls-rfc8216bis-22, 3.1.4).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from abr_alloc.exporting.presentation import Timeline
from abr_alloc.media.segments import TEXT_PATTERN
from abr_alloc.media.webvtt import Cue, webvtt_text

__all__ = ["VERSION", "TextStream", "text_playlist", "text_segments"]

VERSION = 7
"""EXT-X-VERSION of all playlists: fragmented MP4 is written with it by custom; EXT-X-MAP alone would need 6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStream:
    """Subtitles in one language as they are delivered."""

    name: str
    """Its folder below the master playlist, e.g. subtitles/de."""
    language: str
    """RFC 5646 tag; und where it is not known."""
    label: str
    """What a player's menu shows."""
    average_bits_per_s: float
    """Mean bit rate."""
    is_forced: bool = False
    """Whether it is what a viewer needs who asked for no subtitles: what is spoken in another language."""
    is_captions: bool = False
    """Whether it is for who does not hear: sounds are described too."""


def text_segments(cues: Sequence[Cue], timeline: Timeline) -> Iterator[bytes]:
    """A WebVTT file for every segment of a video's timeline, with the cues that are shown while it plays.

    Media time 0 is the title's first instant, edit lists applied, and so is the cues': both are 0 in X-TIMESTAMP-MAP.
    """
    starts_ms = [float(1000 * start_s) for start_s in timeline.starts_s]
    ends_ms = [*starts_ms[1:], math.inf]
    for start_ms, end_ms in zip(starts_ms, ends_ms, strict=True):
        yield webvtt_text([cue for cue in cues if cue.end_ms > start_ms and cue.start_ms < end_ms], is_segment=True)


def text_playlist(timeline: Timeline) -> str:
    """The playlist of subtitles that are cut as a video is."""
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{timeline.target_duration_s}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
    ]
    for number, (segment, seconds) in enumerate(zip(timeline.segments, timeline.durations_s, strict=True), start=1):
        # Discontinuities stand in all playlists at the same places (RFC 8216, 6.2.4).
        lines += ["#EXT-X-DISCONTINUITY"] if segment.discontinuity and number > 1 else []
        lines += [f"#EXTINF:{seconds:.6f},", TEXT_PATTERN.format(number)]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"
