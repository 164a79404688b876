"""Rules on high dynamic range: what the playlists say of it against what the video's own tags say.

Numbers are those of Apple's HLS Authoring Specification (2025-06-26); VIDEO-RANGE itself is defined in
draft-pantos-hls-rfc8216bis-22, 4.4.6.2. Video is PQ or HLG by its transfer characteristics (Rec. ITU-T H.273, 16 and
18). Dolby Vision needs no such tag, and its codec string counts as PQ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from abr_alloc.linting.master_rules import has_video
from abr_alloc.linting.protocol_rules import declared_codecs
from abr_alloc.linting.rules import Breach, rule
from abr_alloc.linting.stream import Stream, Track, Variant
from abr_alloc.media.bitstream import Fragment
from abr_alloc.media.colour import PictureTags, hdr_transfer

__all__ = ["HDR_BITS"]

HDR_BITS = 10
"""Least bits of a sample in PQ or HLG (Rec. ITU-R BT.2100: 10 or 12)."""

_HIGH_FPS = 30.0
_DOLBY_PROFILES, _DOLBY_LEVEL = (5, 10, 20), 9
"""1.9 with what the amended requirements for iOS and visionOS add to Profile 5."""
_DOLBY = re.compile(r"(?:dvh1|dvhe|dav1)\.([0-9]{2})\.([0-9]{2})", flags=re.ASCII)
_8_BIT = re.compile(r"avc[13]\.(42|4d|58|64)[0-9a-f]{4}|h(vc|ev)1\.1\..*|av01\.0\.[0-9]{2}[mh]\.08.*", flags=re.ASCII)
_IN_SAMPLES = {"avc3": "avc1", "hev1": "hvc1", "dvhe": "dvh1"}


def _range_of(fragment: Fragment) -> str:
    """PQ, HLG or SDR by a segment's transfer characteristics; empty where they are not known."""
    tags = PictureTags(
        pixel_format="", range="", matrix=fragment.matrix, primaries=fragment.primaries, transfer=fragment.transfer
    )
    # HLG may be said by an SEI message alone (alternative transfer characteristics), which is not read.
    hidden = fragment.codec == "hevc" and fragment.transfer == "bt2020-10"
    return hdr_transfer(tags) or ("SDR" if fragment.transfer and not hidden else "")


def _measured(track: Track | None) -> str:
    """The range of a track: PQ where some of it is, else HLG likewise, else SDR; empty where it is not known."""
    if track is None or track.kind != "video":
        return ""
    found = {_range_of(fragment) for fragment in track.fragments}
    return next((name for name in ("PQ", "HLG") if name in found), "SDR" if found == {"SDR"} else "")


def _is_dolby(variant: Variant) -> bool:
    return any(_DOLBY.match(codec) for codec in declared_codecs(variant))


def _range(variant: Variant) -> str:
    """PQ, HLG or SDR: by the video, else by what the variant says."""
    said = "PQ" if _is_dolby(variant) else variant.attributes.get("VIDEO-RANGE", "SDR")
    return _measured(variant.video) or said


def _shown(stream: Stream) -> list[Variant]:
    return [variant for variant in stream.variants if has_video(variant)]


def _is_hdr(variants: Iterable[Variant]) -> bool:
    return any(_range(variant) != "SDR" for variant in variants)


@rule("1.7", "MUST", "HDR video in HEVC is HDR10, HLG or Dolby Vision", "video")
def hdr_formats(stream: Stream) -> Iterator[Breach]:
    for track in stream.of_kind("video"):
        first = track.fragments[0]
        name = _range_of(first)
        if first.codec != "hevc" or name not in ("PQ", "HLG") or _DOLBY.match(first.codecs):
            continue
        if first.bit_depth < HDR_BITS or (name == "PQ" and first.bit_depth != HDR_BITS):
            yield track.where, f"{name} has {first.bit_depth} bits, and HDR10 and HLG have {HDR_BITS}", "encode Main 10"
        if first.primaries not in ("bt2020", ""):
            message = f"{name} has the primaries {first.primaries}, and HDR10 and HLG have those of BT.2020"
            yield track.where, message, "convert it to BT.2020"


@rule("1.8", "SHOULD", "static metadata of HDR10 is in the sample description alone", "video")
def light_in_description(stream: Stream) -> Iterator[Breach]:
    for track in stream.of_kind("video"):
        first = track.fragments[0]
        if _range_of(first) == "PQ" and first.light_in_samples:
            message = "the samples hold SEI messages of mastering display or content light level"
            yield track.where, message, "keep them in hvcC alone (x265: repeat-headers=0)"


