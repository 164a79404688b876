"""What a source's samples mean as colour, decided once: matrix, range, primaries and transfer.

Everything that is encoded, delivered or compared is limited range and carries these tags. The matrix of a source in
YCbCr is kept, whatever size a rendition has: a player that goes by the tags is right, and one that guesses by size
would be wrong for some rung of every HD ladder. RGB is turned into YCbCr by BT.709 from 720 lines up and by BT.601
below, as untagged YCbCr is taken to be (Rec. ITU-R BT.709-6, BT.601-7; Rec. ITU-T H.273 names the codes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

__all__ = [
    "DYNAMIC_RANGES",
    "SDR_COLOUR",
    "Colour",
    "DynamicRange",
    "HdrMetadata",
    "PictureTags",
    "decide_colour",
    "hdr_transfer",
    "is_rgb_format",
]

DynamicRange = Literal["SDR", "HLG", "PQ"]

DYNAMIC_RANGES: tuple[DynamicRange, ...] = ("SDR", "HLG", "PQ")
"""Dynamic ranges by the names that HLS has for them (VIDEO-RANGE)."""

_HD_LINES, _HD_COLUMNS = 720, 1280
_PAL_LINES = (288, 576)
_UNKNOWN = frozenset({"", "unknown", "unspecified", "reserved", "reserved0"})

# Matrix -> primaries and transfer that go with it.
_FAMILIES = {
    "bt709": ("bt709", "bt709"),
    "smpte170m": ("smpte170m", "smpte170m"),
    "bt470bg": ("bt470bg", "smpte170m"),
    "smpte240m": ("smpte240m", "smpte240m"),
    "fcc": ("bt470m", "bt470m"),
    "bt2020nc": ("bt2020", "bt2020-10"),
}
_SCALE_NAMES = {"smpte170m": "bt601", "bt470bg": "bt601", "bt2020nc": "bt2020"}
_MATRIX_OF_PRIMARIES = {"bt2020": "bt2020nc", "bt709": "bt709", "smpte170m": "smpte170m", "bt470bg": "bt470bg"}
_HDR: Mapping[str, DynamicRange] = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
_FULL_RANGE_CODECS = frozenset({"mjpeg", "png", "apng", "gif", "bmp", "tiff", "jpeg2000", "webp", "qoi", "targa"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTags:
    """What ffmpeg says of a frame, in its words; empty or `unknown` where the file is silent."""

    pixel_format: str
    range: str
    """`tv` or `pc`."""
    matrix: str
    primaries: str
    transfer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """Colour of a source, and of all that is made of it. Names are ffmpeg's."""

    in_full_range: bool
    """Whether the source's samples use the full range."""
    is_rgb: bool
    """Whether the source's samples are red, green and blue."""
    matrix: str
    """Matrix of what is encoded; the source's own where it is no RGB."""
    primaries: str
    """Primaries of both."""
    transfer: str
    """Transfer characteristics of both."""

    @property
    def dynamic_range(self) -> DynamicRange:
        """SDR, HLG or PQ, by the transfer characteristics."""
        return _HDR.get(self.transfer, "SDR")

    @property
    def scale_matrix(self) -> str:
        """The matrix by the name that ffmpeg's `scale` has for it."""
        return _SCALE_NAMES.get(self.matrix, self.matrix)

    @property
    def tags(self) -> str:
        """The filter that marks frames as normalised."""
        return f"setparams=range=tv:colorspace={self.matrix}:color_primaries={self.primaries}:color_trc={self.transfer}"


