"""Read a playlist strictly, for a linter: what lenient readers forgive is noted, with its line.

Nothing raises: a playlist is what a stranger wrote, and every fault in it is a result. Clauses are those of
draft-pantos-hls-rfc8216bis-22.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from abr_alloc.linting.attributes import AttributeList, Attributes, read_attributes
from abr_alloc.linting.constraints import WITHIN_A_TAG, across_tags
from abr_alloc.linting.syntax import NEVER_EMPTY, TAGS
from abr_alloc.linting.tags import ByteRange, Flaw, MapTag, Playlist, Rendition, SegmentTag, VariantTag
from abr_alloc.linting.values import decimal_float, decimal_integer, parse_byte_range

__all__ = ["MAX_SEGMENTS", "read_playlist"]

MAX_SEGMENTS = 20_000
"""Segments of a playlist that are read; 33 hours of six seconds."""

_MAX_FLAWS = 1000  # of one playlist; more tell nobody more
_MULTIVARIANT = frozenset(name for name, syntax in TAGS.items() if syntax.within == "master")
_MEDIA = frozenset(name for name, syntax in TAGS.items() if syntax.within == "media")
# What the version must be for a tag, whatever it says (section 8).
_TAG_VERSIONS = {"EXT-X-BYTERANGE": 4, "EXT-X-I-FRAMES-ONLY": 4, "EXT-X-DEFINE": 8, "EXT-X-SKIP": 9}
_CONTROL = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(slots=True)
class _State:
    """What is known while lines are read."""

    flaws: list[Flaw] = field(default_factory=list)
    tags: dict[str, int] = field(default_factory=dict)  # name -> first line
    lists: dict[str, list[tuple[int, AttributeList]]] = field(default_factory=dict)  # of tags that have attributes
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
    range: tuple[int, tuple[int, int | None]] | None = None  # line; length, offset
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
    if lines[0].partition(":")[0] != "#EXTM3U":
        state.flaw("HLS 4.4.1.1", 1, f"begins with {lines[0][:20]!r}", "make #EXTM3U its first line")
    if not any(line.startswith("#EXT") for line in lines):
        lines = []  # of no playlist, so that its lines are no faults of one
    for at, text in enumerate(lines, start=1):
        line = text.strip(" \t")
        # The title of EXTINF may end with what it likes, and a comment is nobody's concern.
        stray = not text.startswith(line) or (line != text and not line.startswith("#EXTINF"))
        if stray and (line.startswith("#EXT") or not line.startswith("#")):
            state.flaw("HLS 4.1", at, f"white space stands around {line[:40]!r}", "remove it")
        if line.startswith("#EXT"):
            name, colon, value = line[1:].partition(":")
            _tag(state, at, name, value if colon else None)
        elif line and not line.startswith("#"):
            _uri(state, at, line)
    _finish(state)
    is_master = not _MULTIVARIANT.isdisjoint(state.tags)
    if is_master and not _MEDIA.isdisjoint(state.tags):
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


def _tag(state: _State, line: int, name: str, value: str | None) -> None:
    syntax = TAGS.get(name)
    again = name in state.tags
    state.tags.setdefault(name, line)
    if syntax is None:  # a tag of somebody's own
        return
    section = f"HLS {syntax.section}"
    if again and syntax.once:
        state.flaw(f"HLS {syntax.once}", line, f"{name} stands again, and may once", "keep one")
        return
    if name in _TAG_VERSIONS:
        state.need(_TAG_VERSIONS[name], name)
    if syntax.attributes:
        _attributes(state, line, name, value or "")
        return
    if syntax.value is None:
        if value is not None:
            state.flaw(section, line, f"{name} has the value {value[:20]!r}, and no value", f"write #{name} alone")
    else:
        fault = "write its value behind a colon" if value is None else syntax.value(value)
        if fault:
            said = "has no value" if value is None else f"is {value[:30]!r}"
            state.flaw(section, line, f"{name} {said}", fault)
    _value(state, line, name, value or "")


def _value(state: _State, line: int, name: str, value: str) -> None:
    """Take up what a tag without attributes says; what is wrong with its text has been noted."""
    if name == "EXT-X-VERSION":
        state.version = decimal_integer(value) or 1
        if value == "0":
            state.flaw("HLS 4.4.1.2", line, "EXT-X-VERSION is 0", "give a version from 1 on")
    elif name == "EXT-X-TARGETDURATION":
        state.target = decimal_integer(value) or None
        if state.target is None and decimal_integer(value) == 0:
            state.flaw("HLS 4.4.3.1", line, "EXT-X-TARGETDURATION is 0, and at least 1 is asked", "give whole seconds")
    elif name in ("EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE"):
        late = state.segments or (name == "EXT-X-DISCONTINUITY-SEQUENCE" and "EXT-X-DISCONTINUITY" in state.tags)
        if late:
            what = "a segment" if state.segments else "EXT-X-DISCONTINUITY"
            state.flaw(f"HLS {TAGS[name].section}", line, f"{name} stands behind {what}", "put it before the first one")
    elif name == "EXT-X-PLAYLIST-TYPE":
        state.playlist_type = value if value in ("VOD", "EVENT") else None
    elif name == "EXTINF":
        if state.extinf_line:
            state.flaw("HLS 4.4.4.1", state.extinf_line, "no segment follows this EXTINF", "name it, or remove the tag")
        text = value.partition(",")[0]
        state.duration, state.extinf_line = decimal_float(text) or None, line
        if state.duration and not text.isdigit():
            state.need(3, "EXTINF with a fraction")
    elif name == "EXT-X-BYTERANGE":
        if state.range:
            state.flaw("HLS 4.4.4.2", state.range[0], "no segment follows this EXT-X-BYTERANGE", "keep one of two")
        parsed = parse_byte_range(value)
        state.range = (line, parsed) if parsed else None
    elif name == "EXT-X-DISCONTINUITY":
        state.discontinuity = True


def _attributes(state: _State, line: int, name: str, text: str) -> None:
    """Read and take up a tag with attributes."""
    syntax = TAGS[name]
    section = f"HLS {syntax.section}"
    found = read_attributes(text, syntax.check_of)
    has = found.attributes
    for message, then in found.faults:
        state.flaw("HLS 4.2", line, f"{name}: {message}", then)
    for attribute in syntax.required if found.whole else ():
        if attribute not in found:
            state.flaw(section, line, f"{name} has no {attribute}", f"add {attribute}")
    for attribute in has:
        if not has[attribute] and (attribute in NEVER_EMPTY or attribute in syntax.required):
            state.flaw(section, line, f"{attribute} of {name} is empty", f"write {attribute}")
    if found.whole:
        check = WITHIN_A_TAG.get(name)
        for message, then in check(found) if check else ():
            state.flaw(section, line, f"{name}: {message}", then)
        state.lists.setdefault(name, []).append((line, found))
    if any(attribute.startswith("REQ-") for attribute in has):
        state.need(12, "an attribute REQ-...")
    if name == "EXT-X-DEFINE" and "QUERYPARAM" in has:
        state.need(11, "QUERYPARAM of EXT-X-DEFINE")
    elif name == "EXT-X-SKIP" and "RECENTLY-REMOVED-DATERANGES" in has:
        state.need(10, "RECENTLY-REMOVED-DATERANGES of EXT-X-SKIP")
    elif name == "EXT-X-KEY":
        state.encrypted = has.get("METHOD") != "NONE"
        if "IV" in has:
            state.need(2, "IV of EXT-X-KEY")
        if has.get("METHOD") == "SAMPLE-AES" or has.keys() & {"KEYFORMAT", "KEYFORMATVERSIONS"}:
            state.need(5, "KEYFORMAT or SAMPLE-AES of EXT-X-KEY")
    elif name == "EXT-X-MAP":
        state.map = _map(state, line, has)
    elif name == "EXT-X-MEDIA":
        state.renditions.append(Rendition(line=line, attributes=has))
        if has.get("INSTREAM-ID", "").startswith("SERVICE"):
            state.need(7, "SERVICE of INSTREAM-ID")
        if "INSTREAM-ID" in has and has.get("TYPE") != "CLOSED-CAPTIONS":
            state.need(13, "INSTREAM-ID of a TYPE other than CLOSED-CAPTIONS")
    elif name == "EXT-X-I-FRAME-STREAM-INF":
        state.i_frame_streams.append(Rendition(line=line, attributes=has))
    elif name == "EXT-X-STREAM-INF":
        if state.variant:
            state.flaw("HLS 4.4.6.2", state.variant[0], "no URI follows EXT-X-STREAM-INF", "put it on the next line")
        state.variant = (line, has)


def _map(state: _State, line: int, has: Attributes) -> MapTag | None:
    if not has.get("URI"):
        return None
    found = parse_byte_range(has["BYTERANGE"]) if "BYTERANGE" in has else None
    if "BYTERANGE" in has and (found is None or found[1] is None):
        state.flaw("HLS 4.4.4.5", line, f"BYTERANGE of EXT-X-MAP is {has['BYTERANGE'][:30]!r}", "write LENGTH@OFFSET")
    byte_range = ByteRange(length=found[0], offset=found[1] or 0) if found else None
    return MapTag(line=line, uri=has["URI"], byte_range=byte_range)


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
    if state.range:
        at, (length, offset) = state.range
        last = state.segments[-1] if state.segments else None
        follows = last.byte_range if last and last.uri == uri else None
        if offset is None and follows:
            offset = follows.offset + follows.length
        if offset is None:
            text = f"EXT-X-BYTERANGE is {length}, and no range of {uri[:30]!r} goes before it"
            state.flaw("HLS 4.4.4.2", at, text, "write LENGTH@OFFSET")
        else:
            byte_range = ByteRange(length=length, offset=offset)
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
    state.duration, state.extinf_line, state.range, state.discontinuity = None, 0, None, False


def _finish(state: _State) -> None:
    """Judge what can be judged at the end alone."""
    if state.variant:
        state.flaw("HLS 4.4.6.2", state.variant[0], "no URI follows EXT-X-STREAM-INF", "put it on the next line")
    if state.extinf_line:
        state.flaw("HLS 4.4.4.1", state.extinf_line, "no segment follows this EXTINF", "name it, or remove the tag")
    elif state.range:
        state.flaw(
            "HLS 4.4.4.2", state.range[0], "no segment follows this EXT-X-BYTERANGE", "name it, or remove the tag"
        )
    if "EXT-X-MAP" in state.tags:
        state.need(5 if "EXT-X-I-FRAMES-ONLY" in state.tags else 6, "EXT-X-MAP")
    for flaw in across_tags(state.tags, state.lists):
        state.flaw(flaw.rule, flaw.line, flaw.message, flaw.next)
    if _MULTIVARIANT.isdisjoint(state.tags):
        return
    for line, has in state.lists.get("EXT-X-DEFINE", ()):
        if "IMPORT" in has:
            state.flaw("HLS 4.4.2.3", line, "EXT-X-DEFINE imports into a master playlist", "give NAME and VALUE")
