"""Extraction: from source files to a feature table.

Sources are first looked at, all of them, so that a bad one is named before hours of work. Then each title is measured:
its audio is decoded once, every rendition is encoded once over the whole title, and features are cut per scene.
Everything that takes time is a task (see `tasks.py`) with an entry in the cache.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from abr_alloc.errors import MediaError, UnsupportedMediaError
from abr_alloc.features.cache import Cache
from abr_alloc.features.pool import run_tasks, worker_pool
from abr_alloc.features.table import COLUMNS, FeatureTable, TableMetadata
from abr_alloc.features.tasks import AudioEncodeTask, AudioScoreTask, PcmTask, ScanTask, Task, VideoTask
from abr_alloc.features.video import FRAME_METRICS, VIDEO_FEATURE_VERSION, frame_kbps, pool_scene
from abr_alloc.media.encode import check_encoders
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import Grid
from abr_alloc.media.probe import MediaInfo, content_hash, probe
from abr_alloc.media.scenes import Scene, split_scenes
from abr_alloc.units import mean_kbps

__all__ = ["ExtractOptions", "Progress", "extract"]

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
class Progress:
    """How far an extraction is."""

    done: float
    """Work done, in units of `total`."""
    total: float
    """All work, cached work not counted."""
    label: str
    """What was finished last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Title:
    """One source after the first look."""

    name: str
    info: MediaInfo
    source_hash: str


def extract(
    sources: Sequence[Path], ffmpeg: FFmpeg, cache: Cache, options: ExtractOptions
) -> Iterator[Progress | FeatureTable]:
    """Measure sources; yields progress and, last, the table.

    Raises:
        UnsupportedMediaError: a source is not a decodable audio-visual file; raised before any work.
        MediaError: an encode or a measurement failed.
        GridError: the grid does not serve the codecs asked for.
    """
    cache.remove_leftovers()
    titles = [_look(name, path, options) for name, path in _name_titles(sources)]
    for title in titles:
        video, audio = _targets(title.info, options)
        check_encoders(ffmpeg, video, audio)
    rows: list[dict[str, Any]] = []
    libvmaf_version = ""
    with worker_pool(max(1, options.jobs)) as pool:
        scans = [
            ScanTask(ffmpeg=ffmpeg, info=t.info, source_hash=t.source_hash) for t in titles if not options.audio_only
        ]
        waiting = [scan for scan in scans if not scan.is_done(cache)]
        for done, scan in enumerate(run_tasks(pool, cache, waiting), start=1):
            yield Progress(done=done, total=len(waiting), label=scan.label)
        measures = [_Measure(title, ffmpeg, cache, options) for title in titles]
        done_work, total = 0.0, sum(measure.work for measure in measures)
        for measure in measures:
            for label, work in measure.run(pool):
                done_work += work
                yield Progress(done=done_work, total=total, label=label)
            rows += measure.rows()
            libvmaf_version = libvmaf_version or measure.libvmaf_version
    from abr_alloc.features.audio import AUDIO_FEATURE_VERSION, visqol_version

    yield FeatureTable(
        _to_frame(rows),
        TableMetadata(
            video_feature_version=VIDEO_FEATURE_VERSION,
            audio_feature_version=AUDIO_FEATURE_VERSION,
            libvmaf_version=libvmaf_version,
            visqol_version=visqol_version(),
            ffmpeg_version=ffmpeg.version,
            grid=options.grid.name,
            grid_hash=hashlib.sha256(options.grid.text.encode()).hexdigest(),
            source_hashes={title.name: title.source_hash for title in titles},
        ),
    )


def _name_titles(sources: Sequence[Path]) -> list[tuple[str, Path]]:
    """A title's name is its file's stem; where two stems meet, the file's name.

    Raises:
        UnsupportedMediaError: two sources have the same file name.
    """
    stems = [path.stem for path in sources]
    names = [path.stem if stems.count(path.stem) == 1 else path.name for path in sources]
    for name, path in zip(names, sources, strict=True):
        if names.count(name) > 1:
            raise UnsupportedMediaError(
                f"two sources are named {name}, and a title's name is its file's; rename {path}", path=str(path)
            )
    return sorted(zip(names, sources, strict=True))


def _look(name: str, path: Path, options: ExtractOptions) -> _Title:
    info = probe(path)
    if not info.has_video and not options.audio_only:
        raise UnsupportedMediaError(
            f"{path} has no video track; give a file with video and audio, or use --audio-only", path=str(path)
        )
    if not info.has_audio:
        raise UnsupportedMediaError(
            f"{path} has no audio track, and a plan needs audio and video; mux one in (silence will do)",
            path=str(path),
        )
    if info.channels > 2:
        logger.warning("%s: %d audio channels are mixed down to stereo", path, info.channels)
    if info.interlaced:
        logger.warning("%s: interlaced video is deinterlaced", path)
    return _Title(name=name, info=info, source_hash=content_hash(path))


def _targets(info: MediaInfo, options: ExtractOptions) -> tuple[list[Any], list[Any]]:
    video = [] if options.audio_only else options.grid.video(info, options.video_codec, options.preset)
    return video, options.grid.audio(info, options.audio_codecs)


