"""Which of a source's subtitles are delivered: all that are text, unless languages are chosen, and files beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from abr_alloc.delivery.chosen_tracks import free_name, tag_of
from abr_alloc.delivery.subtitles import text_hash
from abr_alloc.formats.orders import SubtitleOrder
from abr_alloc.languages import language_name
from abr_alloc.media.cues import place_cues, read_cue_file, read_cues
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.tracks import SubtitleTrack
from abr_alloc.media.webvtt import Cue, webvtt_text

__all__ = ["ChosenSubtitles", "choose_subtitles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenSubtitles:
    """What is delivered of a source's subtitles."""

    orders: tuple[SubtitleOrder, ...]
    """One for every file."""
    texts: Mapping[str, bytes]
    """The files, by their orders' names."""
    notes: tuple[str, ...]
    """What is to be said of those left out and cut."""


def choose_subtitles(
    info: MediaInfo,
    ffmpeg: FFmpeg,
    duration_s: Fraction,
    *,
    languages: Sequence[str] | None = None,
    files: Sequence[tuple[str, Path]] = (),
) -> ChosenSubtitles:
    """Read a source's subtitles, and files beside it.

    Args:
        info: the source.
        ffmpeg: the program that decodes them.
        duration_s: length of the title, seconds.
        languages: tags that are wanted of the source; None for all, none for no subtitles.
        files: languages and files of subtitles that belong to the title; their times count from its first instant.

    Raises:
        UnsupportedMediaError: a file beside the source cannot be read.
    """
    orders: list[SubtitleOrder] = []
    texts: dict[str, bytes] = {}
    notes: list[str] = []
    wanted = []
    for track in info.subtitle_tracks:
        if languages is not None and tag_of(track.language) not in languages:
            notes.append(f"{_told(track)} is left out, as its language was not asked for")
        elif not track.is_text:
            why = "are pictures" if track.is_pictures else "are in a format that is not delivered"
            notes.append(f"{_told(track)} is left out: its subtitles {why}; give them as text with `subtitles`")
        else:
            wanted.append(track)
    read = read_cues(ffmpeg, info.path, [track.index for track in wanted])

    def take(said: str, cues: Sequence[Cue], zero_s: Fraction, order: SubtitleOrder) -> None:
        placed = place_cues(cues, zero_s, duration_s)
        if placed.num_cut:
            count = f"{placed.num_cut} cue{'s' if placed.num_cut > 1 else ''}"
            notes.append(f"{said}: {count} beyond the film (0 to {float(duration_s):.2f} s) cut to it, or left out")
        if placed.cues:
            orders.append(order)
            texts[order.name] = webvtt_text(placed.cues)
        else:
            notes.append(f"{said} is left out: it has no text")

    for track in wanted:
        cues, tag = read[track.index], tag_of(track.language)
        if isinstance(cues, str):
            notes.append(f"{_told(track)} is left out: it cannot be read ({cues})")
            continue
        label = _label(tag, track.title, track.number, orders, is_forced=track.is_forced, is_captions=track.is_captions)
        kind = "forced" if track.is_forced else "captions" if track.is_captions else ""
        order = SubtitleOrder(
            name=_name(tag, kind, orders), track=track.number, language=tag, label=label, is_forced=track.is_forced,
            is_captions=track.is_captions,
        )  # fmt: skip
        take(_told(track), cues, info.zero_s, order)
    for number, (tag, path) in enumerate(files, start=1):
        cues = read_cue_file(ffmpeg, path)
        label = _label(tag, path.stem, number, orders, is_forced=False, is_captions=False)
        take(str(path), cues, Fraction(0), SubtitleOrder(name=_name(tag, "", orders), language=tag, label=label))
    hashed = tuple(replace(order, text_hash=text_hash(texts[order.name])) for order in orders)
    return ChosenSubtitles(orders=hashed, texts=texts, notes=tuple(notes))


def _name(tag: str, kind: str, orders: Sequence[SubtitleOrder]) -> str:
    stem = "subtitles/" + "-".join(filter(None, [tag.lower(), kind]))
    return free_name(stem, {order.name for order in orders}, mark="-")


def _label(
    tag: str, title: str, number: int, orders: Sequence[SubtitleOrder], *, is_forced: bool, is_captions: bool
) -> str:
    """A name that no other has."""
    name = language_name(tag) or title or f"Subtitles {number}"
    name += " (forced)" if is_forced else " (captions)" if is_captions else ""
    taken = {order.label for order in orders}
    return free_name(name, taken, *([f"{name} ({title})"] if title and title != name else []))


def _told(track: SubtitleTrack) -> str:
    name = language_name(tag_of(track.language)) or "no language told"
    return f"subtitle track {track.number} ({name}, {track.codec or 'unknown format'})"
