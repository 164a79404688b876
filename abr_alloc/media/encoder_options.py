"""What an encoder takes, as `ffmpeg -h encoder=NAME` lists it: its own options, their ranges and their named values.

    Supported pixel formats: nv12 p010le qsv
      -rc       <int>   E..V....... Set the rate control mode (from -1 to 6) (default -1)
         cqp       0    E..V....... Constant Quantization Parameter

What a build was made without is not listed, so whoever asks the list asks for nothing that is not there. Options that
every encoder of ffmpeg shares (`-b:v`, `-g`) stand in no encoder's list.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from abr_alloc.errors import GridError, ToolMissingError
from abr_alloc.media.ffmpeg import FFmpeg

__all__ = ["EncoderOption", "EncoderOptions", "check_values", "parse_encoder_options", "read_encoder_options"]

_HEAD = re.compile(r"^Encoder (\S+) \[", re.MULTILINE)
_FORMATS = re.compile(r"^ *Supported pixel formats: (.*)$", re.MULTILINE)
_OPTION = re.compile(r"^ {2}-(\S+) +<(\w+)> +[A-Z.]{6,}(.*)$")
_CONSTANT = re.compile(r"^ {5}(\S+) +(?:-?\d+ +)?[A-Z.]{6,}")
_RANGE = re.compile(r"\(from (\S+) to (\S+)\)")
_LIMITS = {"INT_MIN": -(2.0**31), "INT_MAX": 2.0**31 - 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderOption:
    """An option of an encoder's own."""

    name: str
    """Its name, without the dash."""
    type: str
    """ffmpeg's word for what it takes: `int`, `float`, `boolean`, `string`."""
    low: float
    """Least value of a number; minus infinity where none is listed."""
    high: float
    """Largest value of a number; infinity where none is listed."""
    names: tuple[str, ...]
    """Its named values, in the order of the list; empty where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderOptions:
    """What an encoder of one ffmpeg takes."""

    encoder: str
    """ffmpeg's name of it."""
    pixel_formats: tuple[str, ...]
    """ffmpeg's names of the samples that it takes; empty where it says nothing of them."""
    options: Mapping[str, EncoderOption]
    """Its own options by name."""


def parse_encoder_options(text: str) -> EncoderOptions | None:
    """What `ffmpeg -h encoder=NAME` printed; None where it printed of no encoder."""
    head = _HEAD.search(text)
    if head is None:
        return None
    formats = _FORMATS.search(text)
    found: dict[str, EncoderOption] = {}
    name, names = "", dict[str, list[str]]()
    for line in text.splitlines():
        option, constant = _OPTION.match(line), _CONSTANT.match(line)
        if option:
            name, (low, high) = option[1], _range(option[3])
            names[name] = []
            found[name] = EncoderOption(name=name, type=option[2], low=low, high=high, names=())
        elif constant and name:
            names[name].append(constant[1])
    return EncoderOptions(
        encoder=head[1],
        pixel_formats=tuple(formats[1].split()) if formats else (),
        options={
            of: EncoderOption(name=of, type=option.type, low=option.low, high=option.high, names=tuple(names[of]))
            for of, option in found.items()
        },
    )


def _range(text: str) -> tuple[float, float]:
    found = _RANGE.search(text)
    try:
        return (_number(found[1]), _number(found[2])) if found else (float("-inf"), float("inf"))
    except ValueError:  # a word of ffmpeg's that is no number here: I64_MAX, FLT_MAX
        return float("-inf"), float("inf")


def _number(word: str) -> float:
    return _LIMITS[word] if word in _LIMITS else float(word)


@functools.lru_cache(maxsize=64)
def read_encoder_options(ffmpeg: FFmpeg, encoder: str) -> EncoderOptions:
    """Ask an ffmpeg for what an encoder takes; once per program.

    Raises:
        ToolMissingError: it has no such encoder.
        ToolFailedError: it does not answer.
    """
    said = ffmpeg.run(["-h", f"encoder={ffmpeg.require_encoder(encoder)}"]).decode("utf-8", "replace")
    found = parse_encoder_options(said)
    if found is None:
        raise ToolMissingError(
            f"{ffmpeg.path} lists the encoder {encoder} but says nothing of its options; give another ffmpeg with "
            "`ffmpeg` or ABR_ALLOC_FFMPEG",
            tool=encoder,
        )
    return found


def check_values(options: EncoderOptions, args: Sequence[str]) -> None:
    """Refuse values that an encoder does not take, of those of its own options that are among `args`.

    Args:
        options: the encoder.
        args: options with a dash, each followed by its value. Those that every encoder shares are not looked at.

    Raises:
        GridError: names the option, the value and what it takes.
    """
    for word, value in zip(args[::2], args[1::2], strict=True):
        option = options.options.get(word.removeprefix("-"))
        if option is None or value in option.names or option.type in ("string", "dictionary", "flags"):
            continue
        try:
            fits = option.low <= float(value) <= option.high
        except ValueError:
            fits = option.type == "boolean"
        if not fits:
            span = f"{option.low:g} to {option.high:g}"
            takes = ", ".join(option.names) or (span if math.isfinite(option.low) else f"a number ({option.type})")
            raise GridError(f"{options.encoder} takes no {value!r} for {word}; it takes {takes}")
