"""Streams as they lie in a file, without decoding: what the beginning of one holds, and several as one.

Parts whose clocks start anew become one file by moving the times of each behind the one before. Packets are copied as
they are, so that this is exact or refused: every part must be of one codec and one configuration, and audio must not
begin with what only prepares its decoder, which a player would cut at each seam.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import av
import av.container
import av.error

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.bitstream import CODECS_PARAMETERS
from abr_alloc.media.container import open_media
from abr_alloc.media.ffmpeg import MEDIA_FORMATS

__all__ = ["Beginning", "PartClock", "join_parts", "look_at_beginning", "read_clock"]

# From memory: a demuxer has nothing else to open.
_OPTIONS = {"protocol_whitelist": "", "format_whitelist": MEDIA_FORMATS}
_MUXERS = {"mp4": "mp4", "mpegts": "mpegts", "webm": "matroska"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What the first bytes of a stream tell of it."""

    video_codec: str = ""
    """h264, hevc, ... as ffmpeg names it; empty without video."""
    audio_codec: str = ""
    """aac, opus, ... as ffmpeg names it; empty without audio."""
    codecs: str = ""
    """Both as RFC 6381 writes them, with a comma between."""
    width_px: int = 0
    """Coded width, pixels."""
    height_px: int = 0
    """Coded height, pixels."""
    fps: float | None = None
    """Frames per second, where they can be told."""
    channels: int = 0
    """Audio channels."""
    sample_rate_hz: int = 0
    """Sample rate, Hz."""
    num_streams: int = 0
    """Streams of video and audio."""


def look_at_beginning(beginning: bytes | Path, name: str) -> Beginning:
    """What a stream's initialisation segment and the first bytes of its media tell, or a file that holds all of it.

    Args:
        beginning: the bytes, whose end may be cut off; or the file.
        name: what to call it in an error.

    Raises:
        UnsupportedMediaError: libav cannot read it, or finds neither video nor audio.
    """
    try:
        if isinstance(beginning, Path):
            with open_media(beginning) as container:
                return _look(container, name)
        with av.open(io.BytesIO(beginning), mode="r", options=_OPTIONS) as container:
            return _look(container, name)
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnsupportedMediaError(f"{name} cannot be read ({reason})", path=name) from error


def _look(container: av.container.InputContainer, name: str) -> Beginning:
    found = [stream for stream in container.streams if stream.type in ("video", "audio")]
    video: Any = next((s for s in found if s.type == "video"), None)
    audio: Any = next((s for s in found if s.type == "audio"), None)
    if not found or any(s and s.codec_context is None for s in (video, audio)):
        raise UnsupportedMediaError(f"{name} holds no video or audio of a known codec", path=name)
    rate = video and (video.average_rate or video.guessed_rate)
    return Beginning(
        video_codec=video.codec_context.codec.canonical_name if video else "",
        audio_codec=audio.codec_context.codec.canonical_name if audio else "",
        codecs=",".join(_codecs(stream.codec_context) for stream in (video, audio) if stream),
        width_px=int(video.codec_context.width) if video else 0,
        height_px=int(video.codec_context.height) if video else 0,
        fps=float(rate) if rate else None,
        channels=int(audio.codec_context.channels) if audio else 0,
        sample_rate_hz=int(audio.codec_context.sample_rate) if audio else 0,
        num_streams=len(found),
    )


def _codecs(context: Any) -> str:
    name = str(context.codec.canonical_name)
    try:
        found = CODECS_PARAMETERS[name](context.extradata or b"", str(context.codec_tag), str(context.profile or ""))
    except (LookupError, ValueError):
        return name
    return name if found.lower() == name else found  # a transport stream's tag, which is no name of RFC 6381


