"""When the frames of a file's streams are shown, from their packets: the whole file is read, nothing is decoded."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.error
import numpy as np
import numpy.typing as npt

from abr_alloc.errors import UnsupportedMediaError

__all__ = ["Timeline", "first_aspect_change", "last_text_s", "read_timelines"]

_ASPECT_STEP_S = 0.2
_SPARSE = 0.1  # untimed packets for one that is timed
_RESTART_S = 0.1  # a step back of decoding time that no rounding explains


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The packets of one stream, in the order of presentation. P packets."""

    time_base: Fraction
    """Seconds of a tick."""
    start: npt.NDArray[np.int64]
    """Presentation time, ticks, on the file's own clock. Shape (P,)."""
    is_key: npt.NDArray[np.bool_]
    """Whether decoding can begin there, as the file says. Shape (P,)."""
    num_untimed: int
    """Packets that have no time, and are left out."""

    @property
    def is_sparse(self) -> bool:
        """Whether many packets have no time, so that those that have tell no distances."""
        return self.num_untimed > _SPARSE * len(self.start)

    @property
    def first_s(self) -> Fraction:
        """Presentation time of the first packet, seconds on the file's clock; 0 where none has a time."""
        return int(self.start[0]) * self.time_base if len(self.start) else Fraction(0)

    @property
    def key_s(self) -> npt.NDArray[np.float64]:
        """Presentation times of the packets where decoding can begin, rising, seconds on the file's clock."""
        return np.asarray(self.start[self.is_key] * float(self.time_base), dtype=np.float64)


def read_timelines(
    container: av.container.InputContainer, indices: Sequence[int], path: Path
) -> Mapping[int, Timeline]:
    """Read every packet of some streams.

    Args:
        container: the open file, at its beginning.
        indices: of the streams.
        path: what to call it in an error.

    Raises:
        UnsupportedMediaError: the clock of a stream restarts on the way.
    """
    rows = {index: array("q") for index in indices}
    num_untimed = dict.fromkeys(indices, 0)
    last: dict[int, int] = {}
    if indices:
        packets = container.demux([container.streams[index] for index in indices])
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.FFmpegError):  # damage: what is behind it is not seen by a decoder either
                break
            index = packet.stream_index
            if index not in rows:  # a cover comes by itself, whatever was asked for
                continue
            start = packet.dts if packet.pts is None else packet.pts
            if not packet.size or packet.is_discard:
                continue
            if start is None:
                num_untimed[index] += 1
                continue
            rows[index].extend((start, packet.is_keyframe))
            if packet.dts is None:  # Matroska tells none, and presentation times go back and forth
                continue
            base, decoded = Fraction(packet.time_base), packet.dts
            before = last.setdefault(index, decoded)
            if (decoded - before) * base < -_RESTART_S:
                first = Fraction(container.start_time or 0, av.time_base)
                kind = container.streams[index].type
                raise UnsupportedMediaError(
                    f"{path}: at {float(before * base - first):.2f} s the clock of the {kind} goes back to "
                    f"{float(decoded * base - first):.2f} s, as where files were joined end to end; take it apart "
                    "there, or join the parts by a tool that sets their times",
                    path=str(path),
                )
            last[index] = max(before, decoded)
    return {index: _timeline(rows[index], num_untimed[index], container.streams[index].time_base) for index in indices}


def last_text_s(container: av.container.InputContainer) -> Fraction:
    """When the last subtitle of a file ends, seconds on its clock; 0 where there is none. All of it is read again."""
    last_s = Fraction(0)
    streams = list(container.streams.subtitles)
    if streams:
        container.seek(0)
        with contextlib.suppress(av.error.FFmpegError):  # damage: what is behind it has no end
            for packet in container.demux(streams):
                if packet.pts is not None and packet.size:
                    last_s = max(last_s, (packet.pts + (packet.duration or 0)) * Fraction(packet.time_base))
    return last_s


def first_aspect_change(
    container: av.container.InputContainer, index: int
) -> tuple[Fraction, Fraction, Fraction] | None:
    """When the pixels of a stream first change their shape: time, seconds on the file's clock, then from and to.

    Headers stand before key frames, so no others are decoded, nor more than five a second. ffmpeg's filters are not
    told of such a change: its frames keep the shape of the first.
    """
    stream = container.streams.video[[s.index for s in container.streams.video].index(index)]
    stream.codec_context.thread_count = 1  # what was read of headers is known at once
    base, shape, last = Fraction(stream.time_base or 1), None, None
    for packet in container.demux(stream):
        if packet.stream_index != index or not packet.is_keyframe or packet.pts is None:
            continue
        if last and 0 <= (packet.pts - last) * base < _ASPECT_STEP_S:
            continue
        last = packet.pts
        with contextlib.suppress(av.error.FFmpegError):  # counted elsewhere
            packet.decode()
        found = Fraction(stream.codec_context.sample_aspect_ratio or 1)
        if shape is not None and found != shape:
            return packet.pts * base, shape, found
        shape = found
    return None


def _timeline(rows: array[int], num_untimed: int, time_base: Fraction | None) -> Timeline:
    table = np.array(rows, dtype=np.int64).reshape(-1, 2)
    start, key = table[np.argsort(table[:, 0], kind="stable")].T
    return Timeline(time_base=Fraction(time_base or 1), start=start, is_key=key.astype(bool), num_untimed=num_untimed)
