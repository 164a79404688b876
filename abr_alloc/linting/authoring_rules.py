"""Rules of Apple's HLS Authoring Specification for Apple devices (2025-06-26) on segments and media playlists.

Rates are measured on segments as they lie on disk, container included, by the definitions of
draft-pantos-hls-rfc8216bis-22, section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from abr_alloc.codecs import AUDIO_CODECS
from abr_alloc.linting.protocol_rules import declared_codecs
from abr_alloc.linting.rules import Breach, rule
from abr_alloc.linting.stream import Stream, Track, Variant

__all__ = ["RATE_TOLERANCE_SHARE"]

KEY_FRAME_S, SEGMENT_S, SEGMENT_TOLERANCE_S = 2.0, 6, 0.5
RATE_TOLERANCE_SHARE = 0.1
"""1.26 and 1.27."""
PEAK_SHARE = 2.0
"""1.30."""
STEREO_KBPS, HE_AAC_KBPS = (32.0, 160.0), 64.0
CONTAINER_SHARE = 0.05
"""2.4 and 2.9: what a measured rate may be off for container and rate control."""

_HE_AAC_V2 = AUDIO_CODECS["heaacv2"].codecs
_HE_AAC = (AUDIO_CODECS["heaac"].codecs, _HE_AAC_V2)
_AAC = (AUDIO_CODECS["aac"].codecs, *_HE_AAC)


def _of_vod(stream: Stream, which: int) -> Iterator[tuple[Variant, float]]:
    """Variants of finished playlists, with the largest sum of peaks (0) or means (1), bit/s."""
    for variant in stream.variants:
        measured = variant.largest_sum_bits_per_s(which)
        if measured and variant.video and variant.video.playlist.ended:
            yield variant, measured


def _kbps(bits_per_s: float) -> str:
    return f"{bits_per_s / 1000:.1f} kb/s"


@rule("1.13", "SHOULD", "key frames (IDR) every 2 s", "video")
def key_frames(stream: Stream) -> Iterator[Breach]:
    for track in stream.of_kind("video"):
        if not track.measured or not track.fps:
            continue
        widest, line, last = 0.0, 0, None
        for segment in track.segments:
            fragment = segment.fragment
            if fragment is None:
                continue
            if segment.tag.discontinuity:
                last = None
            ends = segment is track.segments[-1]
            for ticks in (*fragment.idr, *((fragment.end,) if ends else ())):
                at = ticks / fragment.timescale
                if last is not None and at - last > widest:
                    widest, line = at - last, segment.tag.line
                last = at
        if widest > KEY_FRAME_S + 1 / track.fps:
            message = f"{widest:.3f} s pass without a key frame, and 2 s may"
            yield f"{track.where}:{line}", message, "encode with a key frame every 2 s"


def _declared_rate(stream: Stream, name: str, which: int) -> Iterator[Breach]:
    for variant, measured in _of_vod(stream, which):
        said = int(variant.attributes.get(name, 0))
        if said and abs(measured / said - 1) > RATE_TOLERANCE_SHARE:
            what = "peak" if which == 0 else "average"
            message = f"{name} is {_kbps(said)}, and the measured {what} {_kbps(measured)}, over 10 % off"
            yield variant.where, message, f"write {name}={round(measured)}"


@rule("1.26", "MUST", "measured average within 10 % of AVERAGE-BANDWIDTH", "rates")
def average_rate(stream: Stream) -> Iterator[Breach]:
    yield from _declared_rate(stream, "AVERAGE-BANDWIDTH", 1)


@rule("1.27", "MUST", "measured peak within 10 % of BANDWIDTH", "rates")
def peak_rate(stream: Stream) -> Iterator[Breach]:
    yield from _declared_rate(stream, "BANDWIDTH", 0)


@rule("1.30", "SHOULD", "measured peak no more than 200 % of the average", "rates")
def peak_over_average(stream: Stream) -> Iterator[Breach]:
    for variant, peak in _of_vod(stream, 0):
        mean = variant.largest_sum_bits_per_s(1)
        if mean and peak > PEAK_SHARE * mean:
            message = f"the peak is {_kbps(peak)}, {100 * peak / mean:.0f} % of the average of {_kbps(mean)}"
            yield variant.where, message, "encode with a lower maxrate"


@rule("2.3", "MUST", "stereo audio in AAC or HE-AAC is provided", "master")
def stereo_aac(stream: Stream) -> Iterator[Breach]:
    if not stream.variants or any(_is_stereo_aac(track) for track in stream.of_kind("audio")):
        return
    # Where audio was not looked at, what the playlist says of it counts.
    unseen = [v for v in stream.variants if v.muxed or v.video is None or not all(t and t.fragments for t in v.audio)]
    if any(codec in _AAC for variant in unseen for codec in declared_codecs(variant)):
        return
    firsts = [fragment for track in stream.of_kind("audio") for fragment in track.fragments[:1]]
    held = sorted({f"{f.codecs} with {f.channels} channel{'s' if f.channels != 1 else ''}" for f in firsts})
    yield stream.where, f"no stereo AAC among the audio ({'; '.join(held) or 'none'})", "add a stereo AAC rendition"


def _is_stereo_aac(track: Track) -> bool:
    first = track.fragments[0]
    # Parametric stereo may be counted as one channel, or as the two that come of it.
    return first.codecs in _AAC and (first.channels == 2 or first.codecs == _HE_AAC_V2)


def _audio_kbps(stream: Stream) -> Iterator[tuple[Track, float]]:
    for track in stream.of_kind("audio"):
        if track.rates_bits_per_s:
            yield track, track.rates_bits_per_s[1] / 1000


@rule("2.4", "SHOULD", "no HE-AAC above 64 kb/s", "audio")
def he_aac_rate(stream: Stream) -> Iterator[Breach]:
    for track, kbps in _audio_kbps(stream):
        if track.fragments[0].codecs in _HE_AAC and kbps > HE_AAC_KBPS * (1 + CONTAINER_SHARE):
            yield track.where, f"HE-AAC has {kbps:.1f} kb/s, and 64 kb/s is the limit", "encode AAC-LC at this rate"


@rule("2.9", "SHOULD", "stereo AAC has 32 to 160 kb/s (a recommendation: streams outside it play)", "audio")
def stereo_rate(stream: Stream) -> Iterator[Breach]:
    low, high = STEREO_KBPS
    for track, kbps in _audio_kbps(stream):
        inside = low * (1 - CONTAINER_SHARE) <= kbps <= high * (1 + CONTAINER_SHARE)
        if not _is_stereo_aac(track) or inside:
            continue
        # What a ladder of ours takes ends at the first rate of its grid that is transparent, 128k of the default one.
        then = (
            "encode 160 kb/s or less: AAC is transparent from about 118 on, and `abr-alloc ladder` takes no more"
            if kbps > high
            else "encode 32 kb/s or more, unless the sound is so quiet that the encoder needs no more"
        )
        yield track.where, f"stereo AAC has {kbps:.1f} kb/s, and 32 to 160 kb/s is recommended", then


@rule("7.4", "MUST", "every video segment begins with an IDR picture", "video")
def segments_begin_with_idr(stream: Stream) -> Iterator[Breach]:
    for track in stream.of_kind("video"):
        bad = [s.tag for s in track.segments if s.fragment and not s.fragment.starts_with_idr]
        if bad:
            message = (
                f"{len(bad)} of {len(track.segments)} segments begin without an IDR picture, first {bad[0].uri[:80]}"
            )
            yield f"{track.where}:{bad[0].line}", message, "force key frames where segments are cut, and close the GOPs"


@rule("7.5", "SHOULD", "the target duration is 6 s", "media")
def target_of_six(stream: Stream) -> Iterator[Breach]:
    for track in stream.tracks:
        target = track.playlist.target_duration_s
        if target and target != SEGMENT_S:
            where = f"{track.where}:{track.playlist.target_line}"
            yield where, f"EXT-X-TARGETDURATION is {target} s, and 6 s is asked", "cut segments of 6 s"


@rule("7.6", "SHOULD", "segments last about 6 s (all but the last)", "media")
def segments_of_six(stream: Stream) -> Iterator[Breach]:
    for track in stream.tracks:
        off = [
            s.tag for s in track.segments[:-1] if abs((s.tag.duration_s or SEGMENT_S) - SEGMENT_S) > SEGMENT_TOLERANCE_S
        ]
        if off:
            message = (
                f"{len(off)} of {len(track.segments)} segments are not near 6 s, the first {off[0].duration_s:.3f} s"
            )
            yield f"{track.where}:{off[0].line}", message, "cut segments of 6 s"


@rule("8.1", "MUST", "EXTINF is that of the segment, and sums stay within a frame", "segments")
def extinf_is_true(stream: Stream) -> Iterator[Breach]:
    frames = [1 / track.fps for track in stream.of_kind("video") if track.fps]
    for track in stream.tracks:
        bounds = track.boundaries_s
        if not bounds or not track.fps:
            continue
        frame = max(frames, default=1 / track.fps)
        # An audio coder's lead-in is media (tfdt counts it) and is not presented: EXTINF may hold it or not.
        if track.lead_in_s and not _first_lie(track, [-track.lead_in_s, *bounds[1:]], frame):
            continue
        yield from _first_lie(track, bounds, frame)


def _first_lie(track: Track, bounds: list[float], frame: float) -> list[Breach]:
    """Where sums of EXTINF leave those of a track's segments by more than a frame, seconds."""
    clock = least = most = 0.0  # said minus measured, at every boundary: any run of segments is a difference of two
    for segment, start, end in zip(track.segments, bounds, bounds[1:], strict=False):
        said = segment.tag.duration_s or 0.0
        clock += said - (end - start)
        least, most = min(least, clock), max(most, clock)
        if said and most - least > 1.01 * frame:
            message = (
                f"EXTINF is {said:.3f} s and the segment {end - start:.3f} s; "
                f"so far sums are {1000 * (most - least):.0f} ms off, and one frame ({1000 * frame:.0f} ms) may be"
            )
            return [(f"{track.where}:{segment.tag.line}", message, f"write #EXTINF:{end - start:.6f},")]
    return []


