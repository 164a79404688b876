"""Video features: libvmaf (vmaf_v0.6.1), per frame, then per scene.

Axes: F frames of the title. The distorted input comes first, both inputs stand at the source's size (the rendition
scaled up, bicubic), and frames are paired by index. Logs are read line by line into flat arrays: two hours hold 170,000
frames.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import json
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from abr_alloc.disk import cut_off, scratch_folder
from abr_alloc.errors import MediaError, OutputError, ToolFailedError
from abr_alloc.media.ffmpeg import INPUT_GUARD, ONE_THREAD, FFmpeg
from abr_alloc.media.normalise import source_input
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo

__all__ = [
    "FRAME_METRICS",
    "VIDEO_FEATURE_VERSION",
    "FrameScores",
    "libvmaf_version",
    "measure_together",
    "measure_video",
    "pool_scene",
    "score_frames",
]

VIDEO_FEATURE_VERSION = "vmaf_v0.6.1/1"
"""Changes whenever the same media would give other numbers."""

FRAME_METRICS = ("vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2", "adm2", "vmaf")
"""What is kept per frame, in the order of the columns of `FrameScores.values`."""

_LIBVMAF_KEYS = tuple(f"integer_{name}" for name in FRAME_METRICS[:6]) + ("vmaf",)
_MODELS = ("version=vmaf_v0.6.1\\\\:adm.adm_skip_aim=true", "version=vmaf_v0.6.1")
"""vmaf_v0.6.1 as it is computed: newer libvmafs work out a feature (AIM) beside ADM that this model does not read."""
_COUNTED = re.compile(rb"^frame=(\d+)$", flags=re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameScores:
    """Per-frame scores of one rendition."""

    values: npt.NDArray[np.float64]
    """Shape (F, 7), columns as in `FRAME_METRICS`."""
    libvmaf_version: str
    """libvmaf's own version word."""


def score_frames(
    ffmpeg: FFmpeg,
    inputs: Sequence[Sequence[str | Path]],
    distorted_chain: str,
    reference_chain: str,
    work_dir: Path,
    *,
    reference_pad: str = "1:v:0",
    distorted_pad: str = "0:v:0",
) -> FrameScores:
    """Run libvmaf once over a distorted and a reference input.

    Args:
        ffmpeg: the program.
        inputs: input options of the distorted and of the reference file, ending in `-i FILE`.
        distorted_chain: filters that bring the distorted frames to the reference's size and format.
        reference_chain: filters of the reference.
        work_dir: an empty folder for the log.
        reference_pad: which stream of which input the reference is.
        distorted_pad: the same of the distorted one.

    Raises:
        ToolFailedError: ffmpeg failed.
        MediaError: libvmaf gave no number for some frame.
        OutputError: the disk takes no more.
    """
    distorted, reference = f"[{distorted_pad}]{distorted_chain}", f"[{reference_pad}]{reference_chain}"
    about = _libvmaf(ffmpeg)
    num_frames = _run_libvmaf(ffmpeg, inputs, distorted, reference, about.model, "csv", work_dir)
    values = _read_metrics(work_dir / "vmaf.csv", num_frames)
    if not np.isfinite(values).all():
        frame, column = np.argwhere(~np.isfinite(values))[0]
        raise MediaError(f"libvmaf gave no number for {FRAME_METRICS[column]} of frame {frame}")
    return FrameScores(values=values, libvmaf_version=about.version)


def _run_libvmaf(
    ffmpeg: FFmpeg,
    inputs: Sequence[Sequence[str | Path]],
    distorted: str,
    reference: str,
    model: str,
    log_format: str,
    work_dir: Path,
) -> int:
    """Leave libvmaf's log in `vmaf.<log_format>`, and return how many frames it is about."""
    # One chain: with a branch of its own for anything else, frames pile up as long as a title lasts. The shorter input
    # ends it, so that unlike counts show.
    graph = f"{distorted}[main];{reference}[reference];[main][reference]{_filter(model, f'vmaf.{log_format}')}"
    counted = ["-fps_mode", "passthrough", "-progress", "pipe:1", "-stats_period", "3600"]
    told = ffmpeg.run([*inputs[0], *inputs[1], "-lavfi", graph, "-an", *counted, "-f", "null", "-"], cwd=work_dir)
    return int(_COUNTED.findall(told)[-1])