@dataclass(frozen=True, slots=True, kw_only=True)
class PartClock:
    """One stream of a part: how it is set up, and from when to when it lasts by its own clock."""

    setup: tuple[object, ...]
    """Codec, configuration, size or channels: what must not change from part to part."""
    start_s: Fraction
    """Presentation time of the first frame, seconds."""
    end_s: Fraction
    """First instant after the last, seconds."""
    frame_s: Fraction
    """A usual frame, seconds."""
    has_lead_in: bool
    """Whether it begins with samples that are decoded and not presented."""
    decodes_from_s: Fraction
    """When the first frame is decoded, seconds. libav is exact about it where composition offsets are negative too."""
    decodes_to_s: Fraction
    """When one after the last would be."""

    @property
    def codec(self) -> tuple[object, object, object]:
        """Kind, codec and clock rate: what must not change where a decoder is told of the rest in-band."""
        return self.setup[0], self.setup[1], self.setup[-2]


def read_clock(path: Path) -> tuple[PartClock, ...]:
    """The video and audio streams of a file, by their packets.

    Raises:
        UnsupportedMediaError: it cannot be read, or a stream has no packet with a time.
    """
    clocks = []
    with open_media(path) as container:
        streams: list[Any] = [s for s in container.streams if s.type in ("video", "audio")]
        times: dict[int, list[tuple[int, int]]] = {stream.index: [] for stream in streams}
        decoded: dict[int, list[int]] = {stream.index: [] for stream in streams}
        skips: set[int] = set()
        for packet in container.demux(streams):
            if packet.size and packet.pts is not None:
                times[packet.stream.index].append((packet.pts, packet.duration or 0))
                decoded[packet.stream.index].append(packet.pts if packet.dts is None else packet.dts)
                if len(times[packet.stream.index]) == 1 and packet.has_sidedata("skip_samples"):
                    skips.add(packet.stream.index)
        for stream in streams:
            found = sorted(times[stream.index])
            if not found:
                raise UnsupportedMediaError(f"{path} has a stream without frames", path=str(path))
            base, context = Fraction(stream.time_base), stream.codec_context
            # A transport stream tells no lengths of its pictures.
            steps = [after - before for (before, _), (after, _) in itertools.pairwise(found)]
            step = int(median(steps)) if steps else found[0][1]
            last, decodes = found[-1][1] or step, decoded[stream.index]
            video = stream.type == "video"
            sizes = (context.width, context.height) if video else (context.sample_rate, context.channels)
            clocks.append(
                PartClock(
                    setup=(stream.type, context.codec.canonical_name, *sizes, base, bytes(context.extradata or b"")),
                    start_s=found[0][0] * base,
                    end_s=(found[-1][0] + last) * base,
                    frame_s=step * base,
                    has_lead_in=not video and (found[0][0] < 0 or stream.index in skips),
                    decodes_from_s=decodes[0] * base,
                    decodes_to_s=(decodes[-1] + last) * base,
                )
            )
    return tuple(clocks)


def join_parts(paths: Sequence[Path], shifts_s: Sequence[Fraction], container: str, path: Path) -> None:
    """Write parts of one stream into one file, the times of each moved.

    Args:
        paths: files with one stream of video or audio each, set up alike (`PartClock.setup`).
        shifts_s: what to add to the times of each, seconds; whole ticks of its clock.
        container: mp4, mpegts or webm.
        path: the file to write.

    Raises:
        UnsupportedMediaError: a part cannot be read, or not be written in this container.
    """
    try:
        with av.open(str(path), "w", format=_MUXERS[container]) as output:
            target: Any = None
            for part, shift_s in zip(paths, shifts_s, strict=True):
                with open_media(part) as found:
                    stream: Any = next(s for s in found.streams if s.type in ("video", "audio"))
                    target = target or output.add_stream_from_template(stream)
                    shift = shift_s / Fraction(stream.time_base)
                    for packet in found.demux(stream):
                        if packet.size:
                            packet.pts = None if packet.pts is None else packet.pts + int(shift)
                            packet.dts = None if packet.dts is None else packet.dts + int(shift)
                            packet.stream = target
                            output.mux(packet)
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnsupportedMediaError(f"{path} cannot be written ({reason})", path=str(path)) from error
