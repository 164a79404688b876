"""The first frames of a source's picture, as ffmpeg gives them to a filter chain: size, shape, colour, alpha."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from abr_alloc.errors import ToolFailedError, UnsupportedMediaError
from abr_alloc.media.captions import shows_captions
from abr_alloc.media.colour import Colour, PictureTags, decide_colour, hdr_transfer
from abr_alloc.media.container import component_bits
from abr_alloc.media.ffmpeg import INPUT_GUARD, FFmpeg
from abr_alloc.media.frame_rate import usual_rate
from abr_alloc.media.frames import SHOW, SHOW_LEVEL, Frame, read_frames
from abr_alloc.media.timeline import Timeline

__all__ = ["MIN_SIDE_PX", "Picture", "look_at_picture"]

MIN_SIDE_PX = 18
"""Smallest side that libvmaf takes, pixels; it crashes at 16."""

MIN_FPS = 1
"""Lowest frame rate that is measured, frames per second: below it, a title is a slide show."""

_WORKED_OUT = 0.001
_NUM_FRAMES = 24  # enough to see how far apart they are
_ALPHA = ("yuva", "gbrap", "rgba", "bgra", "argb", "abgr", "ya8", "ya16", "pal8", "ayuv", "vuya", "uyva")
# Decoders of ffmpeg's own leave out the alpha of these; those of libvpx do not.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_ROTATION = re.compile(r"rotation of (-?[\d.]+) degrees")
# A base layer in Dolby's own colours, which nothing else can show, says nothing of them in its tags.
_DOLBY_ALONE = re.compile(r"DOVI configuration record:.*compatibility id: 0\b")
_QUARTER_TURN_SLACK = 1.0  # degrees within which ffmpeg takes a turn for a quarter one


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What the first frames show."""

    width_px: int
    """Width as shown, pixels made square, even."""
    height_px: int
    """Height as shown, even."""
    bit_depth: int
    """Bits that are kept, 8 or 10."""
    is_interlaced: bool
    source_format: str
    colour: Colour
    has_captions: bool
    has_alpha: bool
    decoder: str
    """Decoder that must be asked for by name; empty for ffmpeg's choice."""
    stated_rates: tuple[Fraction, ...]
    """Frame rates that container and codec tell."""
    times_s: tuple[Fraction, ...]
    """Times of the first decoded frames, rising, seconds on the file's clock."""
    notes: tuple[str, ...]

    def frame_rate(self, timeline: Timeline, path: Path) -> Fraction:
        """The constant rate at which the picture is measured, frames per second.

        Raises:
            UnsupportedMediaError: it shows less than a frame per second.
        """
        decoded = np.array([round(time_s / timeline.time_base) for time_s in self.times_s], dtype=np.int64)
        # Program streams give a time to some packets alone; a decoder works out the others.
        ticks = decoded if timeline.is_sparse else timeline.start
        rate = usual_rate(ticks, timeline.time_base, self.stated_rates)
        if timeline.is_sparse:  # what a decoder works out adds up its roundings
            told = [*self.stated_rates, *(of_fields / 2 for of_fields in self.stated_rates)]
            rate = next((one for one in told if abs(one / rate - 1) <= _WORKED_OUT), rate)
        distances = np.diff(decoded) * float(timeline.time_base * rate)
        if self.is_interlaced and len(distances) and np.median(distances) > 1.8:
            rate /= 2  # every field is a packet of its own
        if rate < MIN_FPS:
            raise UnsupportedMediaError(
                f"{path} shows a new picture every {float(1 / rate):.4g} s; at least {MIN_FPS} frame per second is "
                "needed, encode it at a constant rate first",
                path=str(path),
            )
        return rate


