"""What a playlist says, tag by tag, with the lines that say it."""

from __future__ import annotations

from dataclasses import dataclass

from abr_alloc.linting.attributes import Attributes

__all__ = ["ByteRange", "Flaw", "MapTag", "Playlist", "Rendition", "SegmentTag", "VariantTag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """Something in a playlist that breaks the format."""

    rule: str
    """Number of the rule it breaks."""
    line: int
    """Line, from 1; 0 for the whole file."""
    message: str
    """What is wrong."""
    next: str
    """What to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteRange:
    """A part of a file."""

    length: int
    """Bytes."""
    offset: int
    """First byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapTag:
    """EXT-X-MAP: where the initialisation segment is."""

    line: int
    """Its line."""
    uri: str
    """As written."""
    byte_range: ByteRange | None
    """None for the whole file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTag:
    """A media segment, with the tags that apply to it."""

    line: int
    """Line of its URI."""
    uri: str
    """As written."""
    duration_s: float | None
    """EXTINF, seconds; None where it is missing or cannot be read."""
    byte_range: ByteRange | None
    """None for the whole file."""
    map: MapTag | None
    """None without EXT-X-MAP."""
    discontinuity: bool
    """Whether a discontinuity precedes it."""
    encrypted: bool
    """Whether an EXT-X-KEY other than NONE applies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """EXT-X-MEDIA."""

    line: int
    """Its line."""
    attributes: Attributes
    """Values by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantTag:
    """EXT-X-STREAM-INF with its URI line."""

    line: int
    """Line of the tag."""
    uri: str
    """As written; empty where no URI line follows."""
    attributes: Attributes
    """Values by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Playlist:
    """A master (multivariant) or a media playlist."""

    is_master: bool
    """Whether it has tags of a master playlist."""
    version: int
    """EXT-X-VERSION; 1 without one."""
    version_line: int
    """Its line; 0 without one."""
    needed_version: int
    """The least version that its tags may be used with (section 8)."""
    needed_for: str
    """The tag that needs it."""
    tags: frozenset[str]
    """Names of all tags, without the #."""
    target_duration_s: int | None
    """EXT-X-TARGETDURATION, seconds."""
    target_line: int
    """Its line; 0 without one."""
    playlist_type: str | None
    """VOD, EVENT or None."""
    segments: tuple[SegmentTag, ...]
    """Of a media playlist, in order."""
    renditions: tuple[Rendition, ...]
    """Of a master playlist."""
    variants: tuple[VariantTag, ...]
    """Of a master playlist."""
    i_frame_streams: tuple[Rendition, ...]
    """EXT-X-I-FRAME-STREAM-INF of a master playlist."""
    truncated: bool
    """Whether it has more segments than are read."""
    flaws: tuple[Flaw, ...]
    """What breaks the format."""

    @property
    def ended(self) -> bool:
        """Whether it says that nothing follows."""
        return "EXT-X-ENDLIST" in self.tags

    @property
    def independent(self) -> bool:
        """Whether it says that every segment can be decoded alone."""
        return "EXT-X-INDEPENDENT-SEGMENTS" in self.tags
