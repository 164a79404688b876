"""Peaks of an allocation over scenes: rates over windows of a segment's length, which may lie across cuts.

Every option of a scene says how its size is spread over half seconds. A window begins where a half second of some scene
begins and takes every half second that begins within its length, whole: a picture that opens a scene is large, and none
of it may be left out. Where a title is shorter than a window, the window is the title.

Windows inside one scene rule options out. Those across cuts couple scenes: where a choice breaks one, what is allowed
of it is shared out among its scenes, from what a choice that keeps all windows takes there, in proportion to what the
choice takes more; options beyond their share are ruled out. Whatever is left keeps that window, so what comes out in
the end keeps all; but it may rule out what another share would have allowed.

Axes: S scenes, P options, B half seconds of a scene, N half seconds of the title.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.relaxation import Choice, Floats

__all__ = ["HALF_SECOND_S", "PeakWindows"]

Bools = npt.NDArray[np.bool_]

HALF_SECOND_S = 0.5
"""Length of the stretches whose sizes are known, seconds."""

_ROUNDING = 1e-9
"""Relative rounding that a window's size may carry."""


class PeakWindows:
    """The windows of a title."""

    def __init__(
        self, half_second_kbit: Sequence[Floats], start_s: Sequence[float], title_s: float, window_s: float
    ) -> None:
        """Lay them out.

        Args:
            half_second_kbit: sizes of every scene's options, kbit, (P, B) each; NaN where there is no option.
            start_s: first instant of every scene, seconds, (S,).
            title_s: length of the title, seconds.
            window_s: length of a window, seconds.
        """
        self._kbit = half_second_kbit
        number = [kbit.shape[1] for kbit in half_second_kbit]
        self._first = np.append(0, np.cumsum(number))  # of every scene's half seconds among all, (S + 1,)
        within = np.arange(self._first[-1]) - np.repeat(self._first[:-1], number)
        begins_s = np.repeat(np.asarray(start_s, dtype=np.float64), number) + HALF_SECOND_S * within
        self._end = np.searchsorted(begins_s, begins_s + window_s - 1e-6)  # one past the last of every window, (N,)
        self._scene = np.repeat(np.arange(len(number)), number)  # (N,)
        self._length_s = min(window_s, title_s)

    def peak_kbps(self, choice: Choice) -> float:
        """The largest rate over a window."""
        return float(self._sizes(choice).max()) / self._length_s

    def inner_peaks_kbps(self) -> Floats:
        """The largest rate over a window that any option alone makes, whatever stands beside it, (S, P); NaN where a
        scene does not offer it."""
        found = []
        for s, kbit in enumerate(self._kbit):
            first, stop = self._first[s], self._first[s + 1]
            summed = np.concatenate([np.zeros((len(kbit), 1)), np.cumsum(kbit, axis=1)], axis=1)
            end = np.minimum(self._end[first:stop], stop) - first
            found.append((summed[:, end] - summed[:, :-1]).max(axis=1))
        return np.array(found) / self._length_s

    def keeps(self, choice: Choice, peak_kbps: float) -> bool:
        """Whether no window is over a rate."""
        return self.peak_kbps(choice) <= peak_kbps * (1.0 + _ROUNDING)

    def tighten(self, allowed: Bools, choice: Choice, keeper: Choice, peak_kbps: float) -> Bools:
        """Options that are left (S, P) once every window that a choice breaks has been shared out.

        Args:
            allowed: options before, (S, P).
            choice: breaks a window at least.
            keeper: a choice that keeps all windows; its options stay.
            peak_kbps: the rate.
        """
        limit = peak_kbps * self._length_s
        sizes = self._sizes(choice)
        found, taken = allowed.copy(), np.zeros(len(choice), dtype=np.bool_)
        for first in np.argsort(-sizes, kind="stable").tolist():
            if sizes[first] <= limit * (1.0 + _ROUNDING):
                break
            scenes = range(int(self._scene[first]), int(self._scene[self._end[first] - 1]) + 1)
            if taken[scenes.start : scenes.stop].any():
                continue  # once what is left is chosen from
            taken[scenes.start : scenes.stop] = True
            parts = [self._part(s, first) for s in scenes]
            least = np.array([part[keeper[s]] for s, part in zip(scenes, parts, strict=True)])
            more = np.array(
                [max(part[choice[s]] - part[keeper[s]], 0.0) for s, part in zip(scenes, parts, strict=True)]
            )
            share = least + more * max(limit - least.sum(), 0.0) / more.sum()
            for s, part, most in zip(scenes, parts, share.tolist(), strict=True):
                found[s] &= part <= most
        return found

    def _sizes(self, choice: Choice) -> Floats:
        """Size of every window, kbit, (N,)."""
        chosen = np.concatenate([kbit[option] for kbit, option in zip(self._kbit, choice.tolist(), strict=True)])
        summed = np.append(0.0, np.cumsum(chosen))
        return np.asarray(summed[self._end] - summed[:-1])

    def _part(self, scene: int, first: int) -> Floats:
        """What every option of a scene has in the window that begins with a half second, kbit, (P,)."""
        offset = self._first[scene]
        start, stop = max(first - offset, 0), min(self._end[first], self._first[scene + 1]) - offset
        return np.asarray(self._kbit[scene][:, start:stop].sum(axis=1))
