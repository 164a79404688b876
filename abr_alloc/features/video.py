"""Video features: libvmaf (vmaf_v0.6.1) and luma frame difference, per frame, then per scene.

Axes: F frames of the title. The distorted input comes first, both inputs stand at the source's size (the rendition
scaled up, bicubic), and frames are paired by index.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from abr_alloc.errors import MediaError
from abr_alloc.media.ffmpeg import INPUT_GUARD, ONE_THREAD, FFmpeg
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo

__all__ = [
    "FRAME_METRICS",
    "VIDEO_FEATURE_VERSION",
    "FrameScores",
    "libvmaf_version",
    "measure_video",
    "pool_scene",
    "score_frames",
]

VIDEO_FEATURE_VERSION = "vmaf_v0.6.1/1"
"""Changes whenever the same media would give other numbers."""

FRAME_METRICS = ("vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2", "adm2", "frame_diff", "vmaf")
"""What is kept per frame, in the order of the columns of `FrameScores.values`."""

_LIBVMAF_KEYS = tuple(f"integer_{name}" for name in FRAME_METRICS[:6]) + ("vmaf",)
_DISTORTED, _REFERENCE = "[0:v:0]", "[1:v:0]"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameScores:
    """Per-frame scores of one rendition."""

    values: npt.NDArray[np.float64]
    """Shape (F, 8), columns as in `FRAME_METRICS`."""
    libvmaf_version: str
    """Version word in libvmaf's own log."""


def score_frames(
    ffmpeg: FFmpeg,
    inputs: Sequence[Sequence[str | Path]],
    distorted_chain: str,
    reference_chain: str,
    bit_depth: int,
    work_dir: Path,
) -> FrameScores:
    """Run libvmaf and signalstats once over a distorted and a reference input.

    Args:
        ffmpeg: the program.
        inputs: input options of the distorted and of the reference file, ending in `-i FILE`.
        distorted_chain: filters that bring the distorted frames to the reference's size and format.
        reference_chain: filters of the reference.
        bit_depth: bits per sample of the compared frames; `frame_diff` is given in 8-bit steps.
        work_dir: an empty folder for the logs.

    Raises:
        ToolFailedError: ffmpeg failed.
        MediaError: libvmaf gave no number for some frame.
    """
    graph = (
        f"{_DISTORTED}{distorted_chain},split[main][stats];"
        "[stats]signalstats,metadata=print:key=lavfi.signalstats.YDIF:file=ydif.txt,nullsink;"
        f"{_REFERENCE}{reference_chain}[reference];"
        "[main][reference]libvmaf=model=version=vmaf_v0.6.1:log_fmt=json:log_path=vmaf.json:n_threads=1"
    )
    ffmpeg.run([*inputs[0], *inputs[1], "-lavfi", graph, "-an", "-f", "null", "-"], cwd=work_dir)
    log = json.loads((work_dir / "vmaf.json").read_text())
    metrics = np.array([[frame["metrics"][key] for key in _LIBVMAF_KEYS] for frame in log["frames"]], dtype=np.float64)
    lines = (work_dir / "ydif.txt").read_text().splitlines()
    steps = np.array([float(line.partition("=")[2]) for line in lines if line.startswith("lavfi.")], dtype=np.float64)
    frame_diff = steps / 2 ** (bit_depth - 8)
    if len(frame_diff) != len(metrics):
        raise MediaError(f"libvmaf scored {len(metrics)} frames but {len(frame_diff)} were decoded")
    values = np.column_stack([metrics[:, :6], frame_diff, metrics[:, 6]])
    if not np.isfinite(values).all():
        frame, column = np.argwhere(~np.isfinite(values))[0]
        raise MediaError(f"libvmaf gave no number for {FRAME_METRICS[column]} of frame {frame}")
    return FrameScores(values=values, libvmaf_version=str(log["version"]))


def libvmaf_version(ffmpeg: FFmpeg) -> str:
    """libvmaf's own version word, from the log of two small frames: ffmpeg does not say it otherwise.

    Raises:
        ToolFailedError: libvmaf is not there, or does not run as extraction needs it.
    """
    frames = ("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=2:duration=1")
    with tempfile.TemporaryDirectory() as folder:
        scores = score_frames(ffmpeg, [frames, frames], "format=yuv420p", "format=yuv420p", 8, Path(folder))
    return scores.libvmaf_version


def measure_video(ffmpeg: FFmpeg, info: MediaInfo, rendition: Path, part: Part, work_dir: Path) -> FrameScores:
    """Score a rendition of a part of a source against it, frame by frame.

    Args:
        ffmpeg: the program.
        info: the source.
        rendition: an encode of it, as `media.encode.encode_video` makes it.
        part: which part of the normalised source; the rendition must have as many frames.
        work_dir: an empty folder for the logs.

    Raises:
        ToolFailedError: ffmpeg failed.
        MediaError: the frame counts differ.
    """
    distorted = (
        f"settb={info.fps.denominator}/{info.fps.numerator},setpts=N,"
        f"scale={info.width_px}:{info.height_px}:flags=bicubic,format={info.pixel_format},setsar=1"
    )
    inputs: list[list[str | Path]] = [
        [*ONE_THREAD, *INPUT_GUARD, "-i", rendition],
        [*ONE_THREAD, *INPUT_GUARD, *part.seek(info.fps), "-i", info.path.resolve()],
    ]
    scores = score_frames(ffmpeg, inputs, distorted, part.chain(info), info.bit_depth, work_dir)
    if len(scores.values) != part.num_frames:
        raise MediaError(
            f"{info.path}: an encode has {len(scores.values)} frames but the source {part.num_frames}, so frames "
            "cannot be paired; please report this source",
            path=str(info.path),
        )
    return scores


def pool_scene(values: npt.NDArray[np.float64], frames: slice) -> dict[str, float]:
    """Means over a scene's frames.

    `motion2` of a title's first frame is 0 by definition and `frame_diff` of a scene's first frame is the cut itself:
    both are left out, where another frame remains.

    Args:
        values: shape (F, 8), columns as in `FRAME_METRICS`.
        frames: the scene's frames.
    """
    part = values[frames]  # (f, 8)
    means = dict(zip(FRAME_METRICS, part.mean(axis=0).tolist(), strict=True))
    if len(part) > 1:
        means["frame_diff"] = float(part[1:, FRAME_METRICS.index("frame_diff")].mean())
        if frames.start == 0:
            means["motion2"] = float(part[1:, FRAME_METRICS.index("motion2")].mean())
    return means


def frame_kbps(size_bytes: npt.NDArray[np.float64], frames: slice, fps: Fraction) -> float:
    """Mean rate over a scene, kbps, of a stream with one packet per frame in presentation order."""
    part = size_bytes[frames]
    return float(part.sum() * 8.0 * float(fps) / 1000.0 / len(part))
