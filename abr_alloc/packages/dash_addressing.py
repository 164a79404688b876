"""Which segments a Representation has: ISO/IEC 23009-1, 5.3.9, each way of naming them made one list.

What a Period, an AdaptationSet or a Representation does not say for itself, it takes from what it is in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from abr_alloc.errors import PackageError
from abr_alloc.markup import Element
from abr_alloc.packages.local_files import shortened

__all__ = ["MOST_SEGMENTS", "Address", "Addressed", "addresses", "number_in", "whole_in"]

MOST_SEGMENTS = 20_000
"""Segments of a Representation that are read; 33 hours of six seconds."""

_ADDRESSING = ("SegmentTemplate", "SegmentList", "SegmentBase")
_FIELD = re.compile(r"\$(?:(RepresentationID|Number|Bandwidth|Time)(?:%0(\d{1,2})d)?)?\$")
_ROUNDING = Fraction(1, 50)  # of a segment: a Period that ends so soon after one has no other


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A file by its URI, or a part of it."""

    uri: str
    """As written; empty for the BaseURL itself."""
    part: tuple[int, int] | None
    """Offset and length, bytes; None for all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """What a Representation consists of."""

    init: Address | None
    """Its initialisation segment."""
    segments: tuple[tuple[Address, Fraction], ...]
    """Media segments with their lengths, seconds; empty where it is one file, which is then its BaseURL."""
    index: tuple[int, int] | None = None
    """Where the index of that file lies, offset and length; None where nothing says."""


def addresses(levels: Sequence[Element], duration_s: Fraction | None, where: str) -> Addressed:
    """The segments of a Representation.

    Args:
        levels: its Period, AdaptationSet and itself.
        duration_s: length of the Period, seconds; None where nothing says.
        where: how messages name it.

    Raises:
        PackageError: what it says is missing, no number, or of a kind that is not read.
    """
    kind = next((name for level in reversed(levels) for name in _ADDRESSING if level.first(name) is not None), None)
    found = [level.first(kind) for level in levels] if kind else []
    said = [element for element in found if element is not None]
    if kind is None or kind == "SegmentBase":
        return Addressed(init=None, segments=(), index=_byte_range(_attribute(said, "indexRange"), where))
    init = _initialisation(levels, said, kind, where)
    lengths = list(_lengths(said, duration_s, where))
    if kind == "SegmentTemplate":
        media = _attribute(said, "media")
        if media is None:
            raise PackageError(f"{where}: its SegmentTemplate has no media; add it", path=where)
        first = whole_in(_attribute(said, "startNumber") or "1", "startNumber", where)
        segments = [
            (Address(uri=_filled(media, levels, where, number=first + at, time=time), part=None), length_s)
            for at, (time, length_s) in enumerate(lengths)
        ]
        return Addressed(init=init, segments=tuple(segments))
    urls = next((element.all("SegmentURL") for element in reversed(said) if element.all("SegmentURL")), [])
    if len(lengths) < len(urls):
        raise PackageError(f"{where}: its SegmentList names {len(urls)} segments and times {len(lengths)}", path=where)
    named = [
        (Address(uri=u.attributes.get("media", ""), part=_byte_range(u.attributes.get("mediaRange"), where)), length_s)
        for u, (_, length_s) in zip(urls, lengths, strict=False)
    ]
    return Addressed(init=init, segments=tuple(named))


def _initialisation(levels: Sequence[Element], said: Sequence[Element], kind: str, where: str) -> Address | None:
    template = _attribute(said, "initialization") if kind == "SegmentTemplate" else None
    if template is not None:
        return Address(uri=_filled(template, levels, where), part=None)
    element = next((e for level in reversed(said) if (e := level.first("Initialization")) is not None), None)
    if element is None:
        return None
    return Address(
        uri=element.attributes.get("sourceURL", ""), part=_byte_range(element.attributes.get("range"), where)
    )


def _lengths(said: Sequence[Element], duration_s: Fraction | None, where: str) -> Iterator[tuple[int, Fraction]]:
    """Start, ticks, and length, seconds, of every segment."""
    timescale = whole_in(_attribute(said, "timescale") or "1", "timescale", where)
    if not timescale:
        raise PackageError(f"{where}: timescale is 0; give ticks per second", path=where)
    offset = whole_in(_attribute(said, "presentationTimeOffset") or "0", "presentationTimeOffset", where)
    end = None if duration_s is None else offset + duration_s * timescale
    timeline = next((e for level in reversed(said) if (e := level.first("SegmentTimeline")) is not None), None)
    urls = next((len(level.all("SegmentURL")) for level in reversed(said) if level.all("SegmentURL")), None)
    if timeline is not None:
        yield from _timeline(timeline, timescale, end, where)
        return
    text = _attribute(said, "duration")
    if text is None and urls == 1 and duration_s is not None:
        yield 0, duration_s
        return
    duration = number_in(text or "", "duration", where)
    if not duration or (duration_s is None and urls is None):
        raise PackageError(f"{where}: the lengths of its segments are not given; add a SegmentTimeline", path=where)
    length_s = duration / timescale
    if urls and duration_s is not None and urls * length_s <= duration_s - length_s:
        length_s = duration_s / urls  # segments that the list says are shorter than they can be: ffmpeg writes such
    count = urls if urls is not None else math.ceil((duration_s or 0) / length_s - _ROUNDING)
    if count > MOST_SEGMENTS:
        raise _too_many(where)
    for at in range(count):
        left_s = length_s if duration_s is None else duration_s - at * length_s
        yield int(offset + at * length_s * timescale), min(length_s, left_s) if left_s > 0 else length_s


def _timeline(timeline: Element, timescale: int, end: Fraction | None, where: str) -> Iterator[tuple[int, Fraction]]:
    entries = timeline.all("S")
    time, count = 0, 0
    for at, entry in enumerate(entries):
        has = entry.attributes
        time = whole_in(has["t"], "S@t", where) if "t" in has else time
        length = whole_in(has.get("d", ""), "S@d", where)
        repeat = -1 if has.get("r") == "-1" else whole_in(has.get("r", "0"), "S@r", where)
        if not length:
            raise PackageError(f"{where}: a segment of its SegmentTimeline is 0 long; correct S@d", path=where)
        if repeat < 0:  # up to the next entry, or the Period's end
            until = entries[at + 1].attributes.get("t") if at + 1 < len(entries) else None
            stop = Fraction(whole_in(until, "S@t", where)) if until else end
            if stop is None:
                raise PackageError(f"{where}: S@r is -1, and nothing says until when; give a number", path=where)
            repeat = math.ceil((stop - time) / length - _ROUNDING) - 1
        count += repeat + 1
        if count > MOST_SEGMENTS:
            raise _too_many(where)
        for _ in range(repeat + 1):
            yield time, Fraction(length, timescale)
            time += length


def _too_many(where: str) -> PackageError:
    return PackageError(f"{where}: has more than {MOST_SEGMENTS} segments; give a shorter title", path=where)


def _filled(template: str, levels: Sequence[Element], where: str, number: int | None = None, time: int = 0) -> str:
    """A template with its fields filled in (5.3.9.4.4)."""
    values: dict[str, str | int] = {
        "RepresentationID": levels[-1].attributes.get("id", ""),
        "Bandwidth": whole_in(levels[-1].attributes.get("bandwidth", "0"), "bandwidth", where),
    }
    if number is not None:
        values |= {"Number": number, "Time": time}

    def fill(field: re.Match[str]) -> str:
        name, width = field[1], field[2]
        if name is None:
            return "$"
        if name not in values:
            raise PackageError(f"{where}: {shortened(template)} has ${name}$, which has no value there", path=where)
        return str(values[name]).rjust(int(width), "0") if width else str(values[name])

    text = _FIELD.sub(fill, template)
    if "$" in _FIELD.sub("", template):
        raise PackageError(f"{where}: {shortened(template)} has a field that is not read; correct it", path=where)
    return text


def _attribute(said: Sequence[Element], name: str) -> str | None:
    return next((e.attributes[name] for e in reversed(said) if name in e.attributes), None)


def _byte_range(text: str | None, where: str) -> tuple[int, int] | None:
    """`first-last` as offset and length."""
    if text is None:
        return None
    first, dash, last = text.partition("-")
    start, stop = whole_in(first, "a byte range", where), whole_in(last, "a byte range", where)
    if not dash or stop < start:
        raise PackageError(f"{where}: the byte range {shortened(text)} cannot be read; write FIRST-LAST", path=where)
    return start, stop - start + 1


def whole_in(text: str, name: str, where: str) -> int:
    """A whole number from 0 on, of at most 19 digits.

    Raises:
        PackageError: it is none.
    """
    if not re.fullmatch(r"[0-9]{1,19}", text.strip()):
        raise PackageError(f"{where}: {name} is {shortened(text)}, not a whole number; correct it", path=where)
    return int(text)


def number_in(text: str, name: str, where: str) -> Fraction:
    """A number from 0 on, as a decimal or a fraction.

    Raises:
        PackageError: it is none.
    """
    if not re.fullmatch(r"[0-9]{1,19}(?:\.[0-9]{1,19}|/0*[1-9][0-9]{0,18})?", text.strip()):
        raise PackageError(f"{where}: {name} is {shortened(text)}, not a number; correct it", path=where)
    return Fraction(text.strip())
