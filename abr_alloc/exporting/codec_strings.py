"""The `codecs` parameter (RFC 6381) of an encode that is only planned: profile and smallest level that hold it.

An encode says its own; these are for templates, which are written before there is one. 8-bit 4:2:0 video, main tier.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from abr_alloc.errors import ExportError

__all__ = ["STANDARDS", "Level", "Standard", "video_codec_string", "video_level"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What a decoder of one level can take."""

    name: str
    """As its standard writes it, e.g. 3.1."""
    max_picture: int
    """Largest picture: macroblocks (H.264) or luma samples."""
    max_rate: int
    """Most macroblocks or luma samples per second."""
    max_kbps: float
    """Largest bit rate, kbps."""
    max_buffer_kbit: float
    """Largest coded picture buffer, kbit; infinite where the standard has no such limit."""
    max_width_px: int
    """Largest width, pixels."""
    max_height_px: int
    """Largest height, pixels."""
    max_decoded: float = math.inf
    """H.264: decoded macroblocks that the picture buffer holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """The levels of a video codec, and how one is written."""

    levels: tuple[Level, ...]
    """From the smallest to the largest."""
    block_px: int
    """Side of the squares in which the levels count pictures, pixels: macroblocks (H.264) or luma samples."""
    codecs: Callable[[int, int], str]
    """The `codecs` parameter of an encode at a level of these numbers, major and minor."""


def _h264(name: str, rate: int, picture: int, decoded: int, kbps: int, buffer_kbit: int) -> Level:
    side_px = 16 * math.isqrt(8 * picture)  # A.3.1: no side is longer than sqrt(8 MaxFS) macroblocks
    return Level(
        name=name,
        max_picture=picture,
        max_rate=rate,
        max_kbps=1.25 * kbps,  # High profile: cpbBrVclFactor 1250 of Table A-2
        max_buffer_kbit=1.25 * buffer_kbit,
        max_width_px=side_px,
        max_height_px=side_px,
        max_decoded=decoded,
    )


def _hevc(name: str, rate: int, picture: int, kbps: int, buffer_kbit: int) -> Level:
    side_px = math.isqrt(8 * picture)  # A.4.1; H.266 alike
    return Level(
        name=name,
        max_picture=picture,
        max_rate=rate,
        max_kbps=kbps,
        max_buffer_kbit=buffer_kbit,
        max_width_px=side_px,
        max_height_px=side_px,
    )


def _vp9(name: str, rate: int, picture: int, side_px: int, kbps: int, buffer_kbit: float) -> Level:
    return Level(
        name=name,
        max_picture=picture,
        max_rate=rate,
        max_kbps=kbps,
        max_buffer_kbit=buffer_kbit,
        max_width_px=side_px,
        max_height_px=side_px,
    )


def _av1(name: str, rate: int, picture: int, width_px: int, height_px: int, kbps: int) -> Level:
    return Level(
        name=name,
        max_picture=picture,
        max_rate=rate,
        max_kbps=kbps,
        max_buffer_kbit=math.inf,
        max_width_px=width_px,
        max_height_px=height_px,
    )


# Rec. ITU-T H.264, Table A-1, without level 1b: MaxMBPS, MaxFS, MaxDpbMbs, MaxBR, MaxCPB.
_H264_LEVELS = (
    _h264("1", 1485, 99, 396, 64, 175),
    _h264("1.1", 3000, 396, 900, 192, 500),
    _h264("1.2", 6000, 396, 2376, 384, 1000),
    _h264("1.3", 11880, 396, 2376, 768, 2000),
    _h264("2", 11880, 396, 2376, 2000, 2000),
    _h264("2.1", 19800, 792, 4752, 4000, 4000),
    _h264("2.2", 20250, 1620, 8100, 4000, 4000),
    _h264("3", 40500, 1620, 8100, 10000, 10000),
    _h264("3.1", 108000, 3600, 18000, 14000, 14000),
    _h264("3.2", 216000, 5120, 20480, 20000, 20000),
    _h264("4", 245760, 8192, 32768, 20000, 25000),
    _h264("4.1", 245760, 8192, 32768, 50000, 62500),
    _h264("4.2", 522240, 8704, 34816, 50000, 62500),
    _h264("5", 589824, 22080, 110400, 135000, 135000),
    _h264("5.1", 983040, 36864, 184320, 240000, 240000),
    _h264("5.2", 2073600, 36864, 184320, 240000, 240000),
    _h264("6", 4177920, 139264, 696320, 240000, 240000),
    _h264("6.1", 8355840, 139264, 696320, 480000, 480000),
    _h264("6.2", 16711680, 139264, 696320, 800000, 800000),
)
# Rec. ITU-T H.265, Tables A.8 and A.9, Main profile: MaxLumaSr, MaxLumaPs, MaxBR, MaxCPB.
_HEVC_LEVELS = (
    _hevc("1", 552_960, 36_864, 128, 350),
    _hevc("2", 3_686_400, 122_880, 1500, 1500),
    _hevc("2.1", 7_372_800, 245_760, 3000, 3000),
    _hevc("3", 16_588_800, 552_960, 6000, 6000),
    _hevc("3.1", 33_177_600, 983_040, 10000, 10000),
    _hevc("4", 66_846_720, 2_228_224, 12000, 12000),
    _hevc("4.1", 133_693_440, 2_228_224, 20000, 20000),
    _hevc("5", 267_386_880, 8_912_896, 25000, 25000),
    _hevc("5.1", 534_773_760, 8_912_896, 40000, 40000),
    _hevc("5.2", 1_069_547_520, 8_912_896, 60000, 60000),
    _hevc("6", 1_069_547_520, 35_651_584, 60000, 60000),
    _hevc("6.1", 2_139_095_040, 35_651_584, 120_000, 120_000),
    _hevc("6.2", 4_278_190_080, 35_651_584, 240_000, 240_000),
)
# AV1 Bitstream & Decoding Process Specification, A.3: MaxDisplayRate, MaxPicSize, MaxHSize, MaxVSize, MainMbps.
_AV1_LEVELS = (
    _av1("2.0", 4_423_680, 147_456, 2048, 1152, 1500),
    _av1("2.1", 8_363_520, 278_784, 2816, 1584, 3000),
    _av1("3.0", 19_975_680, 665_856, 4352, 2448, 6000),
    _av1("3.1", 31_950_720, 1_065_024, 5504, 3096, 10_000),
    _av1("4.0", 70_778_880, 2_359_296, 6144, 3456, 12_000),
    _av1("4.1", 141_557_760, 2_359_296, 6144, 3456, 20_000),
    _av1("5.0", 267_386_880, 8_912_896, 8192, 4352, 30_000),
    _av1("5.1", 534_773_760, 8_912_896, 8192, 4352, 40_000),
    _av1("5.2", 1_069_547_520, 8_912_896, 8192, 4352, 60_000),
    _av1("6.0", 1_069_547_520, 35_651_584, 16384, 8704, 60_000),
    _av1("6.1", 2_139_095_040, 35_651_584, 16384, 8704, 100_000),
    _av1("6.2", 4_278_190_080, 35_651_584, 16384, 8704, 160_000),
)

# VP9 levels (webmproject.org/vp9/levels): MaxLumaSampleRate, MaxLumaPictureSize, MaxLumaPictureBreadth, MaxBitrate,
# MaxCPBsize, which the largest do not have.
_VP9_LEVELS = (
    _vp9("1.0", 829_440, 36_864, 512, 200, 400),
    _vp9("1.1", 2_764_800, 73_728, 768, 800, 1000),
    _vp9("2.0", 4_608_000, 122_880, 960, 1800, 1500),
    _vp9("2.1", 9_216_000, 245_760, 1344, 3600, 2800),
    _vp9("3.0", 20_736_000, 552_960, 2048, 7200, 6000),
    _vp9("3.1", 36_864_000, 983_040, 2752, 12_000, 10_000),
    _vp9("4.0", 83_558_400, 2_228_224, 4160, 18_000, 16_000),
    _vp9("4.1", 160_432_128, 2_228_224, 4160, 30_000, 18_000),
    _vp9("5.0", 311_951_360, 8_912_896, 8384, 60_000, 36_000),
    _vp9("5.1", 588_251_136, 8_912_896, 8384, 120_000, 46_000),
    _vp9("5.2", 1_176_502_272, 8_912_896, 8384, 180_000, math.inf),
    _vp9("6.0", 1_176_502_272, 35_651_584, 16832, 180_000, math.inf),
    _vp9("6.1", 2_353_004_544, 35_651_584, 16832, 240_000, math.inf),
    _vp9("6.2", 4_706_009_088, 35_651_584, 16832, 480_000, math.inf),
)
# Rec. ITU-T H.266, Tables A.1 and A.2, Main tier: MaxLumaSr, MaxLumaPs, MaxBR, MaxCPB.
_VVC_LEVELS = (
    _hevc("1.0", 552_960, 36_864, 128, 350),
    _hevc("2.0", 3_686_400, 122_880, 1500, 1500),
    _hevc("2.1", 7_372_800, 245_760, 3000, 3000),
    _hevc("3.0", 16_588_800, 552_960, 6000, 6000),
    _hevc("3.1", 33_177_600, 983_040, 10_000, 10_000),
    _hevc("4.0", 66_846_720, 2_228_224, 12_000, 12_000),
    _hevc("4.1", 133_693_440, 2_228_224, 20_000, 20_000),
    _hevc("5.0", 267_386_880, 8_912_896, 25_000, 25_000),
    _hevc("5.1", 534_773_760, 8_912_896, 40_000, 40_000),
    _hevc("5.2", 1_069_547_520, 8_912_896, 60_000, 60_000),
    _hevc("6.0", 1_069_547_520, 35_651_584, 60_000, 80_000),
    _hevc("6.1", 2_139_095_040, 35_651_584, 120_000, 120_000),
    _hevc("6.2", 4_278_190_080, 35_651_584, 240_000, 180_000),
    _hevc("6.3", 4_812_963_840, 80_216_064, 320_000, 240_000),
)

# avc1 as ISO/IEC 14496-15, 5.4 (High profile, no constraints, level), hvc1 as its Annex E (Main, compatible with Main
# and Main 10; progressive and frames only, as encoders of such video say), vvc1 as its Annex E (Main 10, frames only),
# av01 as AV1-ISOBMFF, section 5 (Main), vp09 as VP9-ISOBMFF (profile 0).
STANDARDS = {
    "h264": Standard(
        levels=_H264_LEVELS, block_px=16, codecs=lambda major, minor: f"avc1.6400{10 * major + minor:02x}"
    ),
    "hevc": Standard(
        levels=_HEVC_LEVELS, block_px=1, codecs=lambda major, minor: f"hvc1.1.6.L{3 * (10 * major + minor)}.90"
    ),
    "vp9": Standard(levels=_VP9_LEVELS, block_px=1, codecs=lambda major, minor: f"vp09.00.{10 * major + minor:02d}.08"),
    "vvc": Standard(
        levels=_VVC_LEVELS, block_px=1, codecs=lambda major, minor: f"vvc1.1.L{16 * major + 3 * minor}.CQA"
    ),
    "av1": Standard(
        levels=_AV1_LEVELS, block_px=1, codecs=lambda major, minor: f"av01.0.{4 * (major - 2) + minor:02d}M.08"
    ),
}
"""By codec."""

_HDR_TRANSFERS = {"PQ": "16", "HLG": "18"}  # Rec. ITU-T H.273, Table 3
_DECODED_FRAMES = 4
"""Decoded frames that an encode with a B-frame pyramid holds, as x264's presets make it."""


