"""Bitrates and durations: text becomes a number here and nowhere else.

1 kbps is 1000 bit/s, always. Inside the package a rate is a float in kbps and its name ends in `_kbps`.
"""

from __future__ import annotations

import math
import re

from abr_alloc.errors import UnitError

__all__ = ["MAX_KBPS", "format_time", "gigabytes", "mean_kbps", "parse_bitrate_kbps", "parse_seconds"]

MAX_KBPS = 10_000_000.0
"""Largest bitrate that is believed, kbps (10 Gbit/s)."""

_BITRATE = re.compile(r"(?P<number>\d+(\.\d*)?|\.\d+)(?P<suffix>[kKmM]?)(bps|bit/s)?", re.ASCII)
_TOLD = 60  # characters of what cannot be read, in a message
_FACTOR = {"": 1.0, "k": 1e3, "m": 1e6}
_SECONDS = re.compile(r"(?P<number>\d+(\.\d*)?|\.\d+)(?P<suffix>s|min|h)?", re.ASCII)
_SECOND_FACTOR = {None: 1.0, "s": 1.0, "min": 60.0, "h": 3600.0}


def parse_bitrate_kbps(text: str) -> float:
    """Read a bitrate as ffmpeg does (`500k`, `2M`, `2.5M`, `2000000`) and return kbps.

    A bare number under 10000 is bit/s to ffmpeg and almost never meant: it is refused with a hint.

    Raises:
        UnitError: no number, not positive, over `MAX_KBPS`, or a bare number under 10000.
    """
    match, told = _BITRATE.fullmatch(text.strip()), _told(text)
    if match is None:
        raise UnitError(f"{told} is not a bitrate; write it like 500k, 2M, 2.5M or 2000000 (bit/s)", value=text)
    number, suffix = float(match["number"]), match["suffix"].lower()
    if number == 0:
        raise UnitError(f"a bitrate of {told} is zero; give a positive one, like 500k", value=text)
    if not suffix and number < 10_000:
        raise UnitError(f"a bitrate of {told} would be {number:g} bit/s; did you mean {match['number']}k?", value=text)
    kbps = number * _FACTOR[suffix] / 1000.0
    if not kbps <= MAX_KBPS:
        raise UnitError(f"a bitrate of {told} is over {MAX_KBPS:g} kbps; check the unit", value=text)
    return kbps


def _told(text: str) -> str:
    """Text as a message tells it, cut where it is long."""
    return repr(text if len(text) <= _TOLD else f"{text[: _TOLD - 1]}…")


def parse_seconds(text: str) -> float:
    """Read a duration (`5`, `5s`, `1.5min`, `2h`) and return seconds.

    Raises:
        UnitError: no number, or not positive.
    """
    match = _SECONDS.fullmatch(text.strip())
    seconds = float(match["number"]) * _SECOND_FACTOR[match["suffix"]] if match else 0.0
    if not 0 < seconds < math.inf:
        raise UnitError(f"{_told(text)} is not a positive duration; write it like 5s, 1.5min or 2h", value=text)
    return seconds


def mean_kbps(size_bytes: float, duration_s: float) -> float:
    """Mean rate in kbps of `size_bytes` bytes over `duration_s` seconds."""
    return size_bytes * 8.0 / 1000.0 / duration_s


def gigabytes(kbps: float, duration_s: float) -> float:
    """What a rate comes to over a time, in GB of 1e9 bytes."""
    return kbps * 1000.0 / 8.0 * duration_s / 1e9


def format_time(seconds: float) -> str:
    """Seconds as `m:ss.s`, or `h:mm:ss` from one hour on."""
    if seconds >= 3600:
        whole = round(seconds)
        return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths % 600 // 10:02d}.{tenths % 10}"
