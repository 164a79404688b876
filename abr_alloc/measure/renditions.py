"""Renditions that exist, measured against their source: what `extract` does, without an encode.

The source is looked at and scanned as for an extraction, so its scenes are the same. Every rendition is then found in
it by content, and what cannot be held against it exactly is refused by itself; the others are scored.
"""

from __future__ import annotations

import logging
import stat
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from abr_alloc import defaults
from abr_alloc.errors import AbrAllocError, MediaError, ToolMissingError, UnsupportedMediaError, VmafLogError
from abr_alloc.location import local_mode
from abr_alloc.measure.audio_finding import AudioFinding
from abr_alloc.measure.audio_judges import family_words
from abr_alloc.measure.cache import Cache
from abr_alloc.measure.checks import check_source
from abr_alloc.measure.existing_tasks import AudioRenditionTask, FindVideoTask, ScoreVideoTask, SmallFramesTask
from abr_alloc.measure.looks import LookTask, ScanTask, Title
from abr_alloc.measure.parts import Parts, plan_parts
from abr_alloc.measure.rendition_rows import audio_rows, rendition_facts, trimmed, video_rows
from abr_alloc.measure.rows import to_frame
from abr_alloc.measure.steps import Progress
from abr_alloc.measure.video import VIDEO_FEATURE_VERSION, libvmaf_version
from abr_alloc.measure.video_finding import VideoFinding
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MAX_PIXELS, content_hash
from abr_alloc.media.scenes import Scene
from abr_alloc.table.table import FeatureTable, TableMetadata
from abr_alloc.workers.task import Task, Workers

