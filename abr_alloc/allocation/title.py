"""One budget for a whole title: scenes may spend more or less, their mean over time may not.

A title has one video codec and, unless every scene may have its own, one audio rendition throughout: players switch
neither between scenes. Each codec and audio rendition that all scenes share is a case of its own, with a knapsack over
the scenes (`pooling.py`). Cases are taken in the order of their relaxations' bounds; one whose bound cannot beat what
was found is never solved, so the best of all is exact and the largest bound among them is a bound for the title.

Axes: S scenes, V video renditions, A audio renditions; P pairs in a case (V, or V x A where audio is the scene's own).
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.pooling import POOLS, Candidates, Optimum, optimise, scene_values
from abr_alloc.allocation.record import Allocation, Certificate, Choice, Plan, allocate
from abr_alloc.allocation.relaxation import relax
from abr_alloc.allocation.shortage import explain_shortage
from abr_alloc.allocation.solver import FIT, TOLERANCE
from abr_alloc.allocation.surface import AudioRendition, QualitySurface, by_title
from abr_alloc.errors import FeatureTableError, InfeasibleLimits
from abr_alloc.models.checkpoint import Model

__all__ = ["Limits", "TitleCase", "list_cases", "plan_titles", "solve_title"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What must hold besides the budget, and how AVQ is pooled over a title."""

    audio: str = "shared"
    """`shared`: one audio rendition for the title; `scene`: every scene its own."""
    pool: str = "mean"
    """How AVQ is pooled over time: mean, harmonic, min or p5."""
    max_rate_kbps: float = math.inf
    """Largest total rate of a scene, kbps."""
    min_avq_mos: float = -math.inf
    """Least AVQ of a scene, MOS."""
    time_limit_s: float = math.inf
    """Time for one title under one budget, seconds; then the best known allocation is given with its gap."""

    def __post_init__(self) -> None:
        if self.audio not in ("shared", "scene"):
            raise ValueError(f"audio is 'shared' or 'scene', not {self.audio!r}")
        if self.pool not in POOLS:
            raise ValueError(f"pool is one of {', '.join(POOLS)}, not {self.pool!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleCase:
    """A title with its video codec, and its audio rendition where that is shared, decided."""

    codec: str
    """Video codec."""
    audio: str
    """The shared audio rendition, or `audio per scene`."""
    candidates: Candidates
    """AVQ and rate of every pair, before limits."""
    video: npt.NDArray[np.intp]
    """Index of the video rendition in its surface, (S, P)."""
    audio_index: npt.NDArray[np.intp]
    """Index of the audio rendition in its surface, (S, P)."""


def plan_titles(
    surfaces: Iterable[QualitySurface], budgets_kbps: Sequence[float], model: Model, limits: Limits | None = None
) -> Plan:
    """Allocate every title under every budget. Surfaces of one title come one after the other.

    Raises:
        FeatureTableError: the scenes of a title share no video codec, or no audio rendition where one is wanted.
    """
    limits = limits or Limits()
    allocations: list[list[Allocation]] = [[] for _ in budgets_kbps]
    certificates: list[list[Certificate]] = [[] for _ in budgets_kbps]
    infeasible: list[list[InfeasibleLimits]] = [[] for _ in budgets_kbps]
    for title in by_title(surfaces):
        cases = list_cases(title, limits.audio)
        for i, budget_kbps in enumerate(budgets_kbps):
            found = solve_title(title, cases, budget_kbps, limits)
            if isinstance(found, InfeasibleLimits):
                infeasible[i].append(found)
            else:
                choices, certificate = found
                allocations[i] += allocate(choices, budget_kbps, model)
                certificates[i].append(certificate)
    return Plan(
        allocations=tuple(itertools.chain(*allocations)),
        infeasible=tuple(itertools.chain(*infeasible)),
        certificates=tuple(itertools.chain(*certificates)),
    )


def solve_title(
    title: Sequence[QualitySurface], cases: Sequence[TitleCase], budget_kbps: float, limits: Limits
) -> tuple[list[Choice], Certificate] | InfeasibleLimits:
    """The best allocation of one title under one budget, with its certificate."""
    deadline = time.monotonic() + limits.time_limit_s
    best, upper_bound, complete = _best_case(cases, budget_kbps, limits, deadline)
    if best is None:
        return explain_shortage(
            title, [case.candidates for case in cases], budget_kbps, limits.max_rate_kbps, limits.min_avq_mos
        )
    case, candidates, optimum = best
    allowed = np.isfinite(candidates.avq_mos).sum(axis=1)
    choices = [
        Choice(
            surface=surface,
            video=int(case.video[s, j]),
            audio=int(case.audio_index[s, j]),
            num_feasible=int(allowed[s]),
        )
        for s, (surface, j) in enumerate(zip(title, optimum.choice, strict=True))
    ]
    return choices, Certificate(
        title=title[0].title,
        budget_kbps=budget_kbps,
        pool=limits.pool,
        objective_mos=optimum.objective_mos,
        upper_bound_mos=max(upper_bound, optimum.objective_mos),
        price_mos_per_kbps=optimum.price_mos_per_kbps,
        mean_kbps=_added_up(choices, candidates.time_share, budget_kbps),
        binding=_binding(cases, optimum, budget_kbps, limits, deadline),
        method=_METHODS[limits.pool] + ("" if complete else ", stopped early"),
    )


_METHODS = {
    "mean": "minimal core",
    "harmonic": "minimal core",
    "min": "bisection of the floor, then minimal core",
    "p5": "bisection of the floor with a knapsack for the time let go, then minimal core",
}


def _best_case(
    cases: Sequence[TitleCase], budget_kbps: float, limits: Limits, deadline: float
) -> tuple[tuple[TitleCase, Candidates, Optimum] | None, float, bool]:
    """The case with the best optimum, a bound for all of them, and whether every search ended by itself."""
    restricted = [
        case.candidates.restricted(max_kbps=limits.max_rate_kbps, min_mos=limits.min_avq_mos) for case in cases
    ]
    bounds = [_bound(candidates, budget_kbps, limits.pool) for candidates in restricted]
    best: tuple[TitleCase, Candidates, Optimum] | None = None
    upper_bound, complete = -math.inf, True
    for i in sorted(range(len(cases)), key=lambda i: -bounds[i]):
        beat = best[2].objective_mos if best else -math.inf
        if bounds[i] == -math.inf or bounds[i] < beat + (TOLERANCE if limits.pool in ("mean", "harmonic") else 0.0):
            upper_bound = max(upper_bound, bounds[i])
            continue
        found = optimise(restricted[i], budget_kbps, limits.pool, beat_mos=beat, deadline=deadline)
        if found is None:
            continue
        upper_bound, complete = max(upper_bound, found.upper_bound_mos), complete and found.complete
        if best is None or _merit(found) > _merit(best[2]):
            best = cases[i], restricted[i], found
    return best, upper_bound, complete


def _merit(optimum: Optimum) -> tuple[float, float, float]:
    return optimum.objective_mos, optimum.mean_mos, -optimum.mean_kbps


def _bound(candidates: Candidates, budget_kbps: float, pool: str) -> float:
    """What a case can pool at most; -inf where it does not fit the budget."""
    if candidates.least_kbps() > budget_kbps * (1.0 + FIT):
        return -math.inf
    highest = candidates.avq_mos.max(axis=1)
    if pool == "min":
        return float(highest.min())
    if pool == "p5":
        return float(highest.max())
    d = candidates.time_share[:, None]
    relaxed = relax(scene_values(candidates.avq_mos, pool) * d, candidates.kbps * d, budget_kbps * (1.0 + FIT))
    if relaxed is None:
        return -math.inf
    return relaxed.bound if pool == "mean" else -1.0 / relaxed.bound


def _binding(cases: Sequence[TitleCase], optimum: Optimum, budget_kbps: float, limits: Limits, deadline: float) -> str:
    """Which limits stand in the way: a little more budget has a price, or without a limit the title would do better."""
    names = ["budget"] if optimum.scene_price > 0.0 else []
    for name, given, without in (
        ("max-rate", limits.max_rate_kbps < math.inf, dataclasses.replace(limits, max_rate_kbps=math.inf)),
        ("min-avq", limits.min_avq_mos > -math.inf, dataclasses.replace(limits, min_avq_mos=-math.inf)),
    ):
        if given:
            best, _, _ = _best_case(cases, budget_kbps, without, deadline)
            gain = best[2].objective_mos - optimum.objective_mos if best else 0.0
            mean_gain = best[2].mean_mos - optimum.mean_mos if best else 0.0
            if gain > 2 * TOLERANCE or (gain > -2 * TOLERANCE and mean_gain > 2 * TOLERANCE):
                names.append(name)
    return "+".join(names) or "none"


def _added_up(choices: Sequence[Choice], time_share: npt.NDArray[np.float64], budget_kbps: float) -> float:
    """The mean rate, from the surfaces themselves: the answer is checked where it is used."""
    mean = math.fsum(
        share * float(c.surface.total_kbps[c.video, c.audio])
        for share, c in zip(time_share.tolist(), choices, strict=True)
    )
    if mean > budget_kbps * (1.0 + 1e-9):
        raise RuntimeError(f"the allocation spends {mean} kbps of {budget_kbps}; please report this")
    return mean


def list_cases(title: Sequence[QualitySurface], audio: str) -> list[TitleCase]:
    """Every video codec, and every shared audio rendition, that all scenes of a title have.

    Raises:
        FeatureTableError: there is none, or a scene has no duration.
    """
    name = title[0].title
    for surface in title:
        if not surface.duration_s > 0.0:
            raise FeatureTableError(
                f"title {name!r} scene {surface.scene} lasts {surface.duration_s:g} s; a scene must last longer than 0"
            )
    codecs = _shared([[v.codec for v in surface.video] for surface in title])
    if not codecs:
        raise FeatureTableError(
            f"the scenes of title {name!r} share no video codec; extract them with one, or use --per scene"
        )
    renditions: list[_AudioKey | None] = [None]
    if audio == "shared":
        renditions = list(_shared([[_key(a) for a in surface.audio] for surface in title]))
        if not renditions:
            raise FeatureTableError(
                f"the scenes of title {name!r} share no audio rendition; use --audio scene, or extract them again"
            )
    return [_case(title, codec, key) for codec in codecs for key in renditions]


_AudioKey = tuple[str, int, str]


def _key(a: AudioRendition) -> _AudioKey:
    return a.codec, a.channels, a.target


def _shared(lists: Sequence[Sequence]) -> list:  # type: ignore[type-arg]
    """What is in every list, in the order of the first."""
    common = set.intersection(*map(set, lists))
    return [item for item in dict.fromkeys(lists[0]) if item in common]


def _case(title: Sequence[QualitySurface], codec: str, key: _AudioKey | None) -> TitleCase:
    def pairs(surface: QualitySurface) -> Iterator[tuple[int, int]]:
        video = [v for v, rendition in enumerate(surface.video) if rendition.codec == codec]
        audio = [a for a, rendition in enumerate(surface.audio) if key is None or _key(rendition) == key]
        return itertools.product(video, audio)

    index = [np.array(list(pairs(surface)), dtype=np.intp) for surface in title]
    shape = len(title), max(map(len, index))
    avq, kbps = np.full(shape, -np.inf), np.full(shape, np.inf)
    video, audio = np.zeros(shape, dtype=np.intp), np.zeros(shape, dtype=np.intp)
    for s, (surface, found) in enumerate(zip(title, index, strict=True)):
        n = len(found)
        video[s, :n], audio[s, :n] = found.T
        avq[s, :n], kbps[s, :n] = surface.avq_mos[tuple(found.T)], surface.total_kbps[tuple(found.T)]
    weight_s = np.array([surface.weight_s for surface in title])
    return TitleCase(
        codec=codec,
        audio="audio per scene" if key is None else f"{key[0]} {key[2]}",
        candidates=Candidates(avq_mos=avq, kbps=kbps, time_share=weight_s / math.fsum(weight_s.tolist())),
        video=video,
        audio_index=audio,
    )