def video_level(
    codec: str, width_px: int, height_px: int, fps: Fraction, peak_kbps: float, buffer_kbit: float = 0.0
) -> Level:
    """The smallest level that holds an encode.

    Args:
        codec: of `STANDARDS`.
        width_px: coded width, pixels.
        height_px: coded height, pixels.
        fps: frames per second.
        peak_kbps: largest rate that the encoder is allowed, kbps.
        buffer_kbit: size of its rate buffer, kbit.

    Raises:
        ExportError: no level holds it.
    """
    standard = STANDARDS[codec]
    picture = math.ceil(width_px / standard.block_px) * math.ceil(height_px / standard.block_px)
    for level in standard.levels:
        if (
            picture <= level.max_picture
            and picture * fps <= level.max_rate
            and peak_kbps <= level.max_kbps
            and buffer_kbit <= level.max_buffer_kbit
            and width_px <= level.max_width_px
            and height_px <= level.max_height_px
            and _DECODED_FRAMES * picture <= level.max_decoded
        ):
            return level
    raise ExportError(
        f"no level of {codec} holds {width_px}x{height_px} at {float(fps):g} frames/s and {peak_kbps:g} kbps; "
        "leave the rung out of the ladder (`max_height_px`, `max_kbps`)"
    )


def video_codec_string(codec: str, level: Level, dynamic_range: str = "SDR") -> str:
    """The `codecs` parameter of a video encode at a level: of 8-bit SDR, or of 10-bit PQ or HLG."""
    major, _, minor = level.name.partition(".")
    text = STANDARDS[codec].codecs(int(major), int(minor or 0))
    if dynamic_range == "SDR":
        return text
    transfer = _HDR_TRANSFERS[dynamic_range]
    if codec == "av1":  # colour stands there where it is not BT.709's: AV1-ISOBMFF, section 5
        return f"{text.removesuffix('08')}10.0.110.09.{transfer}.09.0"
    if codec == "vp9":  # profile 2 has 10 bits: VP9-ISOBMFF
        return f"vp09.02{text.removeprefix('vp09.00').removesuffix('08')}10.01.09.{transfer}.09.00"
    return text.replace("hvc1.1.6.", "hvc1.2.4.")  # Main 10; VVC's Main 10 holds both
