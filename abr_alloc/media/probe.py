"""Look into a media file without decoding more than one frame of it.

Only single files are opened: demuxers that follow references to other files or hosts (HLS, DASH, concat, SDP, image
sequences) are not on the list, so nothing that a source names is ever fetched.
"""

from __future__ import annotations

import codecs
import hashlib
from array import array
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
import numpy.typing as npt

from abr_alloc.errors import UnsupportedMediaError

__all__ = ["MediaInfo", "Packets", "content_hash", "probe", "read_packets"]

# Demuxers of self-contained files. ffmpeg's whitelist takes their names as its `-formats` prints them.
_FORMATS = (
    "aac,ac3,aiff,amr,apng,asf,av1,avi,avr,avs2,avs3,caf,dirac,dnxhd,dv,eac3,evc,flac,flv,gif,gxf,h261,h263,h264,hevc,"
    "ivf,lxf,m4v,matroska,webm,mjpeg,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,mpegts,mpegvideo,mxf,nut,obu,ogg,rm,swf,truehd,"
    "tta,vc1,vvc,w64,wav,wtv,wv,y4m,yuv4mpegpipe"
)
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}

_STANDARD_FPS = tuple(
    Fraction(n, d)
    for n, d in [(24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1)]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """What a source is, after normalisation: upright, square pixels, even size, constant frame rate."""

    path: Path
    """The file."""
    duration_s: float
    """Length that the container declares, seconds; 0 when it declares none."""
    width_px: int
    """Width as shown (rotated, square pixels), made even; 0 without video."""
    height_px: int
    """Height as shown, made even; 0 without video."""
    fps: Fraction
    """Constant frame rate, frames per second; 0 without video."""
    bit_depth: int
    """Bits per luma sample that are kept, 8 or 10."""
    interlaced: bool
    """True where the first frame is interlaced."""
    channels: int
    """Audio channels of the first audio track; 0 without audio."""
    sample_rate_hz: int
    """Sample rate of the first audio track, Hz; 0 without audio."""
    language: str = ""
    """Language of the first audio track as the file says it, mostly ISO 639-2; empty where it does not."""

    @property
    def pixel_format(self) -> str:
        """ffmpeg's name of the format in which frames are compared."""
        return "yuv420p" if self.bit_depth == 8 else "yuv420p10le"

    @property
    def has_video(self) -> bool:
        return self.width_px > 0

    @property
    def has_audio(self) -> bool:
        return self.channels > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Packets:
    """The packets of one stream, in presentation order."""

    start_s: npt.NDArray[np.float64]
    """Presentation time, seconds. Shape (P,)."""
    duration_s: npt.NDArray[np.float64]
    """Duration, seconds. Shape (P,)."""
    size_bytes: npt.NDArray[np.float64]
    """Size, bytes. Shape (P,)."""


def _require_media_file(path: Path) -> None:
    """Refuse what is not a file, is empty, or is text (every playlist and manifest is)."""
    if path.is_dir():
        raise UnsupportedMediaError(f"{path} is a directory; give media files", path=str(path))
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except FileNotFoundError:
        raise UnsupportedMediaError(f"{path} does not exist; check the path", path=str(path)) from None
    except OSError as error:
        raise UnsupportedMediaError(f"{path} cannot be read: {error.strerror}", path=str(path)) from error
    if not head:
        raise UnsupportedMediaError(f"{path} is empty (0 bytes); give a media file", path=str(path))
    if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"#EXTM3U"):
        raise UnsupportedMediaError(
            f"{path} is an HLS playlist; what it points to is not opened, give the media file itself", path=str(path)
        )
    if b"\0" not in head:
        try:
            codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < 4096)
        except UnicodeDecodeError:
            return
        raise UnsupportedMediaError(f"{path} is text, not media; give a media file", path=str(path))


def _square_pixels(width: int, height: int, aspect: Fraction | None, rotation: int) -> tuple[int, int]:
    """Size as shown: pixels made square by stretching the width, quarter turns undone, odd sides cut by one."""
    if aspect and aspect > 0:
        width = round(width * aspect)
    if rotation % 180:
        width, height = height, width
    return max(2, width // 2 * 2), max(2, height // 2 * 2)


def _constant_fps(stream: av.video.stream.VideoStream) -> Fraction:
    """The stream's average rate, snapped to a broadcast rate that lies within 0.5 %."""
    rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
    nearest = min(_STANDARD_FPS, key=lambda fps: abs(fps - rate))
    if abs(nearest - rate) <= rate / 200:
        return nearest
    return rate.limit_denominator(1001)


def probe(path: Path) -> MediaInfo:
    """Read what a source is.

    Raises:
        UnsupportedMediaError: not one media file that can be decoded; the message says why.
    """
    _require_media_file(path)
    try:
        with av.open(str(path.absolute()), options=_OPTIONS) as container:
            duration_s = container.duration / av.time_base if container.duration else 0.0
            width = height = channels = sample_rate = 0
            language = ""
            fps, bit_depth, interlaced = Fraction(0), 8, False
            videos = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
            if videos:
                stream = videos[0]
                frame = next(container.decode(stream), None)
                if frame is None:
                    raise UnsupportedMediaError(f"{path} holds no video frame that can be decoded", path=str(path))
                width, height = _square_pixels(
                    frame.width, frame.height, stream.sample_aspect_ratio, int(frame.rotation)
                )
                fps = _constant_fps(stream)
                bit_depth = 8 if max(part.bits for part in frame.format.components) <= 8 else 10
                interlaced = bool(frame.interlaced_frame)
            if container.streams.audio:
                context = container.streams.audio[0].codec_context
                channels, sample_rate = int(context.channels), int(context.sample_rate)
                language = container.streams.audio[0].metadata.get("language", "")
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnsupportedMediaError(
            f"{path} cannot be opened as media ({reason}); is it complete, and a single media file?", path=str(path)
        ) from error
    if not width and not channels:
        raise UnsupportedMediaError(f"{path} holds neither video nor audio", path=str(path))
    return MediaInfo(
        path=path,
        duration_s=duration_s,
        width_px=width,
        height_px=height,
        fps=fps,
        bit_depth=bit_depth,
        interlaced=interlaced,
        channels=channels,
        sample_rate_hz=sample_rate,
        language=language,
    )


def read_packets(path: Path) -> Packets:
    """Time, duration and size of every packet of the only stream of an encode, in presentation order.

    Raises:
        UnsupportedMediaError: the file cannot be read.
    """
    rows = array("d")  # three numbers per packet: two hours have 170,000 packets
    try:
        with av.open(str(path.absolute()), options=_OPTIONS) as container:
            stream = container.streams[0]
            for packet in container.demux(stream):
                if packet.size and packet.pts is not None:
                    base = float(packet.time_base)
                    rows.extend((packet.pts * base, (packet.duration or 0) * base, packet.size))
    except av.error.FFmpegError as error:
        raise UnsupportedMediaError(f"{path} cannot be read back: {error.strerror}", path=str(path)) from error
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    # By start; of equal starts the shorter, then the smaller packet comes first.
    start_s, duration_s, size_bytes = table[np.lexsort(table.T[::-1])].T
    return Packets(start_s=start_s, duration_s=duration_s, size_bytes=size_bytes)


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