def look_at_picture(path: Path, ffmpeg: FFmpeg, stream: Any, max_pixels: int) -> Picture:
    """Decode the first frames of a stream.

    Args:
        path: the file.
        ffmpeg: the program.
        stream: the stream, as libav opened it.
        max_pixels: larger pictures are refused.

    Raises:
        UnsupportedMediaError: it cannot be decoded, or not be measured; the message says why.
    """
    context = stream.codec_context
    if context is None:
        raise UnsupportedMediaError(f"{path} holds video of a codec that nobody here knows", path=str(path))
    _check_size(path, int(context.width), int(context.height), max_pixels)
    codec = context.codec.canonical_name if context.codec else context.name
    decoder = _ALPHA_DECODERS.get(codec, "") if stream.metadata.get("alpha_mode") == "1" else ""
    lines = _decode(path, ffmpeg, stream.index, decoder, max_pixels)
    frames = list(read_frames(lines))
    if not frames:
        raise UnsupportedMediaError(f"{path} holds no video frame that can be decoded", path=str(path))
    first = frames[0]
    _check_size(path, first.width_px, first.height_px, max_pixels)
    _check_colour(path, first.tags, lines)
    colour = decide_colour(first.tags, first.width_px, first.height_px, codec)
    if colour is None:
        what = f"the colour matrix {first.tags.matrix}" if first.tags.matrix else f"{first.tags.pixel_format} samples"
        raise UnsupportedMediaError(
            f"{path} has {what}, which cannot be kept; convert it to bt709 or bt2020nc", path=str(path)
        )
    has_alpha = first.tags.pixel_format.startswith(_ALPHA)
    turned = next((float(found[1]) for line in lines if (found := _ROTATION.search(line))), 0.0)
    width_px, height_px = _shown_size(first, turned)
    _check_size(path, width_px, height_px, max_pixels)
    return Picture(
        width_px=width_px,
        height_px=height_px,
        bit_depth=8 if component_bits(first.tags.pixel_format) <= 8 else 10,
        is_interlaced=any(frame.is_interlaced for frame in frames),
        source_format=first.tags.pixel_format,
        colour=colour,
        has_captions=shows_captions(lines),
        has_alpha=has_alpha,
        decoder=decoder,
        stated_rates=tuple(
            Fraction(rate)
            for rate in (stream.average_rate, context.framerate, stream.base_rate, stream.guessed_rate)
            if rate
        ),
        times_s=tuple(sorted(frame.time_s for frame in frames if frame.time_s is not None)),
        notes=tuple(_notes(turned, colour, has_alpha)),
    )


def _decode(path: Path, ffmpeg: FFmpeg, index: int, decoder: str, max_pixels: int) -> list[str]:
    """What ffmpeg tells of the first frames."""
    chosen = ["-c:v", decoder] if decoder else []
    try:
        return ffmpeg.run_and_hear(
            [*INPUT_GUARD, "-copyts", "-max_pixels", str(max_pixels), *chosen, "-i", path.resolve()]
            + ["-map", f"0:{index}", "-frames:v", str(_NUM_FRAMES), "-vf", SHOW, "-f", "null", "-"],
            level=SHOW_LEVEL,
        ).splitlines()
    except ToolFailedError as error:
        what = f"its alpha needs ffmpeg's decoder {decoder}" if decoder else "is it complete?"
        raise UnsupportedMediaError(
            f"{path} holds video that cannot be decoded ({error}); {what}", path=str(path)
        ) from error


def _check_size(path: Path, width_px: int, height_px: int, max_pixels: int) -> None:
    if width_px * height_px > max_pixels:
        raise UnsupportedMediaError(
            f"{path} is {width_px}x{height_px}, {width_px * height_px / 1e6:.0f} megapixels, more than the "
            f"{max_pixels / 1e6:.4g} that are opened; allow it with `max_pixels`",
            path=str(path),
        )
    if width_px and height_px and min(width_px, height_px) < MIN_SIDE_PX:
        raise UnsupportedMediaError(
            f"{path} is {width_px}x{height_px}, smaller than the {MIN_SIDE_PX} pixels a side that libvmaf needs; "
            "give a larger source",
            path=str(path),
        )


def _check_colour(path: Path, tags: PictureTags, lines: Sequence[str]) -> None:
    name = hdr_transfer(tags)
    hdr = f"{name}, {tags.transfer}" if name else "Dolby Vision alone" if any(map(_DOLBY_ALONE.search, lines)) else ""
    if hdr:
        raise UnsupportedMediaError(
            f"{path} is HDR ({hdr}), which is not measured yet: VMAF and what it is compared with are SDR; give a "
            "version tone-mapped to SDR",
            path=str(path),
        )


def _shown_size(frame: Frame, turned_degrees: float) -> tuple[int, int]:
    """Pixels made square by stretching the width, before a quarter turn; odd sides are cut by one."""
    width_px, height_px = frame.width_px, frame.height_px
    if abs(abs(turned_degrees) % 180.0 - 90.0) <= _QUARTER_TURN_SLACK:
        height_px = round(height_px / frame.aspect)
    else:
        width_px = round(width_px * frame.aspect)
    return max(2, width_px // 2 * 2), max(2, height_px // 2 * 2)


def _notes(turned: float, colour: Colour, has_alpha: bool) -> Iterator[str]:
    off = abs((turned + 45.0) % 90.0 - 45.0)
    if off > _QUARTER_TURN_SLACK:
        yield f"the picture is turned by {turned:g} degrees within its frame, as ffmpeg does it"
    if has_alpha:
        yield "transparent parts are shown on black"
    if colour.is_rgb:
        yield f"RGB is converted to limited-range {colour.matrix}"
    elif colour.in_full_range:
        yield f"full range is converted to limited range ({colour.matrix})"