@rule("8.2", "MUST", "audio and video playlists have one target duration", "several")
def one_target(stream: Stream) -> Iterator[Breach]:
    targets = {track.where: track.playlist.target_duration_s for track in stream.tracks}
    most = max((target for target in targets.values() if target), default=0)
    for track in stream.tracks:
        target = targets[track.where]
        if target and target != most:
            where = f"{track.where}:{track.playlist.target_line}"
            yield where, f"EXT-X-TARGETDURATION is {target} s, and {most} s elsewhere", f"write {most} in all playlists"


@rule("8.6", "MUST", "playlists of finished streams are marked VOD", "media")
def marked_vod(stream: Stream) -> Iterator[Breach]:
    for track in stream.tracks:
        if track.playlist.ended and track.playlist.playlist_type is None:
            yield track.where, "is finished and has no EXT-X-PLAYLIST-TYPE", "add #EXT-X-PLAYLIST-TYPE:VOD"


@rule("8.10", "MUST", "EXT-X-MEDIA has LANGUAGE (unless TYPE is VIDEO)", "master")
def language(stream: Stream) -> Iterator[Breach]:
    for rendition in stream.root.renditions:
        if rendition.attributes.get("TYPE") != "VIDEO" and not rendition.attributes.get("LANGUAGE"):
            yield f"{stream.where}:{rendition.line}", "EXT-X-MEDIA has no LANGUAGE", 'add LANGUAGE="..." (RFC 5646)'


@rule("8.22", "SHOULD", "segments begin at the same times in all renditions", "several")
def aligned(stream: Stream) -> Iterator[Breach]:
    first = next((track for track in stream.of_kind("video") if track.boundaries_s and track.fps), None)
    if first is None or not first.fps:
        return
    for track in stream.tracks:
        if not track.boundaries_s or not track.fps or track is first:
            continue
        # Frames of audio do not end where frames of video do, and packagers may count the lead-in as time.
        audio_s = 1.01 * (1 / track.fps + 1 / first.fps) + track.lead_in_s
        tolerance = 0.5 / first.fps if track.kind == "video" else audio_s
        ours, theirs = track.boundaries_s[:-1], first.boundaries_s[:-1]
        off = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if abs(a - b) > tolerance), None)
        if off is not None:
            message = f"segment {off + 1} begins at {ours[off]:.3f} s, and at {theirs[off]:.3f} s in {first.where}"
            yield f"{track.where}:{track.segments[off].tag.line}", message, "cut all renditions at the same times"
        elif len(ours) != len(theirs):
            yield track.where, f"has {len(ours)} segments, and {first.where} {len(theirs)}", "cut them alike"