def _filter(model: str, log_name: str) -> str:
    return f"libvmaf=model={model}:log_fmt={Path(log_name).suffix[1:]}:log_path={log_name}:n_threads=1:shortest=1"


def _read_metrics(log: Path, num_frames: int) -> npt.NDArray[np.float64]:
    """libvmaf's metrics, columns as in `_LIBVMAF_KEYS`, from its CSV log; NaN where it wrote none. Shape (F, 7).

    Raises:
        OutputError: it is not about all frames: libvmaf says nothing when a disk takes no more.
    """
    numbers, row = array("d"), [""]
    try:
        with log.open(encoding="ascii", newline="") as file:
            rows = csv.reader(file)
            header = next(rows)
            columns = [header.index(key) for key in _LIBVMAF_KEYS]
            for row in rows:
                numbers.extend(float(row[column] or "nan") for column in columns)
    except (OSError, ValueError, IndexError, StopIteration) as error:
        raise cut_off(log) from error
    if len(numbers) != num_frames * len(columns) or row[-1]:  # every line ends with a comma
        raise cut_off(log)
    return np.array(numbers, dtype=np.float64).reshape(-1, len(columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Libvmaf:
    """What an ffmpeg's libvmaf is."""

    version: str
    model: str
    """One of `_MODELS`."""


@functools.lru_cache(maxsize=4)
def _libvmaf(ffmpeg: FFmpeg) -> _Libvmaf:
    """What two small frames tell, in the JSON log: neither ffmpeg nor the CSV log says a version. Asked once per
    process; a libvmaf that does not know AIM, or gives other names without it, is asked for all that it computes.
    """
    frames = ("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=2:duration=1")
    for model in _MODELS:
        last = model == _MODELS[-1]
        with scratch_folder() as folder, contextlib.suppress(*() if last else (ToolFailedError,)):
            chain = "format=yuv420p"
            _run_libvmaf(ffmpeg, [frames, frames], f"[0:v:0]{chain}", f"[1:v:0]{chain}", model, "json", folder)
            try:
                log = json.loads((folder / "vmaf.json").read_text(encoding="utf-8"))
                if last or all(key in log["frames"][1]["metrics"] for key in _LIBVMAF_KEYS):
                    return _Libvmaf(version=str(log["version"]), model=model)
            except (OSError, ValueError, LookupError) as error:
                raise cut_off(folder / "vmaf.json") from error
    raise AssertionError("the last of them returns or raises")


def libvmaf_version(ffmpeg: FFmpeg) -> str:
    """libvmaf's own version word.

    Raises:
        ToolFailedError: libvmaf is not there, or does not run as extraction needs it.
    """
    return _libvmaf(ffmpeg).version


def measure_video(
    ffmpeg: FFmpeg, info: MediaInfo, rendition: Path, part: Part, work_dir: Path, *, changes_size: bool = False
) -> FrameScores:
    """Score a rendition of a part of a source against it, frame by frame.

    Args:
        ffmpeg: the program.
        info: the source.
        rendition: an encode of it, as `media.encoding.encode_video` makes it.
        part: which part of the normalised source; the rendition must have as many frames.
        work_dir: an empty folder for the log.
        changes_size: whether its pictures change their size on the way; each is scaled to the source's.

    Raises:
        ToolFailedError: ffmpeg failed.
        MediaError: not as many frames were scored as the part has.
    """
    distorted = _distorted_chain(info, part)
    # ffmpeg would begin its filters, and so the scores and the pairs of frames, anew; `scale` itself takes any size.
    one_graph = ["-reinit_filter", "0"] if changes_size else []
    inputs: list[list[str | Path]] = [
        [*ONE_THREAD, *INPUT_GUARD, *one_graph, "-i", rendition],
        [*ONE_THREAD, *source_input(info, seek_s=part.seek_s)],
    ]
    pad = f"1:{info.video_index}"
    scores = score_frames(ffmpeg, inputs, distorted, part.chain(info), work_dir, reference_pad=pad)
    if len(scores.values) != part.num_frames:
        raise MediaError(
            f"{info.path}: an encode has {len(scores.values)} frames but the source {part.num_frames}, so frames "
            "cannot be paired; please report this source",
            path=str(info.path),
        )
    return scores


def _distorted_chain(info: MediaInfo, part: Part) -> str:
    """The filters that bring a rendition of a part to the source's size and samples."""
    chain = (
        f"{info.made_colour.tags},settb={info.fps.denominator}/{info.fps.numerator},setpts=N,"
        f"scale={info.width_px}:{info.height_px}:flags=bicubic,format={info.pixel_format},setsar=1"
    )
    if part.num_encoded == part.num_frames:
        return chain
    return f"trim=start_frame={part.scored.start}:end_frame={part.scored.stop},{chain}"


def measure_together(
    ffmpeg: FFmpeg, info: MediaInfo, renditions: Sequence[Path], part: Part, work_dir: Path
) -> list[FrameScores | None]:
    """Score several renditions of a part as `measure_video` does each, in one run that decodes and filters the source
    once for all of them.

    Returns:
        Scores, the same to the last bit; None for whatever did not come through as it should: `measure_video` says why.

    Raises:
        ToolFailedError: ffmpeg failed, of which rendition nobody knows.
    """
    about, num = _libvmaf(ffmpeg), len(renditions)
    inputs: list[str | Path] = [*ONE_THREAD, *source_input(info, seek_s=part.seek_s)]
    # One graph, which asks in turn for the output that is furthest behind: no frames pile up before any of them.
    copies = "".join(f"[reference{i}]" for i in range(num))
    graph = [f"[0:{info.video_index}]{part.chain(info)},split={num}{copies}"]
    outputs: list[str | Path] = []
    for i, rendition in enumerate(renditions):
        inputs += [*ONE_THREAD, *INPUT_GUARD, "-i", rendition]
        graph.append(f"[{i + 1}:v:0]{_distorted_chain(info, part)}[main{i}]")
        graph.append(f"[main{i}][reference{i}]{_filter(about.model, f'vmaf{i}.csv')}[scored{i}]")
        outputs += ["-map", f"[scored{i}]", "-an", "-fps_mode", "passthrough", "-f", "null", "-"]
    ffmpeg.run([*inputs, "-filter_complex", ";".join(graph), *outputs], cwd=work_dir)
    return [_whole_scores(work_dir / f"vmaf{i}.csv", part.num_frames, about.version) for i in range(num)]


def _whole_scores(log: Path, num_frames: int, version: str) -> FrameScores | None:
    try:
        values = _read_metrics(log, num_frames)
    except OutputError:
        return None
    return FrameScores(values=values, libvmaf_version=version) if np.isfinite(values).all() else None


def pool_scene(values: npt.NDArray[np.float64], frames: slice) -> dict[str, float]:
    """Means over a scene's frames.

    `motion2` of a title's first frame is 0 by definition and is left out, where another frame remains.

    Args:
        values: shape (F, 7), columns as in `FRAME_METRICS`.
        frames: the scene's frames.
    """
    part = values[frames]  # (f, 7)
    means = dict(zip(FRAME_METRICS, part.mean(axis=0).tolist(), strict=True))
    if len(part) > 1 and frames.start == 0:
        means["motion2"] = float(part[1:, FRAME_METRICS.index("motion2")].mean())
    return means


def frame_kbps(size_bytes: npt.NDArray[np.float64], frames: slice, fps: Fraction) -> float:
    """Mean rate over a scene, kbps, of a stream with one packet per frame in presentation order."""
    part = size_bytes[frames]
    return float(part.sum() * 8.0 * float(fps) / 1000.0 / len(part))
