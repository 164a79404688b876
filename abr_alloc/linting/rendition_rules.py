"""Rules on what may play or be shown in another's place: languages and layouts of sound, and subtitles.

Clauses are those of draft-pantos-hls-rfc8216bis-22: 3.1.4 on WebVTT, 4.4.6.1.1 on groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from abr_alloc.linting.rules import Breach, by_reader, rule
from abr_alloc.linting.stream import Stream
from abr_alloc.linting.tags import Rendition
from abr_alloc.linting.text_reading import TextSegment, TextTrack

__all__ = ["SAME_IN_ALL_GROUPS"]

SAME_IN_ALL_GROUPS = ("LANGUAGE", "ASSOC-LANGUAGE", "DEFAULT", "AUTOSELECT", "FORCED", "CHARACTERISTICS")
"""What members of one name have in common, with NAME: all but where they are and how they are encoded."""

_UNLESS_SAID = {"DEFAULT": "NO", "AUTOSELECT": "NO", "FORCED": "NO"}
_ROUNDING_S = Fraction(1, 100)  # EXTINF is rounded, and cues are

by_reader("HLS 3.1.4", "segments of subtitles are WebVTT", "subtitles")


@rule("HLS 3.1.4 clock", "SHOULD", "every WebVTT segment has an X-TIMESTAMP-MAP", "subtitles")
def timestamp_map(stream: Stream) -> Iterator[Breach]:
    for track in stream.texts:
        bad = [segment.tag for segment in track.segments if segment.is_read and not segment.is_mapped]
        if bad:
            message = f"{len(bad)} of {len(track.segments)} segments have no X-TIMESTAMP-MAP, first {bad[0].uri[:80]}"
            yield (
                f"{track.where}:{bad[0].line}",
                message,
                "write X-TIMESTAMP-MAP=MPEGTS:...,LOCAL:00:00:00.000 below WEBVTT",
            )


@rule("HLS 3.1.4 cues", "MUST", "a segment of subtitles holds all cues that are shown while it plays", "subtitles")
def cues_in_their_segments(stream: Stream) -> Iterator[Breach]:
    begins_s = [track.boundaries_s[0] for track in stream.of_kind("video") if track.boundaries_s]
    if not begins_s:  # nobody knows what media time the playlists begin at
        return
    for track in stream.texts:
        yield from _misplaced(track, Fraction(min(begins_s)))


def _misplaced(track: TextTrack, begin_s: Fraction) -> Iterator[Breach]:
    """The first cue of a playlist that is not in a segment of its time, and the first that is in no other."""
    start_s, before = begin_s, None
    for segment in track.segments:
        end_s = start_s + Fraction(segment.tag.duration_s or 0.0)
        where = f"{track.where}:{segment.tag.line}"
        for cue in segment.cues:
            cue_start_s, cue_end_s = segment.times_s(cue)
            if cue_end_s < start_s - _ROUNDING_S or cue_start_s > end_s + _ROUNDING_S:
                times, own = (
                    f"{float(cue_start_s):.3f} to {float(cue_end_s):.3f} s",
                    f"{float(start_s):.3f} to {float(end_s):.3f} s",
                )
                message = f"a cue of {segment.tag.uri[:80]} is shown from {times}, and the segment plays from {own}"
                yield where, message, "put it into the segments that play while it is shown, and check X-TIMESTAMP-MAP"
                return
        lost = None if before is None else _lost(before, segment, start_s)
        if lost is not None:
            message = f"the cue {lost!r} lasts into {segment.tag.uri[:80]}, which does not have it"
            yield where, message, "write a cue that lasts over a cut into both segments"
            return
        start_s, before = end_s, segment


def _lost(before: TextSegment, after: TextSegment, cut_s: Fraction) -> str | None:
    """Text that lasts over a cut and stands on one side of it."""
    if not before.is_read or not after.is_read:
        return None
    there = {(*after.times_s(cue), cue.text) for cue in after.cues}
    over = (cue for cue in before.cues if before.times_s(cue)[1] > cut_s + _ROUNDING_S)
    return next((cue.text[:40] for cue in over if (*before.times_s(cue), cue.text) not in there), None)


@rule("HLS 4.4.6.1.1 members", "MUST", "groups of one TYPE have the same members, with the same attributes", "master")
def same_members(stream: Stream) -> Iterator[Breach]:
    for kind in ("AUDIO", "VIDEO", "SUBTITLES"):
        groups: dict[str, list[Rendition]] = {}
        for rendition in stream.root.renditions:
            if rendition.attributes.get("TYPE") == kind:
                groups.setdefault(rendition.attributes.get("GROUP-ID", ""), []).append(rendition)
        first, *others = groups.items() or [("", [])]
        names = _by_name(first[1])
        for name, members in others:
            where = f"{stream.where}:{members[0].line}"
            theirs = _by_name(members)
            odd = sorted(names.keys() ^ theirs.keys())
            if odd:
                has, lacks = (first[0], name) if odd[0] in names else (name, first[0])
                message = f"group {has!r} has {odd[0]!r}, and group {lacks!r} does not"
                yield where, message, "give every group the same NAMEs, in whatever layout there is"
                continue
            for member in names:
                told = [_told(one[member]) for one in (names, theirs)]
                # Of a LANGUAGE that is absent 8.10 tells.
                both = [key for key in SAME_IN_ALL_GROUPS if key != "LANGUAGE" or all(one[key] for one in told)]
                differs = next((key for key in both if told[0][key] != told[1][key]), None)
                if differs:
                    at = f"{stream.where}:{theirs[member].line}"
                    message = f"{differs} of {member!r} is {told[1][differs] or 'absent'}, and in group {first[0]!r} "
                    yield at, message + (told[0][differs] or "absent"), "write the same in all groups"


def _by_name(members: list[Rendition]) -> dict[str, Rendition]:
    """Of two of a name, which is another rule's, the first."""
    return {rendition.attributes.get("NAME", ""): rendition for rendition in reversed(members)}


def _told(rendition: Rendition) -> dict[str, str]:
    return {key: rendition.attributes.get(key, _UNLESS_SAID.get(key, "")) for key in SAME_IN_ALL_GROUPS}
