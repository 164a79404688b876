"""Attribute lists of playlist tags, read strictly (draft-pantos-hls-rfc8216bis, section 4.2).

Time is linear in a line's length whatever it holds, and no number is converted before its length is known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["Attributes", "decimal_float", "decimal_integer", "read_attributes", "resolution"]

Attributes = Mapping[str, str]
"""Values by name, quotes removed."""

_PAIR = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",\s]+)')
_MAX_ATTRIBUTES = 200
_MAX_SHOWN = 40

# What a value must look like, of the attributes that are read here.
_QUOTED = [
    "URI",
    "GROUP-ID",
    "LANGUAGE",
    "ASSOC-LANGUAGE",
    "NAME",
    "CHANNELS",
    "CHARACTERISTICS",
    "INSTREAM-ID",
    "CODECS",
    "SUPPLEMENTAL-CODECS",
    "AUDIO",
    "VIDEO",
    "SUBTITLES",
    "BYTERANGE",
]
_ENUMERATED = {
    "TYPE": ("AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"),
    "DEFAULT": ("YES", "NO"),
    "AUTOSELECT": ("YES", "NO"),
    "FORCED": ("YES", "NO"),
}
_INTEGERS = ("BANDWIDTH", "AVERAGE-BANDWIDTH")
_FLOATS = ("FRAME-RATE", "SCORE")


def read_attributes(text: str) -> tuple[Attributes, list[tuple[str, str]]]:
    """Read the text behind a tag's colon.

    Returns:
        the attributes that could be read, and what is wrong with the list, each with what to
        do: malformed pairs, names given twice, values
        that are not of the attribute's type (those are left out).
    """
    found: dict[str, str] = {}
    wrong: list[tuple[str, str]] = []
    at = num_pairs = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None or (pair.end() < len(text) and text[pair.end()] != ","):
            rest = text[at : at + _MAX_SHOWN]
            wrong.append(
                (f"no attribute can be read at {rest!r}", 'write NAME=value or NAME="value", with commas between')
            )
            break
        name, value = pair[1], pair[2]
        at = pair.end() + 1
        if at == len(text):
            wrong.append((f"the list ends with a comma behind {name}", "remove it"))
        num_pairs += 1
        if num_pairs > _MAX_ATTRIBUTES:
            wrong.append((f"more than {_MAX_ATTRIBUTES} attributes, and the rest is not read", "write fewer"))
            break
        if name in found:
            wrong.append((f"{name[:_MAX_SHOWN]} is given twice", "keep one"))
            continue
        fault = _fault(name, value)
        if fault:
            wrong.append((f"{name} is {value[:_MAX_SHOWN]}", fault))
        else:
            found[name] = value.strip('"')
    if not text.strip():
        wrong.append(("the attribute list is empty", "write its attributes"))
    return MappingProxyType(found), wrong


def _fault(name: str, value: str) -> str | None:
    """What a value must become, by the type of its attribute; None where it is right."""
    quoted = value.startswith('"')
    if name in _QUOTED:
        return None if quoted else "put it in quotes"
    if name == "CLOSED-CAPTIONS":
        return None if quoted or value == "NONE" else "write NONE, or put it in quotes"
    if quoted and (name in _ENUMERATED or name in _INTEGERS or name in _FLOATS or name == "RESOLUTION"):
        return "remove the quotes"
    if name in _ENUMERATED and value not in _ENUMERATED[name]:
        return f"write one of {', '.join(_ENUMERATED[name])}"
    if name in _INTEGERS and decimal_integer(value) is None:
        return "write a decimal integer below 2^64"
    if name in _FLOATS and decimal_float(value) is None:
        return "write a decimal number"
    if name == "RESOLUTION" and resolution(value) is None:
        return "write WIDTHxHEIGHT"
    return None


def decimal_integer(text: str) -> int | None:
    """A decimal-integer of section 4.2, 0 to 2^64 - 1; None for anything else."""
    if not 0 < len(text) <= 20 or not (text.isascii() and text.isdigit()):
        return None
    value = int(text)
    return value if value < 1 << 64 else None


def decimal_float(text: str) -> float | None:
    """A decimal-floating-point of section 4.2, not negative, below 10^12; None for anything else."""
    if len(text) > 40 or not re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", text, flags=re.ASCII):
        return None
    value = float(text)
    return value if value < 1e12 else None


def resolution(text: str) -> tuple[int, int] | None:
    """Width and height, pixels, of a decimal-resolution; None for anything else."""
    width, _, height = text.partition("x")
    w, h = decimal_integer(width), decimal_integer(height)
    return (w, h) if w and h else None
