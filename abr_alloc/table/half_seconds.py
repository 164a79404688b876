"""Bits of every half second of a scene: what tells whether a player's buffer meets a peak inside it.

Half seconds are counted from the scene's first frame: the k-th, from 0, holds frames round(k r / 2) to
round((k + 1) r / 2) of the scene, at r frames per second; the last may be shorter.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from abr_alloc.table.columns import Columns

__all__ = ["check_half_seconds", "half_second_edges", "half_second_kbit", "num_half_seconds"]


def half_second_edges(num_frames: int, fps: float) -> npt.NDArray[np.int64]:
    """First frame of every half second of a scene, and the number of its frames behind them; shape (half seconds + 1,).

    Args:
        num_frames: frames of the scene.
        fps: frames per second.
    """
    count = int(num_half_seconds(np.array([num_frames]), np.array([fps]))[0])
    return np.minimum(_edge(np.arange(count + 1), fps), num_frames)


def half_second_kbit(size_bytes: npt.NDArray[np.float64], fps: float) -> npt.NDArray[np.float32]:
    """Size of every half second of a scene, kbit; shape (half seconds,). Together they are all bits of the scene.

    Args:
        size_bytes: size of every frame of the scene, in the order in which they are shown, bytes.
        fps: frames per second.
    """
    so_far = np.concatenate(([0.0], np.cumsum(size_bytes)))
    return np.diff(so_far[half_second_edges(len(size_bytes), fps)] * 8.0 / 1000.0).astype(np.float32)


def num_half_seconds(num_frames: npt.NDArray[np.int64], fps: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """How many half seconds scenes have, the last of each perhaps shorter; shape (scenes,).

    Args:
        num_frames: frames of every scene (scenes,).
        fps: frames per second of every scene (scenes,).
    """
    found = np.ceil((num_frames - 0.5) * 2.0 / fps).astype(np.int64)
    found += _edge(found, fps) < num_frames  # a half is rounded to the even frame: that may be the one before
    return found - (_edge(found - 1, fps) >= num_frames)


def check_half_seconds(rows: Columns, column: str, refuse: Callable[[npt.NDArray[np.bool_], str, str], None]) -> None:
    """Refuse rows of a feature table whose half seconds are not those of their scenes.

    Args:
        rows: the rows.
        column: where the half seconds are; null where a row has none.
        refuse: takes bad rows (n,), the column and what is wrong, and raises where a row is bad.
    """
    lists = rows.lists(column)
    here = lists.lengths >= 0
    refuse(here & ~rows.is_kind("video"), column, "must be null for this kind of row")
    if not here.any():
        return
    start_s, end_s, fps = (rows.numbers(name)[here] for name in ("start_s", "end_s", "fps"))  # (lists,) each
    num_frames = np.maximum(np.rint(end_s * fps) - np.rint(start_s * fps), 1.0).astype(np.int64)
    lengths, due = lists.lengths[here], num_half_seconds(num_frames, fps)

    def refuse_some(bad: npt.NDArray[np.bool_], what: str) -> None:  # (lists,)
        found = np.zeros(len(rows), dtype=bool)
        found[here] = bad
        refuse(found, column, what)

    first = int(np.argmax(lengths != due))
    refuse_some(
        lengths != due,
        f"holds {lengths[first]} numbers, but {end_s[first] - start_s[first]:g} s at {fps[first]:g} frames/s are "
        f"{due[first]} half seconds",
    )
    starts = np.cumsum(lengths) - lengths
    within = np.arange(lengths.sum()) - np.repeat(starts, lengths)
    numbers = lists.numbers[np.repeat(lists.starts[here], lengths) + within]
    refuse_some(np.logical_or.reduceat(~np.isfinite(numbers), starts), "holds NaN or infinite numbers")
    refuse_some(np.logical_or.reduceat(numbers < 0.0, starts), "holds negative numbers")


def _edge(k: npt.NDArray[np.int64], fps: float | npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.asarray(np.rint(k * fps / 2.0), dtype=np.int64)
