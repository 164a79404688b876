"""Scenes: spans of a title between two cuts.

Cuts come from ffmpeg's `scdet` on the normalised source. The same pass counts the frames, and that count is what every
encode is held against later: frames are paired by index, never by timestamp. It also says how much detail and motion
the picture has and what a quick encode of it takes, which is nearly free once a frame is decoded: `measure/digest.py`
chooses by it. Decoding is most of the cost, so it is done as a look needs it: every frame, but without the loop filters
of the codec, and luma alone is reduced.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from abr_alloc.disk import cut_off
from abr_alloc.errors import ToolFailedError, UnsupportedMediaError
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.frames import SHOW, SHOW_LEVEL
from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.survey import check_aspect, read_survey

__all__ = [
    "FINGERPRINTS",
    "LOOK_INPUT",
    "MIN_SCENE_S",
    "SCAN_VERSION",
    "SMALL",
    "Scan",
    "Scene",
    "read_fingerprints",
    "scan_source",
    "split_scenes",
]

MIN_SCENE_S = 1.0
"""Shortest scene, seconds: shorter ones are merged with a neighbour (ViSQOL needs 0.96 s)."""

SCDET_THRESHOLD = 10.0
"""ffmpeg's own default for a cut, in points of 100."""

SCAN_VERSION = 2
"""Changes whenever the same source would give other cuts or fingerprints."""

LOOK_INPUT = ("-skip_loop_filter", "all")
"""Options before the input of who looks at frames and keeps none: blocks stay unsmoothed (H.264, HEVC, VP8, VP9), which
takes a fifth of the decoding and changes no cut of real films (docs/measure-less.md). References are as complete or as
broken as with the filters, so that fingerprints prove a seek as well."""

_SCAN_HEIGHT_PX = 270
# 10-bit and large frames are reduced first: a cut is as plain at 270 lines, for a tenth of the time. `scdet` looks at
# luma alone. Its plane is taken as it is: `scale` to grey would stretch it to full range.
SMALL = f"extractplanes=y,scale=-2:'min(ih,{_SCAN_HEIGHT_PX})':flags=bilinear,format=gray"
"""The filters that reduce normalised frames to those that are looked at, and told apart."""

FINGERPRINTS = ("-f", "framehash", "-hash", "CRC32")
"""The form of an output from which `read_fingerprints` reads."""

_SPATIAL_STEP_S = 0.5
"""Detail changes slowly within a scene, and its filter is dearer than all others together: twice a second, at half the
size, is enough."""
_HALF = "scale=trunc(iw/4)*2:trunc(ih/4)*2:flags=area,format=yuv420p"

