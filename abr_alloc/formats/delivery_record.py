"""What a delivered folder says of itself: `delivery.json`, written by `encode` and read by `verify`.

It holds what was asked for and predicted. What came of it is measured on the segments, never taken from here.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from abr_alloc.allocation.ranges import Count, Kbps, SegmentSeconds, Share
from abr_alloc.codecs import ToneMap
from abr_alloc.defaults import SEGMENT_S
from abr_alloc.documents import DamagedDocument, json_text, parse_json, shown
from abr_alloc.encoder_settings import audio_encoder_of, video_encoder_of
from abr_alloc.encoders import AudioEncoder, VideoEncoder, default_encoder
from abr_alloc.errors import DeliveryError
from abr_alloc.formats.conversion import record_of, refuse_unknown
from abr_alloc.formats.orders import (
    AudioOrder,
    PlannedRung,
    ProbedValue,
    ShotOrder,
    SubtitleOrder,
    VideoOrder,
    check_shots,
)
from abr_alloc.location import read_bytes
from abr_alloc.targets import Target
from abr_alloc.writing import replace_file

__all__ = [
    "RECORD_NAME",
    "AudioOrder",
    "Delivery",
    "PlannedRung",
    "ProbedValue",
    "ShotOrder",
    "SubtitleOrder",
    "VideoOrder",
    "delivery_text",
    "read_delivery",
    "write_delivery",
]

RECORD_NAME = "delivery.json"
SCHEMA_VERSION = 1

_NAME = re.compile(r"(?:video|audio|subtitles)/[a-z0-9][a-z0-9.-]{0,99}")

# Fields by which two orders differ; videos are looked at one by one.
_WORDS = {
    **dict.fromkeys(("source_hash", "num_frames", "fps"), "source"),
    **dict.fromkeys(("title", "audios", "rungs", "scenes_s", "weights_s", "model", "weights_sha256"), "ladder"),
    **{"language": "language", "label": "audio name", "audio_track": "audio track"},
    **{"ffmpeg_version": "ffmpeg", "encoders": "encoder", "peak_kbps": "peak", "phones": "screen"},
    "segment_s": "segment duration",
    "single_file": "layout of files",
    "audio_only": "variant of audio alone",
    "subtitles": "subtitles",
    "tone_map": "tone map",
}
# What a folder says only where it is not the usual, so that folders of any source are read by earlier versions too.
_USUAL: dict[str, Any] = {
    **{"audio_track": None, "encoders": {}, "peak_kbps": None, "phones": 0.0, "subtitles": (), "tone_map": ""},
    **{"segment_s": SEGMENT_S, "single_file": False, "audio_only": False},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A ladder as it was encoded."""

    title: str
    """Title of the ladder."""
    source: str
    """Path of the source, from the folder."""
    source_hash: str
    """SHA-256 of the source."""
    num_frames: Count
    """Frames of the source at its constant rate."""
    fps: str
    """Frames per second, as a fraction: 24000/1001."""
    scenes_s: tuple[tuple[float, float], ...]
    """Scenes over which AVQ was predicted: start and end, seconds."""
    weights_s: tuple[Annotated[float, Meta(gt=0.0)], ...] = ()
    """Time of the title that every one of them stands for, seconds; empty where that is its own."""
    model: str
    """Model that predicted AVQ."""
    weights_sha256: str
    """SHA-256 of its weights."""
    ffmpeg_version: str
    """ffmpeg's own version word."""
    threads: Count
    """Threads of every video encode."""
    language: str
    """RFC 5646 tag of the audio."""
    label: str
    """Name of the audio in a player's menu."""
    audio_track: Count | None = None
    """Number of the source's audio track that was asked for, from 1; None where none was."""
    videos: tuple[VideoOrder, ...]
    """Each video rendition once."""
    audios: tuple[AudioOrder, ...]
    """Each audio rendition once."""
    rungs: tuple[PlannedRung, ...]
    """The ladder."""
    encoders: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Settings of the encoders that are not their codec's usual one, by name."""
    phones: Share = 0.0
    """Share of the audience that watches on phones, for whom AVQ was predicted, 0-1."""
    peak_kbps: Kbps | None = None
    """Largest rate of a video over a window of a segment's length that the ladder promises, kbps; None for any."""
    subtitles: tuple[SubtitleOrder, ...] = ()
    """Each language's once, in the order of the source."""
    segment_s: SegmentSeconds = SEGMENT_S
    """What segments were to last, seconds."""
    single_file: bool = False
    """Whether every stream is one file, whose segments playlists name by their bytes."""
    audio_only: bool = False
    """Whether the master playlist has a variant without video."""

    tone_map: ToneMap = ""
    """How the source, which is HDR, is made SDR in those of its videos that are; empty where none is."""

    @property
    def per_shot(self) -> bool:
        """Whether its scenes are encoded each with its own parameters."""
        return any(video.shots for video in self.videos)

    @property
    def sizes_change(self) -> bool:
        """Whether pictures of some video change in size on the way."""
        return any(len({(shot.width_px, shot.height_px) for shot in video.shots}) > 1 for video in self.videos)

    def encoder_of(self, order: VideoOrder) -> VideoEncoder:
        """The encoder of one of its videos.

        Raises:
            ValueError: its settings are none.
        """
        if order.encoder:
            return video_encoder_of(order.encoder, self.encoders[order.encoder])
        return default_encoder(order.codec, order.preset)

    def audio_encoder_of(self, order: AudioOrder) -> AudioEncoder | None:
        """The encoder of one of its audio renditions, likewise; None for the codec's usual one."""
        name = Target(order.target).encoder
        return audio_encoder_of(name, self.encoders[name]) if name else None

    @property
    def gop_s(self) -> float:
        """Distance of key frames, seconds: of all videos alike."""
        return self.encoder_of(self.videos[0]).gop_s

    @property
    def stream_names(self) -> list[str]:
        """Folders of all its streams of video and audio."""
        return [video.name for video in self.videos] + [audio.name for audio in self.audios]

    @property
    def names(self) -> list[str]:
        """Folders of all there is of it: streams and subtitles."""
        return self.stream_names + [text.name for text in self.subtitles]

    def beside(self, name: str) -> list[AudioOrder]:
        """The other languages and roles of an audio rendition of its rungs."""
        return [audio for audio in self.audios if audio.group == name]

    def video(self, name: str) -> VideoOrder:
        """One of its videos."""
        return next(video for video in self.videos if video.name == name)

    def tone_map_of(self, order: VideoOrder) -> str:
        """How the source is made SDR for one of its videos; empty where that is as the source is."""
        return self.tone_map if order.dynamic_range == "SDR" else ""

    def with_video(self, order: VideoOrder) -> Delivery:
        """The same with another order for one of its videos."""
        videos = tuple(order if video.name == order.name else video for video in self.videos)
        return dataclasses.replace(self, videos=videos)

    def differences(self, other: Delivery) -> list[str]:
        """In what another order asks for something else; places, threads, what was corrected and VMAF do not count."""
        mine, theirs = (
            dataclasses.replace(order, rungs=tuple(dataclasses.replace(rung, vmaf=None) for rung in order.rungs))
            for order in (self, other)
        )
        found = [word for name, word in _WORDS.items() if getattr(mine, name) != getattr(theirs, name)]
        presets = [[video.preset for video in order.videos] for order in (self, other)]
        ladders = [
            [
                dataclasses.replace(
                    video,
                    asked_kbps=video.planned_kbps,
                    preset="",
                    shots=tuple(dataclasses.replace(shot, corrected="") for shot in video.shots),
                )
                for video in order.videos
            ]
            for order in (self, other)
        ]
        found += ["ladder"] if ladders[0] != ladders[1] else ["preset"] if presets[0] != presets[1] else []
        return ["source"] if "source" in found else list(dict.fromkeys(found))


