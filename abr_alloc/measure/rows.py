"""Rows of the feature table, from what the cache holds of each rendition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from abr_alloc.measure.audio_judges import AUDIO_SCORES
from abr_alloc.measure.cache import Cache
from abr_alloc.measure.checks import check_plausible
from abr_alloc.measure.tasks import AudioTask
from abr_alloc.measure.video import frame_kbps, pool_scene
from abr_alloc.measure.video_tasks import VideoProbe
from abr_alloc.media.grid import AudioTarget, VideoTarget
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.scenes import Scene
from abr_alloc.table.half_seconds import half_second_kbit
from abr_alloc.table.table import MEASURED, WHOLE_NUMBERS
from abr_alloc.units import mean_kbps

__all__ = ["audio_row", "audio_rows", "to_frame", "video_row", "video_rows"]


def video_row(
    info: MediaInfo, target: VideoTarget, scene: Scene, entry: Mapping[str, Any], *, first_frame: int = 0
) -> dict[str, Any]:
    """The row of a video rendition over a scene, from the entry of the part that begins at `first_frame`."""
    inside = scene.frames(info.fps)
    frames = slice(inside.start - first_frame, inside.stop - first_frame)
    return {
        **_scene_columns(scene),
        "kind": "video",
        "codec": target.codec,
        "dynamic_range": None if info.dynamic_range == "SDR" else info.dynamic_range,
        "width_px": target.width_px,
        "height_px": target.height_px,
        "fps": float(info.fps),
        "target": target.target,
        "bitrate_kbps": frame_kbps(entry["size_bytes"], frames, info.fps),
        **pool_scene(entry["values"], frames),
        "half_second_kbit": half_second_kbit(entry["size_bytes"][frames], float(info.fps)),
    }


def audio_row(
    target: AudioTarget,
    scene: Scene,
    packets: Mapping[str, Any],
    entry: Mapping[str, Any],
    *,
    part_start_s: float = 0.0,
) -> dict[str, Any]:
    """The row of an audio rendition over a scene, from the packets and scores of the part that begins so late."""
    start, duration = packets["start_s"] + part_start_s, packets["duration_s"]
    # A packet that straddles a cut counts for the part of it that lies inside.
    inside_s = np.minimum(start + duration, scene.end_s) - np.maximum(start, scene.start_s)
    share = np.clip(inside_s / np.maximum(duration, 1e-9), 0.0, 1.0)
    return {
        **_scene_columns(scene),
        "kind": "audio",
        "codec": target.codec,
        "channels": target.channels,
        "target": target.target,
        "bitrate_kbps": mean_kbps(float(share @ packets["size_bytes"]), scene.duration_s),
        **{name: float(entry[name]) for name in AUDIO_SCORES if name in entry},
        "audio_features": entry["audio_features"],
    }


def video_rows(
    cache: Cache, probes: Sequence[VideoProbe], parts: Mapping[Part, Sequence[Scene]]
) -> tuple[list[dict[str, Any]], str]:
    """The rows of a video rendition, and libvmaf's version.

    Args:
        cache: where its entries are.
        probes: of the rendition, one per part.
        parts: scenes of every part.

    Raises:
        MediaError: an entry is damaged, or its numbers cannot be right.
    """
    entries = [cache.require(probe.key) for probe in probes]
    check_plausible(probes[0].info, probes[0].target, [entry["values"] for entry in entries])
    rows = [
        video_row(probe.info, probe.target, scene, entry, first_frame=probe.part.first_frame)
        for probe, entry in zip(probes, entries, strict=True)
        for scene in parts[probe.part]
    ]
    return rows, str(entries[0]["libvmaf_version"])


def audio_rows(cache: Cache, task: AudioTask) -> list[dict[str, Any]]:
    """The rows of a task's renditions.

    Raises:
        MediaError: an entry is damaged.
    """
    rows = []
    for target in task.targets:
        packets = cache.require(task.encode_key(target))
        for scene in task.scenes:
            entry = cache.require(task.score_key(target, scene))
            rows.append(audio_row(target, scene, packets, entry, part_start_s=task.start_s))
    return rows


def _scene_columns(scene: Scene) -> dict[str, Any]:
    return {"title": scene.title, "scene": scene.index, "start_s": scene.start_s, "end_s": scene.end_s}


def to_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """All rows as a table's frame, in the order in which tables are written."""
    # Columns of few tables stand in those alone.
    seldom = {"dynamic_range", "audio_track", "language", "estimated", "audio_spread_mos"}
    if any("audio_spread_mos" in row for row in rows):
        seldom.add("visqol_mos")  # the listener's rows are without it
    names = [name for name in MEASURED if name not in seldom or any(row.get(name) is not None for row in rows)]
    frame = pd.DataFrame(rows, columns=names)
    for column in (name for name in WHOLE_NUMBERS if name in names):
        frame[column] = frame[column].astype("Int32")
    for column in ("audio_features", "half_second_kbit"):
        vectors = frame[column]
        frame[column] = vectors.astype(object).where(vectors.notna(), None)  # null, not NaN, on rows of the other kind
    for column in ("dynamic_range", "language"):
        if column in names:
            frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
    order = ["title", "scene", "kind", "codec", "height_px", "bitrate_kbps", "target"]
    return frame.sort_values(order, kind="stable", ignore_index=True)
