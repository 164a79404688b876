"""HLS playlists (RFC 8216 and its second edition, draft-pantos-hls-rfc8216bis).

Each audio rendition is a group of its own and each variant names one group, so a player can only play the ladder's
pairs.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

from abr_alloc.exporting.presentation import (
    I_FRAME_PLAYLIST_NAME,
    PLAYLIST_NAME,
    AudioStream,
    Timeline,
    Variant,
    VideoStream,
    distinct_audio,
    distinct_video,
    sort_variants,
)
from abr_alloc.media.segments import SEGMENT_PATTERN

__all__ = ["i_frame_playlist", "master_playlist", "media_playlist"]

VERSION = 7
"""EXT-X-VERSION that fragmented MP4 is written with by custom; EXT-X-MAP alone would need 6."""


def master_playlist(variants: Sequence[Variant], *, comment: str = "") -> str:
    """A master (multivariant) playlist of the ladder's pairs, by rising rate.

    Args:
        variants: the pairs; `BANDWIDTH` and `AVERAGE-BANDWIDTH` are rounded up, so that they bound what they tell.
        comment: text for lines that begin with #.
    """
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", *(f"# {line}" for line in comment.splitlines())]
    lines += ["#EXT-X-INDEPENDENT-SEGMENTS", ""]
    lines += [_media(audio) for audio in distinct_audio(variants)]
    for variant in sort_variants(variants):
        video = variant.video
        attributes = [
            f"BANDWIDTH={math.ceil(variant.peak_bits_per_s)}",
            f"AVERAGE-BANDWIDTH={math.ceil(variant.average_bits_per_s)}",
            *_score(variant, variants),
            f'CODECS="{video.codecs},{variant.audio.codecs}"',
            f"RESOLUTION={video.width_px}x{video.height_px}",
            f"FRAME-RATE={float(video.fps):.3f}",
            *_video_range(video, variants),
            f'AUDIO="{variant.audio.group_id}"',
            "CLOSED-CAPTIONS=NONE",
        ]
        lines += ["", f"#EXT-X-STREAM-INF:{','.join(attributes)}", f"{video.name}/{PLAYLIST_NAME}"]
    trick_play = [_i_frame_stream(video, variants) for video in distinct_video(variants) if video.timeline]
    lines += ["", *filter(None, trick_play)] if any(trick_play) else []
    return "\n".join(lines) + "\n"


def _score(variant: Variant, variants: Sequence[Variant]) -> list[str]:
    """SCORE, on all variants or on none (9.19). AVQ of SDR is held against the tone-mapped source, that of HDR against
    the source itself, so that no order follows from it where both stand side by side."""
    ranges = {one.video.dynamic_range for one in variants}
    return [f"SCORE={variant.avq_mos:.3f}"] if len(ranges) == 1 else []


def _video_range(video: VideoStream, variants: Sequence[Variant]) -> list[str]:
    """VIDEO-RANGE, which stands everywhere unless all is SDR (Apple's HLS Authoring Specification, 9.16)."""
    is_sdr = all(variant.video.dynamic_range == "SDR" for variant in variants)
    return [] if is_sdr else [f"VIDEO-RANGE={video.dynamic_range}"]


def _i_frame_stream(video: VideoStream, variants: Sequence[Variant]) -> str:
    """A video's key frames, for scrubbing; empty where they cannot be read alone."""
    if video.timeline is None or not video.timeline.i_frames:
        return ""
    peak, average = video.timeline.i_frame_bits_per_s
    attributes = [
        f"BANDWIDTH={math.ceil(peak)}",
        f"AVERAGE-BANDWIDTH={math.ceil(average)}",
        f'CODECS="{video.codecs}"',
        f"RESOLUTION={video.width_px}x{video.height_px}",
        *_video_range(video, variants),
        f'URI="{video.name}/{I_FRAME_PLAYLIST_NAME}"',
    ]
    return f"#EXT-X-I-FRAME-STREAM-INF:{','.join(attributes)}"


def _media(audio: AudioStream) -> str:
    attributes = [
        "TYPE=AUDIO",
        f'GROUP-ID="{audio.group_id}"',
        f'NAME="{_quoted(audio.label)}"',
        f'LANGUAGE="{_quoted(audio.language)}"',
        "DEFAULT=YES",
        "AUTOSELECT=YES",
        f'CHANNELS="{audio.channels}"',
        f'URI="{audio.name}/{PLAYLIST_NAME}"',
    ]
    return f"#EXT-X-MEDIA:{','.join(attributes)}"


def _quoted(text: str) -> str:
    """Text as a quoted string may hold it: no quotes, no line breaks or other controls (RFC 8216, section 4.1 f.).

    A word of the command line that is no UTF-8 reaches here with surrogates, which no file can hold.
    """
    line = " ".join(text.replace('"', "'").split())
    return "".join(letter for letter in line if unicodedata.category(letter) not in ("Cc", "Cs"))


def media_playlist(timeline: Timeline) -> str:
    """The playlist of one stream, whose segments lie in its folder.

    Durations are those of the media, an audio coder's lead-in included. Shaka Player moves a segment by the difference
    between the durations before it and its tfdt, and tfdt counts the lead-in: without it, audio comes early by as much.
    """
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{timeline.target_duration_s}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    for number, seconds in enumerate(timeline.media_durations_s, start=1):
        lines += [*_seam(timeline, number - 1, number), f"#EXTINF:{seconds:.6f},", SEGMENT_PATTERN.format(number)]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def i_frame_playlist(timeline: Timeline) -> str:
    """The playlist of a video stream's key frames, each with the head of its movie fragment."""
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{timeline.target_duration_s}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-I-FRAMES-ONLY",
    ]
    before = 0
    for frame, seconds in zip(timeline.i_frames, timeline.i_frame_durations_s, strict=True):
        lines += _seam(timeline, before, frame.segment)
        before = frame.segment
        lines += [f"#EXTINF:{seconds:.6f},", f"#EXT-X-BYTERANGE:{frame.size_bytes}@{frame.offset_bytes}"]
        lines.append(SEGMENT_PATTERN.format(frame.segment))
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def _seam(timeline: Timeline, before: int, number: int) -> list[str]:
    """Tags where a segment follows another, by their numbers; 0 is before the first.

    A new initialisation segment comes with a discontinuity (RFC 8216, 4.3.2.3), which stands in all playlists at the
    same places (6.2.4), whether theirs changes or not.
    """
    first, last = timeline.segments[max(0, before - 1)], timeline.segments[number - 1]
    tags = ["#EXT-X-DISCONTINUITY"] if last.discontinuity and before < number else []
    return [*tags, f'#EXT-X-MAP:URI="{last.init}"'] if not before or last.init != first.init else tags
