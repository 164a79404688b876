"""Cut an encode of audio into CMAF segments at given times: where segments of video begin that are of unequal length.

Frames of audio end where they like, so a segment begins with the first frame at or after its time. Times run on through
all cuts: nothing is lost and nothing is said twice.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from abr_alloc.errors import MediaError
from abr_alloc.media.boxes import box_heads
from abr_alloc.media.ffmpeg import INPUT_GUARD, FFmpeg
from abr_alloc.media.packets import read_packets
from abr_alloc.media.segments import INIT_NAME, SEGMENT_PATTERN

__all__ = ["cut_audio"]

_STYP = b"\0\0\0\x18stypmsdh\0\0\0\0msdhcmfs"
_FLAGS = "+cmaf+frag_custom+delay_moov+skip_sidx+skip_trailer"
_EXACT_S = 1e-6
"""Times are floating point numbers here: a frame this much before a cut is one at the cut."""


def cut_audio(ffmpeg: FFmpeg, encode: Path, starts_s: Sequence[Fraction], folder: Path) -> None:
    """Cut an encode into `init.mp4`, `00001.m4s` and so on, in an existing empty folder.

    A time before which no frame begins since the one before it begins no segment. What prepares a decoder before time 0
    is of the first segment, and stands in the initialisation segment as an edit list.

    Args:
        ffmpeg: the program.
        encode: the only stream, audio, in an MP4 file.
        starts_s: when segments are to begin, seconds, rising.
        folder: where to write.

    Raises:
        ToolFailedError: ffmpeg failed.
        MediaError: it cut elsewhere.
    """
    frames_s = read_packets(encode).start_s
    firsts = np.searchsorted(frames_s, [float(start) - _EXACT_S for start in starts_s])
    # ffmpeg writes the head alone where it is first told to cut, so the first segment has two frames or more.
    cuts = sorted({int(first) for first in firsts if 1 < first < len(frames_s)})
    places = [*([1] if len(frames_s) > 1 else []), *cuts]
    times_s = [(frames_s[at - 1] + frames_s[at]) / 2 - frames_s[0] for at in places]
    ffmpeg.run(
        [*INPUT_GUARD, "-i", encode.resolve(), "-map", "0", "-c", "copy", "-map_metadata", "-1"]
        + ["-avoid_negative_ts", "disabled", "-f", "segment", "-individual_header_trailer", "0"]
        + ["-segment_times", ",".join(f"{time_s:.6f}" for time_s in [*times_s, 2 * frames_s[-1] + 10])]
        + ["-segment_format", "mp4", "-segment_format_options", f"movflags={_FLAGS}:avoid_negative_ts=disabled"]
        + ["%06d.part"],
        cwd=folder,
    )
    parts = sorted(folder.glob("*.part"))
    written = b"".join(part.read_bytes() for part in parts)
    for part in parts:
        part.unlink()
    heads = [at - 8 for kind, at, _ in box_heads(io.BytesIO(written)) if kind == b"moof"]
    if len(heads) != len(cuts) + 1:
        raise MediaError(
            f"{encode.name} was cut into {len(heads)} segments, not {len(cuts) + 1}; please report this source",
            path=str(encode),
        )
    (folder / INIT_NAME).write_bytes(written[: heads[0]])
    for number, (head, end) in enumerate(itertools.pairwise([*heads, len(written)]), start=1):
        (folder / SEGMENT_PATTERN.format(number)).write_bytes(_STYP + written[head:end])
