"""Targets: what an encoder is asked for, as grids, feature tables and ladder files write it.

    crf=28      a constant quality
    b=500k      a mean rate, written as `units` reads one

They are read and written here and nowhere else. A table may hold other text in their place (what was delivered stands
there by its name), so text of any kind is a target, and only who asks for a number that it does not hold is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from abr_alloc.errors import UnitError
from abr_alloc.units import parse_bitrate_kbps

__all__ = ["Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """What an encoder is asked for. `Target(text)` reads one, `str(target)` is its text again."""

    text: str
    """As a table has it."""

    @classmethod
    def of_crf(cls, crf: float) -> Self:
        """A constant quality."""
        return cls(f"crf={crf:g}")

    @classmethod
    def of_kbps(cls, kbps: float) -> Self:
        """A mean rate, kbps."""
        return cls(f"b={kbps:g}k")

    @classmethod
    def of_rate(cls, text: str) -> Self:
        """A mean rate as somebody wrote it: `2M` stays `2M`.

        Raises:
            UnitError: it is no bitrate.
        """
        parse_bitrate_kbps(text)
        return cls(f"b={text.strip()}")

    def __str__(self) -> str:
        return self.text

    @property
    def kind(self) -> str:
        """What stands before the equals sign: `crf` or `b`; other text is of a kind of its own."""
        return self.text.partition("=")[0]

    @property
    def value(self) -> str:
        """What stands behind it."""
        return self.text.partition("=")[2]

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
            crf = float(self.value) if self.is_crf else math.nan
        except ValueError:
            crf = math.nan
        if not math.isfinite(crf):
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
