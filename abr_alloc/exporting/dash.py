"""MPEG-DASH manifests (ISO/IEC 23009-1) over the same segments as the HLS playlists.

DASH cannot pin pairs: representations of two adaptation sets combine freely, and the manifest says so in a comment.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeVar
from xml.etree import ElementTree

from abr_alloc.exporting.byte_ranges import ON_DEMAND, in_one_file, index_range, init_range
from abr_alloc.exporting.presentation import (
    SEGMENT_S,
    AudioStream,
    Timeline,
    Variant,
    VideoStream,
    distinct_audio,
    distinct_video,
    sort_variants,
)
from abr_alloc.exporting.text_stream import TextStream
from abr_alloc.languages import three_letters
from abr_alloc.media.segments import INIT_NAME, TEXT_NAME, TRACK_NAME

__all__ = ["PAIRS_COMMENT", "dash_manifest"]

_Stream = TypeVar("_Stream", VideoStream, AudioStream)

PAIRS_COMMENT = (
    "DASH has no means to tie an audio representation to a video representation: a player adapts the two apart and may "
    "pair any with any. The ladder's pairs are in master.m3u8; a DASH player needs its own rule to keep them."
)

_CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
# ETSI TS 103 285, 6.3.1: AC-3 and E-AC-3 name loudspeakers instead, a bit for each from the left one down.
_DOLBY_CHANNELS = "tag:dolby.com,2014:dash:audio_channel_configuration:2011"
_DOLBY_LOUDSPEAKERS = {1: "4000", 2: "A000", 6: "F801"}
_DOLBY = ("ac-3", "ec-3")
_MEDIA_PATTERN = "$Number%05d$.m4s"
# ISO/IEC 23009-1, 5.8.5.5.
_ROLE = "urn:mpeg:dash:role:2011"
_ROLES = {"other": "alternate"}
# ETSI TS 103 285, 7.1.2, by the purposes of TV-Anytime: 1 is for who does not see, 2 for who does not hear.
_PURPOSE, _NOT_SEEING, _NOT_HEARING = "urn:tva:metadata:cs:AudioPurposeCS:2007", "1", "2"
_CAPTIONS = "urn:scte:dash:cc:cea-608:2015"
"""ANSI/SCTE 214-1: captions within the pictures, a channel with its language by ISO 639-2."""


def dash_manifest(
    variants: Sequence[Variant],
    duration_s: float,
    *,
    segment_s: Fraction = Fraction(SEGMENT_S),
    subtitles: Sequence[TextStream] = (),
    comment: str = "",
) -> str:
    """A static manifest: one adaptation set of all video sizes of a codec, one of all audio rates of a codec, layout,
    language and role, one of every subtitles' whole file.

    Args:
        variants: the ladder's pairs.
        duration_s: length of the title, seconds.
        subtitles: what may be shown with all of them.
        segment_s: length of a segment, seconds, where streams have no timeline.
        comment: text besides `PAIRS_COMMENT` for the comment at the head.
    """
    variants = sort_variants(variants)
    pairs = "\n".join(f"    {v.video.name} with {v.audio.name}" for v in variants)
    root = ElementTree.Element(
        "MPD",
        {
            "xmlns": "urn:mpeg:dash:schema:mpd:2011",
            "type": "static",
            "profiles": ON_DEMAND if in_one_file(distinct_video(variants)) else "urn:mpeg:dash:profile:isoff-live:2011",
            "mediaPresentationDuration": f"PT{duration_s:.3f}S",
            "minBufferTime": f"PT{_wanted_s(variants):g}S",
        },
    )
    head = "\n".join(filter(None, [comment, PAIRS_COMMENT, pairs]))
    root.append(ElementTree.Comment(f" {re.sub('-{2,}', '-', head)} "))
    period = ElementTree.SubElement(root, "Period", {"id": "0", "start": "PT0S"})
    numbers = itertools.count()
    language = variants[0].audio.language
    for videos in _alike(distinct_video(variants), _decoder_of):
        notes = _video_notes(videos, language)
        _adaptation_set(period, "video", next(numbers), videos, segment_s, notes)
    audios = distinct_audio(variants)
    meanings = list(dict.fromkeys(map(_meaning, audios)))  # the film's own first
    for alike in _alike(audios, lambda one: (meanings.index(_meaning(one)), one.codecs, one.channels > 2)):
        notes = _audio_notes(alike[0]) if len(meanings) > 1 else []
        _adaptation_set(period, "audio", next(numbers), alike, segment_s, notes)
    for text in subtitles:
        _sidecar(period, next(numbers), text)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _wanted_s(variants: Sequence[Variant]) -> float:
    """What segments were to last, seconds."""
    return max((v.video.timeline.segment_s for v in variants if v.video.timeline), default=SEGMENT_S)


def _alike(streams: Sequence[_Stream], key: Callable[[_Stream], Any]) -> list[list[_Stream]]:
    """Streams that a player can switch between, grouped by what must not change."""
    return [list(group) for _, group in itertools.groupby(sorted(streams, key=key), key=key)]


def _decoder_of(stream: VideoStream) -> tuple[str, bool]:
    """What a switch without a new decoder keeps: the sample entry; those with captions stand apart, last."""
    return stream.codecs.partition(".")[0], stream.has_captions


def _meaning(stream: AudioStream) -> tuple[str, str, str]:
    """What a listener chooses by; codec, layout and rate are for the player to choose."""
    return stream.role, stream.language, stream.label


_Note = tuple[str, dict[str, str], str]
"""Name, attributes and text of a child of an adaptation set."""


def _audio_notes(stream: AudioStream) -> list[_Note]:
    """What tells an adaptation set from those of other languages and roles."""
    described = {"schemeIdUri": _PURPOSE, "value": _NOT_SEEING}
    return [
        ("Label", {}, _printed(stream.label)),
        *([("Accessibility", described, "")] if stream.role == "description" else []),
        ("Role", {"schemeIdUri": _ROLE, "value": _ROLES.get(stream.role, stream.role)}, ""),
    ]


def _video_notes(streams: Sequence[VideoStream], language: str) -> list[_Note]:
    if not streams[0].has_captions:
        return []
    return [("Accessibility", {"schemeIdUri": _CAPTIONS, "value": f"CC1={three_letters(language)}"}, "")]


def _sidecar(period: ElementTree.Element, number: int, text: TextStream) -> None:
    """Subtitles as one file beside the segments: what all players read, where text within MP4 is read by some."""
    attributes = {"id": str(number), "contentType": "text", "mimeType": "text/vtt", "lang": text.language}
    adaptation_set = ElementTree.SubElement(period, "AdaptationSet", attributes)
    ElementTree.SubElement(adaptation_set, "Label").text = _printed(text.label)
    if text.is_captions:
        ElementTree.SubElement(adaptation_set, "Accessibility", {"schemeIdUri": _PURPOSE, "value": _NOT_HEARING})
    role = "forced-subtitle" if text.is_forced else "caption" if text.is_captions else "subtitle"
    ElementTree.SubElement(adaptation_set, "Role", {"schemeIdUri": _ROLE, "value": role})
    representation = ElementTree.SubElement(
        adaptation_set,
        "Representation",
        {"id": text.name.replace("/", "-"), "bandwidth": str(max(1, math.ceil(text.average_bits_per_s)))},
    )
    ElementTree.SubElement(representation, "BaseURL").text = f"{text.name}/{TEXT_NAME}"


def _printed(text: str) -> str:
    """Text that XML can hold: no controls, nothing that is no character."""
    return "".join(letter for letter in text if unicodedata.category(letter) not in ("Cc", "Cs"))


def _adaptation_set(
    period: ElementTree.Element,
    kind: str,
    number: int,
    streams: Sequence[VideoStream] | Sequence[AudioStream],
    segment_s: Fraction,
    notes: Sequence[_Note],
) -> None:
    attributes = {
        "id": str(number),
        "contentType": kind,
        "mimeType": f"{kind}/mp4",
        "segmentAlignment": "true",
        "startWithSAP": "1",
    }
    first, alone = streams[0], in_one_file(streams)
    if alone:
        attributes = {k: v for k, v in attributes.items() if k not in ("segmentAlignment", "startWithSAP")}
        attributes |= {"subsegmentAlignment": "true", "subsegmentStartsWithSAP": "1"}
    if isinstance(first, AudioStream):
        attributes["lang"] = first.language
    adaptation_set = ElementTree.SubElement(period, "AdaptationSet", attributes)
    for name, told, text in notes:
        ElementTree.SubElement(adaptation_set, name, told).text = text or None
    cuts = {stream.timeline and (stream.timeline.timescale, *_durations(stream.timeline)) for stream in streams}
    if len(cuts) == 1 and not alone:  # what all have in common stands once
        _template(adaptation_set, first.name.rpartition("/")[0], first.timeline, segment_s)
    for stream in streams:
        representation = _representation(adaptation_set, stream)
        if alone:
            _segment_base(representation, stream)
        elif len(cuts) > 1:
            _template(representation, stream.name.rpartition("/")[0], stream.timeline, segment_s)


def _representation(parent: ElementTree.Element, stream: VideoStream | AudioStream) -> ElementTree.Element:
    attributes = {
        "id": stream.name.rpartition("/")[2],
        # @bandwidth is a rate at which minBufferTime of buffer never runs dry: the peak (ISO/IEC 23009-1, 5.3.5.2).
        "bandwidth": str(math.ceil(stream.peak_bits_per_s)),
        "codecs": stream.codecs,
    }
    if isinstance(stream, VideoStream):
        rate = stream.fps
        attributes |= {
            "width": str(stream.width_px),
            "height": str(stream.height_px),
            "sar": "1:1",
            "frameRate": str(rate.numerator) if rate.denominator == 1 else f"{rate.numerator}/{rate.denominator}",
        }
    else:
        attributes["audioSamplingRate"] = str(stream.sample_rate_hz)
    representation = ElementTree.SubElement(parent, "Representation", attributes)
    if isinstance(stream, AudioStream):
        channels = {"schemeIdUri": _CHANNELS, "value": str(stream.channels)}
        if stream.codecs in _DOLBY and stream.channels in _DOLBY_LOUDSPEAKERS:
            channels = {"schemeIdUri": _DOLBY_CHANNELS, "value": _DOLBY_LOUDSPEAKERS[stream.channels]}
        ElementTree.SubElement(representation, "AudioChannelConfiguration", channels)
    return representation


def _template(parent: ElementTree.Element, folder: str, timeline: Timeline | None, segment_s: Fraction) -> None:
    """Where segments lie, in the folder of their representation, and how long they are."""
    place = f"{folder}/$RepresentationID$"
    attributes = {"startNumber": "1", "initialization": f"{place}/{INIT_NAME}", "media": f"{place}/{_MEDIA_PATTERN}"}
    if timeline is not None:
        attributes = {"timescale": str(timeline.timescale), **attributes}
        _timeline(ElementTree.SubElement(parent, "SegmentTemplate", attributes), timeline)
        return
    # Exact, because numbers times durations must not drift from the segments: 6.006 s at 30000/1001 frames/s.
    timescale = 1000 if (1000 * segment_s).denominator == 1 else segment_s.denominator
    attributes = {"timescale": str(timescale), "duration": str((timescale * segment_s).numerator), **attributes}
    ElementTree.SubElement(parent, "SegmentTemplate", attributes)


def _segment_base(parent: ElementTree.Element, stream: VideoStream | AudioStream) -> None:
    """Where the file of a representation lies, and in it the index that tells its segments."""
    timeline = stream.timeline
    assert timeline is not None  # read from its file
    ElementTree.SubElement(parent, "BaseURL").text = f"{stream.name}/{TRACK_NAME}"
    attributes = {"timescale": str(timeline.timescale), "indexRange": index_range(timeline), "indexRangeExact": "true"}
    base = ElementTree.SubElement(parent, "SegmentBase", attributes)
    ElementTree.SubElement(base, "Initialization", {"range": init_range(timeline)})


def _durations(timeline: Timeline) -> list[int]:
    return [segment.duration for segment in timeline.segments]


def _timeline(parent: ElementTree.Element, timeline: Timeline) -> None:
    """Runs of equal durations, `r` being how often one repeats (ISO/IEC 23009-1, 5.3.9.6)."""
    element = ElementTree.SubElement(parent, "SegmentTimeline")
    at = 0
    for duration, run in itertools.groupby(_durations(timeline)):
        count = len(list(run))
        attributes = {"d": str(duration)}
        if not at:
            attributes = {"t": "0", **attributes}
        if count > 1:
            attributes["r"] = str(count - 1)
        ElementTree.SubElement(element, "S", attributes)
        at += count
