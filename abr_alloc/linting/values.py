"""Types of values in playlists, each a check of the text as it is written (draft-pantos-hls-rfc8216bis-22, 4.2).

A check says what a text must become, and None where it is right. No number is converted before its length is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

__all__ = [
    "Check",
    "byte_range",
    "client_value",
    "codec_list",
    "date_time",
    "decimal_float",
    "decimal_integer",
    "extinf",
    "hexadecimal",
    "integer",
    "number",
    "one_of",
    "parse_byte_range",
    "parse_date",
    "positive",
    "quoted",
    "quoted_as",
    "quoted_or_none",
    "resolution",
    "signed",
    "size",
]

Check = Callable[[str], str | None]

_FLOAT = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", flags=re.ASCII)
_UNQUOTE = "remove the quotes"
# Letters of both cases: the clause has capitals alone, and packagers and Apple's own examples write small ones.
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]+", flags=re.ASCII)
_DATE = re.compile(
    r"(\d{4})(-?)(\d\d)\2(\d\d)T(\d\d)(:?)(\d\d)(?:\6(\d\d)(?:[.,](\d{1,30}))?)?(?:(Z)|([+-])(\d\d)(?::?(\d\d))?)?",
    flags=re.ASCII,
)


def decimal_integer(text: str) -> int | None:
    """A decimal-integer, 0 to 2^64 - 1; None for anything else."""
    if not 0 < len(text) <= 20 or not (text.isascii() and text.isdigit()):
        return None
    value = int(text)
    return value if value < 1 << 64 else None


def decimal_float(text: str) -> float | None:
    """A decimal-floating-point, not negative, below 10^12; None for anything else."""
    if len(text) > 40 or not _FLOAT.fullmatch(text):
        return None
    value = float(text)
    return value if value < 1e12 else None


def resolution(text: str) -> tuple[int, int] | None:
    """Width and height, pixels, of a decimal-resolution; None for anything else."""
    width, _, height = text.partition("x")
    w, h = decimal_integer(width), decimal_integer(height)
    return (w, h) if w and h else None


def parse_byte_range(text: str) -> tuple[int, int | None] | None:
    """Length and offset, bytes, of `n[@o]` (4.4.4.2); the offset None where there is none. None for anything else."""
    length, at, offset = text.partition("@")
    n, o = decimal_integer(length), decimal_integer(offset) if at else None
    return None if not n or (at and o is None) else (n, o)


def parse_date(text: str) -> datetime | None:
    """A date and time by ISO 8601, in UTC where it names no zone; None for anything else."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, _, month, day, hour, _, minute, second, fraction, _, sign, zone_h, zone_min = found.groups()
    try:
        zone = timedelta(hours=int(zone_h or 0), minutes=int(zone_min or 0))
        at = datetime(int(year), int(month), int(day), int(hour), int(minute), min(int(second or 0), 59))
        leap = timedelta(seconds=int(int(second or 0) == 60), microseconds=int((fraction or "0").ljust(6, "0")[:6]))
        return None if int(second or 0) > 60 else (at.replace(tzinfo=timezone(-zone if sign == "-" else zone)) + leap)
    except (ValueError, OverflowError):  # the 31st of June, or a zone a day away
        return None


def _unquoted(parse: Callable[[str], object], then: str) -> Check:
    """A check by a parser that gives None for what is none."""

    def check(text: str) -> str | None:
        return _UNQUOTE if text.startswith('"') else then if parse(text) is None else None

    return check


integer = _unquoted(decimal_integer, "write a decimal integer below 2^64")
number = _unquoted(decimal_float, "write a decimal number")
positive = _unquoted(lambda text: decimal_float(text) or None, "write a decimal number above 0")
signed = _unquoted(
    lambda text: decimal_float(text.removeprefix("-")), "write a decimal number, with or without a minus"
)
size = _unquoted(resolution, "write WIDTHxHEIGHT")
hexadecimal = _unquoted(_HEXADECIMAL.fullmatch, "write 0x and hexadecimal digits")
byte_range = _unquoted(parse_byte_range, "write LENGTH or LENGTH@OFFSET, in bytes")
date_time = _unquoted(parse_date, "write a date and time by ISO 8601, such as 2010-02-19T14:54:23.031Z")


def one_of(*words: str) -> Check:
    """An enumerated-string."""
    return _unquoted(lambda text: text if text in words else None, f"write one of {', '.join(words)}")


def quoted(text: str) -> str | None:
    """A quoted-string, of whatever it holds."""
    return None if text.startswith('"') else "put it in quotes"


def quoted_as(parse: Callable[[str], object], then: str) -> Check:
    """A quoted-string whose text has a form of its own."""

    def check(text: str) -> str | None:
        if not text.startswith('"'):
            return "put it in quotes"
        # What a variable of EXT-X-DEFINE stands for is not looked up.
        return None if "{$" in text or parse(text.strip('"')) is not None else f"write {then}, in quotes"

    return check


def codec_list(text: str) -> str | None:
    """A quoted-string of formats with commas between them (RFC 6381)."""
    return quoted_as(re.compile(r"[^,\s]+( *, *[^,\s]+)*").fullmatch, "formats with commas between")(text)


def quoted_or_none(text: str) -> str | None:
    """A quoted-string, or the word NONE."""
    return None if text == "NONE" or text.startswith('"') else "write NONE, or put it in quotes"


def client_value(text: str) -> str | None:
    """What an attribute of a client's own may have (4.4.5.1)."""
    if text.startswith('"') or not hexadecimal(text) or not signed(text):
        return None
    return "put it in quotes, or write a number"


def extinf(text: str) -> str | None:
    """`<duration>,[<title>]` (4.4.4.1)."""
    seconds, comma, _ = text.partition(",")
    if not decimal_float(seconds):
        return "give a number of seconds above 0, and a comma"
    return None if comma else "end it with a comma: a title may follow, and the comma must"
