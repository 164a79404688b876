"""JSON and TOML: text becomes a document here, and a document text, and nowhere else.

Python reads more than a reader can use: NaN and numbers that no float holds, a key that stands twice, halves of
characters, nesting that ends in a RecursionError. All of it is refused here, by its place in the document, so that a
reader has to ask only whether a field is what it should be. Nothing of it is written either: JSON has no NaN.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["DamagedDocument", "json_text", "number_of", "parse_json", "parse_toml", "shown", "text_of", "whole_of"]

_MOST_DEEP = 64  # lists and tables within each other
_MOST_DIGITS = 20
_LARGEST = 2**63 - 1  # what arrays hold
_HALF = re.compile("[\ud800-\udfff]")  # of a character beyond 16 bits; no encoding writes it
_SHOWN = 60

_Place = tuple[Any, Any] | None  # the place of what holds it, and its key or index there


class DamagedDocument(ValueError):
    """A document that is of its format by its form, with something in it that no reader can use."""


def parse_json(text: str | bytes, *, names_of_files: bool = False) -> Any:
    """Read a JSON document.

    Args:
        text: the document.
        names_of_files: whether its texts may be names of files, which need not be of whole characters.

    Raises:
        DamagedDocument: it holds what JSON does not have or no reader can use; the message says where.
        ValueError: it is no JSON.
    """
    decoded = _decoded(text)
    try:
        document = json.loads(decoded, object_pairs_hook=_once, parse_int=_whole)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    _check(document, halves=names_of_files, infinite=False)
    return document


def parse_toml(text: str | bytes) -> dict[str, Any]:
    """Read a TOML document, which unlike JSON may hold `nan` and `inf`.

    Raises:
        ValueError: as `parse_json`.
    """
    decoded = _decoded(text)
    import tomllib  # plans never need it

    try:
        document = tomllib.loads(decoded)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise DamagedDocument(_TOO_DEEP) from None
    except (ValueError, OverflowError, AttributeError, TypeError, LookupError):
        # Python's limit of digits; impossible dates; and tomllib has slips of its own.
        raise DamagedDocument("a number or a date in it is none that can be read") from None
    _check(document, halves=False, infinite=True)
    return document


def json_text(
    document: Any, *, indent: int | None = 2, ascii_only: bool = True, sort_keys: bool = False, close: bool = False
) -> str:
    """A document as JSON, with a line break at its end where it is indented.

    Args:
        document: of dicts, lists, texts, numbers, true, false and None.
        indent: spaces of a level; None for one line.
        ascii_only: whether other characters are escaped.
        sort_keys: whether keys stand in alphabetical order.
        close: whether one line goes without spaces.

    Raises:
        ValueError: it holds NaN or an infinite number, which is a mistake of whoever made it.
    """
    text = json.dumps(
        document,
        indent=indent,
        separators=(",", ":") if close else None,
        ensure_ascii=ascii_only,
        sort_keys=sort_keys,
        allow_nan=False,
    )
    return text + "\n" if indent else text


def number_of(
    found: Mapping[str, Any], name: str, low: float = -math.inf, high: float = math.inf, *, above: float = -math.inf
) -> float:
    """A field that must be a finite number from `low` to `high`, and more than `above`; true and false are none.

    Raises:
        KeyError: it is missing.
        ValueError: it is anything else.
    """
    value = found[name]
    if type(value) not in (int, float) or not (math.isfinite(value) and low <= value <= high and value > above):
        least = f"more than {above:g}" if above > -math.inf else f"at least {low:g}" if low > -math.inf else ""
        range_ = " and ".join(filter(None, [least, f"at most {high:g}" if high < math.inf else ""]))
        raise ValueError(f"{name} is {shown(value)}, not a number{f' of {range_}' if range_ else ''}")
    return float(value)


def whole_of(found: Mapping[str, Any], name: str, low: int, high: int = _LARGEST) -> int:
    """A field that must be a whole number from `low` to `high`.

    Raises:
        KeyError: it is missing.
        ValueError: it is anything else.
    """
    value = found[name]
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} is {shown(value)}, not a whole number from {low} to {high}")
    return value


def text_of(found: Mapping[str, Any], name: str, *, empty: bool = True) -> str:
    """A field that must be text.

    Raises:
        KeyError: it is missing.
        ValueError: it is anything else.
    """
    value = found[name]
    if not isinstance(value, str) or not (value or empty):
        raise ValueError(f"{name} is {shown(value)}, not text")
    return value


def shown(value: object) -> str:
    """A value as a message tells it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


_TOO_DEEP = f"it is nested more than {_MOST_DEEP} deep"


def _decoded(text: str | bytes) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 from byte {error.start} on") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys each stand once: of two values nobody knows which was meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise DamagedDocument(f"the key {shown(twice)} stands twice")
    return found


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise DamagedDocument(f"a whole number of {len(text)} digits is too large")
    return int(text)


def _check(document: Any, *, halves: bool, infinite: bool) -> None:
    """Refuse, without recursion, what cannot be used."""
    left: list[tuple[Any, _Place, int]] = [(document, None, 0)]
    while left:
        value, place, depth = left.pop()
        kind = type(value)
        if kind is str:
            _check_text(value, place, halves)
        elif kind is float:
            if not (infinite or math.isfinite(value)):
                raise DamagedDocument(f"{_path(place)} is {value}, not a finite number")
        elif kind is int:
            if not -_LARGEST <= value <= _LARGEST:
                raise DamagedDocument(f"{_path(place)} is a whole number that is too large")
        elif kind is dict or kind is list:
            if depth == _MOST_DEEP:
                raise DamagedDocument(_TOO_DEEP)
            if kind is dict:
                for key in value:
                    _check_text(key, place, halves)
            items = value.items() if kind is dict else enumerate(value)
            left += [(item, (place, key), depth + 1) for key, item in items]


def _check_text(text: str, place: _Place, halves: bool) -> None:
    if "\0" in text:
        raise DamagedDocument(f"{_path(place)} holds a NUL character")
    if not (halves or text.isascii()) and _HALF.search(text):
        raise DamagedDocument(f"{_path(place)} holds half a character, which no encoding writes")


def _path(place: _Place) -> str:
    """A place as a message tells it: interval_mos[0]."""
    keys: list[Any] = []
    while place is not None:
        place, key = place
        keys.append(key)
    words = [f"[{key}]" if isinstance(key, int) else f".{key}" for key in reversed(keys)]
    text = "".join(words).removeprefix(".").encode("ascii", "backslashreplace").decode() or "it"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
