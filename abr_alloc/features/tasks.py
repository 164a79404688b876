"""The units of work of an extraction: each names its cache entry, can run anywhere, and stores its own result.

A task holds all that determines its result, so its key is the hash of its fields and of the versions of the tools.
Running one twice gives the same entry; killing one leaves no entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from abr_alloc.errors import MediaError
from abr_alloc.features.cache import Cache, cache_key
from abr_alloc.features.video import VIDEO_FEATURE_VERSION, measure_video
from abr_alloc.media.coding import GOP_S, SAMPLE_RATE_HZ
from abr_alloc.media.encode import decode_audio, encode_audio, encode_video, read_pcm_bytes
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import AudioTarget, VideoTarget
from abr_alloc.media.probe import MediaInfo, read_packets
from abr_alloc.media.scenes import SCDET_THRESHOLD, Scene, find_cuts

__all__ = ["AudioEncodeTask", "AudioScoreTask", "PcmTask", "ScanTask", "ScoredAudio", "Task", "VideoTask"]


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


class Task(Protocol):
    """What the pool runs."""

    @property
    def label(self) -> str:
        """What a person reads while it runs."""
        ...

    def is_done(self, cache: Cache) -> bool:
        """Whether its result is in the cache."""
        ...

    def run(self, cache: Cache) -> None:
        """Do the work and store the result."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanTask:
    """Count a source's frames and find its cuts."""

    ffmpeg: FFmpeg
    info: MediaInfo
    source_hash: str

    @property
    def key(self) -> str:
        return cache_key(
            kind="scan", source=self.source_hash, ffmpeg=self.ffmpeg.version, threshold=SCDET_THRESHOLD, version=1
        )

    @property
    def label(self) -> str:
        return f"{self.info.path.name}: looking for cuts"

    def is_done(self, cache: Cache) -> bool:
        return cache.has(self.key)

    def run(self, cache: Cache) -> None:
        with cache.work_dir() as work_dir:
            num_frames, cuts = find_cuts(self.ffmpeg, self.info, work_dir)
        cache.put(self.key, {"num_frames": num_frames, "cuts": np.array(cuts, dtype=np.int64)})


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTask:
    """Encode one video rendition of a whole title and score every frame of it."""

    ffmpeg: FFmpeg
    info: MediaInfo
    source_hash: str
    target: VideoTarget
    num_frames: int
    keep_encode: bool

    @property
    def key(self) -> str:
        return cache_key(
            kind="video",
            source=self.source_hash,
            target=self.target,
            gop_s=GOP_S,
            ffmpeg=self.ffmpeg.version,
            features=VIDEO_FEATURE_VERSION,
        )

    @property
    def label(self) -> str:
        target = self.target
        return f"{self.info.path.name}: {target.codec} {target.width_px}x{target.height_px} {target.target}"

    def _kept(self, cache: Cache) -> Path:
        target = self.target
        name = f"{target.codec}-{target.width_px}x{target.height_px}-{target.target}-{target.preset}"
        return cache.kept_path(self.info.path, self.source_hash, name)

    def is_done(self, cache: Cache) -> bool:
        return cache.has(self.key) and (not self.keep_encode or self._kept(cache).is_file())

    def run(self, cache: Cache) -> None:
        encode = cache.encodes / f"{self.key}.mp4"
        if not encode.is_file():
            encode_video(self.ffmpeg, self.info, self.target, encode)
        packets = read_packets(encode)
        if len(packets.size_bytes) != self.num_frames:
            raise MediaError(
                f"{self.info.path}: the {self.target.codec} encode {self.target.target} has {len(packets.size_bytes)} "
                f"frames but the source {self.num_frames}; please report this source",
                path=str(self.info.path),
            )
        with cache.work_dir() as work_dir:
            scores = measure_video(self.ffmpeg, self.info, encode, self.num_frames, work_dir)
        cache.put(
            self.key,
            {
                "values": scores.values,
                "size_bytes": packets.size_bytes,
                "libvmaf_version": np.array(scores.libvmaf_version),
            },
        )
        if self.keep_encode:
            _move(encode, self._kept(cache))
        encode.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PcmTask:
    """Decode a title's audio once, to raw PCM that every audio encode and comparison reads."""

    ffmpeg: FFmpeg
    info: MediaInfo
    duration_s: float
    path: Path

    @property
    def label(self) -> str:
        return f"{self.info.path.name}: decoding audio"

    def is_done(self, cache: Cache) -> bool:
        return self.path.is_file()

    def run(self, cache: Cache) -> None:
        decode_audio(self.ffmpeg, self.info, self.duration_s, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioEncodeTask:
    """Encode one audio rendition of a whole title."""

    ffmpeg: FFmpeg
    info: MediaInfo
    source_hash: str
    target: AudioTarget
    duration_s: float
    pcm: Path

    @property
    def key(self) -> str:
        return cache_key(
            kind="audio",
            source=self.source_hash,
            target=self.target,
            ffmpeg=self.ffmpeg.version,
            duration_s=round(self.duration_s, 6),
            fdk="libfdk_aac" in self.ffmpeg.encoders,
            version=1,
        )

    @property
    def label(self) -> str:
        return f"{self.info.path.name}: {self.target.codec} {self.target.target}"

    def encode(self, cache: Cache) -> Path:
        """Where the encode lies while it is needed."""
        return cache.encodes / f"{self.key}.mp4"

    def is_done(self, cache: Cache) -> bool:
        return cache.has(self.key) and self.encode(cache).is_file()

    def _kept(self, cache: Cache) -> Path:
        name = f"{self.target.codec}-{self.target.channels}ch-{self.target.target}"
        return cache.kept_path(self.info.path, self.source_hash, name)

    def is_stored(self, cache: Cache, *, keep: bool) -> bool:
        """Whether its packets are in the cache and, if encodes are kept, the encode is too."""
        return cache.has(self.key) and (not keep or self._kept(cache).is_file())

    def release(self, cache: Cache, *, keep: bool) -> None:
        """Move the encode to where it is kept, or remove it."""
        encode = self.encode(cache)
        if keep and encode.is_file():
            _move(encode, self._kept(cache))
        encode.unlink(missing_ok=True)

    def run(self, cache: Cache) -> None:
        encode = self.encode(cache)
        encode_audio(self.ffmpeg, self.pcm, self.target, encode)
        packets = read_packets(encode)
        cache.put(
            self.key,
            {"start_s": packets.start_s, "duration_s": packets.duration_s, "size_bytes": packets.size_bytes},
        )


class ScoredAudio(Protocol):
    """An encoded audio rendition of a title, wherever it comes from."""

    @property
    def key(self) -> str:
        """What determines its bytes."""
        ...

    @property
    def target(self) -> AudioTarget:
        """What it is."""
        ...

    def encode(self, cache: Cache) -> Path:
        """Where it lies."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioScoreTask:
    """Compare every audio rendition of one scene with the source: the source's side is prepared once."""

    ffmpeg: FFmpeg
    scene: Scene
    renditions: tuple[ScoredAudio, ...]
    pcm: Path
    feature_version: str

    @property
    def label(self) -> str:
        return f"{self.scene.title}: audio of scene {self.scene.index}"

    def key(self, rendition: ScoredAudio) -> str:
        """Entry of one rendition."""
        span = [round(self.scene.start_s, 6), round(self.scene.end_s, 6)]
        return cache_key(kind="audio-score", encode=rendition.key, span=span, features=self.feature_version)

    def is_done(self, cache: Cache) -> bool:
        return all(cache.has(self.key(rendition)) for rendition in self.renditions)

    def run(self, cache: Cache) -> None:
        from abr_alloc.features.audio import AudioReference  # compiled by numba: only where it is needed

        reference: AudioReference | None = None
        for rendition in self.renditions:
            key = self.key(rendition)
            if cache.has(key):
                continue
            if reference is None:
                reference = AudioReference(self._source_samples())
            encode = rendition.encode(cache)
            raw = read_pcm_bytes(self.ffmpeg, encode, rendition.target.channels, self.scene.start_s, self.scene.end_s)
            score = reference.score(np.frombuffer(raw, dtype="<f4").reshape(-1, 2))
            cache.put(
                key,
                {"visqol_mos": score.visqol_mos, "audio_mos": score.audio_mos, "audio_features": score.features},
            )

    def _source_samples(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """The scene's samples of the source, shape (T, 2), full scale 1."""
        first, last = round(self.scene.start_s * SAMPLE_RATE_HZ), round(self.scene.end_s * SAMPLE_RATE_HZ)
        samples = np.memmap(self.pcm, dtype="<i2", mode="r").reshape(-1, 2)
        return samples[first:last].astype(np.float64) / 32768.0
