"""A delivered stream as rules look at it: playlists, with what was measured on their segments."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from abr_alloc.exporting.presentation import peak_bits_per_s
from abr_alloc.linting.tags import Flaw, Playlist, SegmentTag
from abr_alloc.linting.text_reading import TextTrack
from abr_alloc.media.bitstream import Fragment

__all__ = ["MeasuredSegment", "Stream", "Track", "Variant"]

_MAX_RATIO = 200  # target duration over a usual segment: beyond it the peak would take quadratic time to find


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredSegment:
    """A segment of a playlist, and what its bytes hold."""

    tag: SegmentTag
    """What the playlist says."""
    size_bytes: int
    """Its size, bytes; 0 where it is not there or not looked at."""
    fragment: Fragment | None
    """None where it could not be read, or is encrypted or remote."""


@dataclass(frozen=True, eq=False)
class Track:
    """A media playlist with its segments."""

    where: str
    """Its path, as findings name it."""
    playlist: Playlist
    """What it says."""
    segments: tuple[MeasuredSegment, ...]
    """In order."""

    @property
    def fragments(self) -> list[Fragment]:
        return [segment.fragment for segment in self.segments if segment.fragment]

    @property
    def measured(self) -> bool:
        """Whether every segment could be read, so that sums mean something."""
        return bool(self.segments) and all(segment.fragment for segment in self.segments)

    @property
    def kind(self) -> str | None:
        """video or audio; None where no segment could be read."""
        return self.fragments[0].kind if self.fragments else None

    @cached_property
    def rates_bits_per_s(self) -> tuple[float, float] | None:
        """Peak segment bit rate and mean, by sizes and EXTINF (section 4.1); None where they cannot be known."""
        sizes = [float(segment.size_bytes) for segment in self.segments]
        lengths = [segment.tag.duration_s or 0.0 for segment in self.segments]
        target = self.playlist.target_duration_s
        if not sizes or not all(sizes) or not all(lengths) or not target or self.playlist.truncated:
            return None
        if any(segment.fragment is None and not segment.tag.encrypted for segment in self.segments):
            return None
        if target > _MAX_RATIO * median(lengths):
            return None
        return peak_bits_per_s(sizes, lengths, target), 8.0 * sum(sizes) / sum(lengths)

    @cached_property
    def boundaries_s(self) -> list[float]:
        """Where the segments begin, and the last ends, seconds of presentation time; empty if not all were read, or if
        a discontinuity lies between that is one of the clock.

        Audio may begin before 0 with what only prepares its decoder; that is not presented.
        """
        if not self.measured or not self._clock_runs_on:
            return []
        starts = [fragment.start / fragment.timescale for fragment in self.fragments]
        if self.kind == "audio":
            starts[0] = max(starts[0], min(0.0, *starts[1:])) if len(starts) > 1 else max(starts[0], 0.0)
        last = self.fragments[-1]
        return [*starts, last.end / last.timescale]

    @property
    def _clock_runs_on(self) -> bool:
        """Whether time stamps go on through every discontinuity, to within a frame."""
        seams = itertools.pairwise(self.segments)
        return not any(
            after.tag.discontinuity
            and abs(after.fragment.start / after.fragment.timescale - before.fragment.end / before.fragment.timescale)
            > after.fragment.duration_s / after.fragment.num_frames
            for before, after in seams
            if before.fragment and after.fragment
        )

    @property
    def lead_in_s(self) -> float:
        """What the first segment of audio holds before time 0, seconds; a decoder needs it and it is not presented."""
        if self.kind != "audio":
            return 0.0
        return max(0.0, -self.fragments[0].start / self.fragments[0].timescale)

    @cached_property
    def fps(self) -> float | None:
        """Mean frames (of audio: coded frames) per second; None if not all segments were read."""
        if not self.measured:
            return None
        seconds = sum(fragment.duration_s for fragment in self.fragments)
        return sum(fragment.num_frames for fragment in self.fragments) / seconds if seconds > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A variant of a master playlist with what it plays."""

    where: str
    """Playlist and line, as findings name it."""
    name: str
    """Its URI, as written."""
    attributes: dict[str, str]
    """Of EXT-X-STREAM-INF."""
    video: Track | None
    """Its own playlist; None where that is not there or not looked at."""
    audio: tuple[Track | None, ...]
    """The renditions of its audio group that have a playlist of their own."""
    muxed: bool
    """Whether its own segments may hold audio too, which is not looked at."""

    def largest_sum_bits_per_s(self, which: int) -> float | None:
        """The largest sum of peaks (which = 0) or means (1) of what plays together: the video with each rendition of
        its group, or without video one of them; None where one of them is not known."""
        rates = [track.rates_bits_per_s if track else None for track in (self.video, *self.audio)]
        known = [rate[which] for rate in rates if rate]
        if len(known) < len(rates):
            return None
        if self.video in self.audio or (self.video is not None and self.video.kind == "audio"):
            return max(known)
        return known[0] + max(known[1:], default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """All that rules look at."""

    where: str
    """The playlist that was given."""
    root: Playlist
    """What it says."""
    tracks: tuple[Track, ...]
    """Media playlists, each once."""
    variants: tuple[Variant, ...]
    """Of the master playlist; empty for a media playlist."""
    i_frames: tuple[Track, ...]
    """I-frame playlists of the master playlist, each once; of their segments the first frame was read."""
    flaws: tuple[tuple[str, Flaw], ...]
    """What breaks the format or is missing, with the file it is in."""
    not_checked: tuple[str, ...]
    """What was met and not looked at."""
    texts: tuple[TextTrack, ...] = ()
    """Playlists of subtitles, each once."""

    def of_kind(self, kind: str) -> list[Track]:
        return [track for track in self.tracks if track.kind == kind]
