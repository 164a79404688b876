"""What a video rendition is against its source: found by content before a frame of it is scored.

Nothing of it is taken for granted, because somebody else made it: which source frame each of its frames shows, how long
it is shown, where the picture lies, what its samples mean. What can be made the source's counterpart exactly is
(`VideoFinding.chain`); anything else is refused with the reason, and never scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from abr_alloc.documents import json_text, parse_json
from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.measure.pairing import Pairing, Unpaired, find_pairing, new_frames
from abr_alloc.measure.picture_check import check_picture
from abr_alloc.measure.small_frames import SmallFrames, read_small_frames
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.packets import Packets
from abr_alloc.media.probe import MediaInfo, probe
from abr_alloc.media.streams import read_stream_packets, read_streams

__all__ = ["FINDING_VERSION", "MOST_LACKING_S", "VideoFinding", "find_video"]

FINDING_VERSION = 1
"""Changes whenever the same media would be found to be something else."""

MOST_LACKING_S = 1.0
"""What a rendition may lack of its source at either end, seconds."""
_MOST_EXTRA_S = 10.0
"""What it may hold beyond its source, seconds: a slate or a bumper, not another film."""
_CLOCK = 0.0015  # relative difference of clocks that run the same frames: 24 and 24000/1001 fps
_IRREGULAR = 0.35  # frames by which a time may be off its place: milliseconds of Matroska at 60 fps are 0.06
_LONGEST_STEP = 8
_MOST_NEW = 0.8  # share of frames that are no repetition, where repetitions may be meant


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFinding:
    """A video rendition that can be scored against its source."""

    codec: str
    width_px: int
    """Width as decoded and shown, pixels."""
    height_px: int
    fps: str
    """Its own frame rate, as a fraction."""
    index: int
    """Number of the stream in the file."""
    by_times: bool
    """Whether frames are placed by their times, because they come at no constant rate; else by counting."""
    step: int
    """Source frames for which each of its frames is shown."""
    offset: int
    """Source frame that the first of its frames shows."""
    first: int
    """First source frame that is scored."""
    last: int
    """First source frame after those."""
    zero_s: str
    """Its first instant on the file's clock, seconds, as a fraction."""
    in_full_range: bool
    """How its samples are meant."""
    matrix: str
    """By the name that `scale` has for it."""
    margin: float
    """How many times worse the next best offset fits."""
    likeness: float
    """Median correlation of its frames with their partners."""
    notes: tuple[str, ...]
    """What was found and done, a phrase each."""

    def to_json(self) -> str:
        return json_text(asdict(self), indent=None)

    @classmethod
    def from_json(cls, text: str) -> Self:
        about: dict[str, Any] = parse_json(text.encode())
        return cls(**about | {"notes": tuple(about["notes"])})

    def sizes(self, packets: Packets, source_fps: Fraction) -> npt.NDArray[np.float64]:
        """Bytes that come with each source frame from `first` to `last`: those of the frame that is new there."""
        if self.by_times:
            place = np.round((packets.start_s - float(Fraction(self.zero_s))) * float(source_fps)).astype(np.int64)
        else:
            place = self.step * np.arange(len(packets.size_bytes))
        place = place + self.offset - self.first
        sizes = np.zeros(self.last - self.first)
        inside = (place >= 0) & (place < len(sizes))
        np.add.at(sizes, place[inside], packets.size_bytes[inside])
        return sizes

    def place_chain(self, source_fps: Fraction) -> str:
        """The filters that give one frame for every source frame from `first` to `last`; empty where all are."""
        steps = []
        rate = f"{source_fps.numerator}/{source_fps.denominator}"
        if self.by_times:
            steps.append(times_chain(Fraction(self.zero_s), source_fps))
        elif self.step > 1:
            steps += [f"settb={source_fps.denominator}/{source_fps.numerator}", f"setpts=N*{self.step}"]
            # The last frame is shown as long as any other.
            steps += [f"tpad=stop_mode=clone:stop={self.step}", f"fps=fps={rate}:start_time=0"]
        start = self.first - self.offset
        return ",".join([*steps, f"trim=start_frame={start}:end_frame={start + self.last - self.first}"])


def times_chain(zero_s: Fraction, fps: Fraction) -> str:
    """Frames at a constant rate as a player shows them: each stands until the next one's time."""
    zero = f"setpts=round(PTS-({zero_s.numerator}/{zero_s.denominator})/TB)"
    return f"{zero},fps=fps={fps.numerator}/{fps.denominator}:start_time=0"


