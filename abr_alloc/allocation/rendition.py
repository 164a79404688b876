"""Encoded streams over one scene: what surfaces are made of.

A rendition is the same in another scene, or another title, where it was asked for in the same way (`identity`); its
rate and its quality are the scene's own.

Axes: V video renditions of a scene.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.ranges import AudioMos, Channels, DynamicRange, Instant, Kbps, Px, Vmaf, Word

__all__ = [
    "AUDIO_IDENTITY",
    "VIDEO_IDENTITY",
    "AudioIdentity",
    "AudioRendition",
    "LazyVideo",
    "Probe",
    "Shot",
    "VideoIdentity",
    "VideoRendition",
]

VIDEO_IDENTITY = ("codec", "width_px", "height_px", "target")
"""What makes two video renditions the same one: fields here, columns of a feature table."""
AUDIO_IDENTITY = ("codec", "channels", "target")
"""What makes two audio renditions the same one."""

_video_identity, _audio_identity = operator.attrgetter(*VIDEO_IDENTITY), operator.attrgetter(*AUDIO_IDENTITY)

VideoIdentity = tuple[str, int, int, str]
AudioIdentity = tuple[str, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A measured video rendition that another one is interpolated from."""

    target: Word
    """What the encoder was asked for."""
    bitrate_kbps: Kbps
    """Measured rate, kbps."""
    vmaf: Vmaf | None = None
    """Its VMAF; None where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One scene of a rendition whose scenes are encoded each with its own parameters."""

    start_s: Instant
    """First instant, seconds."""
    end_s: Instant
    """First instant after it, seconds."""
    width_px: Px
    """Width, pixels."""
    height_px: Px
    """Height, pixels."""
    target: Word
    """What the encoder is asked for in this scene: `crf=24.25`, `b=712k`."""
    bitrate_kbps: Kbps
    """Its rate, interpolated between probes of the scene, kbps."""
    vmaf: Vmaf | None = None
    """Its VMAF, likewise; None where it is not known."""

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRendition:
    """One encoded video stream over one scene."""

    codec: Word
    """h264, hevc or av1."""
    width_px: Px
    """Width, pixels."""
    height_px: Px
    """Height, pixels."""
    target: Word
    """What the encoder was asked for; `b=712k` where it is interpolated: what to ask of it."""
    bitrate_kbps: Kbps
    """Measured rate, kbps; a rate between measured ones where it is interpolated."""
    nearest_probes: tuple[Probe, ...] = ()
    """The measured renditions below and above; empty where the rendition was measured itself."""
    vmaf: Vmaf | None = None
    """VMAF (vmaf_v0.6.1), interpolated where the rendition is; None where it is not known."""
    dynamic_range: DynamicRange = "SDR"
    """SDR, HLG or PQ."""
    estimated: bool = False
    """Whether rate and AVQ are estimated from a title's probes: a point to interpolate from, never one to choose."""
    shots: tuple[Shot, ...] = ()
    """Scenes of a title that are encoded each with its own parameters, in order; then the target is `b=` the mean rate,
    which nothing is asked for, and width and height are the largest. Empty where one target serves the whole title."""

    @property
    def per_shot(self) -> bool:
        return bool(self.shots)

    @property
    def identity(self) -> VideoIdentity:
        """Equal for the same rendition of other scenes and titles."""
        found: VideoIdentity = _video_identity(self)
        return found

    @property
    def interpolated(self) -> bool:
        return bool(self.nearest_probes)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioRendition:
    """One encoded audio stream over one scene."""

    codec: Word
    """aac, opus, heaac, heaacv2, ac3 or eac3."""
    channels: Channels
    """Channels."""
    target: Word
    """What the encoder was asked for."""
    bitrate_kbps: Kbps
    """Measured rate, kbps."""
    quality_mos: AudioMos | None = None
    """Audio quality as the models believe it (`models.audio_quality`), MOS; None where it is not known."""

    @property
    def identity(self) -> AudioIdentity:
        """Equal for the same rendition of other scenes and titles."""
        found: AudioIdentity = _audio_identity(self)
        return found


class LazyVideo(Sequence[VideoRendition], ABC):
    """Video renditions that are written out when somebody asks for one: a scene offers thousands and takes a few."""

    kbps: npt.NDArray[np.float64]
    """Their rates, (V,)."""
    side_px: npt.NDArray[np.int64]
    """Their short sides, (V,)."""
    codecs: npt.NDArray[np.str_]
    """Their codecs, (V,)."""

    @abstractmethod
    def rendition(self, place: int) -> VideoRendition:
        """One of them, 0 <= place < V."""

    def __len__(self) -> int:
        return len(self.kbps)

    @overload
    def __getitem__(self, place: int) -> VideoRendition: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[VideoRendition, ...]: ...
    def __getitem__(self, place: int | slice) -> VideoRendition | tuple[VideoRendition, ...]:
        found = range(len(self))[place]
        return self.rendition(found) if isinstance(found, int) else tuple(self.rendition(i) for i in found)
