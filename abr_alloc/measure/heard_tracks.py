"""Several audio tracks of one source, measured into one table: what its rows say of the track that they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.languages import UNKNOWN, standard_language
from abr_alloc.media.probe import MediaInfo

__all__ = ["heard_tracks"]


def heard_tracks(info: MediaInfo, numbers: Sequence[int]) -> Mapping[MediaInfo, Mapping[str, Any]]:
    """A source by the sound that is measured of it, with the cells that tell its rows from those of other tracks.

    Args:
        info: the source hearing its own sound, which comes first.
        numbers: further audio tracks, from 1; where there are none, rows say nothing of tracks.

    Raises:
        UnsupportedMediaError: there is no such track, or its own sound is several tracks, side by side.
    """
    if not numbers:
        return {info: {}}
    if len(info.audio_indices) != 1:
        raise UnsupportedMediaError(
            f"{info.path} has mono tracks that are channels of one sound; choose one track with `audio_track`",
            path=str(info.path),
        )
    count = len(info.audio_tracks)
    strange = next((number for number in numbers if not 1 <= number <= count), None)
    if strange is not None:
        raise UnsupportedMediaError(
            f"{info.path} has {count} audio tracks, and no number {strange}; give others with `audio_track`",
            path=str(info.path),
        )
    own = next(track for track in info.audio_tracks if track.index == info.audio_indices[0])
    further = [info.audio_tracks[number - 1] for number in dict.fromkeys(numbers)]
    heard = {own: info} | {track: info.hearing(track) for track in further if track != own}
    return {
        one: {"audio_track": track.number, "language": standard_language(track.language or UNKNOWN) or UNKNOWN}
        for track, one in heard.items()
    }
