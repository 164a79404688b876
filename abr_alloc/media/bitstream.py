"""Look into segments: what a player's decoder is given, read from the bitstream itself.

A segment of fragmented MP4 is read behind its initialisation segment; one of an MPEG transport stream stands alone.
Times are presentation times with edit lists applied, in ticks of the track, so that they add up exactly.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.error

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.codecs_parameters import (
    CODECS_PARAMETERS,
    codecs_parameter,
    dolby_vision,
    hdr_codecs,
    nal_units,
    vp_configuration,
)
from abr_alloc.media.composition_offsets import without_negative_offsets

__all__ = ["CODECS_PARAMETERS", "Fragment", "picture_size", "read_fragment"]

# Segments come from memory, so a demuxer has nothing else to open.
_OPTIONS = {"protocol_whitelist": "", "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,mpegts,aac,mp3,ac3,eac3"}

# Rec. ITU-T H.273, Tables 2 to 4, by ffmpeg's names; code points that say nothing are not there.
_PRIMARIES = {
    **{1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020"},
    **{10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213"},
}
_TRANSFERS = {
    **{1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100", 10: "log316"},
    **{11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084"},
    **{17: "smpte428", 18: "arib-std-b67"},
}
_MATRICES = {
    **{0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9: "bt2020nc"},
    **{10: "bt2020c", 11: "smpte2085", 12: "chroma-derived-nc", 13: "chroma-derived-c", 14: "ictcp"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _NalSyntax:
    """How a codec of NAL units tells an IDR picture."""

    idr: frozenset[int]
    """Types of NAL units that hold one."""
    length_at: int
    """Byte of the configuration record whose two bits tell the bytes of a unit's length, less one."""
    length_shift: int = 0
    """Bits below them."""
    shift: int
    """Bits of a unit's first byte below its type."""
    mask: int
    """Bits of the type."""
    at: int = 0
    """Byte of a unit that holds it."""


# Rec. ITU-T H.264, H.265 and H.266, Table 7-1 or 5; avcC, hvcC and vvcC as in ISO/IEC 14496-15. The key frames of a
# codec that is not here are IDR pictures in all but name.
_NAL = {
    "h264": _NalSyntax(idr=frozenset({5}), length_at=4, shift=0, mask=0x1F),
    "hevc": _NalSyntax(idr=frozenset({19, 20}), length_at=21, shift=1, mask=0x3F),
    "vvc": _NalSyntax(idr=frozenset({7, 8}), length_at=0, length_shift=1, at=1, shift=3, mask=0x1F),
}


_PREFIX_SEI, _LIGHT = 39, (137, 144)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """One segment of one track."""

    kind: str
    """video or audio."""
    codec: str
    """h264, hevc, vp9, av1, vvc, aac, opus, ... as ffmpeg names it."""
    codecs: str
    """Codec with profile and level as RFC 6381 writes it, e.g. avc1.64001f."""
    width_px: int
    """Coded width, pixels; 0 for audio."""
    height_px: int
    """Coded height, pixels; 0 for audio."""
    channels: int
    """Channels; 0 for video."""
    sample_rate_hz: int
    """Sample rate, Hz; 0 for video."""
    bit_depth: int
    """Bits per luma sample; 0 for audio."""
    primaries: str
    """Colour primaries, as ffmpeg names them: bt709, bt2020; empty where nothing says, and for audio."""
    transfer: str
    """Transfer characteristics: bt709, smpte2084 (PQ), arib-std-b67 (HLG); empty likewise."""
    matrix: str
    """Matrix of YCbCr: bt709, bt2020nc; empty likewise."""
    timescale: int
    """Ticks per second."""
    start: int
    """Presentation time of the first frame, ticks; negative where a decoder's lead-in comes first."""
    end: int
    """First instant after the last frame, ticks."""
    num_frames: int
    """Coded frames."""
    idr: tuple[int, ...]
    """Presentation times of IDR pictures (AV1: key frames), ticks, rising; of every frame for audio."""
    idr_ranges: tuple[tuple[int, int], ...]
    """Offset and length of what decodes each IDR picture alone: the head of its movie fragment and itself. Empty where
    some IDR picture is not the first frame of a movie fragment, and for audio."""
    starts_with_idr: bool
    """Whether the first frame in decoding order is an IDR picture; True for audio."""
    light_in_samples: bool = False
    """Whether the first frame of HEVC carries static metadata of HDR itself, not only its configuration record."""

    @property
    def duration_s(self) -> float:
        return (self.end - self.start) / self.timescale


