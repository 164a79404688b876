"""Audio that was delivered, held against the source, scene by scene; 5.1 as both are mixed to stereo."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from abr_alloc.formats.delivery_record import AudioOrder, Delivery
from abr_alloc.measure.audio_judges import comparison_version
from abr_alloc.measure.cache import Cache, cache_key
from abr_alloc.measure.looks import NORMALISATION
from abr_alloc.measure.tasks import audio_score_key
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import AudioTarget
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.scenes import Scene
from abr_alloc.media.segments import TRACK_NAME, init_paths, is_track_file, join_segments, segment_paths
from abr_alloc.media.sound import decode_audio

__all__ = ["AudioScoreTask", "DeliveredAudio", "PcmTask", "audio_tasks", "hearing", "join_audio", "stream_hash"]


def stream_hash(folder: Path) -> str:
    """SHA-256 of a stream's bytes."""
    digest = hashlib.sha256()
    files = [folder / TRACK_NAME] if is_track_file(folder) else [*init_paths(folder), *segment_paths(folder)]
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredAudio:
    """A delivered audio stream, joined."""

    name: str
    stream_hash: str
    ffmpeg_version: str
    target: AudioTarget
    joined: Path
    track: int | None
    """Track of the source that it is of; None for the source's own sound."""

    @property
    def key(self) -> str:
        return cache_key(kind="delivered-audio", stream=self.stream_hash, ffmpeg=self.ffmpeg_version)


@dataclass(frozen=True, slots=True, kw_only=True)
class PcmTask:
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
class AudioScoreTask:
    """Compare every delivered audio stream of one scene with the source."""

    ffmpeg: FFmpeg
    scene: Scene
    audios: tuple[DeliveredAudio, ...]
    pcm: Path
    feature_version: str
    family: str

    @property
    def label(self) -> str:
        return f"{self.scene.title}: audio of scene {self.scene.index}"

    def key(self, audio: DeliveredAudio) -> str:
        return audio_score_key(audio.key, self.scene, self.feature_version)

    def is_done(self, cache: Cache) -> bool:
        return all(cache.has(self.key(audio)) for audio in self.audios)

    def run(self, cache: Cache) -> None:
        from abr_alloc.measure.audio import EncodedAudio, compare_scene  # compiles: only where it is needed

        renditions = [EncodedAudio(key=self.key(a), path=a.joined, channels=a.target.channels) for a in self.audios]
        span_s = self.scene.start_s, self.scene.end_s
        compare_scene(self.ffmpeg, cache, self.pcm, renditions, span_s=span_s, family=self.family)


def join_audio(order: AudioOrder, folder: Path, ffmpeg: FFmpeg, path: Path) -> DeliveredAudio:
    """A delivered stream as one file."""
    join_segments(folder, path)
    return DeliveredAudio(
        name=order.name,
        stream_hash=stream_hash(folder),
        ffmpeg_version=ffmpeg.version,
        # Its name stands where a probe has its target: rows are told apart by it.
        target=AudioTarget(codec=order.codec, channels=order.channels, target=order.name),
        joined=path,
        track=order.track,
    )


def hearing(info: MediaInfo, track: int | None) -> MediaInfo:
    """The source by one of its audio tracks; by its own sound with None."""
    return info if track is None else info.hearing(info.audio_tracks[track - 1])


def audio_tasks(
    ffmpeg: FFmpeg,
    scenes: Sequence[Scene],
    audios: Sequence[DeliveredAudio],
    pcms: Mapping[int | None, Path],
    delivery: Delivery,
    family: str,
) -> list[AudioScoreTask]:
    """Every scene's, of the streams of one track together, by a family of audio features."""
    # The source, and how it is read, are part of a score, but not of the streams' own keys.
    source = f"{delivery.source_hash} {NORMALISATION} {delivery.audio_track or ''}"
    version = f"{comparison_version(family)} {source}"
    return [
        AudioScoreTask(
            ffmpeg=ffmpeg,
            scene=scene,
            audios=tuple(audio for audio in audios if audio.track == track),
            pcm=pcm,
            family=family,
            feature_version=version if track is None else f"{version} track {track}",
        )
        for track, pcm in pcms.items()
        for scene in scenes
    ]
