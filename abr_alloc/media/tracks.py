"""A file's streams: which are the title, its picture and the sound that goes with it, and what else there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av.audio.layout
import av.container
import av.stream

from abr_alloc.errors import UnsupportedMediaError

__all__ = [
    "AudioTrack",
    "ChosenAudio",
    "SubtitleTrack",
    "choose_audio",
    "choose_video",
    "list_audio",
    "list_others",
    "list_subtitles",
]

_Is = av.stream.Disposition
_STILL_CODECS = frozenset({"mjpeg", "png", "apng", "gif", "bmp", "webp", "tiff"})
_USUAL_HANDLERS = frozenset({"", "SoundHandler", "SubtitleHandler", "Core Media Audio", "Apple Sound Media Handler"})
_NO_FILM = _Is.attached_pic | _Is.timed_thumbnails | _Is.still_image | _Is.dependent
_NOT_THE_PROGRAMME = (
    _Is.comment | _Is.lyrics | _Is.karaoke | _Is.hearing_impaired | _Is.visual_impaired | _Is.clean_effects
    | _Is.descriptions | _Is.dependent
)  # fmt: skip

_TEXT_CODECS = frozenset({"subrip", "srt", "webvtt", "mov_text", "ass", "ssa", "text"})
"""Subtitles that are text, by libav's names of codecs and decoders."""

_PICTURE_CODECS = frozenset({"hdmv_pgs_subtitle", "pgssub", "dvd_subtitle", "dvdsub", "dvb_subtitle", "dvbsub", "xsub"})
"""Those that are pictures of text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTrack:
    """One of a file's audio tracks."""

    number: int
    """Among the file's audio tracks, from 1."""
    index: int
    """Its stream in the file."""
    codec: str
    """libav's name of its codec."""
    channels: int
    """Channels."""
    layout: str
    """ffmpeg's name of their layout: `stereo`, `5.1(side)`; empty where nobody says."""
    sample_rate_hz: int
    """Samples per second, Hz."""
    language: str
    """As the file says it, mostly ISO 639-2; empty where it does not."""
    title: str
    """Its name in the file; empty where it has none."""
    role: str
    """`main`; `commentary`, `description` (for who does not see) or `other` (karaoke, effects, enhanced dialogue) as
    the file marks it."""
    is_default: bool
    """Whether the file marks it as default."""

    @property
    def is_surround(self) -> bool:
        """Whether it has as many channels as 5.1 at least."""
        return self.channels >= 6

    @property
    def channel_names(self) -> list[str]:
        """What its channels are, as ffmpeg names them: `FL`; all `NONE` where nobody says."""
        try:
            return [channel.name for channel in av.audio.layout.AudioLayout(self.layout).channels]
        except ValueError:
            return ["NONE"] * self.channels


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtitleTrack:
    """One of a file's subtitle tracks."""

    number: int
    """Among the file's subtitle tracks, from 1."""
    index: int
    """Its stream in the file."""
    codec: str
    """libav's name of its codec: subrip, webvtt, mov_text, ass; hdmv_pgs_subtitle and dvd_subtitle are pictures."""
    language: str
    """As the file says it; empty where it does not."""
    title: str
    """Its name in the file; empty where it has none."""
    is_forced: bool
    """Whether it is for what is spoken in another language than the sound's."""
    is_captions: bool
    """Whether it is for who does not hear: sounds are described too."""
    is_default: bool
    """Whether the file marks it as default."""

    @property
    def is_pictures(self) -> bool:
        """Whether it is pictures of text."""
        return self.codec in _PICTURE_CODECS

    @property
    def is_text(self) -> bool:
        """Whether it is text, which can be delivered."""
        return self.codec in _TEXT_CODECS


def list_audio(container: av.container.InputContainer) -> tuple[AudioTrack, ...]:
    """The audio tracks of a file, in its order."""
    return tuple(
        AudioTrack(
            number=number,
            index=stream.index,
            codec=_codec(stream),
            channels=_channels(stream),
            layout=str(stream.codec_context.layout.name) if stream.codec_context else "",
            sample_rate_hz=int(stream.codec_context.sample_rate) if stream.codec_context else 0,
            language=stream.metadata.get("language", ""),
            title=stream.metadata.get("title", "") or _handler(stream),
            role=_role(stream),
            is_default=bool(stream.disposition & _Is.default),
        )
        for number, stream in enumerate(container.streams.audio, start=1)
    )


def list_subtitles(container: av.container.InputContainer) -> tuple[SubtitleTrack, ...]:
    """The subtitle tracks of a file, in its order."""
    return tuple(
        SubtitleTrack(
            number=number,
            index=stream.index,
            codec=_codec(stream),
            language=stream.metadata.get("language", ""),
            title=stream.metadata.get("title", "") or _handler(stream),
            is_forced=bool(stream.disposition & _Is.forced),
            is_captions=bool(stream.disposition & (_Is.hearing_impaired | _Is.captions)),
            is_default=bool(stream.disposition & _Is.default),
        )
        for number, stream in enumerate(container.streams.subtitles, start=1)
    )