def find_video(
    ffmpeg: FFmpeg, source: MediaInfo, small: SmallFrames, path: Path, work_dir: Path, *, max_pixels: int
) -> VideoFinding:
    """Find out what a rendition is.

    Args:
        ffmpeg: the program.
        source: the source.
        small: all of its normalised frames.
        path: the rendition's file.
        work_dir: a folder for raw frames.
        max_pixels: larger pictures are refused.

    Raises:
        UnsupportedMediaError: it cannot be scored against this source; the message says why.
        ToolFailedError: it cannot be decoded.
    """
    stream = next((found for found in read_streams(path) if found.kind == "video"), None)
    if stream is None:
        raise UnsupportedMediaError(f"{path} holds no video, but was given as a video rendition", path=str(path))
    info = probe(path, ffmpeg, max_pixels=max_pixels)
    packets = read_stream_packets(path, info.video_index)
    _check_form(info, source)
    timing = _timing(info, source, packets, len(small))
    assert info.colour is not None
    own, survey = read_small_frames(ffmpeg, info, "", work_dir, in_full_range=info.colour.in_full_range)
    num = len(packets.size_bytes)
    if survey.num_errors or len(own) != num:
        raise UnsupportedMediaError(
            f"{path} is damaged or cut off: of {num} frames {len(own)} can be decoded, with {survey.num_errors} "
            "errors; give an intact copy",
            path=str(path),
        )
    begins = round((packets.start_s[0] - float(info.zero_s)) * float(source.fps))
    expected = 0 if timing.by_times else begins
    places = timing.places
    try:
        pairing, repeated = _paired(small, own, places, float(source.fps), expected)
    except Unpaired as error:
        check_picture(path, info, source, small, own, places + expected, assumed=True)
        raise UnsupportedMediaError(f"{path}: {error}", path=str(path)) from error
    reading, notes = check_picture(path, info, source, small, own, places + pairing.content)
    shown = int(places[-1]) + timing.last_stands
    first, last = max(0, pairing.offset), min(len(small), pairing.offset + shown)
    _check_extent(path, source.fps, pairing.offset, shown, len(small))
    return VideoFinding(
        codec=stream.codec,
        width_px=info.width_px,
        height_px=info.height_px,
        fps=str(info.fps),
        index=info.video_index,
        by_times=timing.by_times,
        step=timing.step,
        offset=pairing.offset,
        first=first,
        last=last,
        zero_s=str(info.zero_s),
        in_full_range=reading.in_full_range,
        matrix=reading.matrix,
        margin=round(min(pairing.margin, 1e6), 2),
        likeness=round(pairing.likeness, 4),
        notes=(*_offset_notes(pairing, source.fps, shown, timing.step, len(small)), *timing.notes, *repeated, *notes),
    )


def _paired(
    small: SmallFrames, own: SmallFrames, places: npt.NDArray[np.int64], fps: float, expected: int
) -> tuple[Pairing, list[str]]:
    """Which frames belong together, and what is to be said of repeated ones.

    Raises:
        Unpaired: nothing can be said of that.
    """
    theirs, mine = small.luma(), own.luma()
    try:
        return find_pairing(theirs, mine, places, fps=fps, expected=expected), []
    except Unpaired:
        kept = new_frames(mine)
        if len(kept) > _MOST_NEW * len(mine):
            raise
        # Frames that repeat the one before are that one, shown for longer.
        pairing = find_pairing(theirs, mine[kept], places[kept], fps=fps, expected=expected)
        return pairing, [f"{len(mine) - len(kept)} of its {len(mine)} frames repeat the one before: scored as shown"]


