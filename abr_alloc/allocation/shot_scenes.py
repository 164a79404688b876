"""The scenes of a title that are encoded each by itself: all of it, and none too short.

A shot begins with a key frame and has parameters of its own. Where a scene lasts less than `LEAST_SHOT_S`, that costs
more than it brings, and what was measured of so few frames is less certain; so it is joined to the shorter of its
neighbours, the shortest scene first.

Axes: S scenes, B half seconds of a scene.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.rendition import VideoIdentity
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.allocation.title_surface import merge_scenes
from abr_alloc.errors import InfeasibleLadderError

__all__ = ["LEAST_SHOT_S", "shot_scenes"]

Floats = npt.NDArray[np.float64]

LEAST_SHOT_S = 1.0
"""Shorter scenes are encoded together with a neighbour, seconds."""

_HALF_S = 0.5
_SAME_S = 1e-3  # instants of a table that are one


def shot_scenes(scenes: Sequence[QualitySurface]) -> list[QualitySurface]:
    """The shots of a title, from its measured scenes in order.

    Raises:
        InfeasibleLadderError: the table does not hold all of the title: it is a digest, or scenes were left out.
        FeatureTableError: scenes that belong together share no rendition.
    """
    title = scenes[0].title
    if any(scene.stands_for_s is not None for scene in scenes):
        raise InfeasibleLadderError(
            f"title {title!r} was measured as a digest, which holds some of its scenes only, and a ladder per "
            "shot needs all; extract it with `extract(full)`"
        )
    if scenes[0].start_s > _SAME_S:
        raise InfeasibleLadderError(
            f"title {title!r} begins at {scenes[0].start_s:.2f} s in its table, and a ladder per shot needs all of it; "
            "leave out `scenes`, or extract the whole title"
        )
    for before, after in itertools.pairwise(scenes):
        if abs(after.start_s - before.end_s) > _SAME_S:
            raise InfeasibleLadderError(
                f"title {title!r} lacks what lies between {before.end_s:.2f} and {after.start_s:.2f} s, and a ladder "
                "per shot needs all of it; leave out `scenes`, or extract the whole title"
            )
    found = list(scenes)
    while len(found) > 1:
        shortest = min(range(len(found)), key=lambda i: found[i].duration_s)
        if found[shortest].duration_s >= LEAST_SHOT_S - _SAME_S:
            break
        beside = [i for i in (shortest - 1, shortest + 1) if 0 <= i < len(found)]
        other = min(beside, key=lambda i: found[i].duration_s)
        first = min(shortest, other)
        found[first : first + 2] = [_joined(found[first], found[first + 1])]
    return found


def _joined(before: QualitySurface, after: QualitySurface) -> QualitySurface:
    return dataclasses.replace(
        merge_scenes([before, after]),
        scene=before.scene,
        stands_for_s=None,
        half_second_kbit=_joined_sizes(before, after),
    )


def _joined_sizes(before: QualitySurface, after: QualitySurface) -> Mapping[VideoIdentity, Floats] | None:
    """Sizes of the half seconds of both together: evenly spread within a half second of either."""
    first, second = before.half_second_kbit, after.half_second_kbit
    if first is None or second is None:
        return None
    found = {}
    for identity in first.keys() & second.keys():
        parts = [_growth(first[identity], before.duration_s), _growth(second[identity], after.duration_s)]
        (times, grown), (later, more) = parts
        times = np.concatenate([times, times[-1] + later[1:]])
        grown = np.concatenate([grown, grown[-1] + more[1:]])
        edges = _edges(times[-1])
        found[identity] = np.diff(np.interp(edges, times, grown))
    return found or None


def _growth(kbit: Floats, duration_s: float) -> tuple[Floats, Floats]:
    """Instants at which a half second begins or ends, and what was sent until then, kbit, (B + 1,)."""
    times = np.append(np.arange(len(kbit)) * _HALF_S, duration_s)
    return np.maximum.accumulate(np.minimum(times, duration_s)), np.append(0.0, np.cumsum(kbit))


def _edges(duration_s: float) -> Floats:
    """Instants at which half seconds begin, and the end."""
    whole = int(np.floor(duration_s / _HALF_S + _SAME_S))
    edges = np.asarray(np.arange(whole + 1) * _HALF_S, dtype=np.float64)
    return np.append(edges, duration_s) if duration_s - edges[-1] > _SAME_S else edges
