"""MPEG-DASH manifests (ISO/IEC 23009-1) over the same segments as the HLS playlists.

DASH cannot pin pairs: representations of two adaptation sets combine freely, and the manifest says so in a comment.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from fractions import Fraction
from xml.etree import ElementTree

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
from abr_alloc.media.segments import INIT_NAME

__all__ = ["PAIRS_COMMENT", "dash_manifest"]

PAIRS_COMMENT = (
    "DASH has no means to tie an audio representation to a video representation: a player adapts the two apart and may "
    "pair any with any. The ladder's pairs are in master.m3u8; a DASH player needs its own rule to keep them."
)

_CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
# ETSI TS 103 285, 6.3.1: AC-3 and E-AC-3 name loudspeakers instead, a bit for each from the left one down.
_DOLBY_CHANNELS = "tag:dolby.com,2014:dash:audio_channel_configuration:2011"
_DOLBY_LOUDSPEAKERS = {1: "4000", 2: "A000", 6: "F801"}
_DOLBY = ("ac-3", "ec-3")
# ISO/IEC 23001-8 by the numbers of Rec. ITU-T H.273: BT.2020, PQ or HLG, BT.2020 with non-constant luminance.
_CICP = ("ColourPrimaries", "TransferCharacteristics", "MatrixCoefficients")
_CICP_CODES = {"PQ": (9, 16, 9), "HLG": (9, 18, 9)}
_MEDIA_PATTERN = "$Number%05d$.m4s"


def dash_manifest(
    variants: Sequence[Variant],
    duration_s: float,
    *,
    segment_s: Fraction = Fraction(SEGMENT_S),
    comment: str = "",
) -> str:
    """A static manifest: one adaptation set of all video sizes of a codec, one of all audio rates of a codec.

    Args:
        variants: the ladder's pairs.
        duration_s: length of the title, seconds.
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
            "profiles": "urn:mpeg:dash:profile:isoff-live:2011",
            "mediaPresentationDuration": f"PT{duration_s:.3f}S",
            "minBufferTime": f"PT{SEGMENT_S:g}S",
        },
    )
    head = "\n".join(filter(None, [comment, PAIRS_COMMENT, pairs]))
    root.append(ElementTree.Comment(f" {re.sub('-{2,}', '-', head)} "))
    period = ElementTree.SubElement(root, "Period", {"id": "0", "start": "PT0S"})
    numbers = itertools.count()
    for _, videos in _by_codec(distinct_video(variants)):
        _adaptation_set(period, "video", next(numbers), videos, segment_s)
    for _, audios in _by_codec(distinct_audio(variants)):
        _adaptation_set(period, "audio", next(numbers), audios, segment_s)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _by_codec(streams: Sequence[VideoStream | AudioStream]) -> list[tuple[str, list[VideoStream | AudioStream]]]:
    """Streams a player can switch between without a new decoder: grouped by sample entry and, for AAC, object type."""

    def family(stream: VideoStream | AudioStream) -> str:
        if not isinstance(stream, VideoStream):
            return stream.codecs
        # No player changes between PQ, HLG and SDR within a set.
        return stream.codecs.partition(".")[0] + stream.dynamic_range.replace("SDR", "")

    return [(key, list(group)) for key, group in itertools.groupby(sorted(streams, key=family), key=family)]


def _adaptation_set(
    period: ElementTree.Element,
    kind: str,
    number: int,
    streams: Sequence[VideoStream | AudioStream],
    segment_s: Fraction,
) -> None:
    attributes = {
        "id": str(number),
        "contentType": kind,
        "mimeType": f"{kind}/mp4",
        "segmentAlignment": "true",
        "startWithSAP": "1",
    }
    first = streams[0]
    if isinstance(first, AudioStream):
        attributes["lang"] = first.language
    adaptation_set = ElementTree.SubElement(period, "AdaptationSet", attributes)
    if isinstance(first, VideoStream) and first.dynamic_range != "SDR":
        for scheme, code in zip(_CICP, _CICP_CODES[first.dynamic_range], strict=True):
            # Essential: a player that does not know PQ or HLG must not show it as SDR (DASH-IF IOP, 10.3).
            name = {"schemeIdUri": f"urn:mpeg:mpegB:cicp:{scheme}", "value": str(code)}
            ElementTree.SubElement(adaptation_set, "EssentialProperty", name)
    cuts = {stream.timeline and (stream.timeline.timescale, *_durations(stream.timeline)) for stream in streams}
    if len(cuts) == 1:  # what all have in common stands once
        _template(adaptation_set, first.name.rpartition("/")[0], first.timeline, segment_s)
    for stream in streams:
        representation = _representation(adaptation_set, stream)
        if len(cuts) > 1:
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
