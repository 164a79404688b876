"""Look into a media file: what it is as a source, and the packets of an encode.

Streams, clocks and what headers state come from libav; the size, shape, colour and alpha of the picture from the first
frames that the ffmpeg program itself decodes, because that program makes every frame that is measured.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from abr_alloc import defaults
from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.colour import Colour, HdrMetadata
from abr_alloc.media.container import open_media
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.lengths import pauses, without_late_text
from abr_alloc.media.picture import Picture, look_at_picture
from abr_alloc.media.timeline import Timeline, read_timelines
from abr_alloc.media.tracks import (
    AudioTrack,
    ChosenAudio,
    SubtitleTrack,
    choose_audio,
    choose_video,
    list_audio,
    list_others,
    list_subtitles,
)

__all__ = [
    "MAX_PIXELS",
    "NO_LIMIT",
    "MediaInfo",
    "content_hash",
    "mark_of",
    "probe",
    "require_unchanged",
]

MAX_PIXELS = round(defaults.MAX_MEGAPIXELS * 1e6)
"""Largest picture that is opened by default, pixels: 8K UHD has 33 million."""

NO_LIMIT = 2**31 - 1
"""As many pixels as ffmpeg can count."""

_ROUNDING = Fraction(1, 10)  # of a frame, by which times may be rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """What a source is, after normalisation: upright, square pixels, even size, constant frame rate."""

    path: Path
    """The file."""
    duration_s: float
    """Length that the container declares, seconds; 0 when it declares none."""
    width_px: int
    """Width as shown (rotated, cropped, square pixels), made even; 0 without video."""
    height_px: int
    """Height as shown, made even; 0 without video."""
    fps: Fraction
    """Constant frame rate, frames per second; 0 without video."""
    bit_depth: int
    """Bits per luma sample that are kept, 8 or 10."""
    interlaced: bool
    """True where one of the first frames is interlaced."""
    channels: int
    """Audio channels that are measured at most: of the chosen track, or 2 of two mono ones; 0 without audio."""
    sample_rate_hz: int
    """Sample rate of the chosen audio track, Hz; 0 without audio."""
    language: str = ""
    """Language of the chosen audio track as the file says it, mostly ISO 639-2; empty where it does not."""
    video_index: int = -1
    """Stream of the file that is the picture; -1 without video."""
    audio_indices: tuple[int, ...] = ()
    """Streams that are the sound: none, one, or two mono ones, left and right."""
    zero_s: Fraction = Fraction(0)
    """The title's first instant on the file's own clock, seconds."""
    source_format: str = ""
    """Pixel format of the decoded frames, as ffmpeg names it."""
    colour: Colour | None = None
    """What its samples mean; None without video."""
    hdr: HdrMetadata | None = None
    """What it says of the display that it was mastered on, and of its light; None where it says nothing."""
    has_captions: bool = False
    """Whether its pictures carry closed captions (CEA-608 or 708)."""
    audio_tracks: tuple[AudioTrack, ...] = ()
    """All of the file's audio tracks."""
    subtitle_tracks: tuple[SubtitleTrack, ...] = ()
    """All of the file's subtitle tracks."""
    other_streams: tuple[str, ...] = ()
    """What the file has besides: other pictures, data, chapters, a phrase each."""
    has_alpha: bool = False
    """Whether the picture has transparency; it is shown on black."""
    decoder: str = ""
    """ffmpeg's decoder that must be asked for by name; empty for its own choice."""
    max_pixels: int = MAX_PIXELS
    """Largest picture that may be decoded, pixels."""
    mark: tuple[int, int] | None = field(default=None, compare=False)
    """Size, bytes, and time of the last change, ns, of the file when it was looked at; None where nobody asked."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What a user should be told of it, a phrase each."""

    @property
    def pixel_format(self) -> str:
        """ffmpeg's name of the format in which frames are compared."""
        return "yuv420p" if self.bit_depth == 8 else "yuv420p10le"

    @property
    def has_video(self) -> bool:
        return self.width_px > 0

    @property
    def has_audio(self) -> bool:
        return self.channels > 0

    @property
    def dynamic_range(self) -> str:
        """SDR, PQ or HLG."""
        return "SDR" if self.colour is None else self.colour.dynamic_range

    def hearing(self, track: AudioTrack) -> MediaInfo:
        """The same source with another of its audio tracks as the sound, on the same clock."""
        return replace(
            self, audio_indices=(track.index,), channels=track.channels, language=track.language,
            sample_rate_hz=track.sample_rate_hz,
        )  # fmt: skip

    @property
    def stream_facts(self) -> dict[str, object]:
        """Which of the file's streams are measured: a part of the facts that determine a measurement."""
        return {"streams": [self.video_index, *self.audio_indices]}

    def to_json(self) -> str:
        """All of it but the path and its mark, as text."""
        return json.dumps(
            {name: value for name, value in asdict(self).items() if name not in ("path", "mark")}, default=str
        )

    @classmethod
    def from_json(cls, text: str, path: Path) -> MediaInfo:
        """What `to_json` wrote, of a file of the same bytes."""
        about = json.loads(text)
        about |= {name: Fraction(about[name]) for name in ("fps", "zero_s")}
        about |= {name: tuple(about.get(name, ())) for name in ("audio_indices", "notes", "other_streams")}
        about |= {
            "audio_tracks": tuple(AudioTrack(**track) for track in about["audio_tracks"]),
            "subtitle_tracks": tuple(SubtitleTrack(**track) for track in about["subtitle_tracks"]),
            "hdr": about["hdr"] and HdrMetadata.from_object(about["hdr"]),
            "colour": about["colour"] and Colour(**about["colour"]),
        }
        return cls(**about | {"path": path})


