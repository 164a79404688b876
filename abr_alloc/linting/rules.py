"""What a rule and a finding are, and the register of rules.

A rule is a small function over a stream that yields what breaks it. Numbers without a prefix are those of Apple's HLS
Authoring Specification for Apple devices (2025-06-26); those with `HLS` are sections of
draft-pantos-hls-rfc8216bis-22, with a word where a section holds several rules.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from abr_alloc.linting.stream import Stream

__all__ = ["RULES", "Breach", "Finding", "Level", "Needs", "Rule", "by_reader", "flaws_of", "rule"]

Level = Literal["MUST", "SHOULD"]
Needs = Literal[
    "playlist", "master", "media", "i-frames", "segments", "video", "audio", "rates", "several", "subtitles"
]
"""What a rule needs to look at: any playlist, a master, media playlists, I-frame variants, readable segments, video or
audio segments, sizes of whole playlists, several playlists, playlists of subtitles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A place that breaks a rule."""

    rule: str
    """Number of the rule."""
    level: Level
    """MUST or SHOULD."""
    where: str
    """Playlist, below the folder of the one that was given, with the line where there is one: index.m3u8:7."""
    message: str
    """What is wrong, with the value and the limit."""
    next: str
    """What to do."""


Breach = tuple[str, str, str]
"""where, message, next move: a finding before its rule's name is put to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule that can be checked."""

    number: str
    """Its number."""
    level: Level
    """MUST, or SHOULD for a recommendation."""
    text: str
    """What it asks, in one line."""
    needs: Needs
    """What must be there to look at."""
    check: Callable[[Stream], Iterable[Breach]]
    """Yields what breaks it."""

    def applies(self, stream: Stream) -> bool:
        """Whether the stream has what the rule looks at, and all of it could be read."""
        if self.needs == "playlist":
            return True
        if self.needs == "master":
            return bool(stream.variants)
        if self.needs == "i-frames":
            return bool(stream.root.i_frame_streams)
        if self.needs == "media":
            return bool(stream.tracks)
        if self.needs == "subtitles":
            named = any(media.attributes.get("TYPE") == "SUBTITLES" for media in stream.root.renditions)
            return bool(stream.variants) and (bool(stream.texts) or not named)
        if self.needs == "several":
            return len(stream.tracks) > 1
        if self.needs == "segments":
            return any(track.fragments for track in stream.tracks)
        if self.needs == "rates":
            return any(variant.largest_sum_bits_per_s(0) is not None for variant in stream.variants)
        return any(track.measured for track in stream.of_kind(self.needs))

    def findings(self, stream: Stream) -> Iterator[Finding]:
        """What breaks the rule."""
        for where, message, then in self.check(stream):
            yield Finding(rule=self.number, level=self.level, where=where, message=message, next=then)


RULES: dict[str, Rule] = {}
"""Every rule by number, in the order of the report."""


def rule(
    number: str, level: Level, text: str, needs: Needs
) -> Callable[[Callable[[Stream], Iterable[Breach]]], Callable[[Stream], Iterable[Breach]]]:
    """Register a function as the check of a rule."""

    def register(check: Callable[[Stream], Iterable[Breach]]) -> Callable[[Stream], Iterable[Breach]]:
        RULES[number] = Rule(number=number, level=level, text=text, needs=needs, check=check)
        return check

    return register


def by_reader(number: str, text: str, needs: Needs) -> None:
    """Register a rule whose breaches the reader notes as flaws; all of them are MUSTs."""
    rule(number, "MUST", text, needs)(functools.partial(flaws_of, number=number))


def flaws_of(stream: Stream, number: str) -> Iterator[Breach]:
    """What the reader noted under a rule's number."""
    for where, flaw in stream.flaws:
        if flaw.rule == number:
            yield f"{where}:{flaw.line}" if flaw.line else where, flaw.message, flaw.next
