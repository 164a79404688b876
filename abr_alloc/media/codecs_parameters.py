"""The `codecs` parameter of RFC 6381, by which a player knows what it is to play, from a configuration record."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from abr_alloc.codecs import AUDIO_CODECS

__all__ = [
    "CODECS_PARAMETERS",
    "codecs_parameter",
    "dolby_vision",
    "hdr_codecs",
    "most_demanding",
    "nal_units",
    "vp_configuration",
    "without_level",
]

_HDR_TRANSFERS = (16, 18)  # PQ and HLG: Rec. ITU-T H.273, Table 3
_DOLBY_VISION = ("dvh1", "dvhe", "dav1")


def without_level(codecs: str) -> tuple[str, int]:
    """A `codecs` parameter of video without its level, and the level as its codec counts; 0 where none is known."""
    entry, *fields = codecs.split(".")
    try:
        if entry in ("avc1", "avc3") and len(fields) == 1:
            return f"{entry}.{fields[0][:2]}", int(fields[0][-2:], 16)  # constraints between them follow from both
        at = {"hvc1": 2, "hev1": 2, "vvc1": 1, "vvi1": 1, "av01": 1, "vp09": 1}[entry]
        digits = "".join(filter(str.isdigit, fields[at]))
        return ".".join([entry, *fields[:at], fields[at].replace(digits, ""), *fields[at + 1 :]]), int(digits)
    except (KeyError, IndexError, ValueError):
        return codecs, 0


def most_demanding(codecs: Iterable[str]) -> str:
    """Of `codecs` parameters of one stream the one whose level is the highest: a decoder for it takes all."""
    return max(codecs, key=lambda one: (without_level(one)[1], one))


def nal_units(data: bytes, length_bytes: int) -> Iterator[bytes]:
    """NAL units of an access unit: with a length before each, or (0) with start codes between them."""
    if not length_bytes:
        yield from (unit for unit in re.split(b"\0\0\1", data)[1:] if unit)
        return
    at = 0
    while at + length_bytes < len(data):
        size = int.from_bytes(data[at : at + length_bytes], "big")
        at += length_bytes
        yield data[at : at + size]
        at += size


def dolby_vision(init: bytes, tag: str) -> str:
    """The `codecs` parameter of Dolby Vision: profile and level of its configuration box; empty for anything else."""
    at = max(init.find(b"dvcC"), init.find(b"dvvC"))
    if tag not in _DOLBY_VISION or at < 0 or at + 8 > len(init):
        return ""
    profile_level = int.from_bytes(init[at + 6 : at + 8], "big")  # behind two bytes of version: 7 bits and 6
    return f"{tag}.{profile_level >> 9:02d}.{profile_level >> 3 & 0x3F:02d}"


def vp_configuration(init: bytes) -> bytes:
    """What a track of VP9 says of itself, behind version and flags of its `vpcC` box; empty for anything else."""
    at = init.find(b"vpcC")
    return init[at + 8 : at + 16] if at >= 0 else b""


def codecs_parameter(codec: str, extradata: bytes, tag: str, profile: str) -> str:
    """The `codecs` parameter of RFC 6381 of a stream; ffmpeg's name of a codec that has none here."""
    parameter = CODECS_PARAMETERS.get(codec)
    return codec if parameter is None else parameter(extradata, tag, profile)


def _avc(extradata: bytes, tag: str, profile: str) -> str:
    if extradata[:1] == b"\1":
        profile_level = extradata[1:4]
    else:
        sps = next((unit for unit in nal_units(extradata, 0) if unit[0] & 0x1F == 7), b"")
        if len(sps) < 4:
            raise ValueError("no sequence parameter set")
        profile_level = sps[1:4]
    return f"{'avc3' if tag == 'avc3' else 'avc1'}.{profile_level.hex()}"


def _hevc(hvcc: bytes, tag: str, profile: str) -> str:
    if hvcc[:1] != b"\1":
        return tag  # a transport stream: no configuration record to read
    space = ("", "A", "B", "C")[hvcc[1] >> 6]
    tier = "H" if hvcc[1] & 0x20 else "L"
    compatibility = int(f"{int.from_bytes(hvcc[2:6], 'big'):032b}"[::-1], 2)
    constraints = hvcc[6:12].rstrip(b"\0")
    words = [tag or "hvc1", f"{space}{hvcc[1] & 0x1F}", f"{compatibility:X}", f"{tier}{hvcc[12]}"]
    return ".".join([*words, *(f"{byte:X}" for byte in constraints)])