def list_others(container: av.container.InputContainer, film: int) -> tuple[str, ...]:
    """What a file has besides its film, sound and subtitles, a phrase each: other pictures, data, files, chapters.

    Args:
        container: the file.
        film: the stream that is the film; -1 where there is none.
    """
    found = []
    for stream in container.streams:
        if stream.type == "video" and stream.index != film:
            what = "a picture" if stream.disposition & _NO_FILM or _codec(stream) in _STILL_CODECS else "other video"
            found.append(f"{what} ({_codec(stream) or 'unknown'})")
        elif stream.type not in ("video", "audio", "subtitle"):
            name = stream.metadata.get("filename") or stream.metadata.get("handler_name") or ""
            found.append(str(stream.type) + (f" ({name})" if name else ""))
    num_chapters = len(container.chapters())
    found += [f"{num_chapters} chapter{'s' if num_chapters > 1 else ''}"] if num_chapters else []
    return tuple(found)


def _handler(stream: Any) -> str:
    """The name that QuickTime and MP4 give a track; what writers put there unasked is none."""
    name = str(stream.metadata.get("handler_name", ""))
    return "" if name.strip("\0 ") in _USUAL_HANDLERS else name


def _role(stream: Any) -> str:
    disposition = stream.disposition
    if disposition & _Is.comment:
        return "commentary"
    if disposition & (_Is.visual_impaired | _Is.descriptions):
        return "description"
    return "other" if disposition & _NOT_THE_PROGRAMME else "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenAudio:
    """The audio of a title."""

    indices: tuple[int, ...]
    """Streams of the file: none, one, or two mono ones that are left and right."""
    note: str
    """What is to be said of the choice; empty where there was none."""


def choose_video(container: av.container.InputContainer) -> Any | None:
    """The film: no cover, no thumbnails; of several the one that the file marks as default, else the first."""
    films = [stream for stream in container.streams.video if not stream.disposition & _NO_FILM]
    # Covers are not always marked as such.
    return _preferred([stream for stream in films if _codec(stream) not in _STILL_CODECS] or films)


def choose_audio(container: av.container.InputContainer, track: int | None, path: Path) -> ChosenAudio:
    """The sound: the track asked for; else of those that are no commentary or description the default, else the first.

    Mono tracks side by side, as MXF and QuickTime of studios have, are the channels of one sound: the first two are
    left and right.

    Args:
        container: the file.
        track: number among the file's audio tracks, from 1; None to choose.
        path: what to call the file in an error.

    Raises:
        UnsupportedMediaError: there is no such track.
    """
    tracks: Sequence[Any] = container.streams.audio
    if track is not None:
        if not 1 <= track <= len(tracks):
            raise UnsupportedMediaError(
                f"{path} has {len(tracks)} audio tracks, and no number {track}; give one of 1 to {len(tracks)}"
                if tracks
                else f"{path} has no audio track, so none can be chosen",
                path=str(path),
            )
        return ChosenAudio(indices=(tracks[track - 1].index,), note="")
    if _are_channels_of_one_sound(tracks):
        left, right = tracks[:2]
        more = f", {len(tracks) - 2} more are left out" if len(tracks) > 2 else ""
        note = f"mono tracks 1 and 2 are taken as left and right{more}; choose a single one with `audio_track`"
        return ChosenAudio(indices=(left.index, right.index), note=note)
    programme = [stream for stream in tracks if not stream.disposition & _NOT_THE_PROGRAMME]
    chosen = _preferred(programme or tracks)
    if chosen is None:
        return ChosenAudio(indices=(), note="")
    note = ""
    if len(tracks) > 1:
        words = [f"{_channels(chosen)} channel" + ("s" if _channels(chosen) > 1 else ""), chosen.language or ""]
        note = (
            f"audio track {list(tracks).index(chosen) + 1} of {len(tracks)} is measured "
            f"({', '.join(filter(None, words))}); choose another with `audio_track`"
        )
    return ChosenAudio(indices=(chosen.index,), note=note)


def _preferred(streams: Sequence[Any]) -> Any | None:
    marked = [stream for stream in streams if stream.disposition & _Is.default]
    return next(iter(marked or streams), None)


def _codec(stream: Any) -> str:
    return str(stream.codec_context.name) if stream.codec_context else ""


def _channels(stream: Any) -> int:
    return int(stream.codec_context.channels) if stream.codec_context else 0


def _are_channels_of_one_sound(tracks: Sequence[Any]) -> bool:
    """Two or more, all mono, alike in all, and told apart by nothing that is no number."""
    if len(tracks) < 2 or any(_channels(stream) != 1 for stream in tracks):
        return False
    kinds = {(stream.codec_context.name, stream.codec_context.sample_rate, stream.language or "") for stream in tracks}
    special = any(stream.disposition & _NOT_THE_PROGRAMME for stream in tracks)
    marked = [bool(stream.disposition & _Is.default) for stream in tracks]
    return (
        len(kinds) == 1
        and not special
        and (all(marked) or not any(marked) or marked == [True] + [False] * (len(marked) - 1))
    )
