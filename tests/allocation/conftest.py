"""Answers known beforehand: every choice tried out, and the concave envelope put together segment by segment."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import strategies as st

Table = np.ndarray
Problem = tuple[Table, Table, float]
"""Values (S, P), weights (S, P), and a capacity."""


def _over_choices(table: Table, ufunc: np.ufunc = np.add) -> np.ndarray:
    return functools.reduce(lambda sums, row: ufunc.outer(sums, row).ravel(), table[1:], table[0])


@pytest.fixture(scope="session")
def over_choices() -> Callable[..., np.ndarray]:
    """What a table comes to for every choice of one entry per row, (P ** S,); `np.unravel_index` tells the choice."""
    return _over_choices


def _hull(values: np.ndarray, weights: np.ndarray) -> list[tuple[float, float]]:
    """(weight, value) of a scene's upper hull, from its lightest pair to its most valuable."""
    hull: list[tuple[float, float]] = []
    for w, v in sorted((w, -v) for v, w in zip(values, weights, strict=True) if np.isfinite(w)):
        point = (w, -v)
        if hull and point[1] <= hull[-1][1]:
            continue
        while len(hull) > 1 and _slope(hull[-2], hull[-1]) <= _slope(hull[-1], point):
            hull.pop()
        hull.append(point)
    return hull


def _slope(a: tuple[float, float], b: tuple[float, float]) -> float:
    return (b[1] - a[1]) / (b[0] - a[0])


@pytest.fixture(scope="session")
def envelope() -> Callable[[Table, Table], tuple[np.ndarray, np.ndarray]]:
    """Weight and value of every breakpoint of what the linear relaxation can reach: hull segments, steepest first."""

    def breakpoints(values: Table, weights: Table) -> tuple[np.ndarray, np.ndarray]:
        hulls = [_hull(v, w) for v, w in zip(values, weights, strict=True)]
        segments = sorted(
            ((b[0] - a[0], b[1] - a[1]) for hull in hulls for a, b in itertools.pairwise(hull)),
            key=lambda segment: -segment[1] / segment[0],
        )
        points = np.array([np.sum([hull[0] for hull in hulls], axis=0), *segments])
        weight, value = points.cumsum(axis=0).T
        return weight, value

    return breakpoints


@pytest.fixture(scope="session")
def problems() -> st.SearchStrategy[Problem]:
    """Knapsacks of up to 6 scenes in any shape: flat, duplicate and worthless pairs, zero weights, ragged scenes."""
    whole = st.integers(0, 9).map(float)
    real = st.integers(0, 999).map(lambda i: i / 70)

    @st.composite
    def problem(draw: st.DrawFn) -> Problem:
        number = draw(st.sampled_from([whole, real]))
        scene = st.lists(st.tuples(number, number), min_size=1, max_size=5)
        scenes = draw(st.lists(scene, min_size=1, max_size=6))
        shape = len(scenes), max(map(len, scenes))
        values, weights = np.full(shape, -np.inf), np.full(shape, np.inf)
        for s, pairs in enumerate(scenes):
            values[s, : len(pairs)], weights[s, : len(pairs)] = np.transpose(pairs)
        # What some choice weighs, exactly, or anything from too little to more than enough.
        totals = _over_choices(weights)
        totals = np.sort(totals[np.isfinite(totals)])
        if draw(st.booleans()):
            return values, weights, float(totals[draw(st.integers(0, len(totals) - 1))])
        return values, weights, float(totals[0] + draw(st.floats(-0.1, 1.1)) * (totals[-1] - totals[0] + 1.0))

    return problem()
