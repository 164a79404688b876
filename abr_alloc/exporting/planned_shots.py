"""What a video rendition is planned to be, by its scenes where they have parameters of their own."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from abr_alloc.allocation.rendition import VideoRendition
from abr_alloc.allocation.rung import Rung
from abr_alloc.exporting.codec_strings import Level, video_level
from abr_alloc.exporting.presentation import SEGMENT_S, Segment, Timeline
from abr_alloc.media.coding import PEAK_RATIO, VBV_RATIO
from abr_alloc.media.segment_plan import shot_segments

__all__ = ["SHOTS_COMMENT", "dearest_kbps", "planned_level", "shot_codecs", "shot_peak_kbps", "shot_timeline"]

SHOTS_COMMENT = (
    "Written by abr-alloc before there was an encode: rates and codec levels are planned,\n"
    "not measured. Every scene of a video has parameters of its own."
)


def dearest_kbps(video: VideoRendition) -> float:
    """Rate of the dearest scene, kbps."""
    return max([video.bitrate_kbps, *(shot.bitrate_kbps for shot in video.shots)])


def planned_level(video: VideoRendition, fps: Fraction) -> Level:
    """The level that an encode of a rendition within its largest rate and buffer needs.

    Raises:
        ExportError: no level of its codec holds it.
    """
    held_kbps = dearest_kbps(video)
    peak_kbps, buffer_kbit = PEAK_RATIO * held_kbps, VBV_RATIO * held_kbps
    return video_level(video.codec, int(video.width_px), int(video.height_px), fps, peak_kbps, buffer_kbit)


def shot_peak_kbps(video: VideoRendition, rungs: Iterable[Rung]) -> float:
    """Largest rate over a segment. Scenes without a prediction of it peak as any rendition does, above the dearest."""
    proof = next((rung.shot_proof for rung in rungs if rung.video == video), None)
    if proof is not None and proof.peak_kbps is not None:
        return proof.peak_kbps
    return PEAK_RATIO * dearest_kbps(video)


def shot_codecs(codecs: str, videos: Iterable[VideoRendition]) -> str:
    """The codecs string of one of a ladder's videos. Where pictures of any change their size, parameter sets lie among
    the pictures of all, and their entry says so."""
    if any(len({(shot.width_px, shot.height_px) for shot in video.shots}) > 1 for video in videos):
        return codecs.replace("avc1", "avc3").replace("hvc1", "hev1")
    return codecs


def shot_timeline(video: VideoRendition, fps: Fraction, gop_frames: int) -> Timeline:
    """Where its segments are cut, at every scene and within, and audio beside it, to a frame of its own; nobody knows
    their sizes yet."""
    frames = [round(shot.end_s * fps) - round(shot.start_s * fps) for shot in video.shots]
    lengths = shot_segments(frames, gop_frames, fps, SEGMENT_S)
    segments = [Segment(duration=n * fps.denominator, size_bytes=0) for shot in lengths for n in shot]
    return Timeline(timescale=fps.numerator, segments=tuple(segments), init_bytes=0)
