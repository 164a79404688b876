"""Which of a source's audio tracks are delivered beside the film's own sound: other languages, commentary, description.

All are, unless somebody chooses. They are encoded as every rendition of the rungs is, so that a player can change the
language and keep the pair.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from abr_alloc.errors import DeliveryError
from abr_alloc.formats.orders import AudioOrder, AudioRole
from abr_alloc.languages import UNKNOWN, language_name, standard_language
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.tracks import AudioTrack

__all__ = ["ChosenTrack", "choose_further", "free_name", "further_orders", "main_label", "main_number", "tag_of"]

_SURROUND_CHANNELS = 6
_ROLE_WORDS = {"commentary": "commentary", "description": "audio description", "other": "other sound"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenTrack:
    """An audio track that is delivered beside the film's own."""

    track: AudioTrack
    """As the file has it."""
    language: str
    """RFC 5646 tag; und where nobody tells."""
    label: str
    """Name in a player's menu, of no other track."""
    role: AudioRole
    """What it is for."""


def tag_of(text: str) -> str:
    """A track's language as RFC 5646's shortest tag; und where the file has none, or one that is none."""
    return standard_language(text or UNKNOWN) or UNKNOWN


def main_number(info: MediaInfo, languages: Sequence[str]) -> int | None:
    """The track that is the film's own sound where languages are chosen and that which would be is of none of them.

    Args:
        info: the source with the sound that it says itself.
        languages: tags, the first being wanted most; none for all.

    Raises:
        DeliveryError: no track is in any of them.
    """
    if not languages or tag_of(info.language) in languages:
        return None
    programme = [track for track in info.audio_tracks if track.role == "main"]
    for language in languages:
        for track in (*programme, *info.audio_tracks):
            if tag_of(track.language) == language:
                return track.number
    there = ", ".join(dict.fromkeys(tag_of(track.language) for track in info.audio_tracks)) or "none"
    raise DeliveryError(
        f"{info.path} has no audio track in {' or '.join(languages)}; its tracks are in {there}: choose of these with "
        "`audio_languages`"
    )


def main_label(info: MediaInfo, language: str) -> str:
    """What the film's own sound is called where it is not alone."""
    track = next((track for track in info.audio_tracks if (track.index,) == info.audio_indices), None)
    return language_name(language) or (track.title if track else "") or f"Audio {track.number if track else 1}"


def choose_further(
    info: MediaInfo,
    *,
    language: str,
    label: str,
    numbers: Sequence[int] = (),
    languages: Sequence[str] = (),
) -> tuple[list[ChosenTrack], list[str]]:
    """The tracks that are delivered beside the film's own, and what is to be said of them and of those left out.

    Args:
        info: the source, hearing the film's own sound.
        language: its tag.
        label: its name, which no other has.
        numbers: tracks that were asked for, the film's own first; none for all.
        languages: tags that were asked for; none for all.

    Raises:
        DeliveryError: there is no such track.
    """
    if len(info.audio_indices) != 1:  # mono tracks side by side are channels of one sound
        return [], []
    for number in numbers:
        if not 1 <= number <= len(info.audio_tracks):
            raise DeliveryError(
                f"{info.path} has {len(info.audio_tracks)} audio tracks, and no number {number}; choose others with "
                "`audio_track`"
            )
    wanted = [info.audio_tracks[number - 1] for number in dict.fromkeys(numbers)] or list(info.audio_tracks)
    own = next(track for track in info.audio_tracks if track.index == info.audio_indices[0])
    chosen: list[ChosenTrack] = []
    notes = [
        f"{_told(track)} is left out, as it was not asked for"
        for track in info.audio_tracks
        if track not in wanted and track != own
    ]
    for track in wanted:
        tag = tag_of(track.language)
        if track == own:
            continue
        if languages and tag not in languages:
            notes.append(f"{_told(track)} is left out: `audio_languages` does not have it")
        elif not track.channels or not track.sample_rate_hz:
            notes.append(f"{_told(track)} is left out: nothing here decodes it")
        elif not numbers and (twin := _twin(track, own, language, chosen)):
            notes.append(
                f"{_told(track)} is left out, being taken for track {twin} in another layout; ask for it with "
                "`audio_track` if it is not"
            )
        else:
            taken = [label, *(one.label for one in chosen)]
            name, role = _label(track, tag, taken), _role(track, tag, language, chosen)
            chosen.append(ChosenTrack(track=track, language=tag, label=name, role=role))
            notes.append(f"{_told(track)} is delivered, too, as {name!r} ({role})")
    return chosen, notes


def _twin(track: AudioTrack, own: AudioTrack, language: str, chosen: Iterable[ChosenTrack]) -> int | None:
    """The track that has the same programme in another layout: of one language that is told, and both the film."""
    others = [(own, language), *((one.track, one.language) for one in chosen)]
    same = [
        other.number
        for other, tag in others
        if tag == tag_of(track.language) != UNKNOWN and other.role == track.role == "main"
        and (other.channels > 2) != (track.channels > 2)
    ]  # fmt: skip
    return next(iter(same), None)


def _role(track: AudioTrack, tag: str, language: str, chosen: Iterable[ChosenTrack]) -> AudioRole:
    if track.role in ("commentary", "description", "other"):
        return track.role  # type: ignore[return-value]  # one of these words
    # A second one of a language is for who asks for it.
    return "other" if tag in (language, UNKNOWN, *(one.language for one in chosen)) else "dub"


def _label(track: AudioTrack, tag: str, taken: Sequence[str]) -> str:
    name = language_name(tag) or track.title or f"Audio {track.number}"
    if track.role in _ROLE_WORDS:
        name = track.title or f"{name} ({_ROLE_WORDS[track.role]})"
    return free_name(name, taken, *([f"{name} ({track.title})"] if track.title and track.title != name else []))


def free_name(name: str, taken: Collection[str], *others: str, mark: str = " ") -> str:
    """A name, or the first of others, that is not taken; else the name with the first free number behind a mark."""
    numbered = (f"{name}{mark}{number}" for number in itertools.count(2))
    return next(one for one in itertools.chain([name, *others], numbered) if one not in taken)


def _told(track: AudioTrack) -> str:
    channels = f"{track.channels} channel" + ("s" if track.channels != 1 else "")
    name = language_name(tag_of(track.language)) or "no language told"
    return f"audio track {track.number} ({', '.join([name, track.codec or 'unknown codec', channels])})"


def further_orders(own: Sequence[AudioOrder], chosen: Sequence[ChosenTrack]) -> list[AudioOrder]:
    """Orders of other tracks, each as every rendition of the rungs is.

    Stereo is what all of them become: of a mono track both sides are equal, which costs next to nothing. A track
    without surround has none: beside the surround of others, players are given its stereo.
    """
    found: list[AudioOrder] = []
    taken = {order.name for order in own}
    for order in own:
        for one in chosen:
            if order.channels > 2 and one.track.channels < _SURROUND_CHANNELS:
                continue
            stem = "-".join(
                [order.name, one.language.lower(), *([one.role] if one.role not in ("main", "dub") else [])]
            )
            name = free_name(stem, taken, mark="-")
            taken.add(name)
            found.append(
                AudioOrder(
                    name=name,
                    codec=order.codec,
                    channels=order.channels if order.channels > 1 else min(2, one.track.channels),
                    target=order.target,
                    planned_kbps=order.planned_kbps,
                    group=order.name,
                    track=one.track.number,
                    language=one.language,
                    label=one.label,
                    role=one.role,
                )
            )
    return found
