"""What a model's predictions are worth: intervals, fitted by `learning/conformal.py` and kept in the model's card."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HDR_NOTE", "HDR_WIDER", "LEVEL", "Intervals", "interval_around"]

LEVEL = 0.90
"""Share of ratings that an interval should hold."""

HDR_WIDER = 1.5
"""How much wider the interval of a pair in HDR is taken to be: a judgement, not a fit, as every rating that the models
and their intervals were fitted on is of SDR. The open ratings of HDR do not contradict it (docs/hdr.md)."""

HDR_NOTE = (
    "HDR: AVQ is predicted on a model of SDR ratings, from features of the samples as they are coded (docs/hdr.md); "
    f"its interval is {HDR_WIDER:g} times as wide."
)
"""What is said wherever AVQ of HDR is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """What a model's predictions are worth, MOS 1-5."""

    interval_mos: tuple[float, float]
    """What to add to a prediction for its interval."""
    difference_mos: float
    """Two pairs of one scene whose predictions differ by no more cannot be told apart."""


def interval_around(avq_mos: float, interval_mos: tuple[float, float], *, is_hdr: bool = False) -> tuple[float, float]:
    """The interval of a predicted AVQ, within 1 to 5 MOS: wider by `HDR_WIDER` for HDR."""
    low, high = (HDR_WIDER * limit if is_hdr else limit for limit in interval_mos)
    return min(max(avq_mos + low, 1.0), 5.0), min(max(avq_mos + high, 1.0), 5.0)
