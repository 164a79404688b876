"""What a package is: streams that players fetch by themselves, and the variants that pair them.

Rates are those of the segments as they lie on disk, container included, beside those that a playlist declares.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Literal

from abr_alloc.exporting.presentation import peak_bits_per_s
from abr_alloc.packages.extents import Extent, Segment
from abr_alloc.packages.joining import write_stream

__all__ = ["Package", "PackagedStream", "PackagedVariant", "StreamKind"]

StreamKind = Literal["video", "audio", "muxed"]
"""What a stream holds; muxed is both."""

_MAX_RATIO = 200  # longest segment over a usual one: beyond it the peak would take quadratic time to find


@dataclass(frozen=True, kw_only=True)
class PackagedStream:
    """One stream: a media playlist of HLS, a Representation of DASH."""

    kind: StreamKind
    """What it holds."""
    label: str
    """Unique in its package: letters, digits, `.`, `-` and `_`. Of HLS what tells its playlist's path from the others';
    of DASH the Representation's id."""
    where: str
    """Its playlist, or the manifest and the Representation, as messages name it."""
    container: str
    """mp4, mpegts, webm, or packed (bare audio frames)."""
    video_codec: str
    """ffmpeg's name of its video codec: h264, hevc, av1, vp9; empty for audio."""
    audio_codec: str
    """ffmpeg's name of its audio codec: aac, opus, ac3; empty for video."""
    codecs: str
    """Codecs as RFC 6381 writes them, with commas between; empty where neither the package nor its bytes tell."""
    language: str
    """As declared; empty where nothing is."""
    width_px: int
    """Coded width, pixels; 0 for audio."""
    height_px: int
    """Coded height, pixels; 0 for audio."""
    fps: float | None
    """Frames per second as declared, else as the first segment shows; None for audio."""
    channels: int
    """Audio channels; 0 for video."""
    sample_rate_hz: int
    """Sample rate, Hz; 0 for video."""
    declared_kbps: float | None
    """DASH's @bandwidth, kbps; None for HLS, which declares rates of variants."""
    segments: tuple[Segment, ...]
    """In order."""
    whole: Extent | None = None
    """The one file that is the stream as it stands; None where segments are to be joined."""

    @property
    def duration_s(self) -> float:
        """Length as declared, seconds."""
        return sum(segment.duration_s for segment in self.segments)

    @property
    def size_bytes(self) -> int:
        """Bytes of the segments, without initialisation segments."""
        return sum(segment.media.size_bytes for segment in self.segments)

    @property
    def average_kbps(self) -> float:
        """Mean rate, kbps."""
        return self.size_bytes * 8.0 / 1000.0 / self.duration_s

    @cached_property
    def peak_kbps(self) -> float:
        """Peak segment bit rate (RFC 8216, section 4.1), kbps: the target duration is that of the longest segment. The
        mean where a single file tells nothing of its segments."""
        sizes = [float(segment.media.size_bytes) for segment in self.segments]
        lengths_s = [segment.duration_s for segment in self.segments]
        longest_s = max(lengths_s)
        if longest_s > _MAX_RATIO * median(lengths_s):
            return max(size * 8.0 / 1000.0 / longest_s for size in sizes)
        return peak_bits_per_s(sizes, lengths_s, max(1.0, float(int(longest_s + 0.5)))) / 1000.0

    @property
    def suffix(self) -> str:
        """What a file name should end with that `write` is given: .mp4, .ts, .webm; of bare frames the codec's."""
        packed = f".{self.audio_codec}"
        return {"mp4": ".mp4", "mpegts": ".ts", "webm": ".webm"}.get(self.container, packed)

    def write(self, path: Path) -> None:
        """Write the stream as one file that decodes to the frames and samples that a player of the package gets.

        Edit lists and timestamps stay as they are; where parts join (discontinuities, Periods) whose times start anew,
        those of the later ones are moved behind the earlier ones'.

        Raises:
            PackageError: a file is not there any more, or parts cannot be joined exactly; the message says why.
            OutputError: the disk takes no more.
        """
        write_stream(self.where, self.container, self.segments, self.whole, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedVariant:
    """A video stream with the audio that plays beside it: what a player switches between."""

    name: str
    """As messages name it: playlist and line, or the ids of its Representations."""
    video: str
    """Label of its video or muxed stream."""
    audio: str | None
    """Label of its audio stream: of HLS the default one of its group; None where it is muxed, or has none."""
    declared_peak_kbps: float | None
    """BANDWIDTH, or the sum of DASH's @bandwidth, kbps."""
    declared_average_kbps: float | None
    """AVERAGE-BANDWIDTH, kbps; None where nothing is declared."""
    average_kbps: float
    """Mean rate of the streams together, kbps."""
    peak_kbps: float
    """Sum of the streams' peak segment bit rates, kbps."""
    width_px: int
    """RESOLUTION, or DASH's @width, else the coded width, pixels."""
    height_px: int
    """RESOLUTION, or DASH's @height, else the coded height, pixels."""
    fps: float | None
    """FRAME-RATE, else the stream's, frames per second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What a playlist or manifest offers."""

    path: Path
    """The playlist or manifest."""
    kind: Literal["hls", "dash"]
    """Which of the two."""
    streams: tuple[PackagedStream, ...]
    """Each once: video and muxed before audio, otherwise in the order of the package."""
    variants: tuple[PackagedVariant, ...]
    """In the order of the package. HLS states them; DASH lets players pair any two, so each video stands with each
    audio of the main language. Empty for a lone media playlist, and where there is no video."""
    notes: tuple[str, ...]
    """What was left out, a line each: subtitles, I-frame playlists, redundant variants."""

    def stream(self, label: str) -> PackagedStream:
        """The stream of a label.

        Raises:
            KeyError: there is none.
        """
        for stream in self.streams:
            if stream.label == label:
                return stream
        raise KeyError(label)