class _Measure:
    """Everything that is to be measured of one title."""

    def __init__(self, title: _Title, ffmpeg: FFmpeg, cache: Cache, options: ExtractOptions) -> None:
        self._title, self._ffmpeg, self._cache, self._options = title, ffmpeg, cache, options
        info, audio_only = title.info, options.audio_only
        scan = None if audio_only else cache.get(ScanTask(ffmpeg=ffmpeg, info=info, source_hash=title.source_hash).key)
        self._fps = _AUDIO_ONLY_FPS if audio_only else info.fps
        self._num_frames = int(scan["num_frames"]) if scan else int(info.duration_s * _AUDIO_ONLY_FPS)
        cuts = scan["cuts"].tolist() if scan and options.detect_scenes else []
        self.scenes = split_scenes(title.name, self._num_frames, cuts, self._fps, max_scene_s=options.max_scene_s)
        self.libvmaf_version = ""
        video, audio = _targets(info, options)
        self._pcm = cache.root / "work"  # replaced in `run`; no key depends on it
        shared: dict[str, Any] = {"ffmpeg": ffmpeg, "info": info, "source_hash": title.source_hash}
        self._videos = [
            VideoTask(**shared, target=target, num_frames=self._num_frames, keep_encode=options.keep_encodes)
            for target in video
        ]
        self._audio_targets, self._shared = audio, shared
        tasks: list[Task] = [*self._videos, *self._audio_tasks(self._pcm)[1]]
        self.work = sum(self._cost(task) for task in tasks)

    def _audio_tasks(self, pcm: Path) -> tuple[list[AudioEncodeTask], list[AudioScoreTask]]:
        from abr_alloc.features.audio import AUDIO_FEATURE_VERSION, visqol_version

        encodes = [AudioEncodeTask(**self._shared, target=target, pcm=pcm) for target in self._audio_targets]
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
            # Encoding goes with the rendition's pixels, libvmaf (25 ns a pixel) with the source's.
            encode_px = task.target.width_px * task.target.height_px
            return self._num_frames * (25e-9 * task.info.width_px * task.info.height_px + 15e-9 * encode_px)
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
            if wanted or not all(self._cache.has(task.key) for task in encodes):
                duration_s = float(self._num_frames / self._fps)
                decode = PcmTask(ffmpeg=self._ffmpeg, info=self._title.info, duration_s=duration_s, path=pcm)
                for task in itertools.chain(
                    run_tasks(pool, self._cache, [decode]),
                    run_tasks(pool, self._cache, [task for task in encodes if not task.is_done(self._cache)]),
                ):
                    yield task.label, 0.0
            tasks: list[Task] = [task for task in self._videos if not task.is_done(self._cache)]
            tasks += wanted
            costs = {id(task): self._cost(task) for task in tasks}
            tasks.sort(key=lambda task: costs[id(task)], reverse=True)  # long ones first: an even end
            for task in run_tasks(pool, self._cache, tasks):
                yield task.label, costs[id(task)]
            if not self._options.keep_encodes:
                for task in encodes:
                    task.encode(self._cache).unlink(missing_ok=True)

    def rows(self) -> list[dict[str, Any]]:
        """The title's rows, from the cache."""
        rows = []
        encodes, scores = self._audio_tasks(self._pcm)
        for task in self._videos:
            entry = self._entry(task.key)
            self.libvmaf_version = str(entry["libvmaf_version"])
            self._check_plausible(task, entry["values"])
            rows += [self._video_row(task, scene, entry) for scene in self.scenes]
        packets = {encode.key: self._entry(encode.key) for encode in encodes}
        for score in scores:
            for encode in encodes:
                entry = self._entry(score.key(encode))
                rows.append(self._audio_row(encode, score.scene, packets[encode.key], entry))
        return rows

    def _entry(self, key: str) -> dict[str, Any]:
        entry = self._cache.get(key)
        if entry is None:
            raise MediaError(
                f"entry {key} of the cache {self._cache.root} is damaged; delete that folder and run again"
            )
        return entry

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

    def _scene_columns(self, scene: Scene) -> dict[str, Any]:
        return {"title": scene.title, "scene": scene.index, "start_s": scene.start_s, "end_s": scene.end_s}

    def _video_row(self, task: VideoTask, scene: Scene, entry: dict[str, Any]) -> dict[str, Any]:
        target, frames = task.target, scene.frames(task.info.fps)
        return {
            **self._scene_columns(scene),
            "kind": "video",
            "codec": target.codec,
            "width_px": target.width_px,
            "height_px": target.height_px,
            "fps": float(task.info.fps),
            "target": target.target,
            "bitrate_kbps": frame_kbps(entry["size_bytes"], frames, task.info.fps),
            **pool_scene(entry["values"], frames),
        }

    def _audio_row(
        self, task: AudioEncodeTask, scene: Scene, packets: dict[str, Any], entry: dict[str, Any]
    ) -> dict[str, Any]:
        start, duration = packets["start_s"], packets["duration_s"]
        # A packet that straddles a cut counts for the part of it that lies inside.
        inside_s = np.minimum(start + duration, scene.end_s) - np.maximum(start, scene.start_s)
        share = np.clip(inside_s / np.maximum(duration, 1e-9), 0.0, 1.0)
        return {
            **self._scene_columns(scene),
            "kind": "audio",
            "codec": task.target.codec,
            "channels": task.target.channels,
            "target": task.target.target,
            "bitrate_kbps": mean_kbps(float(share @ packets["size_bytes"]), scene.duration_s),
            "visqol_mos": float(entry["visqol_mos"]),
            "audio_mos": float(entry["audio_mos"]),
            "audio_features": entry["audio_features"],
        }


def _to_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    for column in ("scene", "width_px", "height_px", "channels"):
        frame[column] = frame[column].astype("Int32")
    vectors = frame["audio_features"]
    frame["audio_features"] = vectors.astype(object).where(vectors.notna(), None)  # null, not NaN, on video rows
    order = ["title", "scene", "kind", "codec", "height_px", "bitrate_kbps", "target"]
    return frame.sort_values(order, kind="stable", ignore_index=True)
