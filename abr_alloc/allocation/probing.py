"""Adaptive probing: which video renditions to measure next, so that a few of a grid lead to the grid's own plans.

A plan with interpolation rests on the upper envelope of AVQ over the rate, so a probe is worth what it changes there.
Two corners come first: the cheapest rendition (smallest size, coarsest CRF) and the most expensive (largest, finest).
Then, round after round, rate and AVQ of all that is not measured are estimated (`surrogate.py`), and those probes are
taken that leave the least regret: what the plans made from the measured probes, theirs interpolated, lose against plans
made from the whole grid, were it as estimated. A size that cannot reach the envelope gains nothing and is skipped; a
gap across which the interpolation errs costs regret until it is filled. It ends when the regret believed is small, or
at a third of the grid. This is sequential design on a response surface in the manner of Jones, Schonlau and Welch,
Journal of Global Optimization 13, 1998, with the believed values standing for probes under way.

Audio is held at its best rendition, where the video matters most. Everything follows from the measurements alone, so
the same probes are taken whatever runs beside.

Axes: C candidates, S sizes, R rates.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.interpolation import SizeCurve
from abr_alloc.allocation.rendition import VIDEO_IDENTITY
from abr_alloc.allocation.surface import QualitySurface, build_surfaces
from abr_alloc.allocation.surrogate import Belief, believe
from abr_alloc.allocation.title_surface import merge_scenes
from abr_alloc.models.checkpoint import Model
from abr_alloc.table.table import FeatureTable
from abr_alloc.targets import Target

__all__ = ["MOST_SHARE", "TOLERANCE_MOS", "Candidate", "Prober"]

Floats = npt.NDArray[np.float64]

MOST_SHARE = 1 / 3
"""Largest part of a grid's video renditions that is measured, beyond `LEAST_PROBES`."""
LEAST_PROBES = 4
"""Probes that every title may have: two sizes cannot do with fewer."""
TOLERANCE_MOS = 0.01
"""Regret believed, below which no more is measured, MOS."""

_ROUND = 2
"""Probes of a round: what two cores do at once; more at a time are chosen less well."""
_WORST_WEIGHT = 0.3
"""What the largest regret over the rates counts beside the mean."""
_ERROR_WEIGHT = 0.1
"""What an error of the AVQ promised counts beside a loss of AVQ."""
_NUM_RATES = 32
_SAME_RATE = 1e-3
_SATURATION_MOS = 0.005
"""Rates matter up to where AVQ is within this of its highest."""


class Candidate(Protocol):
    """A video rendition that could be probed."""

    @property
    def codec(self) -> str: ...
    @property
    def width_px(self) -> int: ...
    @property
    def height_px(self) -> int: ...
    @property
    def target(self) -> str: ...


C = TypeVar("C", bound=Candidate)


class Prober:
    """Chooses a title's probes."""

    def __init__(self, model: Model, *, most_share: float = MOST_SHARE, tolerance_mos: float = TOLERANCE_MOS) -> None:
        """`model`: whose plans are to be the grid's; `most_share` and `tolerance_mos`: when to stop."""
        self._model, self._most_share, self._tolerance_mos = model, most_share, tolerance_mos

    def first_probes(self, candidates: Sequence[C]) -> list[C]:
        """What is measured before anything is known of a title: of each encoder two corners, or all of a small grid.

        Args:
            candidates: every video rendition of the grid.
        """
        wanted: list[C] = []
        for encoder in dict.fromkeys(map(_encoder, candidates)):
            own = sorted((c for c in candidates if _encoder(c) == encoder), key=_order)
            wanted += [own[i] for i in self._choose(own, set(), None)]
        return wanted

    def next_probes(self, measured: FeatureTable, candidates: Sequence[C]) -> list[C]:
        """The renditions to measure next, few at a time; none when those measured are enough.

        An encoder that has candidates other than qualities has them all measured at once: nothing is believed of them.

        Args:
            measured: one title, with all its audio rows and the video rows measured so far, perhaps none.
            candidates: every video rendition of the grid, measured or not.

        Raises:
            CheckpointError: the model was trained on other features.
            FeatureTableError: the scenes share no rendition.
        """
        video = measured.of_kind("video")
        done = set(zip(*(video[name].tolist() for name in VIDEO_IDENTITY), strict=True))
        surface = merge_scenes(list(build_surfaces(measured, self._model))) if done else None
        wanted: list[C] = []
        for encoder in dict.fromkeys(map(_encoder, candidates)):
            own = sorted((c for c in candidates if _encoder(c) == encoder), key=_order)
            known = {i for i, c in enumerate(own) if _identity(c) in done}
            wanted += [own[i] for i in self._choose(own, known, surface)]
        return wanted

    def _choose(self, own: Sequence[Candidate], known: set[int], surface: QualitySurface | None) -> list[int]:
        most = max(LEAST_PROBES, int(len(own) * self._most_share))
        missing = [i for i in range(len(own)) if i not in known]
        if len(own) <= most or any(_crf(c) is None for c in own):
            return missing
        corners = [i for i in (0, len(own) - 1) if i not in known]
        if corners or surface is None:
            return corners
        found = _believe(own, sorted(known), surface)
        grid = _BelievedGrid([(c.width_px, c.height_px) for c in own], found)
        if grid.regret_mos(known) < self._tolerance_mos:
            return []
        chosen: list[int] = []
        for _ in range(min(_ROUND, most - len(known))):
            left = [i for i in missing if i not in chosen]
            chosen.append(min(left, key=lambda i: (grid.regret_mos({*known, *chosen, i}), i)))
        return chosen


