"""The units of work by which renditions that exist are measured: each stores its own result, as those of `tasks.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from abr_alloc.audio_families import AUDIO_FAMILIES
from abr_alloc.errors import ToolFailedError, UnsupportedMediaError
from abr_alloc.measure.audio_finding import AudioFinding, find_audio, open_pcm
from abr_alloc.measure.audio_judges import audio_judge, comparison_version
from abr_alloc.measure.cache import Cache, cache_key
from abr_alloc.measure.looks import NORMALISATION, source_here
from abr_alloc.measure.rendition_score import score_rendition
from abr_alloc.measure.small_frames import SMALL_VERSION, SmallFrames, read_small_frames
from abr_alloc.measure.tasks import audio_score_key, packet_times, video_entry
from abr_alloc.measure.video import VIDEO_FEATURE_VERSION, FrameScores
from abr_alloc.measure.video_finding import FINDING_VERSION, VideoFinding, find_video
from abr_alloc.measure.vmaf_log import take_log
from abr_alloc.media.audio_encoding import read_pcm_bytes
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.normalise import video_chain
from abr_alloc.media.probe import MediaInfo, content_hash
from abr_alloc.media.scenes import Scene
from abr_alloc.media.sound import decode_audio
from abr_alloc.media.streams import read_stream_packets

__all__ = ["AudioRenditionTask", "FindVideoTask", "ScoreVideoTask", "SmallFramesTask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallFramesTask:
    """Make a source's frames small, once for all its renditions."""

    ffmpeg: FFmpeg
    info: MediaInfo
    source_hash: str

    @property
    def key(self) -> str:
        return cache_key(
            kind="small-frames",
            source=self.source_hash,
            ffmpeg=self.ffmpeg.version,
            version=[NORMALISATION, SMALL_VERSION],
            **self.info.stream_facts,
        )

    @property
    def label(self) -> str:
        return f"{self.info.path.name}: looking at every frame"

    @property
    def work(self) -> float:
        return 1.0

    def run(self, cache: Cache) -> None:
        with cache.work_dir() as work_dir, source_here(self.info, cache) as info:
            small, _ = read_small_frames(self.ffmpeg, info, video_chain(info), work_dir, in_full_range=False)
        cache.put(self.key, {"samples": small.samples})


