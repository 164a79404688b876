"""Read a playlist strictly, for a linter: what lenient readers forgive is noted, with its line.

Nothing raises: a playlist is what a stranger wrote, and every fault in it is a result. Clauses are those of
draft-pantos-hls-rfc8216bis-22.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from abr_alloc.lint.attributes import Attributes, decimal_float, decimal_integer, read_attributes
from abr_alloc.lint.tags import ByteRange, Flaw, MapTag, Playlist, Rendition, SegmentTag, VariantTag

__all__ = ["MAX_SEGMENTS", "read_playlist"]

MAX_SEGMENTS = 20_000
"""Segments of a playlist that are read; 33 hours of six seconds."""

_MAX_FLAWS = 1000  # of one playlist; more tell nobody more
_MULTIVARIANT = (
    "EXT-X-MEDIA",
    "EXT-X-STREAM-INF",
    "EXT-X-I-FRAME-STREAM-INF",
    "EXT-X-SESSION-DATA",
    "EXT-X-SESSION-KEY",
)
_MEDIA = (
    *("EXTINF", "EXT-X-TARGETDURATION", "EXT-X-BYTERANGE", "EXT-X-MAP", "EXT-X-KEY", "EXT-X-ENDLIST"),
    *("EXT-X-PLAYLIST-TYPE", "EXT-X-DISCONTINUITY", "EXT-X-MEDIA-SEQUENCE", "EXT-X-I-FRAMES-ONLY"),
)
# Tags whose value is an attribute list, of those that are read here.
_LISTS = ("EXT-X-MEDIA", "EXT-X-STREAM-INF", "EXT-X-I-FRAME-STREAM-INF", "EXT-X-MAP", "EXT-X-KEY")
# What the version must be for a tag, whatever it says (section 8).
_TAG_VERSIONS = {"EXT-X-BYTERANGE": 4, "EXT-X-I-FRAMES-ONLY": 4, "EXT-X-DEFINE": 8, "EXT-X-SKIP": 9}
_CONTROL = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(slots=True)
class _State:
    """What is known while lines are read."""

    flaws: list[Flaw] = field(default_factory=list)
    tags: dict[str, int] = field(default_factory=dict)  # name -> first line
    needs: tuple[int, str] = (1, "")
    version: int = 1
    target: int | None = None
    playlist_type: str | None = None
    segments: list[SegmentTag] = field(default_factory=list)
    renditions: list[Rendition] = field(default_factory=list)
    variants: list[VariantTag] = field(default_factory=list)
    i_frame_streams: list[Rendition] = field(default_factory=list)
    # What applies to the next URI line.
    duration: float | None = None
    extinf_line: int = 0
    range_text: str | None = None
    discontinuity: bool = False
    variant: tuple[int, Attributes] | None = None
    map: MapTag | None = None
    encrypted: bool = False
    truncated: bool = False

    def flaw(self, rule: str, line: int, message: str, then: str) -> None:
        if len(self.flaws) < _MAX_FLAWS:
            self.flaws.append(Flaw(rule=rule, line=line, message=message, next=then))

    def need(self, version: int, what: str) -> None:
        self.needs = max(self.needs, (version, what), key=lambda pair: pair[0])


def read_playlist(data: bytes) -> Playlist:
    """Read the bytes of a playlist."""
    state = _State()
    lines = _lines(data, state)
    if lines[0] != "#EXTM3U":
        state.flaw("HLS 4.4.1.1", 1, f"begins with {lines[0][:20]!r}", "make #EXTM3U its first line")
    if not any(line.startswith("#EXT") for line in lines):
        lines = []  # of no playlist, so that its lines are no faults of one
    for at, line in enumerate(lines, start=1):
        if line.startswith("#EXT"):
            name, colon, value = line[1:].partition(":")
            _tag(state, at, name, value if colon else "")
        elif line and not line.startswith("#"):
            _uri(state, at, line)
    if state.variant:
        state.flaw("HLS 4.4.6.2", state.variant[0], "no URI follows EXT-X-STREAM-INF", "put it on the next line")
    is_master = any(name in state.tags for name in _MULTIVARIANT)
    if is_master and any(name in state.tags for name in _MEDIA):
        at = next(first for name, first in state.tags.items() if name in _MEDIA)
        state.flaw("HLS 4.1", at, "has tags of a master and of a media playlist", "make two playlists of it")
    elif not is_master and not state.segments and "EXT-X-TARGETDURATION" not in state.tags:
        state.flaw("HLS 4.1", 0, "has no tag of a master or of a media playlist", "give a playlist")
    return Playlist(
        is_master=is_master,
        version=state.version,
        version_line=state.tags.get("EXT-X-VERSION", 0),
        needed_version=state.needs[0],
        needed_for=state.needs[1],
        tags=frozenset(state.tags),
        target_duration_s=state.target,
        target_line=state.tags.get("EXT-X-TARGETDURATION", 0),
        playlist_type=state.playlist_type,
        segments=tuple(state.segments),
        renditions=tuple(state.renditions),
        variants=tuple(state.variants),
        i_frame_streams=tuple(state.i_frame_streams),
        truncated=state.truncated,
        flaws=tuple(state.flaws),
    )


def _lines(data: bytes, state: _State) -> list[str]:
    """Lines without their ends: LF, or CR LF (section 4.1)."""
    if data.startswith(b"\xef\xbb\xbf"):
        state.flaw("HLS 4.1", 1, "begins with a byte order mark", "save it without one")
        data = data[3:]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        state.flaw("HLS 4.1", line, f"is not UTF-8 from byte {error.start} on", "save it as UTF-8")
        text = data.decode("utf-8", errors="replace")
    found = _CONTROL.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        state.flaw("HLS 4.1", line, f"holds the control character {found[0]!r}", "remove it")
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _tag(state: _State, line: int, name: str, value: str) -> None:
    again = name in state.tags
    state.tags.setdefault(name, line)
    if name in _TAG_VERSIONS:
        state.need(_TAG_VERSIONS[name], name)
    attributes: Attributes = {}
    if name in _LISTS:
        attributes, wrong = read_attributes(value)
        for message, then in wrong:
            state.flaw("HLS 4.2", line, f"{name}: {message}", then)
    if name == "EXT-X-VERSION":
        number = decimal_integer(value)
        if again or not number:
            state.flaw(
                "HLS 4.4.1.2",
                line,
                f"EXT-X-VERSION is {value[:20]!r}{' again' if again else ''}",
                "give one whole number, once",
            )
        else:
            state.version = number
    elif name == "EXT-X-TARGETDURATION":
        number = decimal_integer(value)
        if again or not number:
            state.flaw(
                "HLS 4.4.3.1",
                line,
                f"EXT-X-TARGETDURATION is {value[:20]!r}{' again' if again else ''}",
                "give whole seconds, once",
            )
        else:
            state.target = number
    elif name == "EXT-X-PLAYLIST-TYPE":
        state.playlist_type = value if value in ("VOD", "EVENT") else None
        if state.playlist_type is None:
            state.flaw("HLS 4.4.3.5", line, f"EXT-X-PLAYLIST-TYPE is {value[:20]!r}", "write VOD or EVENT")
    elif name == "EXTINF":
        text = value.partition(",")[0]
        state.duration, state.extinf_line = decimal_float(text), line
        if not state.duration:
            state.flaw("HLS 4.4.4.1", line, f"EXTINF is {text[:20]!r}", "give a number of seconds above 0")
            state.duration = None
        elif not text.isdigit():
            state.need(3, "EXTINF with a fraction")
    elif name == "EXT-X-BYTERANGE":
        state.range_text = value
    elif name == "EXT-X-DISCONTINUITY":
        state.discontinuity = True
    elif name == "EXT-X-KEY":
        state.encrypted = attributes.get("METHOD") != "NONE"
        if "IV" in attributes:
            state.need(2, "IV of EXT-X-KEY")
        if "KEYFORMAT" in attributes or attributes.get("METHOD") == "SAMPLE-AES":
            state.need(5, "KEYFORMAT or SAMPLE-AES of EXT-X-KEY")
    elif name == "EXT-X-MAP":
        state.need(5 if "EXT-X-I-FRAMES-ONLY" in state.tags else 6, "EXT-X-MAP")
        state.map = _map(state, line, attributes)
    elif name == "EXT-X-MEDIA":
        state.renditions.append(Rendition(line=line, attributes=attributes))
        if attributes.get("INSTREAM-ID", "").startswith("SERVICE"):
            state.need(7, "SERVICE of INSTREAM-ID")
    elif name == "EXT-X-I-FRAME-STREAM-INF":
        state.i_frame_streams.append(Rendition(line=line, attributes=attributes))
    elif name == "EXT-X-STREAM-INF":
        if state.variant:
            state.flaw("HLS 4.4.6.2", state.variant[0], "no URI follows EXT-X-STREAM-INF", "put it on the next line")
        state.variant = (line, attributes)


def _map(state: _State, line: int, attributes: Attributes) -> MapTag | None:
    if "URI" not in attributes:
        state.flaw("HLS 4.4.4.5", line, "EXT-X-MAP has no URI", "name the initialisation segment")
        return None
    byte_range = None
    if "BYTERANGE" in attributes:
        byte_range = _byte_range(attributes["BYTERANGE"], 0)
        if byte_range is None:
            state.flaw("HLS 4.4.4.5", line, f"BYTERANGE is {attributes['BYTERANGE'][:30]!r}", "write LENGTH@OFFSET")
    return MapTag(line=line, uri=attributes["URI"], byte_range=byte_range)


def _byte_range(text: str, default_offset: int | None) -> ByteRange | None:
    length, at, offset = text.partition("@")
    size, start = decimal_integer(length), decimal_integer(offset) if at else default_offset
    return ByteRange(length=size, offset=start) if size and start is not None else None


def _uri(state: _State, line: int, uri: str) -> None:
    if state.variant:
        state.variants.append(VariantTag(line=state.variant[0], uri=uri, attributes=state.variant[1]))
        state.variant = None
        return
    if len(state.segments) == MAX_SEGMENTS:
        state.truncated = True
        return
    if not state.extinf_line:
        state.flaw("HLS 4.4.4.1", line, "no EXTINF stands before this segment", "give its length")
    byte_range = None
    if state.range_text is not None:
        last = state.segments[-1] if state.segments else None
        follows = last.byte_range if last and last.uri == uri else None
        byte_range = _byte_range(state.range_text, follows.offset + follows.length if follows else None)
        if byte_range is None:
            text = f"EXT-X-BYTERANGE is {state.range_text[:30]!r}, and no range of this file goes before it"
            state.flaw("HLS 4.4.4.2", line, text, "write LENGTH@OFFSET")
    state.segments.append(
        SegmentTag(
            line=line,
            uri=uri,
            duration_s=state.duration,
            byte_range=byte_range,
            map=state.map,
            discontinuity=state.discontinuity,
            encrypted=state.encrypted,
        )
    )
    state.duration, state.extinf_line, state.range_text, state.discontinuity = None, 0, None, False
