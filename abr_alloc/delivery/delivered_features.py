"""Measure what was delivered, through the same features and the same model as what was planned.

A stream's segments are joined, decoded and held against the source: video by libvmaf frame by frame, audio scene by
scene with the family of features that the model reads. Rows of these measurements make a feature table like any other,
and the model predicts its pairs.

The tasks are not those of an extraction (`measure/tasks.py`), which encode what they score and know its parts and its
grid; what scores, what compares, the form of the cache's entries and the rows are the same functions.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.surface import QualitySurface, build_surfaces
from abr_alloc.allocation.title_surface import merge_scenes
from abr_alloc.delivery.delivered_audio import PcmTask, audio_tasks, hearing, join_audio, stream_hash
from abr_alloc.errors import DeliveryError, MediaError, ToolFailedError
from abr_alloc.formats.delivery_record import Delivery
from abr_alloc.measure.audio_judges import family_words
from abr_alloc.measure.cache import Cache, cache_key
from abr_alloc.measure.looks import NORMALISATION
from abr_alloc.measure.rows import audio_row, to_frame, video_row
from abr_alloc.measure.steps import Progress
from abr_alloc.measure.tasks import packet_times, video_entry
from abr_alloc.measure.video import FRAME_METRICS, VIDEO_FEATURE_VERSION, measure_video
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.packets import read_packets
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.scenes import Scene
from abr_alloc.media.segments import join_segments
from abr_alloc.models.audio_reading import family_read
from abr_alloc.models.checkpoint import Model
from abr_alloc.table.table import FeatureTable, TableMetadata
from abr_alloc.workers.local import LocalWorkers, run_all
from abr_alloc.workers.task import Task

__all__ = ["Scores", "measure_pairs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What delivered streams come to; empty where there was no source to hold them against."""

    avq_mos: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """AVQ by names of video and audio, MOS."""
    vmaf: Mapping[str, float] = field(default_factory=dict)
    """VMAF by name of the video, mean over the title's time."""
    scenes_mos: Mapping[tuple[str, str], tuple[float, ...]] = field(default_factory=dict)
    """AVQ of every scene by names of video and audio, MOS."""
    frames_vmaf: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict, compare=False)
    """VMAF of every frame by name of the video, (F,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _VideoScoreTask:
    """Score every frame of a delivered video stream."""

    ffmpeg: FFmpeg
    info: MediaInfo
    source_hash: str
    name: str
    folder: Path
    stream_hash: str
    num_frames: int
    changes_size: bool

    @property
    def key(self) -> str:
        return cache_key(
            kind="delivered-video",
            source=self.source_hash,
            stream=self.stream_hash,
            ffmpeg=self.ffmpeg.version,
            features=VIDEO_FEATURE_VERSION,
            normalisation=NORMALISATION,
            **self.info.stream_facts,
        )

    @property
    def label(self) -> str:
        return f"{self.info.path.name}: measuring {self.name}"

    def is_done(self, cache: Cache) -> bool:
        return cache.has(self.key)

    def run(self, cache: Cache) -> None:
        with cache.work_dir() as work_dir:
            joined = work_dir / "joined.mp4"
            join_segments(self.folder, joined)
            packets = read_packets(joined)
            if len(packets.size_bytes) != self.num_frames:
                raise DeliveryError(
                    f"{self.folder} has {len(packets.size_bytes)} frames, the source {self.num_frames}; "
                    "encode the ladder again"
                )
            try:
                scores = measure_video(
                    self.ffmpeg,
                    self.info,
                    joined,
                    Part.whole(self.num_frames),
                    work_dir,
                    changes_size=self.changes_size,
                )
            except ToolFailedError:
                raise  # told with this task's label
            except MediaError as error:
                raise MediaError(f"{self.folder} is damaged ({error}); encode the ladder again") from error
        cache.put(self.key, video_entry(scores, packets.size_bytes))


def measure_pairs(
    delivery: Delivery,
    folders: Mapping[str, Path],
    info: MediaInfo,
    ffmpeg: FFmpeg,
    cache: Cache,
    model: Model,
    *,
    jobs: int,
) -> Generator[Progress | Scores, None, None]:
    """Measure every pair of a delivery; yields progress and, last, the scores.

    Args:
        delivery: what was ordered.
        folders: where each stream lies, by its name.
        info: the source.
        ffmpeg: the program.
        cache: what was measured before is not measured again.
        model: the model that predicts.
        jobs: worker processes.

    Raises:
        MediaError: a stream cannot be decoded or measured.
        DeliveryError: a stream has not the source's frames.
        CheckpointError: the model needs other features.
    """
    cache.remove_leftovers()
    scenes = [
        Scene(title=delivery.title, index=i, start_s=start, end_s=end)
        for i, (start, end) in enumerate(delivery.scenes_s)
    ]
    videos = [
        _VideoScoreTask(
            ffmpeg=ffmpeg,
            info=info.toned(delivery.tone_map_of(order)),
            source_hash=delivery.source_hash,
            name=order.name,
            folder=folders[order.name],
            stream_hash=stream_hash(folders[order.name]),
            num_frames=delivery.num_frames,
            changes_size=order.changes_size,
        )
        for order in delivery.videos
    ]
    rows: list[dict[str, Any]] = []
    frames_vmaf: dict[str, npt.NDArray[np.float64]] = {}
    with cache.work_dir() as work_dir, LocalWorkers(jobs) as workers:
        audios = [
            join_audio(order, folders[order.name], ffmpeg, work_dir / f"{i}.mp4")
            for i, order in enumerate(delivery.audios)
            if not order.group  # what the ladder was designed with is the film's own sound
        ]
        tracks = {audio.track: work_dir / f"audio-{audio.track or 0}.f32" for audio in audios}
        scores = audio_tasks(ffmpeg, scenes, audios, tracks, delivery, family_read(model.card).name)
        tasks: list[Task] = [task for task in videos if not task.is_done(cache)]
        waiting = [task for task in scores if not task.is_done(cache)]
        if waiting:
            end_s = float(delivery.num_frames / info.fps)
            decodes = [
                PcmTask(ffmpeg=ffmpeg, info=hearing(info, track), duration_s=end_s, path=tracks[track])
                for track in dict.fromkeys(task.audios[0].track for task in waiting)
            ]
            for _ in run_all(workers, cache, decodes):
                yield Progress(done=0, total=1, label=decodes[0].label)
            tasks += waiting
        for done, task in enumerate(run_all(workers, cache, tasks), start=1):
            assert task is not None  # nobody asked for ticks
            yield Progress(done=done, total=len(tasks), label=task.label)
        for order, video in zip(delivery.videos, videos, strict=True):
            target = VideoTarget(
                codec=order.codec, width_px=order.width_px, height_px=order.height_px, target=order.name
            )
            entry = cache.require(video.key)
            rows += [video_row(video.info, target, scene, entry) for scene in scenes]
            frames_vmaf[order.name] = entry["values"][:, FRAME_METRICS.index("vmaf")]
        for audio in audios:
            times = packet_times(read_packets(audio.joined))
            own = [task for task in scores if audio in task.audios]
            rows += [audio_row(audio.target, s.scene, times, cache.require(s.key(audio))) for s in own]
    weights_s = {str(i): weight for i, weight in enumerate(delivery.weights_s)}
    found = _predict(rows, {delivery.title: weights_s} if weights_s else {}, model)
    yield replace(found, frames_vmaf=frames_vmaf)


def _predict(rows: list[dict[str, Any]], weights_s: Mapping[str, Mapping[str, float]], model: Model) -> Scores:
    versions = TableMetadata(
        video_feature_version=VIDEO_FEATURE_VERSION, weights_s=weights_s, **family_words(family_read(model.card).name)
    )
    scenes = list(build_surfaces(FeatureTable(to_frame(rows), versions), model, layout="all"))
    surface = merge_scenes(scenes)
    by_scene = [_pairs_mos(scene) for scene in sorted(scenes, key=lambda scene: scene.scene)]
    return Scores(
        avq_mos=_pairs_mos(surface),
        vmaf={video.target: video.vmaf for video in surface.video if video.vmaf is not None},
        scenes_mos={pair: tuple(mos[pair] for mos in by_scene) for pair in by_scene[0]},
    )


def _pairs_mos(surface: QualitySurface) -> dict[tuple[str, str], float]:
    return {
        (video.target, audio.target): float(surface.avq_mos[i, j])
        for i, video in enumerate(surface.video)
        for j, audio in enumerate(surface.audio)
    }
