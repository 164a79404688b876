"""Rows of the feature table of renditions that exist, and what the table says of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.measure.audio_finding import AudioFinding
from abr_alloc.measure.cache import Cache
from abr_alloc.measure.existing_tasks import AudioRenditionTask, ScoreVideoTask
from abr_alloc.measure.rows import audio_row, video_row
from abr_alloc.measure.video_finding import VideoFinding
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.grid import AudioTarget, VideoTarget
from abr_alloc.media.scenes import Scene

__all__ = ["audio_rows", "rendition_facts", "trimmed", "video_rows"]

_LEAST_SHARE = 0.75
"""Share of a scene that a rendition must have: its means stand for all of it."""


def trimmed(scene: Scene, first_s: float, last_s: float, path: Path) -> Scene:
    """What of a scene a rendition has.

    Args:
        scene: of the source.
        first_s: first instant of the source that the rendition has, seconds.
        last_s: first instant after those, seconds.
        path: the rendition.

    Raises:
        UnsupportedMediaError: too little of it.
    """
    start_s, end_s = max(scene.start_s, first_s), min(scene.end_s, last_s)
    share = max(0.0, end_s - start_s) / scene.duration_s
    if share < _LEAST_SHARE:
        raise UnsupportedMediaError(
            f"{path} has {share:.0%} of scene {scene.index} ({scene.start_s:.2f} to {scene.end_s:.2f} s), and at least "
            f"{_LEAST_SHARE:.0%} are needed; give a rendition that is complete",
            path=str(path),
        )
    return scene if share == 1.0 else replace(scene, start_s=start_s, end_s=end_s)


def video_rows(cache: Cache, task: ScoreVideoTask, parts: Sequence[Sequence[Scene]]) -> list[dict[str, Any]]:
    """Rows of a video rendition, from the entry of its scores.

    Args:
        cache: where that is.
        task: the rendition; one span for every part.
        parts: the scenes of each.
    """
    entry, finding, fps = cache.require(task.key), task.finding, task.info.fps
    target = VideoTarget(codec=finding.codec, width_px=finding.width_px, height_px=finding.height_px, target=task.name)
    rows, scored = [], 0
    for (first, last), scenes in zip(task.spans, parts, strict=True):
        part = {
            "values": entry["values"][scored : scored + last - first],
            "size_bytes": entry["size_bytes"][first - finding.first : last - finding.first],
        }
        scored += last - first
        for scene in scenes:
            found = trimmed(scene, float(first / fps), float(last / fps), task.path)
            row = video_row(task.info, target, found, part, first_frame=first)
            whole = {} if found is scene else {"half_second_kbit": None}  # its half seconds are not the scene's
            rows.append(row | {"start_s": scene.start_s, "end_s": scene.end_s} | whole)
    return rows


def audio_rows(cache: Cache, task: AudioRenditionTask, finding: AudioFinding) -> list[dict[str, Any]]:
    """Rows of an audio rendition, from the entries of its packets and comparisons."""
    packets = cache.require(task.key)
    target = AudioTarget(codec=finding.codec, channels=finding.channels, target=task.name)
    rows = []
    for scene in task.scenes:
        found = trimmed(scene, finding.first_s, finding.last_s, task.path)
        row = audio_row(target, found, packets, cache.require(task.score_key(scene)))
        rows.append(row | {"start_s": scene.start_s, "end_s": scene.end_s})
    return rows


def rendition_facts(file: str, finding: VideoFinding | AudioFinding) -> dict[str, Any]:
    """What a table says of a measured rendition."""
    if isinstance(finding, AudioFinding):
        return {
            "file": file,
            "offset_s": round(finding.lag_samples / SAMPLE_RATE_HZ, 6),
            "likeness": finding.likeness,
            "notes": list(finding.notes),
        }
    return {
        "file": file,
        "offset_frames": finding.offset,
        "step": finding.step,
        "fps": finding.fps,
        "margin": finding.margin,
        "likeness": finding.likeness,
        "notes": list(finding.notes),
    }
