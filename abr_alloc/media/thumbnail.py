"""A small picture of a scene: the frame in its middle, as JPEG."""

from __future__ import annotations

from abr_alloc.errors import ToolFailedError, UnsupportedMediaError
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.probe import MediaInfo

__all__ = ["THUMBNAIL_HEIGHT_PX", "thumbnail"]

THUMBNAIL_HEIGHT_PX = 108
"""Height of a thumbnail, pixels: sharp at half that size on a dense screen, and a few kilobytes."""

_QUALITY = 6  # mjpeg's scale, 2 (best) to 31


_BEFORE_S = 15.0
"""How far before the frame reading begins, seconds: key frames lie closer than that."""


def thumbnail(ffmpeg: FFmpeg, info: MediaInfo, start_s: float, end_s: float) -> bytes:
    """The frame in the middle of a span of a source, as the bytes of a JPEG file.

    Raises:
        UnsupportedMediaError: the source has no picture there.
    """
    middle_s = (start_s + end_s) / 2
    number = int(middle_s * info.fps)
    seek_s = middle_s - _BEFORE_S + float(info.zero_s) if middle_s > _BEFORE_S else None
    chain = video_chain(info, frames=(number, number + 1))
    try:
        content = ffmpeg.run(
            [*source_input(info, seek_s=seek_s), "-map", f"0:{info.video_index}", "-frames:v", "1"]
            + ["-vf", f"{chain},scale=-2:{THUMBNAIL_HEIGHT_PX}:out_range=pc,format=yuvj420p"]
            + ["-f", "image2pipe", "-c:v", "mjpeg", "-q:v", str(_QUALITY), "pipe:1"]
        )
    except ToolFailedError:
        content = b""
    if not content:  # past the end of a source ffmpeg writes nothing, and says nothing
        raise UnsupportedMediaError(
            f"{info.path} has no picture at {middle_s:.2f} s; is it the complete source? Correct --source, or leave it "
            "out",
            path=str(info.path),
        )
    return content
