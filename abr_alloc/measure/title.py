"""One title's measurement: which tasks it takes, in which order, and the table that comes of them.

It hands out tasks and is told as each finishes; what follows from a finished task is handed out then: a scan gives the
frames that everything else is about, and where probes are chosen (`ExtractOptions.prober`) each round gives the next.
Who runs the tasks, and beside which other titles, is not known here.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from abr_alloc import defaults
from abr_alloc.encoder_settings import settings_of
from abr_alloc.encoders import AudioEncoder, VideoEncoder
from abr_alloc.measure.audio_judges import family_words
from abr_alloc.measure.cache import Cache
from abr_alloc.measure.checks import check_ranges, check_source
from abr_alloc.measure.heard_tracks import heard_surround, heard_tracks
from abr_alloc.measure.looks import LookTask, ScanTask, Title
from abr_alloc.measure.loud_tracks import LoudnessTask, loudness_of, loudness_task
from abr_alloc.measure.parts import plan_parts
from abr_alloc.measure.probe_chooser import ProbeChooser
from abr_alloc.measure.rows import audio_rows, to_frame, video_rows
from abr_alloc.measure.tasks import AudioTask
from abr_alloc.measure.video import VIDEO_FEATURE_VERSION
from abr_alloc.measure.video_tasks import VideoProbe, VideoTask, video_tasks
from abr_alloc.media.encoding import check_encoders
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import AudioTarget, Grid, VideoTarget
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MAX_PIXELS, MediaInfo
from abr_alloc.media.scenes import Scene, split_scenes
from abr_alloc.media.surround import surround_track
from abr_alloc.table.table import FeatureTable, TableMetadata

__all__ = ["ExtractOptions", "TitleMeasurement", "TitleTask"]

logger = logging.getLogger(__name__)

_AUDIO_ONLY_FPS = Fraction(100)
_AUDIO_MARGIN_S = 0.5

Measurement = VideoTask | AudioTask | LoudnessTask
TitleTask = LookTask | ScanTask | Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractOptions:
    """How to measure."""

    grid: Grid
    """Renditions to probe."""
    video_codec: str | None = None
    """Video codec to probe; None for the grid's own choice, H.264 where it makes none."""
    video_encoders: tuple[str, ...] = ()
    """Video encoders of the grid to probe; empty for those of the codec."""
    audio_codecs: tuple[str, ...] = ()
    """Audio codecs and encoders of the grid to probe; empty for the grid's own choice."""
    surround_codecs: tuple[str, ...] = ()
    """Audio codecs and encoders of the grid to probe in 5.1 besides, where a source has it; empty for none."""
    preset: str | None = None
    """Preset of a video codec's usual encoder; None for its default."""
    detect_scenes: bool = True
    """Cut titles into scenes; False for one scene per title."""
    max_scene_s: float | None = None
    """Cut longer scenes evenly, seconds."""
    audio_features: str = defaults.AUDIO_FEATURES
    """Family of audio features that is measured, by name."""
    audio_only: bool = False
    """Measure the audio alone: material for training, not for plans."""
    keep_encodes: bool = False
    """Leave the encodes in the cache."""
    digest_s: float | None = None
    """Of titles longer than `digest_above_s`, measure only so many seconds (see `digest.py`); None for all of them."""
    digest_above_s: float = 0.0
    """Titles up to this length are measured whole, seconds."""
    prober: ProbeChooser | None = None
    """Chooses the video renditions that are probed; None for every one of the grid."""
    audio_track: int | None = None
    """Number of the audio track that is measured, from 1; None to choose by what the file says."""
    further_tracks: tuple[int, ...] = ()
    """Numbers of audio tracks that are measured, too."""
    max_pixels: int = MAX_PIXELS
    """Larger pictures are refused, pixels."""
    tone_map: str = ""
    """How HDR sources are made SDR, one of `TONE_MAPS`; empty to measure them as they are."""


