"""Which of a file's streams are the title: its picture, and the sound that goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av.container
import av.stream

from abr_alloc.errors import UnsupportedMediaError

__all__ = ["ChosenAudio", "choose_audio", "choose_video"]

_Is = av.stream.Disposition
_STILL_CODECS = frozenset({"mjpeg", "png", "apng", "gif", "bmp", "webp", "tiff"})
_NO_FILM = _Is.attached_pic | _Is.timed_thumbnails | _Is.still_image | _Is.dependent
_NOT_THE_PROGRAMME = (
    _Is.comment | _Is.lyrics | _Is.karaoke | _Is.hearing_impaired | _Is.visual_impaired | _Is.clean_effects
    | _Is.descriptions | _Is.dependent
)  # fmt: skip


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
