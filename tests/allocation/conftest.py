"""Answers known beforehand: every choice tried out, and the concave envelope put together segment by segment."""

from __future__ import annotations

import functools
import itertools
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest
from hypothesis import strategies as st

from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition

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


def _make_surface(
    avq_mos: np.ndarray,
    video_kbps: Sequence[float],
    audio_kbps: Sequence[float],
    sides_px: Sequence[int] | None = None,
    *,
    overhead: float = 0.0,
    codec: str = "h264",
    title: str = "t",
    scene: int = 0,
    time_s: tuple[float, float] = (0.0, 1.0),
) -> QualitySurface:
    return QualitySurface(
        title=title,
        scene=scene,
        start_s=time_s[0],
        end_s=time_s[1],
        video=tuple(
            VideoRendition(
                codec=codec, width_px=2 * side, height_px=side, target=f"crf={50 - i}", bitrate_kbps=float(kbps)
            )
            for i, (kbps, side) in enumerate(zip(video_kbps, sides_px or [240] * len(video_kbps), strict=True))
        ),
        audio=tuple(
            AudioRendition(codec="aac", channels=2, target=f"a={i}", bitrate_kbps=float(kbps))
            for i, kbps in enumerate(audio_kbps)
        ),
        avq_mos=np.asarray(avq_mos, dtype=np.float32),
        total_kbps=np.add.outer(np.asarray(video_kbps, float), np.asarray(audio_kbps, float)) * (1.0 + overhead),
        x_v=np.arange(len(video_kbps), dtype=np.float32)[:, None],
        x_a=np.arange(len(audio_kbps), dtype=np.float32)[:, None],
    )


@pytest.fixture(scope="session")
def make_surface() -> Callable[..., QualitySurface]:
    """A surface from its AVQ (V, A), its rates, and the short side of every video rendition (240 throughout)."""
    return _make_surface


@pytest.fixture(scope="session")
def in_time() -> Callable[[], AbstractContextManager[None]]:
    """A context that fails what takes more than 2 s, where an endless loop would never fail."""

    def stop(*_: object) -> None:
        pytest.fail("took more than 2 s")

    @contextmanager
    def limited() -> Iterator[None]:
        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, 2)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    return limited