@dataclass(frozen=True, slots=True, kw_only=True)
class FindVideoTask:
    """Find out what a video rendition is; returns a `VideoFinding`."""

    ffmpeg: FFmpeg
    info: MediaInfo
    source_hash: str
    small_key: str
    """Entry of the source's small frames."""
    name: str
    """Its label."""
    path: Path
    rendition_hash: str
    """SHA-256 of the rendition's file."""

    @property
    def key(self) -> str:
        return cache_key(
            kind="found-video",
            small=self.small_key,
            rendition=self.rendition_hash,
            ffmpeg=self.ffmpeg.version,
            version=FINDING_VERSION,
        )

    @property
    def label(self) -> str:
        return f"{self.name}: finding its frames in the source"

    @property
    def work(self) -> float:
        return 1.0

    def run(self, cache: Cache) -> VideoFinding:
        found = cache.get(self.key)
        if found is not None:
            return VideoFinding.from_json(str(found["finding"]))
        small = SmallFrames(samples=cache.require(self.small_key)["samples"])
        with cache.work_dir() as work_dir:
            try:
                finding = find_video(
                    self.ffmpeg, self.info, small, self.path, work_dir, max_pixels=self.info.max_pixels
                )
            except ToolFailedError as error:
                raise UnsupportedMediaError(
                    f"{self.path} cannot be decoded ({error}); give an intact copy", path=str(self.path)
                ) from error
        cache.put(self.key, {"finding": np.array(finding.to_json())})
        return finding


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreVideoTask:
    """Score a video rendition over spans of its source."""

    ffmpeg: FFmpeg
    info: MediaInfo
    source_hash: str
    num_source: int
    """Frames of the source."""
    name: str
    path: Path
    rendition_hash: str
    finding: VideoFinding
    spans: tuple[tuple[int, int], ...]
    """First source frame and the first one after of what is scored; both have all of it."""
    vmaf_log: Path | None = None
    """A log that is taken instead, once a sample of frames agrees; None to score all."""

    @property
    def key(self) -> str:
        finding = self.finding
        return cache_key(
            kind="measured-video",
            source=self.source_hash,
            normalisation=NORMALISATION,
            rendition=self.rendition_hash,
            ffmpeg=self.ffmpeg.version,
            features=VIDEO_FEATURE_VERSION,
            placed=[finding.by_times, finding.step, finding.offset, finding.first, finding.last],
            meant=[finding.in_full_range, finding.matrix],
            spans=self.spans,
            log=None if self.vmaf_log is None else content_hash(self.vmaf_log),
            version=FINDING_VERSION,
            **self.info.stream_facts,
        )

    @property
    def label(self) -> str:
        return f"{self.name}: scoring"

    @property
    def work(self) -> float:
        """Rough seconds of one core: libvmaf goes with the source's pixels."""
        frames = sum(last - first for first, last in self.spans)
        return frames * 25e-9 * self.info.width_px * self.info.height_px

    def is_done(self, cache: Cache) -> bool:
        return cache.has(self.key)

    def run(self, cache: Cache) -> None:
        packets = read_stream_packets(self.path, self.finding.index)
        with source_here(self.info, cache) as info:
            scores = self._score(cache, info, self.spans) if self.vmaf_log is None else self._take_log(cache, info)
        cache.put(self.key, video_entry(scores, self.finding.sizes(packets, info.fps)))

    def _score(self, cache: Cache, info: MediaInfo, spans: Sequence[tuple[int, int]]) -> FrameScores:
        with cache.work_dir() as work_dir:
            return score_rendition(self.ffmpeg, info, self.num_source, self.path, self.finding, spans, work_dir)

    def _take_log(self, cache: Cache, info: MediaInfo) -> FrameScores:
        """What a log has for the spans; its frames are those that both files have, in order."""
        first, log = self.finding.first, self.vmaf_log
        assert log is not None

        def score_spans(spans: Sequence[tuple[int, int]]) -> FrameScores:
            return self._score(cache, info, [(first + a, first + b) for a, b in spans])

        scores = take_log(log, score_spans, self.finding.last - first)
        values = [scores.values[a - first : b - first] for a, b in self.spans]
        return replace(scores, values=np.concatenate(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioRenditionTask:
    """Find out where an audio rendition lies and compare it with its source, scene by scene; returns `AudioFinding`."""

    ffmpeg: FFmpeg
    info: MediaInfo
    source_hash: str
    name: str
    path: Path
    rendition_hash: str
    duration_s: float
    """Length of the title, seconds."""
    scenes: tuple[Scene, ...]
    family: str
    """Family of audio features that is measured."""

    @property
    def key(self) -> str:
        """Entry of what it is, and of its packets."""
        return cache_key(
            kind="measured-audio",
            source=self.source_hash,
            normalisation=NORMALISATION,
            rendition=self.rendition_hash,
            ffmpeg=self.ffmpeg.version,
            duration_s=round(self.duration_s, 6),
            version=FINDING_VERSION,
            **self.info.stream_facts,
        )

    def score_key(self, scene: Scene) -> str:
        """Entry of its comparison over a scene."""
        return audio_score_key(self.key, scene, comparison_version(self.family))

    @property
    def label(self) -> str:
        return f"{self.name}: comparing the sound"

    @property
    def work(self) -> float:
        """Rough seconds of one core: the comparison, and finding out where it lies."""
        return (0.03 + AUDIO_FAMILIES[self.family].cost) * self.duration_s

    def is_done(self, cache: Cache) -> bool:
        return cache.has(self.key) and all(cache.has(self.score_key(scene)) for scene in self.scenes)

    def run(self, cache: Cache) -> AudioFinding:
        if self.is_done(cache):
            return AudioFinding.from_json(str(cache.require(self.key)["finding"]))
        with cache.work_dir() as work_dir:
            source_pcm, own_pcm = work_dir / "source.f32", work_dir / "rendition.f32"
            with source_here(self.info, cache) as info:
                decode_audio(info, self.duration_s, source_pcm)
                finding, packets = find_audio(self.ffmpeg, info, source_pcm, self.duration_s, self.path, own_pcm)
            for scene in self.scenes:
                self._compare(cache, scene, finding, source_pcm, own_pcm)
        times = packet_times(packets)
        times["start_s"] = times["start_s"] - finding.shift_samples / SAMPLE_RATE_HZ
        cache.put(self.key, {"finding": np.array(finding.to_json()), **times})
        return finding

    def _compare(self, cache: Cache, scene: Scene, finding: AudioFinding, source_pcm: Path, own_pcm: Path) -> None:
        key = self.score_key(scene)
        if cache.has(key):
            return
        start_s, end_s = max(scene.start_s, finding.first_s), min(scene.end_s, finding.last_s)
        judge = audio_judge(self.family, _samples(open_pcm(source_pcm), start_s, end_s, 0))
        if finding.is_plain:
            raw = read_pcm_bytes(self.ffmpeg, self.path, finding.channels, start_s, end_s)
            degraded: Any = np.frombuffer(raw, dtype="<f4").reshape(-1, 2)
        else:
            degraded = _samples(open_pcm(own_pcm), start_s, end_s, finding.shift_samples).astype(np.float32)
        cache.put(key, judge(degraded))


def _samples(samples: npt.NDArray[np.float32], start_s: float, end_s: float, shift: int) -> npt.NDArray[np.float64]:
    """A span of a sound, shape (T, 2), from so many samples later; silence where it has none."""
    first, last = round(start_s * SAMPLE_RATE_HZ) + shift, round(end_s * SAMPLE_RATE_HZ) + shift
    found = samples[max(0, first) : max(0, last)].astype(np.float64)
    return np.pad(found, ((max(0, -first), max(0, last - max(first, 0) - len(found))), (0, 0)))