def delivery_text(delivery: Delivery) -> str:
    """The record as JSON."""
    document = {"schema_version": SCHEMA_VERSION, "command": "encode", **dataclasses.asdict(delivery)}
    for name in [name for name, usual in _USUAL.items() if document[name] == usual]:
        del document[name]
    for video in document["videos"]:
        for name in [name for name in ("encoder", "probes", "shots") if not video[name]]:
            del video[name]
        if video["dynamic_range"] == "SDR":
            del video["dynamic_range"]
        for shot in video.get("shots", ()):
            if not shot["corrected"]:
                del shot["corrected"]
    for audio in document["audios"]:
        for name in [name for name in ("group", "track", "language", "label") if not audio[name]]:
            del audio[name]
        if audio["role"] == "main":
            del audio["role"]
    for rung in document["rungs"]:
        for name in [name for name in ("shots_mos", "surround") if not rung[name]]:
            del rung[name]
    return json_text(document)


def write_delivery(delivery: Delivery, path: Path) -> None:
    """Write the record.

    Raises:
        OutputError: the place cannot be written to.
    """
    replace_file(path, delivery_text(delivery).encode())


def read_delivery(path: Path) -> Delivery:
    """Read the record.

    Raises:
        DeliveryError: it is not there, is of another version, or breaks the format.
    """
    try:
        document = parse_json(read_bytes(path), names_of_files=True)
    except FileNotFoundError:
        raise DeliveryError(
            f"{path.parent} holds no {path.name}; give a folder that `abr-alloc encode -o` finished"
        ) from None
    except DamagedDocument as error:
        raise DeliveryError(f"{path} is damaged ({error}); encode the ladder again") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DeliveryError(f"{path} is not readable JSON ({reason}); encode the ladder again") from None
    if not isinstance(document, dict) or document.get("command") != "encode":
        raise DeliveryError(f"{path} is no record of `abr-alloc encode`; encode the ladder again")
    version = document.get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise DeliveryError(
            f"{path} has version {shown(version)}, this program reads {SCHEMA_VERSION}; encode the ladder again"
        )
    try:
        return _parse(document)
    except (ValueError, ArithmeticError) as error:
        raise DeliveryError(f"{path} is damaged ({error}); encode the ladder again") from None


