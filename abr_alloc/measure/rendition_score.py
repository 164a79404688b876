"""Score a video rendition that exists against its source, over the frames that both have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from abr_alloc.errors import MediaError
from abr_alloc.measure.video import FrameScores, score_frames
from abr_alloc.measure.video_finding import VideoFinding
from abr_alloc.media.ffmpeg import INPUT_GUARD, ONE_THREAD, FFmpeg
from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.probe import MediaInfo

__all__ = ["score_rendition"]


def score_rendition(
    ffmpeg: FFmpeg,
    source: MediaInfo,
    num_source: int,
    path: Path,
    finding: VideoFinding,
    spans: Sequence[tuple[int, int]],
    work_dir: Path,
) -> FrameScores:
    """Score spans of a rendition, one after the other.

    A rendition that has just the source's frames passes the very filters that an encode of `extract` passes.

    Args:
        ffmpeg: the program.
        source: the source.
        num_source: its frames.
        path: the rendition's file.
        finding: what it is.
        spans: first source frame and the first one after, rising, all that both have; scores come in this order.
        work_dir: an empty folder for the log.

    Raises:
        ToolFailedError: ffmpeg failed.
        MediaError: not as many frames were scored as the spans have.
    """
    assert source.colour is not None
    whole = (finding.first, finding.last) == (0, num_source)
    plain = whole and not finding.by_times and finding.step == 1 and finding.offset == 0
    wanted = sum(last - first for first, last in spans)
    everything = len(spans) == 1 and tuple(spans[0]) == (finding.first, finding.last)
    distorted = [] if plain else [finding.place_chain(source.fps)]
    reference = [video_chain(source) if whole else video_chain(source, frames=(finding.first, finding.last))]
    if not everything:
        chosen = "+".join(f"between(n,{a - finding.first},{b - 1 - finding.first})" for a, b in spans)
        distorted.append(f"select='{chosen}'")
        reference += [f"select='{chosen}'", "setpts=N"]
    distorted += _as_source(source, finding)
    clock = ["-copyts"] if finding.by_times else []
    scores = score_frames(
        ffmpeg,
        [
            [*ONE_THREAD, *INPUT_GUARD, *clock, "-i", path.resolve()],
            [*ONE_THREAD, *source_input(source)],
        ],
        ",".join(distorted),
        ",".join(reference),
        work_dir,
        reference_pad=f"1:{source.video_index}",
        distorted_pad=f"0:{finding.index}",
    )
    if len(scores.values) != wanted:
        raise MediaError(
            f"{path}: {len(scores.values)} of {wanted} frames were scored; give an intact copy", path=str(path)
        )
    return scores


def _as_source(source: MediaInfo, finding: VideoFinding) -> list[str]:
    """The filters that bring placed frames to the source's size and samples."""
    assert source.colour is not None
    ticks = f"settb={source.fps.denominator}/{source.fps.numerator}"
    scale = f"scale={source.width_px}:{source.height_px}:flags=bicubic"
    numbered = [ticks, "setpts=N"]
    tail = [f"format={source.pixel_format}", "setsar=1"]
    if not finding.in_full_range and finding.matrix == source.colour.scale_matrix:
        return [source.colour.tags, *numbered, scale, *tail]
    ranges = f"in_range={'pc' if finding.in_full_range else 'tv'}:out_range=tv"
    matrices = f"in_color_matrix={finding.matrix}:out_color_matrix={source.colour.scale_matrix}"
    return [*numbered, f"{scale}+accurate_rnd:{ranges}:{matrices}", *tail, source.colour.tags]