@rule("1.9", "MUST", "Dolby Vision has a profile and level that Apple's devices play", "master")
def dolby_profile(stream: Stream) -> Iterator[Breach]:
    for variant in _shown(stream):
        for codec, text in declared_codecs(variant).items():
            found = _DOLBY.fullmatch(codec)
            profile, level = (int(found[1]), int(found[2])) if found else (5, 0)
            if profile not in _DOLBY_PROFILES or level > _DOLBY_LEVEL:
                message = f"CODECS names {text}: profile {profile}, level {level}, and Profile 5 to Level 9 may be"
                then = "name the base layer in CODECS and Dolby Vision in SUPPLEMENTAL-CODECS, or encode Profile 5"
                yield variant.where, message, then


@rule("1.10", "SHOULD", "parameter sets are in the sample descriptions: avc1, hvc1, dvh1", "master")
def parameter_sets(stream: Stream) -> Iterator[Breach]:
    for variant in _shown(stream):
        for codec, text in declared_codecs(variant).items():
            better = _IN_SAMPLES.get(codec.partition(".")[0])
            if better:
                yield variant.where, f"CODECS names {text}, with parameter sets in the samples", f"package as {better}"


@rule("1.20", "SHOULD", "HDR is provided at 30 frames/s or less", "master")
def hdr_frame_rate(stream: Stream) -> Iterator[Breach]:
    rates = [float(v.attributes.get("FRAME-RATE", 0)) for v in _shown(stream) if _range(v) != "SDR"]
    if rates and min(rates) > _HIGH_FPS:
        message = f"the slowest HDR variant has {min(rates):.3f} frames/s, and {_HIGH_FPS:g} or less is asked"
        yield stream.where, message, "add HDR variants at half the rate"


@rule("1.24", "MUST", "SDR is provided beside HDR", "master")
def sdr_too(stream: Stream) -> Iterator[Breach]:
    shown = _shown(stream)
    # visionOS: the rule is not for streams in which all is stereo.
    stereo = all("CH-STEREO" in variant.attributes.get("REQ-VIDEO-LAYOUT", "") for variant in shown)
    if _is_hdr(shown) and not stereo and all(_range(variant) != "SDR" for variant in shown):
        yield stream.where, "all variants are HDR, and devices without it play none", "add SDR variants"


@rule("6.16", "MUST", "SDR I-frame playlists are provided beside HDR", "i-frames")
def sdr_trick_play(stream: Stream) -> Iterator[Breach]:
    if not _is_hdr(_shown(stream)):
        return
    said = {tag.attributes.get("VIDEO-RANGE", "SDR") for tag in stream.root.i_frame_streams}
    measured = {_measured(track) for track in stream.i_frames}
    if said and ("SDR" not in said or (measured and measured <= {"PQ", "HLG"})):
        yield stream.where, "all I-frame playlists are HDR", "add an SDR one"


@rule("9.16", "MUST", "VIDEO-RANGE on every variant, unless all are SDR", "master")
def video_range_there(stream: Stream) -> Iterator[Breach]:
    shown = _shown(stream)
    if _is_hdr(shown):
        for variant in shown:
            if "VIDEO-RANGE" not in variant.attributes:
                message = "EXT-X-STREAM-INF has no VIDEO-RANGE, and not all variants are SDR"
                yield variant.where, message, f"add VIDEO-RANGE={_range(variant)}"


@rule("HLS 4.4.6.2 video-range", "MUST", "VIDEO-RANGE is that of the video", "master")
def video_range_true(stream: Stream) -> Iterator[Breach]:
    for variant in _shown(stream):
        said, measured = variant.attributes.get("VIDEO-RANGE", "SDR"), _measured(variant.video)
        tag = f"VIDEO-RANGE is {said}" if "VIDEO-RANGE" in variant.attributes else "VIDEO-RANGE is absent, so SDR"
        transfer = variant.video.fragments[0].transfer if variant.video and variant.video.kind == "video" else None
        if _is_dolby(variant):
            if said == "SDR" and measured != "SDR":
                yield variant.where, f"{tag}, and CODECS names Dolby Vision", f"write VIDEO-RANGE={measured or 'PQ'}"
        elif measured and measured != said:
            message = f"{tag}, and the video's transfer characteristics are those of {measured} ({transfer})"
            yield variant.where, message, f"write VIDEO-RANGE={measured}"
        elif said != "SDR" and transfer == "":
            then = "tag the video (smpte2084 or arib-std-b67), or write VIDEO-RANGE=SDR"
            yield variant.where, f"{tag}, and the video does not say so, which is SDR to a decoder", then
        elif said != "SDR" and _has_8_bits(variant):
            # H.273, Table 3: code point 16 is for systems of 10 bits and more; BT.2100 has HLG in no fewer.
            message = f"{tag}, and the video has 8 bits, in which there is none"
            yield variant.where, message, "encode 10 bits, or write VIDEO-RANGE=SDR"


def _has_8_bits(variant: Variant) -> bool:
    """Whether a variant's video has 8 bits, by its segments, else by its codec strings."""
    if variant.video and variant.video.kind == "video":
        return all(0 < fragment.bit_depth < HDR_BITS for fragment in variant.video.fragments)
    return any(_8_BIT.fullmatch(codec) for codec in declared_codecs(variant))
