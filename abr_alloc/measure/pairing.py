"""Which frame of the source each frame of a rendition shows, found by what the frames look like.

Two sequences of small frames are laid over one another at every offset. Windows of the rendition, spread over all of
it, are compared with every place of the source (frames as vectors without their mean, of unit length, so that neither
brightness nor contrast decides), and the offset on which the windows agree best is the one. Then every frame is asked:
if one of its neighbours in the source is much more like it than its partner, it is paired wrongly, and a few such
frames are enough to refuse the whole. Where the picture stands still several offsets fit alike; the streams' own times
choose among them.

Axes: N frames of the source, M frames of the rendition, D = 576 samples of a small frame, L frames of a window.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Pairing", "Unpaired", "find_pairing", "new_frames"]

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

_FLAT = 4.0  # 8-bit steps of contrast that count as none: what an encoder makes of a flat frame is no likeness
_WINDOWS, _WINDOW_S = 16, 1.5
_INSIDE = 0.5  # share of the windows that must lie within the source
_ALIKE = 0.85  # correlation of a frame with its partner below which they show other things
_MOST_UNLIKE = 0.2  # share of frames with contrast that may be below it
_MOST_OTHER = 0.6  # the same, where it is cut otherwise, or lacks frames
_REACH = 8  # frames to both sides among which a frame may find a better partner
_BETTER = 0.35  # of a partner's distance: another one's below that is the true one
_LEAST = 0.2  # mean squared difference, 8-bit steps, below which two small frames are the same
_SAME = 0.02  # the same between a frame and its repetition, coded
_MOST_ASTRAY = 0.02  # share of frames that may show another moment
_MANY = 0.3  # share of frames with a better neighbour from which all are doubted
_SURE = 4.0  # standard errors by which an offset must be worse to be ruled out


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Which frames belong together: a frame at place p of the rendition shows frame `p + content` of the source."""

    offset: int
    """Frame of the source at which the rendition's place 0 is shown; below 0 where it begins before the source."""
    content: int
    """Frame of the source that most frames show there: `offset`, or later within the time for which a frame stands."""
    likeness: float
    """Median correlation of frames with their partners."""
    margin: float
    """How many times worse the next best offset fits."""
    still: tuple[int, int]
    """Least and largest offset that fit as well, because the picture stands still; both `offset` where none does."""
    num_astray: int
    """Frames that show another moment: held or left out by whoever encoded."""


class Unpaired(ValueError):
    """The frames cannot be paired; the message is a phrase that says why."""


def find_pairing(source: Floats, rendition: Floats, places: Places, *, fps: float, expected: int) -> Pairing:
    """Find the offset between two sequences of small frames.

    Args:
        source: luma in 8-bit steps, (N, rows, columns).
        rendition: the same, (M, rows, columns).
        places: when each frame of the rendition is shown, in frames of the source from some instant on, rising, (M,);
            each stands until the next.
        fps: frame rate of the source.
        expected: offset that the streams' times tell.

    Raises:
        Unpaired: they show different things, at different moments, or nothing tells which moment.
    """
    a, b = source.reshape(len(source), -1), rendition.reshape(len(rendition), -1)
    unit_a, contrast_a = _unit(a)
    unit_b, contrast_b = _unit(b)
    offset = _search(
        unit_a, unit_b, places, max(4, round(_WINDOW_S * len(b) * fps / max(1, int(places[-1])))), expected
    )
    s = places + offset
    r = np.flatnonzero((s >= 0) & (s < len(a)))
    s = s[r]
    # Correlation of every frame with its partner; one without contrast says nothing.
    told = np.minimum(contrast_a[s], contrast_b[r]) > _FLAT
    likeness = np.einsum("fd,fd->f", unit_a[s[told]], unit_b[r[told]])
    unlike = float(np.mean(likeness < _ALIKE)) if len(likeness) else 0.0
    if unlike > _MOST_UNLIKE:
        what = "it is not of this source" if unlike > _MOST_OTHER else "it is not this source throughout"
        raise Unpaired(
            f"{what}: at the best offset ({offset} frames) {unlike:.0%} of its frames show something else (median "
            f"correlation {float(np.median(likeness)):.2f}), or it is coded too coarsely to tell"
        )
    costs, shifts = _costs(a, _matched_levels(a[s], b[r], b), r, s)
    holds = np.append(np.diff(places), 1)[r]
    astray, where, early = _astray(costs, shifts, holds)
    if astray.mean() > _MOST_ASTRAY:
        raise Unpaired(_drift(astray, where, places[r], fps))
    content, margin, still = _settle(costs, shifts, offset, expected, max(2, round(fps / 2)))
    return Pairing(
        offset=content - early,
        content=content,
        likeness=float(np.median(likeness)) if len(likeness) else 1.0,
        margin=margin,
        still=still,
        num_astray=int(astray.sum()),
    )


