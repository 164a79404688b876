"""What a delivery consists of: orders of its renditions, and its pairs as they were predicted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from abr_alloc.allocation.ranges import Avq, Channels, Count, DynamicRange, Kbps, Px, TotalKbps, Vmaf, Whole, Word
from abr_alloc.documents import shown
from abr_alloc.targets import Target

__all__ = [
    "AudioOrder",
    "AudioRole",
    "PlannedRung",
    "PlannedSurround",
    "ProbedValue",
    "ShotOrder",
    "SubtitleOrder",
    "VideoOrder",
    "check_shots",
]

AudioRole = Literal["main", "dub", "commentary", "description", "other"]
"""What sound is for: the first language; another one; commentary; description of the picture; anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedValue:
    """A quality that an encoder was asked for, and what came of it."""

    value: float
    """In the encoder's own scale."""
    kbps: Kbps
    """Its rate, kbps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotOrder:
    """One scene of a video rendition whose scenes are encoded each with its own parameters."""

    first_frame: Whole
    """Index of its first frame in the title."""
    num_frames: Count
    """Frames."""
    width_px: Px
    """Width, pixels."""
    height_px: Px
    """Height, pixels."""
    target: Word
    """What the encoder is asked for: `crf=24.25`, `b=712k`."""
    planned_kbps: Kbps
    """The rate that the ladder predicts, kbps."""
    corrected: str = ""
    """What the encoder is asked for instead, once the ladder's target was found to break a peak or to miss a rate."""

    @property
    def asked(self) -> str:
        """What the encoder is asked for."""
        return self.corrected or self.target

    @property
    def end_frame(self) -> int:
        """Index of the first frame after it."""
        return self.first_frame + self.num_frames


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoOrder:
    """One video rendition to encode."""

    name: str
    """Its folder."""
    codec: str
    """h264, hevc or av1."""
    width_px: Px
    """Width, pixels."""
    height_px: Px
    """Height, pixels."""
    preset: str
    """The encoder's preset."""
    planned_kbps: Kbps
    """The ladder's rate, kbps."""
    asked_kbps: Kbps
    """What the encoder is asked for, kbps; another rate than the ladder's once it was refined."""
    encoder: str = ""
    """Name of an encoder of `Delivery.encoders`; empty for the codec's usual one."""
    probes: tuple[ProbedValue, ...] = ()
    """The renditions that it lies between, or is, where its encoder is asked for a quality and not for a rate."""
    dynamic_range: DynamicRange = "SDR"
    """SDR, HLG or PQ."""
    shots: tuple[ShotOrder, ...] = ()
    """Its scenes in order, where each is encoded with its own parameters: together all frames of the title."""

    @property
    def changes_size(self) -> bool:
        """Whether its pictures change their size on the way."""
        return len({(shot.width_px, shot.height_px) for shot in self.shots}) > 1

    @property
    def asked_value(self) -> float:
        """The quality that comes to `asked_kbps`, linear over the logarithm of the rate; `probes` is not empty."""
        first, last = self.probes[0], self.probes[-1]
        if len(self.probes) == 1 or first.kbps == last.kbps:
            return first.value
        past = math.log(self.asked_kbps / first.kbps) / math.log(last.kbps / first.kbps)
        return first.value + past * (last.value - first.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioOrder:
    """One audio rendition to encode."""

    name: str
    """Its folder."""
    codec: str
    """One of `ENCODED_AUDIO`."""
    channels: Channels
    """1 or 2; 6 of surround."""
    target: str
    """What the encoder is asked for: `b=96k`; `b=96k@mine` of an encoder of `Delivery.encoders`; `lossless`."""
    planned_kbps: Kbps
    """The rate that it had when it was probed, kbps."""
    group: str = ""
    """Folder of the rendition of the rungs that it stands beside, in another language or role; empty for a rung's
    own."""
    track: Count | None = None
    """Number of the source's audio track, from 1; None for the delivery's own choice."""
    language: str = ""
    """RFC 5646 tag; empty for the delivery's own."""
    label: str = ""
    """Name in a player's menu; empty for the delivery's own."""
    role: AudioRole = "main"
    """What it is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtitleOrder:
    """Subtitles in one language to deliver."""

    name: str
    """Their folder."""
    track: Count | None = None
    """Number of the source's subtitle track, from 1; None where they come from a file of their own."""
    language: str
    """RFC 5646 tag; und where nobody tells."""
    label: str
    """Name in a player's menu."""
    is_forced: bool = False
    """Whether they are what a viewer needs who asked for none: what is spoken in another language."""
    is_captions: bool = False
    """Whether they are for who does not hear."""
    text_hash: str = ""
    """SHA-256 of their cues as they are delivered in one file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSurround:
    """The surround sound of a pair, as predicted."""

    audio: str
    """Folder of its audio."""
    total_kbps: TotalKbps
    """Video + audio + container, kbps."""
    avq_mos: Avq
    """AVQ, MOS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRung:
    """One pair of the ladder, as predicted."""

    video: str
    """Folder of its video."""
    audio: str
    """Folder of its audio."""
    total_kbps: TotalKbps
    """Video + audio + container, kbps."""
    avq_mos: Avq
    """AVQ, MOS."""
    vmaf: Vmaf | None = None
    """VMAF of its video; None where the ladder does not say."""
    shots_mos: tuple[Avq, ...] = ()
    """AVQ of every one of its video's shots, MOS; empty where it has none."""
    surround: PlannedSurround | None = None
    """What it offers to who plays surround; None where it has none."""


def check_shots(videos: Sequence[VideoOrder], rungs: Sequence[PlannedRung], num_frames: int) -> None:
    """Shots tile the title, the same in all videos, and are asked for what can be asked.

    Raises:
        ValueError: they do not.
    """
    spans = [[(shot.first_frame, shot.end_frame) for shot in video.shots] for video in videos]
    for video, its in zip(videos, spans, strict=True):
        if its != spans[0]:
            raise ValueError(f"the shots of {video.name} are not those of {videos[0].name}")
        ends = [0, *(end for _, end in its)]
        if its and ([start for start, _ in its] != ends[:-1] or ends[-1] != num_frames):
            raise ValueError(f"the shots of {video.name} are not all frames of the title, one after the other")
        for shot in video.shots:
            if any(Target(word).is_label for word in (shot.target, shot.asked)):
                raise ValueError(f"{shown(shot.asked)} of a shot of {video.name} is nothing to ask an encoder for")
    counts = {video.name: len(video.shots) for video in videos}
    for rung in rungs:
        if rung.shots_mos and len(rung.shots_mos) != counts.get(rung.video, 0):
            raise ValueError(f"a rung of {rung.video} has {len(rung.shots_mos)} shots_mos for its shots")