def _av1(extradata: bytes, tag: str, profile: str) -> str:
    profile_number, level = extradata[1] >> 5, extradata[1] & 0x1F
    tier = "H" if extradata[2] & 0x80 else "M"
    depth = 8 if not extradata[2] & 0x40 else 12 if extradata[2] & 0x20 else 10
    return f"av01.{profile_number}.{level:02d}{tier}.{depth:02d}"


def hdr_codecs(codecs: str, extradata: bytes, primaries: int, transfer: int, matrix: int) -> str:
    """A `codecs` parameter with the colour that AV1 in PQ or HLG has to state there, as it is not BT.709's, which a
    player takes where nothing is said (AV1-ISOBMFF, section 5); any other as it is. The numbers are H.273's."""
    if transfer not in _HDR_TRANSFERS or not codecs.startswith("av01.") or codecs.count(".") != 3:
        return codecs
    subsampling = f"{extradata[2] >> 3 & 1}{extradata[2] >> 2 & 1}{extradata[2] & 3}"
    return f"{codecs}.{extradata[2] >> 4 & 1}.{subsampling}.{primaries:02d}.{transfer:02d}.{matrix:02d}.0"


def _vp9(vpcc: bytes, tag: str, profile: str) -> str:
    if len(vpcc) < 6:
        return "vp09"
    depth, chroma, full_range = vpcc[2] >> 4, vpcc[2] >> 1 & 7, vpcc[2] & 1
    text, colour = f"vp09.{vpcc[0]:02d}.{vpcc[1]:02d}.{depth:02d}", tuple(vpcc[3:6])
    if chroma <= 1 and not full_range and colour in ((1, 1, 1), (2, 2, 2)):  # what a player takes where nothing is said
        return text
    return f"{text}.{chroma:02d}." + ".".join(f"{code:02d}" for code in colour) + f".{full_range:02d}"


def _vvc(vvcc: bytes, tag: str, profile: str) -> str:
    if vvcc[:1] < b"\xf8" or not vvcc[0] & 1:
        return tag or "vvc1"  # a transport stream, or a record without profile, tier and level
    count = vvcc[4] & 0x3F
    constraints = base64.b32encode(vvcc[7 : 7 + count].rstrip(b"\0")).decode().rstrip("=")
    tier = "H" if vvcc[5] & 1 else "L"
    return ".".join(
        [tag or "vvc1", str(vvcc[5] >> 1), f"{tier}{vvcc[6]}", *([f"C{constraints}"] if constraints else [])]
    )


def _aac(extradata: bytes, tag: str, profile: str) -> str:
    object_type = extradata[0] >> 3 if extradata else 2
    if object_type == 31:
        object_type = 32 + (int.from_bytes(extradata[:2], "big") >> 5 & 0x3F)
    if object_type == 2 and profile.startswith("HE-AAC"):  # SBR and PS may be signalled behind a plain AAC-LC header
        object_type = 29 if profile == "HE-AACv2" else 5
    return f"mp4a.40.{object_type}"


def _always(text: str) -> Callable[[bytes, str, str], str]:
    return lambda extradata, tag, profile: text


CODECS_PARAMETERS: Mapping[str, Callable[[bytes, str, str], str]] = {
    "h264": _avc,
    "hevc": _hevc,
    "vp9": _vp9,
    "av1": _av1,
    "vvc": _vvc,
    "aac": _aac,  # HE-AAC too, in which ffmpeg sees a profile
    "mp3": _always("mp4a.40.34"),
    **{codec.name: _always(codec.codecs) for codec in AUDIO_CODECS.values() if codec.sample_entry != "mp4a"},
}
"""By ffmpeg's name of a codec, its `codecs` parameter from its configuration record, its tag and its profile (ISO/IEC
14496-15 Annex E for AVC, HEVC and VVC; AV1-ISOBMFF section 5; VP9-ISOBMFF)."""