class TitleMeasurement:
    """Everything that is to be measured of one title.

    `begin` gives the first task; `go_on` takes each as it has finished and gives what comes next. When nothing that
    was handed out is unfinished, `table` has the title's rows. Video comes in as few tasks as keep `spread` workers
    busy; what a probe is, and what a task makes of several, is in `video_tasks.py`.
    """

    def __init__(
        self, name: str, path: Path, ffmpeg: FFmpeg, cache: Cache, options: ExtractOptions, *, spread: int = 1
    ) -> None:
        self.name, self.path = name, path
        self._ffmpeg, self._cache, self._options, self._spread = ffmpeg, cache, options, spread
        self.work: float | None = None
        """Rough seconds of one core that its measurements take; None as long as nobody knows."""
        self.done_work = 0.0
        """Seconds of them that are done."""
        self._weights_s: dict[str, float] = {}
        self._videos: dict[VideoTarget, list[VideoProbe]] = {}
        self._rows: dict[VideoTarget | AudioTask, list[dict[str, Any]]] = {}  # read from the cache once
        self._libvmaf_version = ""
        self._audios: list[AudioTask] = []
        self._loudness: LoudnessTask | None = None
        self._num_open = 0  # measurements handed out and not finished

    def begin(self) -> LookTask:
        """The first look."""
        options = self._options
        return LookTask(
            name=self.name,
            path=self.path,
            ffmpeg=self._ffmpeg,
            audio_track=options.audio_track,
            max_pixels=options.max_pixels,
            with_picture=not options.audio_only,
        )

    def go_on(self, task: TitleTask, result: Any) -> Sequence[TitleTask]:
        """What comes after a task that has finished.

        Raises:
            UnsupportedMediaError: the source is not what the options need.
            ToolMissingError: an encoder is missing.
            GridError: the grid does not serve the codecs asked for.
        """
        if isinstance(task, LookTask):
            return self._after_look(result)
        if isinstance(task, ScanTask):
            return self._after_scan(self._cache.require(task.key))
        self.done_work += task.work
        self._num_open -= 1
        return [] if self._num_open else self._next_round()

    def _after_look(self, title: Title) -> Sequence[TitleTask]:
        options, info = self._options, title.info
        self._title = title
        self._surround = surround_track(info)
        check_source(info, self._surround, audio_only=options.audio_only, asks_surround=bool(options.surround_codecs))
        names = options.grid.choose_video(options.video_encoders, options.video_codec)
        self._candidates = [] if options.audio_only else options.grid.video(info, names, options.preset)
        self._audio_targets: Sequence[AudioTarget] = options.grid.audio(info, options.audio_codecs)
        self._surround_targets = options.grid.surround(options.surround_codecs) if self._surround else []
        check_ranges(self._shown_info, self._candidates)
        check_encoders(self._ffmpeg, self._candidates, [*self._audio_targets, *self._surround_targets])
        if options.audio_only:
            self._fps, num_frames = _AUDIO_ONLY_FPS, int(info.duration_s * _AUDIO_ONLY_FPS)
            scenes = split_scenes(self.name, num_frames, [], self._fps, max_scene_s=options.max_scene_s)
            return self._measure({Part.whole(num_frames): scenes})
        self._fps = info.fps
        wanted = options.digest_s is not None and info.duration_s > options.digest_above_s
        scan = ScanTask(ffmpeg=self._ffmpeg, info=info, source_hash=title.source_hash, with_complexity=wanted)
        self._scan_key = scan.key
        found = self._cache.get(scan.key)
        return [scan] if found is None else self._after_scan(found)

    def _after_scan(self, scan: dict[str, Any]) -> Sequence[TitleTask]:
        options, num_frames = self._options, int(scan["num_frames"])
        for note in scan["notes"]:
            logger.warning("%s: %s", self._title.info.path, note)
        self._set_channels(int(scan["channels"]))
        self._title_s = float(num_frames / self._fps)
        parts, self._weights_s = plan_parts(
            self.name,
            scan,
            self._fps,
            detect_scenes=options.detect_scenes,
            max_scene_s=options.max_scene_s,
            digest_s=options.digest_s,
        )
        return self._measure(parts)

    def _set_channels(self, channels: int) -> None:
        """A track that is mono first and stereo later is stereo."""
        info = self._title.info
        if min(info.channels, 2) < channels:
            self._title = replace(self._title, info=replace(info, channels=channels))
            self._audio_targets = self._options.grid.audio(self._title.info, self._options.audio_codecs)

    def _measure(self, parts: dict[Part, list[Scene]]) -> Sequence[TitleTask]:
        """The measurements that come first."""
        self._parts, prober = parts, self._options.prober
        self._heard = heard_tracks(self._title.info, self._options.further_tracks)
        self._around = heard_surround(self._heard)
        self._audios = [
            AudioTask(
                **(self._shared() | {"info": info}),
                targets=tuple(targets),
                is_scanned=info == self._title.info,
                part=part,
                start_s=start_s,
                duration_s=end_s - start_s,
                scenes=tuple(scenes),
                scan_key="" if part.is_whole else self._scan_key,
                family=self._options.audio_features,
            )
            for targets, heard in ((self._audio_targets, self._heard), (self._surround_targets, self._around))
            for info in (heard if targets else ())
            for part, scenes in parts.items()
            for start_s, end_s in [self._audio_span(part)]
        ]
        codecs = {target.codec for target in self._audio_targets}
        self._loudness = loudness_task(self._ffmpeg, self._title.info, self._title.source_hash, codecs)
        first = self._candidates if prober is None else prober.first_probes(self._candidates)
        probes, total = self._probe(first), len(self._audios) + len(parts) * len(first)
        heard: list[Measurement] = [task for task in self._audios if not task.is_done(self._cache)]
        logger.info(
            "%s: %d scenes; %d measurements to begin with, %d of them in the cache",
            *(self.name, sum(map(len, parts.values())), total, total - len(heard) - len(probes)),
        )
        if self._loudness is not None and not self._loudness.is_done(self._cache):
            heard.append(self._loudness)
        return self._open([*heard, *video_tasks(probes, self._spread)]) or self._next_round()

    def _audio_span(self, part: Part) -> tuple[float, float]:
        """What of the audio is encoded for a part, seconds: an encode's first frames are worse than others."""
        start_s, end_s = part.start_s(self._fps), part.start_s(self._fps) + part.duration_s(self._fps)
        if part.is_whole:
            return start_s, end_s
        return max(0.0, start_s - _AUDIO_MARGIN_S), min(self._title_s, end_s + _AUDIO_MARGIN_S)

    def _next_round(self) -> Sequence[TitleTask]:
        """The probes that follow from those measured; none where nobody chooses, or these are enough."""
        prober = self._options.prober
        while prober is not None and self._candidates:
            chosen = [t for t in prober.next_probes(self.table(), self._candidates) if t not in self._videos]
            if not chosen:
                break
            logger.info("%s: probing %s", self.name, ", ".join(f"{t.height_px}p {t.target}" for t in chosen))
            if probes := self._probe(chosen):
                return self._open(video_tasks(probes, self._spread))
        return []

    def _probe(self, targets: Sequence[VideoTarget]) -> list[VideoProbe]:
        """Probes of these renditions that are not in the cache."""
        shared = self._shared() | {"info": self._shown_info}
        for target in targets:
            self._videos[target] = [
                VideoProbe(**shared, target=target, part=part, scan_key="" if part.is_whole else self._scan_key)
                for part in self._parts
            ]
        return [probe for target in targets for probe in self._videos[target] if not probe.is_done(self._cache)]

    @property
    def _shown_info(self) -> MediaInfo:
        """The source as its picture is encoded and compared."""
        return self._title.info.toned(self._options.tone_map)

    def _shared(self) -> dict[str, Any]:
        return {
            "ffmpeg": self._ffmpeg,
            "info": self._title.info,
            "source_hash": self._title.source_hash,
            "keep_encode": self._options.keep_encodes,
        }

    def _open(self, waiting: Sequence[Measurement]) -> Sequence[Measurement]:
        """Measurements that are handed out now, long ones first: an even end."""
        self._num_open += len(waiting)
        self.work = (self.work or 0.0) + sum(task.work for task in waiting)
        return sorted(waiting, key=lambda task: task.work, reverse=True)

    def _encoders(self) -> list[VideoEncoder | AudioEncoder]:
        """What the rows were made with."""
        sounds = [*self._audio_targets, *self._surround_targets]
        found = [target.encoder for target in self._videos], [target.encoder for target in sounds]
        return list(dict.fromkeys(encoder for of in found for encoder in of if encoder is not None))

    def finished_table(self) -> FeatureTable:
        """As `table`, and where probes were chosen, with rows that are estimated."""
        prober = self._options.prober
        return self.table() if prober is None else prober.completed(self.table(), self._candidates)

    def table(self) -> FeatureTable:
        """The title's rows, from the cache.

        Raises:
            MediaError: an entry is damaged, or a measurement cannot be right.
        """
        rows = [row for target in self._videos for row in self._rows_of(target)]
        rows += [row for task in self._audios for row in self._rows_of(task)]
        grid = self._options.grid
        about = TableMetadata(
            video_feature_version=VIDEO_FEATURE_VERSION,
            libvmaf_version=self._libvmaf_version,
            **family_words(self._options.audio_features),
            ffmpeg_version=self._ffmpeg.version,
            grid=grid.name,
            grid_hash=hashlib.sha256(grid.text.encode()).hexdigest(),
            probes="all" if len(self._videos) == len(self._candidates) else "auto",
            source_hashes={self.name: self._title.source_hash},
            weights_s={self.name: self._weights_s} if self._weights_s else {},
            encoders={encoder.name: settings_of(encoder) for encoder in self._encoders()},
            loudness=loudness_of(self.name, self._loudness, self._cache),
            tone_maps={self.name: self._shown_info.tone_map} if self._shown_info.tone_map else {},
        )
        return FeatureTable(to_frame(rows), about)

    def _rows_of(self, measured: VideoTarget | AudioTask) -> list[dict[str, Any]]:
        if measured not in self._rows:
            if isinstance(measured, AudioTask):
                cells = {**self._heard, **self._around}[measured.info]
                self._rows[measured] = [{**row, **cells} for row in audio_rows(self._cache, measured)]
            else:
                found = video_rows(self._cache, self._videos[measured], self._parts)
                self._rows[measured], self._libvmaf_version = found
        return self._rows[measured]