SDR_COLOUR = Colour(in_full_range=False, is_rgb=False, matrix="bt709", primaries="bt709", transfer="bt709")
"""What HDR is mapped to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HdrMetadata:
    """Static metadata of HDR10: the display that a title was mastered on (SMPTE ST 2086), and its light (CTA-861.3)."""

    primaries_xy: tuple[tuple[float, float], tuple[float, float], tuple[float, float]] | None = None
    """Chromaticities of red, green and blue; None, as all of the display, where it is not known."""
    white_xy: tuple[float, float] | None = None
    """Chromaticity of white."""
    luminance_cd_m2: tuple[float, float] | None = None
    """Least and largest luminance, cd/m2."""
    max_cll_cd_m2: int | None = None
    """Largest light of a pixel (MaxCLL), cd/m2; None where it is not known."""
    max_fall_cd_m2: int | None = None
    """Largest mean light of a frame (MaxFALL), cd/m2."""

    @property
    def has_display(self) -> bool:
        """Whether the mastering display is known."""
        return self.primaries_xy is not None and self.white_xy is not None and self.luminance_cd_m2 is not None

    @classmethod
    def from_object(cls, found: Mapping[str, Any]) -> Self:
        """From what `dataclasses.asdict` gave, through JSON."""

        def pair(value: Any) -> Any:
            return None if value is None else tuple(value)

        primaries = found["primaries_xy"]
        return cls(
            primaries_xy=None if primaries is None else tuple(map(pair, primaries)),  # type: ignore[arg-type]
            white_xy=pair(found["white_xy"]),
            luminance_cd_m2=pair(found["luminance_cd_m2"]),
            max_cll_cd_m2=found["max_cll_cd_m2"],
            max_fall_cd_m2=found["max_fall_cd_m2"],
        )


def hdr_transfer(tags: PictureTags) -> str:
    """PQ or HLG where the transfer is one of HDR; else empty."""
    return _HDR.get(tags.transfer, "")


def is_rgb_format(pixel_format: str) -> bool:
    """Whether a pixel format, by ffmpeg's name, holds red, green and blue, or is made of them: a palette, black and
    white, or grey with alpha, which ffmpeg knows as full range alone."""
    return pixel_format.startswith(
        ("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "x2", "pal8", "bayer", "mono", "ya8", "ya16")
    )


def decide_colour(tags: PictureTags, width_px: int, height_px: int, codec: str) -> Colour | None:
    """What a source's samples mean; None where that cannot be kept (ICtCp, YCgCo, XYZ and their like).

    Args:
        tags: what the file says.
        width_px: coded width.
        height_px: coded height.
        codec: the source's codec, by ffmpeg's name: pictures of still codecs are full range, unless they say else.
    """
    if tags.pixel_format.startswith("xyz"):  # cinema's, in a space and a transfer of its own
        return None
    rgb = is_rgb_format(tags.pixel_format)
    matrix = "" if tags.matrix in _UNKNOWN | {"gbr"} else tags.matrix
    if rgb or not matrix:
        # An encoder that tags its primaries alone means the matrix that goes with them; PQ and HLG are BT.2020's.
        usual = "bt2020nc" if hdr_transfer(tags) else _usual_matrix(width_px, height_px)
        matrix = _MATRIX_OF_PRIMARIES.get(tags.primaries, "") or usual
    if matrix not in _FAMILIES:
        return None
    primaries, transfer = _FAMILIES[matrix]
    return Colour(
        in_full_range=_is_full_range(tags, codec, rgb),
        is_rgb=rgb,
        matrix=matrix,
        primaries=primaries if tags.primaries in _UNKNOWN else tags.primaries,
        transfer=transfer if tags.transfer in _UNKNOWN else tags.transfer,
    )


def _usual_matrix(width_px: int, height_px: int) -> str:
    if height_px >= _HD_LINES or width_px >= _HD_COLUMNS:
        return "bt709"
    return "bt470bg" if height_px in _PAL_LINES else "smpte170m"


def _is_full_range(tags: PictureTags, codec: str, rgb: bool) -> bool:
    if rgb:
        return True
    if tags.range not in _UNKNOWN:
        return tags.range == "pc"
    return tags.pixel_format.startswith("yuvj") or codec in _FULL_RANGE_CODECS
