"""One title: which tasks measure it, what they cost, and the rows that come of them."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from abr_alloc.errors import MediaError
from abr_alloc.features.cache import Cache
from abr_alloc.features.pool import run_tasks
from abr_alloc.features.rows import audio_row, video_row
from abr_alloc.features.tasks import AudioEncodeTask, AudioScoreTask, PcmTask, ScanTask, Task, VideoTask
from abr_alloc.features.video import FRAME_METRICS
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import AudioTarget, Grid, VideoTarget
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.scenes import split_scenes

__all__ = ["ExtractOptions", "Title", "TitleMeasurement", "targets"]

logger = logging.getLogger(__name__)

_AUDIO_ONLY_FPS = Fraction(100)
_PLAUSIBLE_VMAF = 80.0
_FINE_CRF = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractOptions:
    """How to measure."""

    grid: Grid
    """Renditions to probe."""
    video_codec: str = "h264"
    """Video codec to probe."""
    audio_codecs: tuple[str, ...] = ()
    """Audio codecs to probe; empty for the grid's own choice."""
    preset: str | None = None
    """Video encoder preset; None for the codec's default."""
    detect_scenes: bool = True
    """Cut titles into scenes; False for one scene per title."""
    max_scene_s: float | None = None
    """Cut longer scenes evenly, seconds."""
    audio_only: bool = False
    """Measure the audio alone: material for training, not for plans."""
    jobs: int = 1
    """Worker processes."""
    keep_encodes: bool = False
    """Leave the encodes in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """One source after the first look."""

    name: str
    info: MediaInfo
    source_hash: str


def targets(info: MediaInfo, options: ExtractOptions) -> tuple[list[VideoTarget], list[AudioTarget]]:
    """Renditions to probe of one source."""
    video = [] if options.audio_only else options.grid.video(info, options.video_codec, options.preset)
    return video, options.grid.audio(info, options.audio_codecs)


class TitleMeasurement:
    """Everything that is to be measured of one title."""

    def __init__(self, title: Title, ffmpeg: FFmpeg, cache: Cache, options: ExtractOptions) -> None:
        self._title, self._ffmpeg, self._cache, self._options = title, ffmpeg, cache, options
        info, audio_only = title.info, options.audio_only
        scan = None if audio_only else cache.get(ScanTask(ffmpeg=ffmpeg, info=info, source_hash=title.source_hash).key)
        if scan is None and not audio_only:
            raise MediaError(f"the scan of {info.path} is damaged in the cache {cache.root}; run again")
        self._fps = _AUDIO_ONLY_FPS if audio_only else info.fps
        self._num_frames = int(scan["num_frames"]) if scan else int(info.duration_s * _AUDIO_ONLY_FPS)
        self._duration_s = float(self._num_frames / self._fps)
        cuts = scan["cuts"].tolist() if scan and options.detect_scenes else []
        self.scenes = split_scenes(title.name, self._num_frames, cuts, self._fps, max_scene_s=options.max_scene_s)
        self.libvmaf_version = ""
        video, audio = targets(info, options)
        self._pcm = cache.root / "work"  # replaced in `run`; no key depends on it
        shared: dict[str, Any] = {"ffmpeg": ffmpeg, "info": info, "source_hash": title.source_hash}
        self._videos = [
            VideoTask(**shared, target=target, num_frames=self._num_frames, keep_encode=options.keep_encodes)
            for target in video
        ]
        self._audio_targets, self._shared = audio, shared
        tasks: list[Task] = [*self._videos, *self._audio_tasks(self._pcm)[1]]
        costs = [self._cost(task) for task in tasks]
        self.work = sum(costs)
        counts = (title.name, len(self.scenes), costs.count(0.0), len(costs))
        logger.info("%s: %d scenes; %d of %d measurements are in the cache", *counts)

    def _audio_tasks(self, pcm: Path) -> tuple[list[AudioEncodeTask], list[AudioScoreTask]]:
        from abr_alloc.features.audio import AUDIO_FEATURE_VERSION, visqol_version

        encodes = [
            AudioEncodeTask(**self._shared, target=target, duration_s=self._duration_s, pcm=pcm)
            for target in self._audio_targets
        ]
        version = f"{AUDIO_FEATURE_VERSION} {visqol_version()}"
        scores = [
            AudioScoreTask(
                ffmpeg=self._ffmpeg, scene=scene, renditions=tuple(encodes), pcm=pcm, feature_version=version
            )
            for scene in self.scenes
        ]
        return encodes, scores

    def _cost(self, task: Task) -> float:
        """Rough seconds of one core that a task takes; 0 when it is done."""
        if task.is_done(self._cache):
            return 0.0
        if isinstance(task, VideoTask):
            # Encoding goes with the rendition's pixels, libvmaf with the source's.
            encode_px = task.target.width_px * task.target.height_px
            return self._num_frames * (25e-9 * task.info.width_px * task.info.height_px + 30e-9 * encode_px)
        if isinstance(task, AudioScoreTask):
            # ViSQOL's search over time makes a scene's cost grow faster than its length.
            seconds = task.scene.duration_s
            return len(task.renditions) * (0.25 * seconds + 0.025 * seconds * seconds)
        return 0.0

    def run(self, pool: ProcessPoolExecutor) -> Iterator[tuple[str, float]]:
        """Do what is not in the cache; yields what was finished and its cost."""
        with self._cache.work_dir() as work_dir:
            pcm = work_dir / "audio.s16"
            encodes, scores = self._audio_tasks(pcm)
            wanted = [task for task in scores if not task.is_done(self._cache)]
            keep = self._options.keep_encodes
            missing = [task for task in encodes if not task.is_stored(self._cache, keep=keep)]
            if wanted or missing:
                decode = PcmTask(ffmpeg=self._ffmpeg, info=self._title.info, duration_s=self._duration_s, path=pcm)
                first: list[Task] = [decode]
                then: list[Task] = [task for task in encodes if not task.is_done(self._cache)]
                for task in itertools.chain(run_tasks(pool, self._cache, first), run_tasks(pool, self._cache, then)):
                    yield task.label, 0.0
            tasks: list[Task] = [task for task in self._videos if not task.is_done(self._cache)]
            tasks += wanted
            costs = {id(task): self._cost(task) for task in tasks}
            tasks.sort(key=lambda task: costs[id(task)], reverse=True)  # long ones first: an even end
            for task in run_tasks(pool, self._cache, tasks):
                yield task.label, costs[id(task)]
            for task in encodes:
                task.release(self._cache, keep=keep)

    def rows(self) -> list[dict[str, Any]]:
        """The title's rows, from the cache."""
        rows = []
        encodes, scores = self._audio_tasks(self._pcm)
        for task in self._videos:
            entry = self._cache.require(task.key)
            self.libvmaf_version = str(entry["libvmaf_version"])
            self._check_plausible(task, entry["values"])
            rows += [video_row(task.info, task.target, scene, entry) for scene in self.scenes]
        packets = {encode.key: self._cache.require(encode.key) for encode in encodes}
        for score in scores:
            for encode in encodes:
                entry = self._cache.require(score.key(encode))
                rows.append(audio_row(encode.target, score.scene, packets[encode.key], entry))
        return rows

    def _check_plausible(self, task: VideoTask, values: Any) -> None:
        """A fine encode at the source's size that scores low means mis-paired frames, never a bad encoder."""
        target, info = task.target, self._title.info
        fine = target.target.startswith("crf=") and float(target.target[4:]) <= _FINE_CRF
        vmaf = float(values[:, FRAME_METRICS.index("vmaf")].mean())
        if fine and target.height_px == info.height_px and vmaf < _PLAUSIBLE_VMAF:
            raise MediaError(
                f"{info.path}: the {target.codec} encode {target.target} at the source's size scores VMAF {vmaf:.1f}, "
                "which no such encode does; its frames are mis-paired with the source's, please report this source",
                path=str(info.path),
            )
