"""Codecs: a record holds what the program knows of each, and everybody reads it there.

Records stand in the order of how many players play them, the most widely played first. What a single module knows of
a codec and nobody else asks for lies in that module, in one table by the codec's name: the bitstream (`bitstream.py`),
the levels of its standard (`exporting.codec_strings`), what the format of another program calls it (`exporting`), the
curve of its quality (`models.audio_quality`). tests/test_codecs.py tells which of them a new codec is missing from.

Nothing here runs or imports anything, so that floors without ffmpeg read it too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = ["AUDIO_CODECS", "ENCODED_AUDIO", "TONE_MAPS", "VIDEO_CODECS", "AudioCodec", "ToneMap", "VideoCodec"]

ToneMap = Literal["", "bt2390", "hable", "clip"]
"""One of `TONE_MAPS`; empty where HDR stays HDR."""

TONE_MAPS: tuple[ToneMap, ...] = ("bt2390", "hable", "clip")
"""How HDR is made SDR for codecs that have no HDR (`media.tone_mapping`), the usual way first: the EETF of Rep. ITU-R
BT.2390-11, 5.4; Hable's film curve, as ffmpeg's `tonemap` has it; everything above SDR's white cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoCodec:
    """A video codec. What makes it is `software_encoders`' and the grids' matter."""

    name: str
    """As grids, tables and ladder files write it, and ffmpeg."""
    encoder: str
    """ffmpeg's name of the encoder that is taken unless a grid names another."""
    eight_bit_only: bool = False
    """Whether players decode 8-bit video of it only, and no HDR; else the source's depth is kept."""
    ten_bit_only: bool = False
    """Whether its encoder takes 10-bit samples alone, whatever the source has."""
    in_apple_hls: bool = True
    """Whether Apple's HLS Authoring Specification knows it, and so Apple's players."""
    experimental: bool = False
    """Whether few players have a decoder of it."""

    def pixel_format(self, of_source: str) -> str:
        """ffmpeg's name of the samples to encode, of the source's."""
        return "yuv420p" if self.eight_bit_only else "yuv420p10le" if self.ten_bit_only else of_source


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioCodec:
    """An audio codec and what makes it, if anything here does."""

    name: str
    """As grids, tables and ladder files write it."""
    codecs: str
    """The `codecs` parameter of RFC 6381, which playlists and manifests name it by."""
    encoder: str = ""
    """ffmpeg's name of its encoder; empty where ffmpeg itself has none, or nothing encodes it here."""
    fdk_profile: tuple[str, str] | None = None
    """Its profile in Fraunhofer's encoder: the name for ffmpeg's libfdk_aac, the number for the fdkaac program."""
    stereo_only: bool = False
    """Whether it cannot be mono."""
    is_vbr: bool = False
    """Whether its encoder spends more than it was asked for on a hard scene."""
    is_lossless: bool = False
    """Whether it keeps every sample: it takes what it takes, cannot be asked for a rate, and serves as a reference."""
    rates_kbps: tuple[int, ...] = ()
    """The only rates that its syntax knows, kbps, rising; empty where there are many."""
    rate_range_kbps: tuple[float, float] = (0.0, math.inf)
    """Least and largest rate that its encoder takes, kbps."""

    @property
    def sample_entry(self) -> str:
        """What its `codecs` parameter begins with: `mp4a`."""
        return self.codecs.partition(".")[0]


_VIDEO = (
    VideoCodec(name="h264", encoder="libx264", eight_bit_only=True),
    VideoCodec(name="hevc", encoder="libx265"),
    VideoCodec(name="vp9", encoder="libvpx-vp9", in_apple_hls=False),
    VideoCodec(name="av1", encoder="libsvtav1"),
    VideoCodec(name="vvc", encoder="libvvenc", ten_bit_only=True, in_apple_hls=False, experimental=True),
)

# ETSI TS 102 366, Table 4.13.
_AC3_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)

# Object types of ISO/IEC 14496-3 Table 1.17; Opus in ISOBMFF, section 4.3.3; ETSI TS 102 366, F.2 and F.5; FLAC in
# ISOBMFF, section 3.3.2. The least rate of E-AC-3 is that of ffmpeg's encoder in stereo.
_AUDIO = (
    AudioCodec(name="aac", codecs="mp4a.40.2", encoder="aac", fdk_profile=("aac_low", "2")),
    AudioCodec(name="heaac", codecs="mp4a.40.5", fdk_profile=("aac_he", "5")),
    AudioCodec(name="heaacv2", codecs="mp4a.40.29", fdk_profile=("aac_he_v2", "29"), stereo_only=True),
    AudioCodec(name="opus", codecs="opus", encoder="libopus", is_vbr=True),
    AudioCodec(name="ac3", codecs="ac-3", encoder="ac3", rates_kbps=_AC3_KBPS),
    AudioCodec(name="eac3", codecs="ec-3", encoder="eac3", rate_range_kbps=(32, 6144)),
    AudioCodec(name="flac", codecs="fLaC", encoder="flac", is_lossless=True),
)

VIDEO_CODECS: Mapping[str, VideoCodec] = MappingProxyType({codec.name: codec for codec in _VIDEO})
"""Video codecs by name; all can be encoded."""
AUDIO_CODECS: Mapping[str, AudioCodec] = MappingProxyType({codec.name: codec for codec in _AUDIO})
"""Audio codecs by name, those too that only tables and ladder files of others hold."""
ENCODED_AUDIO = (
    *(codec.name for codec in _AUDIO if codec.encoder),
    *(codec.name for codec in _AUDIO if codec.fdk_profile and not codec.encoder),
)
"""Audio codecs that are encoded here, those of ffmpeg itself first."""
