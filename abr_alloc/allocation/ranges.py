"""Types of the fields of ladders: numbers within limits, and texts that say something.

Nothing is checked when a record is made. When it is read from a file (`formats.conversion`), a value that lies outside
cannot come from this program: the file is damaged.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from abr_alloc.models.predictor import AVQ_RANGE
from abr_alloc.units import MAX_KBPS

__all__ = [
    "SEGMENT_RANGE_S",
    "AudioMos",
    "Avq",
    "AvqDifference",
    "Channels",
    "Count",
    "DynamicRange",
    "Instant",
    "Kbps",
    "Money",
    "NumRungs",
    "Price",
    "Px",
    "RateDifference",
    "SegmentSeconds",
    "Share",
    "TotalKbps",
    "Vmaf",
    "Whole",
    "Word",
]

_AVQ_WIDTH = AVQ_RANGE[1] - AVQ_RANGE[0]

Kbps = Annotated[float, Meta(ge=1e-9, le=MAX_KBPS)]
TotalKbps = Annotated[float, Meta(ge=1e-9, le=4.0 * MAX_KBPS)]  # two streams and their overhead
SEGMENT_RANGE_S = (0.5, 30.0)
"""Shortest and longest that segments of a delivery may be, seconds."""
SegmentSeconds = Annotated[float, Meta(ge=SEGMENT_RANGE_S[0], le=SEGMENT_RANGE_S[1])]
Instant = Annotated[float, Meta(ge=0.0, le=1e9)]
Price = Annotated[float, Meta(ge=0.0, le=1e12)]
Money = Annotated[float, Meta(ge=0.0, le=1e30)]
Px = Annotated[int, Meta(ge=1, le=65_536)]
Channels = Annotated[int, Meta(ge=1, le=255)]
Whole = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1)]
NumRungs = Annotated[int, Meta(ge=1, le=1000)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Vmaf = Annotated[float, Meta(ge=0.0, le=100.0)]
AudioMos = Annotated[float, Meta(ge=1.0, le=5.0)]
Avq = Annotated[float, Meta(ge=AVQ_RANGE[0], le=AVQ_RANGE[1])]
AvqDifference = Annotated[float, Meta(ge=-_AVQ_WIDTH, le=_AVQ_WIDTH)]
RateDifference = Annotated[float, Meta(ge=-100.0, le=1e12)]  # percent
DynamicRange = Literal["SDR", "HLG", "PQ"]
Word = Annotated[str, Meta(min_length=1)]
