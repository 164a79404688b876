"""What playlists and manifests describe: streams, cut into segments, and the variants that pair them.

Rates are in bit/s here, container included, because that is what playlists carry. They are measured where the segments
are there, and planned where a template is written.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from abr_alloc.defaults import SEGMENT_S
from abr_alloc.media.segments import INIT_NAME

__all__ = [
    "I_FRAME_PLAYLIST_NAME",
    "MANIFEST_NAME",
    "MASTER_NAME",
    "PLAYLIST_NAME",
    "SEGMENT_S",
    "AudioStream",
    "IFrame",
    "Segment",
    "Timeline",
    "Variant",
    "VideoStream",
    "distinct_audio",
    "distinct_video",
    "peak_bits_per_s",
    "sort_variants",
    "with_discontinuities",
]

MASTER_NAME, MANIFEST_NAME = "master.m3u8", "manifest.mpd"
"""What players are given."""

PLAYLIST_NAME = "index.m3u8"
"""A stream's playlist, in its folder."""

I_FRAME_PLAYLIST_NAME = "iframes.m3u8"
"""A video stream's playlist of key frames, in its folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One media segment."""

    duration: int
    """Length, ticks of its timeline."""
    size_bytes: int
    """Size of its file, bytes."""
    init: str = INIT_NAME
    """The initialisation segment that it plays with: where pictures change in size, each size has one."""
    discontinuity: bool = False
    """Whether pictures of some stream of the presentation change in size where it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IFrame:
    """One key frame of a video stream, which players show while a viewer scrubs."""

    segment: int
    """Number of the segment that holds it, from 1."""
    duration: int
    """Time to the next one, ticks of its timeline."""
    offset_bytes: int
    """Where its movie fragment begins in the segment's file."""
    size_bytes: int
    """Bytes from there to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """How a stream is cut, from presentation time 0."""

    timescale: int
    """Ticks per second."""
    segments: tuple[Segment, ...]
    """In order."""
    init_bytes: int
    """Size of the first initialisation segment, bytes."""
    lead_in: int = 0
    """What the first segment holds before time 0, ticks: an audio coder's lead-in, which an edit list hides."""
    i_frames: tuple[IFrame, ...] = ()
    """Key frames that can be read alone; empty for audio."""
    segment_s: float = SEGMENT_S
    """What its segments were to last, seconds."""
    index_bytes: int = 0
    """Size of the index after the initialisation segment where all lies in one file, bytes; 0 where every segment is a
    file."""

    @property
    def starts_s(self) -> list[Fraction]:
        """When every segment begins, seconds."""
        ends = itertools.accumulate(segment.duration for segment in self.segments)
        return [Fraction(ticks, self.timescale) for ticks in (0, *ends)][:-1]

    @property
    def size_changes_s(self) -> list[Fraction]:
        """When pictures of another size than before begin, seconds."""
        inits = [segment.init for segment in self.segments]
        changed = [False, *(after != before for before, after in itertools.pairwise(inits))]
        return list(itertools.compress(self.starts_s, changed))

    @property
    def durations_s(self) -> list[float]:
        return [segment.duration / self.timescale for segment in self.segments]

    @property
    def media_durations_s(self) -> list[float]:
        """Lengths of the segments as their own clock (tfdt) counts, which knows no edit list: lead-in included."""
        first, *others = self.durations_s
        return [first + self.lead_in / self.timescale, *others]

    @property
    def duration_s(self) -> float:
        return sum(segment.duration for segment in self.segments) / self.timescale

    @property
    def target_duration_s(self) -> int:
        """EXT-X-TARGETDURATION: no segment, rounded to whole seconds, is longer (RFC 8216, 4.3.3.1).

        At least what segments were to last, also of a title that is shorter: by its own segments alone, a video of
        2.49 s and an audio stream of 2.51 s would have different ones, which 8.2 of Apple's specification and RFC 8216,
        6.2.4, forbid.
        """
        return max(int(self.segment_s + 0.5), *(int(seconds + 0.5) for seconds in self.media_durations_s))

    @property
    def peak_bits_per_s(self) -> float:
        return peak_bits_per_s([s.size_bytes for s in self.segments], self.media_durations_s, self.target_duration_s)

    @property
    def average_bits_per_s(self) -> float:
        return 8.0 * sum(segment.size_bytes for segment in self.segments) / sum(self.media_durations_s)

    @property
    def i_frame_durations_s(self) -> list[float]:
        return [frame.duration / self.timescale for frame in self.i_frames]

    @property
    def i_frame_bits_per_s(self) -> tuple[float, float]:
        """Peak segment bit rate and mean of the key frames alone."""
        sizes, durations_s = [frame.size_bytes for frame in self.i_frames], self.i_frame_durations_s
        return peak_bits_per_s(sizes, durations_s, self.target_duration_s), 8.0 * sum(sizes) / sum(durations_s)


