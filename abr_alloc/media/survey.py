"""What a look at every decoded frame of a source finds, before anything is encoded: changes on the way, and damage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from abr_alloc.disk import cut_off
from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.container import open_media
from abr_alloc.media.frames import Frame, is_decode_error, read_frames
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.timeline import first_aspect_change

__all__ = ["Survey", "check_aspect", "read_survey"]

_MOST_DAMAGE = 0.1
"""Share of frames with damage beyond which a source is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What there is to say of a source's picture as a whole."""

    num_frames: int
    """Frames as they were decoded, before they are brought to a constant rate."""
    num_interlaced: int
    """How many of them are interlaced."""
    num_errors: int
    """Lines of the decoder about damaged data."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Phrases for the user."""
        notes = []
        if self.num_interlaced:
            some = (
                ""
                if self.num_interlaced == self.num_frames
                else f" ({self.num_interlaced} of {self.num_frames} frames)"
            )
            notes.append(f"interlaced video is deinterlaced{some}")
        if self.num_errors:
            notes.append(
                f"{self.num_errors} decoding errors in {self.num_frames} frames of video; what came out is measured"
            )
        return tuple(notes)


def read_survey(log: Path, info: MediaInfo) -> Survey:
    """Read ffmpeg's log of a whole decode, written at `SHOW_LEVEL` through `SHOW`.

    Raises:
        UnsupportedMediaError: the picture changes its size or form on the way, or more than a tenth is damaged.
        OutputError: lines are missing from the log.
    """
    errors = [0]
    first: Frame | None = None
    num_frames = num_interlaced = num_unheard = last = 0
    with log.open(encoding="utf-8", errors="replace") as lines:
        for frame in read_frames(_counting(lines, errors)):
            if first is None:
                first = frame
            elif frame.form != first.form:
                raise UnsupportedMediaError(_change(info, first, frame, num_frames), path=str(info.path))
            num_unheard += max(0, frame.number - last - 1)
            last = frame.number
            num_frames += 1
            num_interlaced += frame.is_interlaced
    if num_unheard > errors[0]:  # beside an error of another thread a line may be garbled
        raise cut_off(log)
    if errors[0] > _MOST_DAMAGE * max(1, num_frames):
        raise UnsupportedMediaError(
            f"{info.path} is damaged: {errors[0]} decoding errors in {num_frames} frames of video; give an intact copy",
            path=str(info.path),
        )
    return Survey(num_frames=num_frames, num_interlaced=num_interlaced, num_errors=errors[0])


def check_aspect(info: MediaInfo) -> None:
    """Refuse a picture whose pixels change their shape, as broadcasts do between 4:3 and 16:9.

    Raises:
        UnsupportedMediaError: they do.
    """
    with open_media(info.path) as container:
        found = first_aspect_change(container, info.video_index)
    if found is not None:
        time_s, before, after = found
        what = f"shape of its pixels from {_ratio(before)} to {_ratio(after)}"
        raise UnsupportedMediaError(_refusal(info, what, f"{float(time_s - info.zero_s):.2f} s"), path=str(info.path))


def _ratio(aspect: Fraction) -> str:
    return f"{aspect.numerator}:{aspect.denominator}"


def _counting(lines: Iterable[str], errors: list[int]) -> Iterator[str]:
    for line in lines:
        errors[0] += is_decode_error(line)
        yield line


def _change(info: MediaInfo, first: Frame, then: Frame, number: int) -> str:
    """One line about what changes and when."""
    if (first.width_px, first.height_px) != (then.width_px, then.height_px):
        what = f"size from {first.width_px}x{first.height_px} to {then.width_px}x{then.height_px}"
    elif first.aspect != then.aspect:
        what = f"shape of its pixels from {_ratio(first.aspect)} to {_ratio(then.aspect)}"
    else:
        told = [f"{f.pixel_format} {f.range} {f.matrix}".strip() for f in (first.tags, then.tags)]
        what = f"samples from {told[0]} to {told[1]}"
    return _refusal(
        info, what, f"frame {number}" if then.time_s is None else f"{float(then.time_s - info.zero_s):.2f} s"
    )


def _refusal(info: MediaInfo, what: str, when: str) -> str:
    return (
        f"{info.path}: the picture changes the {what} at {when}; cut the source there and give the parts as titles, or "
        "bring it to one form first"
    )
