"""The units of work of an extraction: each names its cache entries, can run anywhere, and stores its own result.

A task holds all that determines its result, so its key is the hash of its fields and of the versions of the tools.
Running one twice gives the same entries; killing one leaves no entry half done. None needs what another left on disk
but cache entries, so that they run on one machine or on many.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from abr_alloc.errors import MediaError
from abr_alloc.features.cache import Cache, cache_key
from abr_alloc.features.copies import local_copy
from abr_alloc.features.digest import COMPLEXITY_VERSION, measure_complexity
from abr_alloc.features.video import VIDEO_FEATURE_VERSION, measure_video
from abr_alloc.media.coding import GOP_S, SAMPLE_RATE_HZ
from abr_alloc.media.encode import decode_audio, encode_audio, encode_video
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import AudioTarget, VideoTarget
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo, content_hash, probe, read_packets
from abr_alloc.media.scenes import SCDET_THRESHOLD, Scene, scan_source

__all__ = ["AudioTask", "LookTask", "ScanTask", "Title", "VideoTask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """One source after the first look."""

    name: str
    info: MediaInfo
    source_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookTask:
    """Open a source: what it is, and the hash of its bytes. Returns a `Title`; the cache is not asked."""

    name: str
    path: Path

    @property
    def label(self) -> str:
        return f"{self.path.name}: looking"

    def run(self, cache: Cache) -> Title:
        with local_copy(self.path, cache.copies) as path:
            return Title(name=self.name, info=replace(probe(path), path=self.path), source_hash=content_hash(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanTask:
    """Count a source's frames and find its cuts; with `with_complexity`, see also how busy every second is."""

    ffmpeg: FFmpeg
    info: MediaInfo
    source_hash: str
    with_complexity: bool = False

    @property
    def key(self) -> str:
        return cache_key(
            kind="scan",
            source=self.source_hash,
            ffmpeg=self.ffmpeg.version,
            threshold=SCDET_THRESHOLD,
            version=1,
            **({"complexity": COMPLEXITY_VERSION} if self.with_complexity else {}),
        )

    @property
    def label(self) -> str:
        return f"{self.info.path.name}: looking for cuts"

    def run(self, cache: Cache) -> None:
        with cache.work_dir() as work_dir, _here(self.info, cache) as info:
            scan = scan_source(self.ffmpeg, info, work_dir)
            found = {"num_frames": scan.num_frames, "cuts": np.array(scan.cuts, dtype=np.int64)}
            if self.with_complexity:
                pcm = work_dir / "audio.s16"
                decode_audio(self.ffmpeg, info, float(scan.num_frames / info.fps), pcm)
                samples = np.memmap(pcm, dtype="<i2", mode="r").reshape(-1, 2)
                found["complexity"] = measure_complexity(scan, info.fps, samples, SAMPLE_RATE_HZ)
                del samples
        cache.put(self.key, found)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTask:
    """Encode one video rendition of a part of a title and score every frame of it."""

    ffmpeg: FFmpeg
    info: MediaInfo
    source_hash: str
    target: VideoTarget
    part: Part
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
            **self.part.facts,
        )

    @property
    def label(self) -> str:
        target = self.target
        return f"{self.info.path.name}: {target.codec} {target.width_px}x{target.height_px} {target.target}"

    def _kept(self, cache: Cache) -> Path:
        target = self.target
        name = f"{target.codec}-{target.width_px}x{target.height_px}-{target.target}-{target.preset}"
        return cache.kept_path(self.info.path, self.source_hash, name + _part_name(self.part))

    @property
    def work(self) -> float:
        """Rough seconds of one core: encoding goes with the rendition's pixels, libvmaf with the source's."""
        encode_px = self.target.width_px * self.target.height_px
        return self.part.num_frames * (25e-9 * self.info.width_px * self.info.height_px + 30e-9 * encode_px)

    def is_done(self, cache: Cache) -> bool:
        return cache.has(self.key) and (not self.keep_encode or self._kept(cache).is_file())

    def run(self, cache: Cache) -> None:
        with _here(self.info, cache) as info:
            self._run(cache, info)

    def _run(self, cache: Cache, info: MediaInfo) -> None:
        encode = cache.encodes / f"{self.key}.mp4"
        if not encode.is_file():
            encode_video(self.ffmpeg, info, self.target, encode, self.part)
        packets = read_packets(encode)
        num_frames = self.part.num_frames + self.part.tail_frames
        if len(packets.size_bytes) != num_frames:
            raise MediaError(
                f"{self.info.path}: the {self.target.codec} encode {self.target.target} has {len(packets.size_bytes)} "
                f"frames but the source {num_frames}; please report this source",
                path=str(self.info.path),
            )
        with cache.work_dir() as work_dir:
            scores = measure_video(self.ffmpeg, info, encode, self.part, work_dir)
        cache.put(
            self.key,
            {
                "values": scores.values,
                "size_bytes": packets.size_bytes[: self.part.num_frames],
                "libvmaf_version": np.array(scores.libvmaf_version),
            },
        )
        if self.keep_encode:
            cache.keep(encode, self._kept(cache))
        encode.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTask:
    """Encode every audio rendition of a part of a title and compare it, scene by scene, with the source.

    The source is decoded once and its side of a comparison prepared once per scene; encodes are small and quick, so
    they are made again where a run was interrupted.
    """

    ffmpeg: FFmpeg
    info: MediaInfo
    source_hash: str
    targets: tuple[AudioTarget, ...]
    part: Part
    start_s: float
    """Where what is encoded begins in the title, seconds."""
    duration_s: float
    """How much is encoded, seconds: the part, and of a stretch a little before and beyond it."""
    scenes: tuple[Scene, ...]
    """Scenes of the part."""
    feature_version: str
    keep_encode: bool

    @property
    def label(self) -> str:
        return f"{self.info.path.name}: audio"

    @property
    def work(self) -> float:
        """Rough seconds of one core: ViSQOL of four views, and the encode."""
        return len(self.targets) * 0.05 * self.duration_s

    def encode_key(self, target: AudioTarget) -> str:
        """Entry of a rendition's packets."""
        return cache_key(
            kind="audio",
            source=self.source_hash,
            target=target,
            ffmpeg=self.ffmpeg.version,
            duration_s=round(self.duration_s, 6),
            fdk="libfdk_aac" in self.ffmpeg.encoders,
            version=1,
            **self.part.facts,
        )

    def score_key(self, target: AudioTarget, scene: Scene) -> str:
        """Entry of a rendition's comparison over a scene."""
        span = [round(scene.start_s, 6), round(scene.end_s, 6)]
        return cache_key(kind="audio-score", encode=self.encode_key(target), span=span, features=self.feature_version)

    def _kept(self, cache: Cache, target: AudioTarget) -> Path:
        name = f"{target.codec}-{target.channels}ch-{target.target}"
        return cache.kept_path(self.info.path, self.source_hash, name + _part_name(self.part))

    def _is_done(self, cache: Cache, target: AudioTarget) -> bool:
        keys = [self.encode_key(target), *(self.score_key(target, scene) for scene in self.scenes)]
        return all(map(cache.has, keys)) and (not self.keep_encode or self._kept(cache, target).is_file())

    def is_done(self, cache: Cache) -> bool:
        return all(self._is_done(cache, target) for target in self.targets)

    def run(self, cache: Cache) -> None:
        from abr_alloc.features.comparison import EncodedAudio, compare_scene  # compiles: only where it is needed

        missing = [target for target in self.targets if not self._is_done(cache, target)]
        with cache.work_dir() as work_dir:
            pcm = work_dir / "audio.s16"
            with _here(self.info, cache) as info:
                decode_audio(self.ffmpeg, info, self.duration_s, pcm, start_s=self.start_s)
            encodes = [work_dir / f"{i}.mp4" for i in range(len(missing))]
            for target, encode in zip(missing, encodes, strict=True):
                encode_audio(self.ffmpeg, pcm, target, encode)
                packets = read_packets(encode)
                cache.put(
                    self.encode_key(target),
                    {"start_s": packets.start_s, "duration_s": packets.duration_s, "size_bytes": packets.size_bytes},
                )
            for scene in self.scenes:
                renditions = [
                    EncodedAudio(key=self.score_key(target, scene), path=encode, channels=target.channels)
                    for target, encode in zip(missing, encodes, strict=True)
                ]
                span = scene.start_s - self.start_s, scene.end_s - self.start_s
                compare_scene(self.ffmpeg, cache, pcm, renditions, span_s=span)
            if self.keep_encode:
                for target, encode in zip(missing, encodes, strict=True):
                    cache.keep(encode, self._kept(cache, target))


@contextlib.contextmanager
def _here(info: MediaInfo, cache: Cache) -> Iterator[MediaInfo]:
    """A source that is a file of this machine, as ffmpeg needs it: itself, or its copy."""
    with local_copy(info.path, cache.copies) as path:
        yield replace(info, path=path)


def _part_name(part: Part) -> str:
    return "" if part.is_whole else f"-{part.first_frame}+{part.num_frames}"
