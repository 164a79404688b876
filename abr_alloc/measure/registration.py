"""Where a rendition's picture lies against its source's, and what its samples mean, from pairs of small frames.

Place: per axis a scale and a shift, together with a gain and a bias of the luma, by Gauss-Newton steps on the squared
difference (Lucas and Kanade, IJCAI 1981). Coordinates run from -1 to 1 over the picture. Range and matrix: a rendition
is read in every way that it may be meant, and the reading that is nearest to the source is the true one.

Axes: F pairs of frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Place", "Reading", "find_place", "read_as", "reading_error"]

Floats = npt.NDArray[np.float64]

_STEPS = 30
_COARSE = (0.6, 0.75, 0.8, 0.9, 1.0, 1.1, 1.25, 1.33, 1.5, 1.78)
_WEIGHTS = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114), "bt2020": (0.2627, 0.0593), "fcc": (0.30, 0.11),
            "smpte240m": (0.212, 0.087)}  # fmt: skip
"""Kr and Kb of every matrix, by the names of ffmpeg's `scale` (Rec. ITU-T H.273, table 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a rendition's picture lies: how much of the source is cut off at each edge, as a share of its side.

    A share below 0 is a border that the rendition adds.
    """

    left: float
    right: float
    top: float
    bottom: float
    gain: float
    """Contrast against the source."""
    bias: float
    """Luma of the rendition where the source's is mid-grey, less that, 8-bit steps."""
    error: float
    """Root mean squared difference that remains, 8-bit steps."""
    error_in_place: float
    """The same where the two lie alike, but for gain and bias."""

    @property
    def largest(self) -> float:
        """The largest share, whatever its sign."""
        return max(self.left, self.right, self.top, self.bottom, key=abs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A way to understand a rendition's samples."""

    in_full_range: bool
    matrix: str
    """By the name that ffmpeg's `scale` has for it."""


def find_place(source: Floats, rendition: Floats, *, search: bool = False) -> Place | None:
    """How a rendition's picture lies against its source's.

    Args:
        source: luma, (F, rows, columns).
        rendition: luma of the partners, read as it is meant, (F, rows, columns).
        search: try coarse places first, as where the two are unlike.

    Returns:
        The place; None where the picture has too little detail to tell.
    """
    start = _coarse(source, rendition) if search else (1.0, 0.0, 1.0, 0.0)
    if np.square(np.diff(source, axis=2)).mean() < 0.25 or np.square(np.diff(source, axis=1)).mean() < 0.25:
        return None
    at = np.array([*start, 1.0, 0.0])  # scale and shift of x, of y, gain, bias
    for _ in range(_STEPS):
        warped, slope_x, slope_y, inside = _warp(source, at[:4])
        x, y = _axis(source.shape[2])[None, None, :], _axis(source.shape[1])[None, :, None]
        full = np.broadcast_to
        columns = [slope_x * x, slope_x, slope_y * y, slope_y]
        columns = [at[4] * full(column, warped.shape) for column in columns] + [warped, np.ones_like(warped)]
        weight = full(inside, warped.shape).ravel()
        matrix = np.stack([column.ravel()[weight] for column in columns], axis=1)
        rest = (rendition - at[4] * warped - at[5]).ravel()[weight]
        move = np.linalg.lstsq(matrix, rest, rcond=1e-9)[0]
        at = at + np.clip(move, -0.2, 0.2) * np.array([1, 1, 1, 1, 1, 0]) + np.array([0, 0, 0, 0, 0, move[5]])
        if np.abs(move[:4]).max() < 1e-5:
            break
    ax, bx, ay, by, gain, bias = at.tolist()
    warped, _, _, inside = _warp(source, at[:4])
    weight = np.broadcast_to(inside, warped.shape)
    error = float(np.sqrt(np.mean(np.square((rendition - gain * warped - bias)[weight])))) if weight.any() else np.inf
    return Place(
        left=(1 + bx - ax) / 2,
        right=(1 - bx - ax) / 2,
        top=(1 + by - ay) / 2,
        bottom=(1 - by - ay) / 2,
        gain=gain,
        bias=bias + (gain - 1) * 126.0,
        error=error,
        error_in_place=_error_in_place(source, rendition, weight),
    )


def _error_in_place(source: Floats, rendition: Floats, weight: npt.NDArray[np.bool_]) -> float:
    x, y = source[weight], rendition[weight]
    gain, bias = np.polyfit(x, y, 1) if len(x) > 1 else (1.0, 0.0)
    return float(np.sqrt(np.mean(np.square(y - gain * x - bias)))) if len(x) else 0.0


def _axis(size: int) -> Floats:
    """Centres of the samples of a side, from -1 to 1."""
    return (2 * np.arange(size) + 1.0) / size - 1


def _warp(frames: Floats, at: Floats) -> tuple[Floats, Floats, Floats, npt.NDArray[np.bool_]]:
    """Frames at `scale * u + shift`, their slopes there along both axes, and where that lies within the picture."""
    rows, columns = frames.shape[1:]
    take_x, slope_x, in_x = _sampler(columns, at[0], at[1])
    take_y, slope_y, in_y = _sampler(rows, at[2], at[3])
    along = frames @ take_x.T  # (F, rows, columns)
    return take_y @ along, take_y @ (frames @ slope_x.T), slope_y @ along, in_y[:, None] & in_x[None, :]


def _sampler(size: int, scale: float, shift: float) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Matrices that interpolate a side (cubic, Catmull and Rom 1974) and its slope, (size, size); where both reach."""
    place = ((scale * _axis(size) + shift + 1) * size - 1) / 2
    first = np.floor(place).astype(int)
    t = place - first
    weights = np.stack([
        -0.5 * t**3 + t**2 - 0.5 * t, 1.5 * t**3 - 2.5 * t**2 + 1, -1.5 * t**3 + 2 * t**2 + 0.5 * t,
        0.5 * t**3 - 0.5 * t**2,
    ])  # fmt: skip
    slopes = np.stack([
        -1.5 * t**2 + 2 * t - 0.5, 4.5 * t**2 - 5 * t, -4.5 * t**2 + 4 * t + 0.5, 1.5 * t**2 - t,
    ])  # fmt: skip
    take, slope = np.zeros((size, size)), np.zeros((size, size))
    for number in range(4):
        at = np.clip(first + number - 1, 0, size - 1)
        np.add.at(take, (np.arange(size), at), weights[number])
        np.add.at(slope, (np.arange(size), at), slopes[number] * size / 2)
    inside = (place >= 0.5) & (place <= size - 1.5)
    return take, slope, inside


def _coarse(source: Floats, rendition: Floats) -> tuple[float, float, float, float]:
    """The best of some scales about the centre."""
    best, least = (1.0, 0.0, 1.0, 0.0), -np.inf
    for sx in _COARSE:
        for sy in _COARSE:
            at = np.array([sx, 0.0, sy, 0.0])
            warped, _, _, inside = _warp(source, at)
            weight = np.broadcast_to(inside, warped.shape)
            if weight[0].sum() < 40:
                continue
            x, y = warped[weight], rendition[weight]
            x, y = x - x.mean(), y - y.mean()
            alike = float(x @ y / np.sqrt(max(x @ x, 1e-9) * max(y @ y, 1e-9)))
            if alike > least:
                best, least = (sx, 0.0, sy, 0.0), alike
    return best


def read_as(luma: Floats, chroma: Floats, given: Reading, wanted: Reading) -> tuple[Floats, Floats]:
    """Samples of one reading as those of another that show the same colours; chroma decides at its own resolution.

    Args:
        luma: 8-bit steps, (F, rows, columns).
        chroma: Cb and Cr, (F, 2, rows / 2, columns / 2).
        given: how the samples are meant.
        wanted: how they are to be meant.
    """
    y, c = _unscaled(luma, chroma, given.in_full_range)
    if given.matrix != wanted.matrix:
        kr, kb = _WEIGHTS[given.matrix]
        qr, qb = _WEIGHTS[wanted.matrix]
        small = y.reshape(len(y), y.shape[1] // 2, 2, y.shape[2] // 2, 2).mean(axis=(2, 4))
        blue = small + 2 * (1 - kb) * c[:, 0]
        red = small + 2 * (1 - kr) * c[:, 1]
        green = (small - kr * red - kb * blue) / (1 - kr - kb)
        other = qr * red + (1 - qr - qb) * green + qb * blue
        y = y + np.repeat(np.repeat(other - small, 2, axis=1), 2, axis=2)
        c = np.stack([(blue - other) / (2 * (1 - qb)), (red - other) / (2 * (1 - qr))], axis=1)
    if wanted.in_full_range:
        return 255 * y, 128 + 255 * c
    return 16 + 219 * y, 128 + 224 * c


def _unscaled(luma: Floats, chroma: Floats, full: bool) -> tuple[Floats, Floats]:
    if full:
        return luma / 255, (chroma - 128) / 255
    return (luma - 16) / 219, (chroma - 128) / 224


def reading_error(source: tuple[Floats, Floats], rendition: tuple[Floats, Floats]) -> float:
    """Mean squared difference over luma and chroma, 8-bit steps squared; clipped: single places do not decide."""
    return float(sum(np.minimum(np.square(a - b), 400.0).mean() for a, b in zip(source, rendition, strict=True)))
