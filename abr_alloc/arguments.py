"""Arguments of the Python functions, checked: the command line refuses the same values by the types of its options."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence

from abr_alloc.errors import ArgumentError

__all__ = ["require_budgets", "require_choice", "require_number"]


def require_number(
    name: str, value: object, low: float = -math.inf, high: float = math.inf, *, above: bool = False
) -> None:
    """Refuse what is no number of a range, both ends included.

    Args:
        name: of the parameter.
        value: its value.
        low: the least.
        high: the largest.
        above: whether the least itself is refused.

    Raises:
        ArgumentError: it is no number, NaN, or outside.
    """
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not low <= value <= high or (above and value == low):  # type: ignore[operator]
        least = f"above {low:g}" if above else f"{low:g} or more"
        most = "" if high == math.inf else f", at most {high:g}"
        raise ArgumentError(f"`{name}` is {value!r}; give a number{'' if low == -math.inf else f' {least}'}{most}")


def require_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse what is none of some words.

    Raises:
        ArgumentError: it is none of them.
    """
    if value not in choices:
        raise ArgumentError(f"`{name}` is {value!r}; choose {', '.join(choices)}")


def require_budgets(name: str, given: float | Sequence[float]) -> list[float]:
    """One budget or several, kbps, as a list.

    Raises:
        ArgumentError: one is no positive, finite number.
        TypeError: text, or something that is no sequence.
    """
    if isinstance(given, str | bytes):
        raise TypeError(f"{name} is a number in kbps or several, not {given!r}")
    budgets = [given] if isinstance(given, numbers.Real) else list(given)  # type: ignore[arg-type]
    for budget in budgets:
        if not isinstance(budget, numbers.Real) or not 0.0 < budget < math.inf:  # type: ignore[operator]
            raise ArgumentError(f"`{name}`: a budget of {budget} kbps is not positive and finite")
    return [float(budget) for budget in budgets]
