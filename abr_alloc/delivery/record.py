"""What a delivered folder says of itself: `delivery.json`, written by `encode` and read by `verify`.

It holds what was asked for and predicted. What came of it is measured on the segments, never taken from here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abr_alloc.errors import DeliveryError
from abr_alloc.features.table import replace_file

__all__ = ["RECORD_NAME", "AudioOrder", "Delivery", "PlannedRung", "VideoOrder", "read_delivery", "write_delivery"]

RECORD_NAME = "delivery.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoOrder:
    """One video rendition to encode."""

    name: str
    """Its folder."""
    codec: str
    """h264, hevc or av1."""
    width_px: int
    """Width, pixels."""
    height_px: int
    """Height, pixels."""
    preset: str
    """The encoder's preset."""
    planned_kbps: float
    """The ladder's rate, kbps."""
    asked_kbps: float
    """What the encoder is asked for, kbps; another rate than the ladder's once it was refined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioOrder:
    """One audio rendition to encode."""

    name: str
    """Its folder."""
    codec: str
    """aac, opus, heaac or heaacv2."""
    channels: int
    """1 or 2."""
    target: str
    """What the encoder is asked for: `b=96k`."""
    planned_kbps: float
    """The rate that it had when it was probed, kbps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRung:
    """One pair of the ladder, as predicted."""

    video: str
    """Folder of its video."""
    audio: str
    """Folder of its audio."""
    total_kbps: float
    """Video + audio + container, kbps."""
    avq_mos: float
    """AVQ, MOS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A ladder as it was encoded."""

    title: str
    """Title of the ladder."""
    source: str
    """Path of the source, from the folder."""
    source_hash: str
    """SHA-256 of the source."""
    num_frames: int
    """Frames of the source at its constant rate."""
    fps: str
    """Frames per second, as a fraction: 24000/1001."""
    scenes_s: tuple[tuple[float, float], ...]
    """Scenes over which AVQ was predicted: start and end, seconds."""
    model: str
    """Model that predicted AVQ."""
    weights_sha256: str
    """SHA-256 of its weights."""
    ffmpeg_version: str
    """ffmpeg's own version word."""
    threads: int
    """Threads of every video encode."""
    language: str
    """RFC 5646 tag of the audio."""
    label: str
    """Name of the audio in a player's menu."""
    videos: tuple[VideoOrder, ...]
    """Each video rendition once."""
    audios: tuple[AudioOrder, ...]
    """Each audio rendition once."""
    rungs: tuple[PlannedRung, ...]
    """The ladder."""

    @property
    def stream_names(self) -> list[str]:
        """Folders of all its streams."""
        return [video.name for video in self.videos] + [audio.name for audio in self.audios]

    def with_video(self, order: VideoOrder) -> Delivery:
        """The same with another order for one of its videos."""
        videos = tuple(order if video.name == order.name else video for video in self.videos)
        return dataclasses.replace(self, videos=videos)

    def same_job(self, other: Delivery) -> bool:
        """Whether another order asks for the same. Where the source lies, threads and refined rates do not count."""

        def asked(order: Delivery) -> Delivery:
            videos = tuple(dataclasses.replace(video, asked_kbps=video.planned_kbps) for video in order.videos)
            return dataclasses.replace(order, source="", threads=0, videos=videos)

        return asked(self) == asked(other)


def write_delivery(delivery: Delivery, path: Path) -> None:
    """Write the record.

    Raises:
        OutputError: the place cannot be written to.
    """
    document = {"schema_version": SCHEMA_VERSION, "command": "encode", **dataclasses.asdict(delivery)}
    replace_file(path, (json.dumps(document, indent=2) + "\n").encode())


def read_delivery(path: Path) -> Delivery:
    """Read the record.

    Raises:
        DeliveryError: it is not there, is of another version, or breaks the format.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DeliveryError(
            f"{path.parent} holds no {path.name}; give a folder that `abr-alloc encode -o` finished"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise DeliveryError(f"{path} is not readable JSON ({error}); encode the ladder again") from None
    if not isinstance(document, dict) or document.get("command") != "encode":
        raise DeliveryError(f"{path} is no record of `abr-alloc encode`; encode the ladder again")
    if document.get("schema_version") != SCHEMA_VERSION:
        raise DeliveryError(
            f"{path} has version {document.get('schema_version')!r}, this program reads {SCHEMA_VERSION}; "
            "encode the ladder again"
        )
    try:
        return _parse(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DeliveryError(f"{path} is damaged ({error}); encode the ladder again") from None


def _parse(document: Mapping[str, Any]) -> Delivery:
    fields = {field.name: document[field.name] for field in dataclasses.fields(Delivery)}
    fields["scenes_s"] = tuple((float(start), float(end)) for start, end in fields["scenes_s"])
    fields["videos"] = tuple(VideoOrder(**item) for item in fields["videos"])
    fields["audios"] = tuple(AudioOrder(**item) for item in fields["audios"])
    fields["rungs"] = tuple(PlannedRung(**item) for item in fields["rungs"])
    found = Delivery(**fields)
    names = set(found.stream_names)
    for name in names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"stream {name!r} lies outside of the folder")
    if not found.rungs or not {name for rung in found.rungs for name in (rung.video, rung.audio)} <= names:
        raise ValueError("its rungs name streams that it does not have")
    return found
