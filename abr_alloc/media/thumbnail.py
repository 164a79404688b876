"""A small picture of a scene: the frame in its middle, as JPEG."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from abr_alloc.errors import ToolFailedError, UnsupportedMediaError
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.probe import MediaInfo

__all__ = ["THUMBNAIL_HEIGHT_PX", "thumbnail"]

THUMBNAIL_HEIGHT_PX = 108
"""Height of a thumbnail, pixels: sharp at half that size on a dense screen, and a few kilobytes."""

_TONE_MAP = "bt2390"  # JPEG is SDR: HDR as it is coded looks grey
_QUALITY = 6  # mjpeg's scale, 2 (best) to 31


_KEYS_BACK = 3
"""How many key frames before the nearest reading begins: seeks come a group of pictures late in transport streams."""


def thumbnail(
    ffmpeg: FFmpeg, info: MediaInfo, start_s: float, end_s: float, key_times_s: npt.NDArray[np.float64]
) -> bytes:
    """The frame in the middle of a span of a source, as the bytes of a JPEG file.

    Args:
        ffmpeg: the program.
        info: the source.
        start_s: first instant, seconds of the title.
        end_s: first instant after it, seconds.
        key_times_s: where decoding can begin, from `seek.read_key_times`.

    Raises:
        UnsupportedMediaError: the source has no picture there.
    """
    middle_s = (start_s + end_s) / 2
    number = int(middle_s * info.fps)
    before = key_times_s[key_times_s <= middle_s + float(info.zero_s)]
    seek_s = float(before[-1 - _KEYS_BACK]) if len(before) > _KEYS_BACK else None
    chain = video_chain(info.toned(_TONE_MAP), frames=(number, number + 1))
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
            f"{info.path} has no picture at {middle_s:.2f} s; is it the complete source? Correct `source`, or leave it "
            "out",
            path=str(info.path),
        )
    return content