__all__ = ["FailedRendition", "MeasureOptions", "Rendition", "measure_renditions"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """A rendition to measure."""

    path: Path
    """Its file."""
    kind: str
    """`video` or `audio`: of a file that holds both, which one is meant."""
    label: str
    """What it is called: the `target` of its rows."""
    where: str = ""
    """What messages call its file."""
    vmaf_log: Path | None = None
    """libvmaf's log of it, taken instead of scoring; None for none."""

    @property
    def file(self) -> str:
        """The name of what the user gave."""
        return Path(self.where or self.path).name


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOptions:
    """How to measure; as `ExtractOptions` where they have the same names."""

    detect_scenes: bool = True
    """Cut the title into scenes; False for one scene."""
    max_scene_s: float | None = None
    """Cut longer scenes evenly, seconds."""
    digest_s: float | None = None
    """Of a title longer than `digest_above_s`, score only so many seconds; None for all of it."""
    digest_above_s: float = 0.0
    """Titles up to this length are measured whole, seconds."""
    scenes: tuple[Scene, ...] = ()
    """Scenes that another table has of the title, taken instead of looking for some; empty for none."""
    weights_s: tuple[tuple[str, float], ...] = ()
    """With them, where they are a digest: seconds of the title that each stands for."""
    source_hash: str = ""
    """With them: the source that they belong to."""
    audio_features: str = defaults.AUDIO_FEATURES
    """Family of audio features that is measured, by name."""
    audio_track: int | None = None
    """Number of the source's audio track, from 1; None to choose by what the file says."""
    max_pixels: int = MAX_PIXELS
    """Larger pictures are refused, pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRendition:
    """A rendition that could not be measured."""

    rendition: Rendition
    error: AbrAllocError
    """Why."""


def measure_renditions(
    name: str,
    source: Path,
    renditions: Sequence[Rendition],
    ffmpeg: FFmpeg,
    cache: Cache,
    options: MeasureOptions,
    workers: Workers,
) -> Generator[Progress | FailedRendition | FeatureTable, None, None]:
    """Measure renditions of a title; yields progress, each that fails, and last the table of the others.

    Args:
        name: the title.
        source: its file.
        renditions: what is to be measured; kind and label are of one only.
        ffmpeg: the program.
        cache: what was measured before is not measured again.
        options: how to measure.
        workers: who does the work.

    Raises:
        MediaError: the source cannot be measured, or the workers are lost.
        OutputError: the cache cannot be written.
    """
    cache.remove_leftovers()
    run = _Run(name, source, ffmpeg, cache, options, workers)
    yield from run.look()
    yield from run.measure(renditions)


class _Run:
    def __init__(
        self, name: str, source: Path, ffmpeg: FFmpeg, cache: Cache, options: MeasureOptions, workers: Workers
    ) -> None:
        self._name, self._source, self._options = name, source, options
        self._ffmpeg, self._cache, self._workers = ffmpeg, cache, workers
        self._done = self._total = 0.0
        self._owners: dict[int, Rendition] = {}
        self._videos: dict[Rendition, ScoreVideoTask] = {}
        self._audios: dict[Rendition, AudioFinding] = {}
        self._audio_tasks: dict[Rendition, AudioRenditionTask] = {}

    def look(self) -> Generator[Progress, None, None]:
        """What the source is, and its scenes."""
        options = self._options
        look = LookTask(
            name=self._name,
            path=self._source,
            ffmpeg=self._ffmpeg,
            audio_track=options.audio_track,
            max_pixels=options.max_pixels,
        )
        yield Progress(done=0.0, total=1.0, label=look.label)
        self._title: Title = look.run(self._cache)
        info = self._title.info
        check_source(info, audio_only=False, sdr_only=True)
        if options.source_hash and options.source_hash != self._title.source_hash:
            raise UnsupportedMediaError(
                f"{self._source} is not the file that title {self._name!r} of the given table was measured from; give "
                "that one, or leave the table out",
                path=str(self._source),
            )
        wanted = options.digest_s is not None and info.duration_s > options.digest_above_s and not options.scenes
        shared: dict[str, Any] = {"ffmpeg": self._ffmpeg, "info": info, "source_hash": self._title.source_hash}
        scan = ScanTask(**shared, with_complexity=wanted)
        self._small = SmallFramesTask(**shared)
        first: list[Task] = [task for task in (scan, self._small) if not self._cache.has(task.key)]
        for task in first:
            self._workers.submit(task, self._cache)
        for finished in self._workers.finished() if first else ():
            if finished is not None and finished.error is not None:
                raise finished.error
            if finished is not None:
                yield Progress(done=0.0, total=1.0, label=finished.task.label)
        found = self._cache.require(scan.key)
        for note in found["notes"]:
            logger.warning("%s: %s", info.path, note)
        self._num_frames = int(found["num_frames"])
        self._parts, self._weights_s = self._plan(found)

    def _plan(self, scan: dict[str, Any]) -> tuple[Parts, dict[str, float]]:
        options, fps = self._options, self._title.info.fps
        if options.scenes:
            scenes = [replace(scene, title=self._name) for scene in options.scenes]
            if options.weights_s:
                parts = {Part.of_scene(scene, fps, self._num_frames): [scene] for scene in scenes}
                return parts, dict(options.weights_s)
            return {Part.whole(self._num_frames): scenes}, {}
        return plan_parts(
            self._name,
            scan,
            fps,
            detect_scenes=options.detect_scenes,
            max_scene_s=options.max_scene_s,
            digest_s=options.digest_s,
        )

    def measure(
        self, renditions: Sequence[Rendition]
    ) -> Generator[Progress | FailedRendition | FeatureTable, None, None]:
        """Find, then score, every rendition."""
        scenes = tuple(scene for part in self._parts.values() for scene in part)
        for rendition in renditions:
            try:
                self._begin(rendition, scenes)
            except MediaError as error:
                yield _failed(rendition, error)
        for finished in self._workers.finished() if self._owners else ():
            assert finished is not None  # nobody asked for ticks
            rendition = self._owners.pop(id(finished.task))
            self._done += finished.task.work
            try:
                if finished.error is not None:
                    raise finished.error
                self._go_on(rendition, finished.task, finished.result, scenes)
            except AbrAllocError as error:
                if not isinstance(error, MediaError) or isinstance(error, ToolMissingError):
                    raise
                self._videos.pop(rendition, None)
                logger.info("%s failed: %s", rendition.label, error)
                yield _failed(rendition, error)
            yield Progress(done=self._done, total=max(self._total, self._done), label=finished.task.label)
        if self._videos or self._audios:
            yield self._table()

    def _begin(self, rendition: Rendition, scenes: tuple[Scene, ...]) -> None:
        try:
            rendition_hash = content_hash(rendition.path)
        except OSError as error:
            raise UnsupportedMediaError(
                f"{rendition.path} cannot be read: {error.strerror}", path=str(rendition.path)
            ) from error
        about: dict[str, Any] = {
            "ffmpeg": self._ffmpeg,
            "info": self._title.info,
            "source_hash": self._title.source_hash,
            "name": rendition.label,
            "path": rendition.path.absolute(),
            "rendition_hash": rendition_hash,
        }
        if rendition.kind == "video":
            self._submit(rendition, FindVideoTask(**about, small_key=self._small.key))
            return
        about |= {"duration_s": float(self._num_frames / self._title.info.fps), "scenes": scenes}
        task = AudioRenditionTask(**about, family=self._options.audio_features)
        self._audio_tasks[rendition] = task
        self._submit(rendition, task)

    def _submit(self, rendition: Rendition, task: Any) -> None:
        self._owners[id(task)] = rendition
        self._total += task.work
        self._workers.submit(task, self._cache)

    def _go_on(self, rendition: Rendition, task: Any, result: Any, scenes: Sequence[Scene]) -> None:
        """What a finished task leads to."""
        if isinstance(task, AudioRenditionTask):
            for scene in scenes:
                trimmed(scene, result.first_s, result.last_s, rendition.path)
            self._audios[rendition] = result
        elif isinstance(task, FindVideoTask):
            score = self._score(rendition, task, result, scenes)
            if rendition.vmaf_log is not None and not stat.S_ISREG(local_mode(rendition.vmaf_log)):
                raise VmafLogError(f"{rendition.vmaf_log} is not a file; check the path", path=str(rendition.vmaf_log))
            self._videos[rendition] = score
            if not score.is_done(self._cache):
                self._submit(rendition, score)

    def _score(
        self, rendition: Rendition, task: FindVideoTask, finding: VideoFinding, scenes: Sequence[Scene]
    ) -> ScoreVideoTask:
        fps = self._title.info.fps
        for scene in scenes:
            trimmed(scene, float(finding.first / fps), float(finding.last / fps), rendition.path)
        spans = tuple(
            (max(part.first_frame, finding.first), min(part.first_frame + part.num_frames, finding.last))
            for part in self._parts
        )
        return ScoreVideoTask(
            ffmpeg=self._ffmpeg,
            info=self._title.info,
            source_hash=self._title.source_hash,
            num_source=self._num_frames,
            name=rendition.label,
            path=task.path,
            rendition_hash=task.rendition_hash,
            finding=finding,
            spans=spans,
            vmaf_log=rendition.vmaf_log,
        )

    def _table(self) -> FeatureTable:
        rows: list[dict[str, Any]] = []
        facts: dict[str, dict[str, Any]] = {}
        for rendition, task in self._videos.items():
            rows += video_rows(self._cache, task, list(self._parts.values()))
            facts.setdefault(rendition.label, {})["video"] = rendition_facts(rendition.file, task.finding)
        for rendition, finding in self._audios.items():
            rows += audio_rows(self._cache, self._audio_tasks[rendition], finding)
            facts.setdefault(rendition.label, {})["audio"] = rendition_facts(rendition.file, finding)
        about = TableMetadata(
            video_feature_version=VIDEO_FEATURE_VERSION,
            libvmaf_version=libvmaf_version(self._ffmpeg),
            **family_words(self._options.audio_features),
            ffmpeg_version=self._ffmpeg.version,
            source_hashes={self._name: self._title.source_hash},
            weights_s={self._name: self._weights_s} if self._weights_s else {},
            renditions={self._name: facts},
        )
        return FeatureTable(to_frame(rows), about)


def _failed(rendition: Rendition, error: AbrAllocError) -> FailedRendition:
    """A failure in words about what the user named, not about a file of ours."""
    if rendition.where:
        error.args = tuple(
            word.replace(str(rendition.path.absolute()), rendition.where).replace(str(rendition.path), rendition.where)
            if isinstance(word, str)
            else word
            for word in error.args
        )
    return FailedRendition(rendition=rendition, error=error)
