"""Who plays what: how the bandwidth of an audience is distributed.

A player takes the highest rung whose total rate does not exceed the bandwidth; so all that a ladder needs to know is
the share of the audience with at least a given bandwidth. A lognormal distribution has

    P(b >= t) = Phi(-(ln t - ln median) / sigma)

The presets are lognormal fits to published figures of throughput, each described in `NETWORKS`; they are what somebody
measured somewhere once, not the audience of a service. A service's own distribution is a CSV file.
"""

from __future__ import annotations

import csv
import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from abr_alloc.errors import AudienceError, UnitError
from abr_alloc.location import require_no_pipe
from abr_alloc.shipped import NETWORKS
from abr_alloc.units import parse_bitrate_kbps

__all__ = ["Audience", "lognormal", "read_audience", "weighted"]

Floats = npt.NDArray[np.float64]

_LOGNORMAL = re.compile(r"lognormal:median=(?P<median>[^,]+),sigma=(?P<sigma>[^,]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """A distribution of bandwidth."""

    network: str
    """What it is, as the user wrote it."""
    share_with: Callable[[Floats], Floats]
    """Share of the audience whose bandwidth is at least a rate in kbps; same shape as its argument."""


def lognormal(median_kbps: float, sigma: float, network: str = "") -> Audience:
    """A lognormal audience; `sigma` is the standard deviation of the natural logarithm.

    Raises:
        AudienceError: a parameter is not positive and finite.
    """
    for name, value in (("median", median_kbps), ("sigma", sigma)):
        if not 0.0 < value < math.inf:
            raise AudienceError(f"a lognormal network with {name} {value:g}: it must be positive and finite")
    return Audience(
        network=network or f"lognormal:median={median_kbps:g}k,sigma={sigma:g}",
        share_with=functools.partial(_lognormal_share, median_kbps, sigma),
    )


def _lognormal_share(median_kbps: float, sigma: float, kbps: Floats) -> Floats:
    # The C library's normal distribution: SciPy's is the same and takes longer to import than a ladder to design.
    z = (math.log(median_kbps) - np.log(kbps)) / sigma
    return np.asarray(_erfc(-z * math.sqrt(0.5)) / 2.0, dtype=np.float64)


_erfc = np.frompyfunc(math.erfc, 1, 1)


def weighted(kbps: Floats, weights: Floats, network: str) -> Audience:
    """An audience with mass at given bandwidths, (n,) each, rates rising.

    Raises:
        AudienceError: empty, unsorted, negative or weightless.
    """
    if not len(kbps):
        raise AudienceError(f"the network {network} has no rows; give at least one: kbps,weight")
    if not (np.isfinite(kbps).all() and np.isfinite(weights).all()):
        raise AudienceError(f"the network {network} has a value that is no finite number")
    if (kbps <= 0.0).any():
        raise AudienceError(f"the network {network} has a rate of {kbps.min():g} kbps; rates must be positive")
    if (weights < 0.0).any():
        raise AudienceError(f"the network {network} has a weight of {weights.min():g}; weights must not be negative")
    if (np.diff(kbps) <= 0.0).any():
        i = int((np.diff(kbps) <= 0.0).argmax())
        raise AudienceError(
            f"the network {network} is not sorted: {kbps[i + 1]:g} kbps follows {kbps[i]:g}; sort it by kbps, each once"
        )
    if not weights.max() > 0.0:
        raise AudienceError(f"all weights of the network {network} are 0; give at least one positive weight")
    # tail[i] is the share at kbps[i] and above.
    weights = weights / weights.max()  # a sum of large ones may be beyond any float
    tail = np.append(np.cumsum(weights[::-1])[::-1] / weights.sum(), 0.0)
    return Audience(network=network, share_with=functools.partial(_weighted_share, kbps, tail))


def _weighted_share(kbps: Floats, tail: Floats, rate: Floats) -> Floats:
    result: Floats = tail[np.searchsorted(kbps, rate * (1.0 - 1e-12), side="left")]
    return result


def read_audience(text: str) -> Audience:
    """An audience from what a user writes: `lognormal:median=3M,sigma=0.9`, a preset, or a CSV file (kbps, weight).

    Raises:
        AudienceError: none of these, or a file that breaks its format.
    """
    if text in NETWORKS:
        return _parse_lognormal(NETWORKS[text][0], text)
    if text.startswith("lognormal"):
        return _parse_lognormal(text, text)
    if not text.lower().endswith(".csv"):
        raise AudienceError(
            f"{text!r} is no network; write lognormal:median=3M,sigma=0.9, one of {', '.join(NETWORKS)}, or a .csv file"
        )
    return _read_csv(Path(text))


def _parse_lognormal(text: str, network: str) -> Audience:
    match = _LOGNORMAL.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        return lognormal(parse_bitrate_kbps(match["median"]), float(match["sigma"]), network)
    except UnitError as error:
        raise AudienceError(f"the network {text!r}: {error}") from None
    except ValueError:
        raise AudienceError(f"{text!r} is not read; write it like lognormal:median=3M,sigma=0.9") from None


def _read_csv(path: Path) -> Audience:
    try:
        require_no_pipe(path)
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudienceError(f"the network {path} cannot be read ({reason})") from None
    if not rows or [cell.lower() for cell in rows[0]] != ["kbps", "weight"]:
        raise AudienceError(f"the network {path} must begin with the line kbps,weight")
    try:
        numbers = np.array([[float(kbps), float(weight)] for kbps, weight in rows[1:]]).reshape(-1, 2)
    except ValueError:
        bad = next(i for i, row in enumerate(rows[1:], 2) if not _is_pair(row))
        raise AudienceError(
            f"the network {path} has no two numbers in row {bad}: {','.join(rows[bad - 1])!r}"
        ) from None
    return weighted(numbers[:, 0], numbers[:, 1], str(path))


def _is_pair(row: list[str]) -> bool:
    try:
        return len([float(cell) for cell in row]) == 2
    except ValueError:
        return False
