"""Codecs: a record holds what the program knows of each, and everybody reads it there.

Records stand in the order of how many players play them, the most widely played first. What a single module knows of
a codec and nobody else asks for lies in that module, in one table by the codec's name: the bitstream (`bitstream.py`),
the levels of its standard (`exporting.codec_strings`), what the format of another program calls it (`exporting`), the
curve of its quality (`models.audio_quality`). tests/test_codecs.py tells which of them a new codec is missing from.

Nothing here runs or imports anything, so that floors without ffmpeg read it too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["AUDIO_CODECS", "ENCODED_AUDIO", "VIDEO_CODECS", "AudioCodec", "VideoCodec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoCodec:
    """A video codec and the encoder that makes it."""

    name: str
    """As grids, tables and ladder files write it, and ffmpeg."""
    encoder: str
    """ffmpeg's name of its encoder."""
    presets: tuple[str, ...]
    """The encoder's presets."""
    default_preset: str
    """The one that is taken unless the user asks for another."""
    crf_range: tuple[float, float]
    """Least and largest CRF that the encoder takes."""
    eight_bit_only: bool
    """Whether players decode 8-bit video of it only, and no HDR; else the source's depth is kept."""
    two_passes: bool
    """Whether its encoder takes two passes through ffmpeg."""
    holds_buffer: bool
    """Whether its encoder holds a rate within a decoder's buffer (`-maxrate`, `-bufsize`)."""
    probe_options: tuple[str, ...]
    """Options of a probe's encode beside `-threads 1`: no thread of the encoder's own, no log."""
    delivery_options: Callable[[int, int, int], list[str]]
    """Options of closed GOPs of one length, from its frames, the threads, and the number of the pass (0: the only)."""

    def pixel_format(self, of_source: str) -> str:
        """ffmpeg's name of the samples to encode, of the source's."""
        return "yuv420p" if self.eight_bit_only else of_source


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


def _x264_delivery(gop: int, threads: int, number: int) -> list[str]:
    closed = ["-keyint_min", str(gop), "-sc_threshold", "0", "-flags", "+cgop", "-threads", str(threads)]
    return [*closed, "-pass", str(number), "-passlogfile", "pass"]


def _x265_delivery(gop: int, threads: int, number: int) -> list[str]:
    params = f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:pools={threads}:log-level=error"
    params += ":frame-threads=1" if threads == 1 else ""
    # Apple's players want the parameter sets in the sample entry alone, hvc1.
    return ["-x265-params", f"{params}:pass={number}:stats=pass.log", "-tag:v", "hvc1"]


def _svt_av1_delivery(gop: int, threads: int, number: int) -> list[str]:
    return ["-svtav1-params", f"lp={threads}:scd=0:irefresh-type=2"]


_X26_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"),
    *map(str, range(10)),  # the same by number
)

_VIDEO = (
    VideoCodec(
        name="h264",
        encoder="libx264",
        presets=_X26_PRESETS,
        default_preset="fast",
        crf_range=(0, 51),
        eight_bit_only=True,
        two_passes=True,
        holds_buffer=True,
        probe_options=(),
        delivery_options=_x264_delivery,
    ),
    VideoCodec(
        name="hevc",
        encoder="libx265",
        presets=_X26_PRESETS,
        default_preset="fast",
        crf_range=(0, 51),
        eight_bit_only=False,
        two_passes=True,
        holds_buffer=True,
        probe_options=("-x265-params", "pools=1:frame-threads=1:log-level=error"),
        delivery_options=_x265_delivery,
    ),
    VideoCodec(
        name="av1",
        encoder="libsvtav1",
        presets=tuple(map(str, range(14))),
        default_preset="8",
        crf_range=(1, 63),
        eight_bit_only=False,
        two_passes=False,
        holds_buffer=False,  # SVT-AV1's VBR takes none
        probe_options=("-svtav1-params", "lp=1"),
        delivery_options=_svt_av1_delivery,
    ),
)

# ETSI TS 102 366, Table 4.13.
_AC3_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)

# Object types of ISO/IEC 14496-3 Table 1.17; Opus in ISOBMFF, section 4.3.3; ETSI TS 102 366, F.2 and F.5; FLAC in
# ISOBMFF, section 3.3.2. The least rate of E-AC-3 is that of ffmpeg's encoder in stereo.
_AUDIO = (
    AudioCodec(name="aac", codecs="mp4a.40.2", encoder="aac"),
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
