"""What an encode delivers of a source's tracks: sound in which languages, subtitles, and what is left out, told."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from abr_alloc import defaults
from abr_alloc.delivery.chosen_subtitles import ChosenSubtitles, choose_subtitles
from abr_alloc.delivery.chosen_tracks import ChosenTrack, choose_further, main_label, main_number, tag_of
from abr_alloc.errors import ArgumentError
from abr_alloc.exporting.presentation import Variant, distinct_video
from abr_alloc.languages import standard_language
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.probe import MediaInfo, probe

__all__ = ["DeliveredTracks", "TrackWishes", "choose_tracks", "lost_captions", "probe_wished"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackWishes:
    """Which tracks of a source are wanted."""

    numbers: tuple[int, ...]
    """Audio tracks, from 1, the film's own first; none for all."""
    language: str | None
    """Tag of the film's own sound, over what the source says."""
    audio_languages: tuple[str, ...]
    """Tags of the audio tracks, that of the film's own first; none for all."""
    subtitle_languages: tuple[str, ...] | None
    """Tags of the subtitles in the source; None for all."""
    files: tuple[tuple[str, Path], ...]
    """Languages and files of subtitles beside the source."""

    @classmethod
    def of(
        cls,
        audio_track: int | Sequence[int] | None,
        language: str | None,
        audio_languages: Sequence[str] | None,
        subtitle_languages: Sequence[str] | None,
        subtitles: Sequence[tuple[str, str | os.PathLike[str]]],
    ) -> TrackWishes:
        """What `encode` was given.

        Raises:
            ArgumentError: a tag is none, a number is below 1, or tracks are chosen both ways.
        """
        numbers = (audio_track,) if isinstance(audio_track, int) else tuple(audio_track or ())
        if numbers and audio_languages:
            raise ArgumentError("tracks are chosen by `audio_track` or by `audio_languages`, not by both; give one")
        below = next((number for number in numbers if number < 1), None)
        if below is not None:
            raise ArgumentError(f"`audio_track` is {below}; tracks are counted from 1")
        return cls(
            numbers=numbers,
            language=None if language is None else _tag(language, "`language` is"),
            audio_languages=tuple(_tag(text, "`audio_languages` has") for text in audio_languages or ()),
            subtitle_languages=None
            if subtitle_languages is None
            else tuple(_tag(text, "`subtitle_languages` has") for text in subtitle_languages),
            files=tuple((_tag(text, "`subtitles` has"), Path(path)) for text, path in subtitles),
        )


def _tag(text: str, said: str) -> str:
    found = standard_language(text)
    if found is None:
        raise ArgumentError(f"{said} {text!r}; give a tag like en, de or pt-BR")
    return found


def probe_wished(source: Path, ffmpeg: FFmpeg, wishes: TrackWishes, *, max_pixels: int) -> tuple[MediaInfo, int | None]:
    """A source with the wanted sound as its own, and the number of that track where it is not the source's own choice.

    Raises:
        DeliveryError: no track is in a wanted language.
        UnsupportedMediaError: it is not one media file that can be encoded, or has no such track.
    """
    number = wishes.numbers[0] if wishes.numbers else None
    info = probe(source, ffmpeg, audio_track=number, max_pixels=max_pixels)
    other = main_number(info, wishes.audio_languages) if info.has_audio else None
    if other is None:
        return info, number
    return probe(source, ffmpeg, audio_track=other, max_pixels=max_pixels), other


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredTracks:
    """What is delivered beside the pictures."""

    language: str
    """Tag of the film's own sound."""
    label: str
    """Its name in a player's menu."""
    further: tuple[ChosenTrack, ...]
    """Other languages and roles."""
    subtitles: ChosenSubtitles
    """Subtitles."""
    notes: tuple[str, ...]
    """What is to be said of all of the source's tracks."""


def choose_tracks(
    info: MediaInfo,
    ffmpeg: FFmpeg,
    duration_s: Fraction,
    wishes: TrackWishes,
    audio_name: str,
    *,
    with_surround: bool = False,
) -> DeliveredTracks:
    """Choose of a source's tracks, and read its subtitles.

    Args:
        info: the source, with the wanted sound as its own.
        ffmpeg: the program.
        duration_s: length of the title, seconds.
        wishes: which tracks are wanted.
        audio_name: name of the film's own sound where it is alone, or named by its user.
        with_surround: whether surround is delivered beside stereo.

    Raises:
        DeliveryError: there is no such track.
        UnsupportedMediaError: a file of subtitles cannot be read.
    """
    language = wishes.language or tag_of(info.language)
    is_named = audio_name != defaults.AUDIO_LABEL
    label = audio_name if is_named else main_label(info, language)
    further, notes = choose_further(
        info,
        language=language,
        label=label,
        numbers=wishes.numbers,
        languages=wishes.audio_languages,
        with_surround=with_surround,
    )
    subtitles = choose_subtitles(info, ffmpeg, duration_s, languages=wishes.subtitle_languages, files=wishes.files)
    return DeliveredTracks(
        language=language,
        label=label if further else audio_name,
        further=tuple(further),
        subtitles=subtitles,
        notes=(*notes, *subtitles.notes, *_left_out(info)),
    )


def _left_out(info: MediaInfo) -> Iterator[str]:
    if info.other_streams:
        yield f"left out, as nothing here delivers them: {', '.join(info.other_streams)}"


def lost_captions(info: MediaInfo, variants: Sequence[Variant]) -> Iterator[str]:
    """What is to be said of closed captions that lie in the source's pictures and not in what was made of them."""
    without = [video.name for video in distinct_video(variants) if not video.has_captions]
    if info.has_captions and without:
        yield f"closed captions of the source are not in {', '.join(without)}: the encoder does not keep them"
