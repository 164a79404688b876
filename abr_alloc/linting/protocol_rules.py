"""Rules of HTTP Live Streaming itself (draft-pantos-hls-rfc8216bis-22) that make players fail when they are broken."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

from abr_alloc.linting.rules import Breach, by_reader, flaws_of, rule
from abr_alloc.linting.stream import Stream, Track, Variant
from abr_alloc.linting.values import resolution
from abr_alloc.media.codecs_parameters import without_level

__all__ = ["FPS_TOLERANCE_SHARE", "declared_codecs"]

FPS_TOLERANCE_SHARE = 0.005
"""FRAME-RATE may be this far from the mean measured rate: less than that cannot be told from short streams."""

_LEAD_IN_S = 0.15
"""Audio may begin this much before the video: what only prepares its decoder (two frames of HE-AAC are 85 ms)."""
_ANAMORPHIC_SHARE = 0.05

by_reader("HLS 3", "segments exist, are not empty and can be read", "media")
by_reader("HLS 3.1.2", "initialisation segments exist and are not empty", "media")
by_reader("HLS 4.1", "playlists are UTF-8 without control characters, master or media", "playlist")
by_reader("HLS 4.2", "attribute lists are well formed", "playlist")
by_reader("HLS 4.4.1.1", "EXTM3U is the first line, and no other", "playlist")
by_reader("HLS 4.4.1.2", "EXT-X-VERSION is a number, given once", "playlist")
by_reader("HLS 4.4.2", "EXT-X-INDEPENDENT-SEGMENTS and EXT-X-START are given once", "playlist")
by_reader("HLS 4.4.2.1", "EXT-X-INDEPENDENT-SEGMENTS has no value", "playlist")
by_reader("HLS 4.4.2.2", "EXT-X-START has a TIME-OFFSET", "playlist")
by_reader("HLS 4.4.2.3", "EXT-X-DEFINE gives one variable one value", "playlist")
by_reader("HLS 4.4.3", "tags of a whole media playlist are given once", "media")


@rule("HLS 4.4.3.1", "MUST", "EXT-X-TARGETDURATION is there, and no EXTINF rounds to more", "media")
def target_duration(stream: Stream) -> Iterator[Breach]:
    yield from flaws_of(stream, "HLS 4.4.3.1")
    for track in stream.tracks:
        target, line = track.playlist.target_duration_s, track.playlist.target_line
        if target is None and not line:
            yield track.where, "has no EXT-X-TARGETDURATION", "add it: the longest EXTINF, rounded"
        # Whether half a second is rounded up or to even, nobody says; both are written.
        longest = max(track.segments, key=lambda s: s.tag.duration_s or 0.0, default=None)
        if target and longest and (longest.tag.duration_s or 0.0) > target + 0.5:
            yield (
                f"{track.where}:{longest.tag.line}",
                f"EXTINF is {longest.tag.duration_s:.3f} s, and EXT-X-TARGETDURATION {target} s",
                "raise EXT-X-TARGETDURATION, or cut shorter segments",
            )


by_reader("HLS 4.4.3.2", "EXT-X-MEDIA-SEQUENCE is a number before the first segment", "media")
by_reader("HLS 4.4.3.3", "EXT-X-DISCONTINUITY-SEQUENCE is a number before the first segment", "media")


@rule("HLS 4.4.3.4", "MUST", "a VOD playlist ends with EXT-X-ENDLIST, which has no value", "media")
def endlist(stream: Stream) -> Iterator[Breach]:
    yield from flaws_of(stream, "HLS 4.4.3.4")
    for track in stream.tracks:
        if track.playlist.playlist_type == "VOD" and not track.playlist.ended:
            yield track.where, "is VOD without EXT-X-ENDLIST, so players wait for more", "add #EXT-X-ENDLIST at its end"


by_reader("HLS 4.4.3.5", "EXT-X-PLAYLIST-TYPE is VOD or EVENT", "media")


@rule("HLS 4.4.3.6", "MUST", "every entry of an I-frame playlist is an I-frame", "i-frames")
def i_frames_only(stream: Stream) -> Iterator[Breach]:
    yield from flaws_of(stream, "HLS 4.4.3.6")
    for track in stream.i_frames:
        if "EXT-X-I-FRAMES-ONLY" not in track.playlist.tags:
            yield track.where, "has no EXT-X-I-FRAMES-ONLY", "add it"
        for segment in track.segments:
            if segment.fragment and not (segment.fragment.kind == "video" and segment.fragment.starts_with_idr):
                where = f"{track.where}:{segment.tag.line}"
                yield where, "the bytes do not begin with a key frame", "correct EXT-X-BYTERANGE"


by_reader("HLS 4.4.3.7", "EXT-X-PART-INF has a PART-TARGET, and stands where EXT-X-PART does", "media")
by_reader("HLS 4.4.3.8", "EXT-X-SERVER-CONTROL has what its attributes and EXT-X-PART-INF need", "media")
by_reader("HLS 4.4.4.1", "every segment has one EXTINF, above 0 and with a comma", "media")
by_reader("HLS 4.4.4.2", "byte ranges can be read, one of a segment", "media")
by_reader("HLS 4.4.4.3", "EXT-X-DISCONTINUITY has no value", "media")
by_reader("HLS 4.4.4.4", "EXT-X-KEY has a METHOD and what it needs, and nothing else", "media")
by_reader("HLS 4.4.4.5", "EXT-X-MAP names an initialisation segment, and that of the pictures' size", "media")
by_reader("HLS 4.4.4.6", "EXT-X-PROGRAM-DATE-TIME is a date and time", "media")
by_reader("HLS 4.4.4.7", "EXT-X-GAP has no value", "media")
by_reader("HLS 4.4.4.8", "EXT-X-BITRATE is a number", "media")
by_reader("HLS 4.4.4.9", "EXT-X-PART has URI and DURATION", "media")
by_reader("HLS 4.4.5", "EXT-X-SKIP is given once", "media")
by_reader("HLS 4.4.5.1", "EXT-X-DATERANGE has ID and START-DATE, and does not contradict itself", "media")
by_reader("HLS 4.4.5.2", "EXT-X-SKIP has SKIPPED-SEGMENTS", "media")
by_reader("HLS 4.4.5.3", "EXT-X-PRELOAD-HINT has TYPE and URI, and the playlist goes on", "media")
by_reader("HLS 4.4.5.4", "EXT-X-RENDITION-REPORT has a URI that is not empty", "media")
by_reader("HLS 4.4.6", "playlists that are referred to exist and are media playlists", "master")
by_reader("HLS 4.4.6.1", "EXT-X-MEDIA has TYPE, GROUP-ID, NAME and what its TYPE needs", "master")


@rule("HLS 4.4.6.1.1", "MUST", "a group has one default at most, and no NAME twice", "master")
def groups(stream: Stream) -> Iterator[Breach]:
    defaults: Counter[tuple[str, str]] = Counter()
    names: Counter[tuple[str, str, str]] = Counter()
    for rendition in stream.root.renditions:
        has = rendition.attributes
        group = (has.get("TYPE", ""), has.get("GROUP-ID", ""))
        where = f"{stream.where}:{rendition.line}"
        defaults[group] += has.get("DEFAULT") == "YES"
        if has.get("DEFAULT") == "YES" and defaults[group] == 2:
            yield where, f"group {group[1]!r} has a second DEFAULT=YES, and may have one", "keep it on one rendition"
        name = (*group, has.get("NAME", ""))
        names[name] += 1
        if name[2] and names[name] == 2:
            yield where, f"group {group[1]!r} has the NAME {name[2]!r} twice", "give each rendition a name of its own"


by_reader("HLS 4.4.6.2", "EXT-X-STREAM-INF has a BANDWIDTH that can be, and a URI", "master")
by_reader("HLS 4.4.6.3", "EXT-X-I-FRAME-STREAM-INF has a BANDWIDTH that can be, and a URI", "i-frames")
by_reader("HLS 4.4.6.4", "EXT-X-SESSION-DATA has DATA-ID and either VALUE or URI", "master")
by_reader("HLS 4.4.6.5", "EXT-X-SESSION-KEY has a METHOD and what it needs", "master")
by_reader("HLS 4.4.6.6", "EXT-X-CONTENT-STEERING has a SERVER-URI, and is given once", "master")


@rule("HLS 4.4.6.2 groups", "MUST", "groups that a variant names exist", "master")
def named_groups(stream: Stream) -> Iterator[Breach]:
    there = {(r.attributes.get("TYPE"), r.attributes.get("GROUP-ID")) for r in stream.root.renditions}
    for variant in stream.variants:
        for kind in ("AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"):
            group = variant.attributes.get(kind)
            if group is not None and (kind, group) not in there and (kind, group) != ("CLOSED-CAPTIONS", "NONE"):
                yield variant.where, f"{kind} names the group {group!r}, which no EXT-X-MEDIA has", "correct the name"


@rule("HLS 4.4.6.2 resolution", "MUST", "RESOLUTION is that of the video", "video")
def resolution_is_true(stream: Stream) -> Iterator[Breach]:
    for variant in stream.variants:
        said = resolution(variant.attributes.get("RESOLUTION", ""))
        if said is None or variant.video is None or variant.video.kind != "video" or not variant.video.measured:
            continue
        largest = max(variant.video.fragments, key=lambda fragment: fragment.width_px * fragment.height_px)
        is_size = (largest.width_px, largest.height_px)
        # RESOLUTION names what is displayed: with pixels that are not square, another width at the same height.
        if said[1] == is_size[1] and abs(said[0] / is_size[0] - 1) > _ANAMORPHIC_SHARE:
            continue
        if said != is_size:
            size = f"{is_size[0]}x{is_size[1]}"
            yield variant.where, f"RESOLUTION is {said[0]}x{said[1]}, and the video {size}", f"write RESOLUTION={size}"


@rule("HLS 4.4.6.2 frame-rate", "MUST", "FRAME-RATE is that of the video", "video")
def frame_rate_is_true(stream: Stream) -> Iterator[Breach]:
    for variant in stream.variants:
        said = float(variant.attributes.get("FRAME-RATE", 0))
        fps = variant.video.fps if variant.video and variant.video.kind == "video" else None
        if said and fps and abs(said / fps - 1) > FPS_TOLERANCE_SHARE:
            yield variant.where, f"FRAME-RATE is {said:.3f}, and the video has {fps:.3f}", f"write FRAME-RATE={fps:.3f}"


@rule("HLS 6.2.4 codecs", "MUST", "CODECS names what the segments hold, and nothing else", "segments")
def codecs_are_true(stream: Stream) -> Iterator[Breach]:
    for variant in stream.variants:
        if "CODECS" not in variant.attributes:
            continue
        said = declared_codecs(variant)
        played = [track for track in (variant.video, *variant.audio) if track]
        held = {f.codecs.lower() for track in played for f in track.fragments if "." in f.codecs or f.kind == "audio"}
        wanted = set(itertools.chain.from_iterable(map(_asked, played)))
        absent = sorted(wanted - said.keys())
        whole = variant.video is not None and not variant.muxed and all(variant.audio)
        kinds = whole and all(track.measured for track in played)
        extra = [text for key, text in said.items() if key not in held and not key.startswith(("wvtt", "stpp"))]
        if absent or (kinds and extra):
            parts = [f"names {', '.join(extra)}"] if extra else []
            parts += [f"lacks {', '.join(absent)}"] if absent else []
            yield variant.where, f"CODECS {' and '.join(parts)}", f'write CODECS="{",".join(sorted(wanted))}"'


def _asked(track: Track) -> set[str]:
    """What a decoder of a track has to be told: of codecs that differ in level alone, as where pictures change in size,
    the highest."""
    codecs = {f.codecs.lower() for f in track.fragments if "." in f.codecs or f.kind == "audio"}
    by_kind = itertools.groupby(sorted(codecs, key=without_level), key=lambda one: without_level(one)[0])
    return {list(ones)[-1] for _, ones in by_kind}


def declared_codecs(variant: Variant) -> dict[str, str]:
    """Formats of CODECS as written, by lower case: letters of their hexadecimal numbers may be of either."""
    texts = [text.strip() for text in variant.attributes.get("CODECS", "").split(",")]
    return {text.lower(): text for text in texts if text}


@rule("HLS 6.2.4 start", "MUST", "all playlists begin at the same presentation time", "several")
def same_start(stream: Stream) -> Iterator[Breach]:
    starts = {track.where: track.boundaries_s[0] for track in stream.tracks if track.boundaries_s}
    frames = [1 / track.fps for track in stream.of_kind("video") if track.fps]
    video = [starts[track.where] for track in stream.of_kind("video") if track.where in starts]
    if not video or not frames:
        return
    first, frame = min(video), max(frames)
    for track in stream.tracks:
        if track.where not in starts:
            continue
        late = starts[track.where] - first
        if late > 1.01 * frame or late < -_LEAD_IN_S:
            yield (
                track.where,
                f"begins {abs(late) * 1000:.0f} ms {'after' if late > 0 else 'before'} the first video, "
                f"and may be one frame ({frame * 1000:.0f} ms) off",
                "cut all renditions from one timeline, with edit lists that begin them at 0",
            )


@rule("HLS 6.2.4 content", "MUST", "playlists differ by a target duration in length at most", "several")
def same_content(stream: Stream) -> Iterator[Breach]:
    lengths = {t: sum(s.tag.duration_s or 0.0 for s in t.segments) for t in stream.tracks if t.segments}
    target = min((t.playlist.target_duration_s or 0 for t in lengths), default=0)
    longest = max(lengths.values(), default=0.0)
    for track, seconds in lengths.items():
        if target and longest - seconds > target:
            message = f"lasts {seconds:.3f} s and the longest {longest:.3f} s, over {target} s apart"
            yield track.where, message, "deliver the same span of the title in all playlists"


@rule("HLS 6.2.4 type", "MUST", "all playlists have the same EXT-X-PLAYLIST-TYPE", "several")
def same_type(stream: Stream) -> Iterator[Breach]:
    for track in stream.tracks[1:]:
        first = stream.tracks[0]
        if track.playlist.playlist_type != first.playlist.playlist_type:
            types = [t.playlist.playlist_type or "no type" for t in (track, first)]
            yield track.where, f"is {types[0]}, and {first.where} is {types[1]}", "give all of them the same"


@rule("HLS 8", "MUST", "EXT-X-VERSION is enough for the tags that are used", "playlist")
def version(stream: Stream) -> Iterator[Breach]:
    root = [(stream.where, stream.root)] if stream.root.is_master else []
    for where, playlist in [*root, *((track.where, track.playlist) for track in stream.tracks)]:
        if playlist.version < playlist.needed_version:
            place = f"{where}:{playlist.version_line}" if playlist.version_line else where
            said = (
                f"EXT-X-VERSION is {playlist.version}" if playlist.version_line else "there is no EXT-X-VERSION, so 1"
            )
            needed = f"{playlist.needed_for} needs {playlist.needed_version}"
            yield place, f"{said}, and {needed}", f"write #EXT-X-VERSION:{playlist.needed_version}"
