"""What a model's predictions are worth: intervals, fitted by `learning/conformal.py` and kept in the model's card."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LEVEL", "Intervals"]

LEVEL = 0.90
"""Share of ratings that an interval should hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """What a model's predictions are worth, MOS 1-5."""

    interval_mos: tuple[float, float]
    """What to add to a prediction for its interval."""
    difference_mos: float
    """Two pairs of one scene whose predictions differ by no more cannot be told apart."""
