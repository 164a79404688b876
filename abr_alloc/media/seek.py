"""Where to begin reading a source for a part of it: a place that is proved, never trusted.

A container may say that decoding can begin where it cannot, and ffmpeg's own seek lands up to a group of pictures late
in transport streams. So a part is decoded once from a key frame before it, and every frame must be the frame that the
scan of the whole source saw there. Key frames farther back are tried next, and where none will do the source is read
from its beginning, as the scan did.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from abr_alloc.errors import ToolFailedError
from abr_alloc.media.container import open_media
from abr_alloc.media.ffmpeg import ONE_THREAD, FFmpeg
from abr_alloc.media.normalise import source_input
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.scenes import FINGERPRINTS, LOOK_INPUT, SMALL, read_fingerprints
from abr_alloc.media.timeline import read_timelines

__all__ = ["prove_seek", "read_key_times"]

_NEAR_S = 4.0
"""A part that begins this soon is read from the source's beginning, seconds."""

_KEYS_BACK = (0, 1, 2, 4)
"""Which key frames before the part are tried: the nearest costs least, since all from there on is decoded for every
rendition twice; one before it has the frames that refer across it too."""

_EARLIER_S = 0.001  # a seek to a key frame's own time might miss it by rounding


def read_key_times(info: MediaInfo) -> npt.NDArray[np.float64]:
    """Times at which a source's picture has a key frame, rising, seconds on the file's clock."""
    with open_media(info.path) as container:
        return read_timelines(container, [info.video_index], info.path)[info.video_index].key_s


def prove_seek(
    ffmpeg: FFmpeg,
    info: MediaInfo,
    part: Part,
    key_times_s: npt.NDArray[np.float64],
    fingerprints: npt.NDArray[np.uint32],
) -> float | None:
    """Where to begin reading for a part, seconds on the file's clock; None for its beginning.

    Args:
        ffmpeg: the program.
        info: the source.
        part: what is to be read.
        key_times_s: from `read_key_times`.
        fingerprints: of every frame of the title, from `scan_source`.
    """
    start_s = float(part.encoded.start / info.fps)
    if part.is_whole or start_s < _NEAR_S:
        return None
    wanted = fingerprints[part.encoded]
    before = key_times_s[key_times_s <= start_s + float(info.zero_s)]
    if len(before) == 1:  # the beginning itself
        return None
    for back in _KEYS_BACK:
        if back >= len(before):
            break
        seek_s = float(before[-1 - back]) - _EARLIER_S
        try:
            found = _fingerprints(ffmpeg, info, part, seek_s)
        except ToolFailedError:  # nothing there that can be decoded
            continue
        if np.array_equal(found, wanted):
            return seek_s
    return None


def _fingerprints(ffmpeg: FFmpeg, info: MediaInfo, part: Part, seek_s: float) -> npt.NDArray[np.uint32]:
    chain = f"{part.chain(info, with_surroundings=True)},{SMALL}"
    out = ffmpeg.run(
        [*ONE_THREAD, *LOOK_INPUT, *source_input(info, seek_s=seek_s), "-map", f"0:{info.video_index}", "-an", "-sn"]
        + ["-filter_threads", "1", "-vf", chain, "-fps_mode", "passthrough", *FINGERPRINTS, "-"]
    )
    return read_fingerprints(out)