def read_fragment(
    data: bytes, init: bytes = b"", *, name: str = "the segment", first_frame_only: bool = False
) -> Fragment:
    """Read a segment of one track.

    Args:
        data: the segment's bytes.
        init: the bytes of its initialisation segment; empty for transport streams.
        name: what to call it in an error.
        first_frame_only: look no farther than the first frame, as for an entry of an I-frame playlist.

    Raises:
        UnsupportedMediaError: it cannot be read, or holds no frame.
    """
    shown, late = without_negative_offsets(data) if init else (data, 0)
    try:
        with av.open(io.BytesIO(init + shown), mode="r", options=_OPTIONS) as container:
            stream = next((s for s in container.streams if s.type in ("video", "audio")), None)
            found = iter(()) if stream is None else (p for p in container.demux(stream) if p.size and p.pts is not None)
            packets = list(itertools.islice(found, 1 if first_frame_only else None))
            if stream is None or not packets:
                raise UnsupportedMediaError(f"{name} holds no frame of video or audio", path=name)
            if init and any(p.is_corrupt for p in packets):  # less data than its header says
                raise UnsupportedMediaError(f"{name} ends within a frame; is it whole?", path=name)
            context: Any = stream.codec_context  # PyAV types it by kind
            if context is None:  # damaged headers name codecs that nobody knows
                raise UnsupportedMediaError(f"{name} is of a codec that ffmpeg does not know; is it whole?", path=name)
            video = stream.type == "video"
            base = Fraction(stream.time_base or 1)
            if base.numerator != 1:
                raise UnsupportedMediaError(f"{name} has a time base of {base} s, not of 1/n", path=name)
            times = [((p.pts or 0) - late, p.duration or (0 if video else _sounding(p, base))) for p in packets]
            extradata = context.extradata or vp_configuration(init)
            codec = context.codec.canonical_name
            keys = [not video or (bool(p.is_keyframe) and _is_idr(codec, p, extradata)) for p in packets]
            pictures = [p for p, key in zip(packets, keys, strict=True) if key and video]
            if video and stream.average_rate:  # of the first frames of VP9, libav does not tell how long they last
                times = [(pts, ticks or round(1 / (stream.average_rate * base))) for pts, ticks in times]
            return Fragment(
                kind=str(stream.type),
                codec=codec,
                codecs=hdr_codecs(
                    dolby_vision(init, str(context.codec_tag))
                    or codecs_parameter(codec, extradata, str(context.codec_tag), str(context.profile or "")),
                    extradata,
                    *(
                        (int(context.color_primaries), int(context.color_trc), int(context.colorspace))
                        if video
                        else (0, 0, 0)
                    ),
                ),
                width_px=int(context.width) if video else 0,
                height_px=int(context.height) if video else 0,
                channels=0 if video else int(context.channels),
                sample_rate_hz=0 if video else int(context.sample_rate),
                bit_depth=max(part.bits for part in context.format.components) if video and context.format else 0,
                primaries=_PRIMARIES.get(int(context.color_primaries), "") if video else "",
                transfer=_TRANSFERS.get(int(context.color_trc), "") if video else "",
                matrix=_MATRICES.get(int(context.colorspace), "") if video else "",
                timescale=base.denominator,
                start=min(pts for pts, _ in times),
                end=max(pts + duration for pts, duration in times),
                num_frames=len(packets),
                idr=tuple(sorted(pts for (pts, _), key in zip(times, keys, strict=True) if key)),
                idr_ranges=_idr_ranges(data, len(init), pictures),
                starts_with_idr=keys[0],
                light_in_samples=codec == "hevc" and _tells_light(bytes(packets[0]), extradata),
            )
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnsupportedMediaError(f"{name} cannot be read ({reason}); is it whole?", path=name) from error


def picture_size(data: bytes, init: bytes, *, name: str = "the segment") -> tuple[int, int]:
    """Width and height of the first picture of a segment, pixels, as it is decoded: what is said in-band counts.

    Raises:
        UnsupportedMediaError: it cannot be decoded, or holds no picture.
    """
    try:
        with av.open(io.BytesIO(init + data), mode="r", options=_OPTIONS) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            picture = next(container.decode(stream))
            return int(picture.width), int(picture.height)
    except (av.error.FFmpegError, ValueError, IndexError, StopIteration) as error:
        reason = getattr(error, "strerror", None) or "no picture"
        raise UnsupportedMediaError(f"{name} cannot be decoded ({reason}); is it whole?", path=name) from error


def _idr_ranges(data: bytes, init_bytes: int, pictures: Sequence[Any]) -> tuple[tuple[int, int], ...]:
    """Where IDR pictures lie with the heads that they need; see `Fragment.idr_ranges`."""
    heads: dict[int, int] = {}  # first byte of a movie fragment's media data -> its head
    at, head = 0, None
    while at + 8 <= len(data):  # boxes: size, type (ISO/IEC 14496-12, 4.2)
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"moof":
            head = at
        elif kind == b"mdat" and head is not None:
            heads[at + 8] = head
        if size < 8:  # the rest of the file, or a 64-bit size: no segment that a ladder is cut into
            break
        at += size
    ranges = []
    for packet in pictures:
        first = -1 if packet.pos is None else packet.pos - init_bytes
        if first not in heads:
            return ()
        ranges.append((heads[first], first + packet.size - heads[first]))
    return tuple(ranges)


def _sounding(packet: Any, base: Fraction) -> int:
    """How long a packet of audio sounds, ticks: libav leaves the duration of a lone packet of E-AC-3 open."""
    return round(sum(Fraction(frame.samples, frame.sample_rate) for frame in packet.decode()) / base)


def _tells_light(sample: bytes, hvcc: bytes) -> bool:
    """Whether a sample holds an SEI message of a mastering display or of a content light level (Rec. ITU-T H.265, Table
    D.1: 137, 144)."""
    syntax = _NAL["hevc"]
    configured = hvcc[:1] > b"\0" and len(hvcc) > syntax.length_at
    units = nal_units(sample, (hvcc[syntax.length_at] & 3) + 1 if configured else 0)
    return any(
        len(unit) > 2 and (unit[0] >> syntax.shift) & syntax.mask == _PREFIX_SEI and unit[2] in _LIGHT for unit in units
    )


def _is_idr(codec: str, packet: Any, extradata: bytes) -> bool:
    """Whether a key frame is an IDR picture."""
    syntax = _NAL.get(codec)
    if syntax is None:
        return True
    configured = extradata[:1] > b"\0"  # avcC, hvcC or vvcC; else start codes
    length_bytes = (extradata[syntax.length_at] >> syntax.length_shift & 3) + 1 if configured else 0
    return any(
        len(unit) > syntax.at and (unit[syntax.at] >> syntax.shift) & syntax.mask in syntax.idr
        for unit in nal_units(bytes(packet), length_bytes)
    )