def _parse(document: Mapping[str, Any]) -> Delivery:
    found: Delivery = record_of(document, Delivery)
    kinds = {"videos": VideoOrder, "audios": AudioOrder, "rungs": PlannedRung, "subtitles": SubtitleOrder}
    for name, kind in kinds.items():
        for i, item in enumerate(document.get(name, ())):
            refuse_unknown(item, kind, f"{name}[{i}]")
            for k, shot in enumerate(item.get("shots", ())):
                refuse_unknown(shot, ShotOrder, f"{name}[{i}].shots[{k}]")
    fps = Fraction(found.fps)
    if fps <= 0:
        raise ValueError(f"fps is {found.fps!r}")
    if not found.scenes_s or not all(0 <= start < end <= found.num_frames / fps + 1 for start, end in found.scenes_s):
        raise ValueError(f"scenes_s is {shown(found.scenes_s)}")
    if found.weights_s and len(found.weights_s) != len(found.scenes_s):
        raise ValueError(f"{len(found.weights_s)} weights_s for {len(found.scenes_s)} scenes_s")
    for name in found.names:
        if not _NAME.fullmatch(name):  # it must not lead out of the folder
            raise ValueError(f"{name!r} is no name of a stream")
    for video in found.videos:
        if video.encoder and video.encoder not in found.encoders:
            raise ValueError(f"the encoder of {video.name} is {video.encoder!r}, which encoders does not hold")
        encoder = found.encoder_of(video)
        if encoder.codec != video.codec:
            raise ValueError(f"the encoder of {video.name} is not one of {video.codec}")
        if encoder.needs_values and not video.probes and not video.shots:
            raise ValueError(f"{video.name} has no probes to take a value from")
    for audio in found.audios:
        name = Target(audio.target).encoder
        if name and (name not in found.encoders or found.encoders[name].get("codec") != audio.codec):
            raise ValueError(f"the encoder of {audio.name} is {name!r}, and encoders holds none for {audio.codec}")
        found.audio_encoder_of(audio)
    check_shots(found.videos, found.rungs, found.num_frames)
    videos = {order.name for order in found.videos}
    if len(set(found.names)) != len(found.names):
        raise ValueError("two streams have one name")
    # Both ways: a rendition without a rung would never be looked at.
    own = {audio.name for audio in found.audios if not audio.group}
    played = {rung.audio for rung in found.rungs} | {rung.surround.audio for rung in found.rungs if rung.surround}
    if {rung.video for rung in found.rungs} != videos or played != own or not videos:
        raise ValueError("its rungs are not of its streams")
    if not {audio.group for audio in found.audios if audio.group} <= own:
        raise ValueError("audio in another language is of a rendition that it does not have")
    return found
