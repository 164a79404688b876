"""Damage: valid documents, texts and bytes, changed in a few places to what nobody should have written.

Everything is drawn from a `Random`, which in tests is Hypothesis's, so that a failure shrinks and repeats.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

DIGITS = "9" * 5000
DEEP = "[" * 3000 + "]" * 3000

# Values as JSON has them; a text that begins with @ is put in as it stands, for what Python cannot write.
NASTY: Sequence[Any] = (
    *(None, True, False, 0, -0.0, 1, -1, 2, 3, 5, -5, 0.5, 1e-320, 1e-9, 100, 57.0, 255, 65536, 1e6, 2**31, 2**53),
    *(2**63, 2**64, -(2**63), 1e16, 1e300, 1.7976931348623157e308, -1e308, "@NaN", "@Infinity", "@-Infinity"),
    *(
        "@1e400",
        "@-1e400",
        f"@{DIGITS}",
        f"@-{DIGITS}",
        f"@1{'0' * 400}",
        f"@{DEEP}",
        f"@{'{' + chr(34) + 'a' + chr(34) + ':'}1",
    ),
    *("", " ", "x", "0", "1", "nan", "inf", "-1", "1e400", "null", "500k", "b=1e400k", "b=-1k", "crf=nan", DIGITS),
    *("\0", "a\0b", "\n", "\r\n", "\t", "\x1b[31m", "\ud800", "\udfff x", "﻿", "\u202e", "😀", "é", "x" * 3000),
    *("../../etc/passwd", "/dev/zero", "%s%n{0}", "<b>&amp;</b>", '"', "'", "\\", ";", ",", "=", "[", "{", "#", "$(x)"),
    *(
        [],
        {},
        [[]],
        [{}],
        [None],
        {"": None},
        {"a": {"b": {"c": []}}},
        [1, 2],
        [5, -5],
        [1, 2, 3],
        ["a"],
        list(range(200)),
    ),
)
TOKENS = (
    *("", "0", "-0", "1", "-1", "2.5", "1e400", "-1e400", "1e308", "1e-320", "nan", "inf", "-inf", "NaN", "Infinity"),
    *(DIGITS, f"-{DIGITS}", f"0x{'f' * 600}", "0x1", "1_000", "٣", "²", "true", "false", "null", "None", '""', '"x"'),
    *(
        "[]",
        "[[]]",
        "{}",
        "[1, 2]",
        '["a"]',
        "[inf]",
        "[nan]",
        "[true]",
        "[-5]",
        DEEP,
        "{a = 1}",
        "1979-05-27",
        "07:32",
    ),
    *('"\\u0000"', '"\\ud800"', "\0", "\x1b", "﻿", "é", "😀", ",", ";", "=", "\n", "\r", '"', "'", "\\", " ", "\t", "#"),
    *("500k", "2M", "1e9M", "0k", "-5k", "99999999M", "x" * 3000, "../../x", "/dev/zero", "http://x/y", "file:///x"),
)
NUMBERS = (
    *("0", "1", "2", "3", "7", "16", "50", "63.5", "100", "0.5", "1e-9", "1e-300", "1e300", "1e308", "1e-320", "-1"),
    *(
        "-0",
        "00",
        "65536",
        "65537",
        "2147483648",
        "9223372036854775808",
        "1e400",
        "99999999999999999999999",
        "1.",
        ".5",
    ),
)


def damaged_document(rng: Random, document: Any) -> Any:
    """A copy of a document of dicts and lists, changed in one to three places."""
    document = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        document = _damaged_once(rng, document)
    return document


def _damaged_once(rng: Random, document: Any) -> Any:
    holders: list[tuple[Any, Any]] = []  # from the document down to what is changed
    here = document
    while isinstance(here, (dict, list)) and here and not (holders and rng.random() < 0.15):
        key = rng.choice(sorted(here, key=str)) if isinstance(here, dict) else rng.randrange(len(here))
        holders.append((here, key))
        here = here[key]
    if not holders:
        return rng.choice(NASTY)
    holder, key = holders[-1]
    kind = rng.randrange(10)
    if kind <= 4:
        holder[key] = copy.deepcopy(rng.choice(NASTY))
    elif kind == 5:
        del holder[key]
    elif kind == 6:
        holder[key] = _other_number(rng, here)
    elif kind == 7 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(here))
    elif kind == 7:
        holder[rng.choice(("extra", "", "title", "name", "x" * 300, key + " "))] = copy.deepcopy(here)
    elif kind == 8:
        holder[key] = rng.choice(([here], {"a": here}, str(here), [here, here], repr(here)))
    else:
        other = document
        for _ in range(rng.randrange(1, 4)):
            if not isinstance(other, (dict, list)) or not other:
                break
            other = rng.choice(list(other.values()) if isinstance(other, dict) else other)
        holder[key] = copy.deepcopy(other)
    return document


def _other_number(rng: Random, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return copy.deepcopy(rng.choice(NASTY))
    return rng.choice((-value, 0, value + 1, value - 1, value * 10, value * 1e3, value * 1e30, value / 1e6, str(value)))


def as_json(rng: Random, document: Any) -> bytes:
    """A document as JSON bytes, of which now and then a key stands twice or some bytes are wrong."""
    text = json.dumps(document, indent=rng.choice((None, 2)))
    text = re.sub(r'"@([^"\\]*(?:\\.[^"\\]*)*)"', lambda found: json.loads(f'"{found[1]}"'), text)
    if rng.random() < 0.05:
        text = re.sub(r'("[a-z_]+": ?[0-9.]+)', r"\1, \1", text, count=1)
    data = text.encode("utf-8", "surrogatepass")
    return damaged_bytes(rng, data) if rng.random() < 0.08 else data


def damaged_json(rng: Random, document: Any) -> bytes:
    """A damaged document as JSON bytes."""
    return as_json(rng, damaged_document(rng, document))


_NUMBER = re.compile(r"\d+(\.\d*)?")
_WORD = re.compile(r"[^\s,=:\[\]{}\"']+")


def damaged_text(rng: Random, text: str) -> bytes:
    """Lines and words of a text removed, repeated, exchanged or replaced."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        lines = text.split("\n")
        at = rng.randrange(len(lines))
        kind = rng.randrange(12)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, lines[at])
        elif kind == 2:
            other = rng.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == 3:
            lines[at] = rng.choice(TOKENS)
        elif kind == 4:
            lines = lines[: at + 1]
        elif kind <= 5:
            cut = rng.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:cut] + rng.choice(TOKENS) + lines[at][cut:]
        else:
            words = list((_WORD if kind <= 8 else _NUMBER).finditer(lines[at]))
            if words:
                word = rng.choice(words)
                new = rng.choice(TOKENS if kind <= 8 else NUMBERS)
                lines[at] = lines[at][: word.start()] + new + lines[at][word.end() :]
        text = "\n".join(lines)
    data = text.encode("utf-8", "surrogatepass")
    return damaged_bytes(rng, data) if rng.random() < 0.1 else data


def damaged_bytes(rng: Random, data: bytes) -> bytes:
    """Bytes flipped, cut out, repeated, put in, or cut off."""
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(8)
        if kind == 0:
            data = data[:at]
        elif kind == 1:
            data = data[:at] + data[at + rng.choice((1, 2, 4, 16, 300)) :]
        elif kind == 2:
            data = data[:at] + data[at : at + rng.choice((1, 4, 40, 400))] * 2 + data[at:]
        elif kind == 3:
            junk = (
                b"\0",
                b"\xff",
                b"\xff\xfe",
                b"\x80",
                b"\xed\xa0\x80",
                b"\0\0\0\0",
                b"\xff\xff\xff\xff",
                b"\n",
                b'"',
            )
            data = data[:at] + rng.choice(junk) + data[at:]
        elif kind == 4:
            data = data[:at] + bytes(rng.randrange(256) for _ in range(4)) + data[at + 4 :]
        elif data:
            at = min(at, len(data) - 1)
            data = data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    return rng.choice((b"", b"\0" * 64, bytes(rng.randrange(256) for _ in range(64)))) if rng.random() < 0.02 else data


Damage = Callable[[Random], bytes]