def mark_of(path: Path) -> tuple[int, int]:
    """What changes when a file of this machine is written to or replaced: `MediaInfo.mark`.

    Raises:
        UnsupportedMediaError: it is not there.
    """
    try:
        about = path.stat()
    except FileNotFoundError:
        raise UnsupportedMediaError(f"{path} does not exist; check the path", path=str(path)) from None
    except (OSError, ValueError) as error:
        raise UnsupportedMediaError(f"{path} cannot be read: {error}", path=str(path)) from error
    return about.st_size, about.st_mtime_ns


def require_unchanged(info: MediaInfo) -> None:
    """Refuse a source that is not what was looked at: what is measured of it would be kept under another's name.

    Raises:
        UnsupportedMediaError: it changed.
    """
    if info.mark is not None and mark_of(info.path) != info.mark:
        raise UnsupportedMediaError(
            f"{info.path} changed while it was measured; run again when it is whole", path=str(info.path)
        )


def probe(
    path: Path,
    ffmpeg: FFmpeg,
    *,
    audio_track: int | None = None,
    max_pixels: int = MAX_PIXELS,
    with_picture: bool = True,
) -> MediaInfo:
    """Read what a source is.

    The whole file is read for its clocks, and a few frames are decoded.

    Args:
        path: the file.
        ffmpeg: the program that will decode it.
        audio_track: number among its audio tracks, from 1; None to choose.
        max_pixels: larger pictures are refused.
        with_picture: False for the sound alone, whatever the picture is.

    Raises:
        UnsupportedMediaError: not one media file that can be measured; the message says why.
    """
    with open_media(path) as container:
        duration_s = container.duration / av.time_base if container.duration else 0.0
        video = choose_video(container) if with_picture else None
        audio = choose_audio(container, audio_track, path)
        if video is None and not audio.indices:
            raise UnsupportedMediaError(f"{path} holds neither video nor audio", path=str(path))
        picture = None if video is None else look_at_picture(path, ffmpeg, video, max_pixels)
        tracks = [*audio.indices] if video is None else [video.index, *audio.indices]
        timelines = read_timelines(container, tracks, path)
        duration_s = without_late_text(container, duration_s, timelines)
        notes = [*(picture.notes if picture else ()), *([audio.note] if audio.note else [])]
        shown = _picture_facts(path, video, picture, timelines)
        if video is not None:
            notes += pauses(path, timelines[video.index], shown["fps"])
        sound = _sound_facts(container, audio)
        return MediaInfo(
            path=path,
            duration_s=duration_s,
            **shown,
            **sound,
            zero_s=_zero_s(timelines, audio.indices, shown["fps"]),
            audio_tracks=list_audio(container),
            subtitle_tracks=list_subtitles(container),
            other_streams=list_others(container, -1 if video is None else video.index),
            max_pixels=max_pixels,
            notes=tuple(notes),
        )


def _zero_s(timelines: Mapping[int, Timeline], audios: Sequence[int], fps: Fraction) -> Fraction:
    """The title's first instant, seconds on the file's clock: where the first of its streams begins, but always a whole
    number of frames before the picture does. Frames between two instants of the constant rate would be doubled and
    left out by the roundings of a container's times.
    """
    # A decoder's lead-in has times below 0 and is not heard: it begins nothing.
    heard_s = [max(timelines[index].first_s, Fraction(0)) for index in audios]
    shown_s = [found.first_s for index, found in timelines.items() if index not in audios]
    if not shown_s:
        return min(heard_s)
    num_before = (shown_s[0] - min(heard_s + shown_s)) * fps
    # What is heard before the picture for less than a frame is a coder's lead-in, as transport streams have it.
    return shown_s[0] if num_before < 1 else shown_s[0] - math.ceil(num_before - _ROUNDING) / fps


def _sound_facts(container: Any, audio: ChosenAudio) -> dict[str, Any]:
    if not audio.indices:
        return {"channels": 0, "sample_rate_hz": 0}
    first = container.streams[audio.indices[0]]
    channels = int(first.codec_context.channels) if len(audio.indices) == 1 else len(audio.indices)
    return {
        "channels": channels,
        "sample_rate_hz": int(first.codec_context.sample_rate),
        "language": first.metadata.get("language", ""),
        "audio_indices": audio.indices,
    }


def _picture_facts(path: Path, video: Any, picture: Picture | None, timelines: Any) -> dict[str, Any]:
    if video is None or picture is None:
        return {"width_px": 0, "height_px": 0, "fps": Fraction(0), "bit_depth": 8, "interlaced": False}
    return {
        "width_px": picture.width_px,
        "height_px": picture.height_px,
        "fps": picture.frame_rate(timelines[video.index], path),
        "bit_depth": picture.bit_depth,
        "interlaced": picture.is_interlaced,
        "video_index": video.index,
        "source_format": picture.source_format,
        "colour": picture.colour,
        "has_captions": picture.has_captions,
        "has_alpha": picture.has_alpha,
        "decoder": picture.decoder,
    }


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
