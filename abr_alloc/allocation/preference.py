"""How likely people are to rate one pair higher than another, from what the model predicts of both.

A model knows the difference of two ratings only to within an error. Its card holds the 90 % interval of that error,
measured on contents left out (`models.intervals`); under a normal error half of that interval is 1.645 standard
deviations. So the rated difference is the predicted one plus a normal error, and

    P(rated difference > m) = 1 - Phi((m - predicted difference) / sigma)

A wide interval moves this towards a half, not towards "nobody would notice": a model that does not know cannot say
that people do not care.
"""

from __future__ import annotations

import math

__all__ = ["NOTICED_MOS", "preference_probability"]

NOTICED_MOS = 0.25
"""Difference of ratings that counts as a preference: a quarter of a step of the five-point scale."""

_SIGMAS = 1.645
"""Standard deviations on either side of a normal's mean that hold 90 % of it."""


def preference_probability(difference_mos: float, model_difference_mos: float) -> float:
    """The probability that a panel rates the better pair higher by `NOTICED_MOS` or more, 0-1.

    Args:
        difference_mos: predicted AVQ of the better pair less that of the other, MOS.
        model_difference_mos: half of the 90 % interval of a predicted difference, as `model.intervals.difference_mos`,
            MOS; 0 for a model that never errs.

    Raises:
        ValueError: `model_difference_mos` is negative, or one of the two is not a number.
    """
    if math.isnan(difference_mos) or not model_difference_mos >= 0.0:
        raise ValueError(
            f"no probability from a difference of {difference_mos} MOS known to {model_difference_mos} MOS"
        )
    missing = NOTICED_MOS - difference_mos
    if model_difference_mos == 0.0:
        return float(missing <= 0.0)
    # 1 - Phi(z) = erfc(z / sqrt 2) / 2, without the cancellation of 1 - Phi for large z
    return 0.5 * math.erfc(missing / (model_difference_mos / _SIGMAS) / math.sqrt(2.0))
