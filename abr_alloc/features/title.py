"""One title's measurement: which tasks it takes, in which order, and the rows that come of them.

It hands out tasks and is told as each finishes; what follows from a finished task (a scan gives the frames that
everything else is about) is handed out then. Who runs the tasks, and beside which other titles, is not known here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from abr_alloc.errors import MediaError, UnsupportedMediaError
from abr_alloc.features.cache import Cache
from abr_alloc.features.rows import audio_row, video_row
from abr_alloc.features.tasks import AudioTask, LookTask, ScanTask, Title, VideoTask
from abr_alloc.features.video import FRAME_METRICS
from abr_alloc.media.encode import check_encoders
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import Grid
from abr_alloc.media.part import Part
from abr_alloc.media.scenes import MIN_SCENE_S, Scene, split_scenes

__all__ = ["ExtractOptions", "TitleMeasurement"]

logger = logging.getLogger(__name__)

_AUDIO_ONLY_FPS = Fraction(100)
_PLAUSIBLE_VMAF = 80.0
_FINE_CRF = 24.0

TitleTask = LookTask | ScanTask | VideoTask | AudioTask


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
    keep_encodes: bool = False
    """Leave the encodes in the cache."""


class TitleMeasurement:
    """Everything that is to be measured of one title.

    `begin` gives the first task; `go_on` takes each as it has finished and gives what comes next. When nothing that
    was handed out is unfinished, `rows` has the title's rows.
    """

    def __init__(self, name: str, path: Path, ffmpeg: FFmpeg, cache: Cache, options: ExtractOptions) -> None:
        self.name, self.path = name, path
        self._ffmpeg, self._cache, self._options = ffmpeg, cache, options
        self.work: float | None = None
        """Rough seconds of one core that its measurements take; None as long as nobody knows."""
        self.done_work = 0.0
        """Seconds of them that are done."""
        self.libvmaf_version = ""
        self._videos: list[VideoTask] = []
        self._audios: list[AudioTask] = []

    @property
    def title(self) -> Title:
        """The source after the first look."""
        return self._title

    def begin(self) -> LookTask:
        """The first look."""
        return LookTask(name=self.name, path=self.path)

    def go_on(self, task: TitleTask, result: Any) -> Sequence[TitleTask]:
        """What comes after a task that has finished.

        Raises:
            UnsupportedMediaError: the source is not what the options need.
            ToolMissingError: an encoder is missing.
            GridError: the grid does not serve the codecs asked for.
        """
        if isinstance(task, LookTask):
            self._title = _checked(result, self._options)
            check_encoders(self._ffmpeg, *self._targets())
            if self._options.audio_only:
                return self._measure(int(self._title.info.duration_s * _AUDIO_ONLY_FPS), [], _AUDIO_ONLY_FPS)
            scan = self._scan()
            return [scan] if self._cache.get(scan.key) is None else self.go_on(scan, None)
        if isinstance(task, ScanTask):
            found = self._cache.require(task.key)
            return self._measure(int(found["num_frames"]), found["cuts"].tolist(), self._title.info.fps)
        self.done_work += task.work
        return []

    def _targets(self) -> Any:
        info, options = self._title.info, self._options
        video = [] if options.audio_only else options.grid.video(info, options.video_codec, options.preset)
        return video, options.grid.audio(info, options.audio_codecs)

    def _scan(self) -> ScanTask:
        return ScanTask(ffmpeg=self._ffmpeg, info=self._title.info, source_hash=self._title.source_hash)

    def _measure(self, num_frames: int, cuts: Sequence[int], fps: Fraction) -> Sequence[VideoTask | AudioTask]:
        """The measurements that are not in the cache, long ones first: an even end."""
        from abr_alloc.features.audio import AUDIO_FEATURE_VERSION, visqol_version

        options = self._options
        kept = cuts if options.detect_scenes else []
        scenes = split_scenes(self.name, num_frames, kept, fps, max_scene_s=options.max_scene_s)
        parts: list[tuple[Part, list[Scene]]] = [(Part.whole(num_frames), scenes)]
        video, audio = self._targets()
        shared: dict[str, Any] = {
            "ffmpeg": self._ffmpeg,
            "info": self._title.info,
            "source_hash": self._title.source_hash,
            "keep_encode": options.keep_encodes,
        }
        self._scenes = dict(parts)
        self._videos = [VideoTask(**shared, target=target, part=part) for target in video for part, _ in parts]
        self._audios = [
            AudioTask(
                **shared,
                targets=tuple(audio),
                part=part,
                fps=float(fps),
                duration_s=part.duration_s(fps),
                scenes=tuple(scenes),
                feature_version=f"{AUDIO_FEATURE_VERSION} {visqol_version()}",
            )
            for part, scenes in parts
        ]
        tasks: list[VideoTask | AudioTask] = [*self._videos, *self._audios]
        waiting = [task for task in tasks if not task.is_done(self._cache)]
        self.work = sum(task.work for task in waiting)
        counts = (self.name, len(scenes), len(tasks) - len(waiting), len(tasks))
        logger.info("%s: %d scenes; %d of %d measurements are in the cache", *counts)
        return sorted(waiting, key=lambda task: task.work, reverse=True)

    def rows(self) -> list[dict[str, Any]]:
        """The title's rows, from the cache.

        Raises:
            MediaError: an entry is damaged, or a measurement cannot be right.
        """
        rows = []
        for video in self._videos:
            entry = self._cache.require(video.key)
            self.libvmaf_version = str(entry["libvmaf_version"])
            self._check_plausible(video, entry["values"])
            rows += [
                video_row(video.info, video.target, scene, entry, first_frame=video.part.first_frame)
                for scene in self._scenes[video.part]
            ]
        for audio in self._audios:
            for target in audio.targets:
                packets = self._cache.require(audio.encode_key(target))
                for scene in audio.scenes:
                    entry = self._cache.require(audio.score_key(target, scene))
                    rows.append(audio_row(target, scene, packets, entry, part_start_s=audio.start_s))
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


def _checked(title: Title, options: ExtractOptions) -> Title:
    """Refuse a source that has not what the options need; tell what is done to one that is odd."""
    info = title.info
    path = str(info.path)
    if not info.has_video and not options.audio_only:
        raise UnsupportedMediaError(
            f"{path} has no video track; give a file with video and audio, or use --audio-only", path=path
        )
    if not info.has_audio:
        raise UnsupportedMediaError(
            f"{path} has no audio track, and a plan needs audio and video; mux one in (silence will do)", path=path
        )
    if options.audio_only and info.duration_s < MIN_SCENE_S:
        raise UnsupportedMediaError(
            f"{path} declares {info.duration_s:.2f} s of audio; at least {MIN_SCENE_S:g} s are needed (raw streams "
            "declare none: put it into a container)",
            path=path,
        )
    if info.channels > 2:
        logger.warning("%s: %d audio channels are mixed down to stereo", path, info.channels)
    if info.interlaced:
        logger.warning("%s: interlaced video is deinterlaced", path)
    return title
