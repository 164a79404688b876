"""Measure what was delivered, through the same features and the same model as what was planned.

A stream's segments are joined, decoded and held against the source: video by libvmaf frame by frame, audio by ViSQOL
scene by scene. Rows of these measurements make a feature table like any other, and the model predicts its pairs.

The tasks are not those of an extraction (`measure/tasks.py`), which encode what they score and know its parts and its
grid; what scores, what compares, the form of the cache's entries and the rows are the same functions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.surface import QualitySurface, build_surfaces
from abr_alloc.allocation.title_surface import merge_scenes
from abr_alloc.errors import DeliveryError, MediaError, ToolFailedError
from abr_alloc.formats.delivery_record import AudioOrder, Delivery
from abr_alloc.measure.cache import Cache, cache_key
from abr_alloc.measure.extract import Progress
from abr_alloc.measure.looks import NORMALISATION
from abr_alloc.measure.rows import audio_row, to_frame, video_row
from abr_alloc.measure.tasks import audio_score_key, packet_times, video_entry
from abr_alloc.measure.video import FRAME_METRICS, VIDEO_FEATURE_VERSION, measure_video
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import AudioTarget, VideoTarget
from abr_alloc.media.packets import read_packets
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.scenes import Scene
from abr_alloc.media.segments import TRACK_NAME, init_paths, is_track_file, join_segments, segment_paths
from abr_alloc.media.sound import decode_audio
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


def _stream_hash(folder: Path) -> str:
    """SHA-256 of a stream's bytes."""
    digest = hashlib.sha256()
    files = [folder / TRACK_NAME] if is_track_file(folder) else [*init_paths(folder), *segment_paths(folder)]
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _DeliveredAudio:
    """A delivered audio stream, joined."""

    name: str
    stream_hash: str
    ffmpeg_version: str
    target: AudioTarget
    joined: Path

    @property
    def key(self) -> str:
        return cache_key(kind="delivered-audio", stream=self.stream_hash, ffmpeg=self.ffmpeg_version)


@dataclass(frozen=True, slots=True, kw_only=True)
class _PcmTask:
    """Decode the source's audio, once."""

    ffmpeg: FFmpeg
    info: MediaInfo
    duration_s: float
    path: Path

    @property
    def label(self) -> str:
        return f"{self.info.path.name}: decoding audio"

    def run(self, cache: Cache) -> None:
        decode_audio(self.info, self.duration_s, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _AudioScoreTask:
    """Compare every delivered audio stream of one scene with the source."""

    ffmpeg: FFmpeg
    scene: Scene
    audios: tuple[_DeliveredAudio, ...]
    pcm: Path
    feature_version: str

    @property
    def label(self) -> str:
        return f"{self.scene.title}: audio of scene {self.scene.index}"

    def key(self, audio: _DeliveredAudio) -> str:
        return audio_score_key(audio.key, self.scene, self.feature_version)

    def is_done(self, cache: Cache) -> bool:
        return all(cache.has(self.key(audio)) for audio in self.audios)

    def run(self, cache: Cache) -> None:
        from abr_alloc.measure.audio import EncodedAudio, compare_scene  # compiles: only where it is needed

        renditions = [EncodedAudio(key=self.key(a), path=a.joined, channels=a.target.channels) for a in self.audios]
        span_s = self.scene.start_s, self.scene.end_s
        compare_scene(self.ffmpeg, cache, self.pcm, renditions, span_s=span_s)


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
            info=info,
            source_hash=delivery.source_hash,
            name=order.name,
            folder=folders[order.name],
            stream_hash=_stream_hash(folders[order.name]),
            num_frames=delivery.num_frames,
            changes_size=order.changes_size,
        )
        for order in delivery.videos
    ]
    rows: list[dict[str, Any]] = []
    frames_vmaf: dict[str, npt.NDArray[np.float64]] = {}
    with cache.work_dir() as work_dir, LocalWorkers(jobs) as workers:
        pcm = work_dir / "audio.f32"
        audios = [
            _join(order, folders[order.name], ffmpeg, work_dir / f"{i}.mp4")
            for i, order in enumerate(delivery.audios)
            if order.track is None  # what the ladder was designed with is the film's own sound
        ]
        scores = _audio_tasks(ffmpeg, scenes, audios, pcm, delivery)
        tasks: list[Task] = [task for task in videos if not task.is_done(cache)]
        waiting = [task for task in scores if not task.is_done(cache)]
        if waiting:
            end_s = float(delivery.num_frames / info.fps)
            decode = _PcmTask(ffmpeg=ffmpeg, info=info, duration_s=end_s, path=pcm)
            for _ in run_all(workers, cache, [decode]):
                yield Progress(done=0, total=1, label=decode.label)
            tasks += waiting
        for done, task in enumerate(run_all(workers, cache, tasks), start=1):
            assert task is not None  # nobody asked for ticks
            yield Progress(done=done, total=len(tasks), label=task.label)
        for order, video in zip(delivery.videos, videos, strict=True):
            target = VideoTarget(
                codec=order.codec, width_px=order.width_px, height_px=order.height_px, target=order.name
            )
            entry = cache.require(video.key)
            rows += [video_row(info, target, scene, entry) for scene in scenes]
            frames_vmaf[order.name] = entry["values"][:, FRAME_METRICS.index("vmaf")]
        for audio in audios:
            times = packet_times(read_packets(audio.joined))
            rows += [audio_row(audio.target, s.scene, times, cache.require(s.key(audio))) for s in scores]
    weights_s = {str(i): weight for i, weight in enumerate(delivery.weights_s)}
    found = _predict(rows, {delivery.title: weights_s} if weights_s else {}, model)
    yield replace(found, frames_vmaf=frames_vmaf)


def _join(order: AudioOrder, folder: Path, ffmpeg: FFmpeg, path: Path) -> _DeliveredAudio:
    join_segments(folder, path)
    return _DeliveredAudio(
        name=order.name,
        stream_hash=_stream_hash(folder),
        ffmpeg_version=ffmpeg.version,
        # Its name stands where a probe has its target: rows are told apart by it.
        target=AudioTarget(codec=order.codec, channels=order.channels, target=order.name),
        joined=path,
    )


def _audio_tasks(
    ffmpeg: FFmpeg, scenes: Sequence[Scene], audios: Sequence[_DeliveredAudio], pcm: Path, delivery: Delivery
) -> list[_AudioScoreTask]:
    from abr_alloc.visqol.score import AUDIO_FEATURE_VERSION, visqol_version

    # The source, and how it is read, are part of a score, but not of the streams' own keys.
    source = f"{delivery.source_hash} {NORMALISATION} {delivery.audio_track or ''}"
    version = f"{AUDIO_FEATURE_VERSION} {visqol_version()} {source}"
    return [
        _AudioScoreTask(ffmpeg=ffmpeg, scene=scene, audios=tuple(audios), pcm=pcm, feature_version=version)
        for scene in scenes
    ]


def _predict(rows: list[dict[str, Any]], weights_s: Mapping[str, Mapping[str, float]], model: Model) -> Scores:
    from abr_alloc.visqol.score import AUDIO_FEATURE_VERSION

    versions = TableMetadata(
        video_feature_version=VIDEO_FEATURE_VERSION, audio_feature_version=AUDIO_FEATURE_VERSION, weights_s=weights_s
    )
    scenes = list(build_surfaces(FeatureTable(to_frame(rows), versions), model))
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
