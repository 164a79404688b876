"""The measurements of an extraction: each names its cache entries, can run anywhere, and stores its own result. Here is
that of audio, and what it shares with video's (`video_tasks.py`).

A task holds all that determines its result, so its key is the hash of its fields and of the versions of the tools.
Running one twice gives the same entries; killing one leaves no entry half done. None needs what another left on disk
but cache entries, so that they run on one machine or on many.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from abr_alloc.audio_families import AUDIO_FAMILIES
from abr_alloc.encoder_settings import settings_of
from abr_alloc.encoders import AudioEncoder, VideoEncoder
from abr_alloc.errors import MediaError, UnsupportedMediaError
from abr_alloc.measure.audio_judges import comparison_version
from abr_alloc.measure.cache import Cache, cache_key
from abr_alloc.measure.envelope import is_same_sound, sound_envelope
from abr_alloc.measure.looks import NORMALISATION, source_here
from abr_alloc.measure.video import FrameScores
from abr_alloc.media.audio_encoding import encode_audio, encoding_facts
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import AudioTarget
from abr_alloc.media.mix import STEREO_OF_SURROUND
from abr_alloc.media.packets import Packets, read_packets
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.scenes import Scene
from abr_alloc.media.sound import decode_audio
from abr_alloc.targets import Target

__all__ = ["AudioTask", "audio_score_key", "command_key", "packet_times", "packets_of", "part_name", "video_entry"]

_MOST_MISSING_S = 0.25


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
    """All of them mono and stereo, or all of 5.1."""
    part: Part
    start_s: float
    """Where what is encoded begins in the title, seconds."""
    duration_s: float
    """How much is encoded, seconds: the part, and of a stretch a little before and beyond it."""
    scenes: tuple[Scene, ...]
    """Scenes of the part."""
    scan_key: str
    """Entry of the title's scan; empty where the part is the whole title."""
    family: str
    """Family of audio features that is measured."""
    keep_encode: bool
    is_scanned: bool = True
    """Whether the scan heard this very track."""

    @property
    def label(self) -> str:
        return f"{self.info.path.name}: {'surround' if self._channels > 2 else 'audio'}"

    @property
    def _channels(self) -> int:
        """Channels that the source is decoded to."""
        return 6 if self.targets and self.targets[0].channels == 6 else 2

    @property
    def work(self) -> float:
        """Rough seconds of one core."""
        return len(self.targets) * AUDIO_FAMILIES[self.family].cost * self.duration_s

    def encode_key(self, target: AudioTarget) -> str:
        """Entry of a rendition's packets."""
        plain, encoder = Target(target.target).plain, target.encoder
        own = {} if encoder is None else {"encoder": {**settings_of(encoder), "codec": target.codec}}
        return cache_key(
            **own,
            kind="audio",
            source=self.source_hash,
            target=f"AudioTarget(codec={target.codec!r}, channels={target.channels!r}, target={str(plain)!r})",
            ffmpeg=self.ffmpeg.version,
            duration_s=round(self.duration_s, 6),
            fdk="libfdk_aac" in self.ffmpeg.encoders,
            **encoding_facts(self.ffmpeg, target),
            version=NORMALISATION,
            **self.info.stream_facts,
            **self.part.facts,
        )

    def score_key(self, target: AudioTarget, scene: Scene) -> str:
        """Entry of a rendition's comparison over a scene."""
        return audio_score_key(self.encode_key(target), scene, comparison_version(self.family))

    def _kept(self, cache: Cache, target: AudioTarget) -> Path:
        name = f"{target.codec}-{target.channels}ch-{target.target}"
        return cache.kept_path(self.info.path, self.source_hash, name + part_name(self.part))

    def _is_done(self, cache: Cache, target: AudioTarget) -> bool:
        keys = [self.encode_key(target), *(self.score_key(target, scene) for scene in self.scenes)]
        return all(map(cache.has, keys)) and (not self.keep_encode or self._kept(cache, target).is_file())

    def is_done(self, cache: Cache) -> bool:
        return all(self._is_done(cache, target) for target in self.targets)

    def run(self, cache: Cache) -> None:
        from abr_alloc.measure.audio import EncodedAudio, compare_scene  # compiles: only where it is needed

        missing = [target for target in self.targets if not self._is_done(cache, target)]
        with cache.work_dir() as work_dir:
            pcm = work_dir / "audio.f32"
            with source_here(self.info, cache) as info:
                how: dict[str, Any] = {"start_s": self.start_s, "channels": self._channels}
                decode_audio(info, self.duration_s, pcm, **how, from_beginning=not self.is_scanned)
                if self.is_scanned and not self.part.is_whole and not self._is_proved(cache, pcm):
                    decode_audio(info, self.duration_s, pcm, **how, from_beginning=True)
            encodes = [work_dir / f"{i}.mp4" for i in range(len(missing))]
            for target, encode in zip(missing, encodes, strict=True):
                encode_audio(self.ffmpeg, pcm, target, encode)
                packets = packets_of(encode, f"{self.label} {target.codec} {target.target}")
                self._check_length(float(packets.duration_s.sum()))
                cache.put(self.encode_key(target), packet_times(packets))
                if target.encoder is not None and target.encoder.command:
                    cache.put(command_key(target.encoder), {})
            for scene in self.scenes:
                renditions = [
                    EncodedAudio(key=self.score_key(target, scene), path=encode, channels=target.channels)
                    for target, encode in zip(missing, encodes, strict=True)
                ]
                span = scene.start_s - self.start_s, scene.end_s - self.start_s
                how = {"family": self.family, "channels": self._channels}
                compare_scene(self.ffmpeg, cache, pcm, renditions, span_s=span, **how)
            if self.keep_encode:
                for target, encode in zip(missing, encodes, strict=True):
                    cache.keep(encode, self._kept(cache, target))

    def _check_length(self, encoded_s: float) -> None:
        """A disk that takes no more may cut an encode off, and its encoder not say so."""
        if encoded_s < self.duration_s - _MOST_MISSING_S:
            raise MediaError(
                f"{self.info.path}: an encode of {self.duration_s:.2f} s of audio has {encoded_s:.2f} s; run again, "
                "and report this source if it stays so",
                path=str(self.info.path),
            )

    def _is_proved(self, cache: Cache, pcm: Path) -> bool:
        """Whether what was decoded from within the source is as loud, moment by moment, as the scan heard it there."""
        samples = np.memmap(pcm, dtype="<f4", mode="r").reshape(-1, self._channels)
        heard = sound_envelope(samples if self._channels == 2 else samples @ STEREO_OF_SURROUND.T)
        return is_same_sound(heard, cache.require(self.scan_key)["envelope"], self.start_s)


