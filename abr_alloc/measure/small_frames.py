"""A title's or a rendition's frames made small: 32 x 18 luma and 16 x 9 chroma, 16 bits, every frame.

They tell frames apart, and say where a picture lies and what its samples mean, at a hundredth of what scoring costs.
Samples are as the stream has them, in its own range and matrix; nothing is converted here.

Axes: F frames; 18 rows, 32 columns of luma (9, 16 of chroma).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from abr_alloc.disk import cut_off
from abr_alloc.media.ffmpeg import ONE_THREAD, FFmpeg
from abr_alloc.media.frames import SHOW, SHOW_LEVEL
from abr_alloc.media.normalise import source_input
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.survey import Survey, read_survey

__all__ = ["HEIGHT", "SMALL_VERSION", "WIDTH", "SmallFrames", "read_small_frames"]

WIDTH, HEIGHT = 32, 18
"""Size of the luma, pixels."""

SMALL_VERSION = 1
"""Changes whenever the same stream would give other small frames."""

_LUMA, _CHROMA = WIDTH * HEIGHT, WIDTH * HEIGHT // 4
_STEP = 256.0  # of 16-bit samples to one of 8 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallFrames:
    """Small frames of a stream."""

    samples: npt.NDArray[np.uint16]
    """Luma, then the two chroma planes, (F, 864)."""

    def __len__(self) -> int:
        return len(self.samples)

    def luma(self, frames: npt.NDArray[np.intp] | slice = slice(None)) -> npt.NDArray[np.float32]:
        """Luma in 8-bit steps, (F, 18, 32)."""
        return (self.samples[frames, :_LUMA].astype(np.float32) / _STEP).reshape(-1, HEIGHT, WIDTH)

    def chroma(self, frames: npt.NDArray[np.intp] | slice = slice(None)) -> npt.NDArray[np.float32]:
        """Cb and Cr in 8-bit steps, (F, 2, 9, 16)."""
        part = self.samples[frames, _LUMA:].astype(np.float32) / _STEP
        return part.reshape(-1, 2, HEIGHT // 2, WIDTH // 2)


def read_small_frames(
    ffmpeg: FFmpeg, info: MediaInfo, chain: str, work_dir: Path, *, in_full_range: bool
) -> tuple[SmallFrames, Survey]:
    """Decode a stream once.

    Args:
        ffmpeg: the program.
        info: the file.
        chain: filters that its frames pass first; may be empty.
        work_dir: a folder for the raw frames.
        in_full_range: of the samples that come out of the chain.

    Returns:
        The small frames, and what the decoder said of all.

    Raises:
        ToolFailedError: it cannot be decoded.
        UnsupportedMediaError: the picture changes its size or form on the way, or much of it is damaged.
        OutputError: the disk takes no more.
    """
    assert info.colour is not None
    keep = "pc" if in_full_range else "tv"
    matrix = info.colour.scale_matrix
    small = (
        f"scale={WIDTH}:{HEIGHT}:flags=area+accurate_rnd:in_range={keep}:out_range={keep}:"
        f"in_color_matrix={matrix}:out_color_matrix={matrix},format=yuv420p16le"
    )
    raw, log = work_dir / "small.yuv", work_dir / "small.txt"
    graph = ",".join(filter(None, [f"[0:{info.video_index}]{SHOW}", chain, small])) + "[out]"
    ffmpeg.run_and_tell(
        [*ONE_THREAD, *source_input(info), "-an", "-sn", "-lavfi", graph, "-map", "[out]"]
        + ["-fps_mode", "passthrough", "-f", "rawvideo", raw],
        log,
        level=SHOW_LEVEL,
    )
    survey = read_survey(log, info)
    size = raw.stat().st_size
    if size % (2 * (_LUMA + 2 * _CHROMA)):
        raise cut_off(raw)
    samples = np.fromfile(raw, dtype="<u2").reshape(-1, _LUMA + 2 * _CHROMA)
    raw.unlink()
    return SmallFrames(samples=samples), survey
