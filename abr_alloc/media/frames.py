"""Frames as a filter chain gets them: upright and cropped as ffmpeg does it, told by its `showinfo`.

The very program that decodes for encodes and comparisons is asked, so what is known of a source cannot differ from
what is measured of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from abr_alloc.media.colour import PictureTags

__all__ = ["SHOW", "SHOW_LEVEL", "Frame", "is_decode_error", "read_frames"]

SHOW = "showinfo=checksum=0"
"""The filter that tells of every frame that passes."""

SHOW_LEVEL = "repeat+level+info"
"""ffmpeg's `-loglevel` at which it is heard; repeated lines are not folded."""

_FRAME = re.compile(
    r"\bn: *(?P<number>\d+) +pts: *(?P<pts>\S+) .*?\bfmt:(?P<format>\S+) .*?\bsar:(?P<sar>\d+/\d+) "
    r"s:(?P<width>\d+)x(?P<height>\d+) i:(?P<field>.)"
)
_TAGS = re.compile(
    r"\bcolor_range:(?P<range>\S+) color_space:(?P<matrix>\S+) color_primaries:(?P<primaries>\S+) "
    r"color_trc:(?P<transfer>\S+)"
)
_TIME_BASE = re.compile(r"\bconfig in time_base: (\d+)/(\d+)")
# What decoders and demuxers say at levels warning and error of data that is damaged, one line per packet or frame.
_DAMAGE = re.compile(
    r"corrupt decoded frame|corrupt input packet|Error submitting packet to decoder|Error while decoding stream"
    r"|Decoding error|Invalid data found when processing input"
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame."""

    number: int
    """Place among those that its filter was given, from 0."""
    time_s: Fraction | None
    """Presentation time, seconds; None where it has none."""
    width_px: int
    height_px: int
    aspect: Fraction
    """Width of a pixel over its height; 1 where the file does not say."""
    is_interlaced: bool
    tags: PictureTags

    @property
    def form(self) -> tuple[object, ...]:
        """What must stay the same through a source: at any change of it a filter chain begins anew."""
        return self.width_px, self.height_px, self.aspect, self.tags.pixel_format, self.tags.range, self.tags.matrix


def read_frames(lines: Iterable[str]) -> Iterator[Frame]:
    """Frames from ffmpeg's log, written at `SHOW_LEVEL` through `SHOW`."""
    base = Fraction(1)
    found: re.Match[str] | None = None
    for line in lines:
        if "showinfo" not in line:
            continue
        if setting := _TIME_BASE.search(line):
            base = Fraction(int(setting[1]), int(setting[2]))
        elif frame := _FRAME.search(line):
            if found is not None:
                yield _frame(found, None, base)
            found = frame
        elif found is not None and (tags := _TAGS.search(line)):
            yield _frame(found, tags, base)
            found = None
    if found is not None:
        yield _frame(found, None, base)


def is_decode_error(line: str) -> bool:
    """Whether a line of ffmpeg's log tells of damaged data."""
    return _DAMAGE.search(line) is not None


def _frame(frame: re.Match[str], tags: re.Match[str] | None, base: Fraction) -> Frame:
    top, _, bottom = frame["sar"].partition("/")
    said = {name: value for name, value in tags.groupdict().items() if value != "unknown"} if tags else {}
    return Frame(
        number=int(frame["number"]),
        time_s=int(frame["pts"]) * base if frame["pts"].lstrip("-").isdigit() else None,
        width_px=int(frame["width"]),
        height_px=int(frame["height"]),
        aspect=Fraction(int(top), int(bottom)) if int(top) and int(bottom) else Fraction(1),
        is_interlaced=frame["field"] in "TB",
        tags=PictureTags(
            pixel_format=frame["format"],
            range=said.get("range", ""),
            matrix=said.get("matrix", ""),
            primaries=said.get("primaries", ""),
            transfer=said.get("transfer", ""),
        ),
    )
