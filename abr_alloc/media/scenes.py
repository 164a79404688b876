"""Scenes: spans of a title between two cuts.

Cuts come from ffmpeg's `scdet` on the normalised source. The same pass counts the frames, and that count is what every
encode is held against later: frames are paired by index, never by timestamp.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.ffmpeg import INPUT_GUARD, FFmpeg
from abr_alloc.media.probe import MediaInfo

__all__ = ["MIN_SCENE_S", "Scene", "find_cuts", "split_scenes", "video_chain"]

MIN_SCENE_S = 1.0
"""Shortest scene, seconds: shorter ones are merged with a neighbour (ViSQOL needs 0.96 s)."""

SCDET_THRESHOLD = 10.0
"""ffmpeg's own default for a cut, in points of 100."""

_SCAN_HEIGHT_PX = 270


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


def video_chain(info: MediaInfo) -> str:
    """The filters that turn a source's frames into the frames that are encoded and compared.

    Constant rate from time 0, upright, square pixels, even size, limited range; timestamps count frames.
    """
    deinterlace = "bwdif=mode=send_frame:deint=interlaced," if info.interlaced else ""
    rate = f"{info.fps.numerator}/{info.fps.denominator}"
    return (
        f"{deinterlace}fps=fps={rate}:start_time=0,crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0,"
        f"scale={info.width_px}:{info.height_px}:flags=bicubic:out_range=tv,setsar=1,"
        f"format={info.pixel_format},settb={info.fps.denominator}/{info.fps.numerator},setpts=N"
    )


def find_cuts(ffmpeg: FFmpeg, info: MediaInfo, work_dir: Path) -> tuple[int, list[int]]:
    """Count the frames of the normalised source and find the cuts among them.

    Returns:
        The number of frames, and the indices of the frames that begin a new scene (without frame 0), rising.

    Raises:
        ToolFailedError: the source cannot be decoded.
        UnsupportedMediaError: under `MIN_SCENE_S` of it can be decoded, or it ends long before its declared end.
    """
    # 10-bit and large frames are reduced first: a cut is as plain at 270 lines, for a tenth of the time.
    small = f"scale=-2:'min(ih,{_SCAN_HEIGHT_PX})':flags=bilinear,format=yuv420p"
    ffmpeg.run(
        [*INPUT_GUARD, "-i", info.path.resolve(), "-map", "0:v:0", "-an", "-sn"]
        + ["-vf", f"{video_chain(info)},{small},scdet=threshold={SCDET_THRESHOLD},metadata=print:file=scdet.txt"]
        + ["-f", "null", "-"],
        cwd=work_dir,
    )
    num_frames, cuts = 0, []
    for line in (work_dir / "scdet.txt").read_text().splitlines():
        if line.startswith("frame:"):
            num_frames += 1
        elif line.startswith("lavfi.scd.time=") and num_frames > 1:
            cuts.append(num_frames - 1)
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
    return num_frames, cuts


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
