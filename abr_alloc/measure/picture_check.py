"""Whether a rendition's picture lies where its source's does, and how its samples are meant, from frames' partners."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.measure.registration import Place, Reading, find_place, read_as, reading_error
from abr_alloc.measure.small_frames import SmallFrames
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.streams import states_colour

__all__ = ["check_picture"]

Floats = npt.NDArray[np.float64]

_PAIRS = 80  # that are looked at, spread over all
_MOST_APART = 0.003  # share of a side by which an edge may lie elsewhere
_TRUE_PLACE = 0.35  # of the contrast: what may remain where an assumed place is right
_EXPLAINED = 0.85  # of the difference in place: a true place leaves less
_CLEARLY = 0.6  # of an error: another reading's below that is the true one
_LEAST_ERROR = 0.5  # 8-bit steps squared, luma and chroma together, that no reading explains
_MOST_GAIN, _MOST_SHIFT = 0.06, 3.0  # contrast and brightness (8-bit steps) that coding may change
_BLACK = 22.0  # luma in limited range up to which a small sample counts as black
_CONTRAST = 6.0  # 8-bit steps of luma that a gain can be told from


def check_picture(
    path: Path,
    info: MediaInfo,
    source: MediaInfo,
    small: SmallFrames,
    own: SmallFrames,
    partners: npt.NDArray[np.int64],
    *,
    assumed: bool = False,
) -> tuple[Reading, list[str]]:
    """How a rendition is to be read, and what is to be said of it.

    Args:
        path: its file.
        info: what it is.
        source: the source.
        small: frames of the source, which are in limited range.
        own: frames of the rendition, as they are stored.
        partners: source frame of every frame of it, (F,); some may lie outside.
        assumed: the partners are no more than what times tell; only what explains why the two are unlike is told.

    Raises:
        UnsupportedMediaError: it is cropped, has borders, or other levels or colours than it says.
    """
    assert info.colour is not None and source.colour is not None
    chosen = np.flatnonzero((partners >= 0) & (partners < len(small)))
    if len(chosen) > _PAIRS:
        chosen = chosen[np.linspace(0, len(chosen) - 1, _PAIRS).astype(int)]
    given = Reading(in_full_range=info.colour.in_full_range, matrix=info.colour.scale_matrix)
    if not len(chosen):
        return given, []
    wanted = Reading(in_full_range=False, matrix=source.colour.scale_matrix)
    theirs = small.luma(partners[chosen]).astype(np.float64), small.chroma(partners[chosen]).astype(np.float64)
    mine = own.luma(chosen).astype(np.float64), own.chroma(chosen).astype(np.float64)
    _check_bars(path, theirs[0], read_as(*mine, given, wanted)[0])
    place = find_place(theirs[0], read_as(*mine, given, wanted)[0], search=assumed)
    apart = place is not None and abs(place.largest) > _MOST_APART and place.error < _TRUE_PLACE * theirs[0].std()
    # What coarse coding does to a picture may be a shift in part; a place is another where it explains the difference.
    if place is not None and apart and place.error < _EXPLAINED * place.error_in_place:
        raise UnsupportedMediaError(f"{path}: {_said_of(place)}; give a rendition of the whole picture", path=str(path))
    if assumed:
        return given, []
    reading = _reading(path, info, source, theirs, mine, given, wanted)
    _check_levels(path, theirs[0], read_as(*mine, reading, wanted)[0])
    return reading, _notes(reading, given, wanted, info, source)


def _check_bars(path: Path, theirs: Floats, mine: Floats) -> None:
    """Refuse a picture whose edges are black where its source's are not: bars laid over it, or around it."""
    for axis, sides in ((1, ("top", "bottom")), (2, ("left", "right"))):
        others = (0, 3 - axis)
        black = (mine.max(axis=others) < _BLACK) & (theirs.max(axis=others) > 2 * _BLACK)
        for side, lines in zip(sides, (black, black[::-1]), strict=True):
            width = int(np.argmin(lines)) if not lines.all() else 0
            if width:
                raise UnsupportedMediaError(
                    f"{path}: it has a black bar at the {side}, {width / len(black):.0%} of the picture at least, "
                    "which its source has not; give a rendition without",
                    path=str(path),
                )


def _said_of(place: Place) -> str:
    """Which edges lie elsewhere."""
    sides = {"left": place.left, "right": place.right, "top": place.top, "bottom": place.bottom}
    cut = [f"{share:.1%} at the {side}" for side, share in sides.items() if share > _MOST_APART]
    added = [f"{-share:.1%} at the {side}" for side, share in sides.items() if share < -_MOST_APART]
    told = [f"its picture is cropped by {', '.join(cut)}"] if cut else []
    told += [f"it has a border of {', '.join(added)} (shares of the source's sides)"] if added else []
    return "; ".join(told)


def _reading(
    path: Path,
    info: MediaInfo,
    source: MediaInfo,
    theirs: tuple[Floats, Floats],
    mine: tuple[Floats, Floats],
    given: Reading,
    wanted: Reading,
) -> Reading:
    """The reading that is true, which must be the one that the file states."""
    readings = [
        Reading(in_full_range=full, matrix=matrix)
        for full in (given.in_full_range, not given.in_full_range)
        for matrix in dict.fromkeys((given.matrix, wanted.matrix))
    ]
    errors = [reading_error(theirs, read_as(*mine, reading, wanted)) for reading in readings]
    best = readings[int(np.argmin(errors))]
    if best == given or min(errors) > _CLEARLY * errors[0] - _LEAST_ERROR:
        return given
    if best.in_full_range != given.in_full_range:
        names = {True: "full", False: "limited"}
        raise UnsupportedMediaError(
            f"{path}: its samples are in {names[best.in_full_range]} range, but it "
            + ("says" if states_colour(path, info.video_index)[0] else "says nothing, which players take for")
            + f" {names[given.in_full_range]}; set its range right (ffmpeg's h264_metadata: video_full_range_flag)",
            path=str(path),
        )
    if states_colour(path, info.video_index)[1] and states_colour(source.path, source.video_index)[1]:
        raise UnsupportedMediaError(
            f"{path}: it says that its colour matrix is {given.matrix}, but its samples are {best.matrix} as the "
            "source's; players show other colours, set its matrix right",
            path=str(path),
        )
    return best


def _check_levels(path: Path, theirs: Floats, mine: Floats) -> None:
    """Refuse a rendition whose brightness or contrast is not the source's."""
    x, y = theirs.ravel(), mine.ravel()
    shift = float(y.mean() - x.mean())
    spread = float(x.std())
    gain = float(((x - x.mean()) * (y - y.mean())).mean() / spread**2) if spread > _CONTRAST else 1.0
    if abs(gain - 1) > _MOST_GAIN or abs(shift) > _MOST_SHIFT:
        raise UnsupportedMediaError(
            f"{path}: its levels are not the source's (contrast x {gain:.3f}, brightness {shift:+.1f} of 255), and no "
            "tag says why; give a rendition with the source's levels",
            path=str(path),
        )


def _notes(reading: Reading, given: Reading, wanted: Reading, info: MediaInfo, source: MediaInfo) -> list[str]:
    notes = []
    if reading.in_full_range:
        notes.append("full range is converted to limited")
    if reading.matrix != wanted.matrix:
        notes.append(f"colour matrix {reading.matrix} is converted to {wanted.matrix}")
    elif reading != given:
        notes.append("its samples are the source's, though its colour matrix is said, or taken, to be another")
    if info.bit_depth != source.bit_depth:
        notes.append(f"{info.bit_depth} bits are compared as {source.bit_depth}")
    return notes