_QUICK_ENCODE = ("-enc_time_base", "1:25", "-c:v", "mpeg4", "-threads", "1", "-q:v", "4", "-g", "48", "-bf", "0")
"""ffmpeg's own encoder of MPEG-4 Part 2 at a constant quantiser: a millisecond in ten for 135 lines, and what it spends
on a unit goes with what x264 spends at a CRF (correlation of logarithms .93; .84 with detail and motion together). Its
clock holds no more than 65,535 ticks a second, so frames are counted on one of 25."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A span of a title between two cuts."""

    title: str
    """Title that it belongs to."""
    index: int
    """Place in the title, from 0."""
    start_s: float
    """First instant, seconds from the title's start."""
    end_s: float
    """First instant after it, seconds."""

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    def frames(self, fps: Fraction) -> slice:
        """Indices of its frames at a constant rate."""
        return slice(round(self.start_s * fps), round(self.end_s * fps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What one quick pass over a source tells. F frames."""

    num_frames: int
    """Frames of the normalised source."""
    cuts: tuple[int, ...]
    """Indices of the frames that begin a new scene (without frame 0), rising."""
    spatial: npt.NDArray[np.float32]
    """Spatial information SI of ITU-T P.910 at no more than 135 lines, twice a second and held, 8-bit steps (F,)."""
    temporal: npt.NDArray[np.float32]
    """Mean absolute difference from the frame before, as `scdet` gives it, points of 100 (F,); 0 for frame 0."""
    quick_bytes: npt.NDArray[np.float32]
    """What a quick encode of no more than 135 lines spends on every frame at one quality, bytes (F,)."""
    fingerprints: npt.NDArray[np.uint32]
    """A number that tells every frame from others, at no more than 270 lines (F,)."""
    notes: tuple[str, ...]
    """What a user should be told of the picture, a phrase each."""


def scan_source(ffmpeg: FFmpeg, info: MediaInfo, work_dir: Path) -> Scan:
    """Decode a source once: count the frames of its normalised form, find the cuts, and see how busy it is.

    Memory is four small numbers per frame.

    Raises:
        ToolFailedError: the source cannot be decoded.
        UnsupportedMediaError: under `MIN_SCENE_S` of it can be decoded, it ends long before its declared end, its
            picture changes its size or form on the way, or much of it is damaged.
        OutputError: the disk takes no more.
    """
    step = max(1, round(info.fps * _SPATIAL_STEP_S))
    graph = (
        f"[0:{info.video_index}]{SHOW},{video_chain(info)},{SMALL},split[every][half];"
        f"[half]{_HALF},split[some][all];[all]settb=1/25,setpts=N[quick];"
        f"[some]framestep={step},siti,metadata=print:key=lavfi.siti.si:file=siti.txt,nullsink;"
        f"[every]scdet=threshold={SCDET_THRESHOLD},metadata=print:file=scdet.txt[out]"
    )
    outputs = ["-map", "[out]", "-fps_mode", "passthrough", *FINGERPRINTS, "-"]
    outputs += ["-map", "[quick]", "-fps_mode", "passthrough", *_QUICK_ENCODE, *FINGERPRINTS, "quick.txt"]
    log = work_dir / "log.txt"
    try:
        hashes = ffmpeg.run_and_tell(
            [*LOOK_INPUT, *source_input(info), "-an", "-sn", "-filter_complex_threads", "1", "-lavfi", graph, *outputs],
            log,
            level=SHOW_LEVEL,
            cwd=work_dir,
        )
    except ToolFailedError:
        read_survey(log, info)  # a change on the way may be why
        raise
    survey = read_survey(log, info)
    check_aspect(info)
    fingerprints = read_fingerprints(hashes)  # which come through a pipe: what is there is whole
    num_frames = len(fingerprints)
    temporal: list[float] = []
    cuts: list[int] = []
    logged = _logged(work_dir / "scdet.txt", num_frames) if num_frames else iter(())
    for key, value in logged:
        if key == "lavfi.scd.mafd":
            temporal.append(value)
        elif key == "lavfi.scd.time" and len(temporal) > 1:
            cuts.append(len(temporal) - 1)
    logged = _logged(work_dir / "siti.txt", math.ceil(num_frames / step)) if num_frames else iter(())
    spatial = [value for key, value in logged if key == "lavfi.siti.si"]
    decoded_s = float(num_frames / info.fps)
    if decoded_s < MIN_SCENE_S:
        raise UnsupportedMediaError(
            f"{info.path} holds {decoded_s:.2f} s of video; at least {MIN_SCENE_S:g} s are needed to measure it",
            path=str(info.path),
        )
    if info.duration_s - decoded_s > max(1.0, 0.1 * info.duration_s):
        raise UnsupportedMediaError(
            f"{info.path} declares {info.duration_s:.1f} s but only {decoded_s:.1f} s of video can be decoded; "
            "it is truncated or its video track is short, give the complete file",
            path=str(info.path),
        )
    held = np.minimum(np.arange(num_frames) // step, len(spatial) - 1)
    return Scan(
        num_frames=num_frames,
        cuts=tuple(cuts),
        spatial=np.array(spatial, dtype=np.float32)[held],
        temporal=np.array(temporal, dtype=np.float32),
        quick_bytes=_read_sizes(work_dir / "quick.txt", num_frames),
        fingerprints=fingerprints,
        notes=survey.notes,
    )


def read_fingerprints(text: bytes) -> npt.NDArray[np.uint32]:
    """A number for every frame of an output in the form `FINGERPRINTS`: CRC-32 of its samples. Shape (F,)."""
    rows = (line for line in text.splitlines() if line and not line.startswith(b"#"))
    return np.array([int(row.rpartition(b",")[2], 16) for row in rows], dtype=np.uint32)


def _read_sizes(path: Path, num_frames: int) -> npt.NDArray[np.float32]:
    """Size of every packet of an output in the form `FINGERPRINTS`, bytes. Shape (F,).

    Raises:
        OutputError: there are others than so many.
    """
    try:
        text = path.read_text(encoding="ascii")
        found = np.array([int(row.split(",")[4]) for row in text.splitlines() if row[:1] != "#"], dtype=np.float32)
    except (OSError, ValueError, IndexError) as error:
        raise cut_off(path) from error
    if len(found) != num_frames or not text.endswith("\n"):
        raise cut_off(path)
    return found


def _logged(path: Path, num_frames: int) -> Iterator[tuple[str, float]]:
    """Names and numbers that ffmpeg's `metadata=print` wrote for so many frames, line after line.

    Raises:
        OutputError: it holds other frames: ffmpeg says nothing when a disk takes no more.
    """
    number, line = -1, "\n"
    try:
        with path.open() as lines:
            for line in lines:
                if line.startswith("frame:"):
                    number += 1
                    if int(line[6:].split(maxsplit=1)[0]) != number:
                        raise cut_off(path)
                elif line.startswith("lavfi."):
                    key, _, value = line.partition("=")
                    yield key, float(value)
    except (OSError, ValueError, IndexError) as error:
        raise cut_off(path) from error
    if number + 1 != num_frames or not line.endswith("\n"):
        raise cut_off(path)


def split_scenes(
    title: str, num_frames: int, cuts: Sequence[int], fps: Fraction, *, max_scene_s: float | None = None
) -> list[Scene]:
    """Scenes from cuts: those under `MIN_SCENE_S` join their neighbour, those over `max_scene_s` are cut evenly.

    Args:
        title: name of the title.
        num_frames: frames in the title.
        cuts: frame indices that begin a new scene, rising; empty for one scene.
        fps: constant frame rate, frames per second.
        max_scene_s: longest scene wanted, seconds, at least `MIN_SCENE_S`; None for no limit.
    """
    bounds = [0]
    for cut in cuts:
        if (cut - bounds[-1]) / fps >= MIN_SCENE_S:
            bounds.append(cut)
    if len(bounds) > 1 and (num_frames - bounds[-1]) / fps < MIN_SCENE_S:
        bounds.pop()  # the last scene is too short: it joins the one before
    bounds.append(num_frames)
    if max_scene_s is not None:
        bounds = [0, *itertools.chain.from_iterable(
            _cut_evenly(a, b, float((b - a) / fps), max_scene_s) for a, b in itertools.pairwise(bounds)
        )]  # fmt: skip
    return [
        Scene(title=title, index=i, start_s=float(a / fps), end_s=float(b / fps))
        for i, (a, b) in enumerate(itertools.pairwise(bounds))
    ]


def _cut_evenly(first: int, last: int, duration_s: float, max_scene_s: float) -> list[int]:
    """Ends of the fewest equal parts of [first, last) that are no longer than asked and no shorter than allowed."""
    parts = max(1, min(-int(-duration_s // max_scene_s), int(duration_s // MIN_SCENE_S)))
    return [first + (last - first) * (i + 1) // parts for i in range(parts)]
