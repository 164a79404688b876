"""What a file holds that somebody else encoded: its streams with their codecs, and the packets of each.

Only headers and packets are read. What a picture looks like once it is decoded is `probe.py`'s.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from abr_alloc.codecs import AUDIO_CODECS, VIDEO_CODECS
from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.container import open_media
from abr_alloc.media.packets import Packets
from abr_alloc.media.tracks import choose_audio, choose_video

__all__ = ["EncodedStream", "read_stream_packets", "read_streams", "states_colour"]

_AAC_PROFILES = {"HE-AAC": "heaac", "HE-AACv2": "heaacv2"}
_UNSPECIFIED = (0, 2)  # matrix coefficients that say nothing, and RGB's (ITU-T H.273, 8.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedStream:
    """One stream of a file, as its headers tell of it."""

    kind: str
    """`video` or `audio`."""
    index: int
    """Its number in the file."""
    codec: str
    """As tables name codecs."""
    channels: int = 0
    """Audio channels; 0 of a picture."""
    is_alone: bool = False
    """Whether the file holds nothing else."""


def read_streams(path: Path, *, audio_track: int | None = None) -> tuple[EncodedStream, ...]:
    """The picture and the sound of a rendition, whichever of the two it has.

    Args:
        path: the file.
        audio_track: number among its audio tracks, from 1; None to choose.

    Raises:
        UnsupportedMediaError: it holds neither, or one in a codec that tables do not know.
    """
    with open_media(path) as container:
        video = choose_video(container)
        audio = choose_audio(container, audio_track, path)
        if len(audio.indices) > 1:  # mono tracks side by side are a studio's, not a player's
            audio = choose_audio(container, 1, path)
        alone = len(container.streams) == 1
        found = [_video_stream(video, path, alone)] if video is not None else []
        found += [_audio_stream(container.streams[index], path, alone) for index in audio.indices]
    if not found:
        raise UnsupportedMediaError(f"{path} holds neither video nor audio", path=str(path))
    return tuple(found)


def _video_stream(stream: Any, path: Path, alone: bool) -> EncodedStream:
    context = stream.codec_context
    codec = _canonical(context)
    if codec not in VIDEO_CODECS:
        raise _unknown(path, "video", codec, VIDEO_CODECS)
    return EncodedStream(kind="video", index=stream.index, codec=codec, is_alone=alone)


def _audio_stream(stream: Any, path: Path, alone: bool) -> EncodedStream:
    context = stream.codec_context
    codec = _canonical(context)
    if codec == "aac":
        codec = _AAC_PROFILES.get(str(context.profile or ""), codec)
    if codec not in AUDIO_CODECS:
        raise _unknown(path, "audio", codec, AUDIO_CODECS)
    return EncodedStream(kind="audio", index=stream.index, codec=codec, channels=int(context.channels), is_alone=alone)


def _canonical(context: Any) -> str:
    if context is None:
        return "of an unknown kind"
    return str(context.codec.canonical_name if context.codec else context.name)


def _unknown(path: Path, kind: str, codec: str, known: Any) -> UnsupportedMediaError:
    return UnsupportedMediaError(
        f"{path}: {kind} codec {codec} is not one that the model knows ({', '.join(known)}); leave this rendition out",
        path=str(path),
    )


def states_colour(path: Path, index: int) -> tuple[bool, bool]:
    """Whether a picture says of itself which range its samples have, and which matrix.

    Raises:
        UnsupportedMediaError: the file cannot be read.
    """
    with open_media(path) as container:
        context: Any = container.streams[index].codec_context
        return int(context.color_range or 0) != 0, int(context.colorspace or 0) not in _UNSPECIFIED


def read_stream_packets(path: Path, index: int) -> Packets:
    """Time, duration and size of every packet of a stream that is shown or heard, in presentation order.

    What an edit list cuts off is not among them. Where a container tells no durations, each lasts until the next.

    Raises:
        UnsupportedMediaError: the file cannot be read, or its packets have no times.
    """
    rows = array("d")
    num_untimed = 0
    with open_media(path) as container:
        for packet in container.demux(container.streams[index]):
            if packet.stream_index != index or not packet.size or packet.is_discard:
                continue
            if packet.pts is None:
                num_untimed += 1
                continue
            base = float(packet.time_base or 1)
            rows.extend((packet.pts * base, (packet.duration or 0) * base, packet.size))
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    if num_untimed or not len(table):
        raise UnsupportedMediaError(
            f"{path}: {num_untimed or 'all'} of its packets have no time; put the stream into MP4 or Matroska (ffmpeg "
            "-c copy)",
            path=str(path),
        )
    start_s, duration_s, size_bytes = table[np.lexsort(table.T[::-1])].T
    until_next = np.append(np.diff(start_s), duration_s[-1] or (np.diff(start_s).mean() if len(start_s) > 1 else 0.0))
    return Packets(start_s=start_s, duration_s=np.where(duration_s > 0, duration_s, until_next), size_bytes=size_bytes)