def with_discontinuities(timeline: Timeline, cuts_s: Iterable[Fraction], tolerance_s: Fraction) -> Timeline:
    """A timeline of which the segments at some times are told to be discontinuities.

    Args:
        timeline: a stream's.
        cuts_s: when pictures of some stream change in size, seconds, rising.
        tolerance_s: how much after it a segment may begin, seconds: for audio less than a frame of its own.

    Raises:
        ValueError: no segment begins at one of these times.
    """
    starts_s, marked = timeline.starts_s, set()
    for cut_s in cuts_s:
        at = bisect.bisect_left(starts_s, cut_s)
        if at == len(starts_s) or starts_s[at] > cut_s + tolerance_s or at in marked:
            raise ValueError(f"no segment begins at {float(cut_s):.3f} s, where pictures change in size")
        marked.add(at)
    return replace(
        timeline,
        segments=tuple(replace(s, discontinuity=at in marked) for at, s in enumerate(timeline.segments)),
    )


def peak_bits_per_s(size_bytes: Sequence[float], durations_s: Sequence[float], target_duration_s: float) -> float:
    """The peak segment bit rate of a media playlist: the largest rate of any run of successive segments that lasts
    between 0.5 and 1.5 target durations (RFC 8216, section 4.1); of all of them where none is as long.

    Args:
        size_bytes: size of every segment.
        durations_s: length of every segment, seconds.
        target_duration_s: EXT-X-TARGETDURATION.
    """
    peak = 0.0
    for first in range(len(size_bytes)):
        bits, seconds = 0.0, 0.0
        for size, duration in zip(size_bytes[first:], durations_s[first:], strict=True):
            bits, seconds = bits + 8.0 * size, seconds + duration
            if seconds > 1.5 * target_duration_s:
                break
            if seconds >= 0.5 * target_duration_s:
                peak = max(peak, bits / seconds)
    return peak or 8.0 * sum(size_bytes) / sum(durations_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoStream:
    """One video rendition as it is delivered, or planned to be."""

    name: str
    """Its folder below the master playlist, e.g. video/640x360-900k."""
    codecs: str
    """RFC 6381; where sizes change, of the one that asks most of a decoder."""
    width_px: int
    """Width of the largest pictures, pixels."""
    height_px: int
    """Height of the largest pictures, pixels."""
    fps: Fraction
    """Frames per second."""
    peak_bits_per_s: float
    """Peak segment bit rate."""
    average_bits_per_s: float
    """Mean bit rate."""
    dynamic_range: str = "SDR"
    """SDR, HLG or PQ."""
    has_captions: bool = False
    """Whether its pictures carry closed captions (CEA-608)."""
    timeline: Timeline | None = None
    """Its segments; None in a template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioStream:
    """One audio rendition as it is delivered, or planned to be."""

    name: str
    """Its folder below the master playlist, e.g. audio/aac-128k."""
    codecs: str
    """RFC 6381."""
    channels: int
    """Channels."""
    sample_rate_hz: int
    """Sample rate, Hz."""
    language: str
    """RFC 5646 tag; und where it is not known."""
    label: str
    """What a player's menu shows."""
    peak_bits_per_s: float
    """Peak segment bit rate."""
    average_bits_per_s: float
    """Mean bit rate."""
    role: str = "main"
    """What it is for: main, dub, commentary, description or other (`orders.AudioRole`)."""
    timeline: Timeline | None = None
    """Its segments; None in a template."""

    @property
    def group_id(self) -> str:
        """The group of the variants that play it as their own."""
        return self.name.replace("/", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A rung of the ladder: one video with one audio rendition."""

    video: VideoStream
    """What it shows."""
    audio: AudioStream
    """What it plays."""
    avq_mos: float
    """Predicted AVQ, MOS 1-5."""
    others: tuple[AudioStream, ...] = ()
    """The other languages and roles in the group of its audio: what may play in its place."""

    @property
    def group(self) -> tuple[AudioStream, ...]:
        """All audio that may play with its video, its own first."""
        return (self.audio, *self.others)

    @property
    def group_id(self) -> str:
        """The group's name in a master playlist. Groups differ by their own rendition of the ladder, so that a variant
        plays that one and no other; a stream of another language may stand in several."""
        return self.audio.group_id

    @property
    def codecs(self) -> str:
        """RFC 6381: of its video and of all audio that may play with it."""
        return ",".join(dict.fromkeys([self.video.codecs, *(audio.codecs for audio in self.group)]))

    @property
    def peak_bits_per_s(self) -> float:
        """The largest sum of peaks of what plays together: the video with one of its group."""
        return self.video.peak_bits_per_s + max(audio.peak_bits_per_s for audio in self.group)

    @property
    def average_bits_per_s(self) -> float:
        return self.video.average_bits_per_s + max(audio.average_bits_per_s for audio in self.group)


def sort_variants(variants: Sequence[Variant]) -> list[Variant]:
    """By mean rate, rising."""
    return sorted(variants, key=lambda variant: variant.average_bits_per_s)


def distinct_video(variants: Sequence[Variant]) -> list[VideoStream]:
    """The video streams of some variants, each once, in their order."""
    return list({variant.video.name: variant.video for variant in variants}.values())


def distinct_audio(variants: Sequence[Variant]) -> list[AudioStream]:
    """The audio streams of some variants, each once, in their order; every group's languages and roles together."""
    return list({audio.name: audio for variant in variants for audio in variant.group}.values())
