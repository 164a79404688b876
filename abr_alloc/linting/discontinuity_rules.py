"""Rules of HTTP Live Streaming (draft-pantos-hls-rfc8216bis-22) on discontinuities: where they must stand, and that
all playlists have the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from abr_alloc.linting.rules import Breach, rule
from abr_alloc.linting.stream import MeasuredSegment, Stream, Track
from abr_alloc.media.bitstream import Fragment

__all__ = ["CLOCK_S", "PLACE_S"]

CLOCK_S = 0.5
"""How far a segment may begin from the end of the one before it without counting as a clock that starts anew: frames
that are missing or doubled are smaller, and of other rules."""

PLACE_S = 0.25
"""How far apart, by EXTINF, one discontinuity may stand in two playlists: frames of audio do not end where those of
video do, and packagers may count what only prepares a decoder."""


def _seams(track: Track) -> Iterator[tuple[MeasuredSegment, Fragment, Fragment]]:
    """Successive segments that were read, without a discontinuity between them: the later one, and what both hold."""
    for before, after in itertools.pairwise(track.segments):
        if before.fragment and after.fragment and not after.tag.discontinuity:
            yield after, before.fragment, after.fragment


@rule("HLS 4.4.4.3 clock", "MUST", "where time stamps start anew there is EXT-X-DISCONTINUITY", "segments")
def clock(stream: Stream) -> Iterator[Breach]:
    for track in stream.tracks:
        for segment, before, after in _seams(track):
            ended_s, begins_s = before.end / before.timescale, after.start / after.timescale
            if abs(begins_s - ended_s) > CLOCK_S:
                message = f"begins at {begins_s:.3f} s, and the segment before it ends at {ended_s:.3f} s"
                yield f"{track.where}:{segment.tag.line}", message, "add #EXT-X-DISCONTINUITY before it, or cut it anew"
                break  # what follows is mostly of the same clock


@rule("HLS 4.4.4.3 encoding", "SHOULD", "where the coding changes there is EXT-X-DISCONTINUITY", "segments")
def encoding(stream: Stream) -> Iterator[Breach]:
    for track in stream.tracks:
        for segment, before, after in _seams(track):
            changed = _changed(before, after)
            if changed:
                message = f"{changed} changes without EXT-X-DISCONTINUITY"
                yield f"{track.where}:{segment.tag.line}", message, "add it before the segment, in all playlists"
                break


def _changed(before: Fragment, after: Fragment) -> str:
    """What of the coding is another after than before; empty for nothing."""
    facts = (
        ("the codec", before.codecs.partition(".")[0], after.codecs.partition(".")[0]),
        ("the size of pictures", (before.width_px, before.height_px), (after.width_px, after.height_px)),
        ("the sample rate", before.sample_rate_hz, after.sample_rate_hz),
        ("the number of channels", before.channels, after.channels),
        ("the transfer characteristics", before.transfer, after.transfer),
    )
    return next((name for name, one, other in facts if one != other), "")


@rule("HLS 6.2.4 discontinuities", "MUST", "all playlists have their discontinuities at the same places", "several")
def same_discontinuities(stream: Stream) -> Iterator[Breach]:
    places = {track: _places_s(track) for track in (*stream.tracks, *stream.i_frames) if track.segments}
    most = max(places, key=lambda track: len(places[track]), default=None)
    if most is None or not places[most]:
        return
    for track, found in places.items():
        wanted = places[most]
        if len(found) != len(wanted):
            message = f"has {len(found)} discontinuities, and {most.where} {len(wanted)}"
            yield track.where, message, "write EXT-X-DISCONTINUITY at the same places in all playlists"
            continue
        off = next((n for n, (a, b) in enumerate(zip(found, wanted, strict=True)) if abs(a[0] - b[0]) > PLACE_S), None)
        if off is not None:
            (at_s, line), (other_s, _) = found[off], wanted[off]
            message = f"discontinuity {off + 1} stands at {at_s:.3f} s, and at {other_s:.3f} s in {most.where}"
            yield f"{track.where}:{line}", message, "write EXT-X-DISCONTINUITY at the same places in all playlists"


def _places_s(track: Track) -> list[tuple[float, int]]:
    """When discontinuities stand, by EXTINF, seconds, with the lines of their segments; none at the very beginning."""
    found, clock_s = [], 0.0
    for segment in track.segments:
        if segment.tag.discontinuity and clock_s:
            found.append((clock_s, segment.tag.line))
        clock_s += segment.tag.duration_s or 0.0
    return found