def _order(c: Candidate) -> tuple[int, float]:
    """From the cheapest to the most expensive corner: sizes rising, CRFs falling."""
    return c.width_px * c.height_px, -(_crf(c) or 0.0)


_identity = operator.attrgetter(*VIDEO_IDENTITY)


def _encoder(c: Candidate) -> tuple[str, str]:
    return c.codec, Target(c.target).encoder


def _crf(c: Candidate) -> float | None:
    """The quality that is asked for, in any scale in which less is better; None for anything else."""
    target = Target(c.target)
    return target.number if target.is_quality else None


def _believe(own: Sequence[Candidate], known: Sequence[int], surface: QualitySurface) -> Belief:
    row = {v.identity: i for i, v in enumerate(surface.video)}
    rows = [row[_identity(own[i])] for i in known]
    return believe(
        np.array([_crf(c) for c in own], dtype=np.float64),
        np.array([min(c.width_px, c.height_px) for c in own], dtype=np.float64),
        np.array(known, dtype=np.intp),
        np.array([surface.video[r].bitrate_kbps for r in rows]),
        surface.avq_mos[rows].max(axis=1).astype(np.float64),
    )


class _BelievedGrid:
    """A grid whose every rendition has a rate and an AVQ, and what plans from a part of it lose."""

    def __init__(self, sizes: Sequence[tuple[int, int]], belief: Belief) -> None:
        self._size, self._belief = np.array([sorted(set(sizes)).index(size) for size in sizes]), belief
        log_kbps = belief.log_kbps
        self._rates = np.unique(np.concatenate([np.linspace(log_kbps.min(), log_kbps.max(), 48), log_kbps]))  # (R,)
        self._offers: dict[tuple[int, ...], Floats] = {}
        everything = range(len(sizes))
        self._whole = self._curves(everything)  # (S, R), -inf beyond a size's range
        self._best = np.maximum.accumulate(self._whole.max(axis=0))  # (R,), what a rate buys
        enough = self._rates[int((self._best >= self._best[-1] - _SATURATION_MOS).argmax())]
        budgets = np.linspace(log_kbps.min(), enough, _NUM_RATES)
        self._budgets = np.searchsorted(self._rates, budgets, side="right") - 1

    def regret_mos(self, known: Collection[int]) -> float:
        """What plans lose that know only these renditions: the mean over rates, and a part of the largest, MOS."""
        offered = self._curves(sorted(known))
        promised = offered.max(axis=0)
        # A budget buys the best rate up to its own; where none is offered, the scale's bottom.
        at = np.maximum.accumulate(np.where(promised >= np.maximum.accumulate(promised), np.arange(len(promised)), 0))[
            self._budgets
        ]
        kept = np.where(np.isfinite(promised[at]), self._whole[offered.argmax(axis=0)[at], at], 0.0)
        promised = np.maximum(promised, 0.0)
        # An AVQ that is promised but not kept moves kbps between audio and video, where a single curve shows no regret.
        regret = np.maximum(self._best[self._budgets] - kept, 0.0) + _ERROR_WEIGHT * np.abs(promised[at] - kept)
        return float(regret.mean() + _WORST_WEIGHT * regret.max())

    def _curves(self, members: Sequence[int]) -> Floats:
        return np.stack([self._curve(tuple(i for i in members if self._size[i] == s)) for s in np.unique(self._size)])

    def _curve(self, members: tuple[int, ...]) -> Floats:
        """AVQ of one size over all rates, interpolated between some of its renditions, (R,); -inf elsewhere."""
        if members not in self._offers:
            rising: list[int] = []
            for i in sorted(members, key=lambda i: (self._belief.log_kbps[i], self._belief.avq_mos[i])):
                if rising and self._belief.log_kbps[i] - self._belief.log_kbps[rising[-1]] < _SAME_RATE:
                    rising.pop()  # of two with one rate the better is kept
                rising.append(i)
            offer = np.full(len(self._rates), -np.inf)
            if len(rising) > 1:
                log_kbps, avq = self._belief.log_kbps[rising], self._belief.avq_mos[rising]
                curve = SizeCurve(
                    codec="", width_px=0, height_px=0, index=np.array(rising), probes=(),
                    kbps=np.exp(log_kbps), avq_mos=avq[:, None],
                )  # fmt: skip
                offer = np.nan_to_num(curve.at(np.exp(self._rates))[:, 0], nan=-np.inf)
            offer[np.searchsorted(self._rates, self._belief.log_kbps[rising])] = self._belief.avq_mos[rising]
            self._offers[members] = offer
        return self._offers[members]
