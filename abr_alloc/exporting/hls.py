"""HLS playlists (RFC 8216 and its second edition, draft-pantos-hls-rfc8216bis).

Each audio rendition of the ladder is a group of its own, with its other languages and roles beside it, and each variant
names one group, so a player can only play the ladder's pairs, in every language.
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
    distinct_video,
    sort_variants,
)
from abr_alloc.exporting.text_stream import VERSION, TextStream
from abr_alloc.languages import language_name
from abr_alloc.media.segments import SEGMENT_PATTERN

__all__ = ["i_frame_playlist", "master_playlist", "media_playlist"]


_TEXT_GROUP, _CAPTION_GROUP = "subtitles", "captions"
_FIRST_CHANNEL = "CC1"
_DESCRIBES_VIDEO = "public.accessibility.describes-video"
_FOR_WHO_DOES_NOT_HEAR = "public.accessibility.describes-music-and-sound,public.accessibility.transcribes-spoken-dialog"


def master_playlist(variants: Sequence[Variant], *, subtitles: Sequence[TextStream] = (), comment: str = "") -> str:
    """A master (multivariant) playlist of the ladder's pairs, by rising rate.

    Args:
        variants: the pairs; `BANDWIDTH` and `AVERAGE-BANDWIDTH` are rounded up, so that they bound what they tell.
        subtitles: what may be shown with all of them.
        comment: text for lines that begin with #.
    """
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", *(f"# {line}" for line in comment.splitlines())]
    lines += ["#EXT-X-INDEPENDENT-SEGMENTS", ""]
    lines += list(dict.fromkeys(_audio_media(audio, variant) for variant in variants for audio in variant.group))
    lines += [_text_media(text) for text in subtitles]
    captioned = [variant for variant in variants if variant.video.has_captions]
    lines += [_caption_media(captioned[0].audio.language)] if captioned else []
    for variant in sort_variants(variants):
        video = variant.video
        attributes = [
            f"BANDWIDTH={math.ceil(variant.peak_bits_per_s)}",
            f"AVERAGE-BANDWIDTH={math.ceil(variant.average_bits_per_s)}",
            f"SCORE={variant.avq_mos:.3f}",
            f'CODECS="{variant.codecs}"',
            f"RESOLUTION={video.width_px}x{video.height_px}",
            f"FRAME-RATE={float(video.fps):.3f}",
            f'AUDIO="{variant.group_id}"',
        ]
        attributes += [f'SUBTITLES="{_TEXT_GROUP}"'] if subtitles else []
        # NONE stands on all variants or on none.
        if video.has_captions:
            attributes.append(f'CLOSED-CAPTIONS="{_CAPTION_GROUP}"')
        elif not captioned:
            attributes.append("CLOSED-CAPTIONS=NONE")
        lines += ["", f"#EXT-X-STREAM-INF:{','.join(attributes)}", f"{video.name}/{PLAYLIST_NAME}"]
    trick_play = [_i_frame_stream(video) for video in distinct_video(variants) if video.timeline]
    lines += ["", *filter(None, trick_play)] if any(trick_play) else []
    return "\n".join(lines) + "\n"


def _i_frame_stream(video: VideoStream) -> str:
    """A video's key frames, for scrubbing; empty where they cannot be read alone."""
    if video.timeline is None or not video.timeline.i_frames:
        return ""
    peak, average = video.timeline.i_frame_bits_per_s
    attributes = [
        f"BANDWIDTH={math.ceil(peak)}",
        f"AVERAGE-BANDWIDTH={math.ceil(average)}",
        f'CODECS="{video.codecs}"',
        f"RESOLUTION={video.width_px}x{video.height_px}",
        f'URI="{video.name}/{I_FRAME_PLAYLIST_NAME}"',
    ]
    return f"#EXT-X-I-FRAME-STREAM-INF:{','.join(attributes)}"


def _audio_media(audio: AudioStream, variant: Variant) -> str:
    """One audio stream of a variant's group: its own plays where nobody chose."""
    # What no system may choose by itself: who wants commentary asks for it.
    may_be_chosen = audio.role not in ("commentary", "other")
    attributes = [
        "TYPE=AUDIO",
        f'GROUP-ID="{variant.group_id}"',
        f'NAME="{_quoted(audio.label)}"',
        f'LANGUAGE="{_quoted(audio.language)}"',
        f"DEFAULT={_yes(audio == variant.audio)}",
        f"AUTOSELECT={_yes(may_be_chosen or audio == variant.audio)}",
        *([f'CHARACTERISTICS="{_DESCRIBES_VIDEO}"'] if audio.role == "description" else []),
        f'CHANNELS="{audio.channels}"',
        f'URI="{audio.name}/{PLAYLIST_NAME}"',
    ]
    return f"#EXT-X-MEDIA:{','.join(attributes)}"


def _text_media(text: TextStream) -> str:
    attributes = [
        "TYPE=SUBTITLES",
        f'GROUP-ID="{_TEXT_GROUP}"',
        f'NAME="{_quoted(text.label)}"',
        f'LANGUAGE="{_quoted(text.language)}"',
        "DEFAULT=NO",  # subtitles are for who asks for them, or whose system does
        "AUTOSELECT=YES",
        f"FORCED={_yes(text.is_forced)}",
        *([f'CHARACTERISTICS="{_FOR_WHO_DOES_NOT_HEAR}"'] if text.is_captions else []),
        f'URI="{text.name}/{PLAYLIST_NAME}"',
    ]
    return f"#EXT-X-MEDIA:{','.join(attributes)}"


def _caption_media(language: str) -> str:
    """Captions within the pictures: those of the first channel, which are in the language of the film."""
    name = language_name(language)
    attributes = [
        "TYPE=CLOSED-CAPTIONS",
        f'GROUP-ID="{_CAPTION_GROUP}"',
        f'NAME="{_quoted(f"{name} ({_FIRST_CHANNEL})" if name else _FIRST_CHANNEL)}"',
        f'LANGUAGE="{_quoted(language)}"',
        "DEFAULT=NO",
        "AUTOSELECT=YES",
        f'INSTREAM-ID="{_FIRST_CHANNEL}"',
    ]
    return f"#EXT-X-MEDIA:{','.join(attributes)}"


def _yes(is_so: bool) -> str:
    return "YES" if is_so else "NO"


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
