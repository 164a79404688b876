"""The packets of an encode: when each plays, how long, and how large it is."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from abr_alloc.media.container import open_media

__all__ = ["Packets", "read_packets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packets:
    """The packets of one stream, in presentation order."""

    start_s: npt.NDArray[np.float64]
    """Presentation time, seconds. Shape (P,)."""
    duration_s: npt.NDArray[np.float64]
    """Duration, seconds. Shape (P,)."""
    size_bytes: npt.NDArray[np.float64]
    """Size, bytes. Shape (P,)."""


def read_packets(path: Path) -> Packets:
    """Time, duration and size of every packet of the only stream of an encode, in presentation order.

    Raises:
        UnsupportedMediaError: the file cannot be read.
    """
    rows = array("d")  # three numbers per packet: two hours have 170,000 packets
    with open_media(path) as container:
        stream = container.streams[0]
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None:
                base = float(packet.time_base)
                rows.extend((packet.pts * base, (packet.duration or 0) * base, packet.size))
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    # By start; of equal starts the shorter, then the smaller packet comes first.
    start_s, duration_s, size_bytes = table[np.lexsort(table.T[::-1])].T
    return Packets(start_s=start_s, duration_s=duration_s, size_bytes=size_bytes)
