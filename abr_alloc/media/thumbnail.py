"""A small picture of a scene: the frame in its middle, as JPEG."""

from __future__ import annotations

from pathlib import Path

from abr_alloc.errors import ToolFailedError, UnsupportedMediaError
from abr_alloc.media.ffmpeg import INPUT_GUARD, FFmpeg

__all__ = ["THUMBNAIL_HEIGHT_PX", "thumbnail"]

THUMBNAIL_HEIGHT_PX = 108
"""Height of a thumbnail, pixels: sharp at half that size on a dense screen, and a few kilobytes."""

_QUALITY = 6  # mjpeg's scale, 2 (best) to 31


def thumbnail(ffmpeg: FFmpeg, source: Path, start_s: float, end_s: float) -> bytes:
    """The frame in the middle of a span of a source, as the bytes of a JPEG file.

    Raises:
        UnsupportedMediaError: the source has no picture there.
    """
    middle_s = (start_s + end_s) / 2
    shown = f"scale='trunc({THUMBNAIL_HEIGHT_PX}*dar/2)*2':{THUMBNAIL_HEIGHT_PX},setsar=1,format=yuvj420p"
    try:
        content = ffmpeg.run(
            [*INPUT_GUARD, "-ss", f"{middle_s:.3f}", "-i", source.resolve(), "-map", "0:v:0", "-frames:v", "1"]
            + ["-vf", shown, "-f", "image2pipe", "-c:v", "mjpeg", "-q:v", str(_QUALITY), "pipe:1"]
        )
    except ToolFailedError:
        content = b""
    if not content:  # past the end of a source ffmpeg writes nothing, and says nothing
        raise UnsupportedMediaError(
            f"{source} has no picture at {middle_s:.2f} s; is it the complete source? Correct --source, or leave it "
            "out",
            path=str(source),
        )
    return content