def _check_form(info: MediaInfo, source: MediaInfo) -> None:
    """Refuse what no frame by frame comparison can hold against a progressive picture of the source's shape."""
    path = info.path
    if info.interlaced:
        raise UnsupportedMediaError(
            f"{path} is interlaced: every player deinterlaces in its own way; give a progressive rendition",
            path=str(path),
        )
    shape, wanted = info.width_px / info.height_px, source.width_px / source.height_px
    if abs(shape / wanted - 1) > 0.01 + 2 / info.height_px:  # sizes are rounded to even ones
        raise UnsupportedMediaError(
            f"{path} is shown as {info.width_px}x{info.height_px}, and its source as "
            f"{source.width_px}x{source.height_px}: the picture is stretched, cropped or has borders; give a rendition "
            "of the source's shape",
            path=str(path),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timing:
    by_times: bool
    step: int
    places: npt.NDArray[np.int64]
    """When each frame is shown, in frames of the source: by its time from the file's beginning, or by its number."""
    notes: tuple[str, ...]

    @property
    def last_stands(self) -> int:
        """For how many frames of the source the last one stands."""
        return self.step


def _timing(info: MediaInfo, source: MediaInfo, packets: Packets, num_source: int) -> _Timing:
    """How a rendition's frames go with the source's in time."""
    path, num = info.path, len(packets.start_s)
    own, theirs = _rate(info.fps), _rate(source.fps)
    ratio = float(source.fps / info.fps)
    distances = np.diff(packets.start_s) * float(info.fps)
    length_s = float(packets.start_s[-1] - packets.start_s[0]) + float(1 / info.fps)
    source_s = num_source / float(source.fps)
    if length_s > source_s + _MOST_EXTRA_S or length_s < source_s - 2 * MOST_LACKING_S - 0.002 * source_s:
        longer = "longer" if length_s > source_s else "shorter"
        raise UnsupportedMediaError(
            f"{path} lasts {length_s:.2f} s and its source {source_s:.2f} s: it is {longer} by "
            f"{abs(length_s - source_s):.2f} s; give the rendition of this very source",
            path=str(path),
        )
    if len(distances) and (np.abs(distances - 1) > _IRREGULAR).any():
        held = int((distances > 1 + _IRREGULAR).sum())
        what = f"{held} of its frames stand longer than others" if held else "its frames come at uneven times"
        places = np.round((packets.start_s - float(info.zero_s)) * float(source.fps)).astype(np.int64)
        note = f"{what}: what a player shows at {theirs} fps is scored"
        return _Timing(by_times=True, step=1, places=places, notes=(note,))
    step = max(1, round(ratio))
    if step > _LONGEST_STEP or abs(ratio / step - 1) > _CLOCK:
        why = (
            "it plays the source's frames at another speed"
            if abs(num - num_source) <= max(2, 0.002 * num_source)
            else "frames were left out, repeated or mixed to convert it, so that they have no partners"
        )
        raise UnsupportedMediaError(
            f"{path} runs at {own} fps and its source at {theirs}: {why}; give a rendition at the source's rate or a "
            "whole fraction of it",
            path=str(path),
        )
    notes = []
    if step > 1:
        notes.append(f"{own} fps of {theirs}: every frame is shown for {step} of the source's, and scored so")
    if abs(ratio / step - 1) > 1e-6:
        notes.append(f"its clock says {own} fps and the source's {theirs}: frames are paired by number, on its clock")
        notes[-1] = notes[-1].replace("on its clock", "rates are by the source's clock")
    return _Timing(by_times=False, step=step, places=step * np.arange(num), notes=tuple(notes))


def _rate(fps: Fraction) -> str:
    return f"{float(fps):.5g}"


def _check_extent(path: Path, fps: Fraction, offset: int, shown: int, num_source: int) -> None:
    """Refuse a rendition that lacks too much of its source."""
    for lacking, where in ((max(0, offset), "beginning"), (max(0, num_source - (offset + shown)), "end")):
        if lacking > MOST_LACKING_S * fps:
            raise UnsupportedMediaError(
                f"{path} lacks {lacking} frames ({float(lacking / fps):.2f} s) of its source at the {where}; at most "
                f"{MOST_LACKING_S:g} s may be missing",
                path=str(path),
            )


def _offset_notes(pairing: Pairing, fps: Fraction, shown: int, step: int, num_source: int) -> Sequence[str]:
    """What is to be said of where a rendition begins and ends."""
    offset, notes = pairing.offset, []
    if offset > 0:
        notes.append(f"it begins {_frames(offset)} ({float(offset / fps):.3f} s) after its source")
    elif offset < 0:
        notes.append(f"{_frames(-offset)} ({float(-offset / fps):.3f} s) before its source left out")
    behind = offset + shown - num_source
    if behind >= step:
        notes.append(f"{_frames(behind)} after the end of its source left out")
    elif behind < 0:
        notes.append(f"it ends {_frames(-behind)} before its source")
    low, high = pairing.still
    if low < high:
        notes.append(f"the picture hardly moves: offsets from {low} to {high} fit alike, and its times decide")
    if pairing.num_astray > 0:
        notes.append(f"{_frames(pairing.num_astray)} of it out of place: scored as shown")
    return notes


def _frames(number: int) -> str:
    return f"{number} frame" + ("s" if number != 1 else "")
