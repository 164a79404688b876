"""A part of a title that is encoded and measured by itself: mostly the whole title, or one stretch of it.

A part's encode and its reference are read with the same seek and the same filters, so that their frames are the same
and pair by index, whatever a seek makes of odd timestamps.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.scenes import Scene, video_chain

__all__ = ["Part"]

_BEFORE_FRAME = Fraction(1, 4)  # of a frame: a seek to a frame's own time might miss it by rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A span of a title, in frames at its constant rate."""

    first_frame: int
    """Index of its first frame in the title."""
    num_frames: int
    """How many frames it has."""
    is_whole: bool
    """Whether it is the whole title; nothing is sought or cut then."""

    @classmethod
    def whole(cls, num_frames: int) -> Part:
        """All of a title."""
        return cls(first_frame=0, num_frames=num_frames, is_whole=True)

    @classmethod
    def of_scene(cls, scene: Scene, fps: Fraction) -> Part:
        """The part that is one scene."""
        frames = scene.frames(fps)
        return cls(first_frame=frames.start, num_frames=frames.stop - frames.start, is_whole=False)

    @property
    def facts(self) -> dict[str, list[int]]:
        """What it adds to the facts that determine a measurement: nothing where it is the whole."""
        return {} if self.is_whole else {"part": [self.first_frame, self.num_frames]}

    def start_s(self, fps: Fraction) -> float:
        """First instant, seconds."""
        return float(self.first_frame / fps)

    def duration_s(self, fps: Fraction) -> float:
        """Length, seconds."""
        return float(self.num_frames / fps)

    def seek(self, fps: Fraction) -> list[str]:
        """Input options that come before the source's `-i`."""
        if self.first_frame == 0:
            return []
        return ["-ss", f"{float((self.first_frame - _BEFORE_FRAME) / fps):.6f}"]

    def chain(self, info: MediaInfo) -> str:
        """The filters that give its frames, numbered from 0."""
        whole = video_chain(info)
        return whole if self.is_whole else f"{whole},trim=end_frame={self.num_frames}"