def new_frames(frames: Floats) -> npt.NDArray[np.intp]:
    """Which frames are no repetition of the one before."""
    flat = frames.reshape(len(frames), -1)
    repeats = [float(np.mean(np.square(b - a))) < _SAME for a, b in itertools.pairwise(flat)]
    return np.flatnonzero([True, *(not one for one in repeats)])


def _unit(frames: Floats) -> tuple[Floats, Floats]:
    """Frames without their mean, of unit length where they have contrast, and their contrast (standard deviation)."""
    centred = frames - frames.mean(axis=1, keepdims=True)
    contrast = np.sqrt(np.mean(np.square(centred), axis=1))
    length = np.sqrt(np.square(contrast) + (_FLAT / 4) ** 2) * np.sqrt(frames.shape[1])
    return (centred / length[:, None]).astype(np.float32), contrast.astype(np.float32)


def _search(source: Floats, rendition: Floats, places: Places, length: int, expected: int) -> int:
    """The offset at which windows of the rendition are most like the source."""
    n, m = len(source), len(rendition)
    length = min(length, m)
    while length > 1 and int((places[length - 1 :] - places[: m - length + 1]).min()) >= n:
        length -= 1
    starts = np.unique(np.linspace(0, m - length, min(_WINDOWS, max(1, m // max(1, length // 2)))).astype(int))
    low = -int(places[-1])  # offsets from `low` to n - 1
    total, count = np.zeros(n - low), np.zeros(n - low)
    own = np.einsum("fd,fd->f", source, source)
    for start in starts:
        window, steps = rendition[start : start + length], places[start : start + length] - places[start]
        if steps[-1] >= n:
            continue
        products = source @ window.T  # (N, L)
        begins = np.arange(n - int(steps[-1]))
        mean = np.zeros(len(begins))
        for j, step in enumerate(steps):
            mean += own[begins + step] + float(window[j] @ window[j]) - 2 * products[begins + step, j]
        offsets = begins - int(places[start]) - low
        total[offsets] += mean / length
        count[offsets] += 1
    usable = count >= max(1.0, _INSIDE * len(starts))
    if not usable.any():
        raise Unpaired(f"its {m} frames and the source's {n} cannot lie over one another")
    mean = np.where(usable, total / np.maximum(count, 1), np.inf)
    # Among those that are as good as the best (a film that repeats itself, a picture that stands still), the nearest
    # to what the times tell.
    alike = np.flatnonzero(mean <= mean.min() * 1.02 + 1e-5)
    return int(alike[np.abs(alike + low - expected).argmin()] + low)


def _matched_levels(a: Floats, b: Floats, every: Floats) -> Floats:
    """A rendition with the source's brightness and contrast, so that its distances tell moments alone."""
    x, y = b.ravel().astype(np.float64), a.ravel().astype(np.float64)
    spread = x.var()
    gain = float(((x - x.mean()) * (y - y.mean())).mean() / spread) if spread > 1.0 else 1.0
    if not 0.5 < gain < 2.0:
        gain = 1.0
    return (every * gain + (y.mean() - gain * x.mean())).astype(np.float32)


def _costs(a: Floats, b: Floats, r: npt.NDArray[np.intp], s: Places) -> tuple[Floats, list[int]]:
    """Mean squared difference of every pair and of a frame with its partner's neighbours, (pairs, shifts)."""
    shifts = list(range(-_REACH, _REACH + 1))
    costs = np.full((len(r), len(shifts)), np.nan, dtype=np.float32)
    for column, shift in enumerate(shifts):
        there = (s + shift >= 0) & (s + shift < len(a))
        difference = a[s[there] + shift] - b[r[there]]
        costs[there, column] = np.mean(np.square(difference), axis=1)
    return costs, shifts


def _astray(costs: Floats, shifts: list[int], holds: Places) -> tuple[npt.NDArray[np.bool_], Places, int]:
    """Frames that show another moment than any for which they stand.

    Returns:
        Which frames, how far away what each shows is, and by how many frames it is shown before most show their own:
        of two source frames for which one stands, it may be either.
    """
    own = costs[:, shifts.index(0)]
    best = np.nanargmin(costs, axis=1)
    least = costs[np.arange(len(costs)), best]
    better = (least < _BETTER * own) & (own - least > _LEAST)
    # A still frame's neighbour may be better by chance; where most frames are astray the usual distance is that of
    # wrong pairs.
    if better.mean() <= _MANY:
        better &= own > 2 * float(np.median(own)) + _LEAST
    where = np.where(better, np.asarray(shifts)[best], 0)
    candidates = [(where + early < 0) | (where + early >= holds) for early in range(int(np.median(holds)))]
    early = int(np.argmin([astray.sum() for astray in candidates]))
    return candidates[early], where, early


def _drift(astray: npt.NDArray[np.bool_], where: Places, places: Places, fps: float) -> str:
    """What to say of frames that wander from their partners."""
    at = np.flatnonzero(astray)
    first, moved = at[0], where[astray]
    found = sorted({int(step) for step in moved})
    return (
        f"{len(at)} of {len(astray)} frames show another moment than their place says (the first at "
        f"{float(places[first]) / fps:.2f} s; {found[0]:+d} to {found[-1]:+d} frames): frames were dropped, repeated "
        "or converted on the way"
    )


def _settle(
    costs: Floats, shifts: list[int], offset: int, expected: int, block: int
) -> tuple[int, float, tuple[int, int]]:
    """The offset, how sure it is, and what fits as well."""
    zero = shifts.index(0)
    whole = np.isfinite(costs).all(axis=1)
    used = costs[whole] if whole.sum() >= block else costs
    num = max(1, len(used) // block)
    blocks = np.stack([np.nanmean(part, axis=0) for part in np.array_split(used, num)])  # (B, shifts)
    worse = blocks - blocks[:, [zero]]
    mean = np.nanmean(worse, axis=0)
    error = np.nanstd(worse, axis=0) / np.sqrt(num)
    # The sum over all pairs decides; what is not clearly worse than the best fits as well.
    best = int(np.nanargmin(mean))
    margin_to_best = mean - mean[best]
    alike = margin_to_best <= np.maximum(_LEAST / 10, np.minimum(_SURE * error, 0.02 * np.nanmean(blocks[:, best])))
    alike[best] = True
    low = high = best
    while low > 0 and alike[low - 1]:
        low -= 1
    while high < len(shifts) - 1 and alike[high + 1]:
        high += 1
    span = offset + shifts[low], offset + shifts[high]
    chosen = min(max(expected, span[0]), span[1]) if low < high else offset + shifts[best]
    if high - low > 1 and not span[0] <= expected <= span[1]:
        raise Unpaired(
            f"its picture hardly moves: offsets from {span[0]} to {span[1]} frames fit alike, and its own times say "
            f"{expected}; give a rendition that begins with its source"
        )
    others = [column for column in range(len(shifts)) if not low <= column <= high]
    floor = max(float(np.nanmean(blocks[:, best])), 1e-3)
    margin = min((float(np.nanmean(blocks[:, column])) / floor for column in others), default=1.0)
    return chosen, margin, (span if low < high else (chosen, chosen))
