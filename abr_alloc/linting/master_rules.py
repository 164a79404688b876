"""Rules of Apple's HLS Authoring Specification for Apple devices (2025-06-26) on master playlists (section 9)."""

from __future__ import annotations

from collections.abc import Iterator

from abr_alloc.linting.protocol_rules import declared_codecs
from abr_alloc.linting.rules import Breach, rule
from abr_alloc.linting.stream import Stream, Variant

__all__ = ["UNDERSTATED_SHARE", "has_video"]

UNDERSTATED_SHARE = 0.01
"""9.13: BANDWIDTH may fall short of the measured sum by this much, which is rounding of EXTINF."""


def has_video(variant: Variant) -> bool:
    """Whether a variant shows pictures, by its segments, else by what it says."""
    if variant.video and variant.video.kind:
        return variant.video.kind == "video"
    return "RESOLUTION" in variant.attributes or any(
        codec.startswith(("avc", "hvc", "hev", "av01", "dvh", "dav")) for codec in declared_codecs(variant)
    )


def _absent(stream: Stream, name: str, then: str, *, video_only: bool) -> Iterator[Breach]:
    for variant in stream.variants:
        if name not in variant.attributes and (has_video(variant) or not video_only):
            yield variant.where, f"EXT-X-STREAM-INF has no {name}", then


@rule("6.1", "MUST", "I-frame playlists for scrubbing", "master")
def trick_play(stream: Stream) -> Iterator[Breach]:
    if not stream.root.i_frame_streams and any(has_video(variant) for variant in stream.variants):
        yield (
            stream.where,
            "has no EXT-X-I-FRAME-STREAM-INF",
            "add one with an I-frame playlist for each video",
        )


@rule("9.1", "MUST", "CODECS on every variant", "master")
def codecs(stream: Stream) -> Iterator[Breach]:
    yield from _absent(stream, "CODECS", "add the formats of video and audio (RFC 6381)", video_only=False)


@rule("9.2", "MUST", "RESOLUTION on every variant with video", "master")
def resolution(stream: Stream) -> Iterator[Breach]:
    yield from _absent(stream, "RESOLUTION", "add RESOLUTION=WIDTHxHEIGHT", video_only=True)


@rule("9.9", "MUST", "video at several bit rates", "master")
def several_rates(stream: Stream) -> Iterator[Breach]:
    videos = {variant.name for variant in stream.variants if has_video(variant)}
    if len(videos) == 1:
        yield stream.where, "all variants play the same video, at one bit rate", "add a variant at another rate"


@rule("9.11", "SHOULD", "EXT-X-INDEPENDENT-SEGMENTS in the master playlist", "master")
def independent_master(stream: Stream) -> Iterator[Breach]:
    if _begin_with_idr(stream) and not stream.root.independent:
        yield (
            stream.where,
            "segments begin with IDR pictures, and it does not say so",
            "add #EXT-X-INDEPENDENT-SEGMENTS",
        )


@rule("9.12", "MUST", "EXT-X-INDEPENDENT-SEGMENTS in the master or in all video playlists", "master")
def independent_somewhere(stream: Stream) -> Iterator[Breach]:
    if not _begin_with_idr(stream) or stream.root.independent:
        return
    for track in stream.of_kind("video"):
        if not track.playlist.independent:
            then = "add #EXT-X-INDEPENDENT-SEGMENTS to it or to the master playlist"
            yield track.where, "its segments begin with IDR pictures, and no playlist says so", then


def _begin_with_idr(stream: Stream) -> bool:
    """Whether it is a master playlist whose video segments all begin with an IDR picture."""
    if not stream.root.is_master:  # alone, a media playlist cannot show what its master says
        return False
    fragments = [fragment for track in stream.of_kind("video") for fragment in track.fragments]
    return bool(fragments) and all(fragment.starts_with_idr for fragment in fragments)


@rule("9.13", "MUST", "BANDWIDTH covers the largest sum of peaks of what plays together", "rates")
def bandwidth(stream: Stream) -> Iterator[Breach]:
    for variant in stream.variants:
        said, measured = int(variant.attributes.get("BANDWIDTH", 0)), variant.largest_sum_bits_per_s(0)
        if not said or measured is None or said >= measured * (1 - UNDERSTATED_SHARE):
            continue
        rates = [track.rates_bits_per_s for track in (variant.video, *variant.audio) if track]
        peaks = [rate[0] / 1000 for rate in rates if rate]
        parts = f"video {peaks[0]:.1f}" + (f" + audio {max(peaks[1:]):.1f}" if peaks[1:] else "")
        message = f"BANDWIDTH is {said / 1000:.1f} kb/s, and the peaks add up to {measured / 1000:.1f} kb/s ({parts})"
        yield variant.where, message, f"write BANDWIDTH={round(measured + 0.5)}"


@rule("9.14", "MUST", "AVERAGE-BANDWIDTH on every variant", "master")
def average_bandwidth(stream: Stream) -> Iterator[Breach]:
    yield from _absent(stream, "AVERAGE-BANDWIDTH", "add the average rate in bit/s", video_only=False)


@rule("9.15", "MUST", "FRAME-RATE on every variant with video", "master")
def frame_rate(stream: Stream) -> Iterator[Breach]:
    yield from _absent(stream, "FRAME-RATE", "add the frames per second, with three decimals", video_only=True)


@rule("9.19", "MUST", "SCORE on all variants or on none", "master")
def score(stream: Stream) -> Iterator[Breach]:
    without = [variant for variant in stream.variants if "SCORE" not in variant.attributes]
    if len(without) < len(stream.variants):
        for variant in without:
            yield variant.where, "EXT-X-STREAM-INF has no SCORE, and others have", "add it, or remove all"
