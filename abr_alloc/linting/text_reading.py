"""Read the subtitles of a delivered stream: WebVTT in segments, as rules look at it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from abr_alloc.linting.tags import ByteRange, Playlist, SegmentTag
from abr_alloc.media.webvtt import Cue, WebVttError, read_times, read_webvtt

__all__ = ["TextSegment", "TextTrack", "read_text_track"]

_MAX_TEXT_BYTES = 16 << 20
_MPEG_TICKS = 90_000
_MAP = re.compile(r"X-TIMESTAMP-MAP=(?=.*MPEGTS:(\d{1,12}))(?=.*LOCAL:([\d:.]{9,20})).*", flags=re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSegment:
    """A segment of subtitles."""

    tag: SegmentTag
    """What the playlist says."""
    cues: tuple[Cue, ...]
    """What it shows, on its own clock."""
    offset_s: Fraction
    """What a cue's time and this make that of the media, seconds; 0 without X-TIMESTAMP-MAP."""
    is_mapped: bool
    """Whether it has an X-TIMESTAMP-MAP that can be read."""
    is_read: bool
    """Whether it could be read."""

    def times_s(self, cue: Cue) -> tuple[Fraction, Fraction]:
        """When a cue begins and ends, seconds of media time."""
        return Fraction(cue.start_ms, 1000) + self.offset_s, Fraction(cue.end_ms, 1000) + self.offset_s


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTrack:
    """A media playlist of subtitles."""

    where: str
    """Its path, as findings name it."""
    playlist: Playlist
    """What it says."""
    segments: tuple[TextSegment, ...]
    """In order."""


class _Files(Protocol):
    """What reads playlists and files below a folder, and notes what is wrong with them."""

    not_checked: dict[str, None]

    def resolve(self, uri: str, base: str) -> str | None: ...
    def read(self, path: str, part: ByteRange | None = None, limit: int = ...) -> tuple[bytes, str | None]: ...
    def playlist(self, path: str, uri: str, base: str, line: int) -> Playlist | None: ...
    def flaw(self, where: str, rule: str, line: int, message: str, then: str) -> None: ...


def read_text_track(files: _Files, uri: str, base: str, line: int) -> TextTrack | None:
    """The subtitles that an EXT-X-MEDIA names; None for what is not looked at, which is noted."""
    path = files.resolve(uri, base)
    playlist = None if path is None else files.playlist(path, uri, base, line)
    if path is None or playlist is None:
        return None
    if any(tag.map for tag in playlist.segments):
        files.not_checked[f"{path}: subtitles within MP4"] = None
        return None
    if any(tag.encrypted for tag in playlist.segments):
        files.not_checked[f"{path}: encrypted segments"] = None
        return None
    for flaw in playlist.flaws:
        files.flaw(path, flaw.rule, flaw.line, flaw.message, flaw.next)
    segments = tuple(_segment(files, path, tag) for tag in playlist.segments)
    return TextTrack(where=path, playlist=playlist, segments=segments)


def _segment(files: _Files, base: str, tag: SegmentTag) -> TextSegment:
    path = files.resolve(tag.uri, base)
    header: list[str] = []
    cues: list[Cue] = []
    fault = None
    if path is not None:
        data, fault = files.read(path, tag.byte_range, _MAX_TEXT_BYTES)
        if fault:
            files.flaw(base, "HLS 3", tag.line, f"the segment {tag.uri[:80]} {fault}", "write it, or correct the URI")
        else:
            try:
                header, cues = read_webvtt(data)
            except WebVttError as error:
                fault = str(error)
                files.flaw(base, "HLS 3.1.4", tag.line, f"the segment {tag.uri[:80]} {fault}", "write it as WebVTT")
    offset_s = next((found for found in map(_offset_s, header) if found is not None), None)
    return TextSegment(
        tag=tag,
        cues=tuple(cues),
        offset_s=offset_s or Fraction(0),
        is_mapped=offset_s is not None,
        is_read=path is not None and fault is None,
    )


def _offset_s(line: str) -> Fraction | None:
    """What X-TIMESTAMP-MAP says that media time is ahead of a cue's, seconds; None of other lines."""
    match = _MAP.fullmatch(line.strip())
    times = read_times(f"{match[2]} --> {match[2]}") if match else None
    return None if match is None or times is None else Fraction(int(match[1]), _MPEG_TICKS) - Fraction(times[0], 1000)
