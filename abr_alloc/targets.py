"""Targets: what an encoder is asked for, as grids, feature tables and ladder files write it.

    crf=28           a constant quality; cq=28, qp=28: likewise, in an encoder's other scales
    b=500k           a mean rate, written as `units` reads one
    value=7          whatever a program that is no ffmpeg takes as {value}
    lossless         every sample, at whatever rate: of a codec that keeps them
    crf=28@film      asked of the encoder that a grid names so; without a name, of the codec's usual one

They are read and written here and nowhere else. A table may hold other text in their place (what was delivered, or was
there before, stands there by its name): a label, which nobody can be asked for. So text of any kind is a target, and
only who asks for a number that it does not hold is refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Self

from abr_alloc.errors import UnitError
from abr_alloc.units import parse_bitrate_kbps

__all__ = ["ENCODER_NAME", "QUALITIES", "Target"]

QUALITIES = ("crf", "cq", "qp")
"""Kinds that ask for a constant quality: a lower number is a better picture."""

ENCODER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""Names that encoders of a grid may have: they stand in targets, and in names of folders."""

_KINDS = (*QUALITIES, "b", "value")
_LOSSLESS = "lossless"


@dataclass(frozen=True, slots=True)
class Target:
    """What an encoder is asked for. `Target(text)` reads one, `str(target)` is its text again."""

    text: str
    """As a table has it."""

    @classmethod
    def of_value(cls, kind: str, value: float, encoder: str = "") -> Self:
        """A number of a kind: `crf`, `cq`, `qp` or `value`; of an encoder that a grid names."""
        return cls(_asked_of(f"{kind}={value:.10g}", encoder))

    @classmethod
    def of_crf(cls, crf: float) -> Self:
        """A constant quality."""
        return cls(f"crf={crf:g}")

    @classmethod
    def of_lossless(cls) -> Self:
        """Every sample."""
        return cls(_LOSSLESS)

    @classmethod
    def of_kbps(cls, kbps: float, encoder: str = "") -> Self:
        """A mean rate, kbps; of an encoder that a grid names."""
        return cls(_asked_of(f"b={kbps:g}k", encoder))

    @classmethod
    def of_rate(cls, text: str, encoder: str = "") -> Self:
        """A mean rate as somebody wrote it: `2M` stays `2M`; of an encoder that a grid names.

        Raises:
            UnitError: it is no bitrate.
        """
        parse_bitrate_kbps(text)
        return cls(_asked_of(f"b={text.strip()}", encoder))

    def __str__(self) -> str:
        return self.text

    @property
    def encoder(self) -> str:
        """The encoder of a grid that it is asked of; empty for the codec's usual one, and for labels."""
        base, at, name = self.text.rpartition("@")
        return name if at and base.partition("=")[0] in _KINDS and ENCODER_NAME.fullmatch(name) else ""

    @property
    def plain(self) -> Self:
        """The same without the encoder's name."""
        name = self.encoder
        return type(self)(self.text.removesuffix(f"@{name}")) if name else self

    @property
    def is_label(self) -> bool:
        """Whether it is the name of something that is there, which no encoder can be asked for."""
        if self.is_lossless:
            return False
        try:
            return self.kind not in _KINDS or not (self.kbps if self.is_rate else math.isfinite(self.number))
        except UnitError:
            return True

    @property
    def is_lossless(self) -> bool:
        """Whether it asks for every sample."""
        return self.text == _LOSSLESS

    @property
    def kind(self) -> str:
        """What stands before the equals sign: `crf`, `b`, ...; other text is of a kind of its own."""
        return self.text.partition("=")[0]

    @property
    def value(self) -> str:
        """What stands behind it."""
        return self.plain.text.partition("=")[2]

    @property
    def number(self) -> float:
        """The number behind the equals sign, of whatever kind but a rate.

        Raises:
            UnitError: there is none that can be read.
        """
        try:
            number = math.nan if self.is_rate else float(self.value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UnitError(f"{self.text!r} holds no number; write it like crf=28", value=self.text)
        return number

    @property
    def is_quality(self) -> bool:
        """Whether it names a constant quality in some scale, though perhaps none that can be read."""
        return self.kind in QUALITIES

    @property
    def is_crf(self) -> bool:
        """Whether it names a constant quality, though perhaps none that can be read."""
        return self.kind == "crf"

    @property
    def is_rate(self) -> bool:
        """Whether it names a mean rate, though perhaps none that can be read."""
        return self.kind == "b"

    @property
    def crf(self) -> float:
        """The constant quality.

        Raises:
            UnitError: it names none, or none that can be read.
        """
        try:
            crf = self.number if self.is_crf else math.nan
        except UnitError:
            crf = math.nan
        if math.isnan(crf):
            raise UnitError(f"{self.text!r} is no constant quality; write it like crf=28", value=self.text)
        return crf

    @property
    def kbps(self) -> float:
        """The mean rate, kbps.

        Raises:
            UnitError: it names none, or none that can be read.
        """
        if not self.is_rate:
            raise UnitError(f"{self.text!r} is no mean rate; write it like b=500k", value=self.text)
        return parse_bitrate_kbps(self.value)


def _asked_of(text: str, encoder: str) -> str:
    return f"{text}@{encoder}" if encoder else text
