"""Streams that are one file each: their segments by the bytes that they take, in playlists and manifests.

HLS: EXT-X-BYTERANGE and BYTERANGE of EXT-X-MAP (RFC 8216, 4.3.2.2 and 4.3.2.5). DASH: a Representation of one segment,
whose index tells subsegments (ISO/IEC 23009-1, 5.3.9.2; the on-demand profile, 8.3).
"""

from __future__ import annotations

from collections.abc import Sequence

from abr_alloc.exporting.presentation import AudioStream, IFrame, Timeline, VideoStream
from abr_alloc.media.segments import SEGMENT_PATTERN, TRACK_NAME

__all__ = ["ON_DEMAND", "i_frame_address", "in_one_file", "index_range", "init_map", "init_range", "segment_address"]

ON_DEMAND = "urn:mpeg:dash:profile:isoff-on-demand:2011"
"""DASH's profile of such presentations."""


def in_one_file(streams: Sequence[VideoStream | AudioStream]) -> bool:
    """Whether streams are one file each."""
    return any(stream.timeline is not None and stream.timeline.index_bytes for stream in streams)


def segment_address(timeline: Timeline, number: int) -> list[str]:
    """The lines of a media playlist that name a segment, counting from 1."""
    if not timeline.index_bytes:
        return [SEGMENT_PATTERN.format(number)]
    size = timeline.segments[number - 1].size_bytes
    return [f"#EXT-X-BYTERANGE:{size}@{_offset(timeline, number)}", TRACK_NAME]


def i_frame_address(timeline: Timeline, frame: IFrame) -> list[str]:
    """The lines of an I-frame playlist that name a key frame with the head of its movie fragment."""
    name, before = SEGMENT_PATTERN.format(frame.segment), 0
    if timeline.index_bytes:
        name, before = TRACK_NAME, _offset(timeline, frame.segment)
    return [f"#EXT-X-BYTERANGE:{frame.size_bytes}@{before + frame.offset_bytes}", name]


def init_map(timeline: Timeline, init: str) -> str:
    """The tag of an initialisation segment."""
    if not timeline.index_bytes:
        return f'#EXT-X-MAP:URI="{init}"'
    return f'#EXT-X-MAP:URI="{TRACK_NAME}",BYTERANGE="{timeline.init_bytes}@0"'


def index_range(timeline: Timeline) -> str:
    """Where a file's index lies, as DASH writes bytes: first and last."""
    return f"{timeline.init_bytes}-{timeline.init_bytes + timeline.index_bytes - 1}"


def init_range(timeline: Timeline) -> str:
    """Where its initialisation segment lies."""
    return f"0-{timeline.init_bytes - 1}"


def _offset(timeline: Timeline, number: int) -> int:
    before = sum(segment.size_bytes for segment in timeline.segments[: number - 1])
    return timeline.init_bytes + timeline.index_bytes + before
