"""Elementary streams: coded pictures without times, brought into MP4 at a constant rate.

Pictures stand in the order in which they are decoded. A decoder is given each with its place and gives back, in the
order in which they are shown, which place every picture had; so times follow without a guess. (ffmpeg's `dts2pts`
counts anew at IDR pictures: seen with 9.0.2, two pictures of one time at the end of every GOP.)
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.container import open_media

__all__ = ["TIMELESS", "write_timed"]

TIMELESS = ("h264", "hevc", "vvc")
"""libav's names of formats that hold such streams."""


def write_timed(stream_path: Path, fps: Fraction, path: Path, *, tag: str = "") -> None:
    """Write an elementary stream to an MP4 file.

    Args:
        stream_path: the stream.
        fps: frames per second.
        path: the file.
        tag: its sample entry; the usual one when empty.

    Raises:
        UnsupportedMediaError: it cannot be decoded, or pictures are not all shown.
    """
    shown = _order(stream_path)
    place = {decoded: at for at, decoded in enumerate(shown)}
    with open_media(stream_path) as source, av.open(str(path), "w", format="mp4") as target:
        stream = source.streams.video[0]
        written = target.add_stream_from_template(stream)
        base = 1 / fps
        written.time_base = base
        if tag:
            written.codec_context.codec_tag = tag
        packets = [packet for packet in source.demux(stream) if packet.size]
        if len(packets) != len(shown):
            raise UnsupportedMediaError(
                f"{stream_path.name} has {len(packets)} coded pictures and shows {len(shown)}", path=str(stream_path)
            )
        delay = max(number - place[number] for number in range(len(packets)))
        for number, packet in enumerate(packets):
            packet.stream = written
            packet.time_base, packet.duration = base, 1
            packet.pts, packet.dts = place[number], number - delay
            target.mux(packet)


def _order(stream_path: Path) -> list[int]:
    """The places that pictures have in the stream, in the order in which they are shown."""
    shown: list[int] = []
    with open_media(stream_path) as source:
        stream = source.streams.video[0]
        number = 0
        for packet in source.demux(stream):
            if packet.size:
                packet.pts, packet.dts = number, number
                number += 1
            shown += [frame.pts for frame in packet.decode() if frame.pts is not None]
    return shown
