"""What every tag of HLS may say, declared once: its value or attributes, with their types, and where it may stand.

Sections are those of draft-pantos-hls-rfc8216bis-22. Tags and attributes that are not here are ignored, as players do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from abr_alloc.linting.values import (
    Check,
    byte_range,
    client_value,
    codec_list,
    date_time,
    extinf,
    hexadecimal,
    integer,
    number,
    one_of,
    parse_byte_range,
    parse_date,
    positive,
    quoted,
    quoted_as,
    quoted_or_none,
    signed,
    size,
)

__all__ = ["NEVER_EMPTY", "TAGS", "TagSyntax"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagSyntax:
    """What a tag may say."""

    section: str
    """Where it is defined."""
    within: Literal["media", "master", "any"] = "media"
    """Playlists that it may stand in."""
    value: Check | None = None
    """Check of its value; None where it has none, or attributes."""
    attributes: Mapping[str, Check] = field(default_factory=dict)
    """Types of its attributes; empty where it has none."""
    required: tuple[str, ...] = ()
    """Attributes that it must have."""
    once: str | None = None
    """The section that allows no second one; None where there may be several."""

    def check_of(self, attribute: str) -> Check | None:
        """The type of an attribute; None for one that players ignore."""
        found = self.attributes.get(attribute)
        own = found is None and attribute.startswith("X-") and "SCTE35-CMD" in self.attributes
        return client_value if own else found


def _characters(allowed: str, what: str) -> Check:
    return quoted_as(re.compile(f"[{allowed}]+", flags=re.ASCII).fullmatch, what)


_YES, _YES_NO = one_of("YES"), one_of("YES", "NO")
_STABLE_ID = _characters(r"A-Za-z0-9+/=.\-_", "letters, digits and + / = . - _ alone")
_VARIABLE = _characters(r"A-Za-z0-9\-_", "letters, digits, - and _ alone")
_RANGE = quoted_as(parse_byte_range, "LENGTH or LENGTH@OFFSET")
_DATE = quoted_as(parse_date, "a date and time by ISO 8601")
_LAYOUT = quoted_as(
    re.compile(r"[^,/\s]+(/[^,/\s]+)*(,[^,/\s]+(/[^,/\s]+)*)*").fullmatch, "entries, none of them empty"
)
_CHANNELS = quoted_as(
    re.compile(r"0*[1-9][0-9]*(/[A-Z0-9-]+(,[A-Z0-9-]+)*)*", flags=re.ASCII).fullmatch,
    "the number of channels, and identifiers behind slashes",
)
_VERSIONS = quoted_as(
    re.compile(r"[1-9][0-9]*(/[1-9][0-9]*)*", flags=re.ASCII).fullmatch, "positive integers with slashes between"
)
_CUES = quoted_as(re.compile(r"(PRE|POST|ONCE)(,(PRE|POST|ONCE))*").fullmatch, "PRE, POST or ONCE, with commas between")


def _initialisation_vector(text: str) -> str | None:
    return hexadecimal(text) or (None if len(text) <= 34 else "write 128 bits: 0x and at most 32 digits")


_KEY = {
    "METHOD": one_of("NONE", "AES-128", "AES-256-GCM", "SAMPLE-AES", "SAMPLE-AES-CTR"),
    "URI": quoted,
    "IV": _initialisation_vector,
    "KEYFORMAT": quoted,
    "KEYFORMATVERSIONS": _VERSIONS,
}
_VIDEO_STREAM = {
    "BANDWIDTH": integer,
    "AVERAGE-BANDWIDTH": integer,
    "SCORE": positive,
    "CODECS": codec_list,
    "SUPPLEMENTAL-CODECS": codec_list,
    "RESOLUTION": size,
    "HDCP-LEVEL": one_of("TYPE-0", "TYPE-1", "NONE"),
    "ALLOWED-CPC": quoted,
    "VIDEO-RANGE": one_of("SDR", "HLG", "PQ"),
    "REQ-VIDEO-LAYOUT": _LAYOUT,
    "STABLE-VARIANT-ID": _STABLE_ID,
    "VIDEO": quoted,
    "PATHWAY-ID": quoted,
    "PROGRAM-ID": integer,  # until version 6
}
_ONCE_OF_EITHER, _ONCE_OF_MEDIA = "4.4.2", "4.4.3"

TAGS: dict[str, TagSyntax] = {
    "EXTM3U": TagSyntax(section="4.4.1.1", within="any", once="4.4.1.1"),
    "EXT-X-VERSION": TagSyntax(section="4.4.1.2", within="any", value=integer, once="4.4.1.2"),
    "EXT-X-INDEPENDENT-SEGMENTS": TagSyntax(section="4.4.2.1", within="any", once=_ONCE_OF_EITHER),
    "EXT-X-START": TagSyntax(
        section="4.4.2.2",
        within="any",
        attributes={"TIME-OFFSET": signed, "PRECISE": _YES_NO},
        required=("TIME-OFFSET",),
        once=_ONCE_OF_EITHER,
    ),
    "EXT-X-DEFINE": TagSyntax(
        section="4.4.2.3",
        within="any",
        attributes={"NAME": _VARIABLE, "VALUE": quoted, "IMPORT": _VARIABLE, "QUERYPARAM": _VARIABLE},
    ),
    "EXT-X-TARGETDURATION": TagSyntax(section="4.4.3.1", value=integer, once=_ONCE_OF_MEDIA),
    "EXT-X-MEDIA-SEQUENCE": TagSyntax(section="4.4.3.2", value=integer, once=_ONCE_OF_MEDIA),
    "EXT-X-DISCONTINUITY-SEQUENCE": TagSyntax(section="4.4.3.3", value=integer, once=_ONCE_OF_MEDIA),
    "EXT-X-ENDLIST": TagSyntax(section="4.4.3.4", once=_ONCE_OF_MEDIA),
    "EXT-X-PLAYLIST-TYPE": TagSyntax(section="4.4.3.5", value=one_of("VOD", "EVENT"), once=_ONCE_OF_MEDIA),
    "EXT-X-I-FRAMES-ONLY": TagSyntax(section="4.4.3.6", once=_ONCE_OF_MEDIA),
    "EXT-X-PART-INF": TagSyntax(
        section="4.4.3.7", attributes={"PART-TARGET": positive}, required=("PART-TARGET",), once=_ONCE_OF_MEDIA
    ),
    "EXT-X-SERVER-CONTROL": TagSyntax(
        section="4.4.3.8",
        attributes={
            "CAN-SKIP-UNTIL": number,
            "CAN-SKIP-DATERANGES": _YES,
            "HOLD-BACK": number,
            "PART-HOLD-BACK": number,
            "CAN-BLOCK-RELOAD": _YES,
        },
        once=_ONCE_OF_MEDIA,
    ),
    "EXTINF": TagSyntax(section="4.4.4.1", value=extinf),
    "EXT-X-BYTERANGE": TagSyntax(section="4.4.4.2", value=byte_range),
    "EXT-X-DISCONTINUITY": TagSyntax(section="4.4.4.3"),
    "EXT-X-KEY": TagSyntax(section="4.4.4.4", attributes=_KEY, required=("METHOD",)),
    "EXT-X-MAP": TagSyntax(section="4.4.4.5", attributes={"URI": quoted, "BYTERANGE": quoted}, required=("URI",)),
    "EXT-X-PROGRAM-DATE-TIME": TagSyntax(section="4.4.4.6", value=date_time),
    "EXT-X-GAP": TagSyntax(section="4.4.4.7"),
    "EXT-X-BITRATE": TagSyntax(section="4.4.4.8", value=integer),
    "EXT-X-PART": TagSyntax(
        section="4.4.4.9",
        attributes={"URI": quoted, "DURATION": positive, "INDEPENDENT": _YES, "BYTERANGE": _RANGE, "GAP": _YES},
        required=("URI", "DURATION"),
    ),
    "EXT-X-DATERANGE": TagSyntax(
        section="4.4.5.1",
        attributes={
            **dict.fromkeys(("ID", "CLASS"), quoted),
            **dict.fromkeys(("START-DATE", "END-DATE"), _DATE),
            **dict.fromkeys(("DURATION", "PLANNED-DURATION"), number),
            **dict.fromkeys(("SCTE35-CMD", "SCTE35-OUT", "SCTE35-IN"), hexadecimal),
            "CUE": _CUES,
            "END-ON-NEXT": _YES,
        },
        required=("ID",),
    ),
    "EXT-X-SKIP": TagSyntax(
        section="4.4.5.2",
        attributes={"SKIPPED-SEGMENTS": integer, "RECENTLY-REMOVED-DATERANGES": quoted},
        required=("SKIPPED-SEGMENTS",),
        once="4.4.5",
    ),
    "EXT-X-PRELOAD-HINT": TagSyntax(
        section="4.4.5.3",
        attributes={
            "TYPE": one_of("PART", "MAP"),
            "URI": quoted,
            **dict.fromkeys(("BYTERANGE-START", "BYTERANGE-LENGTH"), integer),
        },
        required=("TYPE", "URI"),
    ),
    "EXT-X-RENDITION-REPORT": TagSyntax(  # all of its attributes may be left out where they are the playlist's own
        section="4.4.5.4", attributes={"URI": quoted, "LAST-MSN": integer, "LAST-PART": integer}
    ),
    "EXT-X-MEDIA": TagSyntax(
        section="4.4.6.1",
        within="master",
        attributes={
            "TYPE": one_of("AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"),
            **dict.fromkeys(("URI", "GROUP-ID", "LANGUAGE", "ASSOC-LANGUAGE", "NAME", "CHARACTERISTICS"), quoted),
            "STABLE-RENDITION-ID": _STABLE_ID,
            **dict.fromkeys(("DEFAULT", "AUTOSELECT", "FORCED"), _YES_NO),
            "INSTREAM-ID": _characters(r"A-Za-z0-9.", "letters, digits and . alone"),
            "BIT-DEPTH": integer,
            "SAMPLE-RATE": integer,
            "CHANNELS": _CHANNELS,
        },
        required=("TYPE", "GROUP-ID", "NAME"),
    ),
    "EXT-X-STREAM-INF": TagSyntax(
        section="4.4.6.2",
        within="master",
        attributes={
            **_VIDEO_STREAM,
            "FRAME-RATE": positive,
            **dict.fromkeys(("AUDIO", "SUBTITLES", "NAME"), quoted),  # NAME is nobody's, and many write it
            "CLOSED-CAPTIONS": quoted_or_none,
        },
        required=("BANDWIDTH",),
    ),
    "EXT-X-I-FRAME-STREAM-INF": TagSyntax(
        section="4.4.6.3", within="master", attributes={**_VIDEO_STREAM, "URI": quoted}, required=("BANDWIDTH", "URI")
    ),
    "EXT-X-SESSION-DATA": TagSyntax(
        section="4.4.6.4",
        within="master",
        attributes={
            **dict.fromkeys(("DATA-ID", "VALUE", "URI", "LANGUAGE"), quoted),
            "FORMAT": one_of("JSON", "RAW"),
        },
        required=("DATA-ID",),
    ),
    "EXT-X-SESSION-KEY": TagSyntax(section="4.4.6.5", within="master", attributes=_KEY, required=("METHOD",)),
    "EXT-X-CONTENT-STEERING": TagSyntax(
        section="4.4.6.6",
        within="master",
        attributes={"SERVER-URI": quoted, "PATHWAY-ID": quoted},
        required=("SERVER-URI",),
        once="4.4.6.6",
    ),
}
"""Every tag by name, in the order of the sections."""

NEVER_EMPTY = frozenset({"URI", "SERVER-URI", "GROUP-ID", "ID", "DATA-ID", "KEYFORMAT"})
"""Quoted strings that name something, and so are not empty; so is NAME where it is required."""