def command_key(encoder: VideoEncoder | AudioEncoder) -> str:
    """Entry that says that this user has run a command template, which a grid of theirs named, with this very file of
    its program."""
    return cache_key(kind="command", command=list(encoder.command), program=encoder.program_sha256)


def video_entry(scores: FrameScores, size_bytes: npt.NDArray[np.float64]) -> dict[str, Any]:
    """What the cache keeps of a scored video stream, for `rows.video_row`; sizes of its frames, (n,), bytes."""
    return {
        "values": scores.values,
        "size_bytes": size_bytes,
        "libvmaf_version": np.array(scores.libvmaf_version),
    }


def packet_times(packets: Packets) -> dict[str, Any]:
    """What the cache keeps of an audio stream's packets, for `rows.audio_row`."""
    return {"start_s": packets.start_s, "duration_s": packets.duration_s, "size_bytes": packets.size_bytes}


def audio_score_key(encode_key: str, scene: Scene, feature_version: str) -> str:
    """Entry of an audio stream's comparison over a scene.

    Args:
        encode_key: entry of the stream.
        scene: with its times on the stream's clock.
        feature_version: of the features, and of whatever else the comparison rests on.
    """
    span = [round(scene.start_s, 6), round(scene.end_s, 6)]
    return cache_key(kind="audio-score", encode=encode_key, span=span, features=feature_version)


def packets_of(encode: Path, label: str) -> Packets:
    """The packets of an encode that an encoder says it has finished.

    Raises:
        MediaError: it was cut off.
    """
    try:
        return read_packets(encode)
    except UnsupportedMediaError as error:
        raise MediaError(f"{label}: its encode was cut off ({error}); run again") from error


def part_name(part: Part) -> str:
    """What the name of a kept encode says of its part."""
    return "" if part.is_whole else f"-{part.first_frame}+{part.num_frames}"
